//! `--isolate`: a process for each test, or for each file.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::normal::{difference, normal};
use crate::support::python::main_venv;
use crate::support::run::{eventually, processes_of};
use crate::support::{Command, Project, Run};

const STATE: &str = r#"
--- state.py
seen = []
--- test_a.py
import os
import pytest
import state

@pytest.mark.parametrize("number", range(4))
def test_a(number):
    open("seen", "a").write(f"a{number}:{len(state.seen)}:{os.getpid()} ")
    state.seen.append(number)

def test_fails():
    assert 0
--- test_b.py
import os
import state

def test_first():
    open("seen", "a").write(f"b0:{len(state.seen)}:{os.getpid()} ")
    state.seen.append("first")

class TestSecond:
    def test_second(self):
        open("seen", "a").write(f"b1:{len(state.seen)}:{os.getpid()} ")
"#;

fn run(arguments: &[&str]) -> (Run, Vec<[String; 3]>) {
    let project = Project::new(STATE);
    let run = Command::rpytest(main_venv(), &project)
        .args(arguments)
        .run();
    let seen = project.words("seen");
    let seen = seen
        .iter()
        .map(|word| {
            let mut parts = word.split(':').map(str::to_owned);
            std::array::from_fn(|_| parts.next().expect("three parts"))
        })
        .collect();
    (normal(&run, &project), seen)
}

#[test]
fn each_test_in_its_own_process() {
    let (plain, _) = run(&["-v"]);
    for arguments in [
        &["--isolate=test", "-v"][..],
        &["--isolate=test", "-v", "-n", "2"],
    ] {
        let (isolated, seen) = run(arguments);
        assert_eq!(isolated.stdout, plain.stdout, "{arguments:?}");
        assert_eq!(isolated.code, 1);
        let mut pids: Vec<_> = seen.iter().map(|[_, _, pid]| pid).collect();
        pids.sort();
        pids.dedup();
        assert_eq!(pids.len(), 6, "{seen:?}");
        assert!(seen.iter().all(|[_, before, _]| before == "0"), "{seen:?}");
    }
}

#[test]
fn each_file_in_its_own_process() {
    let (plain, _) = run(&["-v"]);
    for arguments in [
        &["--isolate=file", "-v"][..],
        &["--isolate=file", "-v", "-n", "2"],
    ] {
        let (isolated, seen) = run(arguments);
        assert_eq!(isolated.stdout, plain.stdout, "{arguments:?}");
        let before: Vec<_> = seen
            .iter()
            .map(|[test, before, _]| format!("{test}:{before}"))
            .collect();
        assert_eq!(before, ["a0:0", "a1:1", "a2:2", "a3:3", "b0:0", "b1:1"]);
        let mut pids: Vec<_> = seen
            .iter()
            .map(|[test, _, pid]| (&test[..1], pid))
            .collect();
        pids.sort();
        pids.dedup();
        assert_eq!(pids.len(), 2, "{seen:?}");
    }
}

#[test]
fn state_is_shared_without_isolation() {
    let (_, seen) = run(&[]);
    let before: Vec<_> = seen
        .iter()
        .map(|[test, before, _]| format!("{test}:{before}"))
        .collect();
    assert_eq!(before, ["a0:0", "a1:1", "a2:2", "a3:3", "b0:4", "b1:5"]);
}

/// Each test finds everything as the collection has left it, and leaves nothing as it was.
const LEAKS: &str = r#"
--- state.py
seen = []
--- test_leaks.py
import logging
import os
import signal
import sys
import warnings

import pytest
import state

kept = []

@pytest.mark.parametrize("number", range(5))
def test_leaks(number):
    assert state.seen == []
    assert "LEFT" not in os.environ
    assert "left_module" not in sys.modules
    assert os.path.basename(os.getcwd()) == "project"
    assert logging.getLogger("left").level == logging.NOTSET
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert ("ignore", "left") not in [(one[0], getattr(one[1], "pattern", one[1])) for one in warnings.filters]
    assert not kept
    assert not os.path.exists("/proc/self/fd/200")

    state.seen.append(number)
    os.environ["LEFT"] = "1"
    sys.modules["left_module"] = state
    logging.getLogger("left").setLevel(logging.DEBUG)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    kept.append(open(__file__))
    os.dup2(kept[0].fileno(), 200)
    os.chdir("/")
    warnings.filterwarnings("ignore", "left")
"#;

#[test]
fn what_a_test_leaves_the_next_does_not_find() {
    let project = Project::new(LEAKS);
    // Without isolation it would.
    let run = Command::rpytest(main_venv(), &project).run();
    run.expect(1, "4 failed, 1 passed");
    for arguments in [&["--isolate=test"][..], &["--isolate=test", "-n", "2"]] {
        let run = Command::rpytest(main_venv(), &project)
            .args(arguments)
            .run();
        run.expect(0, "5 passed");
    }
    let run = Command::rpytest(main_venv(), &project)
        .env("RPYTEST_ISOLATE", "test")
        .run();
    run.expect(0, "5 passed");
    project.write("--- pyproject.toml\n[tool.rpytest]\nisolate = \"test\"\n");
    let run = Command::rpytest(main_venv(), &project).run();
    run.expect(0, "5 passed");
    let run = Command::rpytest(main_venv(), &project)
        .args(["--isolate=none"])
        .run();
    run.expect(1, "4 failed, 1 passed");
}

#[test]
fn what_a_daemon_lends_is_isolated_as_well() {
    let project = Project::new(LEAKS);
    let command = || Command::rpytest(main_venv(), &project).without("RPYTEST_NO_DAEMON");
    for _ in 0..2 {
        let run = command().args(["--isolate=test", "--explain"]).run();
        run.expect(0, "5 passed");
    }
    eventually("the daemon lends", || {
        let run = command().args(["--isolate=test", "--explain"]).run();
        run.expect(0, "5 passed");
        run.stderr.contains("the daemon lent")
    });
    let stop = command().args(["--daemon-stop"]).run();
    assert_eq!(stop.code, 0, "{stop}");
}

/// Outcomes, output, fixtures of all scopes, a temporary directory for each test.
const MIXED: &str = r#"
--- conftest.py
import os
import pytest

@pytest.fixture(scope="session")
def shared():
    with open("shared", "a") as file:
        file.write(f"{os.getpid()} ")
    yield "shared"
--- test_a.py
import logging
import os
import warnings
import pytest

def test_passes(shared, tmp_path):
    print("on stdout")
    (tmp_path / "left").write_text("by the first")

def test_fails(shared, tmp_path):
    logging.warning("in the log")
    (tmp_path / "left").write_text("by the second")
    assert shared == "other"

@pytest.mark.skip(reason="not now")
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    assert 0

def test_warns():
    warnings.warn("careful")
--- test_b.py
import unittest
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no")

def test_error(broken):
    pass

class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.value = 1

    def test_one(self):
        self.assertEqual(self.value, 1)

    def test_two(self):
        self.assertEqual(self.value, 2)
"#;

#[test]
fn reports_are_pytests_own() {
    let arguments = ["-rA", "--junitxml=junit.xml"];
    let project = Project::new(MIXED);
    let run = Command::pytest(main_venv(), &project).args(arguments).run();
    let (expected, junit) = (normal(&run, &project), cases(&project));
    assert_eq!(run.code, 1, "{run}");
    for isolation in [
        &["--isolate=test"][..],
        &["--isolate=test", "-n", "2"],
        &["--isolate=file"],
        &["--isolate=file", "-n", "2"],
    ] {
        let project = Project::new(MIXED);
        let run = Command::rpytest(main_venv(), &project)
            .args(arguments)
            .args(isolation)
            .run();
        let got = normal(&run, &project);
        assert_eq!(got.code, expected.code, "{isolation:?}\n{run}");
        assert!(
            got.stdout == expected.stdout,
            "{isolation:?}\n{}",
            difference(&expected.stdout, &got.stdout)
        );
        assert_eq!(cases(&project), junit, "{isolation:?}");
        // A fixture of the session is one of each process, as with xdist.
        let processes = match isolation[0] {
            "--isolate=test" => 2,
            _ => 1,
        };
        assert_eq!(project.words("shared").len(), processes, "{isolation:?}");
        // What a test has left in its directory is there after the run, whoever came after it.
        let found = files_named("left", &project.temporary_files());
        assert_eq!(found, ["by the first", "by the second"], "{isolation:?}");
    }
}

/// JUnit XML's test cases, without times.
fn cases(project: &Project) -> Vec<String> {
    let text = project.read("junit.xml");
    let cases = text.split("<testcase ").skip(1);
    cases
        .map(|case| {
            let (before, after) = case.split_once(" time=\"").expect("it has a time");
            let (_, after) = after.split_once('"').expect("it ends");
            crate::support::normal::normal_text(&format!("{before}{after}"), project.base())
        })
        .collect()
}

fn files_named(name: &str, directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files_named(name, &path));
        } else if entry.file_name() == name {
            found.push(fs::read_to_string(path).expect("a file"));
        }
    }
    found.sort();
    found
}

#[test]
fn what_it_costs_is_told() {
    let project = Project::new(STATE);
    let run = Command::rpytest(main_venv(), &project)
        .args(["--isolate=test", "--timing"])
        .run();
    assert!(
        run.stderr
            .contains("rpytest: isolation: 7 processes; each took "),
        "{run}"
    );
    let run = Command::rpytest(main_venv(), &project)
        .args(["--isolate=file", "--explain"])
        .run();
    assert!(
        run.stderr
            .contains("rpytest: isolation: 2 processes; each took "),
        "{run}"
    );
}

/// Where a process cannot be forked, each test has an interpreter of its own.
#[test]
fn without_forks_the_answer_is_the_same() {
    let threads = "
--- conftest.py
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
";
    for arguments in [&["--isolate=test"][..], &["--isolate=test", "-n", "2"]] {
        let project = Project::new(&format!("{LEAKS}{threads}"));
        let run = Command::rpytest(main_venv(), &project)
            .args(arguments)
            .args(["--explain"])
            .run();
        run.expect(0, "5 passed");
        assert!(
            run.stderr
                .contains("collected for themselves: a thread was started"),
            "{run}"
        );
    }
}

const CRASHES: &str = r#"
--- test_a.py
import os
import signal
import pytest

def ran(name):
    with open("ran", "a") as file:
        file.write(name + " ")

def test_1():
    ran("a1")

def test_2():
    ran("a2")
    os.kill(os.getpid(), signal.SIGKILL)

def test_3():
    ran("a3")
--- test_b.py
from test_a import ran

def test_4():
    ran("b4")
    assert 0

def test_5():
    ran("b5")
"#;

#[test]
fn a_crash_is_one_tests_affair() {
    for isolate in ["--isolate=test", "--isolate=file"] {
        for count in ["1", "2"] {
            let project = Project::new(CRASHES);
            let run = Command::rpytest(main_venv(), &project)
                .args([isolate, "-n", count])
                .run();
            run.expect(1, "2 failed, 3 passed");
            run.shows(&["crashed while running 'test_a.py::test_2'", "SIGKILL"]);
            let ran = project.words("ran");
            assert_eq!(ran, ["a1", "a2", "a3", "b4", "b5"], "{run}");
            eventually("nothing is left", || processes_of(&project).is_empty());
        }
    }
}

#[test]
fn the_first_failure_stops_it() {
    let project = Project::new(CRASHES);
    let run = Command::rpytest(main_venv(), &project)
        .args(["--isolate=test", "-x", "--deselect=test_a.py::test_2"])
        .run();
    run.expect(1, "1 failed, 2 passed, 1 deselected");
    run.shows(&["stopping after 1 failures"]);
    assert_eq!(project.words("ran"), ["a1", "a3", "b4"], "{run}");
    eventually("nothing is left", || processes_of(&project).is_empty());
}

#[test]
fn an_interrupt_ends_it() {
    for count in ["1", "2"] {
        let project = Project::new(
            r#"
--- test_a.py
import time
import pytest

@pytest.mark.parametrize("number", range(20))
def test_waits(number):
    with open("ran", "a") as file:
        file.write(f"{number} ")
    while number:
        time.sleep(0.01)
"#,
        );
        let mut running = Command::rpytest(main_venv(), &project)
            .args(["--isolate=test", "-n", count])
            .start();
        running.until("a test waits", || project.words("ran").len() > 1);
        // A session that is interrupted before it has written its header shows no test that has run.
        running.until_it_shows("test_a.py .");
        running.signal_group(Signal::INT);
        let run = running.wait();
        assert_eq!(run.code, 2, "{run}");
        run.shows(&["KeyboardInterrupt", "1 passed"]);
        assert!(project.words("ran").len() <= 3, "{run}");
        eventually("nothing is left", || processes_of(&project).is_empty());
    }
}

/// No more of them run at a time than there are workers, whatever is prepared meanwhile.
#[test]
fn as_many_run_at_a_time_as_there_are_workers() {
    for (count, most) in [("1", 1), ("2", 2)] {
        let project = Project::new(
            r#"
--- test_a.py
import os
import time
import pytest

@pytest.fixture(scope="session", autouse=True)
def counted():
    mine = f"running/{os.getpid()}"
    os.makedirs("running", exist_ok=True)
    open(mine, "w").close()
    with open("counts", "a") as file:
        file.write(f"{len(os.listdir('running'))} ")
    yield
    os.remove(mine)

@pytest.mark.parametrize("number", range(12))
def test_it(number):
    time.sleep(0.02)
"#,
        );
        let run = Command::rpytest(main_venv(), &project)
            .args(["--isolate=test", "-n", count])
            .run();
        run.expect(0, "12 passed");
        let counts = project.words("counts");
        assert_eq!(counts.len(), 12, "{run}");
        let highest = counts.iter().filter_map(|count| count.parse().ok()).max();
        assert!(highest <= Some(most), "{counts:?}");
    }
}

/// A test may leave a thread that never ends, and its process with it.
#[test]
fn a_process_that_does_not_end_holds_nobody_up() {
    let files = r#"
--- test_a.py
import threading
import time

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(600,)).start()

def test_passes(): pass
"#;
    let projects = [(); 2].map(|()| Project::new(files));
    let mut runs = Vec::new();
    for (project, arguments) in projects.iter().zip([&["--isolate=test"][..], &["-n", "2"]]) {
        let command = Command::rpytest(main_venv(), project).args(arguments);
        runs.push(command.start());
    }
    for (running, project) in runs.into_iter().zip(&projects) {
        let run = running.wait();
        run.expect(0, "2 passed");
        eventually("nothing is left", || processes_of(project).is_empty());
    }
}

#[test]
fn processes_that_take_a_while_to_end_do_not_pile_up() {
    let project = Project::new(
        r#"
--- test_a.py
import os
import threading
import time

import pytest

@pytest.mark.parametrize("number", range(24))
def test_leaves_a_thread(number):
    with open("/proc/self/stat") as file:
        parent = file.read().rsplit(")", 1)[1].split()[1]
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        count = len(file.read().split())
    with open("counts", "a") as file:
        file.write(f"{count} ")
    threading.Thread(target=time.sleep, args=(2,)).start()
"#,
    );
    let run = Command::rpytest(main_venv(), &project)
        .args(["--isolate=test"])
        .run();
    run.expect(0, "24 passed");
    let counts = project.words("counts");
    let highest = counts.iter().filter_map(|count| count.parse().ok()).max();
    // Those about to end, the one that runs, and the next.
    assert!(highest <= Some(8 + 2), "{counts:?}");
}
