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

/// Runs it with a daemon and without, and compares. Returns the run with the daemon, which says what it has
/// borrowed.
#[track_caller]
pub(super) fn compare(
    daemon: &Daemon<'_>,
    project: &Project,
    arguments: &[&str],
    what: &str,
) -> Run {
    let plain = Command::rpytest(main_venv(), project);
    compare_with(plain, daemon, project, arguments, what)
}

/// The same with another command that has no daemon.
#[track_caller]
pub(super) fn compare_with(
    plain: Command<'_>,
    daemon: &Daemon<'_>,
    project: &Project,
    arguments: &[&str],
    what: &str,
) -> Run {
    let clean = |project: &Project| {
        // Not the directory: a session that has seen what is beside it would have to be grown again.
        let _ = std::fs::remove_dir_all(project.root().join(".pytest_cache/v"));
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
    let plain = plain.args(arguments).run();
    clean(project);
    let with = daemon.command().args(arguments).args(["--explain"]).run();
    let (plain, borrowed) = (normal(&plain, project), normal(&with, project));
    let without_notes = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("rpytest: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let shown = match with.stderr.contains("the run begins again") {
        // On a terminal, and by options such as `-v`, it had been seen to begin before.
        true => &borrowed.stdout[borrowed.stdout.len().saturating_sub(plain.stdout.len())..],
        false => &borrowed.stdout,
    };
    assert_eq!(plain.stdout, shown, "{what}");
    assert_eq!(
        without_notes(&plain.stderr),
        without_notes(&borrowed.stderr),
        "{what}"
    );
    assert_eq!(plain.code, borrowed.code, "{what}");
    with
}

#[test]
fn each_way_to_run_is_the_same() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    for (arguments, is_lent) in [
        (&["-q"] as &[&str], true),
        (&["-v", "-rA"], true),
        (&["-x", "--tb=short", "--color=yes"], true),
        (&["-s"], true),
        (&["-k", "letter", "-vv"], true),
        (&["-n", "2"], false),
        (&["--lf"], false),
        (&["--collect-only"], false),
        (&["package", "-p", "no:cacheprovider"], true),
        (&["no_such_file"], false),
        (&["--version"], false),
        (&["--markers"], false),
    ] {
        // The first borrows an interpreter; what the others borrow has been grown meanwhile, if it may.
        let mut lent = false;
        for turn in 0..6 {
            let what = format!("{arguments:?}, {turn}");
            lent |= borrowed_a_session(&compare(&daemon, &project, arguments, &what));
            if lent || !is_lent && turn == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        assert_eq!(lent, is_lent, "{arguments:?}: whether a session was lent");
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

/// What a run wrote just before its end is too young for the session that is grown after it. That must not be
/// the end of it when another run has come meanwhile.
#[test]
fn a_session_is_there_although_another_run_followed_at_once() {
    let project = Project::new(
        "
--- pytest.ini
--- conftest.py
import pathlib
DATA = pathlib.Path(__file__).with_name('data.txt')
DATA.read_text()
--- data.txt
one
--- test_a.py
import conftest
def test_reads(): pass
def test_writes(): conftest.DATA.write_text('one')
",
    );
    project.settle();
    let daemon = Daemon::start(&project);
    let (writes, reads) = (["--explain"], ["--explain", "-k", "reads"]);
    daemon.run(&writes).expect(0, "2 passed");
    daemon.run(&reads).expect(0, "1 passed, 1 deselected");
    daemon.has_settled();
    for arguments in [&reads[..], &writes[..]] {
        let run = daemon.run(arguments);
        assert!(borrowed_a_session(&run), "{run}");
    }
    daemon.stop();
}

/// Only what has changed in pytest's cache is read again by a run that goes on from a session.
#[test]
fn the_cache_is_what_pytest_leaves() {
    const SUITE: &str = "
--- pytest.ini
--- test_a.py
def test_one(): assert 0
def test_two(): pass
--- test_b.py
def test_three(): pass
";
    let (project, twin) = (Project::new(SUITE), Project::new(SUITE));
    let daemon = Daemon::start(&project);
    let edits = [
        "--- ignored.txt\n",
        "--- ignored.txt\nagain\n",
        "--- test_a.py\ndef test_one(): assert 1\ndef test_two(): assert 0\n",
        "--- test_b.py\ndef test_three(:\n",
        "--- test_b.py\ndef test_three(): assert not 0\n",
        "--- test_b.py\ndef test_three(): assert not 1\ndef test_four(): pass\n",
        "--- test_a.py\n",
    ];
    let mut lent = 0;
    for (turn, edit) in edits.iter().enumerate() {
        project.write(edit);
        twin.write(edit);
        // The second time with what the first has left.
        for again in 0..2 {
            let plain = Command::pytest(main_venv(), &twin).run();
            let with = daemon.run(&["--explain"]);
            lent += usize::from(with.stderr.contains("the daemon lent a session"));
            let what = format!("edit {turn}, {again}");
            assert_eq!(with.code, plain.code, "{what}: {with}");
            for name in ["lastfailed", "nodeids"] {
                let path = format!(".pytest_cache/v/cache/{name}");
                let left =
                    |project: &Project| std::fs::read_to_string(project.root().join(&path)).ok();
                assert_eq!(left(&project), left(&twin), "{what}: {name}");
            }
            daemon.has_settled();
        }
    }
    assert!(lent > edits.len(), "{lent} runs went on from a session");
    daemon.stop();
}

/// Sessions that are configured, and those that have collected, give the same.
#[test]
fn each_way_to_run_is_the_same_from_the_first_stage() {
    let project = Project::new(SUITE);
    project.write("--- pyproject.toml\n[tool.rpytest]\nsnapshot = 'configured'\n");
    let daemon = Daemon::start(&project);
    for arguments in [
        &["-q"] as &[&str],
        &["-v", "-rA"],
        &["-s"],
        &["-k", "letter", "-vv"],
        &["package", "-p", "no:cacheprovider"],
    ] {
        let is_lent = (0..6).any(|turn| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let what = format!("{arguments:?}, {turn}");
            let run = compare(&daemon, &project, arguments, &what);
            run.stderr
                .contains("the daemon lent a session that was configured")
        });
        assert!(is_lent, "{arguments:?}");
    }
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
    print(signal.getsignal(signal.SIGUSR1), os.environ['PYTEST_VERSION'], sys.argv[:2])
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
