//! The interpreter that tests ask.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An interpreter with pytest: `RPYTEST_TEST_PYTHON`, or a virtual environment in `target`.
pub fn test_python() -> PathBuf {
    if let Some(python) = std::env::var_os("RPYTEST_TEST_PYTHON") {
        return python.into();
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
        .join("target");
    fs::create_dir_all(&target).expect("target");
    let lock = fs::File::create(target.join("test-venv.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let venv = target.join("test-venv");
    let python = venv.join("bin/python");
    let has_pytest = |python: &Path| {
        Command::new(python)
            .args(["-c", "import pytest"])
            .output()
            .is_ok_and(|out| out.status.success())
    };
    if !has_pytest(&python) {
        let run = |command: &mut Command| assert!(command.status().expect("it starts").success());
        run(Command::new(newest_python())
            .args(["-m", "venv"])
            .arg(&venv));
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "-q",
            "pytest==9.2.0",
            "pytest-xdist==3.8.0",
        ]));
    }
    python
}

fn newest_python() -> PathBuf {
    let mut candidates: Vec<PathBuf> = (10..=14)
        .rev()
        .map(|minor| format!("python3.{minor}").into())
        .collect();
    candidates.push("python3".into());
    let versions = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv/versions"));
    let versions = versions.and_then(|dir| fs::read_dir(dir).ok());
    candidates.extend(
        versions
            .into_iter()
            .flatten()
            .flatten()
            .map(|dir| dir.path().join("bin/python")),
    );
    let version = |python: &PathBuf| {
        let out = Command::new(python)
            .args(["-c", "import sys; print(sys.version_info[1] if sys.implementation.name == 'cpython' else 0)"])
            .output()
            .ok()?;
        let minor: u32 = String::from_utf8(out.stdout).ok()?.trim().parse().ok()?;
        (10..=14).contains(&minor).then_some(minor)
    };
    let found = candidates
        .into_iter()
        .filter_map(|python| Some((version(&python)?, python)));
    found
        .max_by_key(|(minor, _)| *minor)
        .expect("a CPython from 3.10 to 3.14")
        .1
}
