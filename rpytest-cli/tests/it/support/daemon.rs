//! A daemon of a test's own.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::python::{Venv, main_venv};
use super::run::{LIMIT, Running};
use super::{Command, Project, Run};

/// A daemon for a project, which ends with its test.
#[derive(Debug)]
pub struct Daemon<'a> {
    venv: &'a Venv,
    project: &'a Project,
    running: Option<Running>,
}

impl<'a> Daemon<'a> {
    pub fn start(project: &'a Project) -> Self {
        Daemon::start_in(main_venv(), project)
    }

    /// For the runs of an environment.
    pub fn start_in(venv: &'a Venv, project: &'a Project) -> Self {
        let running = Command::rpytest(venv, project)
            .output("daemon")
            .args(["--daemon", "--daemon-idle-timeout", "60"])
            .start();
        Daemon::that_runs(venv, project, running)
    }

    /// One that was started with arguments of its own.
    pub fn that_runs(venv: &'a Venv, project: &'a Project, running: Running) -> Self {
        let daemon = Daemon {
            venv,
            project,
            running: Some(running),
        };
        within("the daemon answers", || daemon.status().is_some());
        daemon
    }

    /// The daemon that a run has left.
    pub fn that_a_run_started(project: &'a Project) -> Self {
        let daemon = Daemon {
            venv: main_venv(),
            project,
            running: None,
        };
        within("the daemon answers", || daemon.status().is_some());
        daemon
    }

    /// A command that may borrow.
    pub fn command(&self) -> Command<'a> {
        borrower(self.venv, self.project)
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.command().args(arguments).run()
    }

    /// What `--daemon-status --json` prints.
    pub fn status(&self) -> Option<Value> {
        let run = Command::rpytest(self.venv, self.project)
            .output("status")
            .args(["--daemon-status", "--json"])
            .run();
        (run.code == 0).then(|| serde_json::from_str(&run.stdout).expect("JSON"))
    }

    /// The stages of its sessions.
    pub fn sessions(&self) -> Vec<Value> {
        sessions(&self.status().expect("it runs"))
    }

    /// How many of its sessions have been lent.
    pub fn lent(&self) -> usize {
        let sessions = self.sessions();
        let lent = sessions.iter().filter(|one| one["lent"].as_u64() > Some(0));
        lent.count()
    }

    /// Waits until it keeps a session, or knows that it must not, and nothing that was lent is still in use: what
    /// comes after a run begins with its end.
    pub fn has_settled(&self) {
        let is_so = || {
            let refused = |session: &Value| {
                let why = session["refusals"].as_array();
                why.is_some_and(|why| !why.is_empty())
            };
            // Files have changed, and another session was used since then: it waits for somebody to ask for it.
            let waits = |session: &Value| {
                let is_grown = session["files"].as_u64() > Some(0);
                is_grown && session["age_seconds"].as_f64() > Some(10.0)
            };
            let status = self.status().expect("it runs");
            let sessions = sessions(&status);
            let is_last = |session: &Value| session["stage"] == "collected" || refused(session);
            status["runs"] == 0
                && sessions.iter().any(is_last)
                && sessions
                    .iter()
                    .all(|session| session["usable"] == true || refused(session) || waits(session))
        };
        within_or(is_so, || {
            format!("a session is kept, or is refused, of {:#?}", self.status())
        });
    }

    pub fn pid(&self) -> Pid {
        let status = self.status().expect("it runs");
        let pid = status["pid"].as_i64().and_then(|pid| pid.try_into().ok());
        pid.and_then(Pid::from_raw).expect("a pid")
    }

    pub fn kill(mut self) {
        kill_process(self.pid(), Signal::KILL).expect("it runs");
        if let Some(running) = self.running.take() {
            assert_eq!(running.wait().code, 128 + 9);
        }
    }

    pub fn stop(mut self) {
        let stopped = Command::rpytest(self.venv, self.project)
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

/// The stages of sessions that a status tells of.
fn sessions(status: &Value) -> Vec<Value> {
    let snapshots = status["snapshots"].as_array().expect("a list").clone();
    let of_session = |snapshot: &Value| snapshot["stage"] != "interpreter";
    snapshots.into_iter().filter(of_session).collect()
}

/// A command that may borrow from a daemon.
pub fn borrower<'p>(venv: &Venv, project: &'p Project) -> Command<'p> {
    Command::rpytest(venv, project).without("RPYTEST_NO_DAEMON")
}

/// Waits, not too eagerly, until something is so.
#[track_caller]
pub fn within(what: &str, condition: impl Fn() -> bool) {
    within_or(condition, || what.to_owned());
}

/// The same, and says in the end what is not so.
#[track_caller]
pub fn within_or(condition: impl Fn() -> bool, what: impl Fn() -> String) {
    let deadline = Instant::now() + LIMIT / 4;
    while !condition() {
        assert!(Instant::now() < deadline, "{}: never", what());
        std::thread::sleep(Duration::from_millis(50));
    }
}
