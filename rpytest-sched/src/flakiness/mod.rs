//! What came of the last runs of each test, and what that says of it: stable, flaky, failing or fixed.
//!
//! A caller tells what came of a test in a run ([`Outcomes::record`]); of each test the last [`KEPT`] outcomes are kept
//! ([`Runs`]), as a run-length text (`38p1f9p`), and [`Runs::verdict`] says what they mean. Nothing here reads a file or
//! a clock: times are the caller's, in any unit that grows.
//!
//! # Definitions
//!
//! A run in which the test was skipped says nothing of it, and is left out of all that follows. Each other run was *good*
//! (passed, xfailed, xpassed, passed when it was run again) or *bad* (failed, error, crashed).
//!
//! - The **streak** is the number of runs, up to the last one, that were all good or all bad.
//! - A **flip** is a run that was good where the one before was bad, or the other way round.
//! - The **rate** is the share of runs that were flips or in which the test had to be run again.
//! - A **stretch** is a longest sequence of bad runs.
//!
//! | state | last run | when |
//! |---|---|---|
//! | [`Failing`](State::Failing) | bad | the streak is [`BROKEN`] or longer, or there is no other stretch and no run in which the test had to be run again: something has broken it |
//! | [`Flaky`](State::Flaky) | bad | otherwise |
//! | [`Stable`](State::Stable) | good | no run was bad and none needed a rerun, or the last [`SETTLED`] were so |
//! | [`Fixed`](State::Fixed) | good | there is one stretch, and no run needed a rerun |
//! | [`Flaky`](State::Flaky) | good | otherwise: it alternates, or has passed when it was run again |
//!
//! So a change that breaks a test makes it `Failing` from the first bad run on, and its repair makes it `Fixed`; a test
//! that fails a second time after it was good is `Flaky` until it has been good, or bad, for long enough.

mod runs;
#[cfg(feature = "serde")]
mod stored;
mod verdict;

use std::collections::BTreeMap;

pub use self::runs::{ParseRunsError, RunOutcome, Runs};
#[cfg(feature = "serde")]
pub use self::stored::{OutcomeFile, OutcomeFileError, StoredRuns};
pub use self::verdict::{State, Verdict};

/// How many outcomes of a test are kept.
pub const KEPT: u32 = 50;

/// So many bad runs in a row are no chance.
pub const BROKEN: u32 = 5;

/// After so many good runs in a row, none of which needed a rerun, what was before counts no longer.
pub const SETTLED: u32 = 20;

/// The last outcomes of tests, by a key of the caller's such as the node id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    tests: BTreeMap<String, Runs>,
}

impl Outcomes {
    /// Of no test yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what came of a test in a run at this time.
    pub fn record(&mut self, key: &str, outcome: RunOutcome, at: u64) {
        match self.tests.get_mut(key) {
            Some(runs) => runs.push(outcome, at),
            None => {
                let mut runs = Runs::default();
                runs.push(outcome, at);
                self.tests.insert(key.to_owned(), runs);
            }
        }
    }

    /// Adds runs that were recorded elsewhere. Nothing is added to a test that was seen as late or later: then they are
    /// known already, or it is not known between which others they belong. So nothing counts twice, and runs must be
    /// added in the order of their times.
    pub fn add_newer(&mut self, other: &Self) {
        for (key, runs) in &other.tests {
            if (self.get(key)).is_some_and(|known| known.seen() >= runs.seen()) {
                continue;
            }
            for outcome in runs.iter() {
                self.record(key, outcome, runs.seen());
            }
        }
    }

    /// Forgets tests that no run since then has come to.
    pub fn prune_before(&mut self, time: u64) {
        self.tests.retain(|_, runs| runs.seen() >= time);
    }

    /// Each test, and what is known of it, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Runs)> {
        self.tests.iter().map(|(key, runs)| (key.as_str(), runs))
    }

    /// What is known of a test.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Runs> {
        self.tests.get(key)
    }

    /// The number of tests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether nothing is known of any test.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }
}
