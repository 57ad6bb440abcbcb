//! Suites in which others make reports, or hear of them.

use super::{SUITE, equal_in, of_version, short_ways};
use crate::support::normal::{difference, normal};
use crate::support::python::{main_venv, pytest_venv};
use crate::support::{Command, Project, Way};

/// Others make reports, hear of each, and look around. What hooks of a worker write is not compared.
const LISTENS: &str = r#"
import logging
import os
import pathlib
import sys
import warnings

seen = pytest.seen_by_hooks = []

def look(*what):
    root = logging.getLogger()
    name = os.environ.get("PYTEST_CURRENT_TEST")
    handlers = [type(one).__name__ for one in root.handlers]
    seen.append(f"{what} {name} {root.level} {handlers} {type(sys.stdout).__name__}")

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    begun = call.when, call.excinfo and call.excinfo.typename
    outcome = yield
    report = outcome.get_result()
    setattr(item, "rep_" + report.when, report)
    look("make", item.nodeid, begun, report.outcome, len(report.sections), getattr(item, "funcargs", 0) is None)
    if call.excinfo is None:
        seen.append(repr(call.result))
    report.user_properties.append(("made", report.when))
    if "caplog" in report.nodeid:
        report.sections.append(("of the hook", report.when))

def pytest_runtest_logstart(nodeid, location):
    look("start", nodeid)

def pytest_runtest_logreport(report):
    look("report", report.nodeid, report.when)
    print("hears of", report.nodeid)

def pytest_runtest_logfinish(nodeid, location):
    look("finish", nodeid)

def pytest_exception_interact(node, call, report):
    look("interact", node.nodeid, call.when)

def pytest_warning_recorded(warning_message, when, nodeid, location):
    look("warning", nodeid)

def pytest_unconfigure(config):
    if hasattr(config, "workerinput") == bool(os.environ.get("PYTEST_XDIST_WORKER")):
        where = "worker" if hasattr(config, "workerinput") else "controller"
        pathlib.Path(f"observed/seen-{where}").write_text("\n".join(seen))
"#;

const KNOWS: &str = r#"
--- test_knows.py
import pytest

@pytest.fixture(autouse=True)
def knows_the_report(request):
    yield
    report = getattr(request.node, "rep_call", None)
    pytest.seen_by_hooks.append(f"fixture {request.node.rep_setup.passed} {report and report.outcome}")

@pytest.fixture
def broken():
    assert 0

@pytest.fixture
def breaks():
    yield
    assert 0

def test_breaks(breaks):
    pass

def test_passes():
    pass

def test_fails():
    assert 0

def test_has_no_call(broken):
    pass

@pytest.mark.skip
def test_skipped():
    pass
"#;

#[test]
fn where_others_make_reports_or_hear_of_them() {
    let head = "--- conftest.py\nimport json\nimport pytest\n";
    assert!(SUITE.contains(head));
    let listens = SUITE.replace(head, &format!("{head}{}", LISTENS.trim_start())) + KNOWS;
    let options: [&[&str]; 3] = [
        &[],
        &["--log-level=INFO", "--tb=short", "--show-capture=no"],
        &["--maxfail=9", "-p", "no:logging"],
    ];
    for way in [Way::InProcess, Way::OneWorker] {
        for options in options {
            let said = equal_in(way, main_venv(), &listens, options);
            let (_, run) = short_ways(&said);
            let least = if options.contains(&"--maxfail=9") {
                1
            } else {
                50
            };
            assert!(run >= least, "{run} {way:?} {options:?}\n{said}");
        }
    }
    for version in ["8.0.2", "8.3.5", "8.4.2", "9.0.3"] {
        let said = equal_in(
            Way::InProcess,
            &pytest_venv(version),
            &listens,
            of_version(version),
        );
        assert!(short_ways(&said).1 > 50, "{version}: {said}");
    }
}

/// Without workers they are compared with pytest's (`parity::errors`); those of a worker are shown with its frames.
#[test]
fn errors_of_hooks_in_a_worker() {
    let hooks = [
        "def pytest_runtest_logstart(nodeid):",
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    yield",
        "def pytest_runtest_logreport(report):",
        "def pytest_exception_interact(report):",
    ];
    for hook in hooks {
        let files = format!(
            "--- test_it.py\ndef test_passes():\n    pass\n\ndef test_fails():\n    assert 0\n\
             --- conftest.py\nimport os\nimport pytest\n\n{hook}\n    \
             if 'PYTEST_XDIST_WORKER' in os.environ:\n        raise KeyError('of a hook')\n"
        );
        let [genuine, short] = ["1", ""].map(|genuine| {
            let project = Project::new(&files);
            let run = Command::rpytest(main_venv(), &project)
                .args(["-n", "1"])
                .env("RPYTEST_GENUINE", genuine)
                .run();
            normal(&run, &project)
        });
        assert_eq!(genuine.code, short.code, "{hook}");
        let difference = difference(&genuine.stdout, &short.stdout);
        assert!(genuine.stdout == short.stdout, "{hook}\n{difference}");
        assert!(genuine.stdout.contains("of a hook"), "{}", genuine.stdout);
        // Nobody goes on in the place of that worker.
        assert!(!genuine.stdout.contains("gw1"), "{}", genuine.stdout);
    }
}
