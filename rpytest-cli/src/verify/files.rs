//! The project's files as they were, so that each run begins from the same, and the last one leaves them so.
//!
//! Which files a run writes is not asked of options: what is another file afterwards was written.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    /// What is not looked at.
    apart: PathBuf,
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
    },
    File {
        state: State,
        /// Where its content is kept.
        copy: PathBuf,
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
    inode: u64,
}

impl State {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            modified: metadata.modified()?,
            size: metadata.len(),
            mode: metadata.mode(),
            inode: metadata.ino(),
        })
    }
}

impl Saved {
    /// Copies everything below `roots` to the directory `to`, but for what is below `apart`.
    pub(super) fn take(roots: Vec<PathBuf>, apart: &Path, to: &Path) -> Result<Self, FilesError> {
        let mut saved = Self {
            apart: apart.to_owned(),
            entries: BTreeMap::new(),
            roots,
            store: to.to_owned(),
            replaced: BTreeMap::new(),
        };
        let mut bytes = 0;
        for root in saved.roots.clone() {
            for (path, metadata) in saved.walk(&root) {
                let wrong = |source| FilesError::Io {
                    path: path.clone(),
                    source,
                };
                if saved.entries.len() >= MOST_FILES || bytes > MOST_BYTES {
                    return Err(FilesError::TooMany { root });
                }
                let kind = metadata.file_type();
                let entry = if kind.is_dir() {
                    Entry::Directory {
                        modified: metadata.modified().map_err(wrong)?,
                        mode: metadata.mode(),
                    }
                } else if kind.is_file() {
                    bytes += metadata.len();
                    let copy = to.join(saved.entries.len().to_string());
                    let state = State::of(&metadata).map_err(wrong)?;
                    match fs::copy(&path, &copy) {
                        // Nobody here can read it, and so hardly change it. If somebody does, it is told.
                        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                        copied => _ = copied.map_err(wrong)?,
                    }
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

    /// Everything below, what contains before what is contained.
    fn walk(&self, root: &Path) -> Vec<(PathBuf, Metadata)> {
        let mut found = Vec::new();
        let mut waiting = vec![root.to_owned()];
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if path == self.apart || self.is_another_roots(&path, root) {
                continue;
            }
            if metadata.is_dir() && path != root {
                let name = path.file_name().unwrap_or_default();
                let left_out = LEFT_OUT.iter().any(|one| name == *one);
                let is_environment = ["pyvenv.cfg", "conda-meta"];
                if left_out || is_environment.iter().any(|name| path.join(name).exists()) {
                    continue;
                }
            }
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                waiting.extend(entries.map(|entry| entry.path()));
            }
            found.push((path, metadata));
            if found.len() > 2 * MOST_FILES {
                break;
            }
        }
        found
    }

    /// One root may be below another.
    fn is_another_roots(&self, path: &Path, root: &Path) -> bool {
        path != root && self.roots.iter().any(|other| other == path)
    }

    /// What is there now.
    fn now(&self) -> BTreeMap<PathBuf, Metadata> {
        let roots = self.roots.iter();
        roots.flat_map(|root| self.walk(root)).collect()
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
        some.map(|(path, (_, copy))| (path.as_path(), copy.as_path()))
    }

    /// Makes everything as it was. What cannot be is named.
    pub(super) fn restore(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut done = |path: &Path, result: io::Result<()>| {
            if let Err(error) = result {
                problems.push(format!("{}: {error}", path.display()));
            }
        };
        let now = self.now();
        // What is contained goes first.
        for (path, metadata) in now.iter().rev() {
            if self.is_unchanged(path, metadata) {
                continue;
            }
            if metadata.is_file() {
                keep_what_is_replaced(&mut self.replaced, &self.store, path);
            }
            // A directory that is new may have what was not looked at.
            let result = match metadata.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
            done(path, result);
        }
        for (path, entry) in &mut self.entries {
            let metadata = now.get(path);
            let result = match entry {
                Entry::Directory { .. } if metadata.is_some_and(Metadata::is_dir) => Ok(()),
                Entry::Directory { mode, .. } => fs::create_dir(path)
                    .and_then(|()| fs::set_permissions(path, Permissions::from_mode(*mode))),
                Entry::File { state, copy } => match metadata {
                    Some(now) if now.is_file() && State::of(now).is_ok_and(|now| now == *state) => {
                        Ok(())
                    }
                    _ => put_back(copy, path, state),
                },
                Entry::Link(target) => match fs::read_link(path) {
                    Ok(now) if now == *target => Ok(()),
                    _ => std::os::unix::fs::symlink(target, path),
                },
                Entry::Other => Ok(()),
            };
            done(path, result);
        }
        // What came and went has left its mark.
        for (path, entry) in self.entries.iter().rev() {
            if let Entry::Directory { modified, mode } = entry {
                let result = touch_directory(path, *modified, *mode);
                done(path, result);
            }
        }
        problems
    }
}

fn keep_what_is_replaced(
    replaced: &mut BTreeMap<PathBuf, (usize, PathBuf)>,
    store: &Path,
    path: &Path,
) {
    let copy = store.join(format!("replaced-{}", replaced.len()));
    let (times, copy) = replaced.entry(path.to_owned()).or_insert((0, copy));
    *times += 1;
    // It is put back all the same; what cannot be read cannot be rescued.
    let _ = fs::copy(path, copy);
}

fn put_back(copy: &Path, path: &Path, state: &mut State) -> io::Result<()> {
    fs::copy(copy, path)?;
    fs::set_permissions(path, Permissions::from_mode(state.mode))?;
    let file = fs::File::options().read(true).open(path)?;
    file.set_times(FileTimes::new().set_modified(state.modified))?;
    // It is another file than the one that was there.
    *state = State::of(&file.metadata()?)?;
    Ok(())
}

fn touch_directory(path: &Path, modified: SystemTime, mode: u32) -> io::Result<()> {
    let directory = fs::File::open(path)?;
    let now = directory.metadata()?;
    if now.mode() != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    if now.modified()? != modified {
        directory.set_times(FileTimes::new().set_modified(modified))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path) -> BTreeMap<String, String> {
        let saved = Saved {
            roots: vec![root.to_owned()],
            apart: PathBuf::new(),
            entries: BTreeMap::new(),
            store: PathBuf::new(),
            replaced: BTreeMap::new(),
        };
        let described = saved.walk(root).into_iter().map(|(path, metadata)| {
            let content = match metadata.is_file() {
                true => fs::read_to_string(&path).expect("text"),
                false => String::new(),
            };
            // That of a link is nobody's business.
            let modified = (!metadata.is_symlink()).then(|| metadata.modified().expect("a time"));
            let text = format!("{:o} {modified:?} {content}", metadata.mode());
            (path.to_string_lossy().into_owned(), text)
        });
        described.collect()
    }

    #[test]
    fn everything_is_as_it_was() {
        let place = tempfile::tempdir().expect("a directory");
        let (root, store) = (place.path().join("project"), place.path().join("store"));
        for directory in ["cache/v", "empty", "__pycache__"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        fs::create_dir(&store).expect("a directory");
        for (file, text) in [("a.py", "a"), ("cache/v/last", "{}"), ("script", "#!")] {
            fs::write(root.join(file), text).expect("a file");
        }
        fs::set_permissions(root.join("script"), Permissions::from_mode(0o755)).expect("a mode");
        std::os::unix::fs::symlink("a.py", root.join("link")).expect("a link");
        let before = tree(&root);
        let apart = root.join("apart");
        let mut saved = Saved::take(vec![root.clone()], &apart, &store).expect("kept");
        assert_eq!(saved.changes(), Vec::<PathBuf>::new());
        fs::write(root.join("a.py"), "b").expect("a file");
        fs::write(root.join("new"), "").expect("a file");
        fs::create_dir_all(root.join("made/deep")).expect("a directory");
        fs::write(root.join("made/deep/file"), "").expect("a file");
        fs::write(root.join("__pycache__/a.pyc"), "").expect("a file");
        fs::remove_dir_all(root.join("cache")).expect("it goes");
        fs::remove_file(root.join("link")).expect("it goes");
        fs::remove_dir(root.join("empty")).expect("it goes");
        fs::write(root.join("empty"), "a file now").expect("a file");
        let mut changes: Vec<_> = saved
            .changes()
            .into_iter()
            .map(|path| {
                path.strip_prefix(&root)
                    .expect("below")
                    .display()
                    .to_string()
            })
            .collect();
        changes.sort();
        let expected = [
            "a.py",
            "cache/v/last",
            "empty",
            "link",
            "made/deep/file",
            "new",
        ];
        assert_eq!(changes, expected);
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(saved.changes(), Vec::<PathBuf>::new());
        assert_eq!(tree(&root), before);
        assert!(root.join("__pycache__/a.pyc").exists(), "bytecode stays");
        fs::write(root.join("new"), "").expect("a file");
        assert_eq!(saved.restore(), Vec::<String>::new());
        let mut doubtful: Vec<_> = saved.doubtful(2).collect();
        doubtful.sort();
        let names: Vec<_> = doubtful.iter().map(|(path, _)| path.file_name()).collect();
        let expected = ["a.py", "empty", "file"].map(|name| Some(name.as_ref()));
        assert_eq!(names, expected, "`new` was made by both runs");
        assert_eq!(fs::read_to_string(doubtful[0].1).expect("kept"), "b");
    }
}
