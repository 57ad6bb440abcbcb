//! A test harness of one's own, from all the libraries and without the `rpytest` command: collect the
//! suite natively, deal its files to shards, run each shard in a fork of one warm interpreter, and
//! say what came of each test.
//!
//! ```sh
//! PYTHON=/path/to/venv/bin/python cargo run -p rpytest-examples --example ci_harness -- examples/suite 2
//! ```

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rpytest_collect::{Collector, Completeness};
use rpytest_ipc::{Outcome, Role, ToPython, ToRust};
use rpytest_sched::TaskId;
use rpytest_sched::shard::{ShardTask, Strategy, shard};
use rpytest_worker::interpreter::ThisProcess;
use rpytest_worker::{EventKind, Interpreter, Options, ProcessId, PythonFiles, Supervisor};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let suite = PathBuf::from(arguments.next().unwrap_or_else(|| "examples/suite".into()));
    let shards = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2);

    // Collect: which files are there, and how many tests does each have? No Python runs for this. A file
    // that is not exact still runs as a whole; only its weight is a guess.
    let collection = Collector::new(&suite).collect()?;
    let files: Vec<(String, f64)> = collection
        .files
        .iter()
        .map(|file| {
            let exact = matches!(file.completeness, Completeness::Exact);
            println!(
                "{}: {}{} tests",
                file.path,
                if exact { "" } else { "at least " },
                file.items.len()
            );
            (file.path.to_string(), file.items.len().max(1) as f64)
        })
        .collect();

    // Schedule: the files are tasks, their tests the cost.
    let tasks: Vec<ShardTask<'_>> = (0u32..)
        .zip(&files)
        .map(|(id, (path, weight))| ShardTask::new(TaskId(id), path, path).with_cost(*weight))
        .collect();
    let dealt = shard(&tasks, shards, Strategy::DurationBalanced);

    // Run: one interpreter imports pytest, and each shard is a fork of it with a session of its own.
    let interpreter = Interpreter::find(&suite, &ThisProcess)?;
    let mut options = Options::new(PythonFiles::unpack(&ThisProcess)?);
    options.cwd = Some(suite);
    let (supervisor, events) = Supervisor::new(options)?;
    let host = supervisor.spawn_host(&interpreter)?;
    let mut sessions: HashMap<ProcessId, Vec<String>> = HashMap::new();
    for files_of_shard in dealt.iter().filter(|files| !files.is_empty()) {
        let mut argv: Vec<_> = ["-p", "no:terminal", "-p", "no:cacheprovider"]
            .map(str::to_owned)
            .into();
        argv.extend(
            files_of_shard
                .iter()
                .map(|task| files[task.0 as usize].0.clone()),
        );
        let session = supervisor.fork(host);
        let start = ToPython::Start {
            role: Role::Controller,
            argv: argv
                .into_iter()
                .map(|text| text.into_bytes().into())
                .collect(),
            worker: None,
            settled: Vec::new(),
            focus: None,
            sharded: false,
        };
        supervisor.send(session, &start)?;
        sessions.insert(session, Vec::new());
    }

    // Listen: one event after the other, whichever shard it comes from.
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut over = 0;
    while over < sessions.len() {
        let event = events.recv_timeout(Duration::from_secs(120))?;
        let Some(nodeids) = sessions.get_mut(&event.process) else {
            if let EventKind::StartFailed(error) = event.kind {
                return Err(error.into());
            }
            continue;
        };
        match event.kind {
            EventKind::Message(ToRust::Inventory { items, .. }) => {
                *nodeids = items.into_iter().map(|item| item.address.nodeid).collect();
            }
            EventKind::Message(ToRust::Result { task, outcome, .. }) => {
                *counts
                    .entry(format!("{outcome:?}").to_lowercase())
                    .or_default() += 1;
                if matches!(outcome, Outcome::Failed | Outcome::Error) {
                    failed.extend(nodeids.get(task as usize).cloned());
                }
            }
            EventKind::Ended(_) | EventKind::ForkFailed(_) => over += 1,
            _ => {}
        }
    }
    supervisor.shutdown_all(Duration::from_secs(2));

    failed.sort();
    for nodeid in &failed {
        println!("FAILED {nodeid}");
    }
    println!("{counts:?}");
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
