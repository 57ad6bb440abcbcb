//! Interrupts, and other signals that end a run from outside.

use rustix::process::Signal;

use super::{nothing_is_left, start};
use crate::support::python::main_venv;
use crate::support::run::{Running, processes_of};
use crate::support::{Command, Project, Run, WAYS, Way};

/// Tests that say when they run, and then wait for what comes.
///
/// Python drops an interrupt that strikes while an open file is thrown away, and one that comes right before a system
/// call strikes after it. So whoever waits for one closes what it writes, and sleeps for a moment at a time.
const WAITS: &str = "
--- conftest.py
import os
import pytest

@pytest.fixture
def torn_down():
    yield
    with open('torn_down', 'a') as file:
        file.write('test ')

@pytest.fixture(scope='session', autouse=True)
def session_wide(request):
    yield
    with open('torn_down', 'a') as file:
        file.write('session ')
--- test_waits.py
import time
import pytest

def test_fails():
    assert 0

@pytest.mark.parametrize('number', range(4))
def test_waits(number, torn_down):
    with open('waiting', 'a') as file:
        file.write(f'{number} ')
    while True:
        time.sleep(0.01)
";

/// Starts it, and waits until as many tests wait as can, and the session has begun to report.
fn start_waiting(project: &Project, way: Way) -> Running {
    let mut running = start(project, way, &["-v"]);
    let count = if way == Way::TwoWorkers { 2 } else { 1 };
    running.until("tests wait", || project.words("waiting").len() >= count);
    running.until_it_shows("test_fails FAILED");
    running
}

#[track_caller]
fn ended_in_order(way: Way, project: &Project, run: &Run) {
    let count = if way == Way::TwoWorkers { 2 } else { 1 };
    assert_eq!(run.code, 2, "{way:?}\n{run}");
    run.shows(&[
        "KeyboardInterrupt",
        "1 failed in",
        "test_fails FAILED",
        "= FAILURES =",
    ]);
    assert_eq!(
        run.stdout.matches("! KeyboardInterrupt !").count(),
        1,
        "{way:?}\n{run}"
    );
    let torn_down = project.words("torn_down");
    let of = |name: &str| torn_down.iter().filter(|word| *word == name).count();
    assert_eq!(
        (of("test"), of("session")),
        (count, count),
        "{way:?}: {torn_down:?}\n{run}"
    );
    assert_eq!(
        project.words("waiting").len(),
        count,
        "no further test was started: {run}"
    );
    nothing_is_left(project);
}

#[test]
fn interrupt_of_the_process_group() {
    for way in WAYS {
        let project = Project::new(WAITS);
        let running = start_waiting(&project, way);
        running.signal_group(Signal::INT);
        ended_in_order(way, &project, &running.wait());
    }
}

#[test]
fn interrupt_of_the_command_alone() {
    for way in WAYS {
        let project = Project::new(WAITS);
        let running = start_waiting(&project, way);
        running.signal(Signal::INT);
        ended_in_order(way, &project, &running.wait());
    }
}

/// A process can be told of an interrupt before it has come to itself.
#[test]
fn an_interrupt_reaches_a_worker_that_is_being_forked() {
    let project = Project::new(
        "--- conftest.py
import os
import time

def in_a_fork():
    with open('forks', 'a') as file:
        file.write('one ')
    with open('forks') as file:
        if len(file.read().split()) == 2:
            time.sleep(1)

os.register_at_fork(after_in_child=in_a_fork)
--- test_both.py
import time
import pytest

@pytest.mark.parametrize('number', range(4))
def test_waits(number):
    with open('waiting', 'a') as file:
        file.write(f'{number} ')
    while True:
        time.sleep(0.01)
",
    );
    let mut running = Command::rpytest(main_venv(), &project)
        .args(["-n2"])
        .start();
    running.until("one waits, and the other is being forked", || {
        !project.words("waiting").is_empty() && project.words("forks").len() == 2
    });
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, 2, "{run}");
    run.shows(&["KeyboardInterrupt", "no tests ran"]);
    nothing_is_left(&project);
}

/// Whoever collects may have something to undo.
#[test]
fn an_interrupt_ends_workers_that_collect_as_it_ends_pytest() {
    let project = Project::new(
        "--- conftest.py
import os

# No worker is forked from a process that has done that.
open('effect', 'w').close()

def note(what):
    with open(what, 'a') as file:
        file.write(os.environ.get('PYTEST_XDIST_WORKER', 'controller') + ' ')

def pytest_configure():
    note('configured')

def pytest_unconfigure():
    note('unconfigured')
--- test_a.py
import os
import time

if os.environ.get('PYTEST_XDIST_WORKER') == 'gw1':
    open('collects', 'w').close()
    while True:
        time.sleep(0.01)

def test_a():
    pass
",
    );
    let mut running = Command::rpytest(main_venv(), &project)
        .args(["-n2"])
        .start();
    running.until("one collects", || project.root().join("collects").exists());
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, 2, "{run}");
    run.shows(&["KeyboardInterrupt"]);
    let all = ["controller", "gw0", "gw1"];
    assert_eq!(project.words("configured"), all, "{run}");
    assert_eq!(project.words("unconfigured"), all, "{run}");
    nothing_is_left(&project);
}

/// The same of the session's own process, of which the command knows as soon as it exists.
#[test]
fn an_interrupt_reaches_a_session_that_is_being_forked() {
    for whom in ["alone", "group"] {
        let project = Project::new(
            "--- sitecustomize.py
import os
import time

def in_a_fork():
    with open('forks', 'a') as file:
        file.write('one ')
    time.sleep(1)

if 'SLOW_FORKS' in os.environ:
    os.register_at_fork(after_in_child=in_a_fork)
--- test_one.py
import time

def test_waits():
    while True:
        time.sleep(0.01)
",
        );
        let path = project.root().display().to_string();
        let mut running = Command::rpytest(main_venv(), &project)
            .env("PYTHONPATH", &path)
            .env("SLOW_FORKS", "1")
            .start();
        running.until("it is being forked", || !project.words("forks").is_empty());
        match whom {
            "alone" => running.signal(Signal::INT),
            _ => running.signal_group(Signal::INT),
        }
        let run = running.wait();
        assert_eq!(run.code, 2, "{whom} {run}");
        assert_eq!(run.stderr, "rpytest: interrupted\n", "{whom} {run}");
        nothing_is_left(&project);
    }
}

/// While plugins are configured pytest's reporter is not there yet, and pytest says nothing at all.
#[test]
fn an_interrupt_while_plugins_are_configured_is_told() {
    let files = "--- conftest.py
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_configure():
    raise KeyboardInterrupt
--- test_one.py
def test_one():
    pass
";
    for way in WAYS {
        for (arguments, said) in [
            (&[][..], "rpytest: interrupted\n"),
            (&["-p", "no:terminal"], ""),
        ] {
            let run = start(&Project::new(files), way, arguments).wait();
            assert_eq!(run.code, 2, "{way:?} {run}");
            assert_eq!((&*run.stdout, &*run.stderr), ("", said), "{way:?} {run}");
        }
    }
}

/// While interpreters start they take no notice, even where something runs threads in them, and none is forked.
#[test]
fn an_interrupt_while_interpreters_start_ends_the_run() {
    for threads in ["0", "1"] {
        for whom in ["alone", "group"] {
            let project = Project::new(
                "--- sitecustomize.py
import os
import sys
import threading
import time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == 'pytest':
            sys.meta_path.remove(self)
            open('starts', 'w').close()
            end = time.monotonic() + 1
            while time.monotonic() < end:
                time.sleep(0.01)

if 'THREADS' in os.environ:
    for _ in range(int(os.environ['THREADS'])):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    sys.meta_path.insert(0, Slow())
--- test_a.py
def test_a():
    pass
",
            );
            let path = project.root().display().to_string();
            let mut running = Command::rpytest(main_venv(), &project)
                .env("PYTHONPATH", &path)
                .env("THREADS", threads)
                .start();
            running.until("one starts", || project.root().join("starts").exists());
            match whom {
                "alone" => running.signal(Signal::INT),
                _ => running.signal_group(Signal::INT),
            }
            let run = running.wait();
            assert_eq!(run.code, 2, "{threads} {whom} {run}");
            // Where pytest has begun to configure by then, it shows where it was.
            let said = ["rpytest: interrupted\n", "KeyboardInterrupt\n"];
            let is_said = said.iter().any(|said| run.stderr.ends_with(said));
            assert!(is_said, "{threads} {whom} {run}");
            assert!(!run.stderr.contains("error:"), "{threads} {whom} {run}");
            assert_eq!(run.stdout, "", "{threads} {whom} {run}");
            nothing_is_left(&project);
        }
    }
}

/// A script puts its commands into the background with SIGINT ignored, and so it stays.
#[test]
fn interrupt_of_a_command_that_ignores_it() {
    let project = Project::new(
        "--- test_background.py
import os
import signal

def test_how_it_is_handled():
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

def test_interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(int(open('command').read()), signal.SIGINT)
",
    );
    for arguments in [&[][..], &["-n1"]] {
        let script = r#"trap '' INT; echo $$ >command; exec "$rpytest" -q "$@""#;
        for _ in 0..2 {
            let run = Command::shell(main_venv(), &project, script)
                .without("RPYTEST_NO_DAEMON")
                .args(["sh"])
                .args(arguments.iter().copied())
                .run();
            assert_eq!(run.code, 0, "{run}");
            run.shows(&["2 passed in"]);
        }
    }
}

#[test]
fn second_interrupt_ends_at_once() {
    for way in WAYS {
        // The teardown never ends by itself.
        let project = Project::new(WAITS);
        project.write(
            "--- conftest.py
import os
import time
import pytest

@pytest.fixture
def torn_down():
    yield
    with open('torn_down', 'a') as file:
        file.write('begun ')
    while True:
        try:
            time.sleep(0.01)
        except KeyboardInterrupt:
            pass
",
        );
        let mut running = start_waiting(&project, way);
        running.signal(Signal::INT);
        running.until("the teardown begins", || {
            !project.read("torn_down").is_empty()
        });
        running.signal(Signal::INT);
        let run = running.wait();
        assert_eq!(run.code, 2, "{way:?}\n{run}");
        nothing_is_left(&project);
    }
}

#[test]
fn nothing_outlives_a_killed_command() {
    for way in WAYS {
        let project = Project::new(WAITS);
        let running = start_waiting(&project, way);
        assert!(
            processes_of(&project).len() > 1,
            "there is something to outlive it"
        );
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, 128 + 9);
        nothing_is_left(&project);
    }
}

#[test]
fn termination_of_the_command() {
    for way in WAYS {
        let project = Project::new(WAITS);
        let running = start_waiting(&project, way);
        running.signal(Signal::TERM);
        assert_eq!(running.wait().code, 128 + 15);
        nothing_is_left(&project);
    }
}
