//! The `rpytest` command.

use std::process::ExitCode;

// To collect is to make many small values on all cores, which the system's allocators are slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rpytest_cli::main(std::env::args_os().skip(1).collect())
}
