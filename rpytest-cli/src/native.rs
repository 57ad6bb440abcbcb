//! `--native-collect-only`.

use std::ffi::OsString;

pub(crate) fn collect(_arguments: &[OsString]) -> u8 {
    todo!()
}
