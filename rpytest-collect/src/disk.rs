//! What rules ask the file system, besides what is in files.
//!
//! Rules have no other way to it (`clippy.toml` sees to that). Each question is asked once, so that one collection sees
//! one state of the disk; and what was asked is known, so that an answer that follows from it can be kept for as
//! long as the disk says the same.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use elsa::sync::FrozenMap;

/// By the text of the path: to compare paths by their parts takes longer.
type Answers = RwLock<HashMap<OsString, bool>>;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Answers,
    dirs: Answers,
    names: FrozenMap<OsString, Box<Listing>>,
}

/// What is in a directory, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Names(HashSet<OsString>),
    Missing,
    Unreadable,
}

impl Listing {
    fn read(dir: &Path) -> Self {
        let entries = std::fs::read_dir(dir);
        let names = entries.and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name()));
            names.collect::<io::Result<_>>()
        });
        match names {
            Ok(names) => Self::Names(names),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(_) => Self::Unreadable,
        }
    }

    /// The names; none where it cannot be read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &OsStr> {
        let names = match self {
            Self::Names(names) => Some(names),
            Self::Missing | Self::Unreadable => None,
        };
        names.into_iter().flatten().map(OsString::as_os_str)
    }

    /// Whether a name may be there: in one that cannot be read, any.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(OsStr::new(name)),
            Self::Missing => false,
            Self::Unreadable => true,
        }
    }
}

impl Disk {
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        ask(&self.files, path, Path::is_file)
    }

    pub(crate) fn is_dir(&self, path: &Path) -> bool {
        ask(&self.dirs, path, Path::is_dir)
    }

    /// What is in a directory, with the case that the names have.
    pub(crate) fn listing(&self, dir: &Path) -> &Listing {
        match self.names.get(dir.as_os_str()) {
            Some(listing) => listing,
            None => {
                let listing = Box::new(Listing::read(dir));
                self.names.insert(dir.into(), listing)
            }
        }
    }
}

fn ask(answers: &Answers, path: &Path, question: impl Fn(&Path) -> bool) -> bool {
    let known = answers.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = known.get(path.as_os_str()) {
        return *answer;
    }
    drop(known);
    let answer = question(path);
    let mut known = answers.write().unwrap_or_else(PoisonError::into_inner);
    // Of two threads that ask, both get the answer of the first.
    *known.entry(path.into()).or_insert(answer)
}

/// Questions with their answers, as they are kept.
#[cfg(feature = "cache")]
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Asked {
    files: Vec<(PathBuf, bool)>,
    dirs: Vec<(PathBuf, bool)>,
    /// With the names in order.
    listings: Vec<(PathBuf, Listed)>,
}

#[cfg(feature = "cache")]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Listed {
    Names(#[serde(with = "serde_bytes")] [u8; 32]),
    Missing,
    Unreadable,
}

#[cfg(feature = "cache")]
impl Listed {
    fn of(listing: &Listing) -> Self {
        match listing {
            Listing::Names(names) => {
                use sha2::Digest as _;
                let mut names: Vec<&[u8]> =
                    names.iter().map(|name| name.as_encoded_bytes()).collect();
                names.sort_unstable();
                // No name has a NUL in it.
                Self::Names(sha2::Sha256::digest(names.join(&0)).into())
            }
            Listing::Missing => Self::Missing,
            Listing::Unreadable => Self::Unreadable,
        }
    }
}

#[cfg(feature = "cache")]
impl Disk {
    /// Everything that was asked.
    pub(crate) fn asked(&self) -> Asked {
        let sorted = |answers: &Answers| {
            let known = answers.read().unwrap_or_else(PoisonError::into_inner);
            let known = known.iter();
            let mut all: Vec<(PathBuf, bool)> =
                known.map(|(path, answer)| (path.into(), *answer)).collect();
            all.sort_unstable();
            all
        };
        let mut dirs = self.names.keys_cloned();
        dirs.sort_unstable();
        let listings = dirs.into_iter().filter_map(|dir| {
            let listed = Listed::of(self.names.get(&dir)?);
            Some((dir.into(), listed))
        });
        Asked {
            files: sorted(&self.files),
            dirs: sorted(&self.dirs),
            listings: listings.collect(),
        }
    }

    /// Asks again, and whether the answers are the same.
    pub(crate) fn still_says(&self, asked: &Asked) -> bool {
        asked
            .files
            .iter()
            .all(|(path, answer)| self.is_file(path) == *answer)
            && asked
                .dirs
                .iter()
                .all(|(path, answer)| self.is_dir(path) == *answer)
            && asked
                .listings
                .iter()
                .all(|(dir, listed)| Listed::of(self.listing(dir)) == *listed)
    }
}
