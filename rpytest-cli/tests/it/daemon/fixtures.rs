//! Fixtures that stay up between runs.

use std::fs;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::lifecycle::sockets;
use super::{Daemon, borrower, within};
use crate::support::normal::normal;
use crate::support::python::{Venv, main_venv, pytest_venv, venvs_of_older_pythons};
use crate::support::run::{eventually, processes_of};
use crate::support::screen::Screen;
use crate::support::{Command, Project, Run};

/// Each fixture notes when it comes and goes.
const SUITE: &str = "
--- pytest.ini
[pytest]
pythonpath = .
norecursedirs = out
--- app.py
NAME = 'app'
--- helper.py
def value():
    return 1
--- conftest.py
import pathlib
import threading
import pytest
import app

HERE = pathlib.Path(__file__).parent

def note(text):
    with open(HERE / 'out' / 'log', 'a') as log:
        log.write(text + '\\n')

class Server:
    def __init__(self):
        self.asked = 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.end.wait)
        self.thread.start()

@pytest.fixture(scope='session')
def server():
    note('server+')
    server = Server()
    yield server
    server.end.set()
    server.thread.join()
    note('server-')

@pytest.fixture(scope='session')
def client(server, request):
    note('client+')
    request.addfinalizer(lambda: note('client-'))
    return [server]

@pytest.fixture(scope='module')
def narrow(client):
    note('narrow+')
    yield
    note('narrow-')

--- out/log
--- test_a.py
import conftest
from helper import value

STATE = []

def test_first(server, client, narrow):
    STATE.append(1)
    server.asked += 1
    print('asked', server.asked)
    assert STATE == [1]
    assert server.thread.is_alive()
    assert isinstance(server, conftest.Server)
    assert client[0] is server
    assert value() == 1

def test_second(server):
    assert STATE == [1]
";

const ONCE: &[&str] = &["server+", "client+", "narrow+", "narrow-"];
const AGAIN: &[&str] = &["narrow+", "narrow-"];
const DOWN: &[&str] = &["client-", "server-"];

/// What the fixtures have noted, and forgets it.
fn log(project: &Project) -> Vec<String> {
    let lines = lines(project);
    fs::write(project.root().join("out/log"), "").expect("written");
    lines
}

fn lines(project: &Project) -> Vec<String> {
    let text = project.read("out/log");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn reuses(project: &Project, arguments: &[&str]) -> Run {
    reuses_with(main_venv(), project, arguments)
}

fn reuses_with(venv: &Venv, project: &Project, arguments: &[&str]) -> Run {
    project.settle();
    borrower(venv, project)
        .args(["--reuse-fixtures", "--explain"])
        .args(arguments)
        .run()
}

/// What `--session-status --json` prints.
fn status(project: &Project) -> Value {
    let run = Command::rpytest(main_venv(), project)
        .output("status")
        .args(["--session-status", "--json"])
        .run();
    assert_eq!(run.code, 0, "{run}");
    serde_json::from_str(&run.stdout).expect("JSON")
}

fn up(project: &Project) -> Vec<String> {
    let status = status(project);
    let fixtures = status["session"]["fixtures"].as_array();
    fixtures
        .into_iter()
        .flatten()
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn stop(project: &Project) -> Run {
    Command::rpytest(main_venv(), project)
        .output("stop")
        .args(["--daemon-stop"])
        .run()
}

/// Waits until what is up is torn down.
fn nothing_is_up(project: &Project) {
    within("the fixtures are torn down", || {
        status(project)["session"].is_null()
    });
}

#[test]
fn they_stay_up_until_the_daemon_stops() {
    let project = Project::new(SUITE);
    let pytest = normal(
        &Command::pytest(main_venv(), &project).args(["-rP"]).run(),
        &project,
    );
    pytest.expect(0, "2 passed");
    let all = [ONCE, DOWN].concat();
    assert_eq!(log(&project), all);
    for turn in 1..=4 {
        let run = normal(&reuses(&project, &["-rP"]), &project);
        let asked = format!("asked {turn}");
        assert_eq!(
            run.stdout.replace(&asked, "asked 1"),
            pytest.stdout,
            "{run}"
        );
        assert_eq!(log(&project), if turn == 1 { ONCE } else { AGAIN });
        let note = format!(
            "the daemon lent a process that keeps fixtures{}",
            if turn == 1 { "" } else { ": 2 were up" }
        );
        assert!(run.stderr.contains(&note), "{run}");
        assert!(
            run.stderr
                .contains("2 tests were run by the short protocol"),
            "{run}"
        );
    }
    // The command may end before the daemon has heard that the run has.
    within("it is idle again", || {
        status(&project)["session"]["state"] == "idle"
    });
    let status = status(&project);
    let session = &status["session"];
    assert_eq!(session["runs"], 4, "{status}");
    assert_eq!(session["max_age_seconds"], 600, "{status}");
    assert_eq!(up(&project), ["server", "client"]);
    assert_eq!(session["fixtures"][0]["scope"], "session", "{status}");
    let text = borrower(main_venv(), &project)
        .args(["--session-status"])
        .run();
    text.shows(&["idle", "4 runs", "for 600 s at most", "server (session)"]);
    let stopped = stop(&project);
    assert_eq!((stopped.code, &*stopped.stderr), (0, ""), "{stopped}");
    assert_eq!(log(&project), DOWN);
    eventually("nothing is left", || processes_of(&project).is_empty());
    let none = borrower(main_venv(), &project)
        .args(["--session-status"])
        .run();
    assert_eq!(none.code, 1, "{none}");
}

#[test]
fn with_each_pytest_and_python() {
    let mut venvs: Vec<_> = ["8.0.2", "8.4.2", "9.0.3"].map(pytest_venv).into();
    venvs.extend(venvs_of_older_pythons());
    for venv in venvs {
        let name = venv.root().display();
        let project = Project::new(SUITE);
        for turn in 1..=3 {
            let run = reuses_with(&venv, &project, &["-rP"]);
            run.expect(0, "2 passed");
            run.shows(&[&format!("asked {turn}")]);
            let expected = if turn == 1 { ONCE } else { AGAIN };
            assert_eq!(log(&project), expected, "{name}");
        }
        let stopped = Command::rpytest(&venv, &project)
            .args(["--daemon-stop"])
            .run();
        assert_eq!(stopped.code, 0, "{stopped}");
        assert_eq!(log(&project), DOWN, "{name}");
    }
}

#[test]
fn what_they_depend_on_tears_them_down_and_nothing_else_does() {
    let project = Project::new(SUITE);
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    // None of theirs.
    project.write("\n--- helper.py\ndef value():\n    return 1 + 1\n");
    let run = reuses(&project, &["-q"]);
    run.expect(1, "1 failed, 1 passed");
    assert_eq!(log(&project), AGAIN);
    project.write("\n--- helper.py\ndef value():\n    return 10 - 9\n--- test_b.py\ndef test_b(server):\n    pass\n");
    reuses(&project, &["-q"]).expect(0, "3 passed");
    assert_eq!(log(&project), AGAIN);
    reuses(&project, &["-q", "test_b.py"]).expect(0, "1 passed");
    assert_eq!(log(&project), Vec::<String>::new());
    project.write("\n--- test_b.py\ndef test_b(:\n");
    let run = reuses(&project, &["-q"]);
    run.expect(2, "1 error");
    project.write("\n--- test_b.py\ndef test_b(server):\n    assert server\n");
    log(&project);
    reuses(&project, &["-q"]).expect(0, "3 passed");
    let before = log(&project);
    assert_eq!(before[before.len() - AGAIN.len()..], *AGAIN);
    // What their module imports.
    project.write("\n--- app.py\nNAME = 'another'\n");
    reuses(&project, &["-q"]).expect(0, "3 passed");
    assert_eq!(log(&project), [DOWN, ONCE].concat());
    // Their own code, which is seen without a run, too.
    let conftest = project
        .read("conftest.py")
        .replace("note('server+')", "note('another+')");
    project.write(&format!("\n--- conftest.py\n{conftest}\n"));
    nothing_is_up(&project);
    assert_eq!(log(&project), DOWN);
    let last = status(&project)["last_released"].to_string();
    assert!(last.contains("conftest.py` has changed"), "{last}");
    reuses(&project, &["-q"]).expect(0, "3 passed");
    assert_eq!(log(&project)[0], "another+");
    // The configuration.
    project.write("\n--- pytest.ini\n[pytest]\npythonpath = .\nnorecursedirs = out x\n");
    reuses(&project, &["-q"]).expect(0, "3 passed");
    assert_eq!(log(&project)[..3], ["client-", "server-", "another+"]);
    // The environment.
    let other = borrower(main_venv(), &project)
        .env("WORD", "x")
        .args(["--reuse-fixtures", "-q"])
        .run();
    other.expect(0, "3 passed");
    assert_eq!(log(&project)[..3], ["client-", "server-", "another+"]);
    stop(&project);
}

#[test]
fn files_that_they_read_count() {
    let project = Project::new(
        "
--- conftest.py
import json, pathlib, pytest
HERE = pathlib.Path(__file__).parent
NAMES = (HERE / 'names.txt').read_text().split()

@pytest.fixture(scope='session')
def data():
    with open(HERE / 'log', 'a') as log:
        log.write('up\\n')
    return json.loads((HERE / 'data.json').read_text()), sorted(p.name for p in (HERE / 'files').iterdir())
--- names.txt
a b
--- data.json
1
--- files/one
--- other.txt
x
--- log
--- test_a.py
from conftest import NAMES, HERE
def test_a(data):
    (HERE / 'other.txt').read_text()
    print(data, NAMES)
",
    );
    let shown = |expected: &str| {
        let run = reuses(&project, &["-rP"]);
        run.expect(0, "1 passed");
        run.shows(&[expected]);
        project
            .read("log")
            .lines()
            .filter(|line| !line.is_empty())
            .count()
    };
    assert_eq!(shown("(1, ['one']) ['a', 'b']"), 1);
    assert_eq!(shown("(1, ['one']) ['a', 'b']"), 1);
    project.write("\n--- other.txt\nyyy\n");
    assert_eq!(shown("(1, ['one']) ['a', 'b']"), 1);
    project.write("\n--- data.json\n22\n");
    assert_eq!(shown("(22, ['one']) ['a', 'b']"), 2);
    project.write("\n--- files/two\n");
    assert_eq!(shown("(22, ['one', 'two']) ['a', 'b']"), 3);
    project.write("\n--- names.txt\na b c\n");
    assert_eq!(shown("(22, ['one', 'two']) ['a', 'b', 'c']"), 4);
    stop(&project);
}

#[test]
fn options_that_may_matter_begin_anew() {
    let project = Project::new(SUITE);
    let conftest = project.read("conftest.py");
    project.write(&format!(
        "
--- conftest.py
{conftest}
def pytest_addoption(parser):
    parser.addoption('--kind', default='plain')
"
    ));
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    // These choose tests, and how they are shown.
    for arguments in [
        &["-v", "-k", "first"][..],
        &["--lf", "-x", "--tb=short"],
        &["-rA", "--durations=2", "test_a.py::test_first"],
    ] {
        let run = reuses(&project, arguments);
        assert_eq!(run.code, 0, "{run}");
        assert_eq!(log(&project), AGAIN, "{arguments:?}: {run}");
    }
    let run = reuses(&project, &["-q", "--kind=other"]);
    run.expect(0, "2 passed");
    let why = "the kept fixtures were set up with another 'kind'; the run begins again";
    assert!(run.stderr.contains(why), "{run}");
    assert_eq!(log(&project), [DOWN, ONCE, DOWN].concat());
    // In workers, by a way that the command cannot see.
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    let run = borrower(main_venv(), &project)
        .env("PYTEST_ADDOPTS", "-n2")
        .args(["--reuse-fixtures", "-q", "-k", "first"])
        .run();
    run.expect(0, "1 passed, 1 deselected");
    assert!(
        run.stderr.contains("for runs without workers only"),
        "{run}"
    );
    log(&project);
    let run = reuses(&project, &["-q", "--setup-show"]);
    run.shows(&["TEARDOWN S server"]);
    assert_eq!(log(&project), [ONCE, DOWN].concat());
    // A run that does not reuse any has none in its way.
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    let plain = borrower(main_venv(), &project).args(["-q"]).run();
    plain.expect(0, "2 passed");
    assert_eq!(log(&project), [DOWN, ONCE, DOWN].concat());
    stop(&project);
}

#[test]
fn a_module_that_cannot_be_imported_twice_begins_anew() {
    let project = Project::new(SUITE);
    project.write(
        "
--- app.py
NAMES = set()
def register(name):
    assert name not in NAMES
    NAMES.add(name)
--- test_b.py
import app
app.register('b')
def test_b(server):
    pass
",
    );
    for turn in 0..3 {
        let run = reuses(&project, &["-q"]);
        run.expect(0, "3 passed");
        let why = "the collection failed where fixtures were kept; the run begins again";
        assert_eq!(run.stderr.contains(why), turn == 1, "{turn}: {run}");
    }
    stop(&project);
}

#[test]
fn parameters_and_packages() {
    let project = Project::new(
        "
--- out/log
--- pytest.ini
[pytest]
norecursedirs = out
--- noting.py
import pathlib
def note(text):
    with open(pathlib.Path(__file__).parent / 'out' / 'log', 'a') as log:
        log.write(text + '\\n')
--- conftest.py
import pytest
from noting import note

@pytest.fixture(scope='session', params=['x', 'y'])
def kind(request):
    note('kind+' + request.param)
    yield request.param
    note('kind-' + request.param)

@pytest.fixture(scope='session')
def made(kind):
    note('made+' + kind)
    yield kind
    note('made-' + kind)

@pytest.fixture(scope='session')
def fails():
    note('fails+')
    assert 0
--- first/__init__.py
--- first/conftest.py
import pytest
from noting import note

@pytest.fixture(scope='package')
def package():
    note('package+')
    yield 1
    note('package-')
--- first/test_a.py
def test_a(package):
    pass
--- second/__init__.py
--- second/test_b.py
def test_b(made, kind):
    assert made == kind
def test_fails(fails):
    pass
",
    );
    let arguments = ["-q", "-p", "no:cacheprovider"];
    let up_first = [
        "package+", "kind+x", "made+x", "made-x", "kind-x", "kind+y", "made+y", "fails+",
    ];
    reuses(&project, &arguments).expect(1, "3 passed, 1 error");
    assert_eq!(log(&project), up_first);
    let status = status(&project);
    assert_eq!(up(&project), ["package", "kind", "made"], "{status}");
    // With the other parameter first, as in a new process; then the last one stays.
    let again = [
        "made-y", "kind-y", "kind+x", "made+x", "made-x", "kind-x", "kind+y", "made+y", "fails+",
    ];
    reuses(&project, &arguments).expect(1, "3 passed, 1 error");
    assert_eq!(log(&project), again);
    // Nobody asks for them.
    reuses(&project, &["-q", "-p", "no:cacheprovider", "first"]).expect(0, "1 passed");
    assert_eq!(log(&project), Vec::<String>::new());
    assert_eq!(up(&project), ["package", "kind", "made"]);
    stop(&project);
    assert_eq!(log(&project), ["made-y", "kind-y", "package-"]);
}

#[test]
fn they_are_torn_down_by_age_and_by_the_end_of_the_daemon() {
    let project = Project::new(SUITE);
    reuses(&project, &["-q", "--fixture-max-age=1"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    nothing_is_up(&project);
    assert_eq!(log(&project), DOWN);
    let last = status(&project)["last_released"].to_string();
    assert!(last.contains("was older than 1 s"), "{last}");
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), ONCE);
    Daemon::that_a_run_started(&project).kill();
    eventually("the fixtures are torn down", || lines(&project) == DOWN);
    eventually("nothing is left", || processes_of(&project).is_empty());
    log(&project);
    // By idleness.
    let daemon = Command::rpytest(main_venv(), &project)
        .output("daemon")
        .args(["--daemon", "--daemon-idle-timeout", "4"])
        .start();
    let listens = || !sockets(&project).is_empty();
    within("it listens", listens);
    let run = reuses(&project, &["-q"]);
    run.expect(0, "2 passed");
    assert_eq!(daemon.wait().code, 0);
    assert_eq!(log(&project), [ONCE, DOWN].concat());
}

#[test]
fn a_teardown_that_fails_is_told_of() {
    let project = Project::new(
        "
--- conftest.py
import pytest

@pytest.fixture(scope='session')
def good():
    yield
    open('good', 'w').close()

@pytest.fixture(scope='session')
def bad(good):
    yield
    raise OSError('the disk is full')
--- test_a.py
def test_a(bad):
    pass
",
    );
    let told = |text: &str| {
        text.contains("the teardown of a reused fixture failed: fixture 'bad'")
            && text.contains("conftest.py:11")
            && text.contains("OSError: the disk is full")
    };
    reuses(&project, &["-q"]).expect(0, "1 passed");
    let stopped = stop(&project);
    assert!(told(&stopped.stderr), "{stopped}");
    assert!(project.root().join("good").exists());
    // By the run that has it torn down.
    reuses(&project, &["-q"]).expect(0, "1 passed");
    project.write("\n--- pytest.ini\n[pytest]\n");
    let run = reuses(&project, &["-q"]);
    assert!(told(&run.stderr), "{run}");
    let run = reuses(&project, &["-q"]);
    assert!(!told(&run.stderr), "{run}");
    // By the next daemon.
    let daemon = Daemon::that_a_run_started(&project);
    kill_process(daemon.pid(), Signal::TERM).expect("it runs");
    eventually("nothing is left", || processes_of(&project).is_empty());
    let run = reuses(&project, &["-q"]);
    assert!(told(&run.stderr), "{run}");
    stop(&project);
}

#[test]
fn a_run_that_ends_badly_loses_nothing() {
    let project = Project::new(SUITE);
    let conftest = project.read("conftest.py");
    project.write(&format!(
        "
--- conftest.py
{conftest}
--- test_b.py
import os, time
from pathlib import Path
def test_before(server):
    pass
def test_b(server):
    what = Path('out/what').read_text().strip() if Path('out/what').exists() else ''
    if what == 'crash':
        os._exit(7)
    if what == 'wait':
        Path('out/waits').touch()
        while True:
            time.sleep(0.01)
def test_after(server):
    pass
"
    ));
    reuses(&project, &["-q"]).expect(0, "5 passed");
    log(&project);
    // An interrupt leaves them up.
    project.write("\n--- out/what\nwait\n");
    let running = borrower(main_venv(), &project)
        .args(["--reuse-fixtures", "-q"])
        .start();
    let signs = project.root().join("out/waits");
    eventually("the test waits", || signs.exists());
    // Another one has to do without.
    let other = borrower(main_venv(), &project)
        .output("other")
        .args(["--reuse-fixtures", "--explain", "-q", "test_a.py"])
        .run();
    other.expect(0, "2 passed");
    let why = "another run has the process that keeps fixtures";
    assert!(other.stderr.contains(why), "{other}");
    assert_eq!(log(&project)[2..], [ONCE, DOWN].concat());
    running.signal(Signal::INT);
    let interrupted = running.wait();
    assert_eq!(interrupted.code, 2, "{interrupted}");
    interrupted.shows(&["KeyboardInterrupt"]);
    project.write("\n--- out/what\n\n");
    reuses(&project, &["-q"]).expect(0, "5 passed");
    assert_eq!(log(&project), AGAIN);
    // A crash takes them along, and is told of as ever.
    project.write("\n--- out/what\ncrash\n");
    let crashed = reuses(&project, &["-q"]);
    crashed.expect(1, "1 failed, 4 passed");
    crashed.shows(&["FAILED test_b.py::test_b", "crashed"]);
    project.write("\n--- out/what\n\n");
    log(&project);
    reuses(&project, &["-q"]).expect(0, "5 passed");
    assert_eq!(log(&project), ONCE);
    stop(&project);
}

#[test]
fn the_daemons_end_does_not_touch_a_run() {
    for by_command in [true, false] {
        let project = Project::new(SUITE);
        project.write(
            "
--- test_b.py
import time
from pathlib import Path
def test_b(server):
    Path('out/waits').touch()
    while Path('out/waits').exists():
        time.sleep(0.01)
",
        );
        let running = borrower(main_venv(), &project)
            .args(["--reuse-fixtures", "-q"])
            .start();
        let sign = project.root().join("out/waits");
        eventually("the test waits", || sign.exists());
        match by_command {
            true => assert_eq!(stop(&project).code, 0),
            false => Daemon::that_a_run_started(&project).kill(),
        }
        fs::remove_file(&sign).expect("it is there");
        let run = running.wait();
        run.expect(0, "3 passed");
        assert_eq!(run.stderr, "");
        eventually("nothing is left", || processes_of(&project).is_empty());
        assert_eq!(log(&project), [ONCE, DOWN].concat());
    }
}

#[test]
fn errors_read_as_pytests() {
    let project = Project::new(SUITE);
    reuses(&project, &["-q"]).expect(0, "2 passed");
    for arguments in [
        &["--no-such-option"][..],
        &["nowhere"],
        &["-k", "first and"],
    ] {
        let pytest = Command::pytest(main_venv(), &project).args(arguments).run();
        let pytest = normal(&pytest, &project);
        let run = borrower(main_venv(), &project)
            .args(["--reuse-fixtures"])
            .args(arguments)
            .run();
        let run = normal(&run, &project);
        assert_eq!(
            (run.code, &run.stdout, &run.stderr),
            (pytest.code, &pytest.stdout, &pytest.stderr)
        );
    }
    log(&project);
    reuses(&project, &["-q"]).expect(0, "2 passed");
    assert_eq!(log(&project), AGAIN);
    stop(&project);
}

#[test]
fn the_terminal_is_each_runs_own() {
    let project = Project::new(SUITE);
    project.write(
        "
--- test_a.py
import os, shutil
def test_terminal(server):
    print(shutil.get_terminal_size().columns, [os.isatty(fd) for fd in range(3)], os.environ.get('COLUMNS'))
",
    );
    reuses(&project, &["-q", "-s"]).shows(&["100 [False, False, False] 100"]);
    for columns in [70, 110] {
        let screen = Screen::new(columns);
        let run = borrower(main_venv(), &project)
            .without("COLUMNS")
            .args(["--reuse-fixtures", "-q", "-s"])
            .on_terminal(&screen.terminal)
            .wait();
        assert_eq!(run.code, 0, "{run}");
        let expected = format!("{columns} [True, True, True] None");
        eventually("it is shown", || screen.text().contains(&expected));
    }
    assert_eq!(log(&project), ["server+"]);
    // Nothing of the terminal, or of the pipe, stays open.
    let piped = "unset RPYTEST_NO_DAEMON; \"$rpytest\" --reuse-fixtures -q | cat";
    for expected in [&["server-", "server+"][..], &[]] {
        let run = Command::shell(main_venv(), &project, piped).run();
        run.expect(0, "1 passed");
        assert_eq!(log(&project), expected);
    }
    stop(&project);
}

#[test]
fn many_runs_take_nothing_along() {
    let project = Project::new(SUITE);
    let descriptors = || {
        let pid = status(&project)["session"]["pid"].as_u64().expect("a pid");
        let open = fs::read_dir(format!("/proc/{pid}/fd"));
        open.map(Iterator::count).unwrap_or_default()
    };
    reuses(&project, &["-q"]).expect(0, "2 passed");
    reuses(&project, &["-q"]).expect(0, "2 passed");
    let before = descriptors();
    for _ in 0..20 {
        reuses(&project, &["-q"]).expect(0, "2 passed");
    }
    within("none is left open", || descriptors() <= before);
    stop(&project);
}

#[test]
fn what_they_write_is_captured_by_each_run() {
    let project = Project::new(
        "
--- conftest.py
import logging
import sys
import pytest

@pytest.fixture(scope='session')
def talks():
    handler = logging.StreamHandler()
    logger = logging.getLogger('talks')
    logger.addHandler(handler)
    logger.propagate = False
    out = sys.stdout
    def talk(text):
        logger.warning('err ' + text)
        print('out ' + text, file=out)
    yield talk
    logger.removeHandler(handler)
--- test_a.py
import os
def test_a(talks):
    talks(os.environ['PYTEST_CURRENT_TEST'])
def test_b(talks):
    pass
",
    );
    for arguments in [
        &["-rP"][..],
        &["-rP"],
        &["-s", "-q"],
        &["-rP", "-q"],
        &["-rP", "--capture=tee-sys"],
        &["-rP"],
    ] {
        let pytest = Command::pytest(main_venv(), &project).args(arguments).run();
        let pytest = normal(&pytest, &project);
        let run = normal(&reuses(&project, arguments), &project);
        assert_eq!(run.stdout, pytest.stdout, "{arguments:?}");
        let words = |text: &str| text.lines().filter(|line| line.starts_with("err ")).count();
        assert_eq!(words(&run.stderr), words(&pytest.stderr), "{run}");
    }
    stop(&project);
}

/// The process goes on after a run, so that what that has left is not taken out of the collector's sight.
#[test]
fn garbage_of_a_run_is_found_in_the_next() {
    let project = Project::new(
        "
--- conftest.py
import pytest
@pytest.fixture(scope='session')
def kept():
    yield []
--- out/frozen
--- test_a.py
import gc
def test_counts(kept):
    with open('out/frozen', 'a') as file:
        file.write(f'{gc.get_freeze_count()} ')
",
    );
    for _ in 0..3 {
        reuses(&project, &["-q"]).expect(0, "1 passed");
    }
    let numbers = project.words("out/frozen");
    assert_eq!(numbers.len(), 3);
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "{numbers:?}"
    );
    stop(&project);
}
