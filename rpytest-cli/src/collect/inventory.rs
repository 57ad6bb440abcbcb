//! The items that a command line names, for whoever wants to know them and not to print them.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rpytest_ipc::Address;

use super::answer::Answer;
use super::attempt::{AllKnown, Attempt};
use super::merge::absolute;
use super::python::{self, Failure};
use super::request::{self, Reading};
use crate::args::RunArguments;
use crate::convert::file_of;
use crate::exit;
use crate::session::Ready;

/// The items of a command line.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// In collection order, or nearly so.
    pub items: Vec<Address>,
    /// pytest's cache directory.
    pub cache: Option<PathBuf>,
}

/// The same, known without Python.
#[derive(Debug)]
pub(crate) struct Foreseen {
    pub inventory: Inventory,
    rootdir: PathBuf,
}

impl Foreseen {
    /// The absolute path of an item's file.
    pub fn file_of(&self, item: &Address) -> PathBuf {
        absolute(&self.rootdir, file_of(&item.nodeid))
    }
}

/// What the arguments of a run would collect: without Python where all is known, else by one process of its own.
/// Whatever pytest has to say instead of items is printed, and the error is its exit code.
pub(crate) fn inventory(arguments: &RunArguments) -> Result<Inventory, u8> {
    let failed = |error: Box<dyn Error>| {
        eprintln!("rpytest: error: {error}");
        exit::USAGE_ERROR
    };
    if let Some(known) = foresee(arguments, |_| false).map_err(failed)? {
        return Ok(known.inventory);
    }
    let ready = Ready::new().map_err(failed)?;
    let argv = argv(arguments);
    let collected = match python::ask(&ready, &argv, &[]) {
        Ok(collected) => collected,
        Err(Failure::Interrupted(code)) => return Err(code),
        Err(Failure::Broken(reason)) => {
            eprintln!("rpytest: error: the tests cannot be collected: {reason}");
            return Err(exit::INTERNAL_ERROR);
        }
    };
    if !matches!(collected.exit, 0) && collected.exit != i32::from(exit::NO_TESTS_COLLECTED) {
        let mut out = std::io::stdout().lock();
        // Whoever closed it does not want to see it.
        let _ = out.write_all(&collected.output).and_then(|()| out.flush());
        return Err(u8::try_from(collected.exit).unwrap_or(exit::INTERNAL_ERROR));
    }
    let kept = attempt(arguments, &argv, |attempt| {
        attempt.keep_environment(&collected)
    });
    if let Some(Err(error)) = kept {
        tracing::debug!(error, "what is known of the environment");
    }
    Ok(of(collected.answer, collected.cache_dir))
}

/// What the arguments of a run would collect, if that is known without Python. `may_learn`, given our directory in
/// pytest's cache, says whether a process may be started to find out which plugins there are.
pub(crate) fn foresee(
    arguments: &RunArguments,
    may_learn: impl Fn(Option<&Path>) -> bool,
) -> Result<Option<Foreseen>, Box<dyn Error>> {
    if !arguments.native_collection {
        return Ok(None);
    }
    let known = attempt(arguments, &argv(arguments), |attempt| {
        attempt.known(may_learn)
    });
    let known = known.transpose()?.flatten();
    Ok(known.map(
        |AllKnown {
             answer,
             below_cache,
             rootdir,
         }| Foreseen {
            inventory: of(answer, below_cache),
            rootdir,
        },
    ))
}

/// The arguments, of a session that only collects: without those that only say what becomes of results.
pub(super) fn argv(arguments: &RunArguments) -> Vec<OsString> {
    let mut argv: Vec<OsString> = ["--collect-only", "-q"].map(OsString::from).into();
    argv.extend(request::without_reports(&arguments.pytest));
    argv
}

/// Does something with a command line that may be answered natively.
fn attempt<T>(
    arguments: &RunArguments,
    argv: &[OsString],
    then: impl FnOnce(&Attempt<'_>) -> T,
) -> Option<T> {
    let Reading::Native(request) = request::read(argv) else {
        return None;
    };
    let collects = RunArguments {
        pytest: argv.to_vec(),
        ..arguments.clone()
    };
    Some(then(&Attempt {
        arguments: &collects,
        request: &request,
        started: Instant::now(),
    }))
}

fn of(answer: Answer, below_cache: Option<PathBuf>) -> Inventory {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let ids = answer.files.into_iter().flat_map(|(_, ids)| ids);
    let items = ids.map(|nodeid| {
        let count = seen.entry(nodeid.clone()).or_insert(0);
        let nth = *count;
        *count += 1;
        Address { nodeid, nth }
    });
    Inventory {
        items: items.collect(),
        cache: cache_of(below_cache.as_deref()),
    }
}

/// pytest's cache directory, in which ours is `d/rpytest`.
pub(crate) fn cache_of(below_cache: Option<&Path>) -> Option<PathBuf> {
    below_cache.and_then(|path| path.ancestors().nth(2).map(Path::to_owned))
}
