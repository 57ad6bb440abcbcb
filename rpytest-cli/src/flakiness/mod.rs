//! What came of the last runs of each test, in a file of pytest's cache directory, and `rpytest --flaky-report`.
//!
//! The file is read when a run is over, just before it is written. Of two runs that end at the same moment the
//! outcomes of one may be missing; the file is whole whatever happens.

mod report;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rpytest_ipc::Outcome;
use rpytest_sched::flakiness::{OutcomeFile, Outcomes, RunOutcome};

pub(crate) use self::report::run;
use crate::convert::duration_key;
use crate::ledger::{Ledger, Status};
use crate::whole_file;

/// Where the outcomes are, below pytest's cache directory. The Python side looks there for the tests that are flaky.
pub(crate) const OUTCOMES_FILE: &str = "v/rpytest/outcomes.json";

/// Seconds after which a test that no run has come to is forgotten: ninety days.
const FORGET_AFTER: u64 = 90 * 24 * 60 * 60;

/// What came of the tests of a run that is over, and of no other run.
pub(crate) fn of_run(ledger: &Ledger) -> Outcomes {
    let at = now();
    let mut run = Outcomes::new();
    for (address, status) in ledger.statuses() {
        if let Some(outcome) = outcome(status) {
            run.record(&duration_key(address), outcome, at);
        }
    }
    run
}

/// Adds a run to what is known below a cache directory. Nothing is written where pytest has not made that itself, nor if
/// no test ran.
pub(crate) fn keep(cache: &Path, run: &Outcomes) {
    let path = cache.join(OUTCOMES_FILE);
    if run.is_empty() || !cache.is_dir() {
        return;
    }
    let mut outcomes = match read(&path) {
        Ok(outcomes) => outcomes.unwrap_or_default(),
        Err(error) => {
            eprintln!(
                "rpytest: warning: failed to read the outcomes of earlier runs in {}: {error}; they are recorded anew",
                path.display()
            );
            Outcomes::new()
        }
    };
    // Whatever the clock said in the runs before: this one came after them.
    for (key, of_test) in run.iter() {
        for outcome in of_test.iter() {
            outcomes.record(key, outcome, of_test.seen());
        }
    }
    if let Err(error) = write(&path, outcomes) {
        eprintln!(
            "rpytest: warning: failed to write outcomes to {}: {error}",
            path.display()
        );
    }
}

/// Why the runs of shards could not be added. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("read the outcomes in {}: {source}; remove the file, or make it again", .path.display())]
    Read { path: PathBuf, source: ReadError },
    #[error("write outcomes to {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Adds what shards have left to a file, unless it is there already: a shard may have run where the file is.
pub(crate) fn join(shards: &[PathBuf], to: &Path) -> Result<(), JoinError> {
    let read = |path: &Path| {
        let known = read(path).map_err(|source| JoinError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(known.unwrap_or_default())
    };
    let mut outcomes = read(to)?;
    for shard in shards {
        outcomes.add_newer(&read(shard)?);
    }
    write(to, outcomes).map_err(|source| JoinError::Write {
        path: to.to_owned(),
        source,
    })
}

fn write(path: &Path, mut outcomes: Outcomes) -> io::Result<()> {
    outcomes.prune_before(now().saturating_sub(FORGET_AFTER));
    whole_file::write_json(path, &OutcomeFile::from(&outcomes))
}

/// What an item's final status is to its history; none for one that did not run.
fn outcome(status: &Status) -> Option<RunOutcome> {
    Some(match status {
        Status::Ended(_, spent) if spent.excused => RunOutcome::Failed,
        Status::Ended(Outcome::Passed, spent) if spent.reruns > 0 => RunOutcome::PassedAgain,
        Status::Ended(outcome, _) => match outcome {
            Outcome::Passed => RunOutcome::Passed,
            Outcome::Failed => RunOutcome::Failed,
            Outcome::Error => RunOutcome::Error,
            Outcome::Skipped => RunOutcome::Skipped,
            Outcome::Xfailed => RunOutcome::Xfailed,
            Outcome::Xpassed => RunOutcome::Xpassed,
            _ => return None,
        },
        Status::Crashed(_) => RunOutcome::Crashed,
        Status::Planned | Status::Running | Status::NotRun => return None,
    })
}

/// Why outcomes that are there cannot be used. The texts complete "failed to read".
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Text(#[from] serde_json::Error),
    #[error("failed to {0}")]
    Form(#[from] rpytest_sched::flakiness::OutcomeFileError),
}

/// What is known; none if there is no file.
fn read(path: &Path) -> Result<Option<Outcomes>, ReadError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stored: OutcomeFile = serde_json::from_slice(&text)?;
    Ok(Some(stored.try_into()?))
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Where the project in the current directory keeps them.
fn file_of_the_project() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let settings = rpytest_collect::Collector::new(std::env::current_dir()?).settings()?;
    let below = crate::collect::below_pytests_cache(&settings);
    let cache = crate::collect::cache_of(below.as_deref());
    let cache = cache.ok_or(
        "find pytest's cache directory: cache_dir has variables, which only pytest expands; give it without",
    )?;
    Ok(cache.join(OUTCOMES_FILE))
}

#[cfg(test)]
mod tests {
    use rpytest_ipc::Address;

    use super::*;
    use crate::ledger::Spent;

    #[test]
    fn a_status_is_an_outcome_of_its_run() {
        let ended = |outcome, reruns, excused| {
            let spent = Spent {
                reruns,
                excused,
                ..Spent::default()
            };
            super::outcome(&Status::Ended(outcome, spent))
        };
        assert_eq!(ended(Outcome::Passed, 0, false), Some(RunOutcome::Passed));
        assert_eq!(
            ended(Outcome::Passed, 2, false),
            Some(RunOutcome::PassedAgain)
        );
        assert_eq!(ended(Outcome::Failed, 2, false), Some(RunOutcome::Failed));
        assert_eq!(ended(Outcome::Xfailed, 0, true), Some(RunOutcome::Failed));
        assert_eq!(ended(Outcome::Xfailed, 0, false), Some(RunOutcome::Xfailed));
        let crashed = Status::Crashed("signal".into());
        assert_eq!(super::outcome(&crashed), Some(RunOutcome::Crashed));
        assert_eq!(super::outcome(&Status::NotRun), None);
    }

    #[test]
    fn runs_add_up_and_a_file_that_cannot_be_used_is_begun_anew() {
        let cache = tempfile::tempdir().expect("a directory");
        let path = cache.path().join(OUTCOMES_FILE);
        let mut ledger = Ledger::default();
        let address = Address {
            nodeid: "a.py::x".into(),
            nth: 0,
        };
        ledger.add(&address);
        keep(cache.path(), &of_run(&ledger));
        assert!(!path.exists(), "no test has run");
        ledger.ended(0, Outcome::Passed, Spent::default());
        let known = || {
            let outcomes = read(&path).expect("readable").expect("there");
            outcomes.get("a.py::x").expect("known").to_string()
        };
        let run = of_run(&ledger);
        keep(cache.path(), &run);
        keep(cache.path(), &run);
        assert_eq!(known(), "2p");
        for damaged in ["{", "{\"version\": 99}"] {
            fs::write(&path, damaged).expect("written");
            assert!(read(&path).is_err());
            keep(cache.path(), &run);
            assert_eq!(known(), "p");
        }
        keep(&cache.path().join("gone"), &run);
        assert!(!cache.path().join("gone").exists());
    }
}
