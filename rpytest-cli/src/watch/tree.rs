//! The files below a directory as they were when they were looked at last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::WalkBuilder;
use ignore::gitignore::Gitignore;
use sha2::{Digest, Sha256};

/// Of a larger file a new time of modification counts as a change.
const LARGEST_READ: u64 = 1 << 20;

/// Has directories watched.
pub(super) trait Rewatch {
    /// From now on, whatever was known under its name.
    fn rewatch(&mut self, directory: &Path);
    /// No more: it is gone.
    fn forget(&mut self, directory: &Path);
}

pub(super) struct Tree {
    root: PathBuf,
    ignored: Gitignore,
    directories: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Known>,
    /// Whether new files are read at once: at first there are too many.
    learns: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    modified: Option<SystemTime>,
    length: u64,
    /// Of what is in it.
    digest: Option<[u8; 32]>,
}

impl Known {
    fn new(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            digest: None,
        }
    }

    fn is_like(&self, metadata: &Metadata) -> bool {
        self.length == metadata.len() && self.modified == metadata.modified().ok()
    }

    /// Reads the file, which must be as it was before and after.
    fn learn(&mut self, path: &Path) -> io::Result<()> {
        if self.length <= LARGEST_READ && self.is_like(&fs::metadata(path)?) {
            let digest = Sha256::digest(fs::read(path)?).into();
            if self.is_like(&fs::metadata(path)?) {
                self.digest = Some(digest);
            }
        }
        Ok(())
    }
}

impl Tree {
    pub(super) fn new(root: &Path, ignored: Gitignore) -> Self {
        Self {
            root: root.to_owned(),
            ignored,
            directories: BTreeSet::new(),
            files: BTreeMap::new(),
            learns: false,
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads all files, so that one that is written again as it was has not changed.
    pub(super) fn learn(&mut self) {
        self.learns = true;
        for (path, known) in &mut self.files {
            if known.digest.is_none()
                && let Err(error) = known.learn(path)
            {
                tracing::debug!(%error, "{} was not read", path.display());
            }
        }
    }

    /// Looks at what may have changed, and returns the files that have: with another content, new, or gone.
    pub(super) fn look(
        &mut self,
        paths: &BTreeSet<PathBuf>,
        watches: &mut impl Rewatch,
    ) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        let mut again = BTreeSet::new();
        for path in paths {
            if self.files.contains_key(path) {
                self.check(path, &mut changed);
                if self.files.contains_key(path) {
                    continue;
                }
            }
            if (*path == self.root || self.directories.contains(path)) && path.is_dir() {
                // Another directory may have taken its place.
                for below in self.known_directories(path, false) {
                    self.directories.remove(&below);
                    watches.forget(&below);
                }
                self.directories.insert(path.clone());
                watches.rewatch(path);
                self.list(path, false, watches, &mut changed);
            } else if let Some(parent) = path.parent()
                && self.directories.contains(parent)
            {
                again.insert(parent.to_owned());
            }
        }
        for directory in again {
            self.list(&directory, true, watches, &mut changed);
        }
        // What is ignored may be another part of the files now.
        let rules = changed.iter().filter(|path| path.ends_with(".gitignore"));
        let within = rules.filter_map(|path| path.parent());
        let within: Vec<PathBuf> = within.map(Path::to_owned).collect();
        for directory in within {
            self.list(&directory, false, watches, &mut changed);
        }
        changed
    }

    /// Looks at a known file.
    fn check(&mut self, path: &Path, changed: &mut BTreeSet<PathBuf>) {
        let Some(known) = self.files.get_mut(path) else {
            return;
        };
        let Ok(metadata) = fs::metadata(path) else {
            self.files.remove(path);
            changed.insert(path.to_owned());
            return;
        };
        if known.is_like(&metadata) {
            return;
        }
        let before = std::mem::replace(known, Known::new(&metadata)).digest;
        let read = known.learn(path);
        if read.is_err() || before.is_none() || known.digest != before {
            changed.insert(path.to_owned());
        }
    }

    /// Compares what is in a directory, or at all below it, with what is known.
    fn list(
        &mut self,
        directory: &Path,
        flat: bool,
        watches: &mut impl Rewatch,
        changed: &mut BTreeSet<PathBuf>,
    ) {
        let (files, directories) = self.walk(directory, flat);
        for gone in self.known_directories(directory, flat) {
            if !directories.contains(&gone) {
                self.directories.remove(&gone);
                watches.forget(&gone);
                if flat {
                    // It is listed as a whole: there is nothing.
                    self.list(&gone, false, watches, changed);
                }
            }
        }
        for gone in self.known_files(directory, flat) {
            if !files.contains(&gone) {
                self.files.remove(&gone);
                changed.insert(gone);
            }
        }
        for file in files {
            if self.files.contains_key(&file) {
                self.check(&file, changed);
            } else if let Ok(metadata) = fs::metadata(&file) {
                let mut known = Known::new(&metadata);
                if self.learns {
                    // Without a digest a new time of modification counts.
                    let _ = known.learn(&file);
                }
                self.files.insert(file.clone(), known);
                changed.insert(file);
            }
        }
        for new in directories {
            if self.directories.insert(new.clone()) {
                watches.rewatch(&new);
                // What came into it before it was watched. Only the outermost of several new ones was not walked.
                self.list(&new, !flat, watches, changed);
            }
        }
    }

    /// The files and directories that are not ignored.
    fn walk(&self, directory: &Path, flat: bool) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let ignored = self.ignored.clone();
        let mut walk = WalkBuilder::new(directory);
        walk.hidden(false)
            .require_git(false)
            .follow_links(true)
            .max_depth(flat.then_some(1))
            .filter_entry(move |entry| {
                let path = entry.path();
                let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
                entry.depth() == 0
                    || !(ignored.matched(path, is_directory).is_ignore()
                        || is_directory && is_foreign(path))
            });
        let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
        for entry in walk.build().flatten().filter(|entry| entry.depth() > 0) {
            let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            if is_directory {
                directories.insert(entry.into_path());
            } else {
                files.insert(entry.into_path());
            }
        }
        (files, directories)
    }

    fn known_directories(&self, within: &Path, flat: bool) -> Vec<PathBuf> {
        let below = (Bound::Excluded(within), Bound::Unbounded);
        let below = self.directories.range::<Path, _>(below);
        let below = below.take_while(|path| path.starts_with(within));
        let wanted = below.filter(|path| !flat || path.parent() == Some(within));
        wanted.cloned().collect()
    }

    fn known_files(&self, within: &Path, flat: bool) -> Vec<PathBuf> {
        let below = (Bound::Excluded(within), Bound::Unbounded);
        let below = self.files.range::<Path, _>(below).map(|(path, _)| path);
        let below = below.take_while(|path| path.starts_with(within));
        let wanted = below.filter(|path| !flat || path.parent() == Some(within));
        wanted.cloned().collect()
    }
}

/// A virtual environment, or a cache that says that it is one.
fn is_foreign(directory: &Path) -> bool {
    ["pyvenv.cfg", "CACHEDIR.TAG", "conda-meta/history"]
        .iter()
        .any(|name| directory.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::super::changes::ignored;
    use super::*;

    #[derive(Default)]
    struct Names(BTreeSet<PathBuf>);

    impl Rewatch for Names {
        fn rewatch(&mut self, directory: &Path) {
            self.0.insert(directory.to_owned());
        }

        fn forget(&mut self, directory: &Path) {
            self.0.remove(directory);
        }
    }

    /// A tree in a temporary directory, and what is watched of it.
    struct Lab {
        directory: tempfile::TempDir,
        tree: Tree,
        watched: Names,
    }

    impl Lab {
        fn new(files: &[&str], patterns: &[&str]) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let patterns: Vec<String> = patterns.iter().map(|one| (*one).to_owned()).collect();
            let rules = ignored(directory.path(), &patterns).expect("patterns");
            let tree = Tree::new(directory.path(), rules);
            let mut lab = Self {
                directory,
                tree,
                watched: Names::default(),
            };
            for file in files {
                lab.write(file, "");
            }
            lab.looks_at(&["."]);
            lab.tree.learn();
            lab
        }

        fn path(&self, name: &str) -> PathBuf {
            match name {
                "." => self.directory.path().to_owned(),
                name => self.directory.path().join(name),
            }
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.path(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, text).expect("written");
        }

        /// Sets a time that the clock of no file system takes for that of before.
        fn touch(&self, name: &str, seconds: u64) {
            let file = fs::File::options().append(true).open(self.path(name));
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.and_then(|file| file.set_modified(time)).expect("set");
        }

        fn looks_at(&mut self, names: &[&str]) -> Vec<String> {
            let paths = names.iter().map(|name| self.path(name)).collect();
            let changed = self.tree.look(&paths, &mut self.watched);
            self.names(&changed)
        }

        fn names(&self, paths: &BTreeSet<PathBuf>) -> Vec<String> {
            let below =
                |path: &PathBuf| path.strip_prefix(self.directory.path()).map(Path::to_owned);
            let names = paths.iter().map(|path| below(path).expect("below"));
            names.map(|path| path.display().to_string()).collect()
        }
    }

    #[test]
    fn what_is_ignored_is_not_watched() {
        let files = [
            ".gitignore",
            "a.py",
            "a/b/c.py",
            ".github/x.yml",
            "out/x.txt",
            "logs/x.log",
            "node_modules/x.js",
            ".git/HEAD",
            "env/pyvenv.cfg",
            "env/lib/x.py",
            "a/__pycache__/c.pyc",
            "cache/CACHEDIR.TAG",
        ];
        let mut lab = Lab::new(&files, &["out/"]);
        lab.write(".gitignore", "logs/\n");
        lab.touch(".gitignore", 1);
        lab.looks_at(&[".gitignore"]);
        let watched = lab.names(&lab.watched.0);
        assert_eq!(watched, ["", ".github", "a", "a/b"]);
        lab.write("a.py~", "");
        lab.write(".a.py.swp", "");
        assert!(
            lab.looks_at(&["a.py~", ".a.py.swp", "env/lib/x.py"])
                .is_empty()
        );
    }

    #[test]
    fn a_file_has_changed_if_its_content_has() {
        let mut lab = Lab::new(&["a.py", "b/b.py"], &[]);
        lab.touch("a.py", 1);
        assert!(lab.looks_at(&["a.py"]).is_empty());
        lab.write("a.py", "x = 1\n");
        lab.touch("a.py", 2);
        assert_eq!(lab.looks_at(&["a.py"]), ["a.py"]);
        assert!(lab.looks_at(&["a.py"]).is_empty(), "it is told once");
        lab.write("b/b.py", "x = 1\n");
        lab.touch("b/b.py", 2);
        // The event may name another file that an editor has renamed.
        assert_eq!(lab.looks_at(&["b/.b.py.1234"]), ["b/b.py"]);
        fs::remove_file(lab.path("a.py")).expect("removed");
        assert_eq!(lab.looks_at(&["a.py"]), ["a.py"]);
    }

    #[test]
    fn directories_come_and_go() {
        let mut lab = Lab::new(&["a.py"], &[]);
        lab.write("new/deep/x.py", "");
        lab.write("new/y.py", "");
        assert_eq!(lab.looks_at(&["new"]), ["new/deep/x.py", "new/y.py"]);
        assert_eq!(lab.names(&lab.watched.0), ["", "new", "new/deep"]);
        fs::rename(lab.path("new"), lab.path("old")).expect("renamed");
        let both = ["new/deep/x.py", "new/y.py", "old/deep/x.py", "old/y.py"];
        assert_eq!(lab.looks_at(&["new", "old"]), both);
        assert_eq!(lab.names(&lab.watched.0), ["", "old", "old/deep"]);
        // Another one in its place, of which only the name is told.
        lab.write("aside/y.py", "y = 1\n");
        fs::remove_dir_all(lab.path("old")).expect("removed");
        fs::rename(lab.path("aside"), lab.path("old")).expect("renamed");
        assert_eq!(lab.looks_at(&["old"]), ["old/deep/x.py", "old/y.py"]);
        fs::remove_dir_all(lab.path("old")).expect("removed");
        assert_eq!(lab.looks_at(&["old"]), ["old/y.py"]);
        assert_eq!(lab.names(&lab.watched.0), [""]);
    }

    #[test]
    fn what_is_ignored_no_more_is_new() {
        let mut lab = Lab::new(&["made/x.py"], &[]);
        lab.write(".gitignore", "made/\n");
        assert_eq!(lab.looks_at(&[".gitignore"]), [".gitignore", "made/x.py"]);
        lab.write(".gitignore", "");
        lab.touch(".gitignore", 1);
        assert_eq!(lab.looks_at(&[".gitignore"]), [".gitignore", "made/x.py"]);
    }
}
