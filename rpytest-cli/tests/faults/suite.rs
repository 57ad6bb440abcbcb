//! The suite that things happen to, in one project for each way of running it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rpytest_sched::simulate::Random;

use crate::checks::{self, Expected, Known};
use crate::fault::{Fault, NOT_INJECTED, Obstacle};
use crate::processes;
use crate::support::python::main_venv;
use crate::support::run::Running;
use crate::support::{Command, Project};

/// How a suite is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mode {
    /// Workers; none for a session that runs its tests itself.
    pub workers: u8,
    /// A process for each test.
    pub isolates: bool,
    /// Whether there is a daemon.
    pub daemon: bool,
    /// Whether one of the tests fails.
    pub fails: bool,
}

impl Mode {
    /// One of them.
    pub fn any(random: &mut Random) -> Self {
        let workers = (random.part() * 3.0) as u8;
        Self {
            workers,
            isolates: workers == 2 && random.chance(0.25),
            daemon: random.chance(0.5),
            fails: random.chance(0.5),
        }
    }

    fn arguments(self) -> Vec<String> {
        let mut arguments = vec!["--junitxml=reports/junit.xml".to_owned(), "-rA".to_owned()];
        if self.workers > 0 {
            arguments.extend(["-n".to_owned(), self.workers.to_string()]);
        }
        if self.isolates {
            arguments.push("--isolate=test".to_owned());
        }
        arguments
    }
}

/// Runs its first argument as a script, with the others, in a mount namespace of its own.
pub const OF_ITS_OWN: &str = r#"
script=$1; shift
case $(id -u) in 0) as=;; *) as=--map-root-user;; esac
exec unshare --mount $as /bin/sh -c "$script" sh "$@"
"#;

const FILES: usize = 4;
const TESTS: usize = 8;

/// Each test leaves a word when it begins and when it ends, outside of the project.
const CONFTEST: &str = "
--- conftest.py
import os
import pathlib
import time

import pytest

LOG = str(pathlib.Path(__file__).parent.parent / 'ran')

def note(word):
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f'{word}\\n'.encode())
    os.close(log)

# What a fault of the test's own doing is, and what it keeps.
DEED = pathlib.Path(LOG).with_name('deed')
KEPT = []

def descriptor():
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None

def do():
    if DEED.exists():
        exec(DEED.read_text())

@pytest.fixture(scope='session')
def shared(tmp_path_factory):
    time.sleep(0.01)
    yield tmp_path_factory.mktemp('shared')
    time.sleep(0.01)

@pytest.fixture
def noted(request, shared):
    note('begins ' + request.node.nodeid)
    yield
    note('ends ' + request.node.nodeid)
";

fn files(fails: bool) -> String {
    let mut text = CONFTEST.to_owned();
    for file in 0..FILES {
        let _ = write!(
            text,
            "--- test_{file}.py\nimport time\nimport pytest\nfrom conftest import do\npytestmark = pytest.mark.usefixtures('noted')\n"
        );
        for test in 0..TESTS {
            let body = match (file, test) {
                (_, 0) => "(tmp_path):\n    (tmp_path / 'file').write_text('text')",
                (1, 1) if fails => "():\n    assert [1, 2] == [1, 3]",
                (1, 2) => "():\n    pytest.skip('not here')",
                (2, 1) => "():\n    pytest.xfail('as known')",
                (2, 4) => "():\n    do()",
                (_, 3) => "(capfd):\n    print('captured')\n    assert capfd.readouterr().out",
                _ => "():\n    print('some words')\n    time.sleep(0.012)",
            };
            let _ = writeln!(text, "def test_{test}{body}");
        }
    }
    text
}

fn expected(fails: bool) -> Expected {
    let mut tests = BTreeMap::new();
    for file in 0..FILES {
        for test in 0..TESTS {
            let known = match (file, test) {
                (1, 1) if fails => Known::Failed,
                (1, 2) | (2, 1) => Known::Skipped,
                _ => Known::Passed,
            };
            tests.insert(format!("test_{file}::test_{test}"), known);
        }
    }
    Expected {
        tests,
        code: i32::from(fails),
    }
}

/// A project that lives through many faults.
#[derive(Debug)]
pub struct Suite {
    pub mode: Mode,
    pub project: Project,
    /// How long a run takes to which nothing happens.
    pub usual: Duration,
    expected: Expected,
    /// What is in the project and its caches after such a run.
    usual_files: BTreeSet<String>,
}

impl Suite {
    /// A new one, of which each run has been as it should be.
    pub fn new(mode: Mode) -> Self {
        let project = Project::new(&files(mode.fails));
        let mut suite = Suite {
            mode,
            project,
            usual: Duration::ZERO,
            expected: expected(mode.fails),
            usual_files: BTreeSet::new(),
        };
        for _ in 0..2 {
            let begun = Instant::now();
            suite.is_right("the first run");
            suite.usual = begun.elapsed();
        }
        suite.stop_daemon("the first run");
        suite.usual_files = suite.files();
        suite
    }

    /// Lets a fault happen to a run, and checks everything that must hold then. Returns what came of it, in a word.
    pub fn survives(&mut self, fault: &Fault, what: &str) -> String {
        self.forget();
        let obstacle = match fault {
            Fault::NoDirectory(place) => Some(Obstacle::new(&place.directory(&self.project))),
            _ => None,
        };
        if let Fault::Deed(deed) = fault {
            fs::write(self.project.base().join("deed"), deed).expect("a file");
        }
        let running = self.start(Some(fault));
        let is_over = AtomicBool::new(false);
        let (run, struck) = std::thread::scope(|scope| {
            let is_over = &is_over;
            let strikes =
                scope.spawn(|| fault.strike(&self.project, || is_over.load(Ordering::Relaxed)));
            let run = running.wait();
            is_over.store(true, Ordering::Relaxed);
            (run, strikes.join().expect("it does not panic"))
        });
        drop(obstacle);
        assert!(
            run.code != NOT_INJECTED,
            "{what} could not be injected\n{run}"
        );
        let _ = fs::remove_file(self.project.base().join("deed"));
        let came = checks::tells_the_truth(&self.project, &run, &self.expected, fault)
            .unwrap_or_else(|problem| panic!("{what}\n{problem}\n{run}"));
        // A daemon stays, with what it keeps; of the run nothing does.
        match self.mode.daemon {
            true => self.comes_to_rest(),
            false => self.nothing_runs(what),
        }
        self.is_right(&format!("after {what}"));
        self.stop_daemon(what);
        self.nothing_is_left(what);
        match struck {
            true => came,
            false => "there was nobody to strike".to_owned(),
        }
    }

    fn daemons(&self) -> PathBuf {
        self.project.base().join("daemons")
    }

    fn nothing_runs(&self, what: &str) {
        let ended = processes::end(&self.project, |_| false);
        ended.unwrap_or_else(|problem| panic!("{what}\n{problem}"));
    }

    /// Waits until no test says any more that it begins or ends. What the daemon has lent ends when it sees that whoever has borrowed
    /// it is gone; until then it goes on, and would be taken for the next run.
    fn comes_to_rest(&self) {
        let ran = || fs::read(self.project.base().join("ran")).unwrap_or_default();
        let begun = Instant::now();
        let mut before = ran();
        while begun.elapsed() < processes::PATIENCE {
            std::thread::sleep(Duration::from_millis(300));
            let now = ran();
            if now == before {
                break;
            }
            before = now;
        }
    }

    /// A run to which nothing happens.
    fn is_right(&self, what: &str) {
        self.forget();
        let run = self.start(None).wait();
        checks::is_right(&self.project, &run, &self.expected)
            .unwrap_or_else(|problem| panic!("the run {what}\n{problem}\n{run}"));
    }

    /// Ends the daemon that a run has left, or was about to.
    fn stop_daemon(&self, what: &str) {
        let begun = Instant::now();
        // One that is just becoming the daemon has no environment for a moment, by which it would be known.
        let mut nobody = 0;
        while self.mode.daemon && nobody < 3 {
            if processes::all(&self.project).is_empty() {
                nobody += 1;
                std::thread::sleep(Duration::from_millis(30));
                continue;
            }
            nobody = 0;
            // Nobody finds one from outside.
            processes::end_daemons_elsewhere(&self.project);
            let stop = Command::rpytest(main_venv(), &self.project)
                .output("stop")
                .env("RPYTEST_DAEMON_DIR", &self.daemons().to_string_lossy())
                .args(["--daemon-stop"])
                .run();
            // It says by 1 that there is none: that it is not there yet, as long as something runs.
            assert!(stop.code <= 1, "the end of the daemon after {what}\n{stop}");
            if begun.elapsed() > processes::PATIENCE {
                break;
            }
        }
        self.nothing_runs(what);
    }

    fn nothing_is_left(&self, what: &str) {
        let left = self.files();
        let left: Vec<_> = left.difference(&self.usual_files).collect();
        assert!(left.is_empty(), "files are left after {what}: {left:?}");
    }

    fn forget(&self) {
        let _ = fs::remove_file(self.project.base().join("ran"));
        let _ = fs::remove_dir_all(self.project.root().join("reports"));
        let _ = fs::create_dir_all(self.project.root().join("reports"));
    }

    /// Every file of the project and of the caches, without those whose names are chance.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.project.base().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = path
                    .strip_prefix(self.project.base())
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                // pytest keeps the temporary directories of three runs, and what our own commands write is ours.
                let is_others = name.starts_with("tmp/pytest-of-")
                    || ["output", "stop", "project/reports", "ran", "code"]
                        .contains(&name.as_str())
                    || name.ends_with(".pyc")
                    || name.ends_with("__pycache__")
                    || name.ends_with("lastfailed");
                if is_others || is_probe(&path) {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                }
                found.insert(name);
            }
        }
        found
    }

    fn start(&self, fault: Option<&Fault>) -> Running {
        let venv = main_venv();
        let script = match fault {
            Some(fault) => fault.script(&self.project),
            None => r#"exec "$rpytest" "$@""#.to_owned(),
        };
        let command = match fault.is_some_and(Fault::mounts) {
            false => Command::shell(venv, &self.project, &script).args(["sh"]),
            true => Command::shell(venv, &self.project, OF_ITS_OWN).args(["sh", &script]),
        };
        let command = match self.mode.daemon {
            true => command.without("RPYTEST_NO_DAEMON"),
            false => command,
        };
        command
            // Not on the disk that is full for the command alone: nobody else would find the daemon.
            .env("RPYTEST_DAEMON_DIR", &self.daemons().to_string_lossy())
            .env(
                "RPYTEST_CACHE_DIR",
                &self.project.base().join("cache").to_string_lossy(),
            )
            .args(self.mode.arguments())
            .start()
    }
}

/// Whether it is the file by which Python's `tempfile` finds out where it may write, and which it removes at once: what is killed in
/// between leaves it.
fn is_probe(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_chance =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    name.len() == 8
        && name.chars().all(is_chance)
        && fs::read(path).is_ok_and(|content| content.is_empty() || content == b"blat")
}
