//! Options that decide what a session is, several at once. `options` looks at each by itself.

use super::Table;
use crate::support::python::{main_venv, plain_venv};
use crate::support::{Command, Project};

const SMALL: &str = r#"
--- conftest.py
import pytest

@pytest.fixture(scope="module")
def wide():
    """Shared by a module."""
    yield 1

@pytest.fixture
def narrow(wide):
    """One for each test."""
    return wide
--- test_small.py
import pytest

@pytest.mark.parametrize("number", range(3))
def test_number(number, narrow):
    assert number != 1

def test_passes(tmp_path, monkeypatch):
    pass
"#;

#[test]
fn what_shows_instead_of_running() {
    Table::new(SMALL)
        .same(&["--version --version", "--fixtures -v"])
        .check();
}

#[test]
fn plugins_that_are_off() {
    Table::new(SMALL)
        .same(&[
            "-p no:cacheprovider",
            "-p no:terminal",
            "-p no:terminal --junitxml=junit.xml",
            "-p no:faulthandler -p no:doctest -p no:unittest",
            "-p no:logging -p no:capture --tb=short",
            "-p no:tmpdir",
            "-p no:nothing_of_this_name -q",
            "--noconftest",
            "--import-mode=append -q",
            "--confcutdir=. --basetemp=base -q",
            "-p pytester -v",
        ])
        .check();
}

/// Without pytest's plugin for warnings each process writes those of the modules that it imports,
/// so that only an environment without further plugins can be compared.
#[test]
fn warnings_as_python_shows_them() {
    let lines = ["-p no:warnings -p no:assertion"];
    Table::new(SMALL).with(plain_venv()).same(&lines).check();
}

#[test]
fn stop_at_a_failure_in_one_process() {
    // With two workers, what runs at the moment of the failure is a matter of time; see below.
    let table = Table::new(MANY).same(&[
        "--maxfail=2 -v",
        "-x -q --tb=no",
        "--maxfail=1 --junitxml=junit.xml",
        "--exitfirst -rA --tb=line",
    ]);
    table.without_two_workers().check();
}

const MANY: &str = r#"
--- test_many.py
import os
import pytest

@pytest.mark.parametrize("number", range(40))
def test_many(number):
    with open("ran", "a") as ran:
        ran.write(f"{number} ")
    if number in (3, 5, 8, 9):
        with open("failed", "a") as failed:
            failed.write(f"{number} ")
        assert 0
"#;

#[test]
fn stop_at_failures_with_workers() {
    for (limit, failures) in [("-x", 1), ("--maxfail=2", 2)] {
        let project = Project::new(MANY);
        let run = Command::rpytest(main_venv(), &project)
            .args(["-n", "2", limit])
            .run();
        assert_eq!(run.code, 1, "{run}");
        let failed = project.words("failed").len();
        assert!(failed >= failures, "{failed}: {run}");
        run.shows(&["! stopping after "]);
        // What ran is what is told of; a test runs at most once.
        let ran = project.words("ran");
        let mut once = ran.clone();
        once.dedup();
        assert_eq!(ran, once);
    }
}

/// `-n` in the configuration is as good as on the command line.
#[test]
fn workers_by_addopts() {
    let files = format!("{SMALL}--- pytest.ini\n[pytest]\naddopts = -n 2\n");
    // pytest with xdist has a format of its own for workers: the comparison is with a plain run.
    Table::new(&files)
        .same_as_with(&["-n0"], "-v")
        .same_as_with(&["-n0"], "--co -q")
        .same_as_with(&["-n0"], "-n 0 -q")
        .check();
    let project = Project::new(&format!(
        "{files}--- test_worker.py\ndef test_w(worker_id):\n    open(\"worker\", \"w\").write(worker_id)\n"
    ));
    Command::rpytest(main_venv(), &project)
        .run()
        .expect(1, "1 failed, 4 passed");
    assert!(
        project.read("worker").starts_with("gw"),
        "{}",
        project.read("worker")
    );
}

const INI: &str = r#"
--- setup.cfg
[tool:pytest]
addopts = --tb=short -v
usefixtures = everywhere
markers =
    own(value): takes a value
--- inner/pytest.ini
[pytest]
addopts = -q
--- inner/test_inner.py
def test_inner(pytestconfig):
    assert pytestconfig.inipath.name == "setup.cfg"
--- conftest.py
import pytest

@pytest.fixture
def everywhere():
    print("used")
--- tox.ini
[tox]
--- test_outer.py
import pytest

@pytest.mark.own(1)
def test_outer(request):
    assert request.node.get_closest_marker("own").args == (2,)
"#;

#[test]
fn configuration_files() {
    Table::new(INI)
        .same(&[
            "",
            "inner",
            "-c inner/pytest.ini",
            "inner/test_inner.py test_outer.py",
            "--markers",
        ])
        .check();
}
