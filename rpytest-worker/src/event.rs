//! What the supervisor tells about its processes.

use std::fmt;

use rpytest_ipc::{Peer, ToRust};

use crate::end::End;
use crate::error::SpawnError;

/// The supervisor's number for a process. It is never used again, as a pid is, and it is also what
/// the protocol calls `child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.0)
    }
}

/// Something that happened to one process.
#[derive(Debug)]
#[non_exhaustive]
pub struct SupervisorEvent {
    /// The process.
    pub process: ProcessId,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a process.
///
/// For each process that the supervisor gave a number to, exactly one event is the last:
/// [`EventKind::Ended`], [`EventKind::StartFailed`] or [`EventKind::ForkFailed`]. All messages that
/// the process managed to send come before it.
#[derive(Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// It introduced itself, in the right version of the protocol. At most once, before any
    /// message.
    Ready(Peer),
    /// It sent a message. Those that the supervisor itself answers or acts upon (`hello`, `forked`,
    /// `fork_failed`, `exited`) are not passed on.
    Message(ToRust),
    /// It ended. The last event of a process.
    Ended(End),
    /// A started interpreter ended before it introduced itself. The last event of a process.
    StartFailed(SpawnError),
    /// No child was made, for this reason. The last event of a process.
    ForkFailed(String),
}

impl EventKind {
    /// Whether no other event of the same process will follow.
    pub fn is_last(&self) -> bool {
        match self {
            EventKind::Ready(_) | EventKind::Message(_) => false,
            EventKind::Ended(_) | EventKind::StartFailed(_) | EventKind::ForkFailed(_) => true,
        }
    }
}
