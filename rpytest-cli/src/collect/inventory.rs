//! The items that a command line names, for whoever wants to know them and not to print them.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rpytest_ipc::Address;

use super::answer::Answer;
use super::attempt::Attempt;
use super::python::{self, Failure};
use super::request::{self, Reading};
use crate::args::RunArguments;
use crate::exit;
use crate::session::Ready;

/// The items of a command line.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// In collection order.
    pub items: Vec<Address>,
    /// pytest's cache directory.
    pub cache: Option<PathBuf>,
}

/// What the arguments of a run would collect: without Python where all is known, else by one process of its own.
/// Whatever pytest has to say instead of items is printed, and the error is its exit code.
pub(crate) fn inventory(arguments: &RunArguments) -> Result<Inventory, u8> {
    let failed = |error: Box<dyn Error>| {
        eprintln!("rpytest: error: {error}");
        exit::USAGE_ERROR
    };
    let mut argv: Vec<OsString> = ["--collect-only", "-q"].map(OsString::from).into();
    argv.extend(arguments.pytest.iter().cloned());
    if arguments.native_collection
        && let Some(known) = known(arguments, &argv).map_err(failed)?
    {
        return Ok(known);
    }
    let ready = Ready::new().map_err(failed)?;
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
    Ok(of(collected.answer, collected.cache_dir))
}

/// The items, where they are known without Python.
fn known(arguments: &RunArguments, argv: &[OsString]) -> Result<Option<Inventory>, Box<dyn Error>> {
    let Reading::Native(request) = request::read(argv) else {
        return Ok(None);
    };
    let collects = RunArguments {
        pytest: argv.to_vec(),
        ..arguments.clone()
    };
    let attempt = Attempt {
        arguments: &collects,
        request: &request,
        started: Instant::now(),
    };
    let known = attempt.known()?;
    Ok(known.map(|known| of(known.answer, known.below_cache)))
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
        // Ours is `d/rpytest` in it.
        cache: below_cache.and_then(|path| path.ancestors().nth(2).map(Path::to_owned)),
    }
}
