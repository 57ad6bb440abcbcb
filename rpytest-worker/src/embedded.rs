//! The Python side, which this crate carries in itself, as files that an interpreter can run.
//!
//! They are unpacked once for each version of them, to `python-<digest>` in the user's cache directory,
//! where Python keeps their bytecode too.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::interpreter::Surroundings;

/// Paths, with slashes, and texts, sorted by path.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/python_files.rs"));

/// The plugin by which runs of pytest and of rpytest are compared: its file's name, and its text. It is no part of
/// [`PythonFiles`], since a directory in which it can be found must have nothing else of rpytest's.
pub const OBSERVER: (&str, &str) = (
    "rpytest_verify.py",
    include_str!("../python/rpytest_verify.py"),
);

/// What an interpreter is to run.
const ENTRY: &str = "rpytest_worker/__main__.py";

/// The start of the name of a directory that files were unpacked to.
const PREFIX: &str = "python-";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a directory stays that nobody uses.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The Python side in the file system.
#[derive(Clone, Debug)]
pub struct PythonFiles {
    root: PathBuf,
    /// Where there was no cache directory to write to; deleted with the last clone.
    _temporary: Option<Arc<TempDir>>,
}

/// Why the Python side could not be unpacked; the text completes "failed to".
#[derive(Debug, thiserror::Error)]
#[error("unpack the Python side of rpytest to `{}`: {source}", .directory.display())]
#[non_exhaustive]
pub struct UnpackError {
    /// Where to, at last: a temporary directory, unless `RPYTEST_CACHE_DIR` is set.
    pub directory: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

impl PythonFiles {
    /// Files that are there already: `root` has the directory `rpytest_worker`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        PythonFiles {
            root: root.into(),
            _temporary: None,
        }
    }

    /// The files that this crate carries, unpacked unless they already are.
    ///
    /// They go to the directory that `RPYTEST_CACHE_DIR` names, else to `rpytest` in the user's cache
    /// directory (`XDG_CACHE_HOME`, else `~/.cache`). If that cannot be written to, or could be written
    /// to by someone else, they go to a temporary directory that lasts as long as the value returned.
    /// For the development of the Python side, `RPYTEST_PYTHON_SOURCE` names a directory to use as it
    /// is, like [`PythonFiles::at`].
    ///
    /// # Errors
    ///
    /// If the directory of `RPYTEST_CACHE_DIR`, or the temporary one, cannot be written to.
    pub fn unpack(surroundings: &dyn Surroundings) -> Result<Self, UnpackError> {
        let var = |name| surroundings.var(name).filter(|value| !value.is_empty());
        if let Some(source) = var("RPYTEST_PYTHON_SOURCE") {
            return Ok(Self::at(source));
        }
        if let Some(directory) = var("RPYTEST_CACHE_DIR").map(PathBuf::from) {
            return match unpack_into(&directory) {
                Ok(root) => Ok(Self::at(root)),
                Err(source) => Err(UnpackError { directory, source }),
            };
        }
        let cache = user_cache(surroundings);
        if let Some(cache) = cache {
            match unpack_into(&cache) {
                Ok(root) => return Ok(Self::at(root)),
                Err(error) => {
                    tracing::debug!(
                        "failed to use the cache directory {}: {error}",
                        cache.display()
                    );
                }
            }
        }
        unpack_temporarily().map_err(|source| UnpackError {
            directory: std::env::temp_dir(),
            source,
        })
    }

    /// The directory that has `rpytest_worker` in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The script that an interpreter is to run.
    pub fn entry(&self) -> PathBuf {
        self.root.join(ENTRY)
    }
}

/// Where rpytest keeps what it can make anew: the directory that `RPYTEST_CACHE_DIR` names, else `rpytest` in
/// the user's cache directory. It need not be there.
pub fn cache_directory(surroundings: &dyn Surroundings) -> Option<PathBuf> {
    let named = surroundings.var("RPYTEST_CACHE_DIR");
    let named = named.filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| user_cache(surroundings))
}

fn user_cache(surroundings: &dyn Surroundings) -> Option<PathBuf> {
    let named = surroundings.var("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = named.filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(etcetera::choose_base_strategy().ok()?.cache_dir()));
    Some(cache?.join("rpytest"))
}

/// Sixteen hexadecimal digits, other ones for other files.
fn digest() -> String {
    let mut hash = Sha256::new();
    for (path, text) in FILES {
        for part in [path, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn unpack_into(directory: &Path) -> io::Result<PathBuf> {
    let target = directory.join(format!("{PREFIX}{}", digest()));
    if is_intact(&target)? {
        touch(&target);
        return Ok(target);
    }
    create_private(directory)?;
    // Two processes may both find that there is nothing, or something damaged. The lock makes one wait
    // for the other; where there are no locks, renaming alone does for all but damaged files.
    let lock = File::create(directory.join(".lock"))?;
    let locked = lock.lock();
    if let Err(error) = &locked {
        tracing::debug!("failed to lock {}: {error}", directory.display());
    }
    if is_intact(&target)? {
        return Ok(target);
    }
    let fresh = private_directory(directory)?;
    write_files(fresh.path())?;
    if target.symlink_metadata().is_ok() {
        let damaged = private_directory(directory)?;
        fs::rename(&target, damaged.path().join("damaged"))?;
    }
    match fs::rename(fresh.path(), &target) {
        // There is no directory to be deleted any more.
        Ok(()) => drop(fresh.keep()),
        Err(error) if !is_intact(&target)? => return Err(error),
        Err(_) => {}
    }
    prune(directory, &target);
    Ok(target)
}

fn unpack_temporarily() -> Result<PythonFiles, io::Error> {
    let directory = private_directory(&std::env::temp_dir())?;
    write_files(directory.path())?;
    let root = directory.path().to_owned();
    Ok(PythonFiles {
        root,
        _temporary: Some(Arc::new(directory)),
    })
}

fn write_files(root: &Path) -> io::Result<()> {
    for (path, text) in FILES {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        File::create_new(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Whether it has all files, in their sizes, and no other module, and is nobody else's to write to.
///
/// The contents are not compared: this runs at each start.
///
/// # Errors
///
/// If that cannot be found out, as without descriptors: to replace it then would take it from others who use it.
fn is_intact(root: &Path) -> io::Result<bool> {
    for (path, text) in FILES {
        let file = unless_missing(fs::symlink_metadata(root.join(path)))?;
        if !file.is_some_and(|file| file.is_file() && file.len() == text.len() as u64) {
            return Ok(false);
        }
    }
    Ok(is_private(root) && unless_missing(count_modules(root))? == Some(FILES.len()))
}

/// `None` for what is not there, or not any more.
fn unless_missing<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

fn count_modules(directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "__pycache__" {
                count += count_modules(&entry.path())?;
            }
        } else {
            count += 1;
        }
    }
    Ok(count)
}

/// Notes that a directory is in use, about once a day.
fn touch(root: &Path) {
    let now = SystemTime::now();
    let age = modified(root).and_then(|modified| now.duration_since(modified).ok());
    if age.is_some_and(|age| age > DAY)
        && let Ok(directory) = File::open(root)
    {
        let _ = directory.set_times(FileTimes::new().set_modified(now));
    }
}

pub(crate) fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// Deletes what other versions unpacked and have not used for long. What cannot be deleted stays.
fn prune(directory: &Path, current: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let age = modified(&path).and_then(|at| SystemTime::now().duration_since(at).ok());
        if ours && path != current && age.is_some_and(|age| age > KEEP) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// The directories that other versions have unpacked to a cache directory. Processes of theirs may still use them.
pub fn of_other_versions(cache: &Path) -> Vec<PathBuf> {
    let own = format!("{PREFIX}{}", digest());
    let is_other = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(PREFIX) && *name != *own
    };
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let others = entries.filter(is_other).map(|entry| entry.path());
    others.filter(|path| path.is_dir()).collect()
}

/// A new directory of a random name, that only this user can enter, and that is deleted unless kept.
fn private_directory(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

pub(crate) fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whether it is a directory of this user's, or of root's, that nobody else can write to: Python code
/// is run from it.
#[cfg(unix)]
pub(crate) fn is_private(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(directory).is_ok_and(|metadata| {
        metadata.is_dir()
            && [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid())
            && metadata.mode() & 0o022 == 0
    })
}

#[cfg(not(unix))]
pub(crate) fn is_private(directory: &Path) -> bool {
    directory.is_dir()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    struct Vars(&'static str, OsString);

    impl Surroundings for Vars {
        fn var(&self, name: &str) -> Option<OsString> {
            (name == self.0).then(|| self.1.clone())
        }
    }

    fn cache() -> TempDir {
        tempfile::tempdir().expect("a directory")
    }

    fn entries(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("it is there");
        let names = entries.map(|entry| entry.expect("it is read").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn set_age(path: &Path, age: Duration) {
        let file = File::open(path).expect("it is there");
        let times = FileTimes::new().set_modified(SystemTime::now() - age);
        file.set_times(times).expect("it is ours");
    }

    #[test]
    fn the_files_are_those_of_the_package() {
        assert!(FILES.is_sorted());
        assert!(FILES.iter().any(|(path, _)| *path == ENTRY));
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/rpytest_worker");
        for name in entries(&package) {
            if name.ends_with(".py") {
                assert!(
                    text_of(&format!("rpytest_worker/{name}")).is_some(),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn files_are_unpacked_once() {
        let cache = cache();
        let vars = Vars("RPYTEST_CACHE_DIR", cache.path().join("below/it").into());
        let first = PythonFiles::unpack(&vars).expect("it can be written to");
        assert!(is_intact(first.root()).expect("it can be read"));
        assert_eq!(
            fs::read_to_string(first.entry()).ok().as_deref(),
            text_of(ENTRY)
        );
        // Bytecode does no harm.
        let bytecode = first.root().join("rpytest_worker/__pycache__");
        fs::create_dir(&bytecode).expect("it is ours");
        fs::write(bytecode.join("wire.cpython-313.pyc"), "").expect("it is ours");
        let second = PythonFiles::unpack(&vars).expect("it is there");
        assert_eq!(first.root(), second.root());
        assert!(bytecode.exists());
        let names = entries(&cache.path().join("below/it"));
        assert_eq!(names, [".lock".to_owned(), format!("python-{}", digest())]);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_looked_at_is_not_replaced() {
        let cache = cache();
        let root = unpack_into(cache.path()).expect("it can be written to");
        fs::remove_dir_all(root.join("rpytest_worker")).expect("it is ours");
        // A loop: that it is damaged is not known.
        std::os::unix::fs::symlink("rpytest_worker", root.join("rpytest_worker"))
            .expect("it is ours");
        unpack_into(cache.path()).expect_err("nobody can say what is there");
        assert_eq!(entries(cache.path()).len(), 2);
        assert!(root.join("rpytest_worker").is_symlink());
    }

    fn text_of(path: &str) -> Option<&'static str> {
        FILES
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, text)| *text)
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let cache = cache();
        let root = unpack_into(cache.path()).expect("it can be written to");
        let damages: [&dyn Fn() -> io::Result<()>; 5] = [
            &|| fs::remove_file(root.join(ENTRY)),
            &|| fs::write(root.join(ENTRY), "raise SystemExit"),
            &|| fs::write(root.join("rpytest_worker/pytest.py"), ""),
            &|| fs::remove_dir_all(&root),
            &|| fs::remove_dir_all(&root).and_then(|()| fs::write(&root, "")),
        ];
        for damage in damages {
            damage().expect("it is ours");
            assert!(!is_intact(&root).expect("it can be read"));
            assert_eq!(unpack_into(cache.path()).ok().as_ref(), Some(&root));
            assert!(is_intact(&root).expect("it can be read"));
            assert_eq!(
                entries(cache.path()).len(),
                2,
                "{:?}",
                entries(cache.path())
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_that_others_can_write_to_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let cache = cache();
        let root = unpack_into(cache.path()).expect("it can be written to");
        let mode = || {
            fs::metadata(&root)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&root, PermissionsExt::from_mode(0o777)).expect("it is ours");
        assert_eq!(unpack_into(cache.path()).ok().as_ref(), Some(&root));
        assert_eq!(mode(), 0o700);
    }

    #[test]
    fn several_at_once_agree() {
        for damaged in [false, true] {
            let cache = cache();
            if damaged {
                let root = unpack_into(cache.path()).expect("it can be written to");
                fs::remove_file(root.join(ENTRY)).expect("it is ours");
            }
            let barrier = Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        barrier.wait();
                        let root = unpack_into(cache.path()).expect("it can be written to");
                        assert!(is_intact(&root).expect("it can be read"));
                    });
                }
            });
            assert_eq!(
                entries(cache.path()).len(),
                2,
                "{:?}",
                entries(cache.path())
            );
        }
    }

    #[test]
    fn old_versions_are_deleted_unless_they_are_used() {
        let cache = cache();
        let root = unpack_into(cache.path()).expect("it can be written to");
        for (name, days) in [("python-old", 31), ("python-recent", 29), ("other", 31)] {
            let path = cache.path().join(name);
            fs::create_dir(&path).expect("it is ours");
            set_age(&path, DAY * days);
        }
        set_age(&root, DAY * 40);
        assert_eq!(unpack_into(cache.path()).ok().as_ref(), Some(&root));
        let age = modified(&root).and_then(|at| SystemTime::now().duration_since(at).ok());
        assert!(age.is_some_and(|age| age < DAY), "{age:?}");
        fs::remove_file(root.join(ENTRY)).expect("it is ours");
        unpack_into(cache.path()).expect("it can be written to");
        let current = format!("python-{}", digest());
        assert_eq!(entries(cache.path()).len(), 4);
        for name in [".lock", "other", "python-recent", &*current] {
            assert!(cache.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_cache_that_cannot_be_used_is_an_error_only_if_it_was_asked_for() {
        let cache = cache();
        let file = cache.path().join("file");
        fs::write(&file, "").expect("it is ours");
        let error = PythonFiles::unpack(&Vars("RPYTEST_CACHE_DIR", file.clone().into()))
            .expect_err("a file is no directory");
        assert_eq!(error.directory, file);
        let files = PythonFiles::unpack(&Vars("XDG_CACHE_HOME", file.into())).expect("a way out");
        let root = files.root().to_owned();
        assert!(is_intact(&root).expect("it can be read"));
        let clone = files.clone();
        drop(files);
        assert!(is_intact(&root).expect("it can be read"));
        drop(clone);
        assert!(!root.exists());
    }

    #[test]
    fn a_source_is_used_as_it_is() {
        let vars = Vars("RPYTEST_PYTHON_SOURCE", "/src/python".into());
        let files = PythonFiles::unpack(&vars).expect("nothing is looked at");
        assert_eq!(
            files.entry(),
            Path::new("/src/python/rpytest_worker/__main__.py")
        );
    }
}
