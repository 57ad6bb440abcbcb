//! How processes are told of, and of what: ends, events, arguments and paths.

use std::ffi::OsString;
use std::path::PathBuf;

use rpytest_ipc::{Event, ToPython};
use rpytest_worker::End;
use serde_bytes::ByteBuf;

use super::Processes;

/// How a process ended, with what its fault handler had to say.
pub(crate) fn describe(end: &End) -> String {
    match &end.crash_text {
        Some(text) => format!("{end}\n{}", text.trim_end()),
        None => end.to_string(),
    }
}

/// What is told of an item whose process has ended.
#[derive(Clone, Debug)]
pub(crate) struct Crash {
    /// How it ended, with what its fault handler had to say.
    pub reason: String,
    /// Which limit the item has exceeded, if the process was ended for that.
    pub limit: Option<String>,
}

impl From<String> for Crash {
    /// It ended by itself.
    fn from(reason: String) -> Self {
        Crash {
            reason,
            limit: None,
        }
    }
}

/// An event for the controller.
pub(crate) fn tell(processes: &Processes, worker: &str, event: Event) {
    processes.outbox.borrow_mut().push(ToPython::Event {
        worker: worker.to_owned(),
        event,
    });
}

pub(crate) fn encode(arguments: &[OsString]) -> Vec<ByteBuf> {
    arguments
        .iter()
        .map(|argument| ByteBuf::from(argument.as_encoded_bytes()))
        .collect()
}

#[cfg(unix)]
pub(crate) fn decode(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(path))
}

#[cfg(not(unix))]
pub(crate) fn decode(path: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(path).into_owned())
}
