//! `--collect-only -q` again and again: Python is not started while nothing has changed, and every change gives
//! pytest's new answer.

use crate::support::normal::{difference, normal};
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

/// One file for each thing that items can come from. By `globals` each is one that only Python can collect.
const PROJECT: &str = r#"
--- pytest.ini
[pytest]
--- conftest.py
import pytest

NAMES = ["conf"]

@pytest.fixture(params=[name.upper() for name in NAMES])
def conf(request):
    return request.param
--- helper.py
VALUES = ["one", "two"]
--- data/names.json
["data"]
--- cases/a.txt
--- optional_users.txt
--- test_conf.py
globals()["made"] = 1
def test_conf(conf): pass
--- test_data.py
globals()["made"] = 1
import json
import pathlib
import pytest

with open(pathlib.Path(__file__).parent / "data" / "names.json") as file:
    NAMES = json.load(file)

@pytest.mark.parametrize("name", [name for name in NAMES])
def test_data(name): pass
--- test_env.py
globals()["made"] = 1
import os
import pytest

@pytest.mark.parametrize("name", [os.environ.get("MY_NAME", "unset")])
def test_env(name): pass
--- test_exact.py
def test_exact(): pass
--- test_exists.py
globals()["made"] = 1
import os
import pytest

HERE = os.path.dirname(__file__)

@pytest.mark.parametrize("there", [os.path.exists(os.path.join(HERE, "flag"))])
def test_exists(there): pass
--- test_helper.py
globals()["made"] = 1
import pytest
from helper import VALUES

@pytest.mark.parametrize("value", [value.upper() for value in VALUES])
def test_helper(value): pass
--- test_listing.py
globals()["made"] = 1
import os
import pytest

HERE = os.path.dirname(__file__)

@pytest.mark.parametrize("case", sorted(os.listdir(os.path.join(HERE, "cases"))))
def test_listing(case): pass
--- test_module.py
globals()["made"] = 1
import pytest
try:
    from extra import NAMES
except ImportError:
    NAMES = ["no extra"]

@pytest.mark.parametrize("name", [name for name in NAMES])
def test_module(name): pass
--- test_other.py
globals()["made"] = 1
import pytest
from test_helper import VALUES

@pytest.mark.parametrize("value", [value.lower() for value in VALUES])
def test_other(value): pass
"#;

fn collect(project: &Project, ours: bool, variables: &[(&str, &str)]) -> Run {
    let command = match ours {
        true => Command::rpytest(main_venv(), project).args(["--benchmark"]),
        false => Command::pytest(main_venv(), project),
    };
    let command = command.args(["--collect-only", "-q"]);
    let command = variables
        .iter()
        .fold(command, |command, (name, value)| command.env(name, value));
    normal(&command.run(), project)
}

/// Whether ours is pytest's answer, now.
#[track_caller]
fn assert_same(project: &Project, what: &str, variables: &[(&str, &str)]) -> Run {
    let theirs = collect(project, false, variables);
    let ours = collect(project, true, variables);
    assert!(
        theirs.stdout == ours.stdout && theirs.code == ours.code,
        "{what}\n{}\n{theirs}\n{ours}",
        difference(&theirs.stdout, &ours.stdout)
    );
    ours
}

#[track_caller]
fn assert_says(run: &Run, text: &str) {
    assert!(run.stderr.contains(text), "{text:?} is not in\n{run}");
}

/// Until nothing is left to be collected by Python.
#[track_caller]
fn warm(project: &Project) {
    for _ in 0..2 {
        assert_says(&assert_same(project, "warming", &[]), "collected by Python");
    }
    assert_says(&assert_same(project, "warm", &[]), "Python not started");
}

#[test]
fn an_unchanged_project_needs_no_python_and_every_change_is_seen() {
    let project = Project::new(PROJECT);
    warm(&project);
    for (what, files) in [
        (
            "the file",
            "--- test_conf.py\nexec('')\ndef test_new(conf): pass\n",
        ),
        (
            "an exact file",
            "--- test_exact.py\ndef test_exact(): pass\ndef test_more(): pass\n",
        ),
        ("a helper", "--- helper.py\nVALUES = ['three']\n"),
        (
            "a conftest",
            "--- conftest.py\nimport pytest\n@pytest.fixture(params=['x', 'y'] * 1)\n\
             def conf(request): pass\n",
        ),
        (
            "a data file",
            "--- data/names.json\n[\"other\", \"and more\"]\n",
        ),
        ("a listing", "--- cases/b.txt\n"),
        ("a file that was not there", "--- flag\n"),
        (
            "a module that was not there",
            "--- extra.py\nNAMES = ['extra']\n",
        ),
        ("a new file", "--- test_new.py\ndef test_in_new(): pass\n"),
        (
            "the configuration",
            "--- pytest.ini\n[pytest]\npython_functions = test_*a*\n",
        ),
    ] {
        project.write(files);
        assert_same(&project, what, &[]);
    }
    assert_same(&project, "a variable", &[("MY_NAME", "set")]);
    assert_same(&project, "another value of it", &[("MY_NAME", "again")]);
    std::fs::remove_file(project.root().join("test_data.py")).expect("it is there");
    assert_same(&project, "a file is gone", &[]);
    warm_again(&project);
}

/// After a change less is left to Python than at first.
#[track_caller]
fn warm_again(project: &Project) {
    for _ in 0..3 {
        if assert_same(project, "again", &[])
            .stderr
            .contains("Python not started")
        {
            return;
        }
    }
    panic!("Python is started again and again");
}

#[test]
fn only_what_has_changed_is_collected_again() {
    let project = Project::new(PROJECT);
    warm(&project);
    project.write("--- test_env.py\nimport pytest\nexec('')\ndef test_env(): pass\n");
    let run = assert_same(&project, "one file", &[]);
    assert_says(&run, "7 from the cache, 1 collected by Python");
}

#[test]
fn what_depends_on_the_moment_is_not_kept() {
    for source in [
        "import datetime\nIDS = [str(datetime.datetime.now())]\n",
        "import time\nIDS = [str(time.time())]\n",
        "import uuid\nIDS = [str(uuid.uuid4())]\n",
        "import subprocess\nIDS = [subprocess.run('date', capture_output=True).stdout]\n",
        "from pathlib import Path\nPath('written').write_text('x')\nIDS = [str(1)]\n",
    ] {
        let files = format!(
            "--- test_now.py\nimport pytest\nexec('')\n{source}\n\
             @pytest.mark.parametrize('a', IDS)\ndef test_now(a): pass\n"
        );
        let project = Project::new(&files);
        for _ in 0..4 {
            let run = collect(&project, true, &[]);
            assert_eq!(run.code, 0, "{run}");
            assert_says(&run, "1 collected by Python");
        }
        assert_says(&collect(&project, true, &[]), "not kept for the next time");
    }
}

#[test]
fn answers_that_are_pytests_own_are_remembered_as_such() {
    let project =
        Project::new("--- test_warn.py\nimport warnings\nwarnings.warn('old')\nexec('')\n");
    let first = assert_same(&project, "a warning", &[]);
    assert_says(&first, "collected by Python");
    let second = assert_same(&project, "the same", &[]);
    assert_says(&second, "Python not started");
    assert_says(&second, "pytest has more to say than ids");
    project.write("--- test_warn.py\nexec('def test_it(): pass')\n");
    let third = assert_same(&project, "without a warning", &[]);
    assert_says(&third, "1 tests of 1 files");
}

/// Every file of a directory.
fn damage(directory: &std::path::Path) {
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => damage(&path),
            false => std::fs::write(path, "damaged").expect("it is ours"),
        }
    }
}

#[test]
fn without_pytests_cache_nothing_is_kept() {
    let project = Project::new(PROJECT);
    for _ in 0..3 {
        let run = Command::rpytest(main_venv(), &project)
            .args([
                "--collect-only",
                "-q",
                "--benchmark",
                "-p",
                "no:cacheprovider",
            ])
            .run();
        assert_says(&run, "collected by Python");
    }
    assert!(!project.root().join(".pytest_cache").exists());
    // Elsewhere, if it is configured so.
    project.write("--- pytest.ini\n[pytest]\ncache_dir = somewhere/else\n");
    warm(&project);
    assert!(!project.root().join(".pytest_cache").exists());
    // A damaged file is as none.
    let kept = project.root().join("somewhere/else/d/rpytest");
    damage(&kept);
    let run = assert_same(&project, "damaged", &[]);
    assert_eq!(run.code, 0);
    // What was there is removed by pytest's own option.
    let run = Command::rpytest(main_venv(), &project)
        .args(["--collect-only", "-q", "--cache-clear"])
        .run();
    assert_eq!(run.code, 0, "{run}");
    assert!(!kept.exists(), "{run}");
}

#[test]
fn a_mark_that_nobody_registers_is_pytests_to_warn_of() {
    let files = "--- test_mark.py\nimport pytest\n@pytest.mark.unheard\ndef test_it(): pass\n";
    let project = Project::new(files);
    for _ in 0..2 {
        let run = assert_same(&project, "not registered", &[]);
        assert!(run.stdout.contains("PytestUnknownMarkWarning"), "{run}");
    }
    project.write(
        "--- conftest.py\ndef pytest_configure(config):\n    \
         config.addinivalue_line('markers', 'unheard: of')\n",
    );
    let run = assert_same(&project, "registered by a conftest", &[]);
    assert!(!run.stdout.contains("Warning"), "{run}");
    warm_again(&project);
}

#[test]
fn an_environment_is_asked_for_its_plugins_once() {
    let files = "--- test_it.py\nimport pytest\n@pytest.mark.parametrize('a', [1, 2])\ndef test_it(a): pass\n";
    let cache = Project::new("--- empty\n");
    let cache = cache.root().to_string_lossy().into_owned();
    let run = |name: &str, value: &str| {
        // Another project each time: what is kept is the environment's.
        let project = Project::new(files);
        let run = Command::rpytest(main_venv(), &project)
            .args(["--collect-only", "-q", "--benchmark"])
            .env("RPYTEST_CACHE_DIR", &cache)
            .env(name, value)
            .run();
        assert!(run.stdout.contains("2 tests collected"), "{run}");
        run
    };
    let (asks, knows) = ("Python asked for its plugins alone", "Python not started");
    assert_says(&run("ANY", "1"), asks);
    assert_says(&run("ANY", "2"), knows);
    assert_says(&run("PYTHONPATH", "/nowhere"), asks);
    assert_says(&run("PYTHONPATH", "/nowhere"), knows);
    assert_says(&run("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"), asks);
    // What cannot be read is found out again.
    for entry in std::fs::read_dir(&cache).expect("it is there").flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("environment-")
        {
            std::fs::write(entry.path(), "damaged").expect("it is ours");
        }
    }
    assert_says(&run("ANY", "1"), asks);
}
