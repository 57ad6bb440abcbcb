//! The daemon: a run that borrows from it is the run that there would be without it.

mod beginnings;
mod changes;
mod edits;
mod effects;
mod endings;
mod fixtures;
mod lifecycle;
mod quarantine;
mod terminal;

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::python::{Venv, main_venv};
use crate::support::run::{LIMIT, Running};
use crate::support::{Command, Project, Run};

/// A daemon for a project, which ends with its test.
struct Daemon<'a> {
    project: &'a Project,
    running: Option<Running>,
}

impl<'a> Daemon<'a> {
    fn start(project: &'a Project) -> Self {
        let running = Command::rpytest(main_venv(), project)
            .output("daemon")
            .args(["--daemon", "--daemon-idle-timeout", "60"])
            .start();
        let daemon = Daemon {
            project,
            running: Some(running),
        };
        within("the daemon answers", || daemon.status().is_some());
        daemon
    }

    /// The daemon that a run has left.
    fn that_a_run_started(project: &'a Project) -> Self {
        let running = None;
        let daemon = Daemon { project, running };
        within("the daemon answers", || daemon.status().is_some());
        daemon
    }

    /// A command that may borrow.
    fn command(&self) -> Command<'a> {
        borrower(main_venv(), self.project)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.command().args(arguments).run()
    }

    /// What `--daemon-status --json` prints.
    fn status(&self) -> Option<Value> {
        let run = Command::rpytest(main_venv(), self.project)
            .output("status")
            .args(["--daemon-status", "--json"])
            .run();
        (run.code == 0).then(|| serde_json::from_str(&run.stdout).expect("JSON"))
    }

    /// The stages of its sessions.
    fn sessions(&self) -> Vec<Value> {
        let status = self.status().expect("it runs");
        let snapshots = status["snapshots"].as_array().expect("a list").clone();
        let of_session = |snapshot: &Value| snapshot["stage"] != "interpreter";
        snapshots.into_iter().filter(of_session).collect()
    }

    /// Waits until it keeps a session, or knows that it must not.
    fn has_settled(&self) {
        within("a session is kept, or is refused", || {
            let refused = |session: &Value| {
                let why = session["refusals"].as_array();
                why.is_some_and(|why| !why.is_empty())
            };
            let sessions = self.sessions();
            let is_last = |session: &Value| session["stage"] == "collected" || refused(session);
            sessions.iter().any(is_last)
                && sessions
                    .iter()
                    .all(|session| session["usable"] == true || refused(session))
        });
    }

    fn pid(&self) -> Pid {
        let status = self.status().expect("it runs");
        let pid = status["pid"].as_i64().and_then(|pid| pid.try_into().ok());
        pid.and_then(Pid::from_raw).expect("a pid")
    }

    fn kill(mut self) {
        kill_process(self.pid(), Signal::KILL).expect("it runs");
        if let Some(running) = self.running.take() {
            assert_eq!(running.wait().code, 128 + 9);
        }
    }

    fn stop(mut self) {
        let stopped = Command::rpytest(main_venv(), self.project)
            .output("stop")
            .args(["--daemon-stop"])
            .run();
        assert_eq!(stopped.code, 0, "{stopped}");
        if let Some(running) = self.running.take() {
            let end = running.wait();
            assert_eq!((end.code, &*end.stderr), (0, ""), "{end}");
        }
    }
}

fn borrower<'p>(venv: &Venv, project: &'p Project) -> Command<'p> {
    Command::rpytest(venv, project).without("RPYTEST_NO_DAEMON")
}

/// Whether a run says by `--explain` that it had borrowed a session.
fn borrowed_a_session(run: &Run) -> bool {
    run.stderr
        .contains("the daemon lent a session that had collected")
}

/// Waits, not too eagerly, until something is so.
#[track_caller]
fn within(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT / 4;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: never");
        std::thread::sleep(Duration::from_millis(50));
    }
}
