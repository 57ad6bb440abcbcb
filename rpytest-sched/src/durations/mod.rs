//! How long tests, imports and shared fixtures took, and what to expect of them.
//!
//! # What is recorded
//!
//! - of each test the seconds of its setup, call and teardown ([`DurationHistory::record`]), or only what it took in all
//!   ([`DurationHistory::record_total`]), which is what a JUnit report tells;
//! - of each file what it took to import it ([`DurationHistory::record_import`]);
//! - of each scope, such as a module or a class, what its shared fixtures took to set up
//!   ([`DurationHistory::record_scope`]).
//!
//! The last two are what a worker pays to begin a file that another worker has begun before, so that a planner can tell
//! whether splitting it pays. A second must not be counted twice: what is recorded for a scope is left out of the setup of
//! the test that happened to come first.
//!
//! # Algorithm
//!
//! The last [`KEPT`] observations of each are kept. The estimate is the *weighted lower median* of their totals:
//! the smallest total such that it and those below it have at least half of the weight. The newest observation weighs
//! 1, each older one 0.7 times as much as the one after it. From three observations on the newest has less than half of
//! the weight, so that one outlier, new or old, never decides; yet a lasting change does after two or three runs. Of
//! two observations nothing says which is the outlier, and the newer counts (a first run is often slow: cold caches,
//! no bytecode).
//!
//! # Tests that have no history
//!
//! A test's *name* is the part of its key behind its file and `::` (the whole key, where it does not begin with these), and
//! its *function* is the name up to the first `[`. A test without observations of its own is expected to take, by the first
//! of these that is known ([`Basis`]):
//!
//! 1. what the test of the same name takes in the one other file that has such a test; of several such files, in the one
//!    with the same base name. The file was renamed or moved, or the test was moved to it.
//! 2. the lower median of the tests of the same function in its file: other parameter sets.
//! 3. the lower median of its file;
//! 4. the lower median of all tests;
//! 5. [`DEFAULT_SECONDS`].
//!
//! These are plain medians: the fixture that one test of a file pays for does not move them.
//!
//! # Many machines
//!
//! Observations are ordered by [`Observation::run`], a number that the caller chooses so that later runs have greater
//! ones (such as Unix seconds at the start of the run). [`merge`](DurationHistory::merge) unites observations by it, in
//! any order and any number of times, with the same result: histories of many machines become one.

mod estimates;
mod history;
mod observation;
#[cfg(feature = "serde")]
mod split;
#[cfg(feature = "serde")]
mod stored;

pub use self::estimates::{Basis, Estimate, Estimates, Import};
pub use self::history::DurationHistory;
pub use self::observation::{Observation, Timing};
#[cfg(feature = "serde")]
pub use self::split::SplitDurations;
#[cfg(feature = "serde")]
pub use self::stored::{DurationFile, StoredObservation, StoredTiming, VersionError};

/// How many observations of a test, an import or a scope are kept.
pub const KEPT: usize = 5;

/// Seconds that a test is expected to take when there is no history at all.
pub const DEFAULT_SECONDS: f64 = 0.01;

/// How much an observation weighs beside the next newer one.
const DECAY: f64 = 0.7;

/// The file of a node id: all of it up to the first `::`.
#[cfg(feature = "serde")]
fn file_of(nodeid: &str) -> &str {
    nodeid.split_once("::").map_or(nodeid, |(file, _)| file)
}
