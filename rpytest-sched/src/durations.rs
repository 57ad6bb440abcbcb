//! How long tests took, and what to expect of them.
//!
//! # Algorithm
//!
//! For each test the last [`KEPT`] observations are kept. Its estimate is the *weighted lower median* of their totals:
//! the smallest total such that it and those below it have at least half of the weight. The newest observation weighs
//! 1, each older one 0.7 times as much as the one after it. From three observations on the newest has less than half of
//! the weight, so that one outlier, new or old, never decides; yet a lasting change does after two or three runs. Of
//! two observations nothing says which is the outlier, and the newer counts (a first run is often slow: cold caches,
//! no bytecode).
//!
//! A test without observations is expected to take the median of its file's estimates, in a file without any the median
//! of all tests', and in an empty history [`DEFAULT_SECONDS`]. These are plain lower medians: the fixture that one test
//! of a file pays for does not move them.
//!
//! Observations are ordered by [`Observation::run`], a number that the caller chooses so that later runs have greater
//! ones (such as Unix seconds at the start of the run). [`merge`](DurationHistory::merge) unites observations by it, in
//! any order and any number of times, with the same result: histories of many machines become one.

use std::collections::BTreeMap;
use std::collections::HashMap;

/// How many observations of a test are kept.
pub const KEPT: usize = 5;

/// Seconds that a test is expected to take when there is no history at all.
pub const DEFAULT_SECONDS: f64 = 0.01;

/// How much an observation weighs beside the next newer one.
const DECAY: f64 = 0.7;

/// One run of a test. Durations are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Observation {
    /// Number of the run, greater for a later one.
    pub run: u64,
    /// Duration of the setup phase.
    pub setup: f64,
    /// Duration of the call.
    pub call: f64,
    /// Duration of the teardown phase.
    pub teardown: f64,
}

impl Observation {
    /// Seconds of the three phases together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.setup + self.call + self.teardown
    }

    /// Rounded to microseconds, which keeps files small; what is no duration becomes 0.
    fn clean(mut self) -> Self {
        for phase in [&mut self.setup, &mut self.call, &mut self.teardown] {
            let sensible = phase.is_finite() && *phase > 0.0;
            *phase = if sensible {
                (*phase * 1e6).round() / 1e6
            } else {
                0.0
            };
        }
        self
    }

    /// A total order: the newer first; of the same run, by durations.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        (other.run.cmp(&self.run))
            .then(self.setup.total_cmp(&other.setup))
            .then(self.call.total_cmp(&other.call))
            .then(self.teardown.total_cmp(&other.teardown))
    }
}

/// Where an estimate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Basis {
    /// The test's own observations.
    Test,
    /// The other tests of its file.
    File,
    /// All tests.
    Suite,
    /// Nothing: [`DEFAULT_SECONDS`].
    Default,
}

/// What a test is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// What they are based on.
    pub basis: Basis,
}

/// Observations of tests, by file and by key.
///
/// A key is any string that names a test from run to run, such as its node id with a number for repeated ones.
/// The same key in two files is two tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationHistory {
    /// Newest first.
    files: BTreeMap<String, BTreeMap<String, Vec<Observation>>>,
}

impl DurationHistory {
    /// A history of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of tests with observations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Adds an observation of the test `key` of `file`. Durations are kept to the microsecond; the same observation again
    /// changes nothing.
    pub fn record(&mut self, file: &str, key: &str, observation: Observation) {
        // `entry` would copy both strings each time.
        if !self.files.contains_key(file) {
            self.files.insert(file.to_owned(), BTreeMap::new());
        }
        if let Some(tests) = self.files.get_mut(file) {
            if let Some(seen) = tests.get_mut(key) {
                unite(seen, &[observation.clean()]);
            } else {
                tests.insert(key.to_owned(), vec![observation.clean()]);
            }
        }
    }

    /// Adds the observations of another history. Which is added to which, in what order and how often makes no difference.
    pub fn merge(&mut self, other: &Self) {
        for (file, tests) in &other.files {
            let own = self.files.entry(file.clone()).or_default();
            for (key, observations) in tests {
                unite(own.entry(key.clone()).or_default(), observations);
            }
        }
    }

    /// Keeps only the tests for which `keep`, given file and key, is true, such as those that were just collected.
    pub fn prune(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.files.retain(|file, tests| {
            tests.retain(|key, _| keep(file, key));
            !tests.is_empty()
        });
    }

    /// Forgets tests that were last observed before a run.
    pub fn prune_before(&mut self, run: u64) {
        self.files.retain(|_, tests| {
            tests.retain(|_, seen| seen.first().is_some_and(|newest| newest.run >= run));
            !tests.is_empty()
        });
    }

    /// The observations of a test, the newest first.
    #[must_use]
    pub fn observations(&self, file: &str, key: &str) -> &[Observation] {
        let tests = self.files.get(file);
        tests
            .and_then(|tests| tests.get(key))
            .map_or(&[], Vec::as_slice)
    }

    /// All tests as (file, key, observations), sorted, the newest observation first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &[Observation])> {
        self.files.iter().flat_map(|(file, tests)| {
            tests
                .iter()
                .map(move |(key, seen)| (file.as_str(), key.as_str(), seen.as_slice()))
        })
    }

    /// What to expect, with the medians worked out once for many questions.
    #[must_use]
    pub fn estimates(&self) -> Estimates<'_> {
        let mut all = Vec::with_capacity(self.len());
        let mut files = HashMap::with_capacity(self.files.len());
        for (file, tests) in &self.files {
            let mut own: Vec<f64> = tests.values().filter_map(|seen| combine(seen)).collect();
            all.extend_from_slice(&own);
            if let Some(median) = median(&mut own) {
                files.insert(file.as_str(), median);
            }
        }
        Estimates {
            history: self,
            files,
            suite: median(&mut all),
        }
    }
}

/// Expectations from a [`DurationHistory`], made by [`DurationHistory::estimates`].
#[derive(Clone, Debug)]
pub struct Estimates<'a> {
    history: &'a DurationHistory,
    files: HashMap<&'a str, f64>,
    suite: Option<f64>,
}

impl Estimates<'_> {
    /// What the test `key` of `file` is expected to take. There always is an answer; [`Basis`] says how good it is.
    #[must_use]
    pub fn estimate(&self, file: &str, key: &str) -> Estimate {
        let own = combine(self.history.observations(file, key));
        let of_file = || self.files.get(file).copied();
        let (seconds, basis) = (own.map(|seconds| (seconds, Basis::Test)))
            .or_else(|| of_file().map(|seconds| (seconds, Basis::File)))
            .or_else(|| self.suite.map(|seconds| (seconds, Basis::Suite)))
            .unwrap_or((DEFAULT_SECONDS, Basis::Default));
        Estimate { seconds, basis }
    }
}

/// Adds observations to those of a test: the newest first, none twice, no more than are kept.
fn unite(seen: &mut Vec<Observation>, more: &[Observation]) {
    seen.extend_from_slice(more);
    seen.sort_by(Observation::order);
    seen.dedup();
    seen.truncate(KEPT);
}

/// The weighted lower median of the totals, given the newest first.
fn combine(seen: &[Observation]) -> Option<f64> {
    let mut weight = 1.0;
    let mut weighed = Vec::with_capacity(seen.len());
    for observation in seen {
        weighed.push((observation.total(), weight));
        weight *= DECAY;
    }
    weighed.sort_by(|one, two| one.0.total_cmp(&two.0));
    let half = weighed.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for &(total, weight) in &weighed {
        below += weight;
        if below >= half {
            return Some(total);
        }
    }
    weighed.last().map(|&(total, _)| total)
}

/// The lower median.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(feature = "serde")]
pub use self::file::{DurationFile, StoredObservation, VersionError};

#[cfg(feature = "serde")]
mod file {
    use std::collections::BTreeMap;
    use std::error::Error;
    use std::fmt;

    use serde::{Deserialize, Serialize};

    use super::{DurationHistory, Observation, unite};

    /// An observation as it is stored: its run, then seconds of setup, call and teardown.
    pub type StoredObservation = (u64, f64, f64, f64);

    /// The form in which a history is stored, in any format that serde knows. Reading and writing are the caller's.
    ///
    /// ```json
    /// {"version": 1, "files": {"test_a.py": {"test_a.py::test_x": [[17, 0.001, 0.2, 0.0]]}}}
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[non_exhaustive]
    pub struct DurationFile {
        /// Version of the form; [`DurationFile::VERSION`] when written by this crate.
        pub version: u32,
        /// Observations by file and key.
        #[serde(default)]
        pub files: BTreeMap<String, BTreeMap<String, Vec<StoredObservation>>>,
    }

    impl DurationFile {
        /// The version that this crate writes and reads.
        pub const VERSION: u32 = 1;
    }

    /// A stored history has a version that this crate does not read. It can be deleted: it is made again by the next run.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct VersionError {
        /// The version that was found.
        pub found: u32,
    }

    impl fmt::Display for VersionError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let (found, known) = (self.found, DurationFile::VERSION);
            write!(
                f,
                "read durations of version {found}, only {known} is known"
            )
        }
    }

    impl Error for VersionError {}

    impl From<&DurationHistory> for DurationFile {
        fn from(history: &DurationHistory) -> Self {
            let plain = |seen: &Vec<Observation>| {
                let plain = |one: &Observation| (one.run, one.setup, one.call, one.teardown);
                seen.iter().map(plain).collect()
            };
            let files = (history.files.iter()).map(|(file, tests)| {
                let tests = tests.iter().map(|(key, seen)| (key.clone(), plain(seen)));
                (file.clone(), tests.collect())
            });
            Self {
                version: Self::VERSION,
                files: files.collect(),
            }
        }
    }

    impl TryFrom<DurationFile> for DurationHistory {
        type Error = VersionError;

        fn try_from(file: DurationFile) -> Result<Self, VersionError> {
            if file.version != DurationFile::VERSION {
                return Err(VersionError {
                    found: file.version,
                });
            }
            let mut history = Self::new();
            for (name, tests) in file.files {
                let own = history.files.entry(name).or_default();
                for (key, seen) in tests {
                    let seen = seen.into_iter().map(|(run, setup, call, teardown)| {
                        let observation = Observation {
                            run,
                            setup,
                            call,
                            teardown,
                        };
                        observation.clean()
                    });
                    unite(own.entry(key).or_default(), &seen.collect::<Vec<_>>());
                }
            }
            history.prune_before(0);
            Ok(history)
        }
    }
}
