//! Configuration, arguments and the walk, held against a real pytest: one project for each row.
#![cfg(feature = "ruff")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use rpytest_collect::Collector;

mod python;
use python::test_python;

#[derive(Debug, Clone, Copy)]
enum Expected {
    /// All files are exact.
    Exact,
    /// None is.
    Partial,
    /// Those are that can be, of which there are this many.
    Some(usize),
}
use Expected::{Exact, Partial};

/// Files with their contents, where `->` begins the target of a symlink.
type Files = &'static [(&'static str, &'static str)];

/// What it is about, the files, the directory of the run, the words of the command line, and what is expected.
type Row = (
    &'static str,
    Files,
    &'static str,
    &'static [&'static str],
    Expected,
);

const T: &str =
    "def test_t(): pass\nclass Test:\n    def test_m(self): pass\ndef check_c(): pass\n";

include!("real_pytest_config/rows.rs");

/// Words that begin an option whose value is the next.
const WITH_VALUE: [&str; 10] = [
    "-W",
    "-c",
    "-k",
    "-m",
    "-o",
    "-p",
    "-r",
    "--rootdir",
    "--ignore",
    "--cov",
];

/// What a row has in its environment.
fn environment(row: &Row) -> Vec<(&'static str, &'static str)> {
    let mut out = vec![("SUB", "sub")];
    out.extend(
        row.3
            .first()
            .and_then(|word| word.strip_prefix("PYTEST_ADDOPTS="))
            .map(|v| ("PYTEST_ADDOPTS", v)),
    );
    out
}

fn words(row: &Row) -> Vec<&'static str> {
    let words = row.3.iter().copied();
    words
        .filter(|word| !word.starts_with("PYTEST_ADDOPTS="))
        .collect()
}

fn write(dir: &Path, files: Files) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        match text.strip_prefix("->") {
            Some(target) => std::os::unix::fs::symlink(target, path).expect("a link"),
            None => fs::write(path, text).expect("a file"),
        }
    }
}

/// Runs pytest once for each question, in a child of one process that has imported it.
const ASK: &str = r#"
import json, os, sys
import pytest
out = []
for directory, words, environment in json.loads(sys.argv[1]):
    printed = os.path.normpath(directory) + ".out"
    child = os.fork()
    if not child:
        stream = os.open(printed, os.O_WRONLY | os.O_CREAT)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        os.chdir(directory)
        os.environ.update(environment)
        code = pytest.main(["--collect-only", "-q", *words])
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    with open(printed) as file:
        out.append([os.waitstatus_to_exitcode(status), file.read()])
print(json.dumps(out))
"#;

/// The ids that pytest prints for each row, or what it complains about.
fn ask(questions: &str) -> Vec<Result<Vec<String>, String>> {
    let output = Command::new(test_python())
        .args(["-c", ASK, questions])
        .env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("PYTEST_ADDOPTS")
        .output()
        .expect("pytest starts");
    let answers: Vec<(i32, String)> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let ids = |text: String| {
        let ids = text.lines().filter(|line| line.contains("::"));
        ids.map(str::to_owned).collect()
    };
    let answers = answers.into_iter();
    answers
        .map(|(code, text)| match code {
            0 | 5 => Ok(ids(text)),
            _ => Err(text),
        })
        .collect()
}

/// What is wrong with a row.
fn compare(row: &Row, dir: &Path, theirs: Result<Vec<String>, String>) -> Option<String> {
    let (_, _, below, _, expected) = row;
    let (mut options, mut paths) = (Vec::new(), Vec::new());
    let mut rest = words(row).into_iter();
    while let Some(word) = rest.next() {
        match word.starts_with('-') {
            true => options.push(word),
            false => paths.push(word),
        }
        if WITH_VALUE.contains(&word) {
            options.extend(rest.next());
        }
    }
    let collection = Collector::new(dir.join(below))
        .options(options)
        .paths(paths)
        .environment(environment(row))
        .collect();
    let (collection, theirs) = match (collection, theirs) {
        (Ok(collection), Ok(theirs)) => (collection, theirs),
        // What one version of pytest does not know another may.
        (Ok(collection), Err(_)) if collection.exact_items().next().is_none() => return None,
        (Err(_), Err(_)) => return None,
        (ours, theirs) => return Some(format!("{ours:?}\n{theirs:?}")),
    };
    let files = collection.files.iter();
    let exact: HashSet<&str> = files
        .filter(|file| file.completeness.is_exact())
        .map(|file| file.path.as_str())
        .collect();
    let known = |path: &str| collection.files.iter().any(|file| file.path == path);
    let ours: Vec<String> = collection
        .exact_items()
        .map(|item| item.id.to_string())
        .collect();
    let file = |id: &str| id.split("::").next().unwrap_or_default().to_owned();
    let wanted: Vec<String> = theirs
        .iter()
        .filter(|id| exact.contains(file(id).as_str()))
        .cloned()
        .collect();
    let reasons: Vec<_> = collection
        .files
        .iter()
        .map(|file| (&file.path, file.completeness.reasons()))
        .collect();
    // A file that is not known at all has to be one of which nothing is exact.
    let lost = theirs
        .iter()
        .find(|id| !known(&file(id)) && !exact.is_empty());
    let as_expected = match expected {
        Expected::Exact => exact.len() == collection.files.len() && ours == theirs,
        Expected::Partial => exact.is_empty() && !collection.files.is_empty(),
        Expected::Some(count) => exact.len() == *count,
    };
    (ours != wanted || lost.is_some() || !as_expected)
        .then(|| format!("ours {ours:?}\ntheirs {theirs:?}\nexpected {expected:?}, {reasons:?}"))
}

#[test]
fn a_project_is_read_as_pytest_reads_it() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let root = root.path().canonicalize().expect("it exists");
    let dirs: Vec<_> = (0..ROWS.len())
        .map(|at| root.join(at.to_string()))
        .collect();
    let mut questions = Vec::new();
    for (row, dir) in ROWS.iter().zip(&dirs) {
        write(dir, row.1);
        let environment: BTreeMap<_, _> = environment(row).into_iter().collect();
        questions.push((dir.join(row.2), words(row), environment));
    }
    let answers = ask(&serde_json::to_string(&questions).expect("strings"));
    assert_eq!(answers.len(), ROWS.len());
    let mut wrong = Vec::new();
    for ((row, dir), theirs) in ROWS.iter().zip(&dirs).zip(answers) {
        if let Some(difference) = compare(row, dir, theirs) {
            wrong.push(format!("{} {:?}\n{difference}\n", row.0, row.3));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
