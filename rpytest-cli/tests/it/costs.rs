//! What tests cost together is recorded apart from what each costs: fixtures of a file or a class, and the
//! import of the file. By sleeps, which take at least as long as they say.

use serde_json::Value;

use crate::support::python::{main_venv, pytest_venv};
use crate::support::{Command, Project, Way};

/// What sleeps sleeps for this long.
const NAP: f64 = 0.3;

const SUITE: &str = r#"
--- helper.py
import time

def nap():
    time.sleep(0.3)
--- pkg/__init__.py
--- pkg/conftest.py
import pytest
from helper import nap

@pytest.fixture(scope="session")
def of_session():
    nap()

@pytest.fixture(scope="package")
def of_package(of_session):
    nap()
--- pkg/test_wide.py
def test_first(of_package):
    pass

def test_second(of_session):
    pass
--- test_module.py
import pytest
from helper import nap

@pytest.fixture(scope="module")
def of_module():
    nap()
    yield

@pytest.fixture(scope="module")
def another():
    nap()

@pytest.fixture
def of_function(of_module):
    yield

def test_first(of_function):
    pass

def test_second(of_function, another):
    pass
--- test_body.py
import pytest
from helper import nap

@pytest.fixture(scope="module")
def inner():
    nap()

@pytest.fixture(scope="module")
def outer(request):
    nap()
    request.getfixturevalue("inner")
    nap()

def test_it(outer):
    pass
--- test_own.py
import pytest
from helper import nap

@pytest.fixture(scope="module")
def of_module():
    pass

@pytest.fixture
def of_function(of_module):
    nap()

@pytest.fixture(scope="class")
def of_class():
    nap()

def test_it(of_function):
    pass

def test_without_a_class(of_class):
    pass
--- test_class.py
import unittest
import pytest
from helper import nap

@pytest.fixture(scope="class")
def of_class():
    nap()

class TestIt:
    def test_first(self, of_class):
        pass

    def test_second(self, of_class):
        pass

class TestOfUnittest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        nap()

    def test_it(self):
        pass
--- test_xunit.py
from helper import nap

def setup_module():
    nap()

def test_it():
    pass
--- test_fails.py
import pytest
from helper import nap

@pytest.fixture(scope="module")
def fails():
    nap()
    raise LookupError

def test_it(fails):
    pass
--- test_import.py
from helper import nap

nap()

def test_it():
    pass
"#;

/// A plugin that wraps the setup of fixtures: they are set up by pytest, in a test that is not run by it.
const WRAPS: &str = "
--- conftest.py
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    yield
";

/// The seconds that the newest of some observations has, its first value being the number of the run.
fn newest(observations: &Value, place: usize) -> Option<f64> {
    observations[0][place].as_f64()
}

fn durations(project: &Project) -> Value {
    let text = project.read(".pytest_cache/v/rpytest/durations.json");
    serde_json::from_str(&text).expect("the durations are there")
}

/// What is too little is wrong; too much is the machine's affair unless it is so in each of three runs.
fn check(way: Way, case: &str, run: impl Fn() -> Project) {
    let mut too_much = Vec::new();
    for _ in 0..3 {
        too_much = measured(&run(), way, case);
        if too_much.is_empty() {
            return;
        }
    }
    panic!("{}", too_much.join("\n"));
}

/// Returns what took longer than it should.
fn measured(project: &Project, way: Way, case: &str) -> Vec<String> {
    let mut too_much = Vec::new();
    let mut at_most = |seconds: f64, what: &str| {
        if seconds >= NAP {
            too_much.push(format!("{case}: {what} took {seconds}"));
        }
    };
    let durations = durations(project);
    let scope = |scope: &str| {
        let (file, _) = scope.split_once("::").unwrap_or((scope, ""));
        newest(&durations["scopes"][file][scope], 1)
    };
    let import = |file: &str| newest(&durations["imports"][file], 1);
    let setup = |nodeid: &str| {
        let (file, _) = nodeid.split_once("::").expect("a test");
        newest(&durations["files"][file][nodeid], 1).expect("it has run")
    };

    for (name, naps) in [
        ("test_module.py", 2.0),
        ("test_body.py", 3.0),
        ("test_class.py::TestIt", 1.0),
        ("test_class.py::TestOfUnittest", 1.0),
        ("test_xunit.py", 1.0),
        ("test_fails.py", 1.0),
    ] {
        let seconds = scope(name).unwrap_or_else(|| panic!("{case}: {name} is not told of"));
        // Two workers may have taken one each.
        let naps = if name == "test_module.py" && way == Way::TwoWorkers {
            1.0
        } else {
            naps
        };
        assert!(seconds >= naps * NAP, "{case}: {name} took {seconds}");
    }
    for nodeid in [
        "test_module.py::test_first",
        "test_module.py::test_second",
        "test_body.py::test_it",
        "test_class.py::TestIt::test_first",
        "test_class.py::TestIt::test_second",
        "test_class.py::TestOfUnittest::test_it",
        "test_xunit.py::test_it",
        "test_fails.py::test_it",
        "test_import.py::test_it",
    ] {
        at_most(setup(nodeid), nodeid);
    }
    for (nodeid, naps) in [
        ("test_own.py::test_it", 1.0),
        ("test_own.py::test_without_a_class", 1.0),
        ("pkg/test_wide.py::test_first", 2.0),
    ] {
        let seconds = setup(nodeid);
        assert!(seconds >= naps * NAP, "{case}: {nodeid} took {seconds}");
    }
    for name in ["test_own.py", "test_own.py::test_without_a_class"] {
        at_most(scope(name).unwrap_or_default(), name);
    }
    for name in ["test_import.py::test_it", "pkg/test_wide.py", "pkg", ""] {
        assert_eq!(scope(name), None, "{case}: {name}");
    }

    let seconds = import("test_import.py").expect("it is told of");
    assert!(seconds >= NAP, "{case}: its import took {seconds}");
    for file in ["test_module.py", "test_class.py", "pkg/test_wide.py"] {
        let seconds = import(file).unwrap_or_else(|| panic!("{case}: {file} is not told of"));
        at_most(seconds, &format!("the import of {file}"));
    }
    too_much
}

#[test]
fn what_is_shared_is_recorded_apart() {
    for (name, files) in [("as it is", ""), ("with a plugin", WRAPS)] {
        for way in [Way::InProcess, Way::TwoWorkers] {
            for genuine in ["0", "1"] {
                let case = format!("{name}, {way:?}, genuine={genuine}");
                check(way, &case, || {
                    let project = Project::new(SUITE);
                    if !files.is_empty() {
                        project.write(files);
                    }
                    let run = Command::rpytest(main_venv(), &project)
                        .env("RPYTEST_GENUINE", genuine)
                        .args(way.arguments())
                        .run();
                    run.expect(1, "12 passed, 1 error");
                    project
                });
            }
        }
    }
}

#[test]
fn of_the_oldest_pytest() {
    check(Way::InProcess, "pytest 8.0", || {
        let project = Project::new(SUITE);
        let run = Command::rpytest(&pytest_venv("8.0.2"), &project).run();
        run.expect(1, "12 passed, 1 error");
        project
    });
}

#[test]
fn workers_that_collect_for_themselves_tell_of_it() {
    check(Way::TwoWorkers, "workers that collect", || {
        let project = Project::new(SUITE);
        project.write("--- conftest.py\nopen('effect', 'w').close()\n");
        let run = Command::rpytest(main_venv(), &project)
            .args(["-n2", "--explain"])
            .run();
        run.expect(1, "12 passed, 1 error");
        assert!(run.stderr.contains("collected for themselves"), "{run}");
        project
    });
}

#[test]
fn nothing_is_recorded_of_what_is_not_run() {
    let project = Project::new(SUITE);
    let rpytest = |arguments: &[&str]| {
        Command::rpytest(main_venv(), &project)
            .args(arguments)
            .run()
    };
    rpytest(&["--collect-only"]).expect(0, "13 tests collected");
    assert_eq!(project.read(".pytest_cache/v/rpytest/durations.json"), "");
    rpytest(&["test_xunit.py::test_it", "test_import.py", "-k", "xunit"])
        .expect(0, "1 passed, 1 deselected");
    let durations = durations(&project);
    assert!(newest(&durations["imports"]["test_xunit.py"], 1).is_some());
    assert_eq!(durations["imports"]["test_import.py"], Value::Null);
}
