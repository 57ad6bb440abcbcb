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

/// Adds what came of the tests of a run to what is known below a cache directory. Nothing is written where pytest has
/// not made that itself, nor if no test ran.
pub(crate) fn keep(cache: &Path, ledger: &Ledger) {
    let path = cache.join(OUTCOMES_FILE);
    let mut ended = ledger.statuses().filter_map(|(address, status)| {
        let outcome = outcome(status)?;
        Some((duration_key(address), outcome))
    });
    let Some(first) = ended.next() else {
        return;
    };
    if !cache.is_dir() {
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
    let at = now();
    for (key, outcome) in std::iter::once(first).chain(ended) {
        outcomes.record(&key, outcome, at);
    }
    outcomes.prune_before(at.saturating_sub(FORGET_AFTER));
    if let Err(error) = whole_file::write_json(&path, &OutcomeFile::from(&outcomes)) {
        eprintln!(
            "rpytest: warning: failed to write outcomes to {}: {error}",
            path.display()
        );
    }
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
enum ReadError {
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
        keep(cache.path(), &ledger);
        assert!(!path.exists(), "no test has run");
        ledger.ended(0, Outcome::Passed, Spent::default());
        let known = || {
            let outcomes = read(&path).expect("readable").expect("there");
            outcomes.get("a.py::x").expect("known").to_string()
        };
        keep(cache.path(), &ledger);
        keep(cache.path(), &ledger);
        assert_eq!(known(), "2p");
        for damaged in ["{", "{\"version\": 99}"] {
            fs::write(&path, damaged).expect("written");
            assert!(read(&path).is_err());
            keep(cache.path(), &ledger);
            assert_eq!(known(), "p");
        }
        keep(&cache.path().join("gone"), &ledger);
        assert!(!cache.path().join("gone").exists());
    }
}
