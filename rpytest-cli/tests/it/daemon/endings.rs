//! What happens when an interpreter ends happens in a run of ours too, whether it borrows or not.

use std::fs;

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

/// The exit code of a run, its output, what is written to `ended` at the end of its interpreter, and other files.
type Left = (i32, String, String, Vec<String>);

/// What a run leaves.
fn left(run: &Run, project: &Project) -> Left {
    let ended = project.base().join("out/ended");
    let text = fs::read_to_string(&ended).unwrap_or_default();
    let _ = fs::remove_file(ended);
    let entries = fs::read_dir(project.base().join("out")).expect("a directory");
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

fn ends_alike_with_a_daemon(project: &Project, expected: &Left, what: &str) {
    let daemon = Daemon::start(project);
    for turn in 0..3 {
        let run = daemon.run(&["-q"]);
        assert_eq!(left(&run, project), *expected, "{what}, run {turn}");
        daemon.has_settled();
    }
    assert!(daemon.lent() > 0, "{what}: no session was lent");
    daemon.stop();
}

#[test]
fn what_ends_with_the_interpreter_ends() {
    for (name, kept) in KEPT {
        let project = Project::new(&suite(kept));
        fs::create_dir(project.base().join("out")).expect("a directory");
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
        ends_alike_with_a_daemon(&project, &expected, name);
    }
}

/// What was there before the fork, and would say that it is open, is out of sight in a run of a session that was lent.
#[test]
fn what_is_open_since_the_collection_warns() {
    for (opens, shown) in [
        (
            "OPEN = [os.scandir('..')]\nnext(OPEN[0])",
            "unclosed scandir",
        ),
        ("OPEN = open(__file__)", "unclosed file"),
    ] {
        let project = Project::new(&format!(
            "
--- pytest.ini
[pytest]
addopts = -p no:warnings -p no:cacheprovider -s
--- test_a.py
import os
import warnings
{opens}
def test_shows_warnings():
    warnings.simplefilter('always', ResourceWarning)
"
        ));
        fs::create_dir(project.base().join("out")).expect("a directory");
        let pytest = Command::pytest(main_venv(), &project).args(["-q"]).run();
        let expected = left(&pytest, &project);
        assert!(expected.1.contains(shown), "{pytest}");
        ends_alike_with_a_daemon(&project, &expected, shown);
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
                fs::create_dir(project.base().join("out")).expect("a directory");
                let command = Command::rpytest(&venv, &project).env("RPYTEST_GENUINE", genuine);
                let got = is_taken_apart(command);
                let expected = is_noticed || genuine == "1";
                assert_eq!(got, expected, "{version:?}: {what}, {genuine:?}");
            }
        }
    }
}

/// In the versions that were read last.
const LIBRARIES: &[&str] = &[
    "pytest==9.2.0",
    "charset-normalizer==3.5.3",
    "click==8.5.1",
    "frozenlist==1.8.0",
    "hypothesis==6.170.15",
    "markupsafe==3.0.4",
    "msgpack==1.2.4",
    "multidict==7.2.1",
    "numpy==2.5.5",
    "orjson==3.13.0",
    "propcache==0.5.4",
    "pydantic-core==2.47.0",
    "pyyaml==6.0.4",
    "rpds-py==2026.9.1",
    "simplejson==4.3.0",
    "tornado==6.6.1",
    "trio==0.35.0",
    "ujson==6.1.0",
    "websockets==17.4",
    "wrapt==2.5.2",
    "yarl==1.25.1",
    "zope.interface==8.7",
];

/// Each of the modules in C that are known keeps an object of its own.
const USES: &str = "
--- pytest.ini
[pytest]
filterwarnings = error
--- test_a.py
import importlib.machinery
import sys

import charset_normalizer.md
import click.testing
import frozenlist
import hypothesis.strategies
import markupsafe
import msgpack
import multidict
import numpy
import orjson
import propcache
import pydantic_core
import rpds
import simplejson
import tornado.util
import trio
import ujson
import websockets.speedups
import wrapt
import yaml
import yarl
import zope.interface
from rpytest_worker import known_endings

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

class Cached:
    @propcache.cached_property
    def kept(self):
        return []

class Interface(zope.interface.Interface):
    pass

def test_extensions():
    import tornado.speedups
    KEPT.append([
        charset_normalizer.from_bytes('größe'.encode() * 20).best(),
        frozenlist.FrozenList([1]),
        markupsafe.escape('<'),
        msgpack.Packer(),
        msgpack.Unpacker(),
        multidict.CIMultiDict(a=1),
        numpy.random.default_rng().normal(size=9),
        orjson.Fragment(b'1'),
        Cached().kept,
        pydantic_core.SchemaValidator({'type': 'int'}),
        rpds.HashTrieMap({1: 2}),
        simplejson.JSONDecoder(),
        ujson.dumps([1]),
        wrapt.ObjectProxy([]),
        yaml.CSafeLoader('a: 1'),
        yarl.URL('http://a.test/?b=c'),
        Interface,
    ])

def test_they_are_written_in_c():
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    names = [*known_endings._MODULES, 'charset_normalizer.md', 'numpy._core._multiarray_umath']
    assert [name for name in names if not sys.modules[name].__file__.endswith(suffixes)] == []
";

/// Nor one in which libraries in wide use have left what they leave.
#[test]
fn libraries_that_are_known_are_left_as_they_are() {
    let venv = venv_of("libraries", LIBRARIES);
    let keeps = "
class Goes:
    def __del__(self):
        pass
KEPT.append(Goes())
";
    let holds = "KEPT.append([numpy.nditer(numpy.arange(3.0))])";
    for (more, expected) in [("", false), (keeps, true), (holds, true)] {
        let project = Project::new(&format!("{USES}{more}"));
        let command = Command::rpytest(&venv, &project);
        assert_eq!(is_taken_apart(command), expected, "{more}");
    }
}

/// numpy warns when an object goes that has something to write back.
#[test]
fn what_a_library_has_to_say_at_the_end_is_said() {
    let venv = venv_of("libraries", LIBRARIES);
    let kept = "
import numpy
def Kept():
    numbers = numpy.nditer(
        numpy.arange(3.0), op_flags=[['readwrite', 'updateifcopy']], op_dtypes=['f4'],
        flags=['buffered'], casting='same_kind')
    next(numbers)
    return [numbers]
";
    let project = Project::new(&suite(kept));
    fs::create_dir(project.base().join("out")).expect("a directory");
    let pytest = Command::pytest(&venv, &project).args(["-q"]).run();
    let expected = left(&pytest, &project);
    assert!(expected.1.contains("has not been written back"), "{pytest}");
    let run = Command::rpytest(&venv, &project).args(["-q"]).run();
    assert_eq!(left(&run, &project), expected, "{run}");
}

/// Whether the interpreter of a run of tests that pass is, by what it says of the modules that it takes apart.
fn is_taken_apart(command: Command<'_>) -> bool {
    let run = command.env("PYTHONVERBOSE", "1").args(["-q"]).run();
    assert_eq!(run.code, 0, "{run}");
    run.stderr.contains("# clear sys.meta_path")
}
