//! The project's files as they were, so that each run begins from the same, and the last one leaves them so.
//!
//! Which files a run writes is not asked of options: what is another file afterwards was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
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

    /// Makes everything as it was. What cannot be is named.
    pub(super) fn restore(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut done = |path: &Path, result: io::Result<()>| {
            if let Err(error) = result {
                problems.push(format!("{}: {error}", path.display()));
            }
        };
        // A directory that a run has locked would seem to be empty.
        for (path, entry) in &self.entries {
            if let Entry::Directory { mode, .. } = entry
                && fs::symlink_metadata(path).is_ok_and(|now| now.is_dir() && now.mode() != *mode)
            {
                done(
                    path,
                    fs::set_permissions(path, Permissions::from_mode(*mode)),
                );
            }
        }
        let now = self.now();
        // What is contained goes first.
        for (path, metadata) in now.iter().rev() {
            if self.is_unchanged(path, metadata) || self.stays(path, metadata) {
                continue;
            }
            if metadata.is_file() {
                keep_what_is_replaced(&mut self.replaced, &self.store, path);
            }
            // A directory that is new may have what was not looked at.
            let result = in_open_directory(path, || match metadata.is_dir() {
                true => remove_whole(path),
                false => fs::remove_file(path),
            });
            done(path, result);
        }
        for (path, entry) in &mut self.entries {
            let metadata = now.get(path);
            let result = in_open_directory(path, || match entry {
                Entry::Directory { .. } if metadata.is_some_and(Metadata::is_dir) => Ok(()),
                Entry::Directory { mode, owner, .. } => fs::create_dir(path)
                    .and_then(|()| give(path, *owner))
                    .and_then(|()| fs::set_permissions(path, Permissions::from_mode(*mode))),
                Entry::File { state, copy } => match (metadata, copy) {
                    (Some(now), _)
                        if now.is_file() && State::of(now).is_ok_and(|now| now == *state) =>
                    {
                        Ok(())
                    }
                    (Some(now), _) if state.differs_in_mode_only(now) => {
                        fs::set_permissions(path, Permissions::from_mode(state.mode))
                    }
                    (_, Some(copy)) => put_back(copy, path, state),
                    (now, None) => {
                        let mode = Permissions::from_mode(state.mode);
                        let is_there = now.is_some_and(Metadata::is_file);
                        let result = is_there.then(|| fs::set_permissions(path, mode));
                        result.unwrap_or(Ok(())).and(Err(io::Error::other(
                            "it could not be read before the runs, so that there is no copy; its content is as they have left it",
                        )))
                    }
                },
                Entry::Link(target) => match fs::read_link(path) {
                    Ok(now) if now == *target => Ok(()),
                    _ => std::os::unix::fs::symlink(target, path),
                },
                Entry::Other => Ok(()),
            });
            done(path, result);
        }
        // What came and went has left its mark.
        for (path, entry) in self.entries.iter().rev() {
            if let Entry::Directory { modified, mode, .. } = entry {
                let result = touch_directory(path, *modified, *mode);
                done(path, result);
            }
        }
        problems
    }

    /// Whether it must not be removed, although it is another: what comes back in its place is not kept anywhere, or
    /// nothing has to come.
    fn stays(&self, path: &Path, now: &Metadata) -> bool {
        match self.entries.get(path) {
            Some(Entry::File { copy: None, .. }) => true,
            Some(Entry::File { state, .. }) => state.differs_in_mode_only(now),
            _ => false,
        }
    }
}

/// Removes a directory and all that is in it, also where a test has locked what it has made. It may be gone already.
pub(super) fn remove_whole(directory: &Path) -> io::Result<()> {
    let result = match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unlock(directory);
            fs::remove_dir_all(directory)
        }
        result => result,
    };
    result.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Does what needs a directory that may be written in, which the one that has the path is not always.
fn in_open_directory(path: &Path, mut work: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let result = work();
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let (true, Some(parent)) = (result.as_ref().is_err_and(is_denied), path.parent()) else {
        return result;
    };
    let mode = fs::symlink_metadata(parent)?.mode();
    if mode & 0o700 == 0o700 {
        return result;
    }
    fs::set_permissions(parent, Permissions::from_mode(mode | 0o700))?;
    let result = work();
    fs::set_permissions(parent, Permissions::from_mode(mode))?;
    result
}

fn unlock(directory: &Path) {
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        // Never through a link.
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            // The removal says what is wrong with it.
            let _ = fs::set_permissions(&path, Permissions::from_mode(0o700));
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()));
        }
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
    // That of an earlier run may be read-only, as the file was.
    let _ = fs::remove_file(&*copy);
    // It is put back all the same; what cannot be read cannot be rescued.
    let _ = fs::copy(path, copy);
}

fn put_back(copy: &Path, path: &Path, state: &mut State) -> io::Result<()> {
    // Beside it first: whatever is there now is neither followed, if it is a link, nor half of a file afterwards.
    let beside = path.with_file_name(".rpytest-puts-this-back");
    let result = (|| {
        fs::copy(copy, &beside)?;
        let file = fs::File::options().read(true).open(&beside)?;
        file.set_times(FileTimes::new().set_modified(state.modified))?;
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result?;
    let given = give(path, state.owner);
    fs::set_permissions(path, Permissions::from_mode(state.mode))?;
    // It is another file than the one that was there.
    *state = State::of(&fs::symlink_metadata(path)?)?;
    given
}

/// Who runs as root makes files that are root's.
fn give(path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?;
    match (now.uid(), now.gid()) == (user, group) {
        true => Ok(()),
        false => chown(path, Some(user), Some(group)),
    }
}

fn touch_directory(path: &Path, modified: SystemTime, mode: u32) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?;
    if now.mode() != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    if now.modified()? != modified {
        let directory = fs::File::open(path)?;
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
            closed: BTreeSet::new(),
            entries: BTreeMap::new(),
            store: PathBuf::new(),
            replaced: BTreeMap::new(),
        };
        let described = saved
            .walk(root, usize::MAX)
            .0
            .into_iter()
            .map(|(path, metadata)| {
                let content = match metadata.is_file() {
                    true => fs::read_to_string(&path).expect("text"),
                    false => String::new(),
                };
                // That of a link is nobody's business.
                let modified =
                    (!metadata.is_symlink()).then(|| metadata.modified().expect("a time"));
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

    /// A directory with `secret` and `below/file`, and one for copies.
    fn two_places() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let place = tempfile::tempdir().expect("a directory");
        let (root, store) = (place.path().join("project"), place.path().join("store"));
        fs::create_dir_all(root.join("below")).expect("a directory");
        fs::create_dir(&store).expect("a directory");
        for file in ["secret", "below/file"] {
            fs::write(root.join(file), "as it was").expect("a file");
        }
        (place, root, store)
    }

    fn take(root: &Path, store: &Path) -> Result<Saved, FilesError> {
        Saved::take(vec![root.to_owned()], &root.join("apart"), store)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn what_has_no_copy_is_not_removed() {
        let (_place, root, store) = two_places();
        let mut saved = take(&root, &store).expect("kept");
        // As if it could not have been read; root reads everything.
        let secret = root.join("secret");
        match saved.entries.get_mut(&secret) {
            Some(Entry::File { copy, .. }) => *copy = None,
            other => panic!("{other:?}"),
        }
        set_mode(&secret, 0o200);
        assert_eq!(
            saved.restore(),
            Vec::<String>::new(),
            "a mode needs no copy"
        );
        assert_eq!(saved.changes(), Vec::<PathBuf>::new());
        fs::write(&secret, "another").expect("a file");
        set_mode(&secret, 0o604);
        let problems = saved.restore();
        assert!(
            problems.len() == 1 && problems[0].contains("secret: it could not be read before"),
            "{problems:?}"
        );
        assert_eq!(fs::read_to_string(&secret).expect("it is there"), "another");
        let mode = fs::metadata(&secret).expect("it is there").mode();
        assert_ne!(mode & 0o777, 0o604);
    }

    #[test]
    fn what_could_not_be_looked_into_is_left_alone() {
        let (_place, root, store) = two_places();
        let below = root.join("below");
        let mut saved = take(&root, &store).expect("kept");
        // As if it had been locked then.
        saved.closed.insert(below.clone());
        saved.entries.remove(&below.join("file"));
        assert_eq!(saved.changes(), Vec::<PathBuf>::new());
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert!(below.join("file").exists());
    }

    #[test]
    fn locked_directories_are_opened() {
        let (_place, root, store) = two_places();
        let before = tree(&root);
        let mut saved = take(&root, &store).expect("kept");
        fs::create_dir_all(root.join("new/deep")).expect("a directory");
        fs::write(root.join("new/deep/file"), "").expect("a file");
        for locked in ["below", "new/deep", "new"] {
            set_mode(&root.join(locked), 0);
        }
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(tree(&root), before);
        assert!(
            remove_whole(&root.join("new")).is_ok(),
            "it is gone already"
        );
    }

    #[test]
    fn what_is_in_a_read_only_directory_is_put_back() {
        // Root needs no permission, so that this shows something to everybody else.
        let (_place, root, store) = two_places();
        let below = root.join("below");
        set_mode(&below, 0o555);
        let before = tree(&root);
        let mut saved = take(&root, &store).expect("kept");
        fs::write(below.join("file"), "another").expect("a file");
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(tree(&root), before);
        remove_whole(&below).expect("it goes");
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(tree(&root), before);
        set_mode(&below, 0o755);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let (place, root, store) = two_places();
        let mut saved = take(&root, &store).expect("kept");
        let outside = place.path().join("outside");
        fs::write(&outside, "of somebody else").expect("a file");
        let file = root.join("below/file");
        fs::remove_file(&file).expect("it goes");
        std::os::unix::fs::symlink(&outside, &file).expect("a link");
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(
            fs::read_to_string(&outside).expect("text"),
            "of somebody else"
        );
        assert_eq!(fs::read_to_string(&file).expect("text"), "as it was");
    }

    #[test]
    fn what_cannot_be_put_back_is_told_with_its_copy() {
        let (_place, root, store) = two_places();
        let mut saved = take(&root, &store).expect("kept");
        assert_eq!(saved.lost().count(), 0);
        fs::remove_dir_all(&root).expect("it goes");
        fs::write(&root, "in its way").expect("a file");
        let lost: Vec<_> = saved.lost().collect();
        assert_eq!(lost.len(), 2);
        assert_eq!(fs::read_to_string(lost[0].1).expect("kept"), "as it was");
        assert_eq!(saved.restore(), Vec::<String>::new());
        assert_eq!(saved.lost().count(), 0);
    }

    #[test]
    fn too_much_is_not_copied_first() {
        let (_place, root, store) = two_places();
        let large = fs::File::create(root.join("large")).expect("a file");
        large.set_len(MOST_BYTES + 1).expect("a hole");
        let error = take(&root, &store).expect_err("too much");
        assert!(matches!(error, FilesError::TooMany { .. }), "{error}");
        let copied = fs::read_dir(&store).expect("a directory").flatten();
        let sizes = copied.map(|entry| entry.metadata().expect("it is there").len());
        assert!(sizes.sum::<u64>() < 100);
    }
}
