//! Edits at random: whatever happens to a project between two runs, the next one is what it would be without
//! a daemon.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::Daemon;
use super::changes::compare_with;
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

/// How many edits. `RPYTEST_TEST_EDITS` asks for more.
const EDITS: usize = 40;

const SUITE: &str = "
--- pytest.ini
[pytest]
pythonpath = src
--- src/core/__init__.py
from .numbers import FACTOR
--- src/core/numbers.py
FACTOR = 1
--- conftest.py
import os
import pytest
from pathlib import Path

@pytest.fixture
def data():
    return Path('data.txt').read_text()

COUNT = len((Path(__file__).parent / 'count.txt').read_text())
--- data.txt
one
--- count.txt
12
--- test_0.py
import pytest
from core import FACTOR
from conftest import COUNT

@pytest.mark.parametrize('n', range(COUNT))
def test_factor(n, data):
    print('data', data)
    assert (n * FACTOR) % 3 != 2
--- area/__init__.py
--- area/test_1.py
import core

class TestArea:
    def test_here(self):
        assert core.FACTOR < 6, core.__file__
";

/// A small generator of numbers, by Marsaglia's xorshift: a failure names the seed that it began with.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or_default()
    }
}

/// Does one thing to a project, and says what.
fn edit(project: &Project, chance: &mut Chance) -> String {
    let root = project.root();
    let number = chance.below(5);
    let there = |path: &str| root.join(path).exists();
    let (path, text) = match chance.below(13) {
        0 => ("src/core/numbers.py", format!("FACTOR = {number}\n")),
        1 => ("count.txt", "x".repeat(1 + number)),
        2 => ("data.txt", format!("word {number}\n")),
        3 => (
            "test_2.py",
            format!("def test_two():\n    assert {number} != 3\n"),
        ),
        4 if there("test_2.py") => {
            fs::remove_file(root.join("test_2.py")).expect("it is there");
            return "test_2.py is gone".to_owned();
        }
        5 => (
            "area/conftest.py",
            format!("collect_ignore = {}\n", ["[]", "['test_1.py']"][number % 2]),
        ),
        6 if there("area/conftest.py") => {
            fs::remove_file(root.join("area/conftest.py")).expect("it is there");
            return "area/conftest.py is gone".to_owned();
        }
        7 => {
            let (from, to) = match there("area") {
                true => ("area", "place"),
                false => ("place", "area"),
            };
            if there(to) {
                fs::remove_dir_all(root.join(to)).expect("it is there");
            }
            fs::rename(root.join(from), root.join(to)).expect("it is there");
            return format!("{from} is {to} now");
        }
        8 => (
            "pytest.ini",
            format!(
                "[pytest]\npythonpath = src\naddopts = {}\n",
                ["", "-v", "-x", "-q", "-rA"][number]
            ),
        ),
        // In front of the one of `src`: the root directory comes first.
        9 => ("core.py", format!("FACTOR = {number}\n")),
        10 if there("core.py") => {
            fs::remove_file(root.join("core.py")).expect("it is there");
            return "core.py is gone".to_owned();
        }
        11 => {
            // Another inode with the content of before.
            let text = fs::read(root.join("test_0.py")).expect("it is there");
            fs::write(root.join("new"), text).expect("a file");
            fs::rename(root.join("new"), root.join("test_0.py")).expect("a file");
            return "test_0.py is written anew".to_owned();
        }
        12 => (
            "conftest.py",
            format!("{}\n# {number}\n", project.read("conftest.py").trim_end()),
        ),
        _ => return "nothing".to_owned(),
    };
    project.write(&format!("--- {path}\n{text}"));
    format!("{path} is {text:?}")
}

/// Edits a project, runs it after each edit, and compares with pytest. Returns how many edits there were, and
/// the runs.
fn after_each_edit(suite: &str) -> (usize, Vec<Run>) {
    let edits = std::env::var("RPYTEST_TEST_EDITS").ok();
    let edits = edits.and_then(|edits| edits.parse().ok()).unwrap_or(EDITS);
    let seed = std::env::var("RPYTEST_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) + 1);
    let mut chance = Chance(seed);
    let project = Project::new(suite);
    let daemon = Daemon::start(&project);
    let mut done = Vec::new();
    let mut runs = Vec::new();
    for _ in 0..edits {
        done.push(edit(&project, &mut chance));
        // At once, while a session is grown, or when one has been.
        sleep(Duration::from_millis(
            [0, 0, 150, 700, 1200][chance.below(5)],
        ));
        let what = format!("seed {seed}: {}", done.join("; "));
        let pytest = Command::pytest(main_venv(), &project);
        runs.push(compare_with(pytest, &daemon, &project, &[], &what));
    }
    daemon.stop();
    (edits, runs)
}

fn with_note(runs: &[Run], note: &str) -> usize {
    let runs = runs.iter();
    runs.filter(|run| run.stderr.contains(note)).count()
}

#[test]
fn whatever_is_edited_the_next_run_is_right() {
    let (edits, runs) = after_each_edit(SUITE);
    let configured = with_note(&runs, "the daemon lent a session that was configured");
    let collected = with_note(&runs, "the daemon lent a session that had collected");
    // Truth would be easy with interpreters alone.
    assert!(
        configured + collected > edits / 8 && collected > 0,
        "of {edits} runs {configured} began from a configured session, {collected} from one that had collected"
    );
}

#[test]
fn whatever_is_edited_fixtures_that_stay_up_are_right() {
    let suite = format!(
        "{SUITE}
--- pyproject.toml
[tool.rpytest]
enable_fixture_reuse = true
--- conftest.py
import pytest
from pathlib import Path
import shared

HERE = Path(__file__).parent
COUNT = len((HERE / 'count.txt').read_text())

@pytest.fixture(scope='session')
def wide():
    return [(HERE / 'data.txt').read_text()]

@pytest.fixture(scope='session', autouse=True)
def made(wide):
    return shared.double(COUNT), *wide

@pytest.fixture
def data(made, wide):
    assert made[1] is wide[0]
    return Path('data.txt').read_text(), made
--- shared.py
from core import FACTOR

def double(number):
    return FACTOR * number * 2
"
    );
    let (edits, runs) = after_each_edit(&suite);
    let up = with_note(&runs, "2 were up");
    let lent = with_note(&runs, "a process that keeps fixtures");
    assert!(
        up > edits / 20 && lent - up > edits / 20,
        "of {edits} runs {lent} had a process that keeps fixtures, {up} with fixtures that were up"
    );
}
