//! Which Python to run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What finding an interpreter needs to know of the world. [`ThisProcess`] is the real one.
pub trait Surroundings {
    /// The value of an environment variable.
    fn var(&self, name: &str) -> Option<OsString>;

    /// Whether there is a file at `path` that can be run. Looks at the file system by default.
    fn is_executable(&self, path: &Path) -> bool {
        is_executable(path)
    }

    /// The first line of a small text file, if it is one. Looks at the file system by default.
    fn first_line(&self, path: &Path) -> Option<String> {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(1024).read_to_end(&mut start).ok()?;
        let line = start.split(|byte| *byte == b'\n').next()?;
        String::from_utf8(line.to_owned()).ok()
    }
}

/// The environment of this process, and its file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisProcess;

impl Surroundings for ThisProcess {
    fn var(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }
}

/// A Python interpreter, found but not yet run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    path: PathBuf,
    origin: Origin,
}

/// What made an interpreter the one to use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Whoever uses this library named it.
    Named,
    /// An environment variable named it, `RPYTEST_PYTHON` or `PYTHON`.
    Variable(&'static str),
    /// The virtual environment that is active.
    ActiveVenv,
    /// A virtual environment in this directory, which is the root or above it.
    Venv(PathBuf),
    /// The `pytest` that would have run otherwise lies next to it.
    NextToPytest,
    /// The first of its name on `PATH`.
    Path,
}

/// `PYTHON`, `.venv in /src`: what a user needs to know to change the choice.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Named => f.write_str("as named"),
            Origin::Variable(name) => f.write_str(name),
            Origin::ActiveVenv => f.write_str("VIRTUAL_ENV"),
            Origin::Venv(directory) => write!(f, "virtual environment in {}", directory.display()),
            Origin::NextToPytest => f.write_str("next to the `pytest` on PATH"),
            Origin::Path => f.write_str("PATH"),
        }
    }
}

/// Why there is no interpreter; the texts complete "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterpreterError {
    /// An environment variable names what cannot be run.
    #[error(
        "run `{}`, which the environment variable {variable} names as the Python interpreter; set it \
         to another one or unset it",
        .value.display()
    )]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: PathBuf,
    },
    /// There is none in any of the usual places.
    #[error(
        "find a Python interpreter (tried {}); activate a virtual environment, or set PYTHON to the \
         interpreter's path",
        tried.join(", ")
    )]
    NotFound {
        /// Where it was looked for, in words and in order.
        tried: Vec<String>,
    },
}

const BIN: &str = if cfg!(windows) { "Scripts" } else { "bin" };
const PYTHON: &str = if cfg!(windows) {
    "python.exe"
} else {
    "python"
};
const PYTHON3: &str = if cfg!(windows) {
    "python3.exe"
} else {
    "python3"
};
const PYTEST: &str = if cfg!(windows) {
    "pytest.exe"
} else {
    "pytest"
};

impl Interpreter {
    /// The interpreter at `path`, without a look at it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Interpreter {
            path: path.into(),
            origin: Origin::Named,
        }
    }

    /// The interpreter that a user means who runs tests in `root`. The first of these:
    ///
    /// 1. what `RPYTEST_PYTHON` or `PYTHON` names, by path or by a name on `PATH`;
    /// 2. the one of `VIRTUAL_ENV`;
    /// 3. that of a `.venv` or `venv` directory in `root` or the nearest directory above;
    /// 4. the one next to the first `pytest` on `PATH`, which is what `pytest` would have run with;
    /// 5. `python3`, then `python`, on `PATH`.
    ///
    /// Where a directory has several names for its interpreter, it is the name that the `pytest` script
    /// there has on its first line: `sys.executable`, and with it pytest's header, is the same then.
    ///
    /// An empty variable counts as unset, and so does a `VIRTUAL_ENV` that has been deleted, as it does
    /// for a shell. Nothing is run: whether it has pytest is seen when it is started.
    ///
    /// # Errors
    ///
    /// If a variable names what cannot be run, or there is none at all.
    pub fn find(root: &Path, surroundings: &dyn Surroundings) -> Result<Self, InterpreterError> {
        let var = |name| surroundings.var(name).filter(|value| !value.is_empty());
        let runs = |path: PathBuf| surroundings.is_executable(&path).then_some(path);
        let search = var("PATH").unwrap_or_default();
        let on_path = |name: &OsStr| {
            env::split_paths(&search)
                .filter(|at| at.is_absolute())
                .find_map(|at| runs(at.join(name)))
        };
        let found = |path, origin| Ok(Interpreter { path, origin });
        let of_directory = |path: PathBuf| named_by_pytest(&path, surroundings).unwrap_or(path);

        for variable in ["RPYTEST_PYTHON", "PYTHON"] {
            if let Some(value) = var(variable) {
                let value = PathBuf::from(value);
                let bare = value.components().count() == 1 && value.file_name().is_some();
                let path = match bare {
                    true => on_path(value.as_os_str()),
                    false => runs(value.clone()),
                };
                return match path {
                    Some(path) => found(path, Origin::Variable(variable)),
                    None => Err(InterpreterError::BadVariable { variable, value }),
                };
            }
        }
        let mut tried = vec!["RPYTEST_PYTHON and PYTHON, which are not set".to_owned()];

        match var("VIRTUAL_ENV") {
            Some(venv) => {
                let python = Path::new(&venv).join(BIN).join(PYTHON);
                tried.push(format!("`{}` of VIRTUAL_ENV", python.display()));
                if let Some(path) = runs(python) {
                    return found(of_directory(path), Origin::ActiveVenv);
                }
            }
            None => tried.push("VIRTUAL_ENV, which is not set".to_owned()),
        }

        for directory in root.ancestors() {
            for venv in [".venv", "venv"] {
                if let Some(path) = runs(directory.join(venv).join(BIN).join(PYTHON)) {
                    return found(of_directory(path), Origin::Venv(directory.to_owned()));
                }
            }
        }
        tried.push(format!(
            "`.venv` and `venv` in `{}` and above",
            root.display()
        ));

        if let Some(directory) = on_path(PYTEST.as_ref()).as_deref().and_then(Path::parent) {
            for name in [PYTHON, PYTHON3] {
                if let Some(path) = runs(directory.join(name)) {
                    return found(of_directory(path), Origin::NextToPytest);
                }
            }
        }
        for name in [PYTHON3, PYTHON] {
            if let Some(path) = on_path(name.as_ref()) {
                return found(path, Origin::Path);
            }
        }
        tried.push("`python3` and `python` on PATH".to_owned());
        Err(InterpreterError::NotFound { tried })
    }

    /// Where it is. A virtual environment's interpreter is a link, and is what it is by its own path,
    /// so the path is not resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it is this one.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// What `pytest`, in the directory of this interpreter, calls the interpreter that it runs with, if
/// that one is in the same directory.
fn named_by_pytest(python: &Path, surroundings: &dyn Surroundings) -> Option<PathBuf> {
    let directory = python.parent()?;
    let line = surroundings.first_line(&directory.join(PYTEST))?;
    let named = PathBuf::from(line.strip_prefix("#!")?.trim());
    let same = named.parent() == Some(directory) && surroundings.is_executable(&named);
    same.then_some(named)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    struct Table {
        vars: Vec<(&'static str, &'static str)>,
        files: Vec<&'static str>,
    }

    impl Surroundings for Table {
        fn var(&self, name: &str) -> Option<OsString> {
            self.vars
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        }

        fn is_executable(&self, path: &Path) -> bool {
            self.files.iter().any(|file| Path::new(file) == path)
        }

        fn first_line(&self, path: &Path) -> Option<String> {
            Some(format!("#!{}/python3.12", path.parent()?.display()))
        }
    }

    /// The path and its origin, or the error.
    fn find(vars: &str, files: &str) -> String {
        let vars = vars
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let leak = |text: &str| -> &'static str { text.to_owned().leak() };
        let table = Table {
            vars: vars.map(|(key, value)| (leak(key), leak(value))).collect(),
            files: files.split_whitespace().map(leak).collect(),
        };
        match Interpreter::find(Path::new("/src/project"), &table) {
            Ok(found) => format!("{} ({})", found.path().display(), found.origin()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_place_that_has_one_wins() {
        let everything = "/opt/py /active/bin/python /src/project/.venv/bin/python \
            /src/.venv/bin/python /tools/pytest /tools/python /usr/bin/python3 /usr/bin/python";
        let table = [
            (
                "RPYTEST_PYTHON=/opt/py PYTHON=python3 VIRTUAL_ENV=/active",
                "/opt/py (RPYTEST_PYTHON)",
            ),
            (
                "PYTHON=python3 VIRTUAL_ENV=/active",
                "/usr/bin/python3 (PYTHON)",
            ),
            (
                "PYTHON= VIRTUAL_ENV=/active",
                "/active/bin/python (VIRTUAL_ENV)",
            ),
            (
                "VIRTUAL_ENV=/deleted",
                "/src/project/.venv/bin/python (virtual environment in /src/project)",
            ),
            (
                "",
                "/src/project/.venv/bin/python (virtual environment in /src/project)",
            ),
        ];
        for (vars, expected) in table {
            assert_eq!(
                find(&format!("{vars} PATH=/tools:/usr/bin"), everything),
                expected
            );
        }
    }

    #[test]
    fn what_lies_nearest_wins() {
        let table = [
            (
                "/src/project/venv/bin/python /src/.venv/bin/python",
                "/src/project/venv/bin/python (virtual environment in /src/project)",
            ),
            (
                "/src/.venv/bin/python /src/venv/bin/python /.venv/bin/python",
                "/src/.venv/bin/python (virtual environment in /src)",
            ),
            (
                "/a/python3 /b/pytest /b/python",
                "/b/python (next to the `pytest` on PATH)",
            ),
            (
                "/a/python3 /b/pytest /b/python3",
                "/b/python3 (next to the `pytest` on PATH)",
            ),
            (
                "/b/pytest /b/python /b/python3.12",
                "/b/python3.12 (next to the `pytest` on PATH)",
            ),
            // A `pytest` that was installed apart says nothing of its interpreter.
            ("/a/pytest /b/python3", "/b/python3 (PATH)"),
            ("/a/python /b/python3", "/b/python3 (PATH)"),
            ("/b/python", "/b/python (PATH)"),
        ];
        for (files, expected) in table {
            assert_eq!(find("PATH=/a:relative:/b", files), expected);
        }
    }

    #[test]
    fn errors_say_what_was_tried_and_what_to_do() {
        assert_eq!(
            find("PYTHON=/opt/none PATH=/b", "/b/python3"),
            "run `/opt/none`, which the environment variable PYTHON names as the Python interpreter; \
             set it to another one or unset it"
        );
        assert_eq!(
            find("VIRTUAL_ENV=/deleted", ""),
            "find a Python interpreter (tried RPYTEST_PYTHON and PYTHON, which are not set, \
             `/deleted/bin/python` of VIRTUAL_ENV, `.venv` and `venv` in `/src/project` and above, \
             `python3` and `python` on PATH); activate a virtual environment, or set PYTHON to the \
             interpreter's path"
        );
    }

    #[test]
    fn a_directory_cannot_be_run() {
        assert!(!ThisProcess.is_executable(Path::new("/")));
        let shell = Path::new("/bin/sh");
        assert!(ThisProcess.is_executable(shell));
    }
}
