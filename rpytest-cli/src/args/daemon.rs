//! The commands of a daemon.

use super::given::Given;
use super::{DaemonCommand, Limits, UsageError};
use crate::settings::size;

/// How a run starts a daemon for the next one.
pub(crate) const SERVE_ON: &str = "--daemon-for-the-next-run";

pub(super) const IDLE_TIMEOUT: &str = "--daemon-idle-timeout";
pub(super) const MEMORY: &str = "--daemon-memory";

/// Where a run's daemon has it from.
pub(super) const IN_SETTINGS: &str = "; for a daemon that a run starts, [tool.rpytest] has it";

/// Each stands alone.
const COMMANDS: [&str; 5] = [
    "--daemon",
    "--daemon-status",
    "--daemon-stop",
    "--session-status",
    SERVE_ON,
];
const JSON: &str = "--json";

/// The command of a daemon, if there is one.
pub(super) fn command(given: &Given) -> Result<Option<DaemonCommand>, UsageError> {
    let Some(command) = given.first_of(&COMMANDS) else {
        return Ok(None);
    };
    // To the others, which tell nothing, it is an argument like any other.
    let tells = ["--daemon-status", "--session-status"].contains(&command);
    let others = match tells {
        true => given.others(&[command, JSON, IDLE_TIMEOUT, MEMORY]),
        false => given.others(&[command, IDLE_TIMEOUT, MEMORY]),
    };
    if !others.is_empty() {
        let arguments = others.join(" ");
        return Err(UsageError::Arguments { command, arguments });
    }
    let seconds = |text: &str| text.parse().ok();
    let idle_timeout = given.parsed(IDLE_TIMEOUT, seconds, |text| {
        format!("{text:?} is no number of seconds; 0 is never")
    })?;
    let memory = given.parsed(MEMORY, size, |text| {
        format!("{text:?} is no size; 512M and 2G are")
    })?;
    let json = given.has(JSON);
    Ok(Some(match command {
        "--daemon" => DaemonCommand::Serve(Limits {
            idle_timeout,
            memory,
        }),
        SERVE_ON => DaemonCommand::ServeOn,
        "--daemon-status" => DaemonCommand::Status { json },
        "--session-status" => DaemonCommand::SessionStatus { json },
        _ => DaemonCommand::Stop,
    }))
}
