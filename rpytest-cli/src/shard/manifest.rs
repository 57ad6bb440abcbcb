//! What a shard writes down, so that the shards can be joined.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rpytest_ipc::{Outcome, PhaseSeconds};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Division, ci, strategy};
use crate::ledger::Status;

/// Its file, in the directory of the shard.
pub(crate) const FILE: &str = "manifest.json";

/// The durations that the shard has measured, beside it.
pub(crate) const DURATIONS: &str = "durations.json";

/// What came of the tests as their history has it, beside it: the manifest does not tell which were run again.
pub(crate) const OUTCOMES: &str = "outcomes.json";

/// What `--junitxml` has written, beside it.
pub(crate) const JUNIT: &str = "junit.xml";

/// What pytest-cov has written, beside it; the shard's number follows.
pub(crate) const COVERAGE: &str = ".coverage.shard-";

/// The version that is written and read.
const VERSION: u32 = 1;

/// One shard, what it was to do and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u32,
    /// The number of the shard, from 0.
    pub shard: u32,
    /// How many there are.
    pub total: u32,
    pub strategy: String,
    /// What names the run in its CI, if that does.
    #[serde(default)]
    pub run: Option<String>,
    /// A digest of the items of all shards.
    pub inventory: String,
    /// A digest of the durations that the shards were planned by.
    pub history: String,
    /// The items of all shards, sorted.
    pub items: Vec<String>,
    /// Positions in `items` of this shard's.
    pub assigned: Vec<u32>,
    /// Seconds that this shard was expected to take, if durations were known.
    pub predicted: Option<f64>,
    /// What came of them: position, status, seconds of setup, call and teardown.
    pub results: Vec<(u32, String, f64, f64, f64)>,
    /// pytest's exit code; none while it runs, and if it never came to its end.
    pub exit: Option<u8>,
    /// Whether there is a JUnit file beside it.
    pub junit: bool,
    /// Whether there is coverage data beside it.
    pub coverage: bool,
}

/// Why a manifest cannot be used. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("read {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("understand {}: {problem}; run the shard again", .path.display())]
    Damaged { path: PathBuf, problem: String },
}

impl Manifest {
    /// Of a shard that has not begun.
    pub fn new(division: &Division) -> Self {
        let shard = division.shard();
        let keys = division.keys();
        let mut order: Vec<u32> = (0u32..).zip(keys).map(|(position, _)| position).collect();
        order.sort_by(|one, two| keys[*one as usize].cmp(&keys[*two as usize]));
        let mut place = vec![0; keys.len()];
        for (sorted, position) in (0u32..).zip(&order) {
            place[*position as usize] = sorted;
        }
        let items: Vec<String> = order
            .iter()
            .map(|position| keys[*position as usize].clone())
            .collect();
        let share = division.share();
        let mut assigned: Vec<u32> = share
            .iter()
            .map(|position| place[*position as usize])
            .collect();
        assigned.sort_unstable();
        Self {
            version: VERSION,
            shard: shard.index,
            total: shard.total,
            strategy: strategy::name(shard.strategy).to_owned(),
            run: ci::run(|name| std::env::var(name).ok()),
            inventory: digest_of(&items),
            history: division.history().to_owned(),
            items,
            assigned,
            predicted: division.predicted(),
            results: Vec::new(),
            exit: None,
            junit: false,
            coverage: false,
        }
    }

    /// Adds what came of the items, by their keys.
    pub fn add<'a>(&mut self, results: impl Iterator<Item = (String, &'a Status)>) {
        let positions: BTreeMap<&str, u32> = (self.items.iter().map(String::as_str))
            .zip(0u32..)
            .collect();
        let found = results.filter_map(|(key, status)| {
            let position = *positions.get(key.as_str())?;
            let (name, seconds) = told(status)?;
            let PhaseSeconds {
                setup,
                call,
                teardown,
            } = seconds;
            Some((position, name.to_owned(), setup, call, teardown))
        });
        self.results = found.collect();
        self.results.sort_by_key(|(position, ..)| *position);
    }

    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let damaged = |problem: String| ManifestError::Damaged {
            path: path.to_owned(),
            problem,
        };
        let text = fs::read(path).map_err(|source| ManifestError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        // The version first: another one may have another form.
        let version: Version =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if version.version != VERSION {
            let problem = format!(
                "it has version {}, and only {VERSION} is known: join shards with the rpytest that ran them",
                version.version
            );
            return Err(damaged(problem));
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let count = manifest.items.len();
        let inside = |position: &u32| (*position as usize) < count;
        if !manifest.assigned.iter().all(inside)
            || !manifest.results.iter().all(|result| inside(&result.0))
        {
            return Err(damaged("it names items that it does not have".to_owned()));
        }
        if manifest.shard >= manifest.total {
            return Err(damaged(format!(
                "it is shard {} of {}",
                manifest.shard, manifest.total
            )));
        }
        if manifest.inventory != digest_of(&manifest.items) {
            return Err(damaged(
                "its items are not those that it was made of".to_owned(),
            ));
        }
        Ok(manifest)
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// A digest of items, which may come in any order.
fn digest_of(sorted: &[String]) -> String {
    let mut digest = Sha256::new();
    for item in sorted {
        // Lengths keep two lists apart that read the same without their borders.
        digest.update((item.len() as u64).to_le_bytes());
        digest.update(item);
    }
    hex(&digest.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of a status, and what the item cost. None where there is none to tell.
fn told(status: &Status) -> Option<(&'static str, PhaseSeconds)> {
    Some(match status {
        Status::Ended(outcome, spent) => (name_of(*outcome), spent.seconds),
        Status::Crashed(_) => ("crashed", PhaseSeconds::default()),
        Status::Planned | Status::Running | Status::NotRun => return None,
    })
}

fn name_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Error => "error",
        Outcome::Skipped => "skipped",
        Outcome::Xfailed => "xfailed",
        Outcome::Xpassed => "xpassed",
        _ => "unknown",
    }
}

/// Whether a status makes a run fail.
pub(crate) fn is_failure(status: &str) -> bool {
    !matches!(status, "passed" | "skipped" | "xfailed" | "xpassed")
}
