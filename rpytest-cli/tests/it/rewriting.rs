//! Code with rewritten assertions, kept by content: what it is, and what nobody must notice of it; and how modules
//! are imported.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::normal::normal;
use crate::support::python::{Venv, main_venv, own_script, pytest_venv, venvs_of_older_pythons};
use crate::support::{Command, Project, Run};

fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the workspace").to_owned()
}

/// Compares what is ours with what is pytest's: code object by code object, and answer by answer.
fn code_and_answers_are_pytests_own(venv: &Venv) {
    let libraries = fs::read_dir(venv.root().join("lib"))
        .expect("a venv")
        .flatten()
        .map(|python| python.path().join("site-packages/_pytest"));
    let sources = libraries.chain([workspace().join("examples/suite")]);
    for (script, arguments) in [
        ("code_is_pytests_own.py", sources.collect::<Vec<_>>()),
        ("answers_are_pytests_own.py", Vec::new()),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut all = vec![directory.path().to_owned()];
        all.extend(arguments);
        own_script(venv, script, all);
    }
}

#[test]
fn code_is_that_of_each_pytest() {
    code_and_answers_are_pytests_own(main_venv());
    for version in ["8.0.2", "8.4.2", "9.0.3"] {
        code_and_answers_are_pytests_own(&pytest_venv(version));
    }
}

#[test]
fn code_is_that_of_each_python() {
    for venv in venvs_of_older_pythons() {
        code_and_answers_are_pytests_own(&venv);
    }
}

const SUITE: &str = r#"
--- pytest.ini
[pytest]
--- conftest.py
import pytest

@pytest.fixture
def one():
    assert __file__.endswith("conftest.py")
    return 1
--- helper.py
def check(value):
    assert value == 1
--- test_fails.py
import helper

def test_fails(one):
    here = {"one": one}
    assert here == {"one": 2}

def test_passes(one):
    helper.check(one)
--- test_more.py
def test_more():
    assert 1
"#;

/// A project that has a cache of its own beside it.
struct Lab {
    project: Project,
}

impl Lab {
    fn new(suite: &str) -> Self {
        Lab {
            project: Project::new(suite),
        }
    }

    fn cache(&self) -> PathBuf {
        self.project.base().join("cache")
    }

    fn command(&self) -> Command<'_> {
        Command::rpytest(main_venv(), &self.project)
            .env("RPYTEST_CACHE_DIR", self.cache().to_str().expect("a path"))
            .args(["--explain"])
    }

    /// As after a checkout.
    fn forget_bytecode(&self) {
        let _ = fs::remove_dir_all(self.project.root().join("__pycache__"));
        let _ = fs::remove_dir_all(self.project.root().join(".pytest_cache"));
    }

    /// A run without bytecode, which is compared with pytest's.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        self.forget_bytecode();
        let pytest = Command::pytest(main_venv(), &self.project);
        let pytest = normal(&pytest.args(arguments).run(), &self.project);
        self.forget_bytecode();
        let run = self.command().args(arguments).run();
        let ours = normal(&run, &self.project);
        assert_eq!((&pytest.stdout, pytest.code), (&ours.stdout, ours.code));
        run
    }

    fn entries(&self) -> Vec<PathBuf> {
        let directories = fs::read_dir(self.cache().join("rewritten")).into_iter();
        let files = directories
            .flatten()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .flat_map(|entry| fs::read_dir(entry.path()).expect("a directory").flatten());
        files.map(|entry| entry.path()).collect()
    }
}

/// How many modules were kept, and how many made.
#[track_caller]
fn counts(run: &Run) -> (u32, u32) {
    let Some((_, note)) = run.stderr.split_once(" modules without bytecode ") else {
        return (0, 0);
    };
    let numbers: Vec<u32> = note
        .lines()
        .next()
        .expect("a line")
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let &[kept, made] = &numbers[..] else {
        panic!("{note}");
    };
    (kept, made)
}

#[test]
fn a_source_is_rewritten_once() {
    let lab = Lab::new(SUITE);
    assert_eq!(counts(&lab.run(&[])), (0, 3));
    assert_eq!(counts(&lab.run(&[])), (3, 0));
    assert_eq!(lab.entries().len(), 3);
    // With bytecode nobody asks.
    lab.command().run();
    assert_eq!(counts(&lab.command().run()), (0, 0));
    // By content, and not by date or name.
    lab.project
        .write("--- test_more.py\ndef test_more():\n    assert 2\n--- test_same.py\ndef test_more():\n    assert 1\n");
    assert_eq!(counts(&lab.run(&["-v"])), (3, 1));
    // In workers, and where no bytecode is written.
    lab.forget_bytecode();
    let command = lab.command().env("PYTHONDONTWRITEBYTECODE", "1");
    let run = command.args(["-n", "2"]).run();
    assert_eq!(counts(&run).1, 0, "{run}");
    assert!(!lab.project.root().join("__pycache__").exists());
}

/// What is kept is ours, and no effect that a project's code has.
#[test]
fn keeping_code_keeps_no_worker_from_being_forked() {
    let lab = Lab::new(SUITE);
    let run = lab.command().args(["-n", "2"]).run();
    // The controller may have written the bytecode of `conftest.py` before the process that collects asks for it.
    assert!(counts(&run).1 >= 2, "{run}");
    assert!(!run.stderr.contains("collected for themselves"), "{run}");
}

#[test]
fn code_in_another_place_is_of_that_place() {
    let first = Lab::new(SUITE);
    first.run(&[]);
    let second = Lab::new(SUITE);
    fs::create_dir(second.cache()).expect("made");
    fs::rename(
        first.cache().join("rewritten"),
        second.cache().join("rewritten"),
    )
    .expect("moved");
    let run = second.run(&["--tb=long", "--full-trace", "-k", "test_passes"]);
    assert_eq!(counts(&run), (3, 0));
    let run = second.run(&["--tb=native"]);
    let place = second.project.root().join("test_fails.py");
    run.shows(&[&format!("File \"{}\", line 5", place.display())]);
}

#[test]
fn warnings_and_errors_come_each_time() {
    let lab = Lab::new(
        r#"
--- test_tuple.py
def test_tuple():
    assert (1, "message")
--- test_escape.py
def test_escape():
    assert "\d"
--- test_is.py
def test_is():
    assert 1 is 1
--- test_fine.py
def test_fine():
    assert 1
"#,
    );
    for kept in [0, 2, 2] {
        let run = lab.run(&["-rA"]);
        run.expect(0, "4 passed, 2 warnings");
        assert_eq!(counts(&run).0, kept, "{run}");
    }
    let run = lab.run(&["-W", "error"]);
    run.expect(2, "2 errors");
    lab.project.write("--- test_fine.py\nassert (\n");
    lab.run(&["-W", "ignore"]);
    // That of which pytest's rewriter makes something without a warning.
    assert_eq!(lab.entries().len(), 2);
}

#[test]
fn the_assertion_pass_hook_has_other_code() {
    let lab = Lab::new(SUITE);
    lab.run(&[]);
    let hook = "
--- conftest.py
import pytest

@pytest.fixture
def one():
    return 1

def pytest_assertion_pass(item, lineno, orig, expl):
    print('passed:', orig)
";
    lab.project.write(hook);
    let run = lab.run(&["-rA", "-o", "enable_assertion_pass_hook=true"]);
    assert_eq!(counts(&run), (0, 3));
    run.shows(&["passed: 1"]);
    let run = lab.run(&["-rA"]);
    assert_eq!(counts(&run), (2, 1));
    assert!(!run.stdout.contains("passed: 1"));
}

#[test]
fn what_is_damaged_is_made_again() {
    let lab = Lab::new(SUITE);
    lab.run(&[]);
    for damage in [
        |content: &mut Vec<u8>| content.truncate(40),
        |content: &mut Vec<u8>| content.clear(),
        |content: &mut Vec<u8>| *content.last_mut().expect("a byte") ^= 1,
        |content: &mut Vec<u8>| content.push(0),
    ] {
        for entry in lab.entries() {
            let mut content = fs::read(&entry).expect("an entry");
            damage(&mut content);
            fs::write(&entry, content).expect("written");
        }
        assert_eq!(counts(&lab.run(&[])), (0, 3));
        assert_eq!(counts(&lab.run(&[])), (3, 0));
    }
}

#[test]
fn where_nothing_can_be_kept_all_else_is_the_same() {
    let lab = Lab::new(SUITE);
    fs::create_dir(lab.cache()).expect("made");
    fs::write(lab.cache().join("rewritten"), "a file").expect("written");
    let run = lab.run(&["-v"]);
    assert_eq!(counts(&run), (0, 0));
    let genuine = lab.command().env("RPYTEST_GENUINE", "1").run();
    assert_eq!(counts(&genuine), (0, 0));
}

/// A plugin that rewrites in its own way has it.
#[test]
fn another_rewriter_is_asked() {
    let lab = Lab::new(SUITE);
    lab.project.write(
        "
--- pytest.ini
[pytest]
addopts = -p other
pythonpath = .
--- other.py
import _pytest.assertion.rewrite as rewrite

genuine = rewrite.AssertionRewriter.visit_Assert

def visit_Assert(self, assert_):
    import ast
    assert_.test = ast.copy_location(ast.Constant(True), assert_.test)
    return genuine(self, assert_)

rewrite.AssertionRewriter.visit_Assert = visit_Assert
",
    );
    let run = lab.run(&["-v"]);
    run.expect(0, "3 passed");
    // Itself was rewritten before.
    assert_eq!(counts(&run), (0, 1));
    assert_eq!(lab.entries().len(), 1);
}

#[test]
fn much_is_rewritten_by_several() {
    use std::fmt::Write;
    let mut suite = String::from("--- pytest.ini\n[pytest]\n");
    for number in 0..60 {
        let _ = write!(
            suite,
            "--- area{}/test_{number}.py\ndef test():\n    assert {number} != 41\n",
            number % 3
        );
    }
    let lab = Lab::new(&suite);
    for workers in [&[] as &[&str], &["-n", "2"]] {
        let _ = fs::remove_dir_all(lab.cache().join("rewritten"));
        for area in 0..3 {
            let _ = fs::remove_dir_all(lab.project.root().join(format!("area{area}/__pycache__")));
        }
        let run = lab.command().args(workers).run();
        run.expect(1, "1 failed, 59 passed");
        let (kept, made) = counts(&run);
        // How many were kept says how many others made, which is a matter of chance.
        assert_eq!(kept + made, 60, "{run}");
        assert!(lab.entries().len() >= 60);
    }
}
