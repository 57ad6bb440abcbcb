//! Suites of the plugins that most projects have: with and without workers the answer is pytest's.

#![cfg(unix)]

#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "it/support/mod.rs"]
mod support;

use std::sync::OnceLock;

use support::normal::{difference, normal};
use support::python::{Venv, venv_of};
use support::{Command, Project, Run, WAYS};

/// pytest and every plugin that a test needs.
const PLUGINS: &[&str] = &[
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "pytest-cov==7.1.0",
    "pytest-asyncio==1.5.0",
    "anyio[trio]==4.16.0",
    "trio==0.35.0",
    "pytest-mock==3.17.0",
    "hypothesis==6.170.15",
    "pytest-timeout==2.4.0",
];

fn plugins_venv() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    VENV.get_or_init(|| venv_of("plugins", PLUGINS))
}

/// Runs a project by pytest, then by rpytest in each way, and compares what they say. `look` is given
/// each project after its run, and what it finds there must be the same, too.
#[track_caller]
fn same_with<T: PartialEq + std::fmt::Debug>(
    files: &str,
    arguments: &[&str],
    counts: &str,
    look: impl Fn(&Project, &Run) -> T,
) {
    let project = Project::new(files);
    let run = Command::pytest(plugins_venv(), &project)
        .args(arguments)
        .run();
    assert_eq!(run.counts(), counts, "pytest itself\n{run}");
    let (expected, seen) = (normal(&run, &project), look(&project, &run));
    for way in WAYS {
        let project = Project::new(files);
        let command = Command::rpytest(plugins_venv(), &project).args(way.arguments());
        let run = command.args(arguments).run();
        let got = normal(&run, &project);
        assert_eq!(got.code, expected.code, "{way:?}\n{run}");
        assert!(
            got.stdout == expected.stdout,
            "{way:?}\n{}",
            difference(&expected.stdout, &got.stdout)
        );
        assert_eq!(look(&project, &run), seen, "{way:?}\n{run}");
    }
}

#[track_caller]
fn same(files: &str, arguments: &[&str], counts: &str) {
    same_with(files, arguments, counts, |_, _| ());
}

const COVERED: &str = "
--- pyproject.toml
[tool.pytest.ini_options]
pythonpath = ['src']
testpaths = ['tests']
[tool.coverage.run]
branch = true
source = ['app', 'tests']
--- src/app/__init__.py
import os
if os.environ.get('APP_FLAG'):
    FLAG = 1
else:
    FLAG = 2
from .calc import add
--- src/app/calc.py
def add(a, b):
    if a > 100:
        return b
    return a + b
def sign(n):
    if n < 0:
        return 'negative'
    elif n == 0:
        return 'zero'
    return 'positive'
def unused():
    return 1
--- src/app/late.py
def lazy(x):
    if x:
        return 1
    return 0
--- tests/conftest.py
import pytest
from app import calc
ZERO = calc.sign(0)
@pytest.fixture(scope='session')
def lazy():
    from app.late import lazy
    yield lazy(1)
    lazy(0)
--- tests/test_a.py
import pytest
from app.calc import add
@pytest.mark.parametrize('a', range(5) if add(1, 1) else [])
def test_add(a):
    assert add(a, a) == 2 * a
def test_big():
    assert add(101, 3) == 3
--- tests/test_b.py
from app.calc import sign
def test_negative(lazy):
    assert sign(-1) == 'negative'
def test_lazy(lazy):
    assert lazy == 1
def test_wrong():
    assert sign(3) == 'negative'
";

#[test]
fn coverage_is_that_of_one_process() {
    let arguments = [
        "--cov",
        "--cov-report=term-missing",
        "--cov-report=json",
        "--cov-report=xml:coverage.xml",
    ];
    same_with(COVERED, &arguments, "1 failed, 8 passed", |project, run| {
        run.shows(&[
            "src/app/late.py",
            "100%",
            "Coverage XML written to file coverage.xml",
        ]);
        assert!(project.read("coverage.xml").contains("</coverage>"));
        let json: serde_json::Value =
            serde_json::from_str(&project.read("coverage.json")).expect("a report");
        let figures = (json["files"].clone(), json["totals"].clone());
        assert!(figures.0["src/app/late.py"].is_object(), "{json}");
        // Data files of workers are combined, and gone.
        let files = std::fs::read_dir(project.root())
            .expect("it is there")
            .flatten();
        let mut left: Vec<_> = files.map(|file| file.file_name()).collect();
        left.retain(|name| name.to_string_lossy().starts_with(".coverage"));
        (figures, left)
    });
}

#[test]
fn coverage_of_isolated_tests_is_that_of_one_process() {
    let figures = |command: Command<'_>, project: &Project| {
        let run = command.args(["--cov", "--cov-report=json"]).run();
        run.expect(1, "1 failed, 8 passed");
        let json: serde_json::Value =
            serde_json::from_str(&project.read("coverage.json")).expect("a report");
        (json["files"].clone(), json["totals"].clone())
    };
    let project = Project::new(COVERED);
    let expected = figures(Command::pytest(plugins_venv(), &project), &project);
    for arguments in [&["--isolate=test"][..], &["--isolate=file", "-n", "2"]] {
        let project = Project::new(COVERED);
        let command = Command::rpytest(plugins_venv(), &project).args(arguments);
        assert_eq!(figures(command, &project), expected, "{arguments:?}");
    }
}

#[test]
fn coverage_of_shards_is_joined_as_merge_says() {
    for way in WAYS {
        let project = Project::new(
            "
--- app.py
def one():
    return 1

def two():
    return 2
--- test_one.py
import app

def test_one():
    assert app.one() == 1
--- test_two.py
import app

def test_two():
    assert app.two() == 2
",
        );
        for index in 0..2 {
            let shard = format!("--shard={index}");
            let run = Command::rpytest(plugins_venv(), &project)
                .args(way.arguments())
                .args(["-q", "--cov=app", "--cov-report=", "--shard-dir=shards"])
                .args([&shard, "--total-shards=2"])
                .run();
            assert_eq!(run.code, 0, "{way:?}\n{run}");
        }
        let merged = Command::rpytest(plugins_venv(), &project)
            .args(["merge", "shards"])
            .run();
        let said = merged.stdout.lines();
        let combine = said
            .filter_map(|line| line.split_once("shards: "))
            .find(|(before, _)| before.starts_with("coverage data of 2"));
        let Some((_, combine)) = combine else {
            panic!("{way:?}\n{merged}");
        };
        let script = format!("rm -f .coverage; {combine} && coverage report --fail-under=100");
        let report = Command::shell(plugins_venv(), &project, &script).run();
        assert_eq!(report.code, 0, "{way:?}\n{report}");
    }
}

#[test]
fn coverage_below_its_minimum_fails_the_run() {
    let arguments = [
        "--cov=app",
        "--cov-fail-under=99",
        "--deselect=tests/test_b.py::test_wrong",
    ];
    same_with(COVERED, &arguments, "8 passed, 1 deselected", |_, run| {
        run.shows(&["FAIL Required test coverage of 99% not reached"]);
        assert_eq!(run.code, 1);
    });
}

#[test]
fn coroutines_run_on_the_loops_of_their_scopes() {
    same(
        "
--- pytest.ini
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
--- conftest.py
import asyncio, pytest_asyncio
async def answer(reader, writer):
    writer.write((await reader.read(10)).upper())
    writer.close()
@pytest_asyncio.fixture(scope='session', loop_scope='session')
async def address():
    server = await asyncio.start_server(answer, '127.0.0.1', 0)
    yield server.sockets[0].getsockname()
    server.close()
--- test_a.py
import asyncio, pytest
LOOP = asyncio.new_event_loop()
async def test_sleep():
    await asyncio.sleep(0.01)
@pytest.mark.parametrize('text', [b'a', b'b'])
@pytest.mark.asyncio(loop_scope='session')
async def test_server(address, text):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(text)
    writer.write_eof()
    assert await reader.read() == text.upper()
    writer.close()
async def test_wrong():
    print('before')
    await asyncio.sleep(0)
    assert 1 == 2
@pytest.mark.xfail
async def test_expected():
    assert 0
async def test_program():
    program = await asyncio.create_subprocess_exec('echo', 'x', stdout=asyncio.subprocess.PIPE)
    assert (await program.communicate())[0] == b'x\\n'
def test_loop_of_the_module():
    assert LOOP.run_until_complete(asyncio.sleep(0.01, 5)) == 5
    LOOP.close()
",
        &[],
        "1 failed, 5 passed, 1 xfailed",
    );
}

#[test]
fn anyio_runs_each_backend() {
    same(
        "
--- conftest.py
import pytest
@pytest.fixture(params=['asyncio', 'trio'])
def anyio_backend(request):
    return request.param
@pytest.fixture
async def backend(anyio_backend):
    yield anyio_backend
--- test_a.py
import anyio, pytest
pytestmark = pytest.mark.anyio
async def test_sleep(backend):
    await anyio.sleep(0.01)
async def test_thread():
    assert await anyio.to_thread.run_sync(lambda: 4) == 4
async def test_program():
    assert (await anyio.run_process(['echo', 'x'])).stdout == b'x\\n'
async def test_wrong(backend):
    assert backend == 'asyncio'
",
        &["-p", "no:asyncio"],
        "1 failed, 7 passed",
    );
}

#[test]
fn mocks_are_undone() {
    same(
        "
--- test_a.py
import os, pytest
def test_patch(mocker):
    mocked = mocker.patch('os.getcwd', return_value='/x')
    assert os.getcwd() == '/x'
    mocked.assert_called_once_with()
def test_undone():
    assert os.getcwd() != '/x'
def test_wrong_call(mocker):
    mock = mocker.Mock()
    mock(1, a=2)
    mock.assert_called_once_with(2, a=3)
def test_spy(mocker):
    spy = mocker.spy(os.path, 'basename')
    os.path.basename('a/b')
    assert spy.spy_return == 'b'
@pytest.fixture(scope='session')
def processors(session_mocker):
    return session_mocker.patch('os.cpu_count', return_value=77)
def test_session(processors):
    assert os.cpu_count() == 77
",
        &[],
        "1 failed, 4 passed",
    );
}

#[test]
fn hypothesis_finds_the_same_examples() {
    same(
        "
--- test_a.py
from hypothesis import example, given, note, settings, strategies as st
@given(st.integers())
def test_right(x):
    assert x == x
@settings(derandomize=True, database=None)
@given(st.lists(st.integers()))
def test_sum(xs):
    note(f'{len(xs)} numbers')
    assert sum(xs) < 1000
@settings(derandomize=True, database=None)
@given(st.integers())
@example(7)
def test_example(x):
    assert x != 7
@settings(derandomize=True, database=None)
@given(st.data())
def test_data(data):
    assert data.draw(st.integers(0, 10)) <= data.draw(st.integers(0, 10))
",
        // Its summary looks at everything that the reporter has counted.
        &["--deselect=test_a.py::test_data"],
        "2 failed, 1 passed, 1 deselected",
    );
}

const HANGING: &str = "
--- test_a.py
import time, pytest
def test_quick():
    pass
def test_hangs():
    print('before')
    time.sleep(60)
def test_after():
    pass
@pytest.fixture
def slow():
    time.sleep(60)
def test_setup_hangs(slow):
    pass
";

#[test]
fn a_timeout_by_signal_fails_the_test() {
    same(
        HANGING,
        &["--timeout=1", "--timeout-method=signal"],
        "1 failed, 2 passed, 1 error",
    );
}

/// A C function that holds the interpreter's lock: neither an alarm nor a thread of Python gets a turn.
#[test]
fn what_a_timeout_does_not_reach_is_ended_from_outside() {
    let project = Project::new(
        "
--- test_a.py
import ctypes

def test_hangs():
    mutex = ctypes.create_string_buffer(256)
    c = ctypes.PyDLL(None)
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)

def test_after():
    pass
",
    );
    let run = Command::rpytest(plugins_venv(), &project)
        .args(["--timeout=1", "-n", "1"])
        .run();
    run.expect(1, "1 failed, 1 passed");
    run.shows(&[
        "Timeout (>1.0s) from pytest-timeout. It did not reach the test.",
        "in test_hangs",
    ]);
}

/// By thread, pytest-timeout ends the process.
#[test]
fn a_timeout_by_thread_ends_a_worker_and_not_the_run() {
    for way in &WAYS[1..] {
        let project = Project::new(HANGING);
        let run = Command::rpytest(plugins_venv(), &project)
            .args(way.arguments())
            .args(["--timeout=1", "--timeout-method=thread"])
            .run();
        run.expect(1, "2 failed, 2 passed");
        run.shows(&[
            "crashed while running 'test_a.py::test_hangs': exited with code 1",
            // What it would have written to the terminal is in the report.
            "+ Timeout +",
            "~ Captured stdout ~",
            "~ Stack of MainThread",
            "in test_hangs",
        ]);
    }
}
