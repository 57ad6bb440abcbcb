//! The form in which a history is stored.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::history::{DurationHistory, FileHistory};
use super::observation::{Observation, Timing, unite};

/// An observation as it is stored: its run, then seconds of setup, call and teardown.
pub type StoredObservation = (u64, f64, f64, f64);

/// A timing as it is stored: its run, then seconds.
pub type StoredTiming = (u64, f64);

/// The form in which a history is stored, in any format that serde knows. Reading and writing are the caller's.
///
/// ```json
/// {"version": 2,
///  "files": {"test_a.py": {"test_a.py::test_x": [[17, 0.001, 0.2, 0.0]]}},
///  "imports": {"test_a.py": [[17, 0.3]]},
///  "scopes": {"test_a.py": {"test_a.py": [[17, 0.5]]}}}
/// ```
///
/// Empty maps are left out. Equal histories have equal texts, since all is sorted. Version 1, which is still read, had
/// neither imports nor scopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DurationFile {
    /// Version of the form; [`DurationFile::VERSION`] when written by this crate.
    pub version: u32,
    /// Observations by file and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, BTreeMap<String, Vec<StoredObservation>>>,
    /// Imports by file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<String, Vec<StoredTiming>>,
    /// Setups of shared fixtures by file and scope.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, BTreeMap<String, Vec<StoredTiming>>>,
}

impl DurationFile {
    /// The version that this crate writes, and the newest that it reads.
    pub const VERSION: u32 = 2;

    /// The oldest version that this crate reads.
    pub const OLDEST: u32 = 1;
}

/// A stored history has a version that this crate does not read. It can be deleted: it is made again by the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionError {
    /// The version that was found.
    pub found: u32,
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, oldest, newest) = (self.found, DurationFile::OLDEST, DurationFile::VERSION);
        write!(
            f,
            "read durations of version {found}, only {oldest} to {newest} are known"
        )
    }
}

impl Error for VersionError {}

impl From<&DurationHistory> for DurationFile {
    fn from(history: &DurationHistory) -> Self {
        let test = |one: &Observation| (one.run, one.setup, one.call, one.teardown);
        let mut file = Self {
            version: Self::VERSION,
            files: BTreeMap::new(),
            imports: BTreeMap::new(),
            scopes: BTreeMap::new(),
        };
        for (name, known) in &history.files {
            if !known.tests.is_empty() {
                let tests = (known.tests.iter())
                    .map(|(key, seen)| (key.clone(), seen.iter().map(test).collect()));
                file.files.insert(name.clone(), tests.collect());
            }
            if !known.imports.is_empty() {
                file.imports.insert(name.clone(), pairs(&known.imports));
            }
            if !known.scopes.is_empty() {
                let scopes =
                    (known.scopes.iter()).map(|(scope, seen)| (scope.clone(), pairs(seen)));
                file.scopes.insert(name.clone(), scopes.collect());
            }
        }
        file
    }
}

fn pairs(seen: &[Timing]) -> Vec<StoredTiming> {
    seen.iter().map(|one| (one.run, one.seconds)).collect()
}

fn timings(stored: Vec<StoredTiming>) -> impl Iterator<Item = Timing> {
    (stored.into_iter()).map(|(run, seconds)| Timing { run, seconds })
}

impl TryFrom<DurationFile> for DurationHistory {
    type Error = VersionError;

    fn try_from(file: DurationFile) -> Result<Self, VersionError> {
        let found = file.version;
        if !(DurationFile::OLDEST..=DurationFile::VERSION).contains(&found) {
            return Err(VersionError { found });
        }
        let mut history = Self::new();
        for (name, tests) in file.files {
            let own: &mut FileHistory = history.files.entry(name).or_default();
            for (key, seen) in tests {
                let seen = seen
                    .into_iter()
                    .map(|(run, setup, call, teardown)| Observation {
                        run,
                        setup,
                        call,
                        teardown,
                    });
                unite(own.tests.entry(key).or_default(), seen);
            }
        }
        for (name, seen) in file.imports {
            let own = history.files.entry(name).or_default();
            unite(&mut own.imports, timings(seen));
        }
        for (name, scopes) in file.scopes {
            let own = history.files.entry(name).or_default();
            for (scope, seen) in scopes {
                unite(own.scopes.entry(scope).or_default(), timings(seen));
            }
        }
        // Someone may have stored empty lists.
        history.prune_before(0);
        Ok(history)
    }
}
