//! Private names of pytest: that all are in the tables, and what becomes of a run if one is gone.

use std::fs;
use std::process;

use crate::support::normal::{difference, normal};
use crate::support::python::{Venv, own_script, plain_venv, pytest_venv, venvs_of_older_pythons};
use crate::support::{Command, Project, Way};

fn are_in_the_tables(venv: &Venv) {
    own_script(venv, "names_are_in_the_tables.py", [""; 0]);
}

#[test]
fn all_that_are_touched_are_in_the_tables_and_in_each_pytest() {
    are_in_the_tables(plain_venv());
    for version in [
        "8.0.2", "8.1.2", "8.2.2", "8.3.5", "8.4.2", "9.0.3", "9.1.1",
    ] {
        are_in_the_tables(&pytest_venv(version));
    }
    for venv in venvs_of_older_pythons() {
        are_in_the_tables(&venv);
    }
}

const SUITE: &str = r#"
--- pytest.ini
[pytest]
--- test_it.py
import logging
import unittest

import pytest

@pytest.fixture
def one(request):
    yield 1

def test_passes(one, tmp_path):
    assert one == 1

@pytest.mark.parametrize("number", [1, 2])
def test_number(number, capsys):
    print(number)
    assert capsys.readouterr().out == "1\n"

@pytest.mark.skip(reason="a reason")
def test_skipped():
    pass

def test_logs(caplog):
    logging.warning("logged")
    assert not caplog.records

def test_needs(missing):
    pass

class TestMethods:
    def setup_method(self):
        self.number = 1

    def test_method(self):
        assert self.number == 1

class TestUnit(unittest.TestCase):
    def test_unit(self):
        self.assertEqual([1], [2])
"#;

/// A copy of pytest in which private names are others, each in all places.
fn with_others(project: &Project, names: &[&str]) -> String {
    let libraries = fs::read_dir(plain_venv().root().join("lib")).expect("a venv");
    let from = libraries
        .flatten()
        .map(|python| python.path().join("site-packages"))
        .find(|path| path.join("_pytest").is_dir())
        .expect("pytest");
    let to = project.base().join("library");
    let script = r#"
import pathlib, re, shutil, sys
source, target, *names = sys.argv[1:]
source, target = pathlib.Path(source), pathlib.Path(target)
whole = shutil.ignore_patterns("__pycache__")
for path in source.iterdir():
    if path.name in ("pytest", "_pytest") or path.match("pytest-*.dist-info"):
        shutil.copytree(path, target / path.name, ignore=whole)
words = re.compile(r"\b(" + "|".join(names) + r")\b")
for path in (target / "_pytest").rglob("*.py"):
    path.write_text(words.sub(r"\1_of_later", path.read_text("utf-8")), "utf-8")
"#;
    let output = process::Command::new(plain_venv().bin().join("python"))
        .args(["-c", script])
        .args([&from, &to])
        .args(names)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    to.to_str().expect("a path").to_owned()
}

/// One is imported, one a function that is called, one an attribute of a class, one what an object gets.
#[test]
fn without_one_that_short_cuts_need_all_is_pytests() {
    for name in [
        "TopRequest",
        "call_and_report",
        "_genfunctions",
        "_report_sections",
    ] {
        let project = Project::new(SUITE);
        let library = with_others(&project, &[name]);
        let pytest = Command::pytest(plain_venv(), &project)
            .env("PYTHONPATH", &library)
            .run();
        let pytest = normal(&pytest, &project);
        assert_eq!(pytest.code, 1, "{pytest}");
        for way in [Way::InProcess, Way::OneWorker] {
            let command = || {
                Command::rpytest(plain_venv(), &project)
                    .env("PYTHONPATH", &library)
                    .args(way.arguments())
            };
            let run = normal(&command().run(), &project);
            assert_eq!(run.code, 1, "{name} {way:?} {run}");
            if way == Way::InProcess {
                let difference = difference(&pytest.stdout, &run.stdout);
                assert!(pytest.stdout == run.stdout, "{name}\n{difference}");
            }
            let said = command().args(["--explain", "-q"]).run();
            let said = said.stdout + &said.stderr;
            assert!(
                said.contains("0 tests were run by the short protocol"),
                "{said}"
            );
            assert!(said.contains(&format!("{name}\n")), "{said}");
        }
    }
}

#[test]
fn without_one_that_is_needed_it_is_said_which() {
    let project = Project::new(SUITE);
    let library = with_others(&project, &["_numcollected"]);
    for way in [Way::InProcess, Way::OneWorker] {
        let run = Command::rpytest(plain_venv(), &project)
            .env("PYTHONPATH", &library)
            .args(way.arguments())
            .run();
        assert_eq!(run.code, 4, "{run}");
        let says = "has no _pytest.terminal.TerminalReporter._numcollected; another version of pytest or of rpytest is needed";
        assert!(run.stderr.contains(says), "{run}");
    }
}
