//! `--daemon`, `--daemon-status`, `--daemon-stop` and `--session-status`.

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
        DaemonCommand::SessionStatus { json } => session_status(*json),
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

/// Of fixtures that a run has left up.
pub(crate) const TEARDOWN: &str = "the teardown of a reused fixture failed";

fn interpreter() -> Result<Interpreter, Box<dyn Error>> {
    Ok(Interpreter::find(&std::env::current_dir()?, &ThisProcess)?)
}

fn stop() -> Result<bool, Box<dyn Error>> {
    let Some(failures) = daemon::stop(&interpreter()?)? else {
        return Ok(false);
    };
    for failure in failures {
        eprintln!("rpytest: warning: {TEARDOWN}: {failure}");
    }
    Ok(true)
}

fn session_status(json: bool) -> Result<bool, Box<dyn Error>> {
    let Some(status) = daemon::status(&interpreter()?)? else {
        return Ok(false);
    };
    if json {
        let shown = serde_json::json!({
            "session": status.warm,
            "last_released": status.last_released,
            "failures": status.failures,
        });
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(true);
    }
    match &status.warm {
        Some(warm) => {
            let pid = warm.pid.map_or_else(String::new, |pid| format!(" {pid}"));
            let most = warm
                .max_age_seconds
                .map_or_else(String::new, |most| format!(", for {most} s at most"));
            println!(
                "process{pid}, {}, {:.0} s old, {} runs, {} files{most}{}",
                warm.state,
                warm.age_seconds,
                warm.runs,
                warm.files,
                memory(warm.memory_bytes)
            );
            println!("the last run: `pytest {}`", warm.arguments.join(" "));
            for fixture in &warm.fixtures {
                println!(
                    "  {} ({}), {}, {:.0} s old",
                    fixture.name, fixture.scope, fixture.file, fixture.age_seconds
                );
            }
        }
        None => println!("no fixtures are up"),
    }
    if let Some(reason) = &status.last_released {
        println!("the last ones were torn down: {reason}");
    }
    for failure in &status.failures {
        println!("{TEARDOWN}: {failure}");
    }
    Ok(true)
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
    if status.runs > 0 {
        println!("runs that have not ended: {}", status.runs);
    }
    if let Some(reason) = &status.last_dropped {
        println!("the last interpreter was dropped: {reason}");
    }
    if let Some(warm) = &status.warm {
        println!(
            "fixtures that stay up: {}; --session-status has more",
            warm.fixtures.len()
        );
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
