//! What is known of files, kept from one collection to the next, in two levels.
//!
//! **Facts** (`facts.rs`) are a function of one file's bytes. They can be out of date but not inconsistent, and what
//! two processes write needs no lock: each replaces the whole file by one rename, and what the other had added is
//! parsed once more. It is one file and not one for each source, since to open and read so many costs what it
//! costs to read the sources.
//!
//! **Answers** (`answers.rs`) are what the rules have made of each test file. They follow from facts of several
//! files, from the request, and from what the rules asked the disk, so they are kept together with all of these, and hold
//! only while each is as it was. If all do, the facts are not even loaded.

mod answers;
mod facts;
mod replace;
mod stamp;
#[cfg(all(test, unix, any(feature = "ruff", feature = "rustpython")))]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Diagnostic;
use crate::answer::{Case, Shared};
use crate::disk::Disk;
use crate::sources::FileFacts;

use answers::Answers;
use facts::Facts;

pub(crate) use stamp::GRANULARITY;

/// Both levels.
pub(crate) struct Cache {
    path: PathBuf,
    facts: Facts,
    pub(crate) answers: Answers,
}

impl Cache {
    /// `settle` is after how long a change of a file would give it another time.
    pub(crate) fn new(path: &Path, settle: Duration) -> Self {
        Self {
            path: path.to_owned(),
            facts: Facts::new(path, settle),
            answers: Answers::new(path, settle),
        }
    }

    /// The facts of a file, which are asked for to answer for it alone.
    pub(crate) fn own_facts(&self, key: Option<&str>, path: &Path) -> io::Result<FileFacts> {
        let (facts, identity) = self.facts.read(key, path)?;
        self.answers.read_own(path, identity);
        Ok(facts)
    }

    /// The facts of a file, which may be asked for to answer for any.
    pub(crate) fn shared_facts(&self, key: Option<&str>, path: &Path) -> io::Result<FileFacts> {
        let read = self.facts.read(key, path);
        let identity = read.as_ref().ok().map(|(_, identity)| *identity);
        self.answers.read_shared(path, identity);
        read.map(|(facts, _)| facts)
    }

    /// Says how many answers are missing while the others hold.
    pub(crate) fn expect_missing(&self, missing: usize, all: usize) {
        // To parse a file takes as long as to load and write the facts of so many.
        const PARSED: usize = 16;
        if (missing + self.answers.sources()) * PARSED <= all {
            self.facts.expect_few();
        }
    }

    /// Writes the facts, if there are new ones. What is wrong with them, if anything.
    pub(crate) fn save_facts(&self, rootdir: &Path) -> Option<Diagnostic> {
        self.diagnostic(self.facts.save(rootdir)?)
    }

    /// Writes the answers, if there are new ones. What is wrong with them, if anything.
    pub(crate) fn save_answers(
        &self,
        cases: &[Case],
        conftests: &[PathBuf],
        shared: &Shared,
        disk: &Disk,
    ) -> Option<Diagnostic> {
        self.diagnostic(self.answers.save(cases, conftests, shared, disk)?)
    }

    fn diagnostic(&self, message: String) -> Option<Diagnostic> {
        Some(Diagnostic {
            path: self.path.to_string_lossy().into_owned(),
            line: None,
            message,
        })
    }
}

/// For people: why what was there could not be used, or what is there now could not be written.
fn problem(unusable: Option<&str>, written: io::Result<()>) -> Option<String> {
    match (unusable, written) {
        (Some(problem), _) => Some(format!("the cache is made anew: {problem}")),
        (None, Err(error)) => Some(format!("the cache cannot be written: {error}")),
        (None, Ok(())) => None,
    }
}
