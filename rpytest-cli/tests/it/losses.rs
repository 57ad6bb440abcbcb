//! Nothing is lost: whatever ends a process, each test is reported once, and nothing outlives the
//! command.

mod signals;

use std::fs;

use rustix::process::Signal;

use crate::support::python::main_venv;
use crate::support::run::{Running, eventually, processes_of};
use crate::support::{Command, Project, Run, WAYS, Way};

/// Five tests, of which the third does what the case is about. Each leaves a word when it starts.
fn project(conftest: &str, deed: &str) -> Project {
    Project::new(&format!(
        "
--- helper.py
import faulthandler
import os
import signal

def ran(name):
    with open('ran', 'a') as file:
        file.write(name + ' ')

def crash():
    faulthandler._sigsegv()

def kill():
    os.kill(os.getpid(), signal.SIGKILL)
--- conftest.py
import pytest
from helper import *

{conftest}
--- test_a.py
from helper import *

def test_1():
    ran('a1')

def test_2():
    ran('a2')

def test_3(request):
    ran('a3')
    print('before the end')
    {deed}

def test_4():
    ran('a4')
--- test_b.py
from helper import *

def test_5():
    ran('b5')
"
    ))
}

fn start(project: &Project, way: Way, arguments: &[&str]) -> Running {
    Command::rpytest(main_venv(), project)
        .args(way.arguments())
        .args(arguments)
        .start()
}

/// Runs it in each way, and checks that nothing is left afterwards.
fn in_each_way(
    conftest: &str,
    deed: &str,
    arguments: &[&str],
    check: impl Fn(Way, &Project, &Run),
) {
    for way in WAYS {
        let project = project(conftest, deed);
        let run = start(&project, way, arguments).wait();
        check(way, &project, &run);
        nothing_is_left(&project);
    }
}

#[track_caller]
fn nothing_is_left(project: &Project) {
    eventually("all processes of the run have ended", || {
        processes_of(project).is_empty()
    });
}

#[track_caller]
fn each_ran_once(project: &Project, run: &Run) {
    assert_eq!(
        project.words("ran"),
        ["a1", "a2", "a3", "a4", "b5"],
        "\n{run}"
    );
}

/// The third test fails once, with these texts, and the others pass.
fn loses_the_third(deed: &str, texts: &[&str]) {
    in_each_way("", deed, &["-rA"], |way, project, run| {
        assert_eq!(
            (run.code, run.counts()),
            (1, "1 failed, 4 passed"),
            "{way:?}\n{run}"
        );
        run.shows(texts);
        let failures = run.stdout.matches("FAILED test_a.py::test_3").count();
        assert_eq!(failures, 1, "{way:?}\n{run}");
        each_ran_once(project, run);
    });
}

#[test]
fn exit_with_zero() {
    loses_the_third(
        "os._exit(0)",
        &["crashed while running 'test_a.py::test_3'"],
    );
}

#[test]
fn exit_with_a_code() {
    loses_the_third(
        "os._exit(3)",
        &["crashed while running 'test_a.py::test_3'", "3"],
    );
}

#[test]
fn segmentation_fault() {
    let texts = ["SIGSEGV", "Segmentation fault", "in crash", "in test_3"];
    loses_the_third("crash()", &texts);
}

#[test]
fn abort() {
    loses_the_third(
        "os.abort()",
        &["SIGABRT", "Fatal Python error: Aborted", "in test_3"],
    );
}

#[test]
fn kill() {
    loses_the_third("kill()", &["SIGKILL"]);
}

#[test]
fn termination() {
    loses_the_third(
        "os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
        &["SIGTERM"],
    );
}

#[test]
fn crash_in_setup() {
    let conftest = "
@pytest.fixture(autouse=True)
def falls(request):
    if request.node.name == 'test_3':
        ran('a3')
        kill()
";
    in_each_way(conftest, "pass", &[], |way, project, run| {
        assert_eq!(
            (run.code, run.counts()),
            (1, "1 failed, 4 passed"),
            "{way:?}\n{run}"
        );
        run.shows(&["SIGKILL"]);
        each_ran_once(project, run);
    });
}

#[test]
fn crash_in_the_teardown_of_a_test() {
    let conftest = "
@pytest.fixture(autouse=True)
def falls(request):
    yield
    if request.node.name == 'test_3':
        kill()
";
    // The call has passed, and its report may be lost with the process: the test has not passed.
    in_each_way(conftest, "pass", &[], |way, project, run| {
        assert_eq!(run.code, 1, "{way:?}\n{run}");
        assert!(
            run.counts().starts_with("1 failed, 4 passed"),
            "{way:?}\n{run}"
        );
        run.shows(&["SIGKILL"]);
        each_ran_once(project, run);
    });
}

#[test]
fn crash_in_the_teardown_of_a_session() {
    let conftest = "
@pytest.fixture(scope='session', autouse=True)
def falls():
    yield
    kill()
";
    in_each_way(conftest, "pass", &[], |way, project, run| {
        assert!(run.code != 0, "{way:?}\n{run}");
        assert!(
            run.stdout.contains("SIGKILL") || run.stderr.contains("SIGKILL"),
            "{way:?}\n{run}"
        );
        each_ran_once(project, run);
    });
}

#[test]
fn crash_in_the_end_of_a_session() {
    let conftest = "
def pytest_sessionfinish(session):
    if hasattr(session.config, 'workerinput') or not session.config.option.numprocesses:
        kill()
";
    in_each_way(conftest, "pass", &[], |way, project, run| {
        assert!(run.code != 0, "{way:?}\n{run}");
        assert!(
            run.stdout.contains("SIGKILL") || run.stderr.contains("SIGKILL"),
            "{way:?}\n{run}"
        );
        each_ran_once(project, run);
    });
}

#[test]
fn crash_while_a_module_is_imported() {
    for way in WAYS {
        let project = project("", "pass");
        project.write("--- test_c.py\nfrom helper import *\ncrash()\n");
        let run = start(&project, way, &[]).wait();
        assert!(run.code != 0, "{way:?}\n{run}");
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(
            text.contains("SIGSEGV") && text.contains("test_c.py"),
            "{way:?}\n{run}"
        );
        assert_eq!(project.read("ran"), "", "{way:?}");
        nothing_is_left(&project);
    }
}

#[test]
fn crash_while_the_conftest_is_imported() {
    in_each_way("crash()", "pass", &[], |way, project, run| {
        assert!(run.code != 0, "{way:?}\n{run}");
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains("SIGSEGV"), "{way:?}\n{run}");
        assert_eq!(project.read("ran"), "", "{way:?}");
    });
    in_each_way("os._exit(0)", "pass", &[], |way, _, run| {
        assert!(run.code != 0, "{way:?}\n{run}");
    });
}

#[test]
fn several_crashes() {
    for way in WAYS {
        let project = Project::new(
            "
--- test_many.py
import os
import signal
import pytest

@pytest.mark.parametrize('number', range(12))
def test_many(number):
    with open('ran', 'a') as file:
        file.write(f'{number} ')
    if number % 3 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
",
        );
        let run = start(&project, way, &["--junitxml=junit.xml"]).wait();
        run.expect(1, "4 failed, 8 passed");
        let ran = project.words("ran");
        let mut once = ran.clone();
        once.dedup();
        assert_eq!((ran.len(), once.len()), (12, 12), "{way:?} {ran:?}");
        let junit = project.read("junit.xml");
        assert_eq!(junit.matches("<testcase").count(), 12, "{way:?}\n{junit}");
        assert!(junit.matches("SIGKILL").count() >= 4, "{way:?}\n{junit}");
        nothing_is_left(&project);
    }
}

#[test]
fn no_worker_is_replaced_if_the_user_says_so() {
    let project = project("", "kill()");
    let run = start(&project, Way::OneWorker, &["--max-worker-restart=0"]).wait();
    // What the lost worker had still to run did not run: the run says so, and is no success.
    assert!(run.code != 0, "{run}");
    run.shows(&["SIGKILL", "1 failed, 2 passed", "--max-worker-restart"]);
    assert_eq!(project.words("ran"), ["a1", "a2", "a3"]);
    nothing_is_left(&project);

    // The other worker goes on, unless it had been told that there is nothing left for it. What
    // nobody ran is named.
    let project = self::project("", "kill()");
    let run = start(&project, Way::TwoWorkers, &["--max-worker-restart=0"]).wait();
    assert!(run.code != 0, "{run}");
    run.shows(&["SIGKILL", "1 failed, "]);
    let ran = project.words("ran");
    for (word, test) in [
        ("a1", "test_a.py::test_1"),
        ("a2", "test_a.py::test_2"),
        ("a3", "test_a.py::test_3"),
        ("a4", "test_a.py::test_4"),
        ("b5", "test_b.py::test_5"),
    ] {
        assert!(
            ran.iter().any(|it| it == word) || run.stdout.contains(test),
            "{test}: {run}"
        );
    }
    nothing_is_left(&project);
}

#[test]
fn the_tests_own_children_are_no_ones_business() {
    // A process that a test leaves behind keeps neither the command nor its output waiting.
    for way in WAYS {
        let project = project(
            "",
            "import subprocess; open('child', 'w').write(str(subprocess.Popen(['sleep', '300']).pid))",
        );
        let run = start(&project, way, &[]).wait();
        run.expect(0, "5 passed");
        let child: i32 = project.read("child").parse().expect("a process id");
        if fs::read_to_string(format!("/proc/{child}/cmdline"))
            .is_ok_and(|line| line.contains("sleep"))
        {
            let pid = rustix::process::Pid::from_raw(child).expect("a process id");
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}
