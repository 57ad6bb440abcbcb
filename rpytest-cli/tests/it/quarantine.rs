//! `--quarantine`: tests whose failures do not fail the run, until a day.

use crate::support::normal::junit;
use crate::support::python::{plain_venv, pytest_venv};
use crate::support::{Command, Project, Run, WAYS};

const SUITE: &str = r#"
--- pytest.ini
[pytest]
--- tests/test_a.py
import unittest
import pytest

def test_good():
    pass

def test_call():
    print("out")
    assert 0

@pytest.fixture
def up():
    raise RuntimeError("up")

def test_setup(up):
    pass

@pytest.fixture
def down():
    yield
    raise RuntimeError("down")

def test_teardown(down):
    pass

@pytest.mark.parametrize("number", range(3))
def test_number(number):
    assert number != 1

@pytest.mark.xfail(strict=True)
def test_strict():
    pass

class TestClass:
    def test_method(self):
        assert 0

class Case(unittest.TestCase):
    def test_case(self):
        self.fail("no")
--- tests/test_b.py
def test_call():
    assert 0

def test_call_longer():
    pass
--- quarantine.toml
[[quarantine]]
test = "tests/test_a.py"
reason = "the whole file"
expires = 2999-12-31
issue = "no. 12"
owner = "us"

[[quarantine]]
test = "tests/test_b.py::test_call"
reason = "that one"
expires = "2999-01-01"
"#;

fn run(project: &Project, arguments: &[&str]) -> Run {
    let options = ["--quarantine", "quarantine.toml"];
    Command::rpytest(plain_venv(), project)
        .args([&options[..], arguments].concat())
        .run()
}

#[test]
fn what_fails_is_expected_to() {
    for way in WAYS {
        for genuine in ["", "1"] {
            let project = Project::new(SUITE);
            let run = Command::rpytest(plain_venv(), &project)
                .env("RPYTEST_GENUINE", genuine)
                .args([
                    "--quarantine=quarantine.toml",
                    "-rx",
                    "-x",
                    "--junitxml=junit.xml",
                ])
                .args(way.arguments())
                .run();
            run.expect(0, "5 passed, 8 xfailed");
            run.shows(&[
                "XFAIL tests/test_a.py::test_call - quarantined until 2999-12-31: the whole file (no. 12, us)",
                "XFAIL tests/test_b.py::test_call - quarantined until 2999-01-01: that one",
            ]);
            assert!(!run.stdout.contains("= quarantine ="), "{run}");
            let xml = junit(&project.read("junit.xml"), project.base());
            assert!(
                xml.contains("errors=\"0\" failures=\"0\" skipped=\"8\""),
                "{xml}"
            );
            assert!(
                xml.contains("<skipped type=\"pytest.xfail\" message=\"quarantined until"),
                "{xml}"
            );
            // Nothing has failed that would be run first, or alone.
            let last = Command::rpytest(plain_venv(), &project)
                .args(["--lf", "--co", "-q"])
                .run();
            assert!(last.stdout.contains("test_good"), "{last}");
        }
    }
}

#[test]
fn older_versions_have_it_too() {
    for version in ["8.0.2", "8.3.5"] {
        let project = Project::new(SUITE);
        let run = Command::rpytest(&pytest_venv(version), &project)
            .args(["--quarantine=quarantine.toml"])
            .run();
        run.expect(0, "5 passed, 8 xfailed");
    }
}

#[test]
fn without_a_file_nothing_is_excused() {
    let project = Project::new(SUITE);
    let run = Command::rpytest(plain_venv(), &project).run();
    run.expect(1, "6 failed, 5 passed, 2 errors");
}

#[test]
fn what_is_over_or_about_nothing_is_named() {
    let quarantine = r#"
--- quarantine.toml
# An old one.
[[quarantine]]
test = "tests/test_b.py::test_call"
reason = "that one"
expires = 2020-02-29

[[quarantine]]
test = "tests/test_b.py::test_ca"
reason = "no such name"
expires = 2999-01-01
[[quarantine]]
test = "tests/"
reason = "all"
expires = 2020-02-29
"#;
    let over = "quarantine.toml:2: tests/test_b.py::test_call: expired on 2020-02-29, so that its failures count again; \
                mend the test and remove the entry, or give it another day";
    let gone = "quarantine.toml:7: tests/test_b.py::test_ca: there is no such test; correct the entry, or remove it";
    for way in WAYS {
        let project = Project::new(SUITE);
        project.write(quarantine);
        let all = run(&project, way.arguments());
        all.expect(1, "6 failed, 5 passed, 2 errors");
        all.shows(&[over, gone, "quarantine.toml:11: tests/: expired"]);
        for part in [
            &["tests/test_b.py"][..],
            &["-k", "call"],
            &["--deselect=tests/test_a.py::test_good"],
        ] {
            let some = run(&project, &[way.arguments(), part].concat());
            some.shows(&[over]);
            assert!(!some.stdout.contains(gone), "{part:?} {some}");
        }
        // Files without failures are not looked into; nor is what is not below.
        let last = run(&project, &[way.arguments(), &["--lf"]].concat());
        assert!(!last.stdout.contains(gone), "{last}");
        project.write("--- other/test_c.py\ndef test_c():\n    pass\n");
        let below = Command::rpytest(plain_venv(), &project)
            .within("other")
            .args(["--quarantine", "../quarantine.toml"])
            .args(way.arguments())
            .run();
        below.expect(0, "1 passed");
        assert!(!below.stdout.contains("there is no such test"), "{below}");
    }
}

/// As by freezegun, in a fixture.
#[test]
fn where_a_test_stops_time_the_day_is_still_todays() {
    for way in WAYS {
        let project = Project::new(
            r#"
--- test_a.py
import datetime
import time
import pytest

class Then(datetime.date):
    @classmethod
    def today(cls):
        return cls(2012, 1, 14)

@pytest.fixture
def stopped(monkeypatch):
    monkeypatch.setattr(datetime, "date", Then)
    monkeypatch.setattr(time, "time", lambda: 1326499200.0)

def test_fails(stopped):
    assert 0
--- quarantine.toml
[[quarantine]]
test = "test_a.py"
reason = "known"
expires = 2020-02-29
"#,
        );
        let run = run(&project, way.arguments());
        run.expect(1, "1 failed");
        run.shows(&["quarantine.toml:1: test_a.py: expired on 2020-02-29"]);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let project = Project::new(SUITE);
    let entry = "[[quarantine]]\ntest = 't'\nreason = 'r'\n";
    for (text, message) in [
        ("[[quarantine]\n", "quarantine.toml is not TOML: "),
        (
            "x = 1\n",
            "quarantine.toml:1: 'x' is unknown; there are [[quarantine]] tables only",
        ),
        (
            "\n[quarantine]\ntest = 'x'\n",
            "quarantine.toml:2: quarantine is no list; each entry begins with [[quarantine]]",
        ),
        (entry, "quarantine.toml:1: the entry has no expires; see"),
        (
            "[[quarantine]]\ntest = 't'\nreason = ''\nexpires = 2999-01-01\n",
            "quarantine.toml:3: reason must be a text that is not empty",
        ),
        (
            &format!("{entry}expires = 2999-01-01\n\n{entry}expires = '2999-02-30'\n"),
            "quarantine.toml:9: expires is no date; write a day, such as 2026-12-31",
        ),
        (
            &format!("{entry}expires = 2999-01-01T00:00:00\n"),
            "quarantine.toml:4: expires is no date",
        ),
        (
            &format!("{entry}until = 2999-01-01\n"),
            "quarantine.toml:4: until is unknown; there are test, reason, expires, issue, owner",
        ),
    ] {
        project.write(&format!("--- quarantine.toml\n{text}"));
        let run = run(&project, &[]);
        assert_eq!(run.code, 4, "{text}\n{run}");
        assert!(run.stderr.contains(message), "{text}\n{run}");
    }
    let workers = run(&project, &["-n", "1"]);
    assert_eq!(workers.code, 4, "{workers}");
    assert!(workers.stderr.contains("until is unknown"), "{workers}");
    let none = Command::rpytest(plain_venv(), &project)
        .args(["--quarantine=none.toml"])
        .run();
    assert_eq!(none.code, 4, "{none}");
    let text = "the quarantine file none.toml cannot be read: No such file or directory; correct --quarantine";
    assert!(none.stderr.contains(text), "{none}");
}

#[test]
fn the_project_names_the_file() {
    let project = Project::new(SUITE);
    project.write("--- pyproject.toml\n[tool.rpytest]\nquarantine = 'quarantine.toml'\n");
    for way in WAYS {
        let command = || Command::rpytest(plain_venv(), &project).args(way.arguments());
        command().run().expect(0, "5 passed, 8 xfailed");
        let none = command().env("RPYTEST_QUARANTINE", "none.toml").run();
        assert_eq!(none.code, 4, "{none}");
        assert!(none.stderr.contains("none.toml cannot be read"), "{none}");
    }
    // In another directory, too; and what is on the command line counts more.
    let below = Command::rpytest(plain_venv(), &project)
        .within("tests")
        .run();
    below.expect(0, "5 passed, 8 xfailed");
    project.write("--- empty.toml\n");
    let run = Command::rpytest(plain_venv(), &project)
        .args(["--quarantine=empty.toml"])
        .run();
    run.expect(1, "6 failed, 5 passed, 2 errors");
}

#[test]
fn quarantined_tests_are_not_run_again_and_their_history_goes_on() {
    let project = Project::new(SUITE);
    run(&project, &["--reruns", "2"]).expect(0, "5 passed, 8 xfailed");
    let report = Command::rpytest(plain_venv(), &project)
        .args(["--flaky-report"])
        .run();
    // Seven of eight: a teardown that fails is its test's.
    report.shows(&["0 flaky, 8 failing, 0 fixed, 4 stable, 0 skipped"]);
}

#[test]
fn a_crash_is_excused_like_any_other_failure() {
    for way in WAYS {
        let project = Project::new(
            r#"
--- test_a.py
import os

def test_dies():
    os._exit(7)

def test_after():
    pass
--- quarantine.toml
[[quarantine]]
test = "test_a.py::test_dies"
reason = "a library of C"
expires = 2999-12-31
"#,
        );
        let run = run(&project, &[way.arguments(), &["-rx"]].concat());
        run.expect(0, "1 passed, 1 xfailed");
        run.shows(&["XFAIL test_a.py::test_dies - quarantined until 2999-12-31: a library of C"]);
    }
}
