//! What happens when an interpreter ends happens in a run of ours too, whether it borrows or not.

use super::Daemon;
use crate::support::python::{main_venv, venvs_of_older_pythons};
use crate::support::{Command, Project, Run};

/// Each keeps something until the end of the interpreter, by which it writes to the file `ended`, or to the
/// terminal.
const KEPT: &[(&str, &str)] = &[
    ("nothing", "\npass\n"),
    (
        "a finaliser",
        "
class Kept:
    def __del__(self, path=Path('../out/ended').absolute(), open=open):
        with open(path, 'a') as file:
            file.write('finaliser')
",
    ),
    (
        "a file",
        "
def Kept():
    file = open('../out/ended', 'a')
    file.write('not flushed')
    return file
",
    ),
    (
        "a generator",
        "
def generator(path=Path('../out/ended').absolute(), open=open):
    try:
        yield
    finally:
        with open(path, 'a') as file:
            file.write('generator')
def Kept():
    kept = generator()
    next(kept)
    return kept
",
    ),
    (
        "a function",
        "
import atexit
def Kept():
    atexit.register(lambda path=Path('../out/ended').absolute(): path.write_text('function'))
",
    ),
    (
        "a temporary directory",
        "
import tempfile
def Kept():
    kept = tempfile.TemporaryDirectory(prefix='kept', dir=Path('../out').absolute())
    Path('../out/name').write_text('made')
    return kept
",
    ),
    (
        "a resource warning",
        "
import warnings
def Kept():
    warnings.simplefilter('always', ResourceWarning)
    return open(__file__)
",
    ),
    (
        "an output in whose place there is another",
        "
import io
import os
import sys
def Kept():
    print('before')
    sys.stdout = io.StringIO()
    kept = os.fdopen(1, 'w', closefd=False)
    kept.write('not flushed')
    return kept
",
    ),
    (
        "C's own buffer",
        "
import ctypes
def Kept():
    ctypes.CDLL(None).puts(b'by C')
",
    ),
];

fn suite(kept: &str) -> String {
    format!(
        "
--- pytest.ini
[pytest]
addopts = -p no:warnings -p no:cacheprovider -s
--- test_a.py
from pathlib import Path
KEPT = []
def test_keeps():
    Kept = lambda: None
{}
    KEPT.append(Kept())
",
        kept.replace('\n', "\n    ")
    )
}

/// What a run leaves: its output, and what is written at the end of its interpreter.
fn left(run: &Run, project: &Project) -> (i32, String, String, Vec<String>) {
    let ended = project.base().join("out/ended");
    let text = std::fs::read_to_string(&ended).unwrap_or_default();
    let _ = std::fs::remove_file(ended);
    let entries = std::fs::read_dir(project.base().join("out")).expect("a directory");
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let lines = run
        .stdout
        .lines()
        .filter(|line| !line.contains(" passed in "));
    let stdout = lines.collect::<Vec<_>>().join("\n");
    (run.code, format!("{stdout}\n{}", run.stderr), text, names)
}

#[test]
fn what_ends_with_the_interpreter_ends() {
    for (name, kept) in KEPT {
        let project = Project::new(&suite(kept));
        std::fs::create_dir(project.base().join("out")).expect("a directory");
        let pytest = Command::pytest(main_venv(), &project).args(["-q"]).run();
        let expected = left(&pytest, &project);
        let (code, shown, ended, names) = &expected;
        assert_eq!(*code, 0, "{pytest}");
        let is_noticed = ["warning", "C's", "output"]
            .iter()
            .any(|word| name.contains(word));
        assert_eq!(shown.trim().len() > 3, is_noticed, "{name}: {shown}");
        let has_written = !ended.is_empty() || !names.is_empty();
        assert_eq!(has_written, *name != "nothing" && !is_noticed, "{name}");
        let alone = Command::rpytest(main_venv(), &project).args(["-q"]).run();
        assert_eq!(left(&alone, &project), expected, "{name}, without a daemon");
        let daemon = Daemon::start(&project);
        for turn in 0..3 {
            let run = daemon.run(&["-q"]);
            assert_eq!(left(&run, &project), expected, "{name}, run {turn}");
            daemon.has_settled();
        }
        assert!(
            daemon
                .sessions()
                .iter()
                .any(|session| session["lent"].as_u64() > Some(0)),
            "{name}: no session was lent"
        );
        daemon.stop();
    }
}

/// An interpreter of which nothing is left to end is not taken apart, whichever it is.
#[test]
fn what_nobody_would_notice_is_left_out() {
    let mut venvs = vec![main_venv().real()];
    venvs.extend(venvs_of_older_pythons());
    for venv in venvs {
        let name = venv.root().display();
        let (_, nothing) = KEPT[0];
        let project = Project::new(&suite(nothing));
        let daemon = Daemon::start_in(&venv, &project);
        let run = || {
            let command = daemon.command().env("RPYTEST_LOG", "rpytest_ipc=debug");
            let run = command.args(["-q"]).run();
            run.expect(0, "1 passed");
            run
        };
        run();
        daemon.has_settled();
        let borrowed = run();
        assert!(
            borrowed.stderr.contains("receive Left"),
            "{name}: {borrowed}"
        );
        daemon.stop();
    }
}

/// Nor is one of a run that borrows nothing, and one of which something is left is: by what the interpreter says of
/// the modules that it takes apart.
#[test]
fn what_nobody_would_notice_is_left_out_without_a_daemon() {
    let mut venvs = vec![main_venv().real()];
    venvs.extend(venvs_of_older_pythons());
    for venv in venvs {
        for (what, kept) in &KEPT[..2] {
            for genuine in ["", "1"] {
                let project = Project::new(&suite(kept));
                std::fs::create_dir(project.base().join("out")).expect("a directory");
                let run = Command::rpytest(&venv, &project)
                    .env("PYTHONVERBOSE", "1")
                    .env("RPYTEST_GENUINE", genuine)
                    .args(["-q"])
                    .run();
                run.expect(0, "1 passed");
                let is_taken_apart = run.stderr.contains("# clear sys.meta_path");
                let expected = *what != "nothing" || genuine == "1";
                let name = venv.root().display();
                assert_eq!(is_taken_apart, expected, "{name}: {what}, {genuine:?}");
            }
        }
    }
}
