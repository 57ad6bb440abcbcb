//! What pytest looks for before it ends is found, and said, as if everything were looked through.

use std::fs;

use crate::support::daemon::Daemon;
use crate::support::python::{main_venv, pytest_venv, venvs_of_older_pythons};
use crate::support::{Command, Project, Run};

/// A test leaves garbage that only the collector finds, which does not come by itself. `conftest.py` may look at what
/// is left of it, and notes that in `seen`, where no session depends on it.
const SUITE: &str = "
--- pytest.ini
[pytest]
addopts = -p no:cacheprovider
--- garbage.py
import gc
import os
gc.disable()
# In sight, or not.
plenty = [[number] for number in range(50_000)]
frozen = 0
references = []

class Node:
    def __init__(self):
        self.itself = self
        self.keeps = keeps()

def keeps():
    pass

def errors(config):
    config.addinivalue_line('filterwarnings', 'error')

def note(what):
    if references:
        with open('../seen', 'a') as file:
            file.write(f'{what}\\n')

def look():
    alive = sum(reference() is not None for reference in references)
    note(f'{alive} alive')
--- test_a.py
import garbage
import weakref

def test_leaves(tmp_path):
    node = garbage.Node()
    garbage.references.append(weakref.ref(node))
    garbage.frozen = garbage.gc.get_freeze_count()
--- conftest.py
";

const WHO_LOOKS: &[(&str, &str)] = &[
    ("nobody", ""),
    (
        "a hook, early",
        "
import garbage
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    garbage.look()
",
    ),
    (
        "a hook, late",
        "
import garbage
import pytest
@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    garbage.look()
",
    ),
    (
        "a cleanup",
        "
import garbage
def pytest_configure(config):
    config.add_cleanup(garbage.look)
",
    ),
    (
        "an exit function",
        "
import atexit
import garbage
@atexit.register
def collects_and_looks():
    garbage.note(f'{garbage.gc.collect() > 0}')
    garbage.look()
",
    ),
    (
        "a finaliser",
        "
import garbage
def goes(self, note=garbage.note):
    note('it goes')
garbage.Node.__del__ = goes
",
    ),
    (
        "a finaliser that fails",
        "
import garbage
def goes(self):
    raise ValueError('it goes')
garbage.Node.__del__ = goes
",
    ),
    (
        "a suspended generator",
        "
import garbage
def goes(note=garbage.note):
    try:
        yield
    finally:
        note('it goes')
def keeps():
    suspended = goes()
    next(suspended)
    return suspended
garbage.keeps = keeps
",
    ),
    (
        "a file that is open, where warnings are errors",
        "
import garbage
pytest_configure = garbage.errors
garbage.keeps = lambda: open(__file__)
",
    ),
    (
        "a socket that is open, where warnings are errors",
        "
import fcntl
import garbage
import socket
pytest_configure = garbage.errors
def keeps():
    descriptor = socket.socket().detach()
    # It is shown, and the same in each process.
    return socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD, 200))
garbage.keeps = keeps
",
    ),
    (
        "a callback",
        "
import garbage
import weakref
def begin(self, init=garbage.Node.__init__):
    init(self)
    weakref.finalize(self, garbage.note, 'it goes')
garbage.Node.__init__ = begin
",
    ),
];

/// In any order, since workers end in any.
fn seen(project: &Project) -> Vec<String> {
    let text = fs::read_to_string(project.base().join("seen")).unwrap_or_default();
    let _ = fs::remove_file(project.base().join("seen"));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn whoever_looks_at_it_sees_it_go() {
    // The others have no xdist to compare with.
    const ALONE: &[&[&str]] = &[&[]];
    const EACH: &[&[&str]] = &[&[], &["-n", "1"], &["-n", "2"]];
    let mut versions = vec![(main_venv().real(), EACH)];
    let older = [pytest_venv("8.4.2"), pytest_venv("8.0.2")];
    let others = older.into_iter().chain(venvs_of_older_pythons());
    versions.extend(others.map(|venv| (venv, ALONE)));
    for (venv, ways) in &versions {
        for (who, conftest) in WHO_LOOKS {
            let project = Project::new(&format!("{SUITE}{conftest}"));
            for arguments in *ways {
                let pytest = Command::pytest(venv, &project).args(*arguments).run();
                let expected = (seen(&project), pytest.code, said(&pytest));
                let run = Command::rpytest(venv, &project).args(*arguments).run();
                let got = (seen(&project), run.code, said(&run));
                let name = venv.root().display();
                assert_eq!(got, expected, "{name}, {arguments:?}: {who}\n{run}");
            }
        }
    }
}

/// A run of a session that the daemon has lent has most of it out of sight from the start.
#[test]
fn whoever_looks_in_a_session_that_was_lent_sees_it_go() {
    let mut lent = 0;
    for (who, conftest) in WHO_LOOKS {
        let project = Project::new(&format!("{SUITE}{conftest}"));
        let pytest = Command::pytest(main_venv(), &project).run();
        let expected = (seen(&project), pytest.code, said(&pytest));
        let daemon = Daemon::start(&project);
        for turn in 0..2 {
            let run = daemon.run(&[]);
            let got = (seen(&project), run.code, said(&run));
            assert_eq!(got, expected, "{who}, run {turn}\n{run}");
            daemon.has_settled();
        }
        lent += usize::from(daemon.lent() > 0);
        daemon.stop();
    }
    // What a conftest does when it is imported may be in the way.
    assert!(lent > WHO_LOOKS.len() / 2, "{lent} of {}", WHO_LOOKS.len());
}

/// What was raised, wherever that is told.
fn said(run: &Run) -> Vec<String> {
    let both = run.stdout.lines().chain(run.stderr.lines());
    both.filter(|line| line.contains("ValueError") || line.contains("Unraisable"))
        .map(|line| {
            line.split(" at 0x")
                .next()
                .unwrap_or(line)
                .trim()
                .to_owned()
        })
        .collect()
}

/// How much has been taken out of sight since, when pytest looks for garbage.
const COUNTS: &str = "
import garbage
gc = garbage.gc
def collect(*arguments, collect=gc.collect):
    if garbage.references:
        with open('../out-of-sight', 'a') as file:
            file.write(f'{gc.get_freeze_count() - garbage.frozen} ')
    return collect(*arguments)
gc.collect = collect
";

/// Where nobody looks, nothing is looked through.
#[test]
fn where_nobody_looks_nothing_is_looked_through() {
    let effect = "
import os
os.makedirs('effect', exist_ok=True)
";
    let (_, finaliser) = WHO_LOOKS[5];
    let errors = "
import garbage
pytest_configure = garbage.errors
";
    let venvs = [main_venv().real(), pytest_venv("8.4.2")];
    for venv in venvs.into_iter().chain(venvs_of_older_pythons()) {
        for (conftest, expected) in [("", false), (finaliser, true), (errors, false)] {
            // A worker that is not forked from another that has collected has as much in sight.
            for arguments in [&[][..], &["-n1"]] {
                let project = Project::new(&format!("{SUITE}{COUNTS}{effect}{conftest}"));
                let run = Command::rpytest(&venv, &project).args(arguments).run();
                run.expect(0, "1 passed");
                let numbers = project.words("../out-of-sight");
                assert!(!numbers.is_empty(), "{run}");
                for number in numbers {
                    let is_in_sight = number.parse::<i32>().expect("a number") < 50_000;
                    assert_eq!(
                        is_in_sight,
                        expected,
                        "{}, {arguments:?}: {number} {conftest}",
                        venv.root().display()
                    );
                }
            }
        }
    }
}

/// Nor in a session that was lent, in which only what the test has left is in sight.
#[test]
fn where_nobody_looks_in_a_session_that_was_lent_nothing_is_looked_through() {
    let leaves = "
--- test_b.py
import garbage
def test_leaves_more():
    garbage.plenty += [[number] for number in range(50_000)]
";
    let (_, finaliser) = WHO_LOOKS[5];
    for (conftest, expected) in [("", false), (finaliser, true)] {
        let project = Project::new(&format!("{SUITE}{COUNTS}{conftest}{leaves}"));
        let daemon = Daemon::start(&project);
        daemon.run(&[]).expect(0, "2 passed");
        fs::remove_file(project.base().join("out-of-sight")).expect("it is there");
        daemon.has_settled();
        let run = daemon.run(&[]);
        run.expect(0, "2 passed");
        assert!(daemon.lent() > 0, "{run}");
        for number in project.words("../out-of-sight") {
            let is_in_sight = number.parse::<i32>().expect("a number") < 50_000;
            assert_eq!(is_in_sight, expected, "{number}, {conftest}\n{run}");
        }
        daemon.stop();
    }
}

/// What a process had before it was forked is out of the collector's sight, but not for a test that looks
/// for it.
#[test]
fn a_test_that_looks_for_objects_finds_those_of_its_modules() {
    let looks = "
--- pytest.ini
--- helpers.py
import functools

class Known:
    pass

@functools.lru_cache
def cached(name):
    return object()

ALL = [Known() for _ in range(3)]
--- test_it.py
import functools
import gc
import pytest
import helpers

@pytest.fixture
def no_caches():
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper):
            one.cache_clear()

def test_fills():
    test_fills.found = helpers.cached('a')
    assert helpers.cached('a') is test_fills.found

@pytest.mark.parametrize('turn', range(3))
def test_counts(turn):
    gc.collect()
    assert sum(type(one) is helpers.Known for one in gc.get_objects()) == 3

def test_caches(no_caches):
    assert helpers.cached.cache_info().currsize == 0

def test_referrers():
    assert any(one is helpers.ALL for one in gc.get_referrers(helpers.ALL[0]))
";
    let project = Project::new(looks);
    for arguments in [&[][..], &["-n1"], &["-n2"]] {
        let run = Command::rpytest(main_venv(), &project)
            .args(arguments)
            .run();
        run.expect(0, "6 passed");
    }
    let daemon = Daemon::start(&project);
    for _ in 0..3 {
        daemon.run(&[]).expect(0, "6 passed");
        daemon.has_settled();
    }
    assert!(daemon.lent() > 0);
    daemon.stop();
}
