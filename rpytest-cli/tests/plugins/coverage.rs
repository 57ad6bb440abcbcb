//! pytest-cov: data of workers are combined, and gone.

use std::fs;

use serde_json::Value;

use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};
use crate::support::daemon::Daemon;
use crate::support::{Command, Project, Run, WAYS};

pub const COV: Plugin = Plugin {
    name: "pytest-cov",
    version: "7.1.0",
    with: &["coverage==7.17.5"],
    files: COVERED,
    note: "it reads the worker's id, so that with workers each of them collects for itself",
    steps: &[
        Step {
            arguments: &[
                "--cov",
                "--cov-report=term-missing",
                "--cov-report=json",
                "--cov-report=xml:coverage.xml",
            ],
            counts: "1 failed, 8 passed",
        },
        Step {
            arguments: &[
                "--cov=app",
                "--cov-fail-under=99",
                "--deselect=tests/test_b.py::test_wrong",
            ],
            counts: "8 passed, 1 deselected",
        },
    ],
    look: coverage,
    knows_xdist: true,
    artefacts: "`.coverage` (lines, arcs), terminal table, `coverage.json`, `coverage.xml`, `--cov-fail-under`",
    ..PLAIN
};

#[test]
fn cov() {
    holds(&COV);
}

fn coverage(project: &Project, run: &Run) -> String {
    let json: Value = serde_json::from_str(&project.read("coverage.json")).expect("a report");
    let xml = project.read("coverage.xml");
    assert!(json["files"]["src/app/late.py"].is_object(), "{run}");
    assert!(xml.contains("</coverage>"), "{run}");
    // The second lines say when, and where.
    let xml: Vec<_> = xml
        .lines()
        .filter(|line| !line.contains(" timestamp=") && !line.contains("<source>"))
        .collect();
    let files = fs::read_dir(project.root()).expect("it is there").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut left: Vec<_> = names.filter(|name| name.starts_with(".coverage")).collect();
    left.sort();
    format!(
        "{left:?}\n{:#}\n{:#}\n{}",
        json["files"],
        json["totals"],
        xml.join("\n")
    )
}

#[test]
fn coverage_of_isolated_tests_is_that_of_one_process() {
    let figures = |command: Command<'_>, project: &Project| {
        let run = command.args(["--cov", "--cov-report=json"]).run();
        run.expect(1, "1 failed, 8 passed");
        let json: serde_json::Value =
            serde_json::from_str(&project.read("coverage.json")).expect("a report");
        (json["files"].clone(), json["totals"].clone())
    };
    let venv = COV.venv();
    let project = Project::new(COVERED);
    let expected = figures(Command::pytest(&venv, &project), &project);
    for arguments in [&["--isolate=test"][..], &["--isolate=file", "-n", "2"]] {
        let project = Project::new(COVERED);
        let command = Command::rpytest(&venv, &project).args(arguments);
        assert_eq!(figures(command, &project), expected, "{arguments:?}");
    }
}

/// Where nothing says what is to be measured, all is that is not installed.
#[test]
fn what_runs_the_tests_is_not_measured() {
    let venv = COV.venv();
    let files = "
--- pytest.ini
--- app.py
def one():
    return 1
--- test_it.py
import multiprocessing

import app

def test_one():
    assert app.one() == 1

def test_process():
    process = multiprocessing.get_context('spawn').Process(target=app.one)
    process.start()
    process.join()
    assert process.exitcode == 0
";
    let figures = |command: Command<'_>, project: &Project| {
        let run = command.args(["--cov", "--cov-report=json"]).run();
        run.expect(0, "2 passed");
        let json: Value = serde_json::from_str(&project.read("coverage.json")).expect("a report");
        let files = json["files"].as_object().expect("files").iter();
        let lines = files.map(|(name, file)| format!("{name}: {}", file["executed_lines"]));
        lines.collect::<Vec<_>>()
    };
    let project = Project::new(files);
    let expected = figures(Command::pytest(&venv, &project), &project);
    assert_eq!(expected.len(), 2, "{expected:?}");
    for way in WAYS {
        let project = Project::new(files);
        let command = Command::rpytest(&venv, &project).args(way.arguments());
        assert_eq!(figures(command, &project), expected, "{way:?}");
    }
    let project = Project::new(files);
    let daemon = Daemon::start_in(&venv, &project);
    for _ in 0..3 {
        assert_eq!(figures(daemon.command(), &project), expected, "a daemon");
        daemon.has_settled();
    }
}

#[test]
fn coverage_of_shards_is_joined_as_merge_says() {
    let venv = COV.venv();
    for way in WAYS {
        let project = Project::new(
            "
--- app.py
def one():
    return 1

def two():
    return 2
--- test_one.py
import app

def test_one():
    assert app.one() == 1
--- test_two.py
import app

def test_two():
    assert app.two() == 2
",
        );
        for index in 0..2 {
            let shard = format!("--shard={index}");
            let run = Command::rpytest(&venv, &project)
                .args(way.arguments())
                .args(["-q", "--cov=app", "--cov-report=", "--shard-dir=shards"])
                .args([&shard, "--total-shards=2"])
                .run();
            assert_eq!(run.code, 0, "{way:?}\n{run}");
        }
        let merged = Command::rpytest(&venv, &project)
            .args(["merge", "shards"])
            .run();
        let said = merged.stdout.lines();
        let combine = said
            .filter_map(|line| line.split_once("shards: "))
            .find(|(before, _)| before.starts_with("coverage data of 2"));
        let Some((_, combine)) = combine else {
            panic!("{way:?}\n{merged}");
        };
        let script = format!("rm -f .coverage; {combine} && coverage report --fail-under=100");
        let report = Command::shell(&venv, &project, &script).run();
        assert_eq!(report.code, 0, "{way:?}\n{report}");
    }
}

const COVERED: &str = "
--- pyproject.toml
[tool.pytest.ini_options]
pythonpath = ['src']
testpaths = ['tests']
[tool.coverage.run]
branch = true
source = ['.']
--- src/app/__init__.py
import os
if os.environ.get('APP_FLAG'):
    FLAG = 1
else:
    FLAG = 2
from .calc import add
--- src/app/calc.py
def add(a, b):
    if a > 100:
        return b
    return a + b
def sign(n):
    if n < 0:
        return 'negative'
    elif n == 0:
        return 'zero'
    return 'positive'
def unused():
    return 1
--- src/app/late.py
def lazy(x):
    if x:
        return 1
    return 0
--- tests/conftest.py
import pytest
from app import calc
ZERO = calc.sign(0)
@pytest.fixture(scope='session')
def lazy():
    from app.late import lazy
    yield lazy(1)
    lazy(0)
--- tests/test_a.py
import pytest
from app.calc import add
@pytest.mark.parametrize('a', range(5) if add(1, 1) else [])
def test_add(a):
    assert add(a, a) == 2 * a
def test_big():
    assert add(101, 3) == 3
--- tests/test_b.py
from app.calc import sign
def test_negative(lazy):
    assert sign(-1) == 'negative'
def test_lazy(lazy):
    assert lazy == 1
def test_wrong():
    assert sign(3) == 'negative'
";
