//! A process that keeps fixtures up between runs.
//!
//! There is one at most: what fixtures are about, ports and databases, is seldom there twice. It is lent as
//! it is, to one run after the other, and tears its fixtures down when it is told to end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rpytest_ipc::{KeptFixture, Looked, ToPython};
use rpytest_worker::{ProcessId, Signal, Supervisor};
use serde_bytes::ByteBuf;

use super::keep::{Key, age, memory, path};
use super::stamps::Stamps;
use super::wire::{Borrower, Reuse, UpFixture, WarmStatus};

/// How long fixtures may take to be torn down.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process, and what is up in it.
pub(super) struct Warm {
    pub(super) process: ProcessId,
    /// Of the interpreter that it was forked from.
    pub(super) keep: usize,
    key: Key,
    cwd: ByteBuf,
    umask: u32,
    inherited: Vec<u32>,
    arguments: Vec<ByteBuf>,
    state: State,
    started: SystemTime,
    /// Of what the fixtures depend on.
    stamps: Option<Stamps>,
    fixtures: Vec<KeptFixture>,
    max_age: u64,
    runs: u64,
    pub(super) used: Instant,
}

#[derive(Debug, PartialEq)]
enum State {
    Idle,
    /// With whether its borrower has gone.
    Busy {
        left: bool,
    },
    Ending {
        since: Instant,
        killed: bool,
    },
}

impl Warm {
    pub(super) fn new(process: ProcessId, keep: usize, borrower: &Borrower) -> Self {
        Self {
            process,
            keep,
            key: Key::of(borrower),
            cwd: borrower.cwd.clone(),
            umask: borrower.umask,
            inherited: borrower.inherited.clone(),
            arguments: Vec::new(),
            state: State::Idle,
            started: SystemTime::now(),
            stamps: None,
            fixtures: Vec::new(),
            max_age: 0,
            runs: 0,
            used: Instant::now(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    pub(super) fn is_busy(&self) -> bool {
        self.state == State::Busy { left: false }
    }

    /// Its borrower has gone, and it may be about to say what is up.
    pub(super) fn is_left(&mut self) {
        if let State::Busy { left } = &mut self.state {
            *left = true;
        }
    }

    /// How many fixtures are up.
    pub(super) fn up(&self) -> usize {
        self.fixtures.len()
    }

    /// Why its fixtures are not what a run would set up.
    pub(super) fn stale(&mut self) -> Option<String> {
        if let Some(path) = self
            .stamps
            .as_mut()
            .and_then(|stamps| stamps.changed().cloned())
        {
            return Some(format!("`{}` has changed", path.display()));
        }
        let now = seconds(SystemTime::now());
        let oldest = self
            .fixtures
            .iter()
            .min_by(|a, b| a.since.total_cmp(&b.since))?;
        #[allow(clippy::cast_precision_loss, reason = "nobody waits that long")]
        let is_old = self.max_age > 0 && now - oldest.since >= self.max_age as f64;
        is_old.then(|| {
            format!(
                "the fixture {:?} was older than {} s",
                oldest.name, self.max_age
            )
        })
    }

    /// Why it is of no use for a run.
    pub(super) fn unfit(&mut self, keep: usize, borrower: &Borrower) -> Option<String> {
        let other = |what: &str| Some(format!("a run came with another {what}"));
        if self.key != Key::of(borrower) {
            return other("environment or interpreter");
        }
        if self.keep != keep {
            return Some("what is installed has changed".to_owned());
        }
        if self.cwd != borrower.cwd {
            return other("directory");
        }
        if self.umask != borrower.umask {
            return other("umask");
        }
        if self.inherited != borrower.inherited {
            return other("set of inherited descriptors");
        }
        self.stale()
    }

    pub(super) fn is_lent(&mut self, borrower: &Borrower, reuse: Reuse) {
        self.state = State::Busy { left: false };
        self.arguments.clone_from(&borrower.arguments);
        self.max_age = reuse.max_age;
        self.runs += 1;
        self.used = Instant::now();
    }

    /// Its run is over, and it says what is up.
    pub(super) fn keeps(&mut self, fixtures: Vec<KeptFixture>, looked: &Looked) {
        self.state = State::Idle;
        self.used = Instant::now();
        self.fixtures = fixtures;
        self.stamps = Some(Stamps::since(self.started, looked));
    }

    /// Has it tear everything down and end.
    pub(super) fn release(&mut self, supervisor: &Supervisor) {
        if let State::Ending { .. } = self.state {
            return;
        }
        let (since, killed) = (Instant::now(), false);
        self.state = State::Ending { since, killed };
        if let Err(error) = supervisor.send(self.process, &ToPython::Release {}) {
            tracing::error!(%error, "the warm process");
            supervisor.kill(self.process, Signal::Kill);
        }
    }

    /// It says that nothing is up any more.
    pub(super) fn is_released(&mut self) {
        let (since, killed) = (Instant::now(), false);
        self.state = State::Ending { since, killed };
        self.fixtures.clear();
    }

    /// Ends it if it takes too long to end by itself, and returns what to say of that.
    pub(super) fn hurry(&mut self, supervisor: &Supervisor) -> Option<String> {
        let State::Ending { since, killed } = &mut self.state else {
            return None;
        };
        if *killed || since.elapsed() < PATIENCE {
            return None;
        }
        *killed = true;
        supervisor.kill(self.process, Signal::Kill);
        let names: Vec<String> = self
            .fixtures
            .iter()
            .map(|one| format!("{:?}", one.name))
            .collect();
        Some(format!(
            "after {} s the process of the fixtures {} had not ended, and was killed",
            PATIENCE.as_secs(),
            names.join(", ")
        ))
    }

    pub(super) fn status(&mut self, supervisor: &Supervisor) -> WarmStatus {
        let now = seconds(SystemTime::now());
        let pid = supervisor.pid(self.process);
        WarmStatus {
            pid,
            state: match self.state {
                State::Idle => "idle",
                State::Busy { .. } => "busy",
                State::Ending { .. } => "ending",
            }
            .to_owned(),
            age_seconds: age(self.started),
            max_age_seconds: (self.max_age > 0).then_some(self.max_age),
            runs: self.runs,
            files: self.stamps.as_ref().map_or(0, Stamps::len),
            memory_bytes: pid.and_then(memory),
            arguments: self
                .arguments
                .iter()
                .map(|argument| String::from_utf8_lossy(argument).into_owned())
                .collect(),
            fixtures: self
                .fixtures
                .iter()
                .map(|one| UpFixture {
                    name: one.name.clone(),
                    scope: one.scope.clone(),
                    file: path(&one.file).display().to_string(),
                    age_seconds: (now - one.since).max(0.0),
                })
                .collect(),
        }
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
