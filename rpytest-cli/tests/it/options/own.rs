//! What the command has of its own besides runs: help, completions, settings, what is known and kept.

use crate::support::python::main_venv;
use crate::support::run::eventually;
use crate::support::{Command, Project, Run};

const PROJECT: &str = r#"
--- pytest.ini
[pytest]
markers = slow: takes long
--- pyproject.toml
[tool.rpytest]
parallel = 2
default_markers = "not slow"
--- test_a.py
import pytest

@pytest.mark.slow
def test_slow():
    pass

def test_a(request):
    with open("who", "a") as who:
        who.write(getattr(request.config, "workerinput", {}).get("workerid", "master") + " ")
"#;

fn rpytest(project: &Project, arguments: &[&str]) -> Run {
    Command::rpytest(main_venv(), project).args(arguments).run()
}

#[test]
fn settings_hold_unless_an_option_is_given() {
    let project = Project::new(PROJECT);
    rpytest(&project, &[]).expect(0, "1 passed, 1 deselected");
    assert!(
        project.read("who").starts_with("gw"),
        "{}",
        project.read("who")
    );
    rpytest(&project, &["-n0", "-m", ""]).expect(0, "2 passed");
    assert!(
        project.read("who").ends_with("master "),
        "{}",
        project.read("who")
    );
    let isolated = Command::rpytest(main_venv(), &project)
        .env("RPYTEST_ISOLATE", "test")
        .env("RPYTEST_PARALLEL", "0")
        .env("RPYTEST_DEFAULT_MARKERS", "slow")
        .run();
    isolated.expect(0, "1 passed, 1 deselected");
    // What takes place in one process does so without being asked not to have workers.
    rpytest(&project, &["--setup-show", "--pdb"]).expect(0, "1 passed, 1 deselected");
    assert!(
        project.read("who").ends_with("master "),
        "{}",
        project.read("who")
    );
    let configured =
        "--- pytest.ini\n[pytest]\naddopts = -qm slow -n0\nmarkers = slow: takes long\n";
    project.write(configured);
    let run = rpytest(&project, &[]);
    assert!(run.stdout.contains("1 passed, 1 deselected"), "{run}");
}

#[test]
fn a_debugger_has_the_terminal_to_itself() {
    let project = Project::new("--- test_a.py\ndef test(): assert 0\n");
    let run = rpytest(&project, &["-n", "2", "--pdb"]);
    run.shows(&["entering PDB", "1 failed"]);
}

/// They are about a single process.
#[test]
fn what_cannot_be_isolated_is_refused() {
    let project = Project::new("--- test_a.py\ndef test(): pass\n");
    for option in [
        "--pdb",
        "--setup-only",
        "--setup-show",
        "--stepwise",
        "--stepwise-skip",
        "--trace",
    ] {
        let run = rpytest(&project, &["--isolate=test", option]);
        assert_eq!(run.code, 4, "{run}");
        assert!(
            (run.stderr).contains(&format!("{option} does not work with --isolate")),
            "{run}"
        );
    }
    // What the variable asks for is left out there, and this runs nothing.
    let run = Command::rpytest(main_venv(), &project)
        .args(["--setup-show"])
        .env("RPYTEST_ISOLATE", "test")
        .run();
    run.expect(0, "1 passed");
    let run = rpytest(&project, &["--isolate=test", "--setup-plan"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn what_makes_no_sense_says_why() {
    let project = Project::new(PROJECT);
    for (arguments, message) in [
        (
            &["--restart-interval", "5"][..],
            "each run has a fork of its own",
        ),
        (
            &["--cleanup", "tests"],
            "--cleanup takes no arguments, but tests was given",
        ),
        (&["--inventory-status", "--lf"], "--inventory-status: "),
        (&["--inventory-status", "absent.py"], "failed to find"),
        (
            &["--watch", "--inventory-status"],
            "does not work with --watch",
        ),
        (&["completions", "csh"], "csh"),
    ] {
        let run = rpytest(&project, arguments);
        assert_eq!(run.code, 4, "{arguments:?}: {run}");
        assert!(run.stderr.contains(message), "{arguments:?}: {run}");
    }
}

#[test]
fn bash_completes_options_values_and_commands() {
    let project = Project::new("--- test_a.py\ndef test(): pass\n");
    let script = r#"
eval "$("$rpytest" completions bash)"
complete_at() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _rpytest rpytest "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$((COMP_CWORD - 1))]}"
    echo "${COMPREPLY[@]}"
}
complete_at rpytest --native
complete_at rpytest --strict-m
complete_at rpytest --tb ''
complete_at rpytest --shard-strategy h
complete_at rpytest completions ''
complete_at rpytest test_
"#;
    // The shell that the support code knows is not bash.
    let script = format!("exec bash -c '{}'", script.replace('\'', "'\\''"));
    let run = Command::shell(main_venv(), &project, &script).run();
    let expected = "--native-collect-only\n--strict-markers\nauto long short no line native\nhash\nbash fish zsh\n\n";
    assert_eq!(run.stdout, expected, "{run}");
}

#[test]
fn the_inventory_says_what_is_known_without_python() {
    let project = Project::new(
        "
--- test_exact.py
def test_a(): pass
def test_b(): pass
--- test_partial.py
import pytest
@pytest.mark.parametrize('x', sorted({3, 1}))
def test_c(x): pass
for name in ['test_d']:
    globals()[name] = lambda: None
",
    );
    // A cache of its own, in which nothing is known of the environment.
    let cache = project.base().join("cache");
    let rpytest = |project: &Project, arguments: &[&str]| {
        let command = Command::rpytest(main_venv(), project).args(arguments);
        command
            .env("RPYTEST_CACHE_DIR", &cache.to_string_lossy())
            .run()
    };
    project.settle();
    let before = rpytest(&project, &["--inventory-status"]);
    before.shows(&[
        "2 test files in",
        "  from the source: 2 tests in 1 file\n",
        "  to be collected by Python: 1 file, such as test_partial.py: ",
        "plugins of the environment: not known yet",
        "durations: none",
        "cache: none",
    ]);
    rpytest(&project, &["-q"]).expect(0, "5 passed");
    // Two collections have to agree on what is kept.
    for _ in 0..3 {
        let run = rpytest(&project, &["--collect-only", "-q"]);
        assert_eq!(run.code, 0, "{run}");
    }
    let after = rpytest(&project, &["--inventory-status"]);
    after.shows(&[
        "100 % known without Python",
        "  kept of a collection: 3 tests in 1 file, ",
        "plugins of the environment: known, ",
        "durations: 5 tests in 1 run, ",
    ]);
    let json = rpytest(&project, &["--inventory-status", "--json", "test_exact.py"]);
    json.shows(&[
        "\"files\": 1,",
        "\"exact_tests\": 2,",
        "\"native_share\": 1.0,",
    ]);
    // What becomes of results is no matter.
    project.write("--- pyproject.toml\n[tool.rpytest]\ntimeout = 60\nisolate = 'file'\n");
    for more in [&[][..], &["--no-progress", "--timeout", "60"]] {
        let run = rpytest(&project, &[&["--inventory-status"], more].concat());
        run.shows(&["2 test files in"]);
    }
    let run = rpytest(&project, &["--collect-only", "-q", "--benchmark"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn cleanup_removes_what_can_be_made_anew_and_no_result() {
    let project = Project::new("--- test_a.py\ndef test(): assert 1\n");
    let cache = project.base().join("cache");
    let daemons = project.base().join("daemons");
    let run = |arguments: &[&str]| {
        let command = Command::rpytest(main_venv(), &project).args(arguments);
        let command = command.env("RPYTEST_CACHE_DIR", &cache.to_string_lossy());
        command
            .env("RPYTEST_DAEMON_DIR", &daemons.to_string_lossy())
            .run()
    };
    run(&["--shard", "0", "--total-shards", "1"]).expect(0, "1 passed");
    run(&[]).expect(0, "1 passed");
    assert_eq!(run(&["--collect-only", "-q"]).code, 0);
    // Of another version: one that nobody uses, and one that somebody does.
    for name in ["python-0000000000000000", "python-1111111111111111"] {
        std::fs::create_dir_all(cache.join(name)).expect("made");
        std::fs::write(
            cache.join(name).join("__main__.py"),
            "import time; time.sleep(60)\n",
        )
        .expect("written");
    }
    let python = main_venv().bin().join("python");
    let mut user = std::process::Command::new(python)
        .arg(cache.join("python-1111111111111111/__main__.py"))
        .spawn()
        .expect("it starts");
    let line = format!("/proc/{}/cmdline", user.id());
    eventually("it is what it was started as", || {
        std::fs::read_to_string(&line).is_ok_and(|line| line.contains("python-1111111111111111"))
    });
    // Of a daemon that was killed, and of one that runs.
    std::fs::create_dir_all(&daemons).expect("made");
    for name in ["gone", "runs"] {
        std::fs::write(daemons.join(name).with_extension("sock"), "").expect("written");
        std::fs::write(daemons.join(name).with_extension("lock"), "").expect("written");
    }
    let held = std::fs::File::open(daemons.join("runs.lock")).expect("there");
    held.lock().expect("locked");
    let cleaned = run(&["--cleanup"]);
    user.kill().expect("it runs");
    user.wait().expect("it is ours");
    assert_eq!(cleaned.code, 0, "{cleaned}");
    cleaned.shows(&[
        "removed: the Python sides of other versions, ",
        "kept: 1 Python side of other versions",
        "removed: code with rewritten assertions, ",
        "removed: what is known of environments, ",
        "kept: results of shards, ",
        "kept: durations of tests, ",
        "removed: 1 socket of daemons that are gone",
        "kept: 1 daemon running",
        "removed in all: ",
    ]);
    assert!(!cache.join("python-0000000000000000").exists());
    assert!(cache.join("python-1111111111111111").exists());
    assert!(!daemons.join("gone.sock").exists() && !daemons.join("gone.lock").exists());
    assert!(daemons.join("runs.sock").exists() && daemons.join("runs.lock").exists());
    assert!(
        project
            .root()
            .join(".pytest_cache/d/rpytest/shards")
            .exists()
    );
    // All of it is made anew.
    run(&[]).expect(0, "1 passed");
}
