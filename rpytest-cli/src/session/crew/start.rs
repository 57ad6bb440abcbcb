//! What a process is told that is to collect for the workers, or to be one.

use std::ffi::OsString;

use rpytest_ipc::{Focus, Role, ToPython, WorkerIdentity};

use crate::session::encode;

/// Which of the tests that the arguments name a run is about.
#[derive(Clone, Debug, Default)]
pub(in crate::session) struct PartOfTests {
    pub focus: Option<Focus>,
    pub sharded: bool,
    /// Whether tests are told with when they start.
    pub timed: bool,
    /// Whether somebody wants to hear of each.
    pub listens: bool,
}

/// The message that makes a process the template, or worker number `number` of `count`.
pub(in crate::session) fn start(
    role: Role,
    argv: &[OsString],
    number: u32,
    count: u32,
    testrunuid: &str,
    part: &PartOfTests,
) -> ToPython {
    ToPython::Start {
        role,
        argv: encode(argv),
        worker: Some(WorkerIdentity {
            id: name(number),
            count,
            testrunuid: testrunuid.to_owned(),
        }),
        settled: Vec::new(),
        focus: part.focus.clone(),
        sharded: part.sharded,
        timed: part.timed,
        listens: part.listens,
    }
}

/// A worker's name, as xdist would call it.
pub(super) fn name(number: u32) -> String {
    format!("gw{number}")
}
