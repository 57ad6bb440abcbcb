//! Suites that nobody has written (`suite.py`), by pytest and by rpytest: output, exit code and JUnit file are the same.
//!
//! `RPYTEST_GENERATED=500 cargo test -p rpytest-cli --test generated -- --nocapture` compares that many. Which ones they are follows from
//! `RPYTEST_GENERATED_SEED`, the number of the first; `RPYTEST_GENERATED_PYTEST`, as in "8.4.2", is another version of pytest. With a worker
//! it is the exit code that is compared, and what the JUnit file has of each test: what hooks write comes when it comes.

#[path = "../environment/mod.rs"]
mod environment;
#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use std::env;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::environment::number;
use self::support::normal::{difference, junit, normal};
use self::support::python::{Venv, plain_venv, pytest_venv};
use self::support::{Command, Project, Run, Way};

/// How many suites a run of the tests compares, unless `RPYTEST_GENERATED` says.
const SUITES: u64 = 24;

/// How many are compared at the same time: as many as the smallest machine has processors.
const AT_ONCE: usize = 2;

/// How much of a difference is shown.
const SHOWN: usize = 3000;

/// A suite, and how it is run.
struct Suite {
    arguments: Vec<String>,
    files: String,
}

impl Suite {
    fn of(number: u64, venv: &Venv) -> Suite {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated/suite.py");
        let written = std::process::Command::new(venv.bin().join("python"))
            .arg(script)
            .arg(number.to_string())
            .output()
            .expect("Python starts");
        assert!(written.status.success(), "suite {number}: {written:?}");
        let text = String::from_utf8(written.stdout).expect("text");
        let (first, files) = text.split_once('\n').expect("a first line");
        Suite {
            arguments: first.split_terminator('\t').map(str::to_owned).collect(),
            files: files.to_owned(),
        }
    }

    fn has_junit(&self) -> bool {
        self.arguments
            .iter()
            .any(|one| one == "--junitxml=junit.xml")
    }

    /// What pytest writes, or rpytest, and the JUnit file.
    fn run(&self, venv: &Venv, way: Option<Way>) -> (Run, String) {
        let project = Project::new(&self.files);
        let command = match way {
            None => Command::pytest(venv, &project),
            Some(way) => Command::rpytest(venv, &project).args(way.arguments()),
        };
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let run = command.env("PYTHONHASHSEED", "0").args(&arguments).run();
        let mut run = normal(&run, &project);
        run.stdout = without_runners(&run.stdout);
        let junit = junit(&project.read("junit.xml"), project.base());
        (run, without_runners(&junit))
    }

    /// Everything in which rpytest is not as pytest.
    fn differences(&self, venv: &Venv) -> String {
        let (expected, expected_junit) = self.run(venv, None);
        let mut found = String::new();
        let mut add = |what: &str, expected: &str, got: &str| {
            if expected != got {
                found += &format!(
                    "{what} (- pytest, + rpytest):\n{}",
                    difference(expected, got)
                );
            }
        };
        let code = |run: &Run| run.code.to_string();
        let (got, got_junit) = self.run(venv, Some(Way::InProcess));
        add("exit code", &code(&expected), &code(&got));
        if expected
            .stderr
            .contains("Traceback (most recent call last)")
        {
            // pytest itself has not survived it, or a handler of logging tells who has called: each shows its own frames.
            return found;
        }
        add("stdout", &expected.stdout, &got.stdout);
        add("stderr", &expected.stderr, &got.stderr);
        add("junit", &expected_junit, &got_junit);
        if self.has_junit() {
            let (got, got_junit) = self.run(venv, Some(Way::OneWorker));
            add("exit code with a worker", &code(&expected), &code(&got));
            add(
                "outcomes with a worker",
                &outcomes(&expected_junit),
                &outcomes(&got_junit),
            );
        }
        found
    }
}

/// Where a traceback shows the locals and arguments of the runner's own frames, they have times and plugins in them.
fn without_runners(text: &str) -> String {
    let is_kept = |line: &&str| {
        let name = line
            .trim_start()
            .split_once(" = ")
            .map(|(name, _)| name.trim_end());
        !name.is_some_and(|name| OF_RUNNERS.contains(&name))
    };
    text.split_inclusive('\n').filter(is_kept).collect()
}

/// Counts, cases, and what came of each. A worker has more fixtures, and longer paths, which change where lines break.
fn outcomes(junit: &str) -> String {
    let mut kept = String::new();
    for line in junit.lines() {
        if line.starts_with("<testcase ") || line.starts_with("<testsuite ") {
            kept += &format!("{line}\n");
        } else if let Some(kind) = ["<failure", "<error", "<skipped"]
            .into_iter()
            .find(|kind| line.starts_with(kind))
        {
            kept += &format!("{kind}\n");
        }
    }
    kept
}

const OF_RUNNERS: [&str; 11] = [
    "config",
    "duration",
    "hook_impls",
    "instant",
    "methods",
    "pluginmanager",
    "request",
    "self",
    "session",
    "start",
    "stop",
];

#[test]
fn suites_that_nobody_has_written() {
    let suites = number("RPYTEST_GENERATED", SUITES);
    let first = number("RPYTEST_GENERATED_SEED", 1);
    let venv = match env::var("RPYTEST_GENERATED_PYTEST") {
        Ok(version) => pytest_venv(&version),
        Err(_) => plain_venv().clone(),
    };
    let next = AtomicU64::new(first);
    let differ: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + suites {
                        break;
                    }
                    let suite = Suite::of(number, &venv);
                    let found = suite.differences(&venv);
                    if !found.is_empty() {
                        let shown = &found[..found.floor_char_boundary(SHOWN)];
                        let what = format!("suite {number}, {:?}:\n{shown}", suite.arguments);
                        differ.lock().expect("nobody panicked").push(what);
                    }
                }
            });
        }
    });
    let differ = differ.into_inner().expect("nobody panicked");
    assert!(
        differ.is_empty(),
        "{} of {suites} suites are not as with pytest:\n{}",
        differ.len(),
        differ.join("\n")
    );
}
