#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![cfg_attr(
    not(unix),
    expect(
        dead_code,
        reason = "without a backend nobody tells of lives and crashes"
    )
)]

mod crash;
pub mod embedded;
mod end;
mod error;
mod event;
pub mod interpreter;
mod life;
mod log;
mod rewritten;
mod spool;
mod supervisor;

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "unsupported.rs"]
mod platform;

pub use embedded::PythonFiles;
pub use end::{End, Fault, ProcessEnd, signal_name};
pub use error::{SendError, SpawnError};
pub use event::{EventKind, ProcessId, SupervisorEvent};
pub use interpreter::Interpreter;
pub use rewritten::RewrittenStore;
pub use rpytest_ipc::Peer;
pub use supervisor::{Options, Signal, Supervisor};
