//! Runs each example, and looks at what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
        .to_owned()
}

/// The directory that cargo builds into: this test is in its `debug/deps`.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    test.ancestors()
        .nth(2)
        .expect("a profile's directory")
        .to_owned()
}

fn example(name: &str, arguments: &[&str], python: Option<&Path>) -> Output {
    let mut command = Command::new(built().join("examples").join(name));
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    command.env_remove("PYTHONDONTWRITEBYTECODE");
    if let Some(python) = python {
        command.env("RPYTEST_PYTHON", python);
    }
    command.output().expect("the example runs")
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() || !text.is_empty(),
        "{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// An interpreter that has pytest, in a virtual environment that is made once.
fn python() -> PathBuf {
    let venv = built()
        .parent()
        .expect("a target directory")
        .join("example-venv");
    let script = format!(
        ". .ci/python.sh && make_venv '{}' pytest==9.2.0",
        venv.display()
    );
    let status = Command::new("sh")
        .args(["-euc", &script])
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .expect("a shell");
    assert!(status.success());
    venv.join("bin/python")
}

#[test]
fn shard_plan_loses_nothing() {
    let text = stdout(&example("shard_plan", &["3"], None));
    assert!(text.contains("120 tests on 3 workers"), "{text}");
    assert!(
        text.contains("DurationBalanced: the longest shard"),
        "{text}"
    );
}

#[test]
fn frames_go_both_ways() {
    let text = stdout(&example("frames", &[], None));
    assert_eq!(text.matches("Result {").count(), 3, "{text}");
    assert!(text.contains("hostile: "), "{text}");
}

#[test]
fn a_suite_is_run_by_a_harness_of_ones_own() {
    let python = python();
    let text = stdout(&example("one_process", &[], Some(&python)));
    assert!(text.contains("pytest 9.2.0"), "{text}");
    assert!(text.contains("session over: 0"), "{text}");

    let output = example("ci_harness", &["examples/suite", "2"], Some(&python));
    let text = stdout(&output);
    assert_eq!(
        output.status.code(),
        Some(1),
        "the suite fails on purpose: {text}"
    );
    assert!(
        text.contains("FAILED tests/test_outcomes.py::test_fails"),
        "{text}"
    );
    assert!(text.contains("\"passed\": "), "{text}");
}
