//! How a daemon begins and ends, and what becomes of runs meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::{Daemon, borrowed_a_session, borrower, within};
use crate::support::daemon::within_or;
use crate::support::python::main_venv;
use crate::support::run::{eventually, processes_of};
use crate::support::{Command, Project};

const SUITE: &str = "
--- test_a.py
import os
import time

def test_first():
    pass

def test_waits():
    open('signs/began', 'w').close()
    while os.path.exists('signs/wait'):
        time.sleep(0.01)

def test_last():
    pass
--- signs/sign
--- pytest.ini
[pytest]
norecursedirs = signs
";

pub fn sockets(project: &Project) -> Vec<PathBuf> {
    let directories = fs::read_dir(project.temporary_files()).expect("a directory");
    let inside = directories
        .flatten()
        .filter_map(|entry| fs::read_dir(entry.path()).ok());
    let files = inside.flat_map(|entries| entries.flatten().map(|entry| entry.path()));
    files
        .filter(|path| path.extension().is_some_and(|end| end == "sock"))
        .collect()
}

#[test]
fn it_tells_what_it_keeps_and_leaves_nothing() {
    let project = Project::new(SUITE);
    let none = borrower(main_venv(), &project)
        .args(["--daemon-status"])
        .run();
    assert_eq!((none.code, none.stdout.as_str()), (1, ""), "{none}");
    assert!(none.stderr.contains("no daemon runs"), "{none}");
    let daemon = Daemon::start(&project);
    daemon.run(&["-q"]).expect(0, "3 passed");
    daemon.has_settled();
    let status = daemon.status().expect("it runs");
    assert!(status["uptime_seconds"].as_f64() > Some(0.0), "{status}");
    assert!(status["memory_bytes"].as_u64() < Some(30 << 20), "{status}");
    let snapshots = status["snapshots"].as_array().expect("a list");
    let stages: Vec<_> = snapshots.iter().map(|one| one["stage"].as_str()).collect();
    assert_eq!(stages, ["interpreter", "configured", "collected"].map(Some));
    assert_eq!(snapshots[0]["lent"], 1);
    assert_eq!(snapshots[1]["arguments"], serde_json::json!(["-q"]));
    assert_eq!(snapshots[2]["arguments"], serde_json::json!(["-q"]));
    let text = borrower(main_venv(), &project)
        .args(["--daemon-status"])
        .run();
    text.shows(&["interpreter, pid", "session `pytest -q`", "collected, pid"]);
    let second = Command::rpytest(main_venv(), &project)
        .args(["--daemon"])
        .run();
    assert_eq!(second.code, 4, "{second}");
    assert!(second.stderr.contains("runs already"), "{second}");
    daemon.stop();
    assert_eq!(sockets(&project), Vec::<PathBuf>::new());
    eventually("nothing is left", || processes_of(&project).is_empty());
}

/// Where a run finds another network, or other files, it must not borrow from outside.
#[test]
fn namespaces_have_daemons_of_their_own() {
    let project = Project::new(SUITE);
    // Writes down in which namespace a test runs.
    project.write("--- conftest.py\nimport os\ndef pytest_runtest_setup():\n    open('signs/net', 'w').write(os.readlink('/proc/self/ns/net'))\n");
    let daemon = Daemon::start(&project);
    daemon.run(&["-q"]).expect(0, "3 passed");
    let outside = project.read("signs/net");
    // The daemon that this run starts is ended from within; none is there until it has started.
    let script = r#"
case $(id -u) in 0) as=;; *) as=--map-root-user;; esac
unshare --net $as true || exit 0
exec unshare --net $as /bin/sh -c '
    readlink /proc/self/ns/net >signs/expected
    "$rpytest" --daemon-status && exit 9
    "$rpytest" -q
    code=$?
    until "$rpytest" --daemon-stop; do sleep 0.05; done
    exit $code
'"#;
    let run = Command::shell(main_venv(), &project, script)
        .without("RPYTEST_NO_DAEMON")
        .run();
    assert_eq!(run.code, 0, "{run}");
    let expected = project.read("signs/expected");
    if expected.is_empty() {
        println!("a network of one's own is not to be had: {run}");
    } else {
        run.expect(0, "3 passed");
        assert_eq!(project.read("signs/net"), expected.trim());
        assert_ne!(outside, expected.trim());
    }
    assert!(daemon.status().is_some(), "it goes on");
    daemon.stop();
    eventually("nothing is left", || processes_of(&project).is_empty());
}

#[test]
fn it_ends_when_nobody_needs_it() {
    let project = Project::new(SUITE);
    let daemon = Command::rpytest(main_venv(), &project)
        .output("daemon")
        .args(["--daemon", "--daemon-idle-timeout=4"])
        .start();
    within("it listens", || !sockets(&project).is_empty());
    borrower(main_venv(), &project).run().expect(0, "3 passed");
    let end = daemon.wait();
    assert_eq!((end.code, &*end.stderr), (0, ""), "{end}");
    eventually("nothing is left", || processes_of(&project).is_empty());
}

#[test]
fn a_daemon_that_was_killed_is_in_nobodys_way() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    daemon.run(&[]).expect(0, "3 passed");
    daemon.has_settled();
    daemon.kill();
    assert_eq!(sockets(&project).len(), 1, "it could not remove it");
    eventually("its processes are gone", || {
        processes_of(&project).is_empty()
    });
    let run = borrower(main_venv(), &project).args(["--explain"]).run();
    run.expect(0, "3 passed");
    assert!(
        run.stderr.contains("no daemon was used: no daemon runs"),
        "{run}"
    );
    // That run has started another.
    let next = Daemon::that_a_run_started(&project);
    let run = next.run(&["--explain"]);
    // An interpreter, or the session that it has grown by now.
    assert!(run.stderr.contains("the daemon lent "), "{run}");
    next.stop();
}

#[test]
fn its_end_does_not_touch_a_run() {
    let project = Project::new(SUITE);
    for warm in [false, true] {
        let daemon = Daemon::start(&project);
        if warm {
            daemon.run(&["--explain"]);
            daemon.has_settled();
        }
        project.write("--- signs/wait\n");
        let _ = fs::remove_file(project.root().join("signs/began"));
        let mut run = daemon.command().args(["--explain"]).start();
        run.until("it runs", || project.root().join("signs/began").exists());
        daemon.kill();
        fs::remove_file(project.root().join("signs/wait")).expect("it is there");
        let run = run.wait();
        run.expect(0, "3 passed");
        assert_eq!(borrowed_a_session(&run), warm, "{run}");
        eventually("nothing is left", || processes_of(&project).is_empty());
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    daemon.run(&[]).expect(0, "3 passed");
    daemon.has_settled();
    let before = processes_of(&project).len();
    for _ in 0..2 {
        project.write("--- signs/wait\n");
        let _ = fs::remove_file(project.root().join("signs/began"));
        let mut run = daemon.command().start();
        run.until("it runs", || project.root().join("signs/began").exists());
        run.signal(Signal::KILL);
        assert_eq!(run.wait().code, 128 + 9);
        // What the daemon has grown for it stays.
        within("its processes are gone", || {
            processes_of(&project).len() <= before
        });
    }
    fs::remove_file(project.root().join("signs/wait")).expect("it is there");
    daemon.run(&[]).expect(0, "3 passed");
    daemon.stop();
}

#[test]
fn two_runs_at_once_are_both_served() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    daemon.run(&["--explain"]);
    daemon.has_settled();
    project.write("--- signs/wait\n");
    let first = daemon.command().args(["--explain"]).output("first").start();
    let second = daemon
        .command()
        .args(["--explain"])
        .output("second")
        .start();
    fs::remove_file(project.root().join("signs/wait")).expect("it is there");
    for run in [first.wait(), second.wait()] {
        run.expect(0, "3 passed");
        assert!(borrowed_a_session(&run), "{run}");
    }
    daemon.stop();
}

#[test]
fn a_test_that_crashes_is_reported_once() {
    let project = Project::new(
        "
--- test_a.py
import os
import signal

def test_before():
    with open('log', 'a') as log:
        log.write('before ')

def test_crash():
    os.kill(os.getpid(), signal.SIGKILL)

def test_after():
    pass
",
    );
    let daemon = Daemon::start(&project);
    for warm in [false, true] {
        let run = daemon.run(&["--explain"]);
        run.expect(1, "1 failed, 2 passed");
        assert_eq!(borrowed_a_session(&run), warm, "{run}");
        run.shows(&["SIGKILL", "collected 3 items"]);
        assert_eq!(
            run.stdout.matches("test session starts").count(),
            1,
            "{run}"
        );
        daemon.has_settled();
    }
    assert_eq!(project.read("log"), "before before ");
    daemon.stop();
}

#[test]
fn an_interrupt_ends_a_run_as_it_ends_pytest() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    for warm in [false, true] {
        project.write("--- signs/wait\n");
        let _ = fs::remove_file(project.root().join("signs/began"));
        let mut run = daemon.command().args(["--explain"]).start();
        run.until("it runs", || project.root().join("signs/began").exists());
        run.signal_group(Signal::INT);
        let run = run.wait();
        run.expect(2, "1 passed");
        run.shows(&["KeyboardInterrupt"]);
        assert_eq!(borrowed_a_session(&run), warm, "{run}");
        daemon.has_settled();
    }
    daemon.stop();
}

#[test]
fn a_directory_of_others_is_refused() {
    let project = Project::new(SUITE);
    let place = project.base().join("open");
    fs::create_dir(&place).expect("a directory");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("a mode");
    let run = Command::rpytest(main_venv(), &project)
        .env("RPYTEST_DAEMON_DIR", &place.to_string_lossy())
        .args(["--daemon"])
        .run();
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.stderr.contains("others may enter it; `chmod 700` it"),
        "{run}"
    );
}

#[test]
fn many_runs_leave_no_trace_in_it() {
    let project = Project::new("--- test_a.py\ndef test():\n    pass\n");
    let daemon = Daemon::start(&project);
    // What it makes when it needs it first, it has made by then.
    for _ in 0..10 {
        daemon.run(&["-q"]).expect(0, "1 passed");
    }
    daemon.has_settled();
    let place = format!("/proc/{}/fd", daemon.pid().as_raw_nonzero());
    let descriptors = || {
        let entries = fs::read_dir(&place).expect("it runs").flatten();
        let files = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        files.collect::<Vec<_>>()
    };
    let count = || [descriptors().len(), processes_of(&project).len()];
    let fewest = (0..10).map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        count()
    });
    let before = fewest.min().expect("ten");
    for _ in 0..100 {
        daemon.run(&["-q"]).expect(0, "1 passed");
    }
    // What was about to end then may have been counted.
    within_or(
        || (count().iter().zip(&before)).all(|(now, before)| now <= before),
        || {
            let (files, processes) = (descriptors(), processes_of(&project));
            format!("it is as before, {before:?}, and not {files:?} {processes:?}")
        },
    );
    kill_process(daemon.pid(), Signal::TERM).expect("it runs");
    eventually("nothing is left", || processes_of(&project).is_empty());
}
