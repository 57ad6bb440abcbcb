//! The way back: what is another is removed, and what was there is put in its place.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Entry, Saved, State};

impl Saved {
    /// Makes everything as it was. What cannot be is named.
    pub(in crate::verify) fn restore(&mut self) -> Vec<String> {
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
pub(in crate::verify) fn remove_whole(directory: &Path) -> io::Result<()> {
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
