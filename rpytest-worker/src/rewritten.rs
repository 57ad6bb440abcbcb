//! Where the Python side keeps code with rewritten assertions, by the content of its source.
//!
//! pytest rewrites the assertions of each test file that has no bytecode of the right date beside it: in a
//! fresh checkout, after a change of branch, in a container that writes none. With a store that is done once
//! for each content of a file, Python and pytest (`python/rpytest_worker/rewriting.py`, which also says when
//! nothing is kept). Nothing in it depends on a path or a date, so that it may travel: as the cache of a CI
//! job, for one.
//!
//! An entry is `<2 digits>/<38 digits>`, hexadecimal, written beside its place and then renamed; its date is
//! when it was last of use, to a day.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::embedded::{self, cache_directory};
use crate::interpreter::Surroundings;

/// How large a store may become: the code of some 10,000 test files.
const LIMIT: u64 = 256 * 1024 * 1024;

/// How often it is looked through.
const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// In a store, a file whose date says when it was looked through.
const LOOKED_THROUGH: &str = "looked-through";

/// A directory of code that interpreters read and write.
#[derive(Clone, Debug)]
pub struct RewrittenStore {
    directory: PathBuf,
}

impl RewrittenStore {
    /// The one of this user: `rewritten` in what [`cache_directory`] names. `None` where there is no place
    /// for it, or where somebody else could write to it: Python runs what is in it.
    pub fn of_the_user(surroundings: &dyn Surroundings) -> Option<Self> {
        let directory = cache_directory(surroundings)?.join("rewritten");
        match Self::at(&directory) {
            Ok(store) => Some(store),
            Err(error) => {
                tracing::debug!("failed to use {}: {error}", directory.display());
                None
            }
        }
    }

    /// The one in a directory, which is made if need be.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or is not this user's alone.
    pub fn at(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        embedded::create_private(&directory)?;
        if !embedded::is_private(&directory) {
            return Err(io::Error::other("others can write to it"));
        }
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Once a day deletes what was of no use for longest, until 256 MiB are left. It may take a second; other
    /// processes may use the store meanwhile.
    pub fn tidy(&self) {
        let stamp = self.directory.join(LOOKED_THROUGH);
        let age = embedded::modified(&stamp).map(|at| SystemTime::now().duration_since(at));
        // A date in the future is none.
        if !matches!(age, Some(Ok(age)) if age < PERIOD) {
            self.shrink(LIMIT);
            if let Err(error) = File::create(&stamp) {
                tracing::debug!("failed to write {}: {error}", stamp.display());
            }
        }
    }

    fn shrink(&self, limit: u64) {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        let directories = fs::read_dir(&self.directory).into_iter().flatten();
        let files = directories
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten().flatten());
        for file in files {
            if let Ok(metadata) = file.metadata()
                && let Ok(modified) = metadata.modified()
            {
                entries.push((modified, metadata.len(), file.path()));
            }
        }
        entries.sort();
        let mut left: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in entries {
            if left <= limit {
                break;
            }
            // Another process may have done so.
            let _ = fs::remove_file(path);
            left = left.saturating_sub(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;

    use super::*;

    fn store() -> (tempfile::TempDir, RewrittenStore) {
        let scratch = tempfile::tempdir().expect("a directory");
        let store = RewrittenStore::at(scratch.path().join("rewritten")).expect("a store");
        (scratch, store)
    }

    fn put(store: &RewrittenStore, name: &str, size: usize, days: u64) -> PathBuf {
        let path = store.directory().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, vec![0; size]).expect("written");
        let at = SystemTime::now() - PERIOD * u32::try_from(days).expect("few");
        let file = File::options().write(true).open(&path).expect("there");
        file.set_times(FileTimes::new().set_modified(at))
            .expect("set");
        path
    }

    #[test]
    fn what_was_of_no_use_for_longest_goes_first() {
        let (_scratch, store) = store();
        let old = put(&store, "aa/1", 100, 9);
        let used = put(&store, "aa/2", 100, 1);
        let new = put(&store, "bb/3", 100, 0);
        store.shrink(300);
        assert!(old.exists());
        store.shrink(250);
        assert!(!old.exists() && used.exists() && new.exists());
        store.shrink(100);
        assert!(!used.exists() && new.exists());
    }

    #[test]
    fn it_is_looked_through_once_a_day() {
        let (_scratch, store) = store();
        let stamp = store.directory().join(LOOKED_THROUGH);
        store.tidy();
        let first = embedded::modified(&stamp).expect("a stamp");
        store.tidy();
        assert_eq!(embedded::modified(&stamp), Some(first));
        let at = SystemTime::now() - 2 * PERIOD;
        let file = File::options().write(true).open(&stamp).expect("there");
        file.set_times(FileTimes::new().set_modified(at))
            .expect("set");
        store.tidy();
        assert!(embedded::modified(&stamp).expect("a stamp") >= first);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_of_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().expect("a directory");
        let open = scratch.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("set");
        RewrittenStore::at(&open).expect_err("anybody can write to it");
    }
}
