//! `--collect-only -q`: what is known natively and what Python collects is put together as pytest has it.

use crate::support::normal::{difference, normal};
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

/// Exact files before, between and after ones that need Python.
const MIXED: &str = r#"
--- pytest.ini
[pytest]
markers = slow
--- conftest.py
import pytest

@pytest.fixture
def answer():
    return 42
--- sub/helper.py
VALUES = ["one", "two"]
--- sub/test_b.py
import pytest
from helper import VALUES

exec("")

@pytest.mark.slow
@pytest.mark.parametrize("value", [v.upper() for v in VALUES])
def test_value(value): pass

class TestIt:
    def test_in_class(self, answer): pass
--- sub/test_c.py
def test_other(): pass
--- test_a.py
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_many(n): pass

def test_one(answer): pass
--- test_d.py
import pytest

for name in ["x", "y"]:
    exec(f"def test_{name}(): pass")
--- test_e.py
def test_last(): pass
"#;

fn words(line: &str) -> Vec<&str> {
    // A bar parts words, since expressions have blanks.
    line.split('|').filter(|word| !word.is_empty()).collect()
}

/// pytest's run and ours, in copies of one project.
fn both(files: &str, line: &str) -> (Run, Run) {
    let run = |ours: bool| {
        let project = Project::new(files);
        let command = match ours {
            true => Command::rpytest(main_venv(), &project),
            false => Command::pytest(main_venv(), &project),
        };
        let run = command.args(["--collect-only"]).args(words(line)).run();
        normal(&run, &project)
    };
    (run(false), run(true))
}

#[track_caller]
fn assert_same(files: &str, line: &str) {
    let (theirs, ours) = both(files, line);
    assert!(
        theirs.stdout == ours.stdout && theirs.code == ours.code && theirs.stderr == ours.stderr,
        "{line} in {files}\n{}\n{theirs}\n{ours}",
        difference(&theirs.stdout, &ours.stdout)
    );
}

/// How the answer came about: what `--benchmark` says.
#[track_caller]
fn says(project: &Project, line: &str, texts: &[&str]) -> Run {
    let run = Command::rpytest(main_venv(), project)
        .args(["--collect-only", "--benchmark"])
        .args(words(line))
        .run();
    for text in texts {
        assert!(
            run.stderr.contains(text),
            "{line}: {text:?} is not in\n{run}"
        );
    }
    run
}

#[test]
fn exact_and_partial_files_stand_in_pytests_order() {
    for line in [
        "-q",
        "-qq",
        "-q|sub",
        "-q|test_e.py|sub/test_b.py|test_d.py",
        "-q|sub/test_b.py::TestIt|test_a.py::test_many[2]",
        "-q|-k|many or value",
        "-q|-k|nothing_has_this_name",
        "-q|-m|slow",
        "-q|-m|not slow",
        "-qq|-m|slow",
        "-q|--deselect|sub/test_b.py::TestIt|--deselect=test_e.py",
        "-q|--ignore=sub",
        "-q|--color=yes",
        "-q|--color=yes|-k|nothing_has_this_name",
        "-q|-p|no:cacheprovider",
        "-q|--rootdir=.",
        "-q|--rootdir|sub|sub",
        "-q|--rootdir=..",
        "-q|--import-mode=append",
        "-q|--import-mode|importlib",
        "-q|--confcutdir=sub|sub",
        "-q|--import-mode=none",
        // Not answered natively.
        "",
        "-v",
        "-q|-s",
        "-q|test_a.py::no_such_test",
        "-q|no_such_file.py",
        "-q|-k|and",
        "-q|--no-such-option",
    ] {
        assert_same(MIXED, line);
    }
    let project = Project::new(MIXED);
    says(
        &project,
        "-q",
        &[
            "10 tests of 5 files",
            "3 files exact",
            "2 collected by Python",
        ],
    );
    says(
        &project,
        "-q|--no-native-collection",
        &["pytest collected", "--no-native-collection"],
    );
    says(&project, "-q|--lf", &["pytest collected", "--lf"]);
}

#[test]
fn what_is_installed_comes_before_the_sources() {
    let project = |ours: bool, path: &str| {
        let project = Project::new(
            "
--- src/core.py
NAMES = ['source']
--- site/core.py
NAMES = ['installed']
--- tests/test_a.py
import pytest
try:
    from core import NAMES
except ImportError:
    NAMES = ['none']

@pytest.mark.parametrize('name', NAMES)
def test(name): pass
--- tests/test_b.py
import pytest
from core import NAMES

@pytest.mark.parametrize('name', NAMES)
def test(name): pass
",
        );
        let path: Vec<String> = path
            .split_whitespace()
            .map(|name| project.root().join(name).to_string_lossy().into_owned())
            .collect();
        let command = match ours {
            true => Command::rpytest(main_venv(), &project),
            false => Command::pytest(main_venv(), &project),
        };
        let command = command.env("PYTHONPATH", &path.join(":"));
        normal(&command.args(["--collect-only", "-q"]).run(), &project)
    };
    for path in ["", "site", "src", "site src", "src site"] {
        let (theirs, ours) = (project(false, path), project(true, path));
        assert_eq!(theirs.stdout, ours.stdout, "{path}");
        assert_eq!(theirs.code, ours.code, "{path}");
    }
}

#[test]
fn what_is_out_of_the_ordinary_is_pytests_to_tell() {
    let mut wrong = Vec::new();
    for (what, files) in [
        (
            "an error on import",
            "--- test_f.py\nexec('import not_there')\n",
        ),
        ("a syntax error", "--- test_f.py\ndef test_x(:\n"),
        (
            "a warning on import",
            "--- test_f.py\nimport warnings, pytest\nwarnings.warn('old')\nexec('def test_f(): pass')\n",
        ),
        (
            "a module that skips itself",
            "--- test_f.py\nimport pytest\npytest.skip('no', allow_module_level=True)\n",
        ),
        (
            "parameters of the session's scope in two files",
            "--- test_f.py\nimport pytest\nexec('')\n\
             @pytest.mark.parametrize('p', [1, 2], scope='session')\ndef test_f(p): pass\n\
             --- test_g.py\nimport pytest\nexec('')\n\
             @pytest.mark.parametrize('p', [1, 2], scope='session')\ndef test_g(p): pass\n",
        ),
        (
            "a hook that turns all items around",
            "--- sub/conftest.py\ndef pytest_collection_modifyitems(items):\n    items.reverse()\n",
        ),
        (
            "a hook that deselects",
            "--- conftest.py\ndef pytest_collection_modifyitems(config, items):\n    \
             config.hook.pytest_deselected(items=items[1:])\n    del items[1:]\n",
        ),
        (
            "a conftest that has a summary",
            "--- conftest.py\ndef pytest_terminal_summary(terminalreporter):\n    \
             terminalreporter.write_line('and that is all')\n",
        ),
        (
            "files of a plugin's kind",
            "--- conftest.py\nimport pytest\n\
             class Item(pytest.Item):\n    def runtest(self): pass\n\
             class File(pytest.File):\n    def collect(self):\n        \
             yield Item.from_parent(self, name='all')\n\
             def pytest_collect_file(parent, file_path):\n    if file_path.suffix == '.yml':\n        \
             return File.from_parent(parent, path=file_path)\n--- sub/a.yml\n",
        ),
        (
            "an unknown option in the configuration",
            "--- pytest.ini\n[pytest]\nno_such_option = 1\n",
        ),
        (
            "a wrong value in the configuration",
            "--- pytest.ini\n[pytest]\nminversion = 99\n",
        ),
        ("an error in a conftest", "--- sub/conftest.py\n1 / 0\n"),
        (
            "quiet by configuration",
            "--- pytest.ini\n[pytest]\nmarkers = slow\naddopts = -q\n",
        ),
        (
            "no tests at all",
            "--- pytest.ini\n[pytest]\npython_files = nothing*.py\n",
        ),
    ] {
        let files = format!("{MIXED}{files}");
        let (theirs, ours) = both(&files, "-q");
        let same = theirs.stdout == ours.stdout && theirs.code == ours.code;
        if !same || theirs.stderr != ours.stderr {
            let difference = difference(&theirs.stdout, &ours.stdout);
            wrong.push(format!("{what}\n{difference}\n{theirs}\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn variables_that_change_pytest_are_left_to_it() {
    let project = Project::new(MIXED);
    let run = |ours: bool| {
        let command = match ours {
            true => Command::rpytest(main_venv(), &project),
            false => Command::pytest(main_venv(), &project),
        };
        let command = command.args(["--collect-only", "-q"]);
        normal(&command.env("PYTEST_ADDOPTS", "-k many").run(), &project)
    };
    let (theirs, ours) = (run(false), run(true));
    assert_eq!(theirs.stdout, ours.stdout);
    assert!(theirs.stdout.contains("2/10 tests"), "{theirs}");
}

#[test]
fn a_benchmark_needs_a_collection() {
    let project = Project::new(MIXED);
    let run = Command::rpytest(main_venv(), &project)
        .args(["--benchmark"])
        .run();
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.stderr
            .contains("--benchmark works with --collect-only only"),
        "{run}"
    );
}
