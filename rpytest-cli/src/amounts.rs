//! Sizes and ages, for people.

use std::path::Path;
use std::time::{Duration, SystemTime};

/// What some files take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Amount {
    /// Of a file, or of all files below a directory; nothing of what is not there.
    pub(crate) fn of(path: &Path) -> Self {
        let Ok(found) = std::fs::symlink_metadata(path) else {
            return Self::default();
        };
        if !found.is_dir() {
            return Self {
                files: 1,
                bytes: found.len(),
            };
        }
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.fold(Self::default(), |sum, entry| sum + Self::of(&entry.path()))
    }

    /// Its size in the unit that suits it.
    pub(crate) fn size(self) -> String {
        let kibibytes = self.bytes as f64 / 1024.0;
        match self.bytes {
            0..1024 => format!("{} B", self.bytes),
            1024..1_048_576 => format!("{kibibytes:.1} KiB"),
            _ => format!("{:.1} MiB", kibibytes / 1024.0),
        }
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// When a file was written.
pub(crate) fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// How long ago that was, in its largest unit.
pub(crate) fn ago(at: SystemTime) -> String {
    // A date in the future is as good as none.
    let age = at.elapsed().unwrap_or(Duration::ZERO).as_secs();
    match age {
        0..60 => format!("{age} s ago"),
        60..3600 => format!("{} min ago", age / 60),
        3600..86400 => format!("{} h ago", age / 3600),
        _ => format!("{} ago", count(age / 86400, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_all_files_below() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("below")).expect("made");
        std::fs::write(directory.path().join("a"), [0; 1000]).expect("written");
        std::fs::write(directory.path().join("below/b"), [0; 1000]).expect("written");
        let found = Amount::of(directory.path());
        assert_eq!((found.files, found.size()), (2, "2.0 KiB".to_owned()));
        let absent = Amount::of(&directory.path().join("absent"));
        assert_eq!(absent.size(), "0 B");
        let large = Amount {
            files: 1,
            bytes: 5 << 20,
        };
        assert_eq!(large.size(), "5.0 MiB");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [
            (5, "5 s ago"),
            (600, "10 min ago"),
            (7300, "2 h ago"),
            (90000, "1 day ago"),
        ] {
            let at = SystemTime::now() - Duration::from_secs(seconds);
            assert_eq!(ago(at), text);
        }
        assert_eq!(ago(SystemTime::now() + Duration::from_secs(60)), "0 s ago");
    }
}
