//! The stages of one session: configured, and collected.
//!
//! The second is a fork of the first. Each depends on the files that were looked at on the way to it, so
//! that the edit of a test module costs its collection, and not the configuration before it.

use std::time::{Instant, SystemTime};

use rpytest_ipc::Looked;
use rpytest_worker::{ProcessId, Signal, Supervisor};
use serde_bytes::ByteBuf;

use super::keep::{age, memory};
use super::stage::Stage;
use super::stamps::Stamps;
use super::wire::{self, For, Snapshot};

/// What a borrower gets.
pub(super) struct Best {
    pub(super) from: ProcessId,
    pub(super) stage: wire::Stage,
    /// What the session has written before: to standard output, and to standard error.
    pub(super) written: [ByteBuf; 2],
    /// Why it is not a deeper stage.
    pub(super) reasons: Vec<String>,
}

/// A session, for those who are alike.
pub(super) struct Session {
    pub(super) whom: For,
    pub(super) configured: Growth,
    pub(super) collected: Option<Growth>,
    /// The deepest stage that anybody has wanted.
    pub(super) deepest: wire::Stage,
    pub(super) used: Instant,
}

/// A process that grows to a stage, has reached it, or cannot.
pub(super) struct Growth {
    state: State,
    started: SystemTime,
    lent: u64,
}

enum State {
    Growing {
        process: ProcessId,
        stage: Stage,
    },
    Grown {
        process: ProcessId,
        /// Its descriptors stay as they are.
        _stage: Stage,
        /// All that the session has written until here.
        written: [ByteBuf; 2],
        stamps: Stamps,
    },
    /// It cannot be, as long as nothing changes.
    Refused {
        reasons: Vec<String>,
        stamps: Option<Stamps>,
    },
}

impl Growth {
    pub(super) fn begun(process: ProcessId, stage: Stage) -> Self {
        Self {
            state: State::Growing { process, stage },
            started: SystemTime::now(),
            lent: 0,
        }
    }

    pub(super) fn process(&self) -> Option<ProcessId> {
        match &self.state {
            State::Growing { process, .. } | State::Grown { process, .. } => Some(*process),
            State::Refused { .. } => None,
        }
    }

    /// The process that others are forked from.
    pub(super) fn grown(&self) -> Option<ProcessId> {
        match &self.state {
            State::Grown { process, .. } => Some(*process),
            State::Growing { .. } | State::Refused { .. } => None,
        }
    }

    fn stamps(&mut self) -> Option<&mut Stamps> {
        match &mut self.state {
            State::Growing { .. } => None,
            State::Grown { stamps, .. } => Some(stamps),
            State::Refused { stamps, .. } => stamps.as_mut(),
        }
    }

    /// Why what it was grown from is not there any more.
    pub(super) fn stale(&mut self) -> Option<String> {
        let path = self.stamps()?.changed()?;
        Some(format!("`{}` has changed", path.display()))
    }

    /// It has told that it is there, or why it cannot be. `before` is what an earlier stage has written.
    fn told(&mut self, reasons: Vec<String>, looked: &Looked, before: [ByteBuf; 2]) {
        let stamps = Stamps::since(self.started, looked);
        let refused = State::Refused {
            reasons,
            stamps: None,
        };
        let state = std::mem::replace(&mut self.state, refused);
        let (State::Growing { process, stage }, State::Refused { reasons, .. }) =
            (state, &mut self.state)
        else {
            return;
        };
        let written = match reasons.is_empty() {
            true => stage.written().map_err(|error| {
                reasons.push(format!("what it has written cannot be read: {error}"));
            }),
            false => Err(()),
        };
        self.state = match written {
            Ok([out, err]) => {
                let [mut all_out, mut all_err] = before;
                all_out.extend_from_slice(&out);
                all_err.extend_from_slice(&err);
                State::Grown {
                    process,
                    _stage: stage,
                    written: [all_out, all_err],
                    stamps,
                }
            }
            Err(()) => State::Refused {
                reasons: std::mem::take(reasons),
                stamps: Some(stamps),
            },
        };
    }

    /// Keeps it from being grown again before one of its files changes, and returns its process.
    fn give_up(&mut self, reason: &str) -> Option<ProcessId> {
        let process = self.process()?;
        let refused = State::Refused {
            reasons: vec![reason.to_owned()],
            stamps: None,
        };
        let before = std::mem::replace(&mut self.state, refused);
        if let (State::Grown { stamps: known, .. }, State::Refused { stamps, .. }) =
            (before, &mut self.state)
        {
            *stamps = Some(known);
        }
        Some(process)
    }

    fn snapshot(&mut self, stage: wire::Stage, whom: &For, supervisor: &Supervisor) -> Snapshot {
        let usable = self.grown().is_some() && self.stale().is_none();
        let pid = self.process().and_then(|process| supervisor.pid(process));
        let (files, refusals) = match &self.state {
            State::Growing { .. } => (0, Vec::new()),
            State::Grown { stamps, .. } => (stamps.len(), Vec::new()),
            State::Refused { reasons, stamps } => {
                (stamps.as_ref().map_or(0, Stamps::len), reasons.clone())
            }
        };
        let arguments = whom.borrower.arguments.iter();
        Snapshot {
            usable,
            stage,
            pid,
            age_seconds: age(self.started),
            files,
            lent: self.lent,
            memory_bytes: pid.and_then(memory),
            arguments: arguments
                .map(|argument| String::from_utf8_lossy(argument).into_owned())
                .collect(),
            refusals,
        }
    }
}

impl Session {
    pub(super) fn new(whom: For, configured: Growth) -> Self {
        Self {
            whom,
            configured,
            collected: None,
            deepest: wire::Stage::Configured,
            used: Instant::now(),
        }
    }

    pub(super) fn wants(&mut self, stage: wire::Stage) {
        self.deepest = self.deepest.max(stage);
    }

    pub(super) fn collects(&self) -> bool {
        self.deepest == wire::Stage::Collected
    }

    /// Those that are there or grow, the deeper one last.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        let both = [Some(&self.configured), self.collected.as_ref()];
        both.into_iter()
            .flatten()
            .filter_map(Growth::process)
            .collect()
    }

    pub(super) fn is_stale(&mut self) -> bool {
        let collected = self.collected.as_mut();
        self.configured.stale().is_some() || collected.is_some_and(|one| one.stale().is_some())
    }

    /// Whether nobody can have it for the one reason that it was grown too soon after something was written.
    pub(super) fn is_unsettled(&mut self) -> bool {
        let both = [Some(&mut self.configured), self.collected.as_mut()];
        let mut stamps = both.into_iter().flatten().filter_map(Growth::stamps);
        stamps.any(|stamps| stamps.are_unsettled())
    }

    pub(super) fn drop_stale_collection(&mut self, supervisor: &Supervisor) {
        let Some(collected) = &mut self.collected else {
            return;
        };
        if let Some(reason) = collected.stale() {
            tracing::debug!(reason, "a collection is dropped");
            if let Some(process) = collected.process() {
                supervisor.kill(process, Signal::Kill);
            }
            self.collected = None;
        }
    }

    /// Lends the deepest stage that there is, in the place of a lesser one.
    pub(super) fn improve(&mut self, best: &mut Best, deepest: wire::Stage) {
        let deep = deepest == wire::Stage::Collected;
        match &self.configured.state {
            State::Growing { .. } => {
                best.reasons = vec!["its session is being configured".to_owned()];
                return;
            }
            State::Refused { reasons, .. } => {
                best.reasons.clone_from(reasons);
                return;
            }
            State::Grown {
                process, written, ..
            } => {
                best.from = *process;
                best.stage = wire::Stage::Configured;
                best.written.clone_from(written);
            }
        }
        let collected = self.collected.as_mut().filter(|_| deep);
        match collected.as_ref().map(|collected| &collected.state) {
            Some(State::Grown {
                process, written, ..
            }) => {
                best.from = *process;
                best.stage = wire::Stage::Collected;
                best.written.clone_from(written);
            }
            Some(State::Growing { .. }) => {
                best.reasons = vec!["its session is being collected".to_owned()];
            }
            Some(State::Refused { reasons, .. }) => best.reasons.clone_from(reasons),
            None if deep => best.reasons = vec!["no collection has been kept for it".to_owned()],
            None => {}
        }
        match collected {
            Some(collected) if best.stage == wire::Stage::Collected => collected.lent += 1,
            _ => self.configured.lent += 1,
        }
    }

    /// One of its processes has told that it is there, or why it cannot be.
    pub(super) fn grown(&mut self, process: ProcessId, reasons: Vec<String>, looked: &Looked) {
        if self.configured.process() == Some(process) {
            self.configured.told(reasons, looked, Default::default());
        } else if let (Some(collected), State::Grown { written, .. }) =
            (&mut self.collected, &self.configured.state)
        {
            collected.told(reasons, looked, written.clone());
        }
    }

    /// Gives up the last stage that it has, and returns its process.
    pub(super) fn give_up(&mut self, reason: &str) -> Option<ProcessId> {
        let collected = self.collected.as_mut();
        collected
            .and_then(|collected| collected.give_up(reason))
            .or_else(|| self.configured.give_up(reason))
    }

    pub(super) fn snapshots(&mut self, supervisor: &Supervisor) -> Vec<Snapshot> {
        let whom = &self.whom;
        let configured = &mut self.configured;
        let configured = configured.snapshot(wire::Stage::Configured, whom, supervisor);
        let collected = self.collected.as_mut();
        let collected = collected.map(|one| one.snapshot(wire::Stage::Collected, whom, supervisor));
        [Some(configured), collected]
            .into_iter()
            .flatten()
            .collect()
    }
}
