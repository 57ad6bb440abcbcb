//! Runs each example, and looks at what it says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No example takes longer, on a slow machine either.
const LIMIT: Duration = Duration::from_secs(180);

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

/// Runs an example, which must end with this exit code, and in time.
fn example(name: &str, arguments: &[&str], python: Option<&Path>, code: i32) -> String {
    let mut command = Command::new(built().join("examples").join(name));
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_remove("PYTHONDONTWRITEBYTECODE");
    if let Some(python) = python {
        command.env("RPYTEST_PYTHON", python);
    }
    let child = command.spawn().expect(
        "`cargo test -p rpytest-examples`, without a target of its own, builds the examples",
    );
    let output = within_limit(name, child);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{name}\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn within_limit(name: &str, child: Child) -> Output {
    let pid = child.id().to_string();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(LIMIT) {
        Ok(output) => output.expect("its output can be read"),
        Err(_) => {
            // Its Python processes end with it.
            let _ = Command::new("kill").args(["-9", &pid]).status();
            panic!("{name} did not end within {LIMIT:?}");
        }
    }
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
fn a_tree_is_collected_and_a_change_traced() {
    let text = example("collect_tree", &["examples/suite"], None, 0);
    assert!(
        text.contains("test_case.py::ShelfCase::test_each"),
        "{text}"
    );

    let changed = ["examples/suite", "tests/unit/test_case.py"];
    let text = example("affected_tests", &changed, None, 0);
    assert_eq!(text, "tests/unit/test_case.py: tests/unit/test_case.py\n");
    let changed = ["examples/suite", "tests/conftest.py"];
    let text = example("affected_tests", &changed, None, 0);
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn shard_plan_loses_nothing() {
    let text = example("shard_plan", &["3"], None, 0);
    assert!(text.contains("120 tests on 3 workers"), "{text}");
    assert!(
        text.contains("DurationBalanced: the longest takes"),
        "{text}"
    );
}

#[test]
fn frames_go_both_ways() {
    let text = example("frames", &[], None, 0);
    assert!(text.contains("peer: Python 3.13.0, pytest 9.2.0"), "{text}");
    assert_eq!(text.matches("Result {").count(), 3, "{text}");
    assert!(text.contains("hostile: "), "{text}");
}

#[test]
fn a_suite_is_run_by_a_harness_of_ones_own() {
    let python = python();
    let text = example("one_process", &[], Some(&python), 0);
    assert!(text.contains("pytest 9.2.0"), "{text}");
    assert!(text.contains("session over: 0"), "{text}");

    // The suite fails on purpose.
    let text = example("ci_harness", &["examples/suite", "2"], Some(&python), 1);
    assert!(
        text.contains("FAILED tests/test_outcomes.py::test_fails"),
        "{text}"
    );
    assert!(text.contains("\"passed\": "), "{text}");
    assert!(!text.contains("LOST"), "{text}");
    assert!(text.contains("the next run: ["), "{text}");
}
