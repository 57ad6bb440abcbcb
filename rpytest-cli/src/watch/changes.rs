//! Which files below the root directory have changed, and when all is quiet again.
//!
//! Only directories that are not ignored are watched. What happened to a file is found by looking at it:
//! an editor's rename, a branch switch and a file that was only touched all look alike from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Config, ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::tree::{Rewatch, Tree};

/// No more is to come if nothing comes for so long.
const QUIET: Duration = Duration::from_millis(5);
/// What comes without an end is looked at after so long.
const MOST: Duration = Duration::from_millis(100);

/// Files and directories in which no change concerns a test.
const NEVER: [&str; 18] = [
    ".git/",
    ".hg/",
    ".svn/",
    ".jj/",
    ".tox/",
    ".nox/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".pytest_cache/",
    ".hypothesis/",
    "__pycache__/",
    "node_modules/",
    "*.pyc",
    // Editors'.
    "*~",
    "*.sw[a-p]",
    ".#*",
    "#*#",
    "4913",
];

/// Why nothing is watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error("watch_ignore: {0}; it must be a glob pattern as in .gitignore")]
    Pattern(#[source] ignore::Error),
    #[error(
        "the system watches no more files for this user; name directories without tests in watch_ignore, \
         or raise fs.inotify.max_user_watches"
    )]
    TooMany,
    #[error("failed to watch the files: {0}")]
    Failed(#[from] notify::Error),
    #[error("failed to start a thread: {0}")]
    NoThread(#[from] std::io::Error),
}

/// What is not watched, beside what `.gitignore` names: `patterns`, and what never is.
pub(super) fn ignored(root: &Path, patterns: &[String]) -> Result<Gitignore, WatchError> {
    let mut builder = GitignoreBuilder::new(root);
    let never = NEVER.iter().map(|pattern| (*pattern).to_owned());
    for pattern in never.chain(patterns.iter().cloned()) {
        builder
            .add_line(None, &pattern)
            .map_err(WatchError::Pattern)?;
    }
    builder.build().map_err(WatchError::Pattern)
}

/// Tells of the files that change from now on, as long as the process lasts.
pub(super) fn watch(
    root: &Path,
    ignored: Gitignore,
    tell: impl Fn(BTreeSet<PathBuf>) + Send + 'static,
) -> Result<(), WatchError> {
    let (events, arriving) = mpsc::channel();
    let watcher = RecommendedWatcher::new(events, Config::default())?;
    let mut watches = Watches {
        watcher,
        // Elsewhere a directory more means to begin anew with all of them.
        each: cfg!(any(target_os = "linux", target_os = "android")),
        failed: None,
    };
    if !watches.each {
        watches.watcher.watch(root, RecursiveMode::Recursive)?;
    }
    let mut tree = Tree::new(root, ignored);
    tree.look(&BTreeSet::from([root.to_owned()]), &mut watches);
    if let Some(error) = watches.failed.take() {
        return Err(match error.kind {
            ErrorKind::MaxFilesWatch => WatchError::TooMany,
            _ => error.into(),
        });
    }
    std::thread::Builder::new()
        .name("changes".into())
        .spawn(move || {
            tree.learn();
            follow(&arriving, &mut tree, &mut watches, tell);
        })?;
    Ok(())
}

struct Watches {
    watcher: RecommendedWatcher,
    each: bool,
    /// The first directory's that could not be watched.
    failed: Option<notify::Error>,
}

impl Rewatch for Watches {
    fn rewatch(&mut self, directory: &Path) {
        if !self.each {
            return;
        }
        // Under the same name there may have been another one.
        let _ = self.watcher.unwatch(directory);
        match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
            // It is gone already, and whoever has removed it will be heard of.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => {}
            Err(error) => {
                tracing::warn!(%error, "a directory is not watched");
                self.failed.get_or_insert(error);
            }
            Ok(()) => {}
        }
    }

    fn forget(&mut self, directory: &Path) {
        if self.each {
            let _ = self.watcher.unwatch(directory);
        }
    }
}

fn follow(
    arriving: &Receiver<notify::Result<Event>>,
    tree: &mut Tree,
    watches: &mut Watches,
    tell: impl Fn(BTreeSet<PathBuf>),
) {
    while let Ok(event) = arriving.recv() {
        let mut paths = BTreeSet::new();
        add(&mut paths, event, tree.root());
        if paths.is_empty() {
            continue;
        }
        let until = Instant::now() + MOST;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match arriving.recv_timeout(left.min(QUIET)) {
                Ok(event) => add(&mut paths, event, tree.root()),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let changed = tree.look(&paths, watches);
        if !changed.is_empty() {
            tell(changed);
        }
    }
}

/// The paths that have to be looked at.
fn add(paths: &mut BTreeSet<PathBuf>, event: notify::Result<Event>, root: &Path) {
    match event {
        // Reading changes nothing.
        Ok(event)
            if matches!(event.kind, EventKind::Access(kind)
                if kind != AccessKind::Close(AccessMode::Write)) => {}
        // Events were lost.
        Ok(event) if event.need_rescan() => {
            paths.insert(root.to_owned());
        }
        Ok(event) => paths.extend(event.paths),
        Err(error) => {
            tracing::warn!(%error, "the watcher");
            paths.insert(root.to_owned());
        }
    }
}
