//! The commands of a daemon.

use std::ffi::OsString;

use super::{DaemonCommand, Limits, UsageError};
use crate::settings::size;

/// How a run starts a daemon for the next one.
pub(crate) const SERVE_ON: &str = "--daemon-for-the-next-run";

/// The command of a daemon, if there is one before `--`. It stands alone.
pub(super) fn command(arguments: &[OsString]) -> Result<Option<DaemonCommand>, UsageError> {
    const IDLE_TIMEOUT: &str = "--daemon-idle-timeout";
    const MEMORY: &str = "--daemon-memory";
    let mut command = None;
    let mut others = Vec::new();
    let (mut json, mut idle, mut memory) = (false, None, None);
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let mut words = words.take_while(|word| word != "--");
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&*word, None),
        };
        match name {
            "--daemon" => command = Some("--daemon"),
            "--daemon-status" => command = Some("--daemon-status"),
            "--daemon-stop" => command = Some("--daemon-stop"),
            "--session-status" => command = Some("--session-status"),
            SERVE_ON => command = Some(SERVE_ON),
            // With a value it is a plugin's; of a run it is what `--message-format json` is.
            "--json" if value.is_none() => json = true,
            IDLE_TIMEOUT | MEMORY => {
                let value = value.or_else(|| words.next().map(|word| word.into_owned()));
                let place = if name == MEMORY {
                    &mut memory
                } else {
                    &mut idle
                };
                *place = Some(value.unwrap_or_default());
            }
            _ => others.push(word.into_owned()),
        }
    }
    let alone = |option, needs| UsageError::Alone {
        option,
        needs,
        remedy: "",
    };
    let tells = [None, Some("--daemon-status"), Some("--session-status")];
    if json && !tells.contains(&command) {
        return Err(alone("--json", "--daemon-status or --session-status"));
    }
    for (option, value) in [(IDLE_TIMEOUT, &idle), (MEMORY, &memory)] {
        if value.is_some() && command != Some("--daemon") {
            return Err(UsageError::Alone {
                option,
                needs: "--daemon",
                remedy: "; for a daemon that a run starts, [tool.rpytest] has it",
            });
        }
    }
    let Some(command) = command else {
        return Ok(None);
    };
    if !others.is_empty() {
        let arguments = others.join(" ");
        return Err(UsageError::Arguments { command, arguments });
    }
    let wrong = |option, problem| UsageError::Value { option, problem };
    let idle_timeout = idle.map(|text| {
        let problem = || format!("{text:?} is no number of seconds; 0 is never");
        text.parse().map_err(|_| wrong(IDLE_TIMEOUT, problem()))
    });
    let memory = memory.map(|text| {
        let problem = || format!("{text:?} is no size; 512M and 2G are");
        size(&text).ok_or_else(|| wrong(MEMORY, problem()))
    });
    let limits = Limits {
        idle_timeout: idle_timeout.transpose()?,
        memory: memory.transpose()?,
    };
    Ok(Some(match command {
        "--daemon" => DaemonCommand::Serve(limits),
        SERVE_ON => DaemonCommand::ServeOn,
        "--daemon-status" => DaemonCommand::Status { json },
        "--session-status" => DaemonCommand::SessionStatus { json },
        _ => DaemonCommand::Stop,
    }))
}
