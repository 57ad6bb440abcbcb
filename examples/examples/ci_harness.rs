//! A test harness of one's own, from all the libraries and without the `rpytest` command: collect the
//! suite natively, deal its files to shards, run each shard in a fork of one warm interpreter, say what
//! came of each test, and how the next run would be dealt by the durations of this one.
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
use rpytest_sched::durations::Import;
use rpytest_sched::shard::{ShardTask, Strategy, shard, shard_with, summary};
use rpytest_sched::{DurationHistory, Observation, TaskId};
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
    let mut sessions: HashMap<ProcessId, Session> = HashMap::new();
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
            timed: false,
            listens: false,
        };
        supervisor.send(session, &start)?;
        sessions.insert(session, Session::default());
    }

    // Listen: one event after the other, whichever shard it comes from.
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut history = DurationHistory::new();
    let mut over = 0;
    while over < sessions.len() {
        let event = events.recv_timeout(Duration::from_secs(120))?;
        let Some(session) = sessions.get_mut(&event.process) else {
            if let EventKind::StartFailed(error) = event.kind {
                return Err(error.into());
            }
            continue;
        };
        match event.kind {
            EventKind::Message(ToRust::Inventory { items, .. }) => {
                session.items = items.into_iter().map(|item| item.address.nodeid).collect();
                session.outcomes = vec![None; session.items.len()];
                session.has_collected = true;
            }
            EventKind::Message(ToRust::Imported { files }) => {
                for (file, seconds) in files {
                    history.record_import(&file, 1, seconds);
                }
            }
            EventKind::Message(ToRust::Result {
                task,
                outcome,
                seconds,
                ..
            }) => {
                let name = format!("{outcome:?}").to_lowercase();
                *counts.entry(name).or_default() += 1;
                if let Some(place) = session.outcomes.get_mut(task as usize) {
                    *place = Some(outcome);
                    let nodeid = &session.items[task as usize];
                    let observation = Observation {
                        run: 1,
                        setup: seconds.setup,
                        call: seconds.call,
                        teardown: seconds.teardown,
                    };
                    history.record(file_of(nodeid), nodeid, observation);
                }
            }
            EventKind::Ended(_) | EventKind::ForkFailed(_) => over += 1,
            _ => {}
        }
    }
    supervisor.shutdown_all(Duration::from_secs(2));

    // Tell: whatever has failed, and whatever nobody has told anything of, by name.
    let mut bad: Vec<String> = Vec::new();
    for session in sessions.values() {
        if !session.has_collected {
            bad.push("LOST a session that collected nothing".to_owned());
        }
        for (nodeid, outcome) in session.items.iter().zip(&session.outcomes) {
            match outcome {
                None => bad.push(format!("LOST {nodeid}")),
                Some(Outcome::Failed | Outcome::Error) => bad.push(format!("FAILED {nodeid}")),
                Some(_) => {}
            }
        }
    }
    bad.sort();
    for line in &bad {
        println!("{line}");
    }
    println!("{counts:?}");

    // Learn: what each test took, and what the import of each file, deals the next run.
    let estimates = history.estimates();
    let tests: Vec<ShardTask<'_>> = (0u32..)
        .zip(history.iter())
        .map(|(id, (file, nodeid, _))| {
            let seconds = estimates.estimate(file, nodeid).seconds;
            ShardTask::new(TaskId(id), nodeid, file).with_cost(seconds)
        })
        .collect();
    let begin = |file: &str| estimates.begin_cost(file, Import::Paid);
    let dealt = shard_with(&tests, shards, Strategy::DurationBalanced, begin);
    let next = summary(&tests, &dealt, begin);
    println!(
        "the next run: {:?} tests, the longest shard {:.3} of the least that is possible",
        next.counts,
        next.ratio()
    );
    Ok(match bad.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The tests of one shard's session, and what came of each.
#[derive(Default)]
struct Session {
    has_collected: bool,
    items: Vec<String>,
    outcomes: Vec<Option<Outcome>>,
}

fn file_of(nodeid: &str) -> &str {
    nodeid.split("::").next().unwrap_or(nodeid)
}
