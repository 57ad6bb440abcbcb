//! Where there is no daemon.

use crate::args::DaemonCommand;
use crate::exit;

/// Refuses.
pub(crate) fn run(_: &DaemonCommand) -> u8 {
    eprintln!("rpytest: error: there is no daemon on this platform");
    exit::USAGE_ERROR
}
