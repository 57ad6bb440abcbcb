//! Timeouts: what takes too long is interrupted, or ended from outside, and the run goes on.

use rustix::process::Signal;

use crate::support::normal::{difference, normal};
use crate::support::python::{Venv, plain_venv, venv_of};
use crate::support::run::{eventually, processes_of};
use crate::support::{Command, Project, Run, WAYS, Way};

fn rpytest<'a>(project: &'a Project, way: Way, arguments: &[&str]) -> Command<'a> {
    Command::rpytest(plain_venv(), project)
        .args(way.arguments())
        .args(arguments)
}

fn genuine() -> Venv {
    venv_of("timeout", &["pytest==9.2.0", "pytest-timeout==2.4.0"])
}

#[track_caller]
fn nothing_is_left(project: &Project) {
    eventually("all processes of the run have ended", || {
        processes_of(project).is_empty()
    });
}

/// What an alarm can interrupt, in each phase; with what is the same in pytest-timeout.
const INTERRUPTED: &str = r#"
--- conftest.py
import time
import pytest

@pytest.fixture
def slow_to_come():
    time.sleep(60)

@pytest.fixture
def slow_to_go():
    yield
    time.sleep(60)

@pytest.fixture(scope="module")
def shared_and_slow_to_go():
    yield
    time.sleep(60)

@pytest.fixture
def a_while():
    time.sleep(1.2)
--- test_a.py
import time
import unittest
import pytest

def test_quick():
    pass

def test_call():
    print("before")
    time.sleep(60)

def test_setup(slow_to_come):
    pass

def test_teardown(slow_to_go):
    pass

@pytest.mark.timeout(0.6)
def test_marked():
    time.sleep(60)

@pytest.mark.timeout(0)
def test_without():
    time.sleep(1.2)

@pytest.mark.timeout(0.9, func_only=True)
def test_of_the_function(a_while):
    pass

@pytest.mark.timeout(timeout=0.5, func_only=True, method="signal")
def test_of_the_function_that_hangs(a_while):
    time.sleep(60)

@pytest.mark.xfail
def test_expected():
    time.sleep(60)

class TestIt(unittest.TestCase):
    def test(self):
        time.sleep(60)

    def test_quick(self):
        pass

def test_last(shared_and_slow_to_go):
    pass
"#;
const COUNTS: &str = "4 failed, 6 passed, 1 xfailed, 3 errors";

/// Apart from the name of who says so, and the plugin's line in the header.
fn anonymous(run: &Run, project: &Project) -> Run {
    let mut run = normal(run, project);
    let lines = run.stdout.lines();
    let lines = lines.filter(|line| !line.starts_with("plugins: "));
    let text: Vec<_> = lines
        .map(|line| line.replace("from pytest-timeout.", "from rpytest."))
        .collect();
    run.stdout = text.join("\n");
    run
}

#[test]
fn an_alarm_does_what_that_of_pytest_timeout_does() {
    let arguments = &["--timeout=0.9", "-rA"];
    let project = Project::new(INTERRUPTED);
    let run = Command::pytest(&genuine(), &project).args(arguments).run();
    run.expect(1, COUNTS);
    let expected = anonymous(&run, &project);
    for way in WAYS {
        let project = Project::new(INTERRUPTED);
        let run = rpytest(&project, way, arguments).run();
        let got = anonymous(&run, &project);
        assert_eq!(got.code, expected.code, "{way:?}\n{run}");
        assert!(
            got.stdout == expected.stdout,
            "{way:?}\n{}",
            difference(&expected.stdout, &got.stdout)
        );
        nothing_is_left(&project);
    }
}

/// With and without the short protocol a test's time is the same.
#[test]
fn without_short_cuts_it_is_the_same() {
    let project = Project::new(INTERRUPTED);
    let run = rpytest(&project, Way::InProcess, &["--timeout=0.9"])
        .env("RPYTEST_GENUINE", "1")
        .run();
    run.expect(1, COUNTS);
}

/// What no alarm can end.
const STUBBORN: &str = r#"
--- test_a.py
import ctypes
import subprocess
import time
import pytest

def ran(name):
    with open("ran", "a") as file:
        file.write(name + " ")

def test_before():
    ran("before")

def test_holds_the_lock():
    ran("lock")
    subprocess.Popen(["sleep", "600"])
    mutex = ctypes.create_string_buffer(256)
    c = ctypes.PyDLL(None)
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)

def test_between():
    ran("between")

def test_catches_everything():
    ran("catches")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass

@pytest.fixture
def hangs_at_its_end():
    yield
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass

def test_after(hangs_at_its_end):
    ran("after")
"#;

#[track_caller]
fn stubborn_tests_are_ended(project: &Project, run: &Run) {
    // The last one has passed, and its process was ended in what came after that.
    run.expect(1, "3 failed, 2 passed");
    run.shows(&[
        "Timeout (>0.5s) from rpytest.",
        "was killed while running 'test_a.py::test_holds_the_lock'",
        "in test_holds_the_lock",
        "was killed while running 'test_a.py::test_catches_everything'",
        "in test_catches_everything",
        "was killed while running 'test_a.py::test_after'",
        "in hangs_at_its_end",
        "FAILED test_a.py::test_holds_the_lock - Timeout (>0.5s) from rpytest.",
    ]);
    assert_eq!(
        project.words("ran"),
        ["after", "before", "between", "catches", "lock"],
        "\n{run}"
    );
    // Not even what a test has started.
    nothing_is_left(project);
}

#[test]
fn what_cannot_be_interrupted_is_ended_with_its_stacks() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        let project = Project::new(STUBBORN);
        let run = rpytest(&project, way, &["--timeout=0.5"]).run();
        stubborn_tests_are_ended(&project, &run);
    }
}

#[test]
fn isolated_tests_have_their_time_as_well() {
    let project = Project::new(STUBBORN);
    let arguments = ["--timeout=0.5", "--isolate=test"];
    let run = rpytest(&project, Way::TwoWorkers, &arguments).run();
    stubborn_tests_are_ended(&project, &run);
}

#[test]
fn the_method_thread_ends_the_process_at_once() {
    const THREADS: &str = r#"
--- test_a.py
import signal
import threading
import time
import pytest

def test_before():
    pass

def other_work():
    time.sleep(600)

@pytest.mark.timeout(0.5, method="thread")
def test_hangs():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    threading.Thread(target=other_work, daemon=True).start()
    time.sleep(600)

def test_after():
    pass
"#;
    for way in WAYS {
        let project = Project::new(THREADS);
        let run = rpytest(&project, way, &[]).run();
        run.expect(1, "1 failed, 2 passed");
        run.shows(&[
            "Timeout (>0.5s) from rpytest.",
            "in test_hangs",
            "in other_work",
        ]);
        nothing_is_left(&project);
    }
}

/// A daemon's collected session has no say in it.
#[test]
fn a_lent_process_is_ended_as_well() {
    const HANGS: &str = r#"
--- test_a.py
import time

def test_hangs():
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass

def test_after():
    pass
"#;
    let project = Project::new(HANGS);
    let run = || {
        Command::rpytest(plain_venv(), &project)
            .without("RPYTEST_NO_DAEMON")
            .args(["--timeout=0.5", "--explain"])
            .run()
    };
    for _ in 0..2 {
        let run = run();
        run.expect(1, "1 failed, 1 passed");
        run.shows(&["was killed while running", "in test_hangs"]);
    }
    eventually("a session that has collected is lent", || {
        let run = run();
        run.expect(1, "1 failed, 1 passed");
        run.stderr
            .contains("the daemon lent a session that had collected")
    });
    let stop = Command::rpytest(plain_venv(), &project)
        .args(["--daemon-stop"])
        .run();
    assert_eq!(stop.code, 0, "{stop}");
    nothing_is_left(&project);
}

/// Others' threads are in the captured output of a test that is interrupted.
#[test]
fn other_threads_are_shown() {
    let project = Project::new(
        r#"
--- test_a.py
import threading
import time

def other_work():
    time.sleep(600)

def test_hangs():
    threading.Thread(target=other_work, daemon=True, name="other").start()
    time.sleep(600)
"#,
    );
    let run = rpytest(&project, Way::OneWorker, &["--timeout=0.5"]).run();
    run.expect(1, "1 failed");
    run.shows(&["Captured stderr call", "Stack of other", "in other_work"]);
}

/// Neither an alarm nor a limit is for what is done around a test.
#[test]
fn what_others_do_around_a_test_is_none_of_its_time() {
    let around = r#"
--- conftest.py
import time
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    time.sleep(WAITS)
    result = yield
    time.sleep(WAITS)
    return result
--- test_a.py
def test_a(): pass
def test_b(): pass
"#;
    // Longer than the time and what an alarm has to be heeded in.
    let project = Project::new(&around.replace("WAITS", "2.8"));
    for way in [Way::InProcess, Way::OneWorker] {
        let run = rpytest(&project, way, &["--timeout=0.5"]).run();
        run.expect(0, "2 passed");
    }
}

/// Nor is a test to blame for whoever reads the output, and nobody would keep what is raised there.
#[test]
fn a_terminal_that_takes_its_time_is_waited_for() {
    const SLOW: &str = r#"
--- conftest.py
import time

class Slow:
    def __init__(self, file):
        self.file = file

    def write(self, text):
        # Within the last test, and after it.
        if text == "F" or "%" in text:
            time.sleep(3.5)
        return self.file.write(text)

    def __getattr__(self, name):
        return getattr(self.file, name)

def pytest_sessionstart(session):
    writer = session.config.pluginmanager.getplugin("terminalreporter")._tw
    writer._file = Slow(writer._file)
--- test_a.py
def test_passes(): pass
def test_fails(): assert 0
"#;
    let project = Project::new(SLOW);
    for genuine in ["", "1"] {
        let run = rpytest(&project, Way::InProcess, &["--timeout=0.5"])
            .env("RPYTEST_GENUINE", genuine)
            .run();
        run.expect(1, "1 failed, 1 passed");
        run.shows(&["FAILED test_a.py::test_fails - assert 0"]);
    }
}

#[test]
fn a_report_that_hangs_is_ended() {
    const HANGS: &str = r#"
--- conftest.py
import time
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.name == "test_hangs" and call.when == "call":
        while True:
            time.sleep(0.1)
    return report
--- test_a.py
def test_before(): pass
def test_hangs(): pass
def test_after(): pass
"#;
    for way in [Way::InProcess, Way::OneWorker] {
        let project = Project::new(HANGS);
        let run = rpytest(&project, way, &["--timeout=1"]).run();
        run.expect(1, "1 failed, 2 passed");
        run.shows(&[
            "FAILED test_a.py::test_hangs - Timeout (>1.0s) from rpytest.",
            "in pytest_runtest_makereport",
        ]);
        nothing_is_left(&project);
    }
}

/// It is the timeout that has ended the test, whatever the signal means to it by which stacks are asked for.
#[test]
fn a_request_that_kills_is_a_timeout() {
    let project = Project::new(
        r#"
--- test_a.py
import signal
import time

def test_hangs():
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass

def test_after(): pass
"#,
    );
    for way in [Way::InProcess, Way::OneWorker] {
        let run = rpytest(&project, way, &["--timeout=1"]).run();
        run.expect(1, "1 failed, 1 passed");
        run.shows(&[
            "FAILED test_a.py::test_hangs - Timeout (>1.0s) from rpytest.",
            "the request to do so has ended it",
        ]);
    }
}

// -------------------------------------------------------------------- who says how long

const QUICK: &str = "
--- test_a.py
def test_quick():
    pass
";

#[track_caller]
fn header(files: &str, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let project = Project::new(&format!("{QUICK}{files}"));
    let mut command = rpytest(&project, Way::InProcess, arguments);
    for (name, value) in environment {
        command = command.env(name, value);
    }
    let run = command.run();
    run.expect(0, "1 passed");
    let line = run
        .stdout
        .lines()
        .find(|line| line.starts_with("timeout: "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn an_option_counts_more_than_a_variable_and_that_more_than_a_file() {
    let ours = "--- pyproject.toml\n[tool.rpytest]\ntimeout = 30\n";
    let both = "--- pyproject.toml\n[tool.rpytest]\ntimeout = 30\n[tool.pytest.ini_options]\ntimeout = 20\n";
    let pytests = "--- pytest.ini\n[pytest]\ntimeout = 20\n";
    let variable = ("RPYTEST_TIMEOUT", "40");
    let pytests_variable = ("PYTEST_TIMEOUT", "10");
    for (files, environment, arguments, expected) in [
        ("", &[][..], &[][..], ""),
        (pytests, &[], &[], "timeout: 20.0s"),
        (pytests, &[pytests_variable], &[], "timeout: 10.0s"),
        (ours, &[], &[], "timeout: 30.0s"),
        (both, &[pytests_variable], &[], "timeout: 30.0s"),
        (both, &[variable], &[], "timeout: 40.0s"),
        (both, &[variable], &["--timeout=50"], "timeout: 50.0s"),
        (both, &[variable], &["--timeout", "0"], ""),
        (ours, &[("RPYTEST_TIMEOUT", "0")], &[], ""),
    ] {
        let found = header(files, environment, arguments);
        assert_eq!(found, expected, "{files} {environment:?} {arguments:?}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    for (files, environment, arguments, text) in [
        (
            "",
            None,
            &["--timeout=soon"][..],
            "--timeout is 'soon'; it must be a number of seconds, 0 for never",
        ),
        (
            "",
            None,
            &["--timeout=inf"],
            "--timeout is 'inf'; it must be at most 1000000000 seconds",
        ),
        (
            "",
            None,
            &["--timeout-method=hope"],
            "--timeout-method is 'hope'; it must be signal or thread",
        ),
        (
            "",
            Some(("PYTEST_TIMEOUT", "soon")),
            &[],
            "the variable PYTEST_TIMEOUT is 'soon'; it must be a number of seconds",
        ),
        (
            "",
            Some(("RPYTEST_TIMEOUT", "soon")),
            &[],
            "RPYTEST_TIMEOUT is \"soon\"; it must be a number of seconds",
        ),
        (
            "--- pytest.ini\n[pytest]\ntimeout_method = hope\n",
            None,
            &[],
            "pytest.ini: timeout_method is 'hope'; it must be signal or thread",
        ),
        (
            "--- pytest.ini\n[pytest]\ntimeout = soon\n",
            None,
            &[],
            "must be a number of seconds",
        ),
    ] {
        let project = Project::new(&format!("{QUICK}{files}"));
        let mut command = rpytest(&project, Way::InProcess, arguments);
        if let Some((name, value)) = environment {
            command = command.env(name, value);
        }
        let run = command.run();
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stderr.contains(text), "{text}\n{run}");
    }
}

#[test]
fn a_mark_that_cannot_be_meant_fails_its_test() {
    let project = Project::new(
        r#"
--- test_a.py
import pytest

@pytest.mark.timeout
def test_nothing(): pass

@pytest.mark.timeout("soon")
def test_text(): pass

@pytest.mark.timeout(float("inf"))
def test_endless(): pass

@pytest.mark.timeout(1, method="hope")
def test_method(): pass

@pytest.mark.timeout(1, seconds=2)
def test_keyword(): pass

@pytest.mark.timeout(1, timeout=2)
def test_twice(): pass

def test_good(): pass
"#,
    );
    for way in [Way::InProcess, Way::OneWorker] {
        let run = rpytest(&project, way, &["--strict-markers"]).run();
        run.expect(1, "1 passed, 6 errors");
        run.shows(&[
            "the mark `timeout` of test_a.py::test_nothing: it needs a number of seconds",
            "test_text: 'soon' is no number of seconds",
            "test_endless: inf is more seconds than can be",
            "test_method: method is 'hope'; it must be signal or thread",
            "test_keyword: it has no argument 'seconds'",
            "test_twice: timeout is given twice",
        ]);
    }
}

/// A project that has registered a mark of that name means what it says, not what we would.
#[test]
fn a_mark_of_the_projects_own_that_cannot_be_read_says_nothing() {
    let project = Project::new(
        r#"
--- pytest.ini
[pytest]
markers = timeout(how): of the server
--- test_a.py
import time
import pytest

@pytest.mark.timeout("short")
def test_text(): pass

@pytest.mark.timeout(how=3)
def test_keyword(): pass

@pytest.mark.timeout
def test_nothing(): time.sleep(60)
"#,
    );
    for way in [Way::InProcess, Way::OneWorker] {
        let run = rpytest(&project, way, &["--strict-markers", "--timeout=1"]).run();
        run.expect(1, "1 failed, 2 passed");
        run.shows(&["Timeout (>1.0s) from rpytest."]);
    }
}

/// A conftest may have an option of that name, as it may with pytest.
#[test]
fn an_option_of_the_users_stays_theirs() {
    let project = Project::new(
        r#"
--- conftest.py
def pytest_addoption(parser):
    parser.addoption("--timeout", default="never", help="of the server")
--- test_a.py
import time

def test_it(pytestconfig):
    with open("seen", "a") as file:
        file.write(pytestconfig.getoption("--timeout") + " ")
"#,
    );
    for (way, arguments) in [
        (Way::InProcess, &[][..]),
        (Way::OneWorker, &["--timeout", "soon"]),
    ] {
        let run = rpytest(&project, way, arguments).run();
        run.expect(0, "1 passed");
    }
    let seen = ["never", "soon"];
    assert_eq!(project.words("seen"), seen);
}

/// It ends no session.
#[test]
fn a_session_timeout_of_the_users_stays_theirs() {
    let project = Project::new(
        r#"
--- conftest.py
def pytest_addoption(parser):
    parser.addoption("--session-timeout", type=int, default=1, help="of the HTTP session")
--- test_a.py
import time
time.sleep(13)
def test_it(): pass
"#,
    );
    let run = rpytest(&project, Way::InProcess, &[]).run();
    run.expect(0, "1 passed");
}

// -------------------------------------------------------------------- sessions

#[test]
fn a_session_that_takes_too_long_starts_no_further_test() {
    const SLOW: &str = "
--- test_a.py
import pytest, time

@pytest.mark.parametrize('number', range(40))
def test_slow(number):
    time.sleep(0.25)
";
    let project = Project::new(SLOW);
    for way in [Way::InProcess, Way::OneWorker] {
        let run = rpytest(&project, way, &["--session-timeout=1"]).run();
        assert_eq!(run.code, 1, "{run}");
        run.shows(&["session timeout: 1.0s", "session-timeout: 1.0 sec exceeded"]);
    }
}

const HANGS_APART: &str = r#"
--- conftest.py
import os
import time
import pytest

def here(what):
    with open("here", "a") as file:
        file.write(what + " ")
    while True:
        time.sleep(0.01)

@pytest.fixture(scope="session", autouse=True)
def shared():
    yield
    if os.environ.get("HANGS") == "teardown":
        here("teardown")

def pytest_sessionfinish(session):
    is_runner = hasattr(session.config, "workerinput") or not session.config.option.numprocesses
    if os.environ.get("HANGS") == "finish" and is_runner:
        here("finish")
--- test_a.py
import os
from conftest import here

if os.environ.get("HANGS") == "collection":
    here("collection")

def test_it():
    pass
"#;

#[test]
fn an_interrupt_ends_what_hangs_apart_from_tests() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        for place in ["collection", "teardown", "finish"] {
            let project = Project::new(HANGS_APART);
            let mut running = rpytest(&project, way, &[]).env("HANGS", place).start();
            // Both workers end a session; one test is torn down in one of them, and one process collects.
            let count = match (way, place) {
                (Way::TwoWorkers, "finish") => 2,
                _ => 1,
            };
            running.until(place, || project.words("here").len() == count);
            running.signal(Signal::INT);
            let run = running.wait();
            assert_eq!(run.code, 2, "{way:?} {place}\n{run}");
            nothing_is_left(&project);
        }
    }
}

#[test]
fn a_session_has_its_time_where_no_test_runs() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        let project = Project::new(HANGS_APART);
        let run = rpytest(&project, way, &["--session-timeout=1"])
            .env("HANGS", "collection")
            .run();
        assert_eq!(run.code, 2, "{way:?}\n{run}");
        assert!(
            run.stderr
                .contains("session-timeout: 1.0 sec exceeded; interrupted"),
            "{way:?}\n{run}"
        );
        nothing_is_left(&project);
    }
}
