#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod amounts;
mod args;
mod cleanup;
mod collect;
mod convert;
#[cfg(unix)]
mod daemon;
#[cfg_attr(unix, path = "daemon_commands.rs")]
#[cfg_attr(not(unix), path = "no_daemon.rs")]
mod daemon_commands;
mod discover;
mod durations;
mod editor;
mod events;
mod flakiness;
mod history;
#[cfg(unix)]
mod inherited;
mod junit;
mod ledger;
mod merge;
mod native;
mod quoted;
mod session;
mod settings;
mod shard;
mod signals;
mod timeline;
#[cfg(unix)]
mod verify;
#[cfg(not(unix))]
#[path = "no_verify.rs"]
mod verify;
#[cfg(unix)]
mod watch;
#[cfg(not(unix))]
#[path = "no_watch.rs"]
mod watch;
mod whole_file;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use args::{
    Command, DaemonCommand, DiscoverFormat, DurationsCommand, Limits, MergeArguments,
    MessageArguments, MessageFormat, MessageOutput, RunArguments, ShardArguments, ShardIndex,
    Shell, TimingArguments, UsageError, VerifyArguments,
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

    /// All of them, for the manual page.
    pub(crate) const MEANINGS: &[(u8, &str)] = &[
        (0, "All tests passed."),
        (1, "Tests failed."),
        (INTERRUPTED, "The run was interrupted."),
        (
            INTERNAL_ERROR,
            "An internal error; a test without a result is one.",
        ),
        (
            USAGE_ERROR,
            "The command line or the configuration is wrong.",
        ),
        (NO_TESTS_COLLECTED, "There are no tests."),
    ];
}

/// Runs the command with these arguments (without the program's name) and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    #[cfg(unix)]
    inherited::look();
    log_to_stderr();
    let command = Command::parse(arguments).map_err(Box::from);
    let command = match command.and_then(Command::with_settings) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            return ExitCode::from(exit::USAGE_ERROR);
        }
    };
    let command = match heard(command) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            return ExitCode::from(exit::USAGE_ERROR);
        }
    };
    match command {
        Command::Run(run) => ExitCode::from(collect::run_or_collect(&run)),
        Command::EditorServer(arguments) => ExitCode::from(editor::serve(&arguments)),
        Command::Discover(run, format) => ExitCode::from(discover::run(&run, format)),
        Command::Watch(run) => ExitCode::from(watch::run(&run)),
        Command::Verify(arguments) => ExitCode::from(verify::run(&arguments)),
        Command::Daemon(command) => ExitCode::from(daemon_commands::run(&command)),
        Command::ShardInfo(run) => ExitCode::from(shard::show(&run)),
        Command::Merge(arguments) => ExitCode::from(merge::run(&arguments)),
        Command::Durations(command) => ExitCode::from(durations::run(&command)),
        Command::Cleanup => ExitCode::from(cleanup::run()),
        Command::InventoryStatus { arguments, json } => {
            ExitCode::from(collect::status(&arguments, json))
        }
        Command::FlakyReport { json } => ExitCode::from(flakiness::run(json)),
        Command::Help(text) => ExitCode::from(print(text.as_bytes())),
        Command::Completions(shell) => {
            let mut script = Vec::new();
            args::complete(shell, &mut script);
            ExitCode::from(print(&script))
        }
        Command::Manual => {
            let mut page = Vec::new();
            // Writing to memory does not fail.
            let _ = args::manual(&mut page);
            ExitCode::from(print(&page))
        }
        Command::NativeCollect(arguments) => ExitCode::from(native::collect(&arguments)),
    }
}

/// Opens what the messages of a run go to, before anything is written.
fn heard(mut command: Command) -> Result<Command, Box<dyn std::error::Error>> {
    if let Command::Run(run) | Command::Watch(run) = &mut command {
        let asked = std::mem::take(&mut run.messages);
        run.messages = asked.with(|name| std::env::var_os(name))?;
        events::prepare(&run.messages).map_err(|error| format!("failed to {error}"))?;
    }
    Ok(command)
}

/// Prints a text that was asked for, and returns the exit code. Whoever closes the pipe has seen enough.
fn print(text: &[u8]) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("rpytest: error: cannot write: {error}");
            exit::INTERNAL_ERROR
        }
        _ => 0,
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
