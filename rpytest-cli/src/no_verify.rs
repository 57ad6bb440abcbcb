//! `--verify-dropin`, where it is not there yet.

use crate::args::VerifyArguments;
use crate::exit;

pub(crate) fn run(_: &VerifyArguments) -> u8 {
    eprintln!("rpytest: error: --verify-dropin is not supported on this system yet");
    exit::USAGE_ERROR
}
