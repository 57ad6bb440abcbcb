//! Python environments, made once and kept below the target directory.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The versions that rpytest supports, newest first.
const MINORS: [u32; 5] = [14, 13, 12, 11, 10];

/// What the dialect of xdist and the comparisons need. Each plugin more makes every session slower to start.
const MAIN: &[&str] = &["pytest==9.2.0", "pytest-xdist==3.8.0"];

/// A virtual environment with pytest in it.
#[derive(Clone, Debug)]
pub struct Venv(PathBuf);

impl Venv {
    /// Its root, for `VIRTUAL_ENV`.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The same, by the path that its own scripts have, should this one be a link.
    pub fn real(&self) -> Venv {
        Venv(self.0.canonicalize().expect("it is there"))
    }

    /// Its programs, for `PATH`.
    pub fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// The version of its Python: 3 and the minor number.
    pub fn python_version(&self) -> (u32, u32) {
        let path = self.0.join("pyvenv.cfg");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut settings = text.lines().filter_map(|line| line.split_once(" = "));
        let version = settings.find(|(name, _)| name.trim() == "version");
        let (_, version) = version.unwrap_or_else(|| panic!("{path:?} has no version"));
        let mut parts = version.split('.').map(|part| part.trim().parse());
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            _ => panic!("{path:?}: {version:?} is no version"),
        }
    }
}

/// The newest pytest, with xdist.
pub fn main_venv() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    VENV.get_or_init(|| make("test-venv", &newest(), MAIN))
}

/// The newest pytest alone.
pub fn plain_venv() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    VENV.get_or_init(|| make("test-venv-plain", &newest(), &["pytest==9.2.0"]))
}

/// An older pytest, alone.
pub fn pytest_venv(version: &str) -> Venv {
    venv_of(version, &[&format!("pytest=={version}")])
}

/// An environment with these requirements, for the newest Python.
pub fn venv_of(name: &str, requirements: &[&str]) -> Venv {
    make(&format!("test-venv-{name}"), &newest(), requirements)
}

/// The newest pytest alone, under another Python.
pub fn python_venv(python: &Interpreter) -> Venv {
    let name = format!("test-venv-py3.{}", python.minor);
    make(&name, python, &["pytest==9.2.0"])
}

/// The newest pytest, under each Python but the newest.
pub fn venvs_of_older_pythons() -> impl Iterator<Item = Venv> {
    interpreters().iter().skip(1).map(python_venv)
}

/// A CPython that is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program.
    pub path: PathBuf,
    /// The y of 3.y.
    pub minor: u32,
}

/// The interpreter that most tests use.
fn newest() -> Interpreter {
    let path = env::var_os("RPYTEST_TEST_PYTHON").map(PathBuf::from);
    let named = path.map(|path| {
        probe(&path)
            .unwrap_or_else(|| panic!("{path:?} (RPYTEST_TEST_PYTHON) is not a usable Python"))
    });
    named
        .or_else(|| interpreters().first().cloned())
        .expect("the tests need a CPython >= 3.10")
}

/// One interpreter of each version that is present, newest first.
pub fn interpreters() -> &'static [Interpreter] {
    static FOUND: OnceLock<Vec<Interpreter>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let names = MINORS.iter().map(|minor| format!("python3.{minor}"));
        let names: Vec<_> = names.chain(["python3".into()]).collect();
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path).flat_map(|dir| {
            names
                .iter()
                .map(move |name| dir.join(name))
                .collect::<Vec<_>>()
        });
        let managed = env::var_os("HOME")
            .and_then(|home| fs::read_dir(Path::new(&home).join(".pyenv/versions")).ok())
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin/python"));
        let mut found: Vec<Interpreter> = Vec::new();
        for candidate in on_path
            .chain(managed)
            .filter(|candidate| candidate.exists())
        {
            if let Some(interpreter) = probe(&candidate)
                && found.iter().all(|other| other.minor != interpreter.minor)
            {
                found.push(interpreter);
            }
        }
        found.sort_by_key(|interpreter| std::cmp::Reverse(interpreter.minor));
        found
    })
}

/// The interpreter behind a program, which may be a version manager's wrapper, if it can be used.
fn probe(program: &Path) -> Option<Interpreter> {
    let script = "import sys, platform, ensurepip, venv; \
                  print(platform.python_implementation(), *sys.version_info[:2], sys.executable)";
    let output = clean(&mut Command::new(program))
        .args(["-c", script])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.trim_end().splitn(4, ' ');
    let (implementation, major) = (words.next()?, words.next()?);
    let minor = words.next()?.parse().ok()?;
    let usable = implementation == "CPython" && major == "3" && MINORS.contains(&minor);
    usable.then_some(())?;
    Some(Interpreter {
        path: words.next()?.into(),
        minor,
    })
}

/// Makes an environment, unless it is there with these requirements. It has no pip of its own: to unpack one takes longer
/// than to install most plugins.
fn make(name: &str, python: &Interpreter, requirements: &[&str]) -> Venv {
    made(name, python, requirements, |root| {
        venv(python, &["--without-pip"], root);
        let options = ["install", "--quiet", "--disable-pip-version-check"];
        succeed(
            Command::new(pip_venv().bin().join("python"))
                .args(["-m", "pip", "--python"])
                .arg(root.join("bin/python"))
                .args(options)
                .args(requirements),
        );
    })
}

/// The pip that installs into all others.
fn pip_venv() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    let python = newest();
    VENV.get_or_init(|| {
        made("test-venv-pip", &python, &[], |root| {
            venv(&python, &[], root)
        })
    })
}

fn venv(python: &Interpreter, options: &[&str], root: &Path) {
    let mut command = Command::new(&python.path);
    succeed(command.args(["-m", "venv"]).args(options).arg(root));
}

/// A directory below the target directory, made once for each interpreter and requirements.
fn made(name: &str, python: &Interpreter, requirements: &[&str], make: impl Fn(&Path)) -> Venv {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the target directory");
    let root = target.join(name);
    let lock = File::create(target.join(format!("{name}.lock"))).expect("a lock file");
    // Other test binaries, and other runs of this one, want the same environment.
    lock.lock().expect("the lock");
    let stamp = root.join("requirements");
    let wanted = format!("{}\n{}\n", python.path.display(), requirements.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|present| present == wanted) {
        return Venv(root);
    }
    if root.exists() {
        fs::remove_dir_all(&root).expect("the outdated environment goes");
    }
    make(&root);
    fs::write(&stamp, wanted).expect("the stamp");
    Venv(root)
}

/// Runs a script of these tests, beside pytest and our own package. Fails with what it says if it does.
#[track_caller]
pub fn own_script<A: AsRef<std::ffi::OsStr>>(
    venv: &Venv,
    script: &str,
    arguments: impl IntoIterator<Item = A>,
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(venv.bin().join("python"))
        .arg(root.join("tests/it").join(script))
        .args(arguments)
        .env("PYTHONPATH", root.join("../rpytest-worker/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("RPYTEST_GENUINE")
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}:\n{}",
        venv.root().display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn succeed(command: &mut Command) {
    let output = clean(command)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
}

/// Without what would make one Python look for another's modules.
fn clean(command: &mut Command) -> &mut Command {
    for name in [
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "VIRTUAL_ENV",
    ] {
        command.env_remove(name);
    }
    command
}
