//! What happens when an interpreter ends happens in a run of ours too, whether it borrows or not.

use super::Daemon;
use crate::support::python::{main_venv, venv_of, venvs_of_older_pythons};
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
        "a generator within a loop",
        "
def generator(path=Path('../out/ended').absolute(), open=open):
    for number in range(3):
        try:
            yield from (number, number)
        except GeneratorExit:
            with open(path, 'a') as file:
                file.write('generator')
            raise
def Kept():
    kept = generator()
    next(kept)
    return kept
",
    ),
    (
        "a generator that waits for another",
        "
class Another:
    def __iter__(self):
        return self
    def __next__(self):
        return 1
    def close(self, path=Path('../out/ended').absolute(), open=open):
        with open(path, 'a') as file:
            file.write('closed')
def generator():
    yield from Another()
def Kept():
    kept = generator()
    next(kept)
    return kept
",
    ),
    (
        "a weak proxy",
        "
import sys
import weakref
class Referent:
    pass
def note(_, path=Path('../out/ended').absolute(), open=open):
    with open(path, 'a') as file:
        file.write('callback')
def Kept():
    kept = Referent()
    kept.proxy_of = Referent()
    sys.proxy = weakref.proxy(kept.proxy_of, note)
    return kept
",
    ),
    (
        "memory that is written to by somebody's code",
        "
import io
class Memory(io.BytesIO):
    def flush(self, path=Path('../out/ended').absolute(), open=open):
        with open(path, 'a') as file:
            file.write('flushed ')
def Kept():
    return io.TextIOWrapper(Memory())
",
    ),
    (
        "a file that is closed by somebody's code",
        "
import io
class Kept(io.RawIOBase):
    def readable(self):
        return True
    def close(self, path=Path('../out/ended').absolute(), open=open):
        if not self.closed:
            with open(path, 'a') as file:
                file.write('closed')
        super().close()
",
    ),
    (
        "memory that is closed by somebody's code",
        "
import io
def closes(path=Path('../out/ended').absolute(), open=open):
    with open(path, 'a') as file:
        file.write('closed ')
def Kept():
    kept = io.TextIOWrapper(io.BytesIO())
    kept.close = closes
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
        "a resource warning of a socket",
        "
import fcntl
import socket
import warnings
def Kept():
    warnings.simplefilter('always', ResourceWarning)
    descriptor = socket.socket().detach()
    # It is shown, and the same in each process.
    return socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD, 200))
",
    ),
    (
        "a resource warning of a directory",
        "
import os
import warnings
def Kept():
    warnings.simplefilter('always', ResourceWarning)
    entries = os.scandir('..')
    next(entries)
    return [entries]
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

/// Each keeps something of which nobody would notice that it goes; since which version of Python that is known.
const LEFT_OUT: &[(&str, (u32, u32), &str)] = &[
    ("nothing", (3, 10), "\npass\n"),
    (
        "a generator that would do nothing",
        (3, 11),
        "
def generator():
    try:
        yield 0
    except ValueError:
        pass
    with open(__file__) as file:
        for line in file:
            pass
    yield 1
    with open(__file__) as file:
        yield 2
def Kept():
    kept = generator(), generator()
    next(kept[0]), next(kept[0])
    return kept
",
    ),
    (
        "a weak proxy without a callback",
        (3, 10),
        "
import weakref
class Referent:
    pass
def Kept():
    kept = Referent()
    return kept, weakref.proxy(kept), weakref.ref(kept)
",
    ),
    (
        "memory",
        (3, 10),
        "
import io
class Memory(io.BytesIO):
    def getvalue(self):
        return b''
def Kept():
    kept = io.TextIOWrapper(Memory())
    kept.write('not flushed')
    return kept, io.BufferedReader(io.BytesIO()), io.StringIO()
",
    ),
    (
        "sockets and files that are closed, where somebody is warned",
        (3, 10),
        "
import socket
import warnings
def Kept():
    warnings.simplefilter('always', ResourceWarning)
    kept = socket.socket(), open(__file__)
    for one in kept:
        one.close()
    return kept
",
    ),
    (
        "the library of C",
        (3, 10),
        "
import ctypes
import sys
def Kept():
    return [ctypes.CDLL(name) for name in (None, 'libc.so.6') if name is None or sys.platform == 'linux']
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
    // Of objects their addresses are shown.
    let stderr: String = run
        .stderr
        .split_inclusive(" at 0x")
        .map(|part| part.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()))
        .collect();
    (run.code, format!("{stdout}\n{stderr}"), text, names)
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
        let version = venv.python_version();
        for (what, since, kept) in LEFT_OUT {
            let project = Project::new(&suite(kept));
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
            let has_left = borrowed.stderr.contains("receive Left");
            assert_eq!(
                has_left,
                version >= *since,
                "{version:?}, {what}: {borrowed}"
            );
            daemon.stop();
        }
    }
}

/// Nor is one of a run that borrows nothing, and one of which something is left is.
#[test]
fn what_nobody_would_notice_is_left_out_without_a_daemon() {
    let mut venvs = vec![main_venv().real()];
    venvs.extend(venvs_of_older_pythons());
    for venv in venvs {
        let version = venv.python_version();
        let left_out = LEFT_OUT
            .iter()
            .map(|(what, since, kept)| (what, kept, version < *since));
        let (what, kept) = &KEPT[1];
        for (what, kept, is_noticed) in left_out.chain([(what, kept, true)]) {
            for genuine in ["", "1"] {
                let project = Project::new(&suite(kept));
                std::fs::create_dir(project.base().join("out")).expect("a directory");
                let command = Command::rpytest(&venv, &project).env("RPYTEST_GENUINE", genuine);
                let got = is_taken_apart(command);
                let expected = is_noticed || genuine == "1";
                assert_eq!(got, expected, "{version:?}: {what}, {genuine:?}");
            }
        }
    }
}

/// Nor one in which libraries in wide use have left what they leave.
#[test]
fn libraries_that_are_known_are_left_as_they_are() {
    let libraries = [
        "pytest==9.2.0",
        "click==8.5.1",
        "hypothesis==6.170.15",
        "markupsafe==3.0.3",
        "pyyaml==6.0.3",
        "trio==0.35.0",
    ];
    let venv = venv_of("libraries", &libraries);
    let uses = "
--- pytest.ini
[pytest]
filterwarnings = error
--- test_a.py
import click.testing
import hypothesis.strategies
import markupsafe
import trio
import yaml

KEPT = []

@click.command()
def command():
    click.echo('said')

def test_click():
    assert click.testing.CliRunner().invoke(command).output == 'said\\n'

@hypothesis.given(hypothesis.strategies.integers())
def test_hypothesis(number):
    assert isinstance(number, int)

def test_trio():
    trio.run(trio.sleep, 0)

def test_extensions():
    KEPT.append(markupsafe.escape('<'))
    KEPT.append(yaml.CSafeLoader('a: 1'))
";
    let keeps = "
class Goes:
    def __del__(self):
        pass
KEPT.append(Goes())
";
    for (more, expected) in [("", false), (keeps, true)] {
        let project = Project::new(&format!("{uses}{more}"));
        let command = Command::rpytest(&venv, &project);
        assert_eq!(is_taken_apart(command), expected, "{more}");
    }
}

/// Whether the interpreter of a run of tests that pass is, by what it says of the modules that it takes apart.
fn is_taken_apart(command: Command<'_>) -> bool {
    let run = command.env("PYTHONVERBOSE", "1").args(["-q"]).run();
    assert_eq!(run.code, 0, "{run}");
    run.stderr.contains("# clear sys.meta_path")
}
