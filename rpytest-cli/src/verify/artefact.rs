//! Files that runs have written, as text that can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::normal::Normal;

/// What is larger is compared by its digest.
const MOST: u64 = 16 << 20;
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Prints what is in a database, in an order of its own: that of coverage's data by files and contexts, whose
/// numbers are a matter of who came first, and of others by tables.
const DUMP: &str = r#"
import sqlite3, sys
base = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
def rows(query):
    return sorted(map(repr, base.execute(query)))
tables = [name for name, in base.execute("select name from sqlite_master where type = 'table' order by 1")]
if {"file", "context", "line_bits", "arc"} <= set(tables):
    joined = "from {0} join file on file.id = {0}.file_id join context on context.id = {0}.context_id"
    for table, what in ("line_bits", "hex(numbits)"), ("arc", "fromno, tono"):
        print(table, *rows(f"select path, context, {what} " + joined.format(table)), sep="\n")
    print("file", *rows("select path from file"), sep="\n")
else:
    for table in tables:
        print(table, *rows(f'select * from "{table}"'), sep="\n")
"#;

/// Where files are, and what they are named by.
#[derive(Debug)]
pub(super) struct Artefacts<'a> {
    pub(super) rootdir: &'a Path,
    pub(super) python: &'a Path,
    pub(super) normal: &'a Normal,
}

impl Artefacts<'_> {
    /// The texts of what has come, gone or changed, but for what only rpytest keeps and what is chance.
    pub(super) fn texts(&self, changed: Vec<PathBuf>, junit: &Path) -> BTreeMap<String, String> {
        let others = changed
            .into_iter()
            .filter(|path| path != junit && !is_left_out(path));
        let texts = others.map(|path| {
            let name = path.strip_prefix(self.rootdir).unwrap_or(&path);
            (self.normal.text(&name.to_string_lossy()), self.text(&path))
        });
        texts.collect()
    }

    fn text(&self, path: &Path) -> String {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return "(removed)".to_owned();
        };
        if metadata.is_symlink() {
            let target = fs::read_link(path).unwrap_or_default();
            return self.normal.text(&format!("-> {}", target.display()));
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return format!("(unreadable: {error})"),
        };
        if bytes.starts_with(SQLITE)
            && let Some(text) = self.database(path)
        {
            return self.normal.text(&text);
        }
        if metadata.len() <= MOST
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            let start = text.trim_start();
            if start.starts_with('<') {
                return self.normal.markup(text);
            }
            if start.starts_with(['{', '['])
                && let Some(text) = self.normal.json(text)
            {
                return text;
            }
            return self.normal.text(text);
        }
        let digest = Sha256::digest(&bytes);
        let digest: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "{} bytes, of which the digest begins with {digest}",
            bytes.len()
        )
    }

    fn database(&self, path: &Path) -> Option<String> {
        let output = Command::new(self.python)
            .args(["-I", "-c", DUMP])
            .arg(path)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }
}

/// What rpytest keeps in pytest's cache directory, for which that may have to be made, and the examples that
/// hypothesis has found.
pub(super) fn is_left_out(path: &Path) -> bool {
    const OF_THE_DIRECTORY: [&str; 3] = [".gitignore", "CACHEDIR.TAG", "README.md"];
    let name = path.file_name().unwrap_or_default();
    if OF_THE_DIRECTORY.iter().any(|one| name == *one)
        && path.with_file_name("CACHEDIR.TAG").exists()
    {
        return true;
    }
    let names: Vec<_> = path.iter().collect();
    let in_cache = names
        .windows(2)
        .any(|pair| (pair[0] == "v" || pair[0] == "d") && pair[1] == "rpytest");
    in_cache || names.iter().any(|name| *name == ".hypothesis")
}

/// The paths outside of `directories` that words name, as `PATH`, `--option=PATH` or `--option=kind:PATH`.
pub(super) fn named_outside<'a>(
    words: impl Iterator<Item = &'a str>,
    cwd: &Path,
    directories: &[PathBuf],
) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for word in words {
        let word = word.split("::").next().unwrap_or(word);
        let value = word.split_once('=').map(|(_, value)| value);
        let of_kind = value
            .and_then(|value| value.split_once(':'))
            .map(|(_, path)| path);
        let kind = word.split_once(':').map(|(_, path)| path);
        for text in [Some(word), value, of_kind, kind].into_iter().flatten() {
            if !text.starts_with('/') && !text.starts_with("..") {
                continue;
            }
            let path = lexical(&cwd.join(text));
            let exists = path.parent().is_some_and(Path::is_dir);
            let inside = directories.iter().any(|one| path.starts_with(one));
            // What contains the project is more than a run's own.
            let contains = directories.iter().any(|one| one.starts_with(&path));
            let is_own = !inside && !contains && !is_everybodys(&path);
            if exists && is_own && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Whether others are at work there as well, whose files must not be taken for those of a run: places for temporary
/// files, the user's home, and whatever contains one of them.
pub(super) fn is_everybodys(path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let path = real(path);
    let places = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let mut places = places.into_iter().chain(home);
    // That of a project's own is not looked at, wherever it is.
    path == real(&std::env::temp_dir()) || places.any(|place| real(&place).starts_with(&path))
}

/// Without `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => _ = out.pop(),
            std::path::Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_whatever_the_option_is_called() {
        let place = tempfile::tempdir().expect("a directory");
        let base = place.path().canonicalize().expect("it is there");
        let cwd = base.join("project");
        std::fs::create_dir(&cwd).expect("a directory");
        let out = base.join("out.xml").display().to_string();
        let words = [
            out.clone(),
            format!("--junitxml={out}"),
            "--cov-report=xml:../cov.xml".to_owned(),
            "xml:../other.xml".to_owned(),
            "--html=report.html".to_owned(),
            "../tests/test_a.py::test[/x]".to_owned(),
            "--rootdir=..".to_owned(),
            "/no/such/place".to_owned(),
        ];
        let words = words.iter().map(String::as_str);
        let found = named_outside(words, &cwd, std::slice::from_ref(&cwd));
        let expected = ["out.xml", "cov.xml", "other.xml"].map(|name| base.join(name));
        assert_eq!(found, expected);
    }

    #[test]
    fn places_of_everybody_are_no_runs_own() {
        let own = tempfile::tempdir().expect("a directory");
        let own = own.path().display().to_string();
        let words = [
            "/tmp".to_owned(),
            "--basetemp=/tmp/".to_owned(),
            "--cov-report=html:/var/tmp".to_owned(),
            "cache_dir=/dev/../dev/shm".to_owned(),
            "--rootdir=/".to_owned(),
            format!("--basetemp={own}"),
        ];
        let words = words.iter().map(String::as_str);
        let found = named_outside(words, Path::new("/no/such/project"), &[]);
        assert_eq!(found, [PathBuf::from(own)]);
        for path in [Path::new("/"), Path::new("/var"), &std::env::temp_dir()] {
            assert!(is_everybodys(path), "{}", path.display());
        }
    }

    #[test]
    fn what_only_one_of_them_keeps_is_left_out() {
        for (path, expected) in [
            ("/p/.pytest_cache/v/rpytest/durations.json", true),
            ("/p/.pytest_cache/d/rpytest/x", true),
            ("/p/.pytest_cache/v/cache/lastfailed", false),
            ("/p/.hypothesis/examples/1", true),
            ("/p/rpytest/out.xml", false),
        ] {
            assert_eq!(is_left_out(Path::new(path)), expected, "{path}");
        }
    }
}
