//! What came of the last runs: `--flaky-report`, and reruns of what is known as flaky.

use serde_json::Value;

use crate::support::python::plain_venv;
use crate::support::{Command, Project, Run, WAYS};

const SUITE: &str = r#"
--- pytest.ini
[pytest]
--- test_a.py
import os
import pytest

RUN = int(os.environ["RUN"])
seen = []

def test_good():
    pass

def test_alternates():
    assert RUN % 2

def test_breaks():
    assert RUN < 3

def test_mended():
    assert RUN != 2

def test_again():
    seen.append(1)
    assert RUN != 4 or len(seen) > 1

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    assert 0

def test_dies():
    if RUN == 5:
        os._exit(3)
"#;

fn run(project: &Project, number: u32, arguments: &[&str]) -> Run {
    Command::rpytest(plain_venv(), project)
        .env("RUN", &number.to_string())
        .args(arguments)
        .run()
}

fn report(project: &Project) -> (Run, Vec<(String, String, String)>) {
    let command = || Command::rpytest(plain_venv(), project).args(["--flaky-report"]);
    let json = command().args(["--json"]).run();
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["version"], 1);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let outcomes = |test: &Value| {
        let all = test["outcomes"].as_array().expect("a list");
        let all: Vec<String> = all.iter().map(text).collect();
        all.join(" ")
    };
    let tests = json["tests"].as_array().expect("a list").iter();
    let tests = tests.map(|test| {
        let name = text(&test["nodeid"]);
        let name = name.trim_start_matches("test_a.py::test_").to_owned();
        (name, text(&test["state"]), outcomes(test))
    });
    (command().run(), tests.collect())
}

#[test]
fn runs_add_up_to_states() {
    for way in &WAYS[..2] {
        let project = Project::new(SUITE);
        for number in 1..=5 {
            // A run of a part is none for the others.
            let only: &[&str] = match number {
                3 => &["-k", "not expected"],
                _ => &[],
            };
            let reruns = if number == 4 {
                "--reruns=1"
            } else {
                "--reruns=0"
            };
            run(
                &project,
                number,
                &[way.arguments(), only, &[reruns]].concat(),
            );
        }
        let (table, tests) = report(&project);
        let tests: Vec<_> = tests
            .iter()
            .map(|(name, state, outcomes)| (name.as_str(), state.as_str(), outcomes.as_str()))
            .collect();
        let expected = [
            ("alternates", "flaky", "passed failed passed failed passed"),
            (
                "again",
                "flaky",
                "passed passed passed passed-on-rerun passed",
            ),
            ("breaks", "failing", "passed passed failed failed failed"),
            ("dies", "failing", "passed passed passed passed crashed"),
            ("mended", "fixed", "passed failed passed passed passed"),
            ("good", "stable", "passed passed passed passed passed"),
            ("expected", "stable", "xfailed xfailed xfailed xfailed"),
            (
                "skipped",
                "skipped",
                "skipped skipped skipped skipped skipped",
            ),
        ];
        assert_eq!(tests, expected, "{way:?}");
        assert_eq!(table.code, 0, "{table}");
        table.shows(&[
            "2 flaky, 2 failing, 1 fixed, 2 stable, 1 skipped",
            ".F.F.",
            "3 failed",
        ]);
        assert!(!table.stdout.contains("test_good"), "{table}");
    }
}

#[test]
fn what_is_known_as_flaky_is_run_again() {
    let project = Project::new(SUITE);
    let options = ["--reruns", "1", "--only-rerun-flaky", "-rR"];
    // Nothing is known yet.
    for number in 1..=4 {
        let run = run(&project, number, &options);
        assert!(!run.stdout.contains(" rerun"), "{run}");
    }
    for way in &WAYS[..2] {
        let run = run(&project, 6, &[&options[..], way.arguments()].concat());
        run.expect(1, "2 failed, 4 passed, 1 skipped, 1 xfailed, 1 rerun");
        run.shows(&["RERUN test_a.py::test_alternates"]);
    }
}

#[test]
fn what_shards_found_out_elsewhere_is_known_here_once_they_are_joined() {
    let project = Project::new(SUITE);
    for index in ["0", "1"] {
        let mut options = vec!["--reruns=1", "-o", "cache_dir=elsewhere"];
        options.extend(["--shard", index, "--total-shards=2"]);
        options.extend(["--shard-strategy=round_robin", "--shard-dir=shards"]);
        run(&project, 4, &options);
    }
    let history = ".pytest_cache/v/rpytest/outcomes.json";
    // A job that is run again joins them again; what came of a test counts once.
    for _ in 0..2 {
        let merged = run(&project, 4, &["merge", "shards", "--outcomes", history]);
        merged.shows(&["2 failed, 4 passed, 1 skipped, 1 xfailed in 2 of 2 shards"]);
        assert_eq!((merged.code, merged.stderr.as_str()), (1, ""), "{merged}");
    }
    let (_, tests) = report(&project);
    let of = |name: &str| {
        let found = tests.iter().find(|(test, ..)| test == name);
        let (_, state, outcomes) = found.expect(name);
        (state.as_str(), outcomes.as_str())
    };
    assert_eq!(tests.len(), 8, "{tests:?}");
    assert_eq!(of("again"), ("flaky", "passed-on-rerun"));
    assert_eq!(of("alternates"), ("failing", "failed"));
    assert_eq!(of("good"), ("stable", "passed"));
    let again = run(&project, 4, &["--reruns=1", "--only-rerun-flaky"]);
    again.expect(1, "2 failed, 4 passed, 1 skipped, 1 xfailed, 1 rerun");

    project.write(&format!("--- {history}\n{{\n"));
    let merged = run(&project, 4, &["merge", "shards", "--outcomes", history]);
    assert_eq!(merged.code, 3, "{merged}");
    let problem = format!("failed to read the outcomes in {history}: ");
    assert!(merged.stderr.contains(&problem), "{merged}");
}

/// As into `head -n 1`, or into a pager that is left.
#[test]
fn a_reader_may_go_away() {
    let project = Project::new(SUITE);
    run(&project, 1, &[]);
    for command in [
        "--flaky-report",
        "--flaky-report --json",
        "--inventory-status",
        "--shard-info --total-shards 2",
        "durations show",
    ] {
        // No reader at all, from before it is started: `head` could be too late to go.
        let script =
            format!("mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; \"$rpytest\" {command} >&4");
        let run = Command::shell(plain_venv(), &project, &script)
            .env("RUN", "1")
            .run();
        assert_eq!(run.code, 0, "{command}: {run}");
        assert_eq!(run.stderr, "", "{command}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let project = Project::new(SUITE);
    let report = || {
        Command::rpytest(plain_venv(), &project)
            .args(["--flaky-report"])
            .run()
    };
    let file = ".pytest_cache/v/rpytest/outcomes.json";
    let none = report();
    assert_eq!(none.code, 4, "{none}");
    let text = "outcomes.json: a run that pytest may keep a cache of makes it";
    assert!(none.stderr.contains(text), "{none}");
    run(&project, 1, &["-p", "no:cacheprovider"]);
    assert_eq!(project.read(file), "", "pytest has no cache");
    run(&project, 1, &[]);
    assert_eq!(report().code, 0);
    project.write(&format!("--- {file}\n{{\"version\": 7}}\n"));
    let newer = report();
    assert_eq!(newer.code, 4, "{newer}");
    let text =
        "read outcomes of version 7, only 1 is known; remove the file, and runs make it again";
    assert!(newer.stderr.contains(text), "{newer}");
    let again = run(&project, 1, &["--reruns=1", "--only-rerun-flaky"]);
    let text = "read outcomes of version 7, only 1 is known; they are recorded anew";
    assert!(again.stderr.contains(text), "{again}");
    assert_eq!(report().code, 0);
}
