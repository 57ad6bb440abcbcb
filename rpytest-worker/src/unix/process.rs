//! One process, as the monitor sees it.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Instant;

use rpytest_ipc::{MAX_FRAME, ToPython, encode_frame};

use super::channel::Channel;
use super::spawn;
use crate::crash::CrashFile;
use crate::end::{End, Fault, ProcessEnd};
use crate::error::SpawnError;
use crate::event::{EventKind, ProcessId};
use crate::interpreter::Interpreter;
use crate::life::{Last, Life, Origin};
use crate::log;
use crate::supervisor::Signal;

/// The code by which the Python side says that it could not import pytest.
const NO_PYTEST: i32 = 97;

/// A process that runs, or is to run.
pub(super) struct Process {
    pub(super) life: Life,
    /// `None` once it is closed.
    pub(super) channel: Option<Channel>,
    crash: CrashFile,
    pub(super) pid: Option<u32>,
    /// The last signal that was sent to it, or that is to be sent when its pid is known.
    pub(super) signal: Option<Signal>,
    pub(super) host: bool,
    /// Whether it runs items, and may have told of them in its spool only.
    pub(super) spools: bool,
    /// Whether a host was asked to end.
    pub(super) dismissed: bool,
    pub(super) source: Source,
}

/// Where it comes from.
pub(super) enum Source {
    Spawned {
        child: Child,
        interpreter: Interpreter,
    },
    Forked {
        parent: ProcessId,
    },
    /// Somebody else's host forks it, and nobody tells us how it ends.
    Adopted,
}

impl Process {
    pub(super) fn new(channel: Channel, crash: CrashFile, source: Source) -> Self {
        let origin = match source {
            Source::Spawned { .. } => Origin::Spawned,
            Source::Forked { .. } | Source::Adopted => Origin::Forked,
        };
        Process {
            life: Life::new(origin),
            channel: Some(channel),
            crash,
            pid: None,
            signal: None,
            host: false,
            spools: false,
            dismissed: false,
            source,
        }
    }

    pub(super) fn is_child_of(&self, id: ProcessId) -> bool {
        matches!(self.source, Source::Forked { parent } if parent == id)
    }

    pub(super) fn queue(&mut self, frame: Vec<u8>, fds: Vec<OwnedFd>) {
        if let Some(channel) = &mut self.channel {
            channel.queue(frame, fds);
        }
    }

    pub(super) fn queue_message(&mut self, id: ProcessId, message: &ToPython) {
        log::sent(id, message);
        match encode_frame(message, MAX_FRAME) {
            Ok(frame) => self.queue(frame, Vec::new()),
            Err(error) => self.fault(Fault::ChannelFailed(error.to_string())),
        }
    }

    pub(super) fn close(&mut self) {
        self.channel = None;
        let now = Instant::now();
        self.life.closed(now);
        if let Source::Adopted = self.source {
            self.life.host_gone(now);
            if self.dismissed {
                // It has closed everything, and somebody else reaps it.
                self.life.ended(ProcessEnd::Unknown);
            }
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.life.faulted(fault);
        self.close();
    }

    pub(super) fn into_last(self, last: Last) -> EventKind {
        let crash_text = self.crash.text();
        match (last, self.source) {
            (Last::ForkFailed { reason }, _) => EventKind::ForkFailed(reason),
            (Last::StartFailed { status, fault }, Source::Spawned { interpreter, .. }) => {
                let interpreter = interpreter.path().to_owned();
                EventKind::StartFailed(match (fault, status) {
                    (Some(fault), _) => SpawnError::Handshake { interpreter, fault },
                    (None, ProcessEnd::Code(NO_PYTEST)) => SpawnError::NoPytest { interpreter },
                    (None, status) => SpawnError::Died {
                        interpreter,
                        status,
                        crash_text,
                    },
                })
            }
            (Last::StartFailed { status, fault } | Last::Ended { status, fault }, _) => {
                let by_supervisor = match (status, self.signal) {
                    (ProcessEnd::Signal(number), Some(sent)) => {
                        number == spawn::rustix_signal(sent).as_raw()
                    }
                    (ProcessEnd::Unknown, sent) => sent == Some(Signal::Kill),
                    _ => false,
                };
                EventKind::Ended(End {
                    status,
                    crash_text,
                    fault,
                    by_supervisor,
                })
            }
        }
    }
}
