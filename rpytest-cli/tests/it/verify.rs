//! `--verify-dropin`: what is the same is said to be, what is not is found, and nothing is left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::python::{Venv, main_venv, plain_venv};
use crate::support::run::{eventually, processes_of};
use crate::support::{Command, Project, Run};

fn verify<'p>(venv: &Venv, project: &'p Project) -> Command<'p> {
    Command::rpytest(venv, project).args(["--verify-dropin"])
}

/// The files of a project, but for bytecode.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if entry.file_name() != "__pycache__" {
                found.extend(files(&path));
            }
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    found
}

/// Neither a process nor a directory.
#[track_caller]
fn nothing_is_left(project: &Project) {
    eventually("no process is left", || processes_of(project).is_empty());
    let temporary = fs::read_dir(project.temporary_files()).expect("a directory");
    let names: Vec<_> = temporary.flatten().map(|entry| entry.file_name()).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[track_caller]
fn lines(run: &Run, start: &str) -> usize {
    run.stdout
        .lines()
        .filter(|line| line.trim_start().starts_with(start))
        .count()
}

const EVERYTHING: &str = "
--- pytest.ini
[pytest]
addopts = -ra
markers = slow: it is not
--- conftest.py
import sqlite3
import warnings
import pytest

@pytest.fixture(scope='session')
def shared():
    print('shared is set up')
    yield 'shared'
    print('shared is torn down')

@pytest.fixture
def breaks_after():
    yield
    raise RuntimeError('after')

def pytest_sessionfinish(session):
    if not hasattr(session.config, 'workerinput'):
        base = sqlite3.connect('made.db')
        base.execute('create table counts (name, count)')
        base.execute('insert into counts values (?, ?)', ('tests', session.testscollected))
        base.commit()
        base.close()
        with open('made.json', 'w') as file:
            import json, time
            json.dump({'created': time.time(), 'tests': session.testscollected}, file)
--- test_outcomes.py
import logging
import os
import sys
import unittest
import warnings
import pytest

class Thing:
    pass

def test_passes(shared, tmp_path):
    (tmp_path / 'file').write_text('x')

def test_fails(shared, tmp_path):
    print('out', Thing(), tmp_path)
    print('err', file=sys.stderr)
    logging.getLogger('it').warning('logged')
    assert {'a': Thing()} == {'b': 1}

@pytest.mark.parametrize('value', [Thing, 1.5, 'a b', None])
def test_values(value):
    warnings.warn(f'about {value}')

def test_breaks(breaks_after):
    pass

def test_is_missing_a_fixture(nowhere):
    pass

@pytest.mark.skip(reason='not here')
def test_is_skipped():
    pass

@pytest.mark.xfail(reason='known')
def test_fails_as_expected():
    assert 0

@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly():
    pass

class Case(unittest.TestCase):
    def setUp(self):
        print('set up')

    def test_case(self):
        self.assertEqual([1, 2], [1, 3])

def test_locks(tmp_path):
    locked = tmp_path / 'locked'
    locked.mkdir()
    (locked / 'file').write_text('x')
    locked.chmod(0)

def test_parts(subtests):
    for n in range(3):
        with subtests.test(n=n):
            assert n != 1
--- test_skipped.py
import pytest
pytest.skip('all of it', allow_module_level=True)
--- old/report.xml
<old/>
";

#[test]
fn a_suite_with_everything_is_the_same_and_stays_as_it_was() {
    let project = Project::new(EVERYTHING);
    // What a run would find and change: the last failures, and a report.
    let pytest = Command::pytest(main_venv(), &project);
    assert_eq!(pytest.args(["-q", "-k", "values"]).run().code, 0);
    for made in ["made.db", "made.json"] {
        fs::remove_file(project.root().join(made)).expect("it was made");
    }
    let before = files(&project.root());
    let run = verify(main_venv(), &project)
        .without("RPYTEST_NO_DAEMON")
        .args(["--durations=3", "--junitxml=old/report.xml", "--ff"])
        .run();
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run}");
    run.shows(&[
        "pytest --durations=3 --junitxml=old/report.xml --ff\n",
        "A drop-in here: no difference in ",
        "made.db, made.json",
        ".pytest_cache/v/cache/lastfailed",
        "JUnit XML",
    ]);
    assert_eq!(lines(&run, "rpytest "), 1 + 2, "{run}");
    assert_eq!(run.stdout.matches("the same").count(), 4, "{run}");
    assert!(!run.stdout.contains('\x1b'), "{run}");
    assert_eq!(files(&project.root()), before);
    nothing_is_left(&project);
}

const OTHERWISE: &str = "
--- conftest.py
import sys
import warnings
import pytest

OTHER = 'rpytest_worker' in sys.modules

def pytest_collection_modifyitems(items):
    if OTHER:
        items[0], items[1] = items[1], items[0]

def pytest_generate_tests(metafunc):
    if 'value' in metafunc.fixturenames:
        metafunc.parametrize('value', [1, 2] if OTHER else [1])

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if not hasattr(session.config, 'workerinput'):
        with open('made.txt', 'w') as file:
            file.write(f'line\\n{OTHER}\\n')
        if OTHER:
            session.exitstatus = 7
--- test_otherwise.py
import warnings
import pytest
from conftest import OTHER

def test_first():
    pass

def test_second():
    pass

def test_value(value):
    pass

def test_outcome():
    assert not OTHER, 'another outcome'

def test_message():
    pytest.fail('one\\nother' if OTHER else 'one')

def test_prints():
    print('seen' if OTHER else 'hidden')

def test_warns():
    warnings.warn('loud' if OTHER else 'quiet')

def test_records(record_property):
    record_property('by', OTHER)
--- test_missing.py
from conftest import OTHER
import pytest
pytest.skip(f'by {OTHER}', allow_module_level=True)
";

#[test]
fn each_kind_of_difference_is_found_and_can_be_reproduced() {
    let project = Project::new(OTHERWISE);
    let before = files(&project.root());
    let run = verify(plain_venv(), &project).args(["-q"]).run();
    assert_eq!(run.code, 1, "{run}");
    for kind in [
        "exit code",
        "tests",
        "order",
        "outcomes",
        "messages",
        "captured output",
        "attributes of reports",
        "collection",
        "warnings",
        "terminal output",
        "JUnit XML",
        "files",
    ] {
        let title = |line: &str| line.strip_prefix("  ") == Some(kind);
        assert!(run.stdout.lines().any(title), "{kind} is not in:\n{run}");
    }
    run.shows(&[
        "no daemon, since RPYTEST_NO_DAEMON is set",
        "test_otherwise.py::test_value[2]\n",
        "test 1 is test_otherwise.py::test_first",
        "- passed\n      + failed\n",
        "another outcome",
        "      + E       other\n",
        "- hidden\n      + seen\n",
        "UserWarning",
        "made.txt\n",
        "- False\n      + True\n",
        "$ pytest -q test_otherwise.py::test_outcome\n",
        "$ rpytest --no-daemon -q test_otherwise.py::test_outcome\n",
        "- 1\n      + 7\n",
    ]);
    assert!(!run.stdout.contains("A drop-in here"), "{run}");
    assert_eq!(files(&project.root()), before);
    nothing_is_left(&project);
}

#[test]
fn what_pytest_does_not_say_twice_is_told_apart() {
    let project = Project::new(
        "
--- test_flaky.py
import os
import random
import pytest

def test_flaky():
    place = os.path.expanduser('~/count')
    with open(place, 'a') as file:
        file.write('x')
    assert os.path.getsize(place) % 2

def test_random():
    pytest.fail(f'it is {random.random()}\\nalways')

def test_steady():
    pass
",
    );
    let run = verify(plain_venv(), &project).run();
    assert_eq!(run.code, 0, "{run}");
    run.shows(&[
        "Apart, since pytest itself differs from run to run:",
        "test_flaky.py::test_flaky [call]: passed, then failed",
        "test_flaky.py::test_random [call]: messages",
        "2 tests",
        "A drop-in here: no difference",
    ]);
    nothing_is_left(&project);
}

#[test]
fn what_any_workers_would_do_is_not_counted() {
    let project = Project::new(
        "
--- test_asks.py
import os

def test_asks():
    assert 'PYTEST_XDIST_WORKER' not in os.environ

def test_other():
    pass
",
    );
    let run = verify(main_venv(), &project).run();
    assert_eq!(run.code, 0, "{run}");
    run.shows(&[
        "With workers only, and not counted",
        "in rpytest -n 2; pytest-xdist has it, too",
        "$ rpytest -n 2 test_asks.py::test_asks",
        "A drop-in here: no difference",
    ]);
    let without = verify(plain_venv(), &project).run();
    assert_eq!(without.code, 1, "nobody knows without xdist:\n{without}");
}

#[test]
fn what_rpytests_workers_alone_would_do_is() {
    // At a place where xdist differs as well, but otherwise.
    let project = Project::new(
        "
--- test_asks.py
import os
import sys

def test_asks():
    worker = os.environ.get('PYTEST_XDIST_WORKER', '')
    ours = worker and 'rpytest_worker' in sys.modules
    with open('made.txt', 'w') as file:
        file.write(f'{bool(ours)}\\n{worker}\\n')
    assert not worker

def test_other():
    pass
",
    );
    let run = verify(main_venv(), &project).run();
    assert_eq!(run.code, 1, "{run}");
    run.shows(&[
        "\n  1 difference in ",
        "    made.txt\n      in rpytest -n 2\n",
        "With workers only, and not counted",
        "    test_asks.py::test_asks [call]\n      in rpytest -n 2; pytest-xdist has it, too",
    ]);
    nothing_is_left(&project);
}

#[test]
fn a_test_that_depends_on_others_is_not_counted_either() {
    // With workers each waits for the other, so that they cannot be in one process.
    let project = Project::new(
        "
--- test_depends.py
import os
import time

STATE = []

def meet(name, other):
    if 'PYTEST_XDIST_WORKER' in os.environ:
        home = os.path.expanduser('~/')
        open(home + name, 'w').close()
        while not os.path.exists(home + other):
            time.sleep(0.01)

def test_before():
    meet('one', 'other')
    STATE.append(1)

def test_after():
    meet('other', 'one')
    assert STATE
",
    );
    let run = verify(plain_venv(), &project).run();
    assert_eq!(run.code, 0, "{run}");
    run.shows(&[
        "if it runs this test alone: it depends on those before it",
        "A drop-in here: no difference",
    ]);
    nothing_is_left(&project);
}

#[test]
fn a_test_that_depends_on_the_order_is_not_counted() {
    // Alone it passes: it fails after the first, unless the second has run between them.
    let project = Project::new(
        "
--- pytest.ini
[pytest]
markers = xdist_group(name): those that one process runs
--- state.py
FULL = []
--- test_order.py
import pytest
import state

@pytest.mark.xdist_group('one')
def test_fills():
    state.FULL.append('full')

@pytest.mark.xdist_group('other')
def test_empties():
    state.FULL.clear()

@pytest.mark.xdist_group('one')
def test_needs_it_empty():
    assert not state.FULL
",
    );
    let run = verify(plain_venv(), &project)
        .args(["-n", "2", "--dist", "loadgroup"])
        .run();
    assert_eq!(run.code, 0, "{run}");
    run.shows(&[
        "pytest has it, too, if it runs the tests of that worker in its order",
        "A drop-in here: no difference",
    ]);
    nothing_is_left(&project);
}

#[test]
fn an_interrupt_leaves_nothing() {
    let project = Project::new(
        "
--- test_waits.py
import os
import time

def test_waits():
    place = os.path.expanduser('~/count')
    with open(place, 'a') as file:
        file.write('x')
    with open('made', 'w') as file:
        file.write('x')
    if os.path.getsize(place) == 5:
        open(os.path.expanduser('~/waits'), 'w').close()
        while True:
            time.sleep(0.01)
",
    );
    let before = files(&project.root());
    let waits = project.home().join("waits");
    // The fifth run is that which begins from the daemon.
    let mut running = verify(plain_venv(), &project)
        .without("RPYTEST_NO_DAEMON")
        .start();
    running.until("the warm run waits", || waits.exists());
    running.signal_group(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("interrupted"), "{run}");
    assert_eq!(files(&project.root()), before);
    nothing_is_left(&project);
}

/// Whether this process does, and so all that it starts.
fn ignores_hang_ups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (Signal::HUP.as_raw() - 1) != 0)
}

#[test]
fn what_is_edited_during_the_first_run_is_kept() {
    let project = Project::new(
        "
--- test_waits.py
import os
import time

def test_waits():
    open(os.path.expanduser('~/waits'), 'w').close()
    time.sleep(100)
--- mine.txt
as it was
",
    );
    let before = files(&project.root());
    let waits = project.home().join("waits");
    let mut running = verify(plain_venv(), &project).start();
    running.until("the first run waits", || waits.exists());
    fs::write(project.root().join("mine.txt"), "edited").expect("a file");
    // As if the terminal were closed; where that says nothing since these tests run under `nohup`, in another way.
    let (signal, code) = match ignores_hang_ups() {
        true => (Signal::TERM, 143),
        false => (Signal::HUP, 129),
    };
    running.signal(signal);
    let run = running.wait();
    assert_eq!(run.code, code, "{run}");
    assert!(run.stderr.contains("your versions are in "), "{run}");
    assert_eq!(files(&project.root()), before);
    let kept = files(&project.temporary_files());
    let kept: Vec<_> = kept.iter().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].0.ends_with("/mine.txt"), "{kept:?}");
    assert!(kept[0].0.contains("/rpytest-kept-"), "{kept:?}");
    assert_eq!(kept[0].1, b"edited");
    eventually("no process is left", || processes_of(&project).is_empty());
}

#[test]
fn where_others_are_at_work_it_does_not_begin() {
    let project = Project::new("--- test_a.py\ndef test_a(): pass\n");
    let home = project.root().display().to_string();
    let run = verify(plain_venv(), &project).env("HOME", &home).run();
    assert_eq!((run.code, &*run.stdout), (4, ""), "{run}");
    assert!(run.stderr.contains("others are at work in "), "{run}");
    nothing_is_left(&project);
}

#[test]
fn a_run_of_pytests_that_dies_excuses_nothing() {
    let project = Project::new(
        "
--- test_dies.py
import os

def test_dies():
    place = os.path.expanduser('~/count')
    with open(place, 'a') as file:
        file.write('x')
    if os.path.getsize(place) == 2:
        os._exit(1)
",
    );
    let run = verify(plain_venv(), &project).run();
    assert_eq!(run.code, 3, "{run}");
    run.shows(&["Nothing to compare: pytest did not come to the end of its session"]);
    nothing_is_left(&project);
}

#[test]
fn without_an_answer_of_pytests_there_is_none() {
    let project = Project::new("--- test_a.py\ndef test_a(): pass\n");
    for (arguments, code, shown) in [
        (
            ["--no-such-option", "-q"],
            4,
            "unrecognized arguments: --no-such-option",
        ),
        (["-k", "nothing"], 5, "pytest found no tests"),
    ] {
        let run = verify(plain_venv(), &project).args(arguments).run();
        assert_eq!(run.code, code, "{run}");
        run.shows(&["Nothing to compare", shown]);
    }
    let collected = verify(plain_venv(), &project)
        .args(["--collect-only", "-q"])
        .run();
    assert_eq!(collected.code, 0, "{collected}");
    collected.shows(&[
        "terminal output, exit code",
        "A drop-in here: no difference, 1 run",
    ]);
    let refused = verify(plain_venv(), &project).args(["--watch"]).run();
    assert_eq!(refused.code, 4, "{refused}");
    nothing_is_left(&project);
}

/// What the settings say of rpytest alone would make it another run than pytest's.
#[test]
fn what_pytest_does_not_have_is_not_compared() {
    let project = Project::new(
        "
--- pyproject.toml
[tool.rpytest]
parallel = 2
isolate = 'test'
reruns = 1
timeout = 60
default_markers = 'not slow'
[tool.pytest.ini_options]
markers = ['slow']
--- test_a.py
import pytest

def test_passes(): pass

def test_fails(): assert False

@pytest.mark.slow
def test_slow(): pass
",
    );
    let run = verify(plain_venv(), &project)
        .env("RPYTEST_MESSAGE_FORMAT", "json")
        .run();
    assert_eq!(run.code, 0, "{run}");
}
