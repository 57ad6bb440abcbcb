//! The `rpytest` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rpytest_cli::main(std::env::args_os().skip(1).collect())
}
