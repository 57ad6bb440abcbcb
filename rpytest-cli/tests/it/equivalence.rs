//! Items and reports, whole, with the short cuts and without: a plugin writes down everything that is in
//! them (`tests/observer`), and the two texts are equal.

mod hooks;
mod plugins;

use std::path::Path;

use crate::support::normal::difference;
use crate::support::python::{Venv, interpreters, main_venv, plain_venv, pytest_venv, python_venv};
use crate::support::{Command, Project, Run, Way};

/// What was written down in one run.
struct Observed {
    items: String,
    reports: String,
    /// By hooks of the suite, where it has such.
    seen: String,
    run: Run,
}

fn observe(venv: &Venv, files: &str, arguments: &[&str], way: Way, genuine: bool) -> Observed {
    let project = Project::new(files);
    let observer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/observer");
    let run = Command::rpytest(venv, &project)
        .args(way.arguments())
        .args(["-p", "rpytest_observer", "--explain"])
        .args(arguments)
        .env("PYTHONPATH", observer.to_str().expect("a path"))
        .env("PYTHONHASHSEED", "0")
        .env("RPYTEST_OBSERVED", "observed")
        .env("RPYTEST_GENUINE", if genuine { "1" } else { "" })
        .run();
    // Each copy of the project is somewhere else.
    let base = project.base().to_str().expect("a path").to_owned();
    let read = |path| project.read(path).replace(&base, "BASE");
    let seen = ["observed/seen-worker", "observed/seen-controller"].map(|path| {
        let is_there = project.root().join(path).exists();
        if is_there { read(path) } else { String::new() }
    });
    Observed {
        items: read("observed/items"),
        reports: read("observed/reports"),
        seen: seen.concat(),
        run,
    }
}

/// Compares both with a worker, and returns what the run with the short cuts said.
#[track_caller]
fn equal(venv: &Venv, files: &str, arguments: &[&str]) -> String {
    equal_in(Way::OneWorker, venv, files, arguments)
}

#[track_caller]
fn equal_in(way: Way, venv: &Venv, files: &str, arguments: &[&str]) -> String {
    let short = observe(venv, files, arguments, way, false);
    let genuine = observe(venv, files, arguments, way, true);
    let said = short.run.stdout + &short.run.stderr;
    assert_eq!(short.run.code, genuine.run.code, "{said}");
    assert!(!genuine.items.is_empty(), "{}", genuine.run.stderr);
    for (short, genuine) in [
        (short.items, genuine.items),
        (short.reports, genuine.reports),
        (short.seen, genuine.seen),
    ] {
        assert!(
            short == genuine,
            "{arguments:?} with {} (- genuine, + short):\n{:.4000}",
            venv.root().display(),
            difference(&genuine, &short)
        );
    }
    said
}

/// How many tests a run says to have collected and run the short way.
fn short_ways(said: &str) -> (usize, usize) {
    let count = |what: &str| {
        let line = said.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("no line with {what:?}:\n{said}"));
        let number = line.trim_start_matches("rpytest: ").split(' ').next();
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    };
    (
        count(" were collected the short way"),
        count(" were run by the short protocol"),
    )
}

const SUITE: &str = include_str!("equivalence_suite.txt");

/// What is different for each session as a whole.
const OPTIONS: [&[&str]; 10] = [
    &[],
    &["--capture=sys"],
    &["--log-level=DEBUG"],
    &["--log-level=45", "-o", "log_cli_level=12"],
    &["--doctest-modules", "--ignore=package/inner", "--tb=line"],
    &["test_parameters.py", "package/notes.rst", "ignoring"],
    &[
        "--tb=short",
        "-p",
        "no:logging",
        "-o",
        "faulthandler_timeout=60",
    ],
    &["--tb=native", "-p", "no:warnings", "--strict-markers"],
    &[
        "-k",
        "not Method and not wide",
        "--tb=no",
        "-p",
        "no:unraisableexception",
    ],
    &[
        "--maxfail=9",
        "-p",
        "no:threadexception",
        "--log-level=INFO",
    ],
];

#[test]
fn items_and_reports() {
    for options in OPTIONS {
        let (collected, run) = short_ways(&equal(main_venv(), SUITE, options));
        assert!(collected > 50, "{collected} with {options:?}");
        let least = if options.contains(&"--maxfail=9") {
            1
        } else {
            50
        };
        assert!(run >= least, "{run} with {options:?}");
    }
}

#[test]
fn of_each_pytest() {
    for version in ["8.1.2", "8.2.2", "8.3.5", "8.4.2", "9.0.3", "9.1.1"] {
        let (collected, run) =
            short_ways(&equal(&pytest_venv(version), SUITE, of_version(version)));
        assert!(collected > 100 && run > 80, "{version}: {collected}, {run}");
    }
    // Of the first it is not known how it collects.
    let version = "8.0.2";
    let (collected, run) = short_ways(&equal(&pytest_venv(version), SUITE, of_version(version)));
    assert!(collected == 0 && run > 80, "{collected}, {run}");
}

/// Before pytest 8.2, and with Python 3.13 or newer, a recursion is not detected, and each of its frames is shown: how many there are
/// depends on how many lead to it, which are others in each runner.
fn of_version(version: &str) -> &'static [&'static str] {
    if version < "8.2" {
        &["--deselect=test_outcomes.py::test_recursion"]
    } else {
        &[]
    }
}

/// Of threads, and of what cannot be raised: until pytest 8.4 they are caught while a phase lasts.
#[test]
fn exceptions_that_nobody_catches() {
    let files = include_str!("equivalence/uncaught.txt");
    let options: [&[&str]; 5] = [
        &[],
        // Hooks hear of each item when pytest calls them.
        &["-s"],
        &["-W", "error"],
        &["--maxfail=3", "--tb=native", "-p", "no:unraisableexception"],
        &["-p", "no:threadexception", "--tb=short"],
    ];
    let older = ["8.0.2", "8.2.2", "8.3.5", "8.4.2"].map(pytest_venv);
    for venv in older.iter().chain([plain_venv()]) {
        for options in options {
            let (_, run) = short_ways(&equal(venv, files, options));
            assert!(run > 5, "{options:?}: {run}");
        }
    }
}

/// Those whose condition is code, or an object, are for pytest. How a recursion is shown by older ones depends on frames (`of_version`).
#[test]
fn expected_failures() {
    let files = include_str!("equivalence/expected_failures.txt");
    let options: [&[&str]; 6] = [
        &[],
        // Hooks hear of each item when pytest calls them.
        &["-s"],
        &["--runxfail", "-o", "xfail_strict=true"],
        &["-o", "xfail_strict=true", "--tb=short", "-p", "no:logging"],
        &["-W", "error", "--tb=native", "-p", "no:threadexception"],
        &["--maxfail=5", "-p", "no:unraisableexception"],
    ];
    for options in options {
        for way in [Way::InProcess, Way::OneWorker] {
            let (_, run) = short_ways(&equal_in(way, plain_venv(), files, options));
            let least = if options.contains(&"--maxfail=5") {
                12
            } else {
                50
            };
            assert!(run >= least, "{options:?}: {run}");
        }
    }
    let recursion = "--deselect=test_marks.py::test_recursion";
    for version in ["8.0.2", "8.1.2", "8.2.2", "8.3.5", "8.4.2", "9.0.3"] {
        for options in [&[recursion][..], &[recursion, "-s"]] {
            let (_, run) = short_ways(&equal(&pytest_venv(version), files, options));
            assert!(run > 45, "{version} with {options:?}: {run}");
        }
    }
}

/// What a fixture raises that a doctest asks for is shown with all frames that it has come through.
#[test]
fn doctests() {
    let files = include_str!("equivalence/doctests.txt");
    for options in [
        &[][..],
        &["-s", "--doctest-continue-on-failure"],
        &["-W", "error", "--tb=short"],
        &["--tb=native", "-p", "no:logging"],
    ] {
        for way in [Way::InProcess, Way::OneWorker] {
            let (_, run) = short_ways(&equal_in(way, plain_venv(), files, options));
            assert_eq!(run, 18, "{options:?}");
        }
    }
    for version in ["8.0.2", "8.1.2", "8.2.2", "8.3.5", "8.4.2", "9.0.3"] {
        let (_, run) = short_ways(&equal(&pytest_venv(version), files, &[]));
        assert_eq!(run, 18, "{version}");
    }
}

#[test]
fn of_each_python() {
    for python in interpreters().iter().skip(1) {
        let (collected, run) = short_ways(&equal(&python_venv(python), SUITE, &[]));
        assert!(collected > 100 && run > 80, "{collected}, {run}");
    }
}

/// Before pytest 8.3 a session that stops tears down what is wide at its end, and no test is told of it. Until 8.1 pytest did not keep
/// `sys.last_exc`.
#[test]
fn what_is_left_after_a_failure() {
    let files = r#"
--- pytest.ini
[pytest]
--- test_it.py
import sys

import pytest

@pytest.fixture(scope="module")
def wide():
    yield
    print("wide goes")
    raise ValueError("of wide")

@pytest.fixture(scope="session", autouse=True)
def widest():
    yield
    print("widest goes")

def test_fails(wide):
    assert 0

def test_looks(wide):
    print(sorted(name for name in vars(sys) if name.startswith("last_")))
    pytest.fail("to be shown", pytrace=False)

def test_does_not_fail(wide):
    pass

def test_stops(wide, request):
    request.session.shouldstop = "enough"

def test_after(wide):
    pass
"#;
    let older = ["8.0.2", "8.1.2", "8.2.2", "8.3.5", "8.4.2"].map(pytest_venv);
    for venv in older.iter().chain([plain_venv()]) {
        for way in [Way::InProcess, Way::OneWorker] {
            for options in [&[][..], &["-x"], &["--maxfail=2"]] {
                let (_, run) = short_ways(&equal_in(way, venv, files, options));
                assert!(run > 0, "{options:?}: {run}");
            }
        }
    }
}

/// It waits for one test at a time.
#[test]
fn a_fault_handler_that_waits() {
    let waits = r#"
--- pytest.ini
[pytest]
faulthandler_timeout = 0.5
--- test_it.py
import time

import pytest

@pytest.mark.parametrize("number", range(3))
def test_quick(number):
    time.sleep(0.2)

def test_slow():
    time.sleep(1)

def test_after():
    time.sleep(0.2)
"#;
    for way in [Way::InProcess, Way::OneWorker] {
        let project = Project::new(waits);
        let run = Command::rpytest(plain_venv(), &project)
            .args(way.arguments())
            .args(["--explain"])
            .run();
        assert_eq!(
            short_ways(&(run.stdout.clone() + &run.stderr)).1,
            5,
            "{run}"
        );
        assert_eq!(run.stderr.matches("Timeout (0:00:00.5").count(), 1, "{run}");
        assert!(run.stderr.contains("in test_slow"), "{run}");
    }
}

#[test]
fn assertions_that_pass_are_told_of() {
    let told = r#"
--- pytest.ini
[pytest]
enable_assertion_pass_hook = true
--- below/conftest.py
def pytest_assertion_pass(item, lineno, orig, expl):
    item.user_properties.append((lineno, f"{orig}: {expl}"))
--- below/test_told.py
def test_one():
    a = 1
    assert a == 1

def test_two():
    assert [2]
--- test_not_told.py
def test_three():
    assert 3
"#;
    let (_, run) = short_ways(&equal(plain_venv(), told, &[]));
    assert_eq!(run, 3);
}

#[test]
fn functions_that_are_replaced() {
    let replaced = r#"
--- pytest.ini
[pytest]
--- conftest.py
import _pytest.fixtures
import _pytest.python

seen = []
genuine = _pytest.python.PyCollector.collect

def collect(self):
    seen.append(self.name)
    return genuine(self)

_pytest.python.PyCollector.collect = collect

def pytest_terminal_summary(terminalreporter):
    terminalreporter.line(f"seen {seen}")
--- test_it.py
def test_it():
    pass
"#;
    let said = equal(plain_venv(), replaced, &[]);
    assert!(
        said.contains("0 tests were collected the short way, 1 by pytest itself: ")
            && said.contains("_pytest.python.PyCollector.collect of pytest 9.2.0 is not known"),
        "{said}"
    );
}

#[test]
fn test_cases_are_collected_the_short_way() {
    let cases = r#"
--- pytest.ini
--- test_it.py
import unittest

class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one = 1

    def test_one(self):
        self.assertEqual(self.one, 1)

    def test_two(self):
        self.assertEqual(self.one + 1, 2)

class TestMore(Base):
    def test_three(self):
        self.assertEqual(self.one + 2, 3)

class TestAsynchronous(unittest.IsolatedAsyncioTestCase):
    async def test_four(self):
        self.assertTrue(self.id())
--- test_own.py
import unittest

class TestOwn(unittest.TestCase):
    def __init__(self, name):
        super().__init__(name)

    def test_five(self):
        pass
"#;
    for venv in [main_venv(), &pytest_venv("8.4.2")] {
        let said = equal(venv, cases, &[]);
        // But not where a constructor of somebody's is called.
        let line = "rpytest: 6 tests were collected the short way, 1 by pytest itself: \
                    test_own.py::TestOwn makes its instances itself";
        assert!(said.contains(line), "{said}");
        assert_eq!(short_ways(&said), (6, 7));
    }
}

/// Whether that is so nobody can see but by looking for it.
#[test]
fn own_fixtures_are_set_up_in_one_step() {
    let looks = "
--- pytest.ini
--- test_it.py
import pytest
from _pytest.fixtures import TopRequest

@pytest.fixture
def finds_out():
    return TopRequest._fillfixtures.__module__

def test_it(finds_out):
    print('it is of', finds_out)
";
    let rows: [(&Venv, &[&str], &str); 5] = [
        (main_venv(), &[], "rpytest_worker.short_requests"),
        (&pytest_venv("9.1.1"), &[], "rpytest_worker.short_requests"),
        // Fixtures were set up in another order.
        (&pytest_venv("9.0.3"), &[], "_pytest.fixtures"),
        (main_venv(), &["--showlocals"], "_pytest.fixtures"),
        (main_venv(), &["--tb=native"], "_pytest.fixtures"),
    ];
    for (venv, arguments, whose) in rows {
        let project = Project::new(looks);
        for way in [&[][..], &["-n", "1"]] {
            let run = Command::rpytest(venv, &project)
                .args(["-rP"])
                .args(way)
                .args(arguments)
                .run();
            run.expect(0, "1 passed");
            let line = format!("it is of {whose}\n");
            assert!(run.stdout.contains(&line), "{arguments:?} {way:?}\n{run}");
        }
    }
}

/// Fixtures that are set up when a test comes to ask for them, under every circumstance in which they are
/// not those that it would get; tests of `unittest`, and what is written in each phase.
#[test]
fn fixtures_that_are_there_already() {
    let suite = include_str!("equivalence/wider_fixtures.txt");
    let rows: [&[&str]; 4] = [
        &[],
        &["--capture=sys", "--log-level=INFO"],
        &["--tb=short", "-x", "--maxfail=12"],
        &["-k", "not fails and not mismatch", "-p", "no:logging"],
    ];
    for venv in [main_venv(), &pytest_venv("9.1.1"), &pytest_venv("8.4.2")] {
        for arguments in rows {
            for way in [Way::InProcess, Way::OneWorker] {
                let (_, run) = short_ways(&equal_in(way, venv, suite, arguments));
                assert!(run > 10, "{run} {arguments:?} {way:?}");
            }
        }
    }
}

/// But for how many frames an exception has come through, of which an `ExceptionInfo` tells.
#[test]
fn locals_are_shown_as_by_pytest() {
    let shows = r#"
--- pytest.ini
--- test_it.py
import pytest

@pytest.fixture
def one():
    of_one = 1
    yield of_one
    assert of_one == 2

@pytest.fixture
def fails(one, request):
    of_another = [one]
    assert of_another == []

@pytest.fixture
def takes(fails, one):
    return fails

def test_takes(takes):
    pass

def test_asks(request):
    own = "its own"
    request.getfixturevalue("takes")

def test_fails(one):
    own = {"one": one}
    assert 0

def test_finalizer(request):
    own = 3
    request.addfinalizer(lambda: own / 0)
"#;
    let (_, run) = short_ways(&equal(main_venv(), shows, &["--showlocals"]));
    assert_eq!(run, 4);
}

#[test]
fn hooks_of_fixtures_that_come_and_go() {
    let hooks = r#"
--- pytest.ini
--- test_it.py
import pytest

seen = []

class Setup:
    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        seen.append(("set up", fixturedef.argname, request.node.name))
        return (yield)

class Finalizer:
    def pytest_fixture_post_finalizer(self, fixturedef, request):
        seen.append(("finalized", fixturedef.argname, fixturedef.cached_result))

setup, finalizer = Setup(), Finalizer()

@pytest.fixture
def one():
    yield 1

@pytest.fixture
def two(one):
    yield one + 1

@pytest.fixture
def comes(pytestconfig, two):
    pytestconfig.pluginmanager.register(setup)
    pytestconfig.pluginmanager.register(finalizer)

@pytest.fixture
def goes(pytestconfig, two):
    pytestconfig.pluginmanager.unregister(setup)
    pytestconfig.pluginmanager.unregister(finalizer)

def test_before(two):
    assert not seen

def test_comes(comes, request):
    request.getfixturevalue("one")

def test_between(two):
    assert 0, seen

def test_comes_with_them(two, one):
    seen.clear()

def test_goes(goes):
    assert 0, seen

def test_after(two):
    assert 0, seen
"#;
    for venv in [main_venv(), &pytest_venv("9.0.3")] {
        equal(venv, hooks, &[]);
    }
}

#[test]
fn what_ends_the_session_in_a_fixture() {
    for raised in ["KeyboardInterrupt", "SystemExit(3)", "pytest.exit('now')"] {
        for place in ["", "    yield\n"] {
            let ends = format!(
                "
--- pytest.ini
--- test_it.py
import pytest

@pytest.fixture
def one():
    yield
    print('one ends')

@pytest.fixture
def ends(one, request):
    request.addfinalizer(lambda: print('added before'))
{place}    raise {raised}

@pytest.fixture
def takes(ends, one):
    yield
    print('takes ends')

def test_before(one):
    pass

def test_it(takes, one):
    pass

def test_after(one):
    pass
"
            );
            equal(main_venv(), &ends, &[]);
        }
    }
}
