//! The form in which outcomes are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Outcomes;
use super::runs::{ParseRunsError, Runs};
use super::verdict::State;

/// The outcomes of a test as they are stored: its runs, when it was last seen, and when its streak began.
pub type StoredRuns = (String, u64, u64);

/// The form in which outcomes are stored, in any format that serde knows. Reading and writing are the caller's.
///
/// ```json
/// {"version": 1,
///  "flaky": ["test_a.py::test_y"],
///  "tests": {"test_a.py::test_x": ["38pf9p", 1764176400, 1764090000],
///            "test_a.py::test_y": ["9prp", 1764176400, 1764000000]}}
/// ```
///
/// `flaky` names the tests of that state, for readers that know nothing of how it is found out; it follows from the
/// rest and is not read here. Equal outcomes have equal texts, since all is sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutcomeFile {
    /// Version of the form; [`OutcomeFile::VERSION`] when written by this crate.
    pub version: u32,
    /// The keys of the tests that are flaky.
    #[serde(default)]
    pub flaky: Vec<String>,
    /// The outcomes by key.
    #[serde(default)]
    pub tests: BTreeMap<String, StoredRuns>,
}

impl OutcomeFile {
    /// The version that this crate writes, and the only one that it reads.
    pub const VERSION: u32 = 1;
}

/// Why a stored form cannot be used. It can be deleted: the runs to come make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutcomeFileError {
    /// A version that this crate does not read.
    Version {
        /// The version that was found.
        found: u32,
    },
    /// The outcomes of a test are none.
    Runs(ParseRunsError),
}

impl std::fmt::Display for OutcomeFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version { found } => {
                let known = OutcomeFile::VERSION;
                write!(f, "read outcomes of version {found}, only {known} is known")
            }
            Self::Runs(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OutcomeFileError {}

impl From<&Outcomes> for OutcomeFile {
    fn from(outcomes: &Outcomes) -> Self {
        let flaky = outcomes
            .iter()
            .filter(|(_, runs)| runs.verdict().state == State::Flaky)
            .map(|(key, _)| key.to_owned());
        let tests = outcomes.iter().map(|(key, runs)| {
            let stored = (runs.to_string(), runs.seen(), runs.since());
            (key.to_owned(), stored)
        });
        Self {
            version: Self::VERSION,
            flaky: flaky.collect(),
            tests: tests.collect(),
        }
    }
}

impl TryFrom<OutcomeFile> for Outcomes {
    type Error = OutcomeFileError;

    fn try_from(file: OutcomeFile) -> Result<Self, OutcomeFileError> {
        let found = file.version;
        if found != OutcomeFile::VERSION {
            return Err(OutcomeFileError::Version { found });
        }
        let tests = file
            .tests
            .into_iter()
            .map(|(key, (outcomes, seen, since))| {
                let runs = Runs::new(&outcomes, seen, since).map_err(OutcomeFileError::Runs)?;
                Ok((key, runs))
            });
        Ok(Self {
            tests: tests.collect::<Result<_, _>>()?,
        })
    }
}
