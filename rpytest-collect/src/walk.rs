//! The files that pytest would look into, in its order.
//!
//! pytest sorts the entries of a directory by name, files and directories together, with the
//! `__init__.py` of a package first. It follows symlinks and does not read `.gitignore`, which is why
//! this is a plain recursion and no tool's walker.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::glob;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Kind {
    Module,
    /// A text file whose doctests pytest collects, or a module outside of `python_files` that may have some.
    Doctest,
}

#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) files: Vec<(PathBuf, Kind)>,
    /// Directories entered that have a `conftest.py`.
    pub(crate) conftests: Vec<PathBuf>,
    /// Directories that only some versions of pytest take for a virtual environment.
    pub(crate) unsure: Vec<PathBuf>,
    /// Paths that could not be read, and why.
    pub(crate) problems: Vec<(PathBuf, String)>,
}

/// A symlink loop ends here at the latest.
const MAX_DEPTH: usize = 200;

impl Walk {
    /// Adds one argument. A file given by name is collected whatever it is called.
    pub(crate) fn argument(&mut self, path: &Path, config: &Config) {
        if path.is_dir() {
            let mut above = Vec::new();
            self.directory(path, config, &mut above);
        } else if let Some(kind) = kind(path, config, true) {
            self.files.push((path.to_owned(), kind));
        }
    }

    fn directory(&mut self, dir: &Path, config: &Config, above: &mut Vec<PathBuf>) {
        let entries = match entries(dir) {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.push((dir.to_owned(), error.to_string()));
                return;
            }
        };
        if entries
            .iter()
            .any(|(name, is_dir)| !is_dir && name == "conftest.py")
        {
            self.conftests.push(dir.join("conftest.py"));
        }
        for (name, is_dir) in entries {
            let path = dir.join(&name);
            if !is_dir {
                if let Some(kind) = kind(&path, config, false) {
                    self.files.push((path, kind));
                }
                continue;
            }
            if ignored(&path, &name.to_string_lossy(), config) {
                continue;
            }
            match is_environment(&path, config) {
                Some(true) => continue,
                Some(false) => {}
                None => self.unsure.push(path.clone()),
            }
            if path.is_symlink() {
                let target = fs::canonicalize(&path).unwrap_or_default();
                let here = fs::canonicalize(dir).unwrap_or_default();
                if above.len() > MAX_DEPTH || here.starts_with(&target) {
                    self.problems.push((path, "directory loop".to_owned()));
                    continue;
                }
            }
            above.push(path.clone());
            self.directory(&path, config, above);
            above.pop();
        }
    }
}

fn entries(dir: &Path) -> std::io::Result<Vec<(OsString, bool)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let mut kind = entry.file_type()?;
        if kind.is_symlink() {
            match fs::metadata(entry.path()) {
                Ok(metadata) => kind = metadata.file_type(),
                Err(_) => continue,
            }
        }
        if kind.is_dir() || kind.is_file() {
            entries.push((entry.file_name(), kind.is_dir()));
        }
    }
    let package = entries
        .iter()
        .any(|(name, is_dir)| !is_dir && name == "__init__.py");
    entries.sort_by(|(a, _), (b, _)| {
        let late = |name: &OsString| package && name != "__init__.py";
        (late(a), a).cmp(&(late(b), b))
    });
    Ok(entries)
}

fn ignored(path: &Path, name: &str, config: &Config) -> bool {
    name == "__pycache__"
        || config
            .norecursedirs
            .iter()
            .any(|pattern| glob::matches_path(pattern, &path.to_string_lossy()))
}

/// pytest's `_in_venv`. None where it depends on the version.
fn is_environment(path: &Path, config: &Config) -> Option<bool> {
    if config.collect_in_virtualenv {
        return Some(false);
    }
    let marked = || path.join("pyvenv.cfg").is_file() || path.join("conda-meta/history").is_file();
    // Until 8.2; 8.3 learnt the second mark in a patch.
    let activated = || {
        let scripts = ACTIVATE.iter().map(|name| path.join("bin").join(name));
        path.join("bin").is_dir()
            && scripts
                .into_iter()
                .any(|path| path.symlink_metadata().is_ok())
    };
    match config.pytest {
        Some(version) if version >= (8, 4) => Some(marked()),
        Some(version) if version <= (8, 2) => Some(activated()),
        _ => {
            let marked = marked();
            (marked == activated()).then_some(marked)
        }
    }
}

/// What a virtual environment has in its `bin`.
const ACTIVATE: [&str; 6] = [
    "activate",
    "activate.csh",
    "activate.fish",
    "Activate",
    "Activate.bat",
    "Activate.ps1",
];

fn kind(path: &Path, config: &Config, given: bool) -> Option<Kind> {
    let text = path.to_string_lossy();
    let matches = |patterns: &[String]| patterns.iter().any(|p| glob::matches_path(p, &text));
    let suffix = path.extension().unwrap_or_default();
    if suffix == "py" {
        if given || matches(&config.python_files) {
            return Some(Kind::Module);
        }
        // pytest imports `setup.py` and `__main__.py` for their doctests too, or tries to.
        return config.doctest_modules.then_some(Kind::Doctest);
    }
    let given_text = given && (suffix == "txt" || suffix == "rst");
    (given_text || matches(&config.doctest_globs)).then_some(Kind::Doctest)
}
