//! `--watch`, where it is not there yet.

use crate::args::RunArguments;
use crate::exit;

pub(crate) fn run(_: &RunArguments) -> u8 {
    eprintln!("rpytest: error: --watch is not supported on this system yet");
    exit::USAGE_ERROR
}
