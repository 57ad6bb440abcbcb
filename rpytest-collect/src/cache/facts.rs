//! The facts of files.

mod store;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::stamp::{Identity, Stamp};
use crate::sources::FileFacts;

use store::Stored;

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    identity: Identity,
    facts: Encoded,
}

#[derive(Debug, Clone)]
enum Encoded {
    /// In the cache that was read: where.
    Stored(std::ops::Range<usize>),
    /// Encoded in this run.
    New(Vec<u8>),
}

pub(super) struct Facts {
    path: PathBuf,
    settle: Duration,
    /// What was kept, or why that could not be used. Loaded when the first facts are asked for.
    stored: OnceLock<(Stored, Option<String>)>,
    new: Mutex<HashMap<String, Entry>>,
    /// Whether so few files are asked for that to parse them costs less than to load and write the facts of all.
    few: AtomicBool,
    /// How many files had to be read.
    reads: AtomicUsize,
}

impl Facts {
    pub(super) fn new(path: &Path, settle: Duration) -> Self {
        Self {
            path: path.to_owned(),
            settle,
            stored: OnceLock::new(),
            new: Mutex::default(),
            few: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
        }
    }

    /// Only few files will be asked for: no others are to be loaded for them.
    pub(super) fn expect_few(&self) {
        self.few.store(true, Ordering::Relaxed);
    }

    fn stored(&self) -> &Stored {
        let load = || match Stored::read(&self.path) {
            Ok(stored) => (stored, None),
            Err(problem) => (Stored::default(), Some(problem)),
        };
        &self.stored.get_or_init(load).0
    }

    /// The facts of a file, which is read only if it is not the one that was read before. One without a key is not kept.
    pub(super) fn read(&self, key: Option<&str>, path: &Path) -> io::Result<(FileFacts, Identity)> {
        let metadata = fs::metadata(path)?;
        let stamp = Stamp::new(&metadata, self.settle);
        if let Some(facts) = FileFacts::without_reading(&metadata)? {
            return Ok((facts, Identity::of_large(stamp)));
        }
        let key = key.filter(|_| !self.few.load(Ordering::Relaxed));
        let old = key.and_then(|key| self.stored().entries.get(key));
        if let Some(old) = old.filter(|old| stamp.is(&old.identity.stamp))
            && let Some(facts) = self.decode(old)
        {
            return Ok((facts, old.identity));
        }
        let bytes = self.content(path)?;
        let identity = Identity::of(stamp, &bytes);
        if let Some(old) = old.filter(|old| old.identity.hash == identity.hash)
            && let Some(facts) = self.decode(old)
        {
            let facts_of_old = old.facts.clone();
            self.insert(key, identity, || Some(facts_of_old));
            return Ok((facts, identity));
        }
        let facts = FileFacts::of(&bytes);
        let encoded = || rmp_serde::to_vec_named(&facts).ok().map(Encoded::New);
        self.insert(key, identity, encoded);
        Ok((facts, identity))
    }

    fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        fs::read(path)
    }

    fn decode(&self, entry: &Entry) -> Option<FileFacts> {
        match &entry.facts {
            Encoded::Stored(range) => {
                rmp_serde::from_slice(self.stored().bytes.get(range.clone())?).ok()
            }
            Encoded::New(_) => None,
        }
    }

    fn insert(
        &self,
        key: Option<&str>,
        identity: Identity,
        facts: impl FnOnce() -> Option<Encoded>,
    ) {
        let Some(key) = key else { return };
        let Some(facts) = facts() else { return };
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        new.insert(key.to_owned(), Entry { identity, facts });
    }

    /// Writes what is new, beside what was there of files that still exist. What is wrong, if anything.
    pub(super) fn save(&self, rootdir: &Path) -> Option<String> {
        let (stored, unusable) = self.stored.get()?;
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_empty() && unusable.is_none() {
            return None;
        }
        let mut entries: Vec<(&str, &Entry)> = stored
            .entries
            .iter()
            .filter(|(key, _)| !new.contains_key(*key) && rootdir.join(key).is_file())
            .chain(new.iter())
            .map(|(key, entry)| (key.as_str(), entry))
            .collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let written = store::write(&self.path, &entries, &stored.bytes);
        super::problem(unusable.as_deref(), written)
    }
}

#[cfg(test)]
mod tests {
    use super::super::GRANULARITY;
    use super::*;

    #[test]
    fn an_unchanged_file_is_not_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (file, path) = (dir.path().join("a.py"), dir.path().join("cache"));
        let other = dir.path().join("b.py");
        fs::write(&file, "x = 'skip'\n").expect("a file");
        fs::write(&other, "y = 1\n").expect("a file");
        // Until its time is past, a file may change without another time.
        for (wait, reads) in [(0, 2), (2_100, 2), (0, 0)] {
            std::thread::sleep(Duration::from_millis(wait));
            let kept = Facts::new(&path, GRANULARITY);
            let (facts, _) = kept.read(Some("a.py"), &file).expect("it can be read");
            assert_eq!(facts.words, "skip\n");
            let (facts, _) = kept.read(Some("b.py"), &other).expect("it can be read");
            assert_eq!(facts.words, "");
            assert_eq!(kept.reads.load(Ordering::Relaxed), reads);
            assert_eq!(kept.save(dir.path()), None);
        }
        // The same size, and the time put back.
        let times = fs::metadata(&file)
            .expect("it is there")
            .modified()
            .expect("a time");
        fs::write(&file, "x = 'Skip'\n").expect("a file");
        let handle = fs::File::options()
            .write(true)
            .open(&file)
            .expect("it can be opened");
        handle.set_modified(times).expect("a time");
        let (facts, _) = Facts::new(&path, GRANULARITY)
            .read(Some("a.py"), &file)
            .expect("it can be read");
        assert_eq!(facts.words, "Skip\n");
    }
}
