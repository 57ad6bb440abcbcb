//! The directory in which a shard leaves its manifest and what belongs to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rpytest_ipc::Address;
use rpytest_sched::flakiness::{OutcomeFile, Outcomes};

use super::manifest::{COVERAGE, DURATIONS, FILE, JUNIT, Manifest, OUTCOMES};
use super::{Division, Shard};
use crate::args::UsageError;
use crate::convert::duration_key;
use crate::history::History;
use crate::ledger::Status;
use crate::whole_file;

/// Where shards are kept, below pytest's cache directory, unless `--shard-dir` says.
pub(crate) const BELOW_CACHE: &str = "d/rpytest/shards";

/// Why a shard could not be kept. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
#[error("keep what {} has for `rpytest merge`: {source}", .path.display())]
pub(crate) struct KeptError {
    path: PathBuf,
    source: io::Error,
}

/// Files that plugins have written, as the session says.
#[derive(Debug, Default)]
pub(crate) struct Artifacts {
    pub junit: Option<PathBuf>,
    pub coverage: Option<PathBuf>,
}

/// The directory of one shard.
#[derive(Debug)]
pub(crate) struct Kept {
    directory: PathBuf,
    /// Whether it was named, and is to be made whatever is there.
    named: bool,
}

impl Kept {
    /// Where a shard is kept: where it was told to be, else below pytest's cache directory, if there is one.
    pub fn of(shard: &Shard, cache: Option<&Path>) -> Option<Self> {
        let name = format!("shard-{}-of-{}", shard.index, shard.total);
        let below = |base: &Path| base.join(&name);
        match (&shard.directory, cache) {
            (Some(named), _) => Some(Self {
                directory: below(named),
                named: true,
            }),
            (None, Some(cache)) => Some(Self {
                directory: below(&cache.join(BELOW_CACHE)),
                named: false,
            }),
            (None, None) => None,
        }
    }

    /// Whether it was named, so that somebody waits for what will be in it.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Makes the directory if it was named: rather no run than one that cannot be joined.
    pub fn make(&self) -> Result<(), UsageError> {
        if !self.named {
            return Ok(());
        }
        fs::create_dir_all(&self.directory).map_err(|error| UsageError::Value {
            option: "--shard-dir",
            problem: format!(
                "cannot make {}: {error}; name a directory that can be written to",
                self.directory.display()
            ),
        })
    }

    /// What the shard is to do; what an earlier run has left is gone.
    pub fn begin(&self, division: &Division) -> Result<(), KeptError> {
        self.write(|directory| {
            for name in [JUNIT, DURATIONS, OUTCOMES] {
                remove(&directory.join(name))?;
            }
            remove(&self.coverage(division.shard()))?;
            whole_file::write_json(&directory.join(FILE), &Manifest::new(division))
        })
    }

    /// What it has done.
    pub fn end<'a>(
        &self,
        division: &Division,
        results: impl Iterator<Item = (&'a Address, &'a Status)>,
        measured: &History,
        outcomes: &Outcomes,
        artifacts: &Artifacts,
        exit: u8,
    ) -> Result<(), KeptError> {
        self.write(|directory| {
            let mut manifest = Manifest::new(division);
            manifest.add(results.map(|(address, status)| (duration_key(address), status)));
            manifest.exit = Some(exit);
            manifest.junit = copy(artifacts.junit.as_deref(), &directory.join(JUNIT))?;
            let coverage = self.coverage(division.shard());
            manifest.coverage = copy(artifacts.coverage.as_deref(), &coverage)?;
            (measured.write(&directory.join(DURATIONS))).map_err(io::Error::other)?;
            whole_file::write_json(&directory.join(OUTCOMES), &OutcomeFile::from(outcomes))?;
            // Last: what it says is there.
            whole_file::write_json(&directory.join(FILE), &manifest)
        })
    }

    fn coverage(&self, shard: &Shard) -> PathBuf {
        self.directory.join(format!("{COVERAGE}{}", shard.index))
    }

    fn write(&self, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), KeptError> {
        // Nothing is written where pytest has not made its cache directory itself.
        let shards = self.directory.parent().and_then(Path::parent);
        if !self.named && !shards.is_some_and(Path::is_dir) {
            return Ok(());
        }
        let written = fs::create_dir_all(&self.directory).and_then(|()| write(&self.directory));
        written.map_err(|source| KeptError {
            path: self.directory.clone(),
            source,
        })
    }
}

/// Copies a file that may not have been written; whether it was.
fn copy(from: Option<&Path>, to: &Path) -> io::Result<bool> {
    let Some(from) = from else { return Ok(false) };
    match fs::copy(from, to) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
