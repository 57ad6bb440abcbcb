//! Where the daemon of a project and an interpreter is found: a socket in a directory of the user's own.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// `RPYTEST_DAEMON_DIR` puts the directory somewhere else.
const VARIABLE: &str = "RPYTEST_DAEMON_DIR";

/// Namespaces of Linux in which a process may find another machine: other files, another network, another host name. A
/// run in one must not take place outside of it, though both may see the same directory of sockets.
const NAMESPACES: [&str; 6] = ["ipc", "mnt", "net", "pid", "user", "uts"];

/// The files of one daemon.
#[derive(Debug, Clone)]
pub(super) struct Place {
    directory: PathBuf,
    name: String,
}

impl Place {
    /// The place of the daemon for a project's root directory and an interpreter, in the namespaces of this process.
    pub(super) fn new(root: &Path, interpreter: &Path) -> Self {
        let mut digest = Sha256::new();
        for path in [root, interpreter] {
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update([0]);
        }
        for name in NAMESPACES {
            // Nothing where there are none.
            let id = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap_or_default();
            digest.update(id.as_os_str().as_encoded_bytes());
            digest.update([0]);
        }
        let digest = digest.finalize();
        let name = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        Self {
            directory: directory(),
            name: name.collect(),
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join(format!("{}.sock", self.name))
    }

    /// Whoever holds a lock on it is the daemon.
    pub(super) fn lock(&self) -> PathBuf {
        self.directory.join(format!("{}.lock", self.name))
    }

    /// What went wrong at the end of a daemon, for the next one to tell.
    pub(super) fn failures(&self) -> PathBuf {
        self.directory.join(format!("{}.failures", self.name))
    }

    /// Makes the directory, or sees to it that it is nobody else's.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory);
        made.and_then(|()| self.check())
    }

    /// Whether nobody else can have put something there.
    pub(super) fn check(&self) -> io::Result<()> {
        let found = std::fs::symlink_metadata(&self.directory)?;
        let own = rustix::process::getuid().as_raw();
        let problem = if !found.is_dir() {
            "it is no directory"
        } else if found.uid() != own {
            "it belongs to somebody else"
        } else if found.mode() & 0o077 != 0 {
            "others may enter it; `chmod 700` it"
        } else {
            return Ok(());
        };
        let directory = self.directory.display();
        Err(io::Error::other(format!(
            "the daemon's directory `{directory}` cannot be used: {problem}, or name another one by {VARIABLE}"
        )))
    }
}

/// Takes the lock of a daemon's place, unless a daemon has it: of the file that is there, and not of one that was removed
/// meanwhile.
pub(super) fn take(lock: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::create(lock)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let own = file.metadata()?;
        match std::fs::symlink_metadata(lock) {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => {
                return Ok(Some(file));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Removes the sockets and locks of daemons that are gone. Returns how many those were, and how many run.
pub(crate) fn remove_stale() -> io::Result<(u64, u64)> {
    let directory = directory();
    let (mut gone, mut running) = (0, 0);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries?,
    };
    for entry in entries {
        let lock = entry?.path();
        if lock.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let Some(held) = take(&lock)? else {
            running += 1;
            continue;
        };
        let socket = lock.with_extension("sock");
        match std::fs::remove_file(&socket) {
            Ok(()) => gone += 1,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        // The last: whoever comes now makes another.
        std::fs::remove_file(&lock)?;
        drop(held);
    }
    Ok((gone, running))
}

fn directory() -> PathBuf {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(directory) = given(VARIABLE) {
        return directory.into();
    }
    if let Some(runtime) = given("XDG_RUNTIME_DIR") {
        return Path::new(&runtime).join("rpytest");
    }
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("rpytest-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_taken_of_the_file_that_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let lock = directory.path().join("a.lock");
        let held = take(&lock).expect("no error").expect("it is free");
        assert!(take(&lock).expect("no error").is_none());
        std::fs::remove_file(&lock).expect("removed");
        let other = take(&lock).expect("no error");
        assert!(other.is_some(), "there is another file now");
        drop(held);
    }
}
