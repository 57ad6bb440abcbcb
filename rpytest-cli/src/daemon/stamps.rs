//! Whether files are as they were when somebody looked at them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Paths, and what was there.
#[derive(Debug)]
pub(super) struct Stamps {
    seen: Vec<(PathBuf, Option<Stamp>)>,
    /// The first that may have changed after it was looked at.
    unsettled: Option<PathBuf>,
}

impl Stamps {
    /// Of paths that somebody has looked at since that time. What has changed since, or just before it, may
    /// have done so after it was looked at.
    pub(super) fn since(time: SystemTime, paths: Vec<PathBuf>) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = |tick| {
            let bound = since.saturating_sub(tick).as_nanos();
            i128::try_from(bound).unwrap_or(i128::MAX)
        };
        let (bound, coarse_bound) = (before(TICK), before(COARSE_TICK));
        let seen: Vec<(PathBuf, Option<Stamp>)> = paths
            .into_iter()
            .map(|path| {
                let stamp = stamp(&path);
                (path, stamp)
            })
            .collect();
        let unsettled = seen.iter().find(|(_, stamp)| {
            stamp.is_some_and(|stamp| {
                let last = stamp.modified.max(stamp.changed);
                let bound = if stamp.is_coarse() { coarse_bound } else { bound };
                last >= bound
            })
        });
        let unsettled = unsettled.map(|(path, _)| path.clone());
        Self { seen, unsettled }
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// The first path that is not as it was, or of which nobody can know.
    pub(super) fn changed(&self) -> Option<&PathBuf> {
        let changed = || self.seen.iter().find(|(path, was)| stamp(path) != *was);
        self.unsettled
            .as_ref()
            .or_else(|| changed().map(|(path, _)| path))
    }
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some(Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: nanoseconds(found.mtime(), found.mtime_nsec()),
        changed: nanoseconds(found.ctime(), found.ctime_nsec()),
    })
}
