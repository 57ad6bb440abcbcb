//! The durations of earlier runs, in a file of pytest's cache directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rpytest_ipc::Address;
use rpytest_sched::durations::{Basis, DurationFile, Estimates, Import};
use rpytest_sched::{DurationHistory, Observation};
use sha2::{Digest, Sha256};

use crate::convert::{duration_key, file_of};
use crate::ledger::Ledger;
use crate::shard::manifest::hex;
use crate::whole_file;

/// Where the durations are, below pytest's cache directory.
pub const HISTORY_FILE: &str = "v/rpytest/durations.json";

/// Runs after which a test that was not seen again is forgotten.
const FORGET_AFTER: u64 = 50;

/// Why durations could not be kept. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file could not be written.
    #[error("write durations to {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file that is there cannot be used.
    #[error("read the durations in {}: {problem}; remove the file, or make it again", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// What is known of durations, and where it is kept; nowhere, if pytest has no cache.
#[derive(Debug, Default)]
pub(crate) struct History {
    cache: Option<PathBuf>,
    /// What is known.
    pub durations: DurationHistory,
    changed: bool,
}

impl History {
    /// Reads the durations below a cache directory. A file that cannot be used is started anew, with
    /// a warning: it only ever costs balance.
    pub fn load(cache: &Path) -> Self {
        let path = cache.join(HISTORY_FILE);
        let durations = match read(&path) {
            Ok(durations) => durations,
            Err(error) => {
                eprintln!(
                    "rpytest: warning: failed to read the durations of earlier runs in {}: \
                     {error}; they are recorded anew",
                    path.display()
                );
                DurationHistory::new()
            }
        };
        History {
            cache: Some(cache.to_owned()),
            durations,
            changed: false,
        }
    }

    /// The durations of a file, which need not be there.
    ///
    /// # Errors
    ///
    /// If it is, and is no such file.
    pub fn of_file(path: &Path) -> Result<Self, HistoryError> {
        let durations = read(path).map_err(|error| HistoryError::Read {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Self {
            durations,
            ..Self::default()
        })
    }

    /// pytest's cache directory, if it has one.
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        self.durations.merge(&other.durations);
    }

    /// Expectations from the runs so far.
    pub fn estimates(&self) -> Costs<'_> {
        Costs(self.durations.estimates())
    }

    /// Adds what a run has measured.
    pub fn record(&mut self, ledger: &Ledger) {
        let run = self.next_run();
        self.record_as(run, ledger);
        self.durations
            .prune_before(run.saturating_sub(FORGET_AFTER));
    }

    /// What a run has measured, and nothing else: to be added to these durations, and what other shards of the
    /// same run have measured, later.
    pub fn measured(&self, ledger: &Ledger) -> Self {
        let mut measured = Self::default();
        measured.record_as(self.next_run(), ledger);
        measured
    }

    /// Adds what a test took, of which only the sum of its phases is known.
    pub fn add_total(&mut self, run: u64, address: &Address, seconds: f64) {
        let (file, key) = (file_of(&address.nodeid), duration_key(address));
        self.durations.record_total(file, &key, run, seconds);
    }

    /// The number of a run after those that are known.
    pub fn next_run(&self) -> u64 {
        self.durations.last_run() + 1
    }

    fn record_as(&mut self, run: u64, ledger: &Ledger) {
        for (address, spent) in ledger.durations() {
            let seconds = spent.own(address);
            let observation = Observation {
                run,
                setup: seconds.setup,
                call: seconds.call,
                teardown: seconds.teardown,
            };
            self.durations.record(
                file_of(&address.nodeid),
                &duration_key(address),
                observation,
            );
            self.changed = true;
        }
        self.record_common(ledger, run);
    }

    /// Adds what tests of a file have in common: its import, and fixtures of its scopes. Those of packages and of
    /// the session are nothing that a file could be split from.
    fn record_common(&mut self, ledger: &Ledger, run: u64) {
        let tests = ledger.durations();
        let files: BTreeSet<_> = tests.map(|(address, _)| file_of(&address.nodeid)).collect();
        for (file, seconds) in ledger.imports() {
            if files.contains(file) {
                self.durations.record_import(file, run, seconds);
            }
        }
        for (scope, seconds) in ledger.shared() {
            let file = file_of(scope);
            if files.contains(file) {
                self.durations.record_scope(file, scope, run, seconds);
            }
        }
    }

    /// Writes the durations, whole or not at all. Nothing is written where pytest has not made its
    /// cache directory itself.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self) -> Result<(), HistoryError> {
        let Some(cache) = self
            .cache
            .as_ref()
            .filter(|cache| self.changed && cache.is_dir())
        else {
            return Ok(());
        };
        let path = cache.join(HISTORY_FILE);
        self.write(&path)
    }

    /// Writes the durations to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), HistoryError> {
        whole_file::write_json(path, &DurationFile::from(&self.durations)).map_err(|source| {
            HistoryError::Write {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// Seconds that the imports of all files take together, as far as they were measured.
    pub fn seconds_of_imports(&self) -> f64 {
        let estimates = self.durations.estimates();
        let mut files: Vec<&str> = self.durations.iter().map(|(file, ..)| file).collect();
        files.dedup();
        let imports = files.into_iter().filter_map(|file| estimates.import(file));
        imports.sum()
    }

    /// What names these durations: equal ones have the same digest on every machine.
    pub fn digest(&self) -> String {
        let stored = DurationFile::from(&self.durations);
        let text = serde_json::to_vec(&stored).unwrap_or_default();
        hex(&Sha256::digest(&text))
    }
}

/// What each test is expected to take.
pub(crate) struct Costs<'a>(Estimates<'a>);

impl Costs<'_> {
    /// Seconds, if its own past tells, or that of a test that it may have been, or those that are near it.
    pub fn of(&self, address: &Address) -> Option<f64> {
        let estimate = self
            .0
            .estimate(file_of(&address.nodeid), &duration_key(address));
        match estimate.basis {
            // The run itself will know better.
            Basis::Suite | Basis::Default => None,
            _ => Some(estimate.seconds),
        }
    }

    /// Seconds that a process pays to begin with a file that it has imported: the fixtures that its tests share.
    pub fn of_beginning(&self, file: &str) -> f64 {
        self.0.begin_cost(file, Import::Shared)
    }
}

fn read(path: &Path) -> Result<DurationHistory, Box<dyn std::error::Error>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DurationHistory::new()),
        Err(error) => return Err(error.into()),
    };
    let stored: DurationFile = serde_json::from_slice(&text)?;
    Ok(stored.try_into()?)
}

#[cfg(test)]
mod tests {
    use rpytest_ipc::{Outcome, PhaseSeconds};

    use super::*;
    use crate::ledger::Spent;

    fn address(nodeid: &str) -> Address {
        Address {
            nodeid: nodeid.to_owned(),
            nth: 0,
        }
    }

    #[test]
    fn durations_survive_to_the_next_run() {
        let cache = tempfile::tempdir().expect("a directory");
        let mut ledger = Ledger::default();
        ledger.add(&address("a.py::x"));
        ledger.add(&address("a.py::y"));
        let spent = Spent {
            seconds: PhaseSeconds {
                setup: 1.0,
                call: 2.0,
                teardown: 0.5,
            },
            ..Spent::default()
        };
        ledger.ended(0, Outcome::Passed, spent);
        let mut history = History::load(cache.path());
        history.record(&ledger);
        history.save().expect("saved");
        let history = History::load(cache.path());
        let costs = history.estimates();
        assert_eq!(costs.of(&address("a.py::x")), Some(3.5));
        assert_eq!(costs.of(&address("a.py::new")), Some(3.5), "its file tells");
        assert_eq!(costs.of(&address("b.py::x")), Some(3.5), "it was moved");
        assert_eq!(costs.of(&address("b.py::new")), None);
    }

    #[test]
    fn a_damaged_file_is_started_anew() {
        let cache = tempfile::tempdir().expect("a directory");
        let path = cache.path().join(HISTORY_FILE);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, b"{\"version\": 99").expect("written");
        assert!(History::load(cache.path()).durations.is_empty());
    }

    #[test]
    fn nothing_is_written_without_a_cache_directory() {
        let cache = tempfile::tempdir()
            .expect("a directory")
            .path()
            .join("gone");
        let mut ledger = Ledger::default();
        ledger.add(&address("a.py::x"));
        ledger.ended(0, Outcome::Passed, Spent::default());
        let mut history = History::load(&cache);
        history.record(&ledger);
        history.save().expect("nothing to do");
        assert!(!cache.exists());
    }
}
