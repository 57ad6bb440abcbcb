//! How a daemon comes to be, what it has of whoever started it, and when it gives up something.

use std::fs;

use super::{Daemon, borrowed_a_session, borrower, within};
use crate::parity::nested;
use crate::support::python::main_venv;
use crate::support::run::{eventually, processes_of};
use crate::support::{Command, Project};

const SUITE: &str = "
--- test_a.py
def test_a():
    pass
--- pytest.ini
[pytest]
";

#[test]
fn the_first_run_starts_it_and_the_second_collects_nothing() {
    let project = Project::new(SUITE);
    let first = borrower(main_venv(), &project).args(["--explain"]).run();
    first.expect(0, "1 passed");
    assert!(first.stderr.contains("no daemon runs"), "{first}");
    let daemon = Daemon::that_a_run_started(&project);
    daemon.has_settled();
    let second = daemon.run(&["--explain"]);
    second.expect(0, "1 passed");
    assert!(borrowed_a_session(&second), "{second}");
    daemon.stop();
    eventually("nothing is left", || processes_of(&project).is_empty());
}

#[test]
fn an_import_is_recorded_where_it_was_paid_for() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    daemon.run(&["--explain"]).expect(0, "1 passed");
    daemon.has_settled();
    let borrowed = daemon.run(&["--explain"]);
    assert!(borrowed_a_session(&borrowed), "{borrowed}");
    let durations = project.read(".pytest_cache/v/rpytest/durations.json");
    let durations: serde_json::Value = serde_json::from_str(&durations).expect("JSON");
    let observations = |of: &serde_json::Value| of.as_array().map(Vec::len);
    let tests = &durations["files"]["test_a.py"];
    assert_eq!(observations(&tests["test_a.py::test_a"]), Some(2));
    assert_eq!(observations(&durations["imports"]["test_a.py"]), Some(1));
    daemon.stop();
}

#[test]
fn tests_of_plugins_have_sessions_within_a_lent_process() {
    let project = Project::new(nested::PLUGIN);
    let daemon = Daemon::start(&project);
    for (arguments, borrowed) in [(&["--explain"][..], false), (&["--explain"], true)] {
        let run = daemon.run(arguments);
        run.expect(1, "1 failed, 10 passed");
        assert_eq!(borrowed_a_session(&run), borrowed, "{run}");
        daemon.has_settled();
    }
    daemon.run(&["-n", "2"]).expect(1, "1 failed, 10 passed");
    daemon.stop();
}

#[test]
fn none_is_started_where_none_is_wanted() {
    let project = Project::new(SUITE);
    let started = || !processes_of(&project).is_empty();
    let ci = borrower(main_venv(), &project).env("CI", "true").run();
    ci.expect(0, "1 passed");
    assert!(!started(), "under CI");
    for arguments in [
        ["--no-daemon"],
        ["--version"],
        ["--fixtures"],
        ["nothing_there"],
    ] {
        borrower(main_venv(), &project).args(arguments).run();
        assert!(!started(), "{arguments:?}");
    }
}

#[test]
fn it_ends_with_its_project() {
    let project = Project::new(SUITE);
    let inner = project.root().join("inner");
    fs::create_dir(&inner).expect("a directory");
    for name in ["test_a.py", "pytest.ini"] {
        fs::copy(project.root().join(name), inner.join(name)).expect("copied");
    }
    let run = borrower(main_venv(), &project).within("inner").run();
    run.expect(0, "1 passed");
    eventually("it starts", || !processes_of(&project).is_empty());
    fs::remove_dir_all(inner).expect("removed");
    eventually("nothing is left", || processes_of(&project).is_empty());
}

#[test]
fn settings_of_the_project_hold_for_it() {
    let project = Project::new(SUITE);
    let settings = "[tool.rpytest]\ndaemon_idle_timeout = 1\nwatch_ignored = []\n";
    fs::write(project.root().join("pyproject.toml"), settings).expect("written");
    let run = borrower(main_venv(), &project).run();
    run.expect(0, "1 passed");
    assert!(
        run.stderr
            .contains("unknown key watch_ignored; did you mean watch_ignore?"),
        "{run}"
    );
    eventually("it was idle", || processes_of(&project).is_empty());
    let wrong = "[tool.rpytest]\ndaemon_idle_timeout = 'long'\n";
    fs::write(project.root().join("pyproject.toml"), wrong).expect("written");
    let run = borrower(main_venv(), &project).run();
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.stderr.contains("pyproject.toml: [tool.rpytest]"),
        "{run}"
    );
}

#[test]
fn what_takes_too_much_is_given_up() {
    let project = Project::new(SUITE);
    let running = borrower(main_venv(), &project)
        .output("daemon")
        .args(["--daemon", "--daemon-idle-timeout=60", "--daemon-memory=1M"])
        .start();
    let daemon = Daemon::that_runs(main_venv(), &project, running);
    daemon.run(&[]).expect(0, "1 passed");
    within("it is given up", || {
        let status = daemon.status().expect("it runs");
        let reason = status["last_dropped"].as_str().unwrap_or_default();
        reason == "all together took more than 1 MiB"
            && status["snapshots"] == serde_json::json!([])
    });
    daemon.run(&[]).expect(0, "1 passed");
    daemon.stop();
}

#[test]
fn other_descriptors_are_the_borrowers_too_and_nobody_elses() {
    let project = Project::new(
        "
--- test_a.py
import os

def test_reads():
    assert os.read(9, 100) == b'of the caller'
    assert os.fstat(8).st_ino == os.stat('lock').st_ino
--- data.txt
of the caller
--- lock
--- pytest.ini
[pytest]
",
    );
    fs::write(project.root().join("data.txt"), "of the caller").expect("written");
    let script = "exec 9<data.txt 8<lock; exec $rpytest --explain";
    let run = || {
        let run = Command::shell(main_venv(), &project, script)
            .without("RPYTEST_NO_DAEMON")
            .run();
        run.expect(0, "1 passed");
        run
    };
    run();
    let daemon = Daemon::that_a_run_started(&project);
    daemon.has_settled();
    for _ in 0..3 {
        let run = run();
        assert!(borrowed_a_session(&run), "{run}");
    }
    for (pid, command) in processes_of(&project) {
        // It may have ended by now.
        let open = fs::read_dir(format!("/proc/{pid}/fd"));
        for fd in open.into_iter().flatten().flatten() {
            let file = fs::read_link(fd.path()).unwrap_or_default();
            assert!(
                !file.starts_with(project.root()),
                "{command} has {}",
                file.display()
            );
        }
    }
    daemon.stop();
}

#[test]
fn a_setting_says_how_much_is_lent() {
    for (snapshot, note, stages) in [
        ("off", "no daemon was used: snapshot is off", 1),
        ("interpreter", "the daemon lent an interpreter", 1),
        (
            "configured",
            "the daemon lent a session that was configured",
            2,
        ),
        (
            "collected",
            "the daemon lent a session that had collected",
            3,
        ),
    ] {
        let project = Project::new("--- test_a.py\ndef test():\n    pass\n");
        let daemon = Daemon::start(&project);
        let settings = format!("[tool.rpytest]\nsnapshot = '{snapshot}'\n");
        fs::write(project.root().join("pyproject.toml"), settings).expect("written");
        let run = || daemon.run(&["--explain"]);
        run().expect(0, "1 passed");
        within(snapshot, || run().stderr.contains(note));
        if snapshot != "off" {
            let kept = || {
                let status = daemon.status().expect("it runs");
                status["snapshots"].as_array().expect("a list").len()
            };
            within("as many stages are kept", || kept() == stages);
        }
        daemon.stop();
    }
    let project = Project::new("--- test_a.py\ndef test():\n    pass\n");
    let run = Command::rpytest(main_venv(), &project)
        .env("RPYTEST_SNAPSHOT", "deep")
        .run();
    assert_eq!(run.code, 4, "{run}");
    let message =
        "RPYTEST_SNAPSHOT is \"deep\"; it must be collected, configured, interpreter or off";
    assert!(run.stderr.contains(message), "{run}");
}
