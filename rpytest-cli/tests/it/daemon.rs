//! The daemon: a run that borrows from it is the run that there would be without it.

mod beginnings;
mod changes;
mod edits;
mod effects;
mod endings;
mod fixtures;
mod lifecycle;
mod quarantine;
mod terminal;

use crate::support::Run;
use crate::support::daemon::{Daemon, borrower, within};

/// Whether a run says by `--explain` that it had borrowed a session.
fn borrowed_a_session(run: &Run) -> bool {
    run.stderr
        .contains("the daemon lent a session that had collected")
}
