//! Real files to parse.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../tests/python/mod.rs"]
mod python;

pub(super) use python::test_python;

/// Keeps a test without optimization to seconds.
const SAMPLE_BYTES: usize = 3 << 20;

/// Files and what is in them.
pub(super) fn sample() -> Vec<(PathBuf, Vec<u8>)> {
    if let Some(dirs) = std::env::var_os("RPYTEST_SYNTAX_TEST_DIRS") {
        let mut found = Vec::new();
        for dir in std::env::split_paths(&dirs) {
            add_below(&dir, &mut found);
        }
        return found.into_iter().filter_map(read).collect();
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let mut own = Vec::new();
    for dir in ["rpytest-worker/python", "rpytest-collect/src/syntax/parity"] {
        let before = own.len();
        add_below(&crates.join(dir), &mut own);
        assert!(own.len() > before, "{dir} is part of the workspace");
    }
    let stdlib = standard_library();
    let mut others = Vec::new();
    add_below(&stdlib, &mut others);
    // An order that has nothing to do with names, and is the same each time.
    others.sort_by_key(|path| hash(path.strip_prefix(&stdlib).unwrap_or(path)));
    let mut files: Vec<_> = own.into_iter().filter_map(read).collect();
    let mut bytes = 0;
    for file in others.into_iter().filter_map(read) {
        bytes += file.1.len();
        if bytes > SAMPLE_BYTES {
            break;
        }
        files.push(file);
    }
    files
}

fn read(path: PathBuf) -> Option<(PathBuf, Vec<u8>)> {
    let bytes = fs::read(&path).ok()?;
    Some((path, bytes))
}

fn standard_library() -> PathBuf {
    let out = std::process::Command::new(test_python())
        .args([
            "-c",
            "import sysconfig; print(sysconfig.get_path('stdlib'), end='')",
        ])
        .output()
        .expect("the interpreter starts");
    assert!(out.status.success());
    String::from_utf8(out.stdout)
        .expect("a path in UTF-8")
        .into()
}

fn add_below(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_symlink() || path.ends_with("site-packages") {
        } else if path.is_dir() {
            add_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
}

/// FNV-1a.
fn hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
