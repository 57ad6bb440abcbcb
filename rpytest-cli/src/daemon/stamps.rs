//! Whether files are as they were when somebody looked at them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rpytest_ipc::Looked;
use sha2::{Digest, Sha256};

use super::keep::path;

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
    pub(super) fn since(time: SystemTime, looked: &Looked) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = |tick| {
            let bound = since.saturating_sub(tick).as_nanos();
            i128::try_from(bound).unwrap_or(i128::MAX)
        };
        let (bound, coarse_bound) = (before(TICK), before(COARSE_TICK));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
        let is_settled = |seen: &Seen, was_there: bool| match seen.stamp {
            Some(stamp) => {
                // A date that is still to come was set by somebody, and would never be in the past.
                let last = match stamp.modified > now {
                    true => stamp.changed,
                    false => stamp.modified.max(stamp.changed),
                };
                let bound = if stamp.is_coarse() {
                    coarse_bound
                } else {
                    bound
                };
                was_there && last < bound
            }
            // What has gone has no date.
            None => !was_there,
        };
        let mut unsettled = None;
        let mut note = |seen: Seen, was_there: bool| {
            if unsettled.is_none() && !is_settled(&seen, was_there) {
                unsettled = Some(seen.path.clone());
            }
            seen
        };
        let found = looked
            .seen
            .iter()
            .map(|one| note(Seen::new(path(one)), true));
        let mut seen: Vec<Seen> = found.collect();
        let missing = looked.missing.iter();
        seen.extend(missing.map(|one| note(Seen::new(path(one)), false)));
        let listed = looked.listed.iter();
        seen.extend(listed.map(|one| note(Seen::listed(path(one)), true)));
        Self { seen, unsettled }
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether something was too young to be trusted. The next time it will be older.
    pub(super) fn are_unsettled(&self) -> bool {
        self.unsettled.is_some()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_bytes::ByteBuf;

    use super::*;

    fn bytes(path: &std::path::Path) -> ByteBuf {
        ByteBuf::from(path.as_os_str().as_encoded_bytes())
    }

    /// With one file that was there, one that was not, and a directory whose entries were read.
    fn stamps(scratch: &std::path::Path, looked_at: SystemTime) -> Stamps {
        let looked = Looked {
            seen: vec![bytes(&scratch.join("there"))],
            missing: vec![bytes(&scratch.join("missing"))],
            listed: vec![bytes(&scratch.join("directory"))],
        };
        Stamps::since(looked_at, &looked)
    }

    #[test]
    fn what_is_as_it_was_has_not_changed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = |name: &str| scratch.path().join(name);
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::write(path("there"), "").expect("written");
        fs::create_dir(path("directory")).expect("made");
        assert_eq!(stamps(scratch.path(), later).changed(), None);
        // It may have been written after it was read.
        let earlier = SystemTime::now() - Duration::from_secs(60);
        let mut unsettled = stamps(scratch.path(), earlier);
        assert_eq!(unsettled.changed(), Some(&path("there")));
        assert!(unsettled.are_unsettled());

        for name in ["there", "directory"] {
            let mut known = stamps(scratch.path(), later);
            let away = path("away");
            fs::rename(path(name), &away).expect("renamed");
            assert_eq!(known.changed(), Some(&path(name)), "since it was stamped");
            let mut unsettled = stamps(scratch.path(), later);
            assert_eq!(
                unsettled.changed(),
                Some(&path(name)),
                "before it was stamped"
            );
            fs::rename(away, path(name)).expect("renamed");
        }

        // The time of the change is the one that nobody can set.
        let there = fs::File::options().write(true).open(path("there"));
        let to_come = SystemTime::now() + Duration::from_secs(3600);
        there
            .and_then(|file| file.set_modified(to_come))
            .expect("it is set");
        assert_eq!(stamps(scratch.path(), later).changed(), None);

        let mut known = stamps(scratch.path(), later);
        fs::write(path("missing"), "").expect("written");
        assert_eq!(known.changed(), Some(&path("missing")));
        let mut unsettled = stamps(scratch.path(), later);
        assert_eq!(unsettled.changed(), Some(&path("missing")));
    }
}
