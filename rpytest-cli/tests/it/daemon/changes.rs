//! After any change, a run is what it would be without a daemon.

use crate::support::normal::normal;
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

use super::{Daemon, borrowed_a_session};

const SUITE: &str = "
--- pytest.ini
[pytest]
pythonpath = .
--- helper.py
from pathlib import Path

FACTOR = 2
DATA = Path(__file__).with_name('data.txt').read_text().split()
--- data.txt
1 2
--- conftest.py
import os
import pytest
from helper import FACTOR

@pytest.fixture
def factor():
    return FACTOR

@pytest.fixture(params=os.environ.get('LETTERS', 'ab'))
def letter(request):
    return request.param
--- test_a.py
import warnings
import pytest
import helper

@pytest.mark.parametrize('number', helper.DATA)
def test_number(number, factor):
    print('number', number)
    assert int(number) * factor > 2

def test_letter(letter, tmp_path):
    (tmp_path / 'x').write_text(letter)
    warnings.warn('a warning of ' + letter)

def test_skip():
    pytest.skip('not today')

@pytest.mark.xfail
def test_xfail():
    assert helper.FACTOR == 3
--- package/__init__.py
--- package/test_b.py
import unittest

class TestCase(unittest.TestCase):
    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)

def test_input(capsys):
    print('out')
    assert capsys.readouterr().out == 'out\\n'
";

/// Runs it with a daemon and without, and compares. Returns the run with the daemon.
#[track_caller]
pub(super) fn compare(
    daemon: &Daemon<'_>,
    project: &Project,
    arguments: &[&str],
    what: &str,
) -> Run {
    let clean = |project: &Project| {
        let _ = std::fs::remove_dir_all(project.root().join(".pytest_cache"));
        // Temporary directories are numbered.
        let entries = std::fs::read_dir(project.temporary_files()).expect("a directory");
        for entry in entries.flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with("pytest-of-")
            {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    };
    clean(project);
    let plain = Command::rpytest(main_venv(), project).args(arguments).run();
    clean(project);
    let with = daemon.run(arguments);
    let (plain, borrowed) = (normal(&plain, project), normal(&with, project));
    assert_eq!(plain.stdout, borrowed.stdout, "{what}");
    assert_eq!(plain.stderr, borrowed.stderr, "{what}");
    assert_eq!(plain.code, borrowed.code, "{what}");
    with
}

#[test]
fn each_way_to_run_is_the_same() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    for arguments in [
        &["-q"] as &[&str],
        &["-v", "-rA"],
        &["-x", "--tb=short", "--color=yes"],
        &["-s"],
        &["-k", "letter", "-vv"],
        &["-n", "2"],
        &["--lf"],
        &["--collect-only"],
        &["package", "-p", "no:cacheprovider"],
        &["no_such_file"],
        &["--version"],
        &["--markers"],
    ] {
        // The first borrows an interpreter; what the third borrows has been grown meanwhile, if it may.
        for turn in 0..3 {
            compare(
                &daemon,
                &project,
                arguments,
                &format!("{arguments:?}, {turn}"),
            );
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    }
    daemon.stop();
}

#[test]
fn the_second_run_collects_nothing() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    let first = daemon.run(&["--explain"]);
    assert!(
        first.stderr.contains("the daemon lent an interpreter"),
        "{first}"
    );
    daemon.has_settled();
    for _ in 0..3 {
        let next = daemon.run(&["--explain"]);
        assert!(borrowed_a_session(&next), "{next}");
        assert_eq!(next.counts(), first.counts());
    }
    // What failed the last time is known, although the session was configured before that.
    let failed = project.read(".pytest_cache/v/cache/lastfailed");
    assert!(failed.contains("test_a.py::test_number[1]"), "{failed}");
    project.write("--- data.txt\n2 5\n");
    assert_ne!(daemon.run(&[]).counts(), first.counts());
    let failed = project.read(".pytest_cache/v/cache/lastfailed");
    assert!(!failed.contains("test_a.py::test_number[2]"), "{failed}");
    daemon.stop();
}

#[test]
fn no_change_goes_unseen() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    let edits: [(&str, &dyn Fn()); 12] = [
        ("nothing", &|| {}),
        ("a source", &|| {
            project.write(&format!(
                "--- helper.py\n{}",
                project.read("helper.py").replace("= 2", "= 3")
            ));
        }),
        ("data that a source reads", &|| {
            project.write("--- data.txt\n1 2 3\n")
        }),
        ("a test", &|| {
            let text = project.read("test_a.py").replace("not today", "never");
            project.write(&format!("--- test_a.py\n{text}"));
        }),
        ("the same size, at once", &|| {
            let text = project.read("test_a.py").replace("never", "later");
            project.write(&format!("--- test_a.py\n{text}"));
        }),
        ("a new test file", &|| {
            project.write("--- test_c.py\ndef test_new():\n    assert 1\n")
        }),
        ("a conftest in a package", &|| {
            project.write("--- package/conftest.py\ncollect_ignore = ['test_b.py']\n");
        }),
        ("a test file is gone", &|| {
            std::fs::remove_file(project.root().join("test_c.py")).expect("it is there");
        }),
        ("the configuration", &|| {
            project.write("--- pytest.ini\n[pytest]\npythonpath = .\naddopts = -v\n");
        }),
        ("a package in the place of a module", &|| {
            std::fs::remove_file(project.root().join("helper.py")).expect("it is there");
            project.write("--- helper/__init__.py\nFACTOR = 7\nDATA = ['8']\n");
        }),
        ("a syntax error", &|| {
            project.write("--- test_d.py\ndef test(:\n")
        }),
        ("and none", &|| {
            project.write("--- test_d.py\ndef test():\n    pass\n")
        }),
    ];
    for (what, edit) in edits {
        edit();
        for turn in 0..2 {
            compare(&daemon, &project, &[], &format!("{what}, {turn}"));
        }
        std::thread::sleep(std::time::Duration::from_millis(400));
        compare(&daemon, &project, &[], &format!("{what}, later"));
    }
    daemon.stop();
}

#[test]
fn what_a_conftest_sets_at_its_import_stays() {
    let project = Project::new(
        "
--- conftest.py
import locale
import os
import signal
import sys
import warnings

os.environ['SETTINGS'] = 'of the tests'
os.environ.pop('SHLVL', None)
os.umask(0o077)
sys.path.insert(0, '/nowhere')
sys.setrecursionlimit(4321)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
--- test_a.py
import os
import signal
import sys

def test_settings(tmp_path):
    print(os.environ['SETTINGS'], os.environ.get('SHLVL'), sys.path[0], sys.getrecursionlimit())
    print(signal.getsignal(signal.SIGUSR1), os.environ['PYTEST_VERSION'], sys.argv)
    (tmp_path / 'x').touch()
    print(oct((tmp_path / 'x').stat().st_mode))
    assert 0
",
    );
    let daemon = Daemon::start(&project);
    for turn in 0..3 {
        compare(&daemon, &project, &["-rA"], &turn.to_string());
        daemon.has_settled();
    }
    assert!(
        borrowed_a_session(&daemon.run(&["-rA", "--explain"])) || {
            daemon.has_settled();
            borrowed_a_session(&daemon.run(&["-rA", "--explain"]))
        }
    );
    daemon.stop();
}

#[test]
fn another_environment_directory_or_mask_is_the_borrowers() {
    let project = Project::new(&format!(
        "{SUITE}
--- sub/test_place.py
import os
import sys

def test_place():
    mask = os.umask(0)
    os.umask(mask)
    print('here', os.getcwd(), os.environ.get('LETTERS'), oct(mask), os.environ.get('SHLVL'))
    print('path', [path for path in sys.path if 'project' in path], os.environ.get('PWD'))
    assert 0
"
    ));
    let daemon = Daemon::start(&project);
    for turn in 0..2 {
        for letters in ["x", "xyz"] {
            let arguments = ["-rA", "--explain"];
            let run = |command: Command<'_>| {
                let command = command.env("LETTERS", letters).env("SHLVL", "7");
                normal(&command.within("sub").args(arguments).run(), &project)
            };
            let plain = run(Command::rpytest(main_venv(), &project));
            let with = run(daemon.command());
            assert!(with.stderr.contains("the daemon lent"), "{with}");
            assert_eq!(plain.stdout, with.stdout, "{turn}, {letters}");
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    daemon.stop();
}
