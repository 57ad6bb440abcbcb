//! `--daemon`, `--daemon-status` and `--daemon-stop`.

use std::error::Error;

use rpytest_worker::Interpreter;
use rpytest_worker::interpreter::ThisProcess;

use crate::args::DaemonCommand;
use crate::daemon::{self, Snapshot, Stage, Status};
use crate::exit;

/// Runs the command, and returns its exit code.
pub(crate) fn run(command: &DaemonCommand) -> u8 {
    let result = match command {
        DaemonCommand::Serve(limits) => daemon::serve(*limits).map(|()| true),
        DaemonCommand::ServeOn => daemon::serve_on().map(|()| true),
        DaemonCommand::Status { json } => status(*json),
        DaemonCommand::Stop => stop(),
    };
    match result {
        Ok(true) => 0,
        Ok(false) => {
            eprintln!("rpytest: no daemon runs for this project and interpreter");
            1
        }
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            exit::USAGE_ERROR
        }
    }
}

fn interpreter() -> Result<Interpreter, Box<dyn Error>> {
    Ok(Interpreter::find(&std::env::current_dir()?, &ThisProcess)?)
}

fn stop() -> Result<bool, Box<dyn Error>> {
    Ok(daemon::stop(&interpreter()?)?)
}

fn status(json: bool) -> Result<bool, Box<dyn Error>> {
    let Some(status) = daemon::status(&interpreter()?)? else {
        return Ok(false);
    };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&status)?),
        false => show(&status),
    }
    Ok(true)
}

fn show(status: &Status) {
    println!(
        "daemon {}, up {:.0} s{}",
        status.pid,
        status.uptime_seconds,
        memory(status.memory_bytes)
    );
    if let Some(reason) = &status.last_dropped {
        println!("the last interpreter was dropped: {reason}");
    }
    for snapshot in &status.snapshots {
        println!("{}", line(snapshot));
        for reason in &snapshot.refusals {
            println!("    {reason}");
        }
    }
}

fn line(snapshot: &Snapshot) -> String {
    let what = match snapshot.stage {
        Stage::Interpreter => "interpreter".to_owned(),
        Stage::Configured => format!("  session `pytest {}`", snapshot.arguments.join(" ")),
        Stage::Collected => "    collected".to_owned(),
    };
    let pid = match snapshot.pid {
        Some(pid) => format!(", pid {pid}"),
        None if snapshot.refusals.is_empty() => ", being made".to_owned(),
        None => return format!("{what}: cannot be kept"),
    };
    let state = if snapshot.usable {
        ""
    } else {
        ", not to be used"
    };
    format!(
        "{what}{pid}{state}, {:.0} s old, {} files, lent {} times{}",
        snapshot.age_seconds,
        snapshot.files,
        snapshot.lent,
        memory(snapshot.memory_bytes)
    )
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| {
        format!(", {:.1} MiB", bytes as f64 / f64::from(1 << 20))
    })
}
