//! Asks one Python process for the items of the files that are not known.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rpytest_ipc::collection::{CollectionError, FileItems, Surroundings, Touched};
use rpytest_ipc::{ToPython, ToRust};
use rpytest_worker::EventKind;

use super::answer::Answer;
use crate::session::{Ready, decode, encode};

/// How often signals are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// What Python has collected.
#[derive(Debug)]
pub(super) struct Collected {
    pub answer: Answer,
    /// How many items were deselected, by files.
    pub deselected: HashMap<String, usize>,
    /// All that was written.
    pub output: Vec<u8>,
    pub exit: i32,
    /// Files with parameters for which pytest may have moved items from file to file.
    pub wide: Vec<String>,
    /// A directory of ours below pytest's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// pytest's.
    pub rootdir: Option<PathBuf>,
    pub surroundings: Surroundings,
    pub touched: Touched,
    /// The same items with more of each, and what failed, if that was asked for.
    pub details: Vec<FileItems>,
    pub errors: Vec<CollectionError>,
    /// Whether pytest would collect nothing after what failed.
    pub stops: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The user has interrupted it, or asked the command to end.
    Interrupted(u8),
    /// pytest has to be asked in a session of its own.
    Broken(String),
}

/// Lets a process collect, and waits for it.
pub(super) fn ask(
    ready: &Ready,
    argv: &[OsString],
    skip: &[PathBuf],
) -> Result<Collected, Failure> {
    ask_for(ready, argv, skip, false)
}

/// The same, with what an editor wants to know of each item, and of what failed.
pub(super) fn ask_in_detail(
    ready: &Ready,
    argv: &[OsString],
    skip: &[PathBuf],
) -> Result<Collected, Failure> {
    ask_for(ready, argv, skip, true)
}

fn ask_for(
    ready: &Ready,
    argv: &[OsString],
    skip: &[PathBuf],
    detailed: bool,
) -> Result<Collected, Failure> {
    let skip: Vec<OsString> = skip
        .iter()
        .map(|path| path.clone().into_os_string())
        .collect();
    let message = ToPython::Collect {
        argv: encode(argv),
        skip: encode(&skip),
        detailed,
    };
    let process = ready.processes.fresh();
    ready.processes.send(process, &message);
    loop {
        if let Some(code) = ready.signals.ended_by() {
            return Err(Failure::Interrupted(code));
        }
        let event = match ready.events.recv_timeout(TICK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Broken("there is no supervisor any more".into()));
            }
        };
        match event.kind {
            EventKind::Message(message) if event.process == process => {
                if let Some(collected) = read(message) {
                    return Ok(collected);
                }
            }
            EventKind::Ended(end) if event.process == process => {
                return Err(Failure::Broken(format!("the process {end}")));
            }
            // A session that is started after this will meet the same, and say so.
            EventKind::ForkFailed(reason) => return Err(Failure::Broken(reason)),
            EventKind::StartFailed(error) => return Err(Failure::Broken(error.to_string())),
            _ => {}
        }
    }
}

fn read(message: ToRust) -> Option<Collected> {
    let ToRust::Collection(collection) = message else {
        return None;
    };
    let answer = Answer {
        files: (collection.files.iter())
            .map(|file| (file.path.clone(), file.nodeids.clone()))
            .collect(),
        deselected: (collection.deselected.iter())
            .map(|file| file.count as usize)
            .sum(),
    };
    Some(Collected {
        deselected: (collection.deselected.iter())
            .map(|file| (file.path.clone(), file.count as usize))
            .collect(),
        answer,
        output: collection.output.into_vec(),
        exit: collection.exit,
        wide: collection.wide,
        cache_dir: collection.cache_dir.map(|path| decode(&path)),
        rootdir: collection.rootdir.map(|path| decode(&path)),
        surroundings: collection.surroundings,
        touched: collection.touched,
        details: collection.files,
        errors: collection.errors,
        stops: collection.stops,
    })
}
