//! The core of the parity tables with other versions of pytest and of Python.

use crate::parity::Table;
use crate::support::project::Files;
use crate::support::python::{Venv, interpreters, pytest_venv, python_venv};

/// Without xdist the message of this test lists two fixtures more under rpytest: xdist's.
const UNKNOWN_FIXTURE: &str = "--deselect=tests/test_outcomes.py::test_unknown_fixture";

fn core(venv: &Venv) {
    let lines = [
        "-v -rfEsxXw --tb=short",
        "-q --junitxml=junit.xml",
        "--co -q",
        "-k years ; --lf",
    ];
    let lines = lines.map(|line| {
        format!("{UNKNOWN_FIXTURE} {line}").replace("; ", &format!("; {UNKNOWN_FIXTURE} "))
    });
    let lines = lines.each_ref().map(String::as_str);
    Table::of(Files::Directory("examples/suite"))
        .with(venv)
        .same(&lines)
        .check();
    Table::new(SMALL)
        .with(venv)
        .same(&["", "-W error", "missing.py", "--no-such-option"])
        .check();
}

const SMALL: &str = r#"
--- conftest.py
import warnings
import pytest

def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("from the conftest")

@pytest.fixture(scope="module")
def wide():
    yield
--- test_unit.py
import unittest

class TestUnit(unittest.TestCase):
    def test_fails(self):
        self.assertEqual(1, 2)

    @unittest.expectedFailure
    def test_expected(self):
        self.fail()
--- test_log.py
import logging
import warnings

def test_log(wide):
    print("out")
    logging.warning("log")
    warnings.warn("careful")
    assert 0

def test_passes(wide, tmp_path, capsys):
    pass
"#;

#[test]
fn pytest_8_0() {
    core(&pytest_venv("8.0.2"));
}

#[test]
fn pytest_8_4() {
    core(&pytest_venv("8.4.2"));
}

#[test]
fn pytest_9_0() {
    core(&pytest_venv("9.0.3"));
}

/// The newest Python is the one of all other tests; here are the oldest and the one after the newest.
#[test]
fn other_pythons() {
    let mut others: Vec<_> = interpreters().iter().skip(1).collect();
    if others.len() > 2 {
        others = vec![others[0], others[others.len() - 1]];
    }
    for python in others {
        let venv = python_venv(python);
        let lines = [
            &*format!("{UNKNOWN_FIXTURE} -v -rfEsxXw"),
            &*format!("{UNKNOWN_FIXTURE} -q --junitxml=junit.xml"),
        ];
        Table::of(Files::Directory("examples/suite"))
            .with(&venv)
            .same(&lines)
            .check();
    }
}
