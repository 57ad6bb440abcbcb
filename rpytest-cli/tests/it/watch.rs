//! `--watch`: what a change concerns runs, and nothing else does.

mod keys;

use std::fs;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::support::python::main_venv;
use crate::support::run::Running;
use crate::support::{Command, Project};

/// How each run ends.
const END: &str = "waiting for changes";

/// `rpytest --watch -v` in a project.
struct Watching<'a> {
    project: &'a Project,
    running: Running,
    /// How much of its output was looked at.
    seen: usize,
}

impl<'a> Watching<'a> {
    fn start(project: &'a Project, arguments: &[&str]) -> Self {
        Self::command(Command::rpytest(main_venv(), project), project, arguments)
    }

    fn command(command: Command<'a>, project: &'a Project, arguments: &[&str]) -> Self {
        let running = command
            .output("watch")
            .args(["--watch", "-v", "-p", "no:randomly"])
            .args(arguments)
            .start();
        Watching {
            project,
            running,
            seen: 0,
        }
    }

    /// The output of the next run that comes to its end.
    fn next(&mut self) -> String {
        self.until(END)
    }

    /// The output until a line with this text.
    fn until(&mut self, wanted: &str) -> String {
        let path = self.project.base().join("watch/stdout");
        let seen = self.seen;
        let read = || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let new = text.get(seen..).unwrap_or_default();
            let at = new.find(wanted)?;
            let end = new[at..].find('\n')?;
            Some(new[..at + end + 1].to_owned())
        };
        self.running.until(wanted, || read().is_some());
        let new = read().expect("it was there");
        self.seen += new.len();
        new
    }

    /// The tests of the next run, in its order, and what rpytest says before and after it.
    fn runs(&mut self) -> (Vec<String>, String) {
        let text = self.next();
        (tests(&text), remarks(&text))
    }

    fn stop(self) -> i32 {
        self.running.signal(Signal::INT);
        self.running.wait().code
    }

    fn write(&self, name: &str, text: &str) {
        self.project.put(name, text);
    }
}

/// What `-v` lists.
fn tests(text: &str) -> Vec<String> {
    let words = text.lines().filter_map(|line| {
        let outcomes = [" PASSED", " FAILED", " ERROR", " SKIPPED"];
        let end = outcomes.iter().find_map(|outcome| line.find(outcome))?;
        line[..end].contains("::").then(|| line[..end].to_owned())
    });
    words.collect()
}

/// What rpytest says itself, without the times.
fn remarks(text: &str) -> String {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("rpytest: "));
    let untimed = lines.map(|line| match (line.find(" in "), line.find(" s;")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 2..]),
        _ => line.to_owned(),
    });
    untimed.collect::<Vec<_>>().join("\n")
}

const SUITE: &str = "
--- pyproject.toml
[tool.pytest.ini_options]
pythonpath = ['src']
--- src/shop/__init__.py
--- src/shop/tax.py
RATE = 10
--- src/shop/price.py
from shop import tax
def price(): return 100 + tax.RATE
--- src/shop/stock.py
COUNT = 3
--- tests/test_price.py
from shop.price import price
def test_price(): assert price() == 110
--- tests/test_stock.py
from shop import stock
def test_stock(): assert stock.COUNT
--- tests/deep/conftest.py
--- tests/deep/test_deep.py
def test_deep(): pass
--- tests/test_data.py
from pathlib import Path
def test_data(): assert Path(__file__).with_name('data.txt').read_text()
--- tests/data.txt
x
--- tests/test_shared.py
import pytest
from pathlib import Path
@pytest.fixture(scope='session')
def shared():
    return (Path(__file__).parent / 'shared.json').read_text()
def test_first(): pass
def test_second(shared): assert shared
--- tests/shared.json
{}
--- README.md
nothing
";

#[test]
fn a_change_runs_what_it_concerns() {
    let project = Project::new(SUITE);
    let mut watching = Watching::start(&project, &[]);
    let (all, remark) = watching.runs();
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(remark, "6 passed; waiting for changes");
    for (file, text, expected) in [
        (
            "tests/test_stock.py",
            "def test_stock(): pass\n",
            "tests/test_stock.py::test_stock",
        ),
        (
            "src/shop/tax.py",
            "RATE = 10.0\n",
            "tests/test_price.py::test_price",
        ),
        (
            "tests/deep/conftest.py",
            "import os\n",
            "tests/deep/test_deep.py::test_deep",
        ),
        ("tests/data.txt", "y\n", "tests/test_data.py::test_data"),
        (
            "tests/shared.json",
            "[]\n",
            "tests/test_shared.py::test_first tests/test_shared.py::test_second",
        ),
        (
            "tests/test_new.py",
            "from shop import price\ndef test_new(): pass\n",
            "tests/test_new.py::test_new",
        ),
        (
            "src/shop/price.py",
            "def price(): return 110\n",
            "tests/test_new.py::test_new tests/test_price.py::test_price",
        ),
    ] {
        watching.write(file, text);
        let (ran, remark) = watching.runs();
        assert_eq!(ran.join(" "), expected, "{file}");
        let head = remark.lines().next().unwrap_or_default();
        let files: std::collections::BTreeSet<&str> =
            ran.iter().filter_map(|id| id.split("::").next()).collect();
        let many = match files.len() {
            1 => "1 test file".to_owned(),
            many => format!("{many} test files"),
        };
        assert_eq!(head, format!("{file} changed: {many}"));
    }
    // It imports no tax any more: nobody does.
    watching.write("src/shop/tax.py", "RATE = 9\n");
    watching.write("README.md", "something\n");
    let touched = project.root().join("tests/test_price.py");
    let file = fs::File::options().append(true).open(touched);
    let set = file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
    set.expect("its time is set");
    // By an editor that writes another file and renames it.
    watching.write("tests/.test_stock.py.tmp", "def test_again(): pass\n");
    let from = project.root().join("tests/.test_stock.py.tmp");
    fs::rename(from, project.root().join("tests/test_stock.py")).expect("renamed");
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["tests/test_stock.py::test_again"], "{remark}");
    watching.write(
        "pyproject.toml",
        "[tool.pytest.ini_options]\npythonpath = ['src']\naddopts = '-k stock'\n",
    );
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["tests/test_stock.py::test_again"]);
    assert_eq!(
        remark,
        "pyproject.toml changed: all tests\n1 passed; waiting for changes"
    );
    assert_eq!(watching.stop(), 0);
}

#[test]
fn failed_tests_come_first_and_are_not_forgotten() {
    let project = Project::new(
        "
--- common.py
--- test_a.py
import common
def test_1(): pass
def test_2(): assert getattr(common, 'x', 0)
--- test_b.py
import common
def test_1(): assert getattr(common, 'x', 0)
--- test_c.py
def test_1(): pass
",
    );
    let mut watching = Watching::start(&project, &[]);
    let (_, remark) = watching.runs();
    assert_eq!(remark, "2 failed, 2 passed; waiting for changes");
    watching.write("test_c.py", "def test_1(): pass\ndef test_2(): pass\n");
    let (_, remark) = watching.runs();
    assert!(
        remark.ends_with("2 passed; 2 of other files still fail; waiting for changes"),
        "{remark}"
    );
    watching.write("common.py", "x = 1\n");
    let (ran, remark) = watching.runs();
    let expected = [
        "test_a.py::test_2",
        "test_b.py::test_1",
        "test_a.py::test_1",
    ];
    assert_eq!(ran, expected);
    assert!(
        remark.ends_with("3 passed; waiting for changes"),
        "{remark}"
    );
    watching.write("common.py", "x = False\n");
    let (_, remark) = watching.runs();
    assert!(remark.contains("2 failed"), "{remark}");
    // What is gone does not fail.
    fs::remove_file(project.root().join("test_b.py")).expect("removed");
    watching.write("test_c.py", "def test_1(): pass\n");
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["test_c.py::test_1"]);
    assert!(remark.ends_with("1 passed; 1 of other files still fail; waiting for changes"));
    assert_eq!(watching.stop(), 0);
}

#[test]
fn a_change_ends_a_run_that_it_makes_pointless() {
    let project = Project::new(
        "
--- helper.py
SECONDS = 100
--- test_a.py
def test_quick(): pass
--- test_b.py
import time
from pathlib import Path
import helper
def test_slow():
    Path('begun').touch()
    time.sleep(helper.SECONDS)
def test_last(): pass
",
    );
    let mut watching = Watching::start(&project, &[]);
    let begun = project.root().join("begun");
    watching.running.until("the test runs", || begun.exists());
    watching.write("helper.py", "SECONDS = 0\n");
    let (ran, remark) = watching.runs();
    // What was left of the run that was ended; the other one had passed.
    let expected = "helper.py changed: 1 test file\n2 passed; waiting for changes";
    assert_eq!(remark, expected);
    let expected = [
        "test_a.py::test_quick",
        "test_b.py::test_slow",
        "test_b.py::test_last",
    ];
    assert_eq!(ran, expected);
    // What a change does not concern goes on.
    fs::remove_file(&begun).expect("removed");
    watching.write("helper.py", "SECONDS = 2\n");
    watching.running.until("the test runs", || begun.exists());
    watching.write("test_a.py", "def test_other(): pass\n");
    let (ran, _) = watching.runs();
    assert_eq!(ran, ["test_b.py::test_slow", "test_b.py::test_last"]);
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["test_a.py::test_other"], "{remark}");
    assert_eq!(watching.stop(), 0);
}

#[test]
fn what_a_run_did_not_come_to_is_owed() {
    let project = Project::new(
        "
--- common.py
--- test_a.py
import common
def test_a(): pass
--- test_b.py
import common
def test_b(): pass
--- test_c.py
def test_c(): pass
",
    );
    let mut watching = Watching::start(&project, &[]);
    watching.next();
    watching.write("test_a.py", "import common\ndef test_a(: pass\n");
    let (ran, remark) = watching.runs();
    assert!(ran.is_empty(), "{ran:?}");
    assert!(
        remark.ends_with(
            "no tests ran; what did not run is run after the next change; waiting for changes"
        ),
        "{remark}"
    );
    watching.write("common.py", "x = 1\n");
    let (ran, _) = watching.runs();
    assert!(ran.is_empty(), "{ran:?}");
    watching.write("test_a.py", "import common\ndef test_a(): pass\n");
    let (ran, _) = watching.runs();
    assert_eq!(ran, ["test_a.py::test_a", "test_b.py::test_b"]);
    assert_eq!(watching.stop(), 0);

    let mut watching = Watching::start(&project, &["-x"]);
    watching.next();
    watching.write("common.py", "x = 1 / 1\n");
    watching.next();
    watching.write("test_a.py", "import common\ndef test_a(): assert 0\n");
    watching.next();
    watching.write("common.py", "x = 2\n");
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["test_a.py::test_a"], "{remark}");
    watching.write("test_a.py", "def test_a(): pass\n");
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["test_a.py::test_a", "test_b.py::test_b"], "{remark}");
    assert_eq!(watching.stop(), 0);
}

#[test]
fn a_selection_stays_one() {
    let project = Project::new(SUITE);
    let arguments = [
        "tests/test_price.py::test_price",
        "tests/deep",
        "tests/test_data.py",
        "-n",
        "2",
    ];
    let mut watching = Watching::start(&project, &arguments);
    let (_, remark) = watching.runs();
    assert_eq!(remark, "3 passed; waiting for changes");
    // Workers tell what they have read, too.
    watching.write("tests/data.txt", "other\n");
    let (_, remark) = watching.runs();
    let expected = "tests/data.txt changed: 1 test file\n1 passed; waiting for changes";
    assert_eq!(remark, expected);
    watching.write("tests/test_stock.py", "def test_stock(): pass\n");
    watching.write("src/shop/price.py", "def price(): return 110\n");
    let (_, remark) = watching.runs();
    assert!(
        remark.ends_with("changed: 1 test file\n1 passed; waiting for changes"),
        "{remark}"
    );
    assert_eq!(watching.stop(), 0);
}

/// More files than it pays to name to pytest one by one.
#[test]
fn many_files_run_in_pytests_order() {
    let mut files = "--- common.py\n--- deep/a/__init__.py\n".to_owned();
    for number in 0..30 {
        let directory = ["", "deep/", "deep/a/"][number % 3];
        let import = if number == 7 { "" } else { "import common\n" };
        files.push_str(&format!(
            "--- {directory}test_{number}.py\n{import}def test(): pass\n"
        ));
    }
    files.push_str("--- pytest.ini\n[pytest]\npythonpath = .\n");
    let project = Project::new(&files);
    let mut watching = Watching::start(&project, &[]);
    let (mut all, _) = watching.runs();
    assert_eq!(all.len(), 30);
    watching.write("common.py", "x = 1\n");
    let (ran, remark) = watching.runs();
    all.retain(|test| !test.contains("test_7.py"));
    assert_eq!(ran, all, "{remark}");
    assert!(
        remark.starts_with("common.py changed: 29 test files\n"),
        "{remark}"
    );
    assert_eq!(watching.stop(), 0);
}

#[test]
fn what_is_ignored_runs_nothing() {
    let project = Project::new(
        "
--- pyproject.toml
[tool.rpytest]
watch_ignore = ['made/', '*.log']
--- .gitignore
local/
--- made/x.txt
--- local/x.txt
--- x.log
--- test_a.py
from pathlib import Path
def test_a():
    for name in ['made/x.txt', 'local/x.txt', 'x.log', 'own.txt']:
        path = Path(name)
        if name == 'own.txt':
            path.write_text(str(len(path.read_text()) if path.exists() else 1))
        path.read_text()
--- test_b.py
def test_b(): pass
",
    );
    let mut watching = Watching::start(&project, &[]);
    watching.next();
    for name in ["made/x.txt", "local/x.txt", "x.log", "test_a.py~"] {
        watching.write(name, "other");
    }
    // A file that the tests have written is none that they depend on.
    watching.write("own.txt", "other");
    watching.write("test_b.py", "def test_c(): pass\n");
    let (ran, remark) = watching.runs();
    assert_eq!(ran, ["test_b.py::test_c"], "{remark}");
    assert_eq!(watching.stop(), 0);
}

#[test]
fn the_daemon_lends_what_has_not_collected() {
    let project = Project::new(SUITE);
    let command = Command::rpytest(main_venv(), &project).without("RPYTEST_NO_DAEMON");
    let mut watching = Watching::command(command, &project, &["--explain"]);
    let (all, _) = watching.runs();
    assert_eq!(all.len(), 6);
    let errors = project.base().join("watch/stderr");
    let lent = || {
        fs::read_to_string(&errors)
            .unwrap_or_default()
            .matches("the daemon lent a session that was configured")
            .count()
    };
    for turn in 0..20 {
        watching.write("src/shop/stock.py", &format!("COUNT = 1{turn}\n"));
        let (ran, _) = watching.runs();
        assert_eq!(ran, ["tests/test_stock.py::test_stock"]);
        if lent() > 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(lent() > 1, "the daemon is of use");
    assert_eq!(watching.stop(), 0);
    let stopped = Command::rpytest(main_venv(), &project)
        .args(["--daemon-stop"])
        .run();
    assert_eq!(stopped.code, 0, "{stopped}");
}

#[test]
fn fixtures_that_stay_up_do_so_while_it_watches() {
    let project = Project::new(
        "
--- conftest.py
import pytest
from pathlib import Path
HERE = Path(__file__).parent

@pytest.fixture(scope='session')
def wide():
    with open(HERE / 'log.txt', 'a') as log:
        log.write('up ')
    yield (HERE / 'data.txt').read_text()
    with open(HERE / 'log.txt', 'a') as log:
        log.write('down ')
--- log.txt
--- data.txt
x
--- helper.py
VALUE = 1
--- test_a.py
from helper import VALUE
def test_a(wide):
    assert VALUE
--- test_b.py
def test_b(wide):
    pass
",
    );
    let command = Command::rpytest(main_venv(), &project).without("RPYTEST_NO_DAEMON");
    let mut watch = Watching::command(command, &project, &["--reuse-fixtures"]);
    let log = || project.read("log.txt").trim().to_owned();
    assert_eq!(watch.runs().0, ["test_a.py::test_a", "test_b.py::test_b"]);
    assert_eq!(log(), "up");
    watch.write("helper.py", "VALUE = 1 - 1\n");
    let (ran, _) = watch.runs();
    assert_eq!(ran, ["test_a.py::test_a"]);
    watch.write("helper.py", "VALUE = 12 - 1\n");
    assert_eq!(watch.runs().0, ["test_a.py::test_a"]);
    assert_eq!(log(), "up");
    // Whoever uses the fixture that has read it, also in a run that is not the first.
    watch.write("data.txt", "other");
    assert_eq!(watch.runs().0, ["test_a.py::test_a", "test_b.py::test_b"]);
    assert_eq!(log(), "up down up");
    assert_eq!(watch.stop(), 0);
    let stopped = Command::rpytest(main_venv(), &project)
        .args(["--daemon-stop"])
        .run();
    assert_eq!(stopped.code, 0, "{stopped}");
    assert_eq!(log(), "up down up down");
}

#[test]
fn signals_end_it() {
    let project = Project::new("--- test_a.py\ndef test_a(): assert 0\n");
    let mut watching = Watching::start(&project, &[]);
    watching.next();
    // The exit code is that of the last run.
    assert_eq!(watching.stop(), 1);

    let mut watching = Watching::start(&project, &[]);
    watching.next();
    watching.running.signal(Signal::TERM);
    assert_eq!(watching.running.wait().code, 128 + 15);

    watching = Watching::start(&project, &[]);
    watching.next();
    watching.write(
        "test_a.py",
        "import pathlib, time\ndef test_a():\n    pathlib.Path('begun').touch()\n    while True:\n        time.sleep(0.01)\n",
    );
    let begun = project.root().join("begun");
    watching.running.until("the test runs", || begun.exists());
    let run = watching.running;
    run.signal_group(Signal::INT);
    let run = run.wait();
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stdout.contains("KeyboardInterrupt"), "{run}");
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let project = Project::new("--- pyproject.toml\n[tool.rpytest]\nwatch_ignore = ['{a']\n");
    let run = Command::rpytest(main_venv(), &project)
        .args(["--watch"])
        .run();
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stderr.contains("watch_ignore"), "{run}");
    let run = Command::rpytest(main_venv(), &project)
        .args(["--watch", "missing"])
        .run();
    assert_eq!(run.code, 4, "{run}");
}
