//! Whether files are as they were when somebody looked at them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

/// What the system says of a file, a directory, or of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970, both. The second cannot be set back by anybody.
    modified: i128,
    changed: i128,
}

impl Stamp {
    fn is_coarse(&self) -> bool {
        self.modified % 1_000_000_000 == 0 && self.changed % 1_000_000_000 == 0
    }
}

/// Kernels note the time of a change by a clock that ticks this often, or more often.
const TICK: Duration = Duration::from_millis(20);
/// The same for file systems that keep whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// A path, and what was there.
#[derive(Debug)]
struct Seen {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Of a directory that was read: a digest of what it has. It is as it was also when something came and
    /// went again.
    entries: Option<[u8; 32]>,
}

/// Paths, and what was there.
#[derive(Debug)]
pub(super) struct Stamps {
    seen: Vec<Seen>,
    /// The first that may have changed after it was looked at.
    unsettled: Option<PathBuf>,
}

impl Stamps {
    /// Of paths that somebody has looked at since that time. What has changed since, or just before it, may
    /// have done so after it was looked at.
    pub(super) fn since(time: SystemTime, paths: Vec<PathBuf>, listed: Vec<PathBuf>) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = |tick| {
            let bound = since.saturating_sub(tick).as_nanos();
            i128::try_from(bound).unwrap_or(i128::MAX)
        };
        let (bound, coarse_bound) = (before(TICK), before(COARSE_TICK));
        let listed = listed.into_iter().map(Seen::listed);
        let seen: Vec<Seen> = paths.into_iter().map(Seen::new).chain(listed).collect();
        let unsettled = seen.iter().find(|seen| {
            seen.stamp.is_some_and(|stamp| {
                let last = stamp.modified.max(stamp.changed);
                let bound = if stamp.is_coarse() {
                    coarse_bound
                } else {
                    bound
                };
                last >= bound
            })
        });
        let unsettled = unsettled.map(|seen| seen.path.clone());
        Self { seen, unsettled }
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// The first path that is not as it was, or of which nobody can know.
    pub(super) fn changed(&mut self) -> Option<&PathBuf> {
        let changed = self
            .seen
            .iter_mut()
            .find_map(|seen| seen.has_changed().then_some(&seen.path));
        self.unsettled.as_ref().or(changed)
    }
}

impl Seen {
    fn new(path: PathBuf) -> Self {
        let stamp = stamp(&path, false);
        Self {
            path,
            stamp,
            entries: None,
        }
    }

    fn listed(path: PathBuf) -> Self {
        let stamp = stamp(&path, true);
        let entries = entries(&path);
        Self {
            path,
            stamp,
            entries,
        }
    }

    fn has_changed(&mut self) -> bool {
        let now = stamp(&self.path, self.entries.is_some());
        if now == self.stamp {
            return false;
        }
        let same = |was: &Stamp, is: &Stamp| (was.device, was.inode) == (is.device, is.inode);
        let is_same = matches!((&self.stamp, &now), (Some(was), Some(is)) if same(was, is));
        // Read after the stamp was: what comes in between has another stamp.
        if is_same && self.entries.is_some() && entries(&self.path) == self.entries {
            self.stamp = now;
            return false;
        }
        true
    }
}

/// A digest of the names in a directory, and of which are directories. None for anything else.
fn entries(path: &PathBuf) -> Option<[u8; 32]> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let is_dir = entry.file_type().ok()?.is_dir();
        found.push((entry.file_name(), is_dir));
    }
    found.sort();
    let mut digest = Sha256::new();
    for (name, is_dir) in found {
        digest.update(name.as_encoded_bytes());
        digest.update([0, u8::from(is_dir)]);
    }
    Some(digest.finalize().into())
}

/// Of a directory that is not `listed`, it is only asked which one it is.
fn stamp(path: &PathBuf, listed: bool) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    if found.is_dir() && !listed {
        return Some(Stamp {
            device: found.dev(),
            inode: found.ino(),
            size: 0,
            modified: 0,
            changed: 0,
        });
    }
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some(Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: nanoseconds(found.mtime(), found.mtime_nsec()),
        changed: nanoseconds(found.ctime(), found.ctime_nsec()),
    })
}
