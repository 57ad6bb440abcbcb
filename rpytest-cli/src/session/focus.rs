//! A run of a part of what the command line names, which another thread may stop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rpytest_ipc::Outcome;
use serde_bytes::ByteBuf;

use super::{decode, encode, focused};
use crate::args::RunArguments;

/// What of the tests that the arguments name are run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Focus {
    /// Absolute paths of test files; none: all.
    pub(crate) only: Option<Vec<PathBuf>>,
    /// Node ids of the tests that run first. With workers the plan decides.
    pub(crate) first: Vec<String>,
    /// Node ids of the tests that are run at all; none: all.
    pub(crate) tests: Option<Vec<String>>,
}

/// Files that were read, and the source files on whose behalf, or by whose tests.
pub(crate) type Opened = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// What a run leaves.
#[derive(Debug)]
pub(crate) struct Told {
    /// pytest's exit code.
    pub(crate) code: u8,
    /// The node id and outcome of each test that ended.
    pub(crate) results: Vec<(String, Outcome)>,
    /// Node ids of the tests that were to run and have not ended. None where it came to no plan.
    pub(crate) left: Option<Vec<String>>,
    pub(crate) opened: Opened,
    /// Whether nothing has run, since what was foreseen of it is not so.
    pub(super) is_surprised: bool,
}

impl Told {
    /// Of a run that could not begin.
    pub(crate) fn failed(code: u8) -> Self {
        Self {
            code,
            results: Vec::new(),
            left: None,
            opened: Opened::new(),
            is_surprised: false,
        }
    }
}

/// Ends a run as an interrupt would.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs a session of a part of the tests, and also tells what they have read.
pub(crate) fn run_focused(arguments: &RunArguments, focus: Focus, stop: &Stop) -> Told {
    focused(arguments, Some(focus), stop)
}

impl Focus {
    pub(super) fn into_message(self) -> rpytest_ipc::Focus {
        let encoded = |paths: Vec<PathBuf>| {
            let paths: Vec<_> = paths.into_iter().map(PathBuf::into_os_string).collect();
            encode(&paths)
        };
        rpytest_ipc::Focus {
            only: self.only.map(encoded),
            first: self.first,
            tests: self.tests,
        }
    }
}

/// Adds what one process has told.
pub(super) fn add(all: &mut Opened, told: Vec<(ByteBuf, Vec<ByteBuf>)>) {
    for (source, paths) in told {
        for path in paths {
            all.entry(decode(&path))
                .or_default()
                .insert(decode(&source));
        }
    }
}
