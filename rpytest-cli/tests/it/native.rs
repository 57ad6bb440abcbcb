//! `--native-collect-only`: the ids are those of `pytest --collect-only -q`, and no Python is run.

use crate::support::python::main_venv;
use crate::support::{Command, Project};

const SUITE: &str = r#"
--- pytest.ini
[pytest]
markers = slow
--- test_a.py
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_many(n):
    pass

class TestIt:
    def test_one(self):
        pass
--- sub/test_b.py
def test_other():
    pass

def test_many():
    pass
"#;

fn ids(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains("::")).collect()
}

#[test]
fn selection_is_pytests() {
    let project = Project::new(SUITE);
    for line in [
        "",
        "sub",
        "test_a.py::TestIt",
        "test_a.py::test_many[2]",
        "-k many",
        "-k=many and not sub",
        "-mslow",
        "-m|not slow",
        "--deselect=test_a.py::test_many",
        "--deselect|sub/test_b.py::test_other",
        "--ignore=sub",
        "--ignore-glob|*_a.py",
        "-k one|test_a.py",
    ] {
        // A bar parts words, since expressions have blanks.
        let words = line
            .replacen("-k ", "-k|", 1)
            .split('|')
            .map(str::to_owned)
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>();
        let theirs = Command::pytest(main_venv(), &project)
            .args(["--collect-only", "-q"])
            .args(&words)
            .run();
        let ours = Command::rpytest(main_venv(), &project)
            .args(["--native-collect-only"])
            .args(&words)
            .env("PATH", "/nowhere")
            .run();
        assert_eq!(ids(&ours.stdout), ids(&theirs.stdout), "{line}\n{ours}");
        assert_eq!(ours.code, theirs.code, "{line}\n{ours}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let project = Project::new(SUITE);
    for (words, message) in [
        (
            vec!["--lf"],
            "--lf is not supported with --native-collect-only",
        ),
        (vec!["-k"], "argument -k: expected one argument"),
        (vec!["-k", "and"], "Wrong expression passed to '-k': and"),
    ] {
        let run = Command::rpytest(main_venv(), &project)
            .args(["--native-collect-only"])
            .args(&words)
            .run();
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stderr.contains(message), "{run}");
    }
}
