//! What is logged is shown at once (`log_cli`), under a title for each phase.

use super::Table;
use crate::support::python::{main_venv, pytest_venv};
use crate::support::{Command, Project};

const LOGS: &str = r#"
--- pytest.ini
[pytest]
log_cli_format = %(levelname)s %(message)s
log_file_format = %(levelname)s %(message)s
--- test_logs.py
import logging
import sys
import unittest
import warnings

import pytest

log = logging.getLogger("some.where")

@pytest.fixture
def around():
    log.warning("up")
    yield
    print("written at the end")
    log.warning("down")

@pytest.fixture(scope="module")
def wide():
    log.error("wide up")
    yield
    log.error("wide down")

@pytest.fixture
def broken():
    log.warning("about to break")
    raise ValueError("broken")

@pytest.fixture
def broken_late():
    yield
    log.warning("about to break, late")
    raise ValueError("broken late")

def test_quiet():
    pass

def test_quiet_too(around):
    pass

def test_says():
    log.warning("first")
    log.info("second")
    print("written")
    log.error("third")

def test_fails(around):
    log.warning("before it fails")
    assert 0

def test_skips():
    log.warning("before it skips")
    pytest.skip("a reason")

@pytest.mark.skip(reason="another")
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    log.warning("before it fails as expected")
    assert 0

def test_broken(broken):
    pass

def test_broken_late(broken_late, wide):
    log.warning("in between")

def test_disabled(capsys):
    print("captured")
    with capsys.disabled():
        print("not captured")
        log.warning("while nothing is")
    log.warning("while it is")

def test_caplog(caplog):
    with caplog.at_level(logging.DEBUG):
        log.debug("for caplog")
    assert len(caplog.records) == 1

def test_warns():
    warnings.warn("a warning")
    log.warning("beside it")

def test_writes_by_number():
    import os
    os.write(1, b"by number")
    log.warning("after it")

@pytest.mark.parametrize("number", range(3))
def test_number(number, wide):
    log.warning("number %s", number)

class TestMethods:
    def setup_method(self):
        log.warning("setup_method")

    def test_one(self):
        log.warning("one")

class TestUnit(unittest.TestCase):
    def tearDown(self):
        log.warning("tearDown")

    def test_unit(self):
        log.warning("unit")
        self.assertEqual(1, 2)
"#;

const HOOKS: &str = r#"
--- conftest.py
import logging
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    logging.warning("made: %s %s", report.when, report.outcome)
    return report

def pytest_runtest_logreport(report):
    logging.warning("heard: %s", report.when)

def pytest_runtest_logstart(nodeid):
    logging.warning("starts")

def pytest_runtest_logfinish(nodeid):
    logging.warning("finishes")

def pytest_exception_interact(report):
    logging.warning("interacts")

def pytest_sessionfinish():
    logging.warning("ends")
"#;

const LINES: [&str; 6] = [
    "-o log_cli=1",
    "--log-cli-level=DEBUG -v",
    "-o log_cli=1 --log-level=ERROR -rA",
    "--log-cli-level=INFO --log-file=log.txt --tb=short",
    "-o log_cli=1 --maxfail=2 --tb=native",
    "--log-cli-level=35 --junitxml=junit.xml",
];

#[test]
fn each_is_shown_where_pytest_shows_it() {
    let hooks = format!("{LOGS}{HOOKS}");
    let older = ["8.0.2", "8.3.5", "9.0.3"].map(pytest_venv);
    for files in [LOGS, &hooks] {
        let mut table = Table::new(files);
        for line in LINES {
            table = table.same_in_process(line);
        }
        // What is written by number comes when it comes.
        table
            .same_in_process("-o log_cli=1 -s -k 'not number'")
            .same(&["-o log_cli=1 -p no:terminal"])
            .check();
        for venv in &older {
            Table::new(files)
                .with(venv)
                .same_in_process(LINES[0])
                .check();
        }
        let run = Command::rpytest(main_venv(), &Project::new(files))
            .args(["-o", "log_cli=1", "--explain"])
            .run();
        assert!(
            run.stderr
                .contains("18 tests were run by the short protocol, 0 by pytest's own"),
            "{run}"
        );
    }
}
