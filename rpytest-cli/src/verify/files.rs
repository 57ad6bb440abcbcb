//! The project's files as they were, so that each run begins from the same, and the last one leaves them so.
//!
//! Which files a run writes is not asked of options: what is another file afterwards was written.

mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) use self::restore::remove_whole;
use super::artefact::is_left_out;

/// How much may be there. More than this cannot be kept beside itself.
const MOST_FILES: usize = 100_000;
const MOST_BYTES: u64 = 2 << 30;

/// Directories that are no part of what a run reads and writes, or, as bytecode, are left as any run leaves them.
const LEFT_OUT: &[&str] = &[
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".mypy_cache",
    ".ruff_cache",
    ".nox",
    ".tox",
    "node_modules",
];

/// Why files cannot be kept. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("keep {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "keep the files below {} as they are: there are more than {MOST_FILES} of them, or 2 GiB; begin in the \
         directory of a project, or in a copy without what its tests do not need", .root.display()
    )]
    TooMany { root: PathBuf },
}

/// Files and directories, as they were.
#[derive(Debug)]
pub(super) struct Saved {
    roots: Vec<PathBuf>,
    /// What is not looked at: the directory for everybody's temporary files.
    apart: PathBuf,
    /// Directories that could not be looked into. Nobody does so later, or all that is there would seem to be new.
    closed: BTreeSet<PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
    /// Where copies are.
    store: PathBuf,
    /// What was there when it was put back: after how many runs, and what it was after the last of them.
    replaced: BTreeMap<PathBuf, (usize, PathBuf)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Directory {
        modified: SystemTime,
        mode: u32,
        owner: (u32, u32),
    },
    File {
        state: State,
        /// Where its content is kept, if it could be read.
        copy: Option<PathBuf>,
    },
    Link(PathBuf),
    /// Sockets and the like.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    modified: SystemTime,
    size: u64,
    mode: u32,
    /// And the group.
    owner: (u32, u32),
    inode: u64,
}

impl State {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            modified: metadata.modified()?,
            size: metadata.len(),
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            inode: metadata.ino(),
        })
    }

    /// Whether nothing but the mode is another: its content need not be put back.
    fn differs_in_mode_only(&self, now: &Metadata) -> bool {
        let with_mode = |now: Self| Self {
            mode: self.mode,
            ..now
        };
        now.is_file()
            && now.mode() != self.mode
            && Self::of(now).is_ok_and(|now| with_mode(now) == *self)
    }
}

impl Saved {
    /// Copies everything below `roots` to the directory `to`, but for what is below `apart`.
    pub(super) fn take(roots: Vec<PathBuf>, apart: &Path, to: &Path) -> Result<Self, FilesError> {
        let mut saved = Self {
            apart: apart.to_owned(),
            closed: BTreeSet::new(),
            entries: BTreeMap::new(),
            roots,
            store: to.to_owned(),
            replaced: BTreeMap::new(),
        };
        let mut bytes = 0;
        for root in saved.roots.clone() {
            let (found, unseen) = saved.walk(&root, 2 * MOST_FILES);
            for (path, source) in unseen {
                match source.kind() {
                    // Somebody else has just removed it.
                    io::ErrorKind::NotFound => {}
                    io::ErrorKind::PermissionDenied => _ = saved.closed.insert(path),
                    _ => return Err(FilesError::Io { path, source }),
                }
            }
            for (path, metadata) in found {
                let wrong = |source| FilesError::Io {
                    path: path.clone(),
                    source,
                };
                let kind = metadata.file_type();
                if kind.is_file() {
                    bytes += metadata.len();
                }
                // Before the copy: what is too much for two places may be too much for the disk.
                if saved.entries.len() >= MOST_FILES || bytes > MOST_BYTES {
                    return Err(FilesError::TooMany { root });
                }
                let entry = if kind.is_dir() {
                    Entry::Directory {
                        modified: metadata.modified().map_err(wrong)?,
                        mode: metadata.mode(),
                        owner: (metadata.uid(), metadata.gid()),
                    }
                } else if kind.is_file() {
                    let copy = to.join(saved.entries.len().to_string());
                    let state = State::of(&metadata).map_err(wrong)?;
                    let copy = match fs::copy(&path, &copy) {
                        // Nobody here can read it, and so hardly change it. If somebody does, it is told.
                        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
                        copied => Some(copied.map(|_| copy).map_err(wrong)?),
                    };
                    Entry::File { state, copy }
                } else if kind.is_symlink() {
                    Entry::Link(fs::read_link(&path).map_err(wrong)?)
                } else {
                    Entry::Other
                };
                saved.entries.insert(path, entry);
            }
        }
        Ok(saved)
    }

    /// Everything below, what contains before what is contained, until there are `most`; and what could not be seen.
    #[expect(
        clippy::type_complexity,
        reason = "two lists of paths, for two callers"
    )]
    fn walk(
        &self,
        root: &Path,
        most: usize,
    ) -> (Vec<(PathBuf, Metadata)>, Vec<(PathBuf, io::Error)>) {
        let (mut found, mut unseen) = (Vec::new(), Vec::new());
        let mut waiting = vec![root.to_owned()];
        while let Some(path) = waiting.pop() {
            if path == self.apart || self.is_another_roots(&path, root) {
                continue;
            }
            let is_closed = self.closed.contains(&path);
            let metadata = match fs::symlink_metadata(&path) {
                // A root of which nothing was known is none of ours, whatever becomes of it.
                Ok(_) if is_closed && !self.entries.contains_key(&path) => continue,
                Ok(metadata) => metadata,
                Err(error) => {
                    // Who may list a directory and no more sees none of what is in it.
                    let within = error.kind() == io::ErrorKind::PermissionDenied && path != root;
                    let parent = path.parent().filter(|_| within).map(Path::to_owned);
                    unseen.push((parent.unwrap_or(path), error));
                    continue;
                }
            };
            if metadata.is_dir() && path != root {
                let name = path.file_name().unwrap_or_default();
                let left_out = LEFT_OUT.iter().any(|one| name == *one);
                let is_environment = ["pyvenv.cfg", "conda-meta"];
                if left_out || is_environment.iter().any(|name| path.join(name).exists()) {
                    continue;
                }
            }
            if metadata.is_dir() && !is_closed {
                let entries = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
                match entries {
                    Ok(entries) => waiting.extend(entries.iter().map(fs::DirEntry::path)),
                    Err(error) => unseen.push((path.clone(), error)),
                }
            }
            found.push((path, metadata));
            if found.len() > most {
                break;
            }
        }
        (found, unseen)
    }

    /// One root may be below another.
    fn is_another_roots(&self, path: &Path, root: &Path) -> bool {
        path != root && self.roots.iter().any(|other| other == path)
    }

    /// What is there now.
    fn now(&self) -> BTreeMap<PathBuf, Metadata> {
        let roots = self.roots.iter();
        let found = roots.flat_map(|root| self.walk(root, usize::MAX).0);
        found.collect()
    }

    /// Files and links that have come, gone or changed. Directories are not told of.
    pub(super) fn changes(&self) -> Vec<PathBuf> {
        let now = self.now();
        let gone = self.entries.iter().filter(|(path, entry)| {
            matches!(entry, Entry::File { .. } | Entry::Link(_)) && !now.contains_key(*path)
        });
        let mut changed: Vec<PathBuf> = gone.map(|(path, _)| path.clone()).collect();
        for (path, metadata) in &now {
            let kind = metadata.file_type();
            let is_told = kind.is_file() || kind.is_symlink();
            if is_told && !self.is_unchanged(path, metadata) {
                changed.push(path.clone());
            }
        }
        changed
    }

    fn is_unchanged(&self, path: &Path, metadata: &Metadata) -> bool {
        let kind = metadata.file_type();
        match self.entries.get(path) {
            Some(Entry::File { state, .. }) if kind.is_file() => {
                State::of(metadata).is_ok_and(|now| now == *state)
            }
            Some(Entry::Link(target)) if kind.is_symlink() => {
                fs::read_link(path).is_ok_and(|now| now == *target)
            }
            Some(Entry::Directory { .. }) => kind.is_dir(),
            Some(Entry::Other) => !kind.is_dir() && !kind.is_file() && !kind.is_symlink(),
            _ => false,
        }
    }

    /// Files that were others after some of the runs but not after all of them, with copies of what they were then: it
    /// may be that the user has edited them meanwhile.
    pub(super) fn doubtful(&self, runs: usize) -> impl Iterator<Item = (&Path, &Path)> {
        let replaced = self.replaced.iter();
        let some = replaced.filter(move |(path, (times, _))| {
            let in_cache = path.iter().any(|part| part == ".pytest_cache");
            *times < runs && !in_cache && !is_left_out(path)
        });
        let some = some.filter(|(_, (_, copy))| copy.is_file());
        some.map(|(path, (_, copy))| (path.as_path(), copy.as_path()))
    }

    /// Files that are not as they were although there is a copy, with that: something has stood in the way.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.entries.iter().filter_map(|(path, entry)| {
            let Entry::File { copy, .. } = entry else {
                return None;
            };
            let now = fs::symlink_metadata(path);
            let is_there = now.is_ok_and(|now| self.is_unchanged(path, &now));
            let copy = copy.as_deref().filter(|copy| !is_there && copy.is_file());
            copy.map(|copy| (path.as_path(), copy))
        })
    }
}

#[cfg(test)]
mod tests;
