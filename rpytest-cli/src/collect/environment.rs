//! What of the world a collection depends on, as far as it can be told without Python.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::file::Parts;

/// Variables that no collection asks for, and that differ from one terminal to the next.
const VOLATILE: [&str; 12] = [
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "OLDPWD",
    "PWD",
    "RPYTEST_LOG",
    "RUST_LOG",
    "SHLVL",
    "TERM",
    "TERM_PROGRAM",
    "TERM_SESSION_ID",
    "_",
];

/// The interpreter, the variables that it and pytest read, and this program.
pub(super) fn interpreter(
    python: &Path,
    variables: &BTreeSet<(OsString, OsString)>,
) -> io::Result<Parts> {
    let mut parts = Parts::default();
    for path in [std::env::current_exe()?, fs::canonicalize(python)?] {
        parts.add(path.as_os_str().as_encoded_bytes());
        parts.add(stamp(&path));
    }
    parts.add(python.as_os_str().as_encoded_bytes());
    let root = python.parent().and_then(Path::parent);
    let venv = root.map(|root| fs::read(root.join("pyvenv.cfg")).unwrap_or_default());
    parts.add(venv.unwrap_or_default());
    let read = |name: &OsString| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"PYTHON") || name.starts_with(b"PYTEST")
    };
    add_variables(&mut parts, variables.iter().filter(|(name, _)| read(name)));
    Ok(parts)
}

/// All variables but those that no collection asks for.
pub(super) fn add_all_variables(parts: &mut Parts, variables: &BTreeSet<(OsString, OsString)>) {
    let volatile = |name: &OsString| VOLATILE.iter().any(|other| name == other);
    add_variables(parts, variables.iter().filter(|(name, _)| !volatile(name)));
}

fn add_variables<'a>(parts: &mut Parts, variables: impl Iterator<Item = &'a (OsString, OsString)>) {
    for (name, value) in variables {
        parts.add(name.as_encoded_bytes());
        parts.add(value.as_encoded_bytes());
    }
    parts.add("");
}

/// What is installed in the directories of a search path: installing, upgrading and removing a distribution,
/// editable ones too, changes one of these entries.
pub(super) fn installed(search_path: &[PathBuf]) -> [u8; 32] {
    let mut parts = Parts::default();
    for directory in search_path {
        parts.add(directory.as_os_str().as_encoded_bytes());
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let suffix = Path::new(&name).extension().unwrap_or_default();
            if ["dist-info", "egg-info", "pth", "egg-link"]
                .iter()
                .any(|known| suffix == *known)
            {
                entries.push((name, stamp(&entry.path())));
            }
        }
        entries.sort_unstable();
        for (name, stamp) in entries {
            parts.add(name.as_encoded_bytes());
            parts.add(stamp);
        }
    }
    parts.finish()
}

/// Size and time of a file, as text.
fn stamp(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else {
        return String::new();
    };
    let since = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).ok();
    let modified = metadata.modified().ok().and_then(since);
    format!("{} {modified:?}", metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_changes_it() {
        let site = tempfile::tempdir().expect("a directory");
        let path = [site.path().to_owned()];
        let mut seen = BTreeSet::new();
        assert!(seen.insert(installed(&path)));
        for name in ["a-1.dist-info", "a-2.dist-info", "b.egg-info"] {
            fs::create_dir(site.path().join(name)).expect("a directory");
            assert!(seen.insert(installed(&path)), "{name}");
        }
        for name in ["c.pth", "d.egg-link"] {
            fs::write(site.path().join(name), "x").expect("a file");
            assert!(seen.insert(installed(&path)), "{name}");
        }
        fs::write(site.path().join("c.pth"), "other").expect("a file");
        assert!(seen.insert(installed(&path)));
        fs::create_dir(site.path().join("__pycache__")).expect("a directory");
        assert!(!seen.insert(installed(&path)), "bytecode is not installed");
    }

    #[test]
    fn variables_of_the_terminal_are_left_out() {
        let digest = |name: &str, value: &str, all: bool| {
            let variables = [(OsString::from(name), OsString::from(value))].into();
            let mut parts = interpreter(Path::new("/bin/sh"), &variables).expect("it is there");
            if all {
                add_all_variables(&mut parts, &variables);
            }
            parts.finish()
        };
        for (name, all, differs) in [
            ("COLUMNS", true, false),
            ("LANG", true, true),
            ("LANG", false, false),
            ("PYTHONPATH", false, true),
            ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", false, true),
        ] {
            let same = digest(name, "1", all) == digest(name, "2", all);
            assert_eq!(!same, differs, "{name} {all}");
        }
        let without = digest("COLUMNS", "1", true);
        assert_eq!(without, digest("TERM", "x", true));
    }
}
