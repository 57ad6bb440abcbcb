//! Where there is no daemon.

use std::ffi::OsString;

use rpytest_worker::{Interpreter, ProcessId, Supervisor};

use super::reuse::Reuse;
use crate::args::RunArguments;
use crate::settings::Snapshot;

/// Nobody.
#[derive(Default)]
pub(super) struct Lender;

pub(super) fn whether(_: &RunArguments, _: Snapshot) -> Result<(), String> {
    Err("there is none on this platform".to_owned())
}

pub(super) fn borrow(
    _: &Supervisor,
    _: &Interpreter,
    _: &[OsString],
    _: Snapshot,
    _: Option<Reuse>,
) -> Lender {
    Lender
}

impl Lender {
    pub(super) fn none(_: String) -> Self {
        Self
    }

    pub(super) fn host(&self) -> Option<ProcessId> {
        None
    }

    pub(super) fn keeps_fixtures(&self) -> bool {
        false
    }

    pub(super) fn start_for_the_next(&self, _: &Interpreter, _: &[OsString]) {}

    pub(super) fn show_what_was_written(&self) {}

    pub(super) fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
