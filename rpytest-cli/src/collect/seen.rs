//! How a path looked when something was made of it, and whether it still does.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::Parts;

/// Coarser than the times of any file system in use.
const GRANULARITY: Duration = Duration::from_secs(2);

/// Entries that a run of Python or pytest makes by itself.
const MADE_BY_RUNS: [&str; 3] = ["__pycache__", ".pytest_cache", ".hypothesis"];

/// What of a path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Aspect {
    /// The content of a file, or that it is a directory, or not there.
    Content,
    /// The names in a directory.
    Names,
    /// Those of them that could be modules.
    Modules,
}

/// A path, and what was found there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub path: PathBuf,
    pub aspect: Aspect,
    state: State,
    stamp: Option<Stamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Absent,
    Directory,
    Digest([u8; 32]),
}

/// What a file system says of a file, which changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: Duration,
    changed: i128,
    inode: u64,
}

impl Stamp {
    fn new(metadata: &Metadata) -> Option<Self> {
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let (changed, inode) = inode(metadata);
        Some(Self {
            size: metadata.len(),
            modified,
            changed,
            inode,
        })
    }
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

impl Seen {
    /// Looks at a path.
    pub fn now(path: &Path, aspect: Aspect) -> Self {
        let state = State::of(path, aspect);
        let age = |stamp: &Stamp| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            now.checked_sub(stamp.modified)
        };
        let stamp = match aspect {
            Aspect::Content => fs::metadata(path).ok().filter(Metadata::is_file),
            Aspect::Names | Aspect::Modules => None,
        };
        Self {
            path: path.to_owned(),
            aspect,
            state,
            // One that has just changed may change again within the same time.
            stamp: stamp
                .and_then(|metadata| Stamp::new(&metadata))
                .filter(|stamp| age(stamp).is_some_and(|age| age > GRANULARITY)),
        }
    }

    /// Whether it has been written since a moment, so that what was read of it may not be what is there.
    pub fn written_since(&self, moment: SystemTime) -> bool {
        let metadata = match self.aspect {
            Aspect::Content => fs::metadata(&self.path).ok().filter(Metadata::is_file),
            Aspect::Names | Aspect::Modules => None,
        };
        let modified = metadata.and_then(|metadata| metadata.modified().ok());
        modified.is_some_and(|modified| modified >= moment)
    }

    /// Whether the path looks as it did.
    pub fn holds(&self) -> bool {
        if let Some(stamp) = &self.stamp
            && fs::metadata(&self.path).is_ok_and(|now| Stamp::new(&now).as_ref() == Some(stamp))
        {
            return true;
        }
        State::of(&self.path, self.aspect) == self.state
    }

    /// Whether both say the same of the same path.
    pub fn agrees(&self, other: &Self) -> bool {
        (&self.path, self.aspect, &self.state) == (&other.path, other.aspect, &other.state)
    }
}

impl State {
    fn of(path: &Path, aspect: Aspect) -> Self {
        match aspect {
            Aspect::Content => match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => Self::Directory,
                // A device or a pipe has no content to compare; that it is there is all.
                Ok(metadata) if !metadata.is_file() => Self::Digest([0; 32]),
                Ok(_) => match fs::read(path) {
                    Ok(bytes) => Self::Digest(Sha256::digest(bytes).into()),
                    Err(_) => Self::Absent,
                },
                Err(_) => Self::Absent,
            },
            Aspect::Names | Aspect::Modules => {
                let Ok(entries) = fs::read_dir(path) else {
                    return Self::Absent;
                };
                let mut names: Vec<_> = entries
                    .flatten()
                    .map(|entry| entry.file_name())
                    .filter(|name| !MADE_BY_RUNS.iter().any(|made| name == made))
                    .filter(|name| aspect == Aspect::Names || may_be_module(name))
                    .collect();
                names.sort_unstable();
                let mut parts = Parts::default();
                for name in names {
                    parts.add(name.as_encoded_bytes());
                }
                Self::Digest(parts.finish())
            }
        }
    }
}

fn may_be_module(name: &OsStr) -> bool {
    match Path::new(name).extension() {
        None => true,
        Some(suffix) => ["py", "pyc", "pyd", "so"]
            .iter()
            .any(|known| suffix == *known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_seen() {
        let base = tempfile::tempdir().expect("a directory");
        let (dir, file) = (base.path().join("dir"), base.path().join("dir/file.txt"));
        let look = || {
            [
                Seen::now(&file, Aspect::Content),
                Seen::now(&dir, Aspect::Content),
                Seen::now(&dir, Aspect::Names),
                Seen::now(&dir, Aspect::Modules),
            ]
        };
        let holds = |seen: &[Seen; 4]| seen.clone().map(|seen| seen.holds());
        let nothing = look();
        fs::create_dir(&dir).expect("a directory");
        assert_eq!(holds(&nothing), [true, false, false, false]);
        let empty = look();
        assert_eq!(holds(&empty), [true; 4]);
        fs::write(&file, "one").expect("a file");
        assert_eq!(holds(&empty), [false, true, false, true]);
        let one = look();
        fs::write(&file, "two").expect("a file");
        assert_eq!(holds(&one), [false, true, true, true]);
        let two = look();
        fs::create_dir(dir.join("__pycache__")).expect("a directory");
        assert_eq!(holds(&two), [true; 4]);
        fs::write(dir.join("json.py"), "").expect("a file");
        assert_eq!(holds(&two), [true, true, false, false]);
        assert!(two[0].agrees(&look()[0]) && !two[0].agrees(&one[0]));
    }

    #[test]
    fn what_is_written_meanwhile_is_known() {
        let base = tempfile::tempdir().expect("a directory");
        let file = base.path().join("file");
        fs::write(&file, "").expect("a file");
        let seen = Seen::now(&file, Aspect::Content);
        let hour = Duration::from_secs(3600);
        assert!(seen.written_since(SystemTime::now() - hour));
        assert!(!seen.written_since(SystemTime::now() + hour));
    }
}
