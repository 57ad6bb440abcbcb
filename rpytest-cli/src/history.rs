//! The durations of earlier runs, in a file of pytest's cache directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rpytest_ipc::Address;
use rpytest_sched::durations::{Basis, DurationFile, Estimates};
use rpytest_sched::{DurationHistory, Observation};

use crate::convert::{duration_key, file_of};
use crate::ledger::Ledger;

/// Where the durations are, below pytest's cache directory.
pub const HISTORY_FILE: &str = "v/rpytest/durations.json";

/// Runs after which a test that was not seen again is forgotten.
const FORGET_AFTER: u64 = 50;

/// Why durations could not be kept. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file could not be written.
    #[error("keep the durations of this run in {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// What is known of durations, and where it is kept; nowhere, if pytest has no cache.
#[derive(Debug, Default)]
pub(crate) struct History {
    cache: Option<PathBuf>,
    durations: DurationHistory,
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

    /// Expectations from the runs so far.
    pub fn estimates(&self) -> Costs<'_> {
        Costs(self.durations.estimates())
    }

    /// Adds what a run has measured.
    pub fn record(&mut self, ledger: &Ledger) {
        let run = self.durations.last_run() + 1;
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
        self.durations
            .prune_before(run.saturating_sub(FORGET_AFTER));
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
        write(&path, &DurationFile::from(&self.durations))
            .map_err(|source| HistoryError::Write { path, source })
    }
}

/// What each test is expected to take.
pub(crate) struct Costs<'a>(Estimates<'a>);

impl Costs<'_> {
    /// Seconds, if its own past or that of its file tells.
    pub fn of(&self, address: &Address) -> Option<f64> {
        let estimate = self
            .0
            .estimate(file_of(&address.nodeid), &duration_key(address));
        match estimate.basis {
            Basis::Test | Basis::File => Some(estimate.seconds),
            // The run itself will know better.
            _ => None,
        }
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

fn write(path: &Path, durations: &DurationFile) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec(durations)?)?;
    file.persist(path)?;
    Ok(())
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
        assert_eq!(costs.of(&address("b.py::x")), None);
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
