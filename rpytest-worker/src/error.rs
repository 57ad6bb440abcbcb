//! What can go wrong when a process is started or spoken to.

use std::io;
use std::path::PathBuf;

use crate::end::{Fault, ProcessEnd};

/// Why there is no Python process where one was asked for.
///
/// The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The operating system did not start the interpreter.
    #[error("start the Python interpreter `{}`: {source}", .interpreter.display())]
    NotStarted {
        /// The interpreter.
        interpreter: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The interpreter has no pytest.
    #[error(
        "import pytest with `{python}`: it is not installed there; `{python} -m pip install \
         pytest` would do that, and PYTHON or VIRTUAL_ENV chooses another interpreter",
        python = .interpreter.display()
    )]
    NoPytest {
        /// The interpreter.
        interpreter: PathBuf,
    },
    /// The interpreter ended before it introduced itself. What it had to say is on its stderr.
    #[error("start pytest with `{}`: {status} before it was ready", .interpreter.display())]
    Died {
        /// The interpreter.
        interpreter: PathBuf,
        /// How it ended.
        status: ProcessEnd,
        /// What its fault handler wrote, if it wrote anything.
        crash_text: Option<String>,
    },
    /// What the interpreter runs does not speak the protocol.
    #[error("shake hands with `{}`: the process {fault}", .interpreter.display())]
    Handshake {
        /// The interpreter.
        interpreter: PathBuf,
        /// What it did.
        fault: Fault,
    },
    /// The operating system denied a socket, a temporary file or a thread.
    #[error("prepare for a Python process: {0}")]
    Resources(#[source] io::Error),
    /// The supervisor is shutting down.
    #[error("start a Python process during a shutdown")]
    ShuttingDown,
    /// Processes cannot be supervised on this platform yet.
    #[error("supervise Python processes on this platform, which is not supported yet")]
    Unsupported,
}

/// Why a message could not be queued: it cannot be encoded, or is too large for a frame.
#[derive(Debug, thiserror::Error)]
#[error("queue a message for a Python process")]
pub struct SendError(#[from] rpytest_ipc::Error);
