//! Conftests that take part in the session and its report.

use super::Table;
use crate::support::python::pytest_venv;

const REPORTING: &str = r#"
--- conftest.py
import pytest

def pytest_report_header(config, start_path):
    return ["a header", f"and another: {config.getoption('verbose')}"]

def pytest_report_collectionfinish(items):
    return f"collected by the conftest: {len(items)}"

def pytest_report_teststatus(report, config):
    if report.when == "call" and report.passed:
        return "fine", "F!", ("FINE", {"blue": True})

def pytest_terminal_summary(terminalreporter, exitstatus, config):
    terminalreporter.section("from the conftest")
    for kind in sorted(terminalreporter.stats):
        terminalreporter.line(f"{kind!r}: {len(terminalreporter.stats[kind])}")
    terminalreporter.line(f"exit {int(exitstatus)}")

class Recorder:
    # These hooks are called in workers, too, as they are with xdist.
    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            names = [name for name, text in report.sections if name != "interacted"]
            record(f"{report.nodeid} {report.outcome} {report.user_properties} {names}")

    def pytest_runtest_logstart(self, nodeid, location):
        record(f"start {nodeid} {location}")

    def pytest_runtest_logfinish(self, nodeid, location):
        record(f"finish {nodeid}")

    def pytest_warning_recorded(self, warning_message, when, nodeid, location):
        record(f"warning {warning_message.message} {when} {nodeid}")

def record(line):
    with open("reports", "a") as reports:
        reports.write(line + "\n")

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        record("begin")
        config.pluginmanager.register(Recorder())

def pytest_sessionfinish(session, exitstatus):
    if not hasattr(session.config, "workerinput"):
        print("\nfinished with", int(exitstatus), session.testscollected, session.testsfailed)

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        print("unconfigured")
        record("end")
        with open("reports") as reports:
            print(reports.read())

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.sections.append(("own section", "text of " + item.name))
    report.user_properties.append(("own", call.when))
    if item.name == "test_turned":
        report.outcome = "passed"

def pytest_assertrepr_compare(op, left, right):
    if isinstance(left, str) and isinstance(right, str):
        return ["own comparison", f"{left} {op} {right}"]

def pytest_make_parametrize_id(config, val, argname):
    return f"{argname}-is-{val}"

def pytest_exception_interact(node, call, report):
    report.sections.append(("interacted", str(call.excinfo.type)))
--- test_reporting.py
import warnings
import pytest

@pytest.mark.parametrize("value", [1, 2])
def test_value(value):
    assert value == 1

def test_text():
    assert "a" == "b"

def test_turned():
    assert 0

def test_warns():
    warnings.warn("careful")

def test_skips():
    pytest.skip("no")
"#;

#[test]
fn reporting() {
    Table::new(REPORTING)
        .same(&[
            "",
            "-v",
            "-q",
            "-rA --tb=line",
            "--junitxml=junit.xml",
            "--co",
        ])
        .check();
}

const STOPS: &str = r#"
--- conftest.py
def pytest_runtest_logreport(report):
    if "two" in report.nodeid and report.when == "call":
        SESSION[0].shouldstop = "two is enough"

SESSION = []

def pytest_sessionstart(session):
    SESSION.append(session)
--- test_stops.py
def test_one():
    pass

def test_two():
    pass

def test_three():
    pass
"#;

#[test]
fn session_that_is_told_to_stop() {
    // With two workers the third test may run at the same time as the second.
    Table::new(STOPS)
        .same(&["", "-v"])
        .without_two_workers()
        .check();
}

const SHOULD_FAIL: &str = r#"
--- test_stops.py
import pytest

def test_one(request):
    request.session.shouldfail = "one has had it"

def test_two():
    pass
"#;

#[test]
fn test_that_makes_its_session_fail() {
    Table::new(SHOULD_FAIL)
        .same(&["", "-q"])
        .without_two_workers()
        .check();
}

const PROTOCOL: &str = r#"
--- conftest.py
import pytest

def pytest_runtest_protocol(item, nextitem):
    if "by_hand" in item.name:
        from _pytest.runner import runtestprotocol
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in range(2):
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if report.when == "call" and attempt == 0 and report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

def pytest_report_teststatus(report):
    if report.outcome == "rerun":
        return "rerun", "R", ("RERUN", {"yellow": True})

@pytest.hookimpl(wrapper=True, trylast=True)  # and so within the capture
def pytest_runtest_call(item):
    print("before", item.name)
    try:
        return (yield)
    finally:
        print("after", item.name)

def pytest_runtest_setup(item):
    if item.get_closest_marker("slow"):
        pytest.skip("slow")

def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes time")
    config.pluginmanager.register(Plugin(), "registered")

class Plugin:
    def pytest_pyfunc_call(self, pyfuncitem):
        if pyfuncitem.name == "test_called_otherwise":
            assert pyfuncitem.nodeid == "nothing"
            return True

    @pytest.fixture
    def from_plugin(self):
        return 5
--- test_protocol.py
import pytest

def test_by_hand():
    assert 0

def test_called_otherwise():
    pass

@pytest.mark.slow
def test_slow():
    pass

def test_from_plugin(from_plugin):
    assert from_plugin == 6
"#;

#[test]
fn protocol() {
    Table::new(PROTOCOL)
        .same(&["", "-v", "-rA", "--junitxml=junit.xml"])
        .check();
}

const LOGGED_AGAIN: &str = r#"
--- conftest.py
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    for outcome in getattr(item.obj, "outcomes", ()) if call.when == "call" else ():
        # The same object, as those know who hold on to it.
        report.outcome = outcome
        report.sections = [*report.sections, ("said", outcome)]
        if outcome == "retried":
            item.ihook.pytest_runtest_logreport(report=report)
    return report

def pytest_report_teststatus(report):
    if report.outcome == "retried":
        return "retried", "R", ("RETRY", {"yellow": True})
--- test_again.py
def test_passes_then():
    assert 0

test_passes_then.outcomes = ["retried", "retried", "passed"]

def test_fails_still():
    assert 0

test_fails_still.outcomes = ["retried", "failed"]

def test_plain():
    pass
"#;

/// A report is what it was when it was logged, whatever becomes of it then (pytest-retry).
#[test]
fn report_that_is_changed_and_logged_again() {
    Table::new(LOGGED_AGAIN)
        .same(&["", "-v", "-rA", "--junitxml=junit.xml"])
        .check();
}

const VERSION: &str = r#"
--- conftest.py
import os

AT_IMPORT = os.environ.get("PYTEST_VERSION")

--- test_version.py
import os

import conftest
import pytest

def test_says_that_pytest_runs():
    version = pytest.__version__ if "8.2" <= pytest.__version__ else None
    assert os.environ.get("PYTEST_VERSION") == conftest.AT_IMPORT == version
"#;

#[test]
fn the_variable_that_says_that_pytest_runs() {
    Table::new(VERSION).same(&["-q"]).check();
    let old = pytest_venv("8.0.2");
    Table::new(VERSION).with(&old).same(&["-q"]).check();
}

const WARNED: &str = r#"
--- pytest.ini
[pytest]
filterwarnings = default
--- conftest.py
import logging

def pytest_warning_recorded(warning_message, when, nodeid, location):
    print("told of", warning_message.message, "in", nodeid, logging.getLogger().level)
    logging.getLogger().error("told")
--- test_warned.py
import logging
import warnings

import pytest

def test_warns():
    warnings.warn("one")

def test_prints():
    print("out")

def test_warns_and_logs():
    warnings.warn("two")
    logging.error("three")

@pytest.mark.filterwarnings("always")
def test_with_a_mark():
    warnings.warn("four")

def test_passes():
    pass

def test_warns_and_fails():
    warnings.warn("five")
    assert 0

@pytest.mark.skip
def test_skipped():
    pass
"#;

/// They are, when all else of an item has been told, and what they write is nobody's output.
#[test]
fn whoever_is_told_of_warnings() {
    let mut table = Table::new(WARNED);
    for line in ["-rA", "-v --log-level=INFO", "-q --junitxml=junit.xml"] {
        table = table.same_in_process(line);
    }
    table.check();
}
