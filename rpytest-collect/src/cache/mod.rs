//! The facts of files, kept from one collection to the next.
//!
//! What is kept is a function of one file's bytes, never of several files: the rules run every time. So a
//! cache can be out of date but not inconsistent, and what two processes write needs no lock: each replaces the whole
//! file by one rename, and what the other had added is parsed once more. It is one file and not one for each
//! source, since to open and read so many costs what it costs to read the sources.

mod store;

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Diagnostic;
use crate::sources::FileFacts;

use store::Stored;

/// What a file system says of a file, which changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    /// Nanoseconds since 1970, both.
    modified: i128,
    /// Of the inode: a copy that keeps `modified` changes it. 0 where there is none.
    changed: i128,
    inode: u64,
    /// Whether the last change was so long ago that another one would have another time.
    settled: bool,
}

/// Coarser than the times of any file system in use.
const GRANULARITY: Duration = Duration::from_secs(2);

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let since = modified.duration_since(UNIX_EPOCH);
        let (changed, inode) = inode(metadata);
        let modified = since.map_or_else(|before| -nanoseconds(before.duration()), nanoseconds);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let age = now.map_or(0, nanoseconds) - modified.max(changed);
        Self {
            size: metadata.len(),
            modified,
            changed,
            inode,
            settled: age > nanoseconds(GRANULARITY),
        }
    }

    /// Whether a file with this stamp is the one that had the other when it was read.
    fn is(&self, read: &Self) -> bool {
        read.settled
            && (self.size, self.modified, self.changed, self.inode)
                == (read.size, read.modified, read.changed, read.inode)
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (i128, u64) {
    use std::os::unix::fs::MetadataExt;
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    (changed, metadata.ino())
}

#[cfg(not(unix))]
fn inode(_metadata: &Metadata) -> (i128, u64) {
    (0, 0)
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    stamp: Stamp,
    hash: [u8; 32],
    facts: Facts,
}

#[derive(Debug, Clone)]
enum Facts {
    /// In the cache that was read: where.
    Stored(std::ops::Range<usize>),
    /// Encoded in this run.
    New(Vec<u8>),
}

pub(crate) struct Cache {
    path: PathBuf,
    stored: Stored,
    /// Why what was there could not be used.
    unusable: Option<String>,
    new: Mutex<HashMap<String, Entry>>,
    /// How many files had to be read.
    reads: AtomicUsize,
}

impl Cache {
    pub(crate) fn load(path: &Path) -> Self {
        let (stored, unusable) = match Stored::read(path) {
            Ok(stored) => (stored, None),
            Err(problem) => (Stored::default(), Some(problem)),
        };
        Self {
            path: path.to_owned(),
            stored,
            unusable,
            new: Mutex::default(),
            reads: AtomicUsize::new(0),
        }
    }

    /// The facts of a file, which is read only if it is not the one that was read before.
    pub(crate) fn facts(&self, key: &str, path: &Path) -> io::Result<FileFacts> {
        let metadata = fs::metadata(path)?;
        if let Some(facts) = FileFacts::without_reading(&metadata)? {
            return Ok(facts);
        }
        let stamp = Stamp::new(&metadata);
        let old = self.stored.entries.get(key);
        if let Some(old) = old.filter(|old| stamp.is(&old.stamp))
            && let Some(facts) = self.decode(old)
        {
            return Ok(facts);
        }
        let bytes = self.read(path)?;
        let hash = Sha256::digest(&bytes).into();
        if let Some(old) = old.filter(|old| old.hash == hash)
            && let Some(facts) = self.decode(old)
        {
            self.insert(
                key,
                Entry {
                    stamp,
                    ..old.clone()
                },
            );
            return Ok(facts);
        }
        let facts = FileFacts::of(&bytes);
        if let Ok(encoded) = rmp_serde::to_vec_named(&facts) {
            let entry = Entry {
                stamp,
                hash,
                facts: Facts::New(encoded),
            };
            self.insert(key, entry);
        }
        Ok(facts)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        fs::read(path)
    }

    fn decode(&self, entry: &Entry) -> Option<FileFacts> {
        match &entry.facts {
            Facts::Stored(range) => {
                rmp_serde::from_slice(self.stored.bytes.get(range.clone())?).ok()
            }
            Facts::New(_) => None,
        }
    }

    fn insert(&self, key: &str, entry: Entry) {
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        new.insert(key.to_owned(), entry);
    }

    /// Writes what is new, beside what was there of files that still exist.
    pub(crate) fn save(&self, rootdir: &Path) -> Option<Diagnostic> {
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        let diagnostic = |message: String| {
            Some(Diagnostic {
                path: self.path.to_string_lossy().into_owned(),
                line: None,
                message,
            })
        };
        let warning = self
            .unusable
            .as_ref()
            .and_then(|problem| diagnostic(format!("the cache is made anew: {problem}")));
        if new.is_empty() && warning.is_none() {
            return None;
        }
        let mut entries: Vec<(&str, &Entry)> = self
            .stored
            .entries
            .iter()
            .filter(|(key, _)| !new.contains_key(*key) && rootdir.join(key).is_file())
            .chain(new.iter())
            .map(|(key, entry)| (key.as_str(), entry))
            .collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let written = store::write(&self.path, &entries, &self.stored.bytes);
        match (warning, written) {
            (Some(warning), _) => Some(warning),
            (None, Err(error)) => diagnostic(format!("the cache cannot be written: {error}")),
            (None, Ok(())) => None,
        }
    }
}

#[cfg(test)]
mod tests {
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
            let cache = Cache::load(&path);
            assert_eq!(cache.unusable, None);
            let facts = cache.facts("a.py", &file).expect("it can be read");
            assert_eq!(facts.words, "skip\n");
            let facts = cache.facts("b.py", &other).expect("it can be read");
            assert_eq!(facts.words, "");
            assert_eq!(cache.reads.load(Ordering::Relaxed), reads);
            assert_eq!(cache.save(dir.path()), None);
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
        let facts = Cache::load(&path)
            .facts("a.py", &file)
            .expect("it can be read");
        assert_eq!(facts.words, "Skip\n");
    }
}
