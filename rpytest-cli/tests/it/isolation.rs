//! `--isolate`: a process for each test, or for each file.

use crate::support::normal::normal;
use crate::support::python::main_venv;
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
