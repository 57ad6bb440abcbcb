#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod args;
mod collect;
mod convert;
#[cfg(unix)]
mod daemon;
#[cfg_attr(unix, path = "daemon_commands.rs")]
#[cfg_attr(not(unix), path = "no_daemon.rs")]
mod daemon_commands;
mod discover;
mod durations;
mod history;
#[cfg(unix)]
mod inherited;
mod junit;
mod ledger;
mod merge;
mod native;
mod session;
mod settings;
mod shard;
mod signals;
mod timeline;
#[cfg(unix)]
mod watch;
#[cfg(not(unix))]
#[path = "no_watch.rs"]
mod watch;
mod whole_file;

use std::ffi::OsString;
use std::process::ExitCode;

pub use args::{
    Command, DaemonCommand, DiscoverFormat, DurationsCommand, Limits, MergeArguments, RunArguments,
    ShardArguments, ShardIndex, TimingArguments, UsageError,
};
pub use history::{HISTORY_FILE, HistoryError};

/// pytest's exit codes, and what each means here.
pub mod exit {
    /// An internal error: the run itself went wrong.
    pub const INTERNAL_ERROR: u8 = 3;
    /// The user interrupted the run.
    pub const INTERRUPTED: u8 = 2;
    /// The command line or the configuration is wrong.
    pub const USAGE_ERROR: u8 = 4;
    /// There are no tests.
    pub const NO_TESTS_COLLECTED: u8 = 5;
}

/// Runs the command with these arguments (without the program's name) and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    #[cfg(unix)]
    inherited::look();
    log_to_stderr();
    let command = match Command::parse(arguments) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            return ExitCode::from(exit::USAGE_ERROR);
        }
    };
    match command {
        Command::Run(run) => ExitCode::from(collect::run_or_collect(&run)),
        Command::Discover(run, format) => ExitCode::from(discover::run(&run, format)),
        Command::Watch(run) => ExitCode::from(watch::run(&run)),
        Command::Daemon(command) => ExitCode::from(daemon_commands::run(&command)),
        Command::ShardInfo(run) => ExitCode::from(shard::show(&run)),
        Command::Merge(arguments) => ExitCode::from(merge::run(&arguments)),
        Command::Durations(command) => ExitCode::from(durations::run(&command)),
        Command::Help(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Command::NativeCollect(arguments) => ExitCode::from(native::collect(&arguments)),
    }
}

/// `RPYTEST_LOG`, or `RUST_LOG`, in the usual syntax: `rpytest_ipc=debug` shows each message.
fn log_to_stderr() {
    let Some(filter) = ["RPYTEST_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
    else {
        return;
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
