//! Which file it was that was read.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::sources::FileFacts;

/// What a file system says of a file, which changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    /// Nanoseconds since 1970, both. Enough until 2262.
    modified: i64,
    /// Of the inode: a copy that keeps `modified` changes it. 0 where there is none.
    changed: i64,
    inode: u64,
    /// Whether the last change was so long ago that another one would have another time.
    settled: bool,
}

/// Coarser than the times of any file system in use.
pub(crate) const GRANULARITY: Duration = Duration::from_secs(2);

impl Stamp {
    /// `settle` is after how long a change would have another time.
    pub(super) fn new(metadata: &Metadata, settle: Duration) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let since = modified.duration_since(UNIX_EPOCH);
        let (changed, inode) = inode(metadata);
        let modified = since.map_or_else(|before| -nanoseconds(before.duration()), nanoseconds);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let age = now
            .map_or(0, nanoseconds)
            .saturating_sub(modified.max(changed));
        Self {
            size: metadata.len(),
            modified,
            changed,
            inode,
            settled: age > nanoseconds(settle),
        }
    }

    /// Whether a file with this stamp is the one that had the other when it was read.
    pub(super) fn is(&self, read: &Self) -> bool {
        read.settled
            && (self.size, self.modified, self.changed, self.inode)
                == (read.size, read.modified, read.changed, read.inode)
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (i64, u64) {
    use std::os::unix::fs::MetadataExt;
    let changed = metadata
        .ctime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.ctime_nsec());
    (changed, metadata.ino())
}

#[cfg(not(unix))]
fn inode(_metadata: &Metadata) -> (i64, u64) {
    (0, 0)
}

/// A file as it was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) stamp: Stamp,
    /// Of the content, or of the size of a file that is too large to be read.
    #[serde(with = "serde_bytes")]
    pub(super) hash: [u8; 32],
}

impl Identity {
    pub(super) fn of(stamp: Stamp, bytes: &[u8]) -> Self {
        Self {
            stamp,
            hash: Sha256::digest(bytes).into(),
        }
    }

    pub(super) fn of_large(stamp: Stamp) -> Self {
        Self::of(
            stamp,
            &[b"size ".as_slice(), &stamp.size.to_le_bytes()].concat(),
        )
    }

    /// The identity that a file has now, if it is still the same: with another stamp, where that has changed
    /// and the content has not.
    pub(super) fn still(&self, path: &Path, settle: Duration) -> Option<Self> {
        let now = Self::look(path, self, settle).ok()?;
        (now.hash == self.hash).then_some(now)
    }

    /// As [`Identity::still`], for files one after the other that are likely to be in one directory.
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    pub(super) fn still_in<'a>(
        &self,
        place: &mut Place<'a>,
        path: &'a Path,
        settle: Duration,
    ) -> Option<Self> {
        let unchanged = place.status(path).is_some_and(|status| {
            let now = Stamp {
                size: status.st_size.cast_unsigned(),
                modified: nanoseconds_of(status.st_mtime, status.st_mtime_nsec),
                changed: nanoseconds_of(status.st_ctime, status.st_ctime_nsec),
                inode: status.st_ino,
                settled: false,
            };
            now.is(&self.stamp)
        });
        match unchanged {
            true => Some(*self),
            false => self.still(path, settle),
        }
    }

    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    pub(super) fn still_in<'a>(
        &self,
        _place: &mut Place<'a>,
        path: &'a Path,
        settle: Duration,
    ) -> Option<Self> {
        self.still(path, settle)
    }

    fn look(path: &Path, then: &Self, settle: Duration) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let stamp = Stamp::new(&metadata, settle);
        if stamp.is(&then.stamp) {
            return Ok(*then);
        }
        match FileFacts::without_reading(&metadata)? {
            Some(_) => Ok(Self::of_large(stamp)),
            None => Ok(Self::of(stamp, &fs::read(path)?)),
        }
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn nanoseconds_of(seconds: i64, rest: impl TryInto<i64>) -> i64 {
    let rest = rest.try_into().unwrap_or(i64::MAX);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The directory of the file that was looked at last. From there the next one is found at once, and not through all
/// directories above it.
#[derive(Default)]
pub(super) struct Place<'a> {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    dir: Option<(&'a Path, std::os::fd::OwnedFd)>,
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    dir: std::marker::PhantomData<&'a Path>,
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
impl<'a> Place<'a> {
    fn status(&mut self, path: &'a Path) -> Option<rustix::fs::Stat> {
        use rustix::fs::{AtFlags, Mode, OFlags, open, statat};
        let (dir, name) = (path.parent()?, path.file_name()?);
        if self
            .dir
            .as_ref()
            .is_none_or(|(last, _)| last.as_os_str() != dir.as_os_str())
        {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.dir = Some((dir, open(dir, flags, Mode::empty()).ok()?));
        }
        let (_, dir) = self.dir.as_ref()?;
        statat(dir, name, AtFlags::empty()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_just_changed_is_not_trusted() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.py");
        fs::write(&path, "x = 1").expect("a file");
        let metadata = fs::metadata(&path).expect("it is there");
        let now = Stamp::new(&metadata, GRANULARITY);
        assert!(!now.settled && !now.is(&now));
        // As it will be seen later.
        let later = Stamp {
            settled: true,
            ..now
        };
        assert!(!later.is(&now) && later.is(&later));
        for other in [
            Stamp { size: 6, ..later },
            Stamp {
                modified: now.modified - 1,
                ..later
            },
            Stamp {
                changed: now.changed + 1,
                ..later
            },
            Stamp {
                inode: now.inode + 1,
                ..later
            },
        ] {
            assert!(!later.is(&other), "{other:?}");
        }
        let identity = Identity::of(now, b"x = 1");
        let still = identity.still(&path, GRANULARITY).expect("it is the same");
        assert_eq!(still.hash, identity.hash);
        // Both ways to ask for a file have the same answers.
        let settled = Identity {
            stamp: later,
            ..identity
        };
        let mut place = Place::default();
        for _ in 0..2 {
            assert_eq!(settled.still(&path, GRANULARITY), Some(settled));
            assert_eq!(
                settled.still_in(&mut place, &path, GRANULARITY),
                Some(settled)
            );
        }
        fs::write(&path, "x = 2").expect("a file");
        assert_eq!(identity.still(&path, GRANULARITY), None);
        assert_eq!(settled.still_in(&mut place, &path, GRANULARITY), None);
        fs::remove_file(&path).expect("it is there");
        assert_eq!(identity.still(&path, GRANULARITY), None);
    }
}
