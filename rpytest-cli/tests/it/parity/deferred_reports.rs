//! Reports of what has passed are made when somebody looks at them, and then they are pytest's.

use super::Table;
use crate::support::python::{main_venv, pytest_venv, venvs_of_older_pythons};
use crate::support::{Command, Project};

/// Enough tests for several lines of letters, with all that may come between them.
const STATS: &str = r#"
--- told.py
def told(stats):
    assert type(stats) is dict
    return {name: [one(entry) for entry in entries] for name, entries in stats.items()}

def one(entry):
    if not hasattr(entry, "when"):
        return type(entry).__name__
    values = {**vars(entry), "nodeid": entry.nodeid}
    for name in ("duration", "start", "stop"):
        assert values.pop(name, 0) >= 0
    values.pop("_id", None)
    # What has come from another process, with xdist as well.
    values.pop("$report_type", None)
    values["longrepr"] = bool(values["longrepr"])
    return values
--- conftest.py
import pytest
from told import told

def write(reporter):
    stats = reporter.stats
    for name, entries in told(stats).items():
        assert type(stats[name]) is list
        reporter.write_line(f"{name!r}: {len(entries)}")
        for entry in entries:
            reporter.write_line(f"    {entry}")
    # They are the same each time.
    assert all(one is other for one, other in zip(stats[""], reporter.getreports("")))
    again = reporter.getreports("passed")
    assert all(one is other for one, other in zip(stats["passed"], again))

def pytest_addoption(parser):
    parser.addoption("--tell", default="")

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    is_worker = hasattr(session.config, "workerinput")
    if session.config.option.tell == "finish" and not is_worker:
        write(session.config.pluginmanager.get_plugin("terminalreporter"))

def pytest_terminal_summary(terminalreporter, config):
    if config.option.tell == "summary":
        write(terminalreporter)
    if config.option.tell == "other":
        terminalreporter.stats = {"passed": terminalreporter.stats["passed"][:3]}

@pytest.fixture
def stats(pytestconfig):
    return pytestconfig.pluginmanager.get_plugin("terminalreporter").stats
--- test_a.py
import pytest

@pytest.mark.parametrize("number", range(170))
def test_passes(number):
    pass

def test_writes():
    print("written")

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

def test_passes_again():
    pass

@pytest.mark.parametrize("number", range(40))
def test_skips_every_other(number):
    if number % 2:
        pytest.skip("odd")

@pytest.mark.parametrize("number", range(40))
@pytest.mark.skip(reason="not today")
def test_skipped_as_well(number):
    pass

def test_passes_between():
    pass
--- test_b.py
import pytest
from told import told

@pytest.mark.parametrize("number", range(30))
def test_passes(number):
    pass

@pytest.fixture
def breaks():
    yield
    raise ValueError

def test_error(breaks):
    print("before the error")

def test_fails():
    assert 0

def test_looks(stats):
    counts = {name: len(entries) for name, entries in told(stats).items()}
    # Its own setup is among them.
    others = 2 * 205 + 2 * 20 + 1 + 2 * 20 + 40 + 2 + 1
    assert counts == {"": others, "passed": 225, "skipped": 61, "error": 1, "failed": 1}
    assert "test_a.py::test_writes" in {entry.nodeid for entry in stats["passed"]}

@pytest.mark.xfail
def test_xfail():
    assert 0

@pytest.mark.parametrize("number", range(90))
def test_passes_last(number):
    pass
"#;

#[test]
fn whoever_looks_finds_all_of_them() {
    let lines = [
        "",
        "-q -p no:cacheprovider",
        "-v",
        "--tell summary",
        "--tell finish",
        "--tell finish -q -rA",
        "--tell other",
        "-q -rp",
        "-rP -p no:terminalprogress",
        "--durations=5 --durations-min=60 -vv",
        "-x -q ; --lf --tell summary ; --tell summary",
        "-o console_output_style=count --tell summary",
        "-o console_output_style=classic --tell summary",
    ];
    let all = |mut table: Table<'static>| {
        for line in lines {
            table = table.same_in_process(line);
        }
        table
    };
    all(Table::new(STATS)).check();
    for version in ["8.0.2", "8.4.2", "9.1.1"] {
        let venv = pytest_venv(version);
        let table = Table::new(STATS).with(&venv);
        let table = table.same_in_process("--tell summary");
        table.same_in_process("-q -rA").check();
    }
}

/// In the controller, of what workers have told.
#[test]
fn whoever_looks_finds_all_that_workers_have_run() {
    // The reporter of a worker has no statistics for a test to look at.
    let (before, rest) = STATS.split_once("def test_looks").expect("a test");
    let (_, after) = rest.split_once("\n\n").expect("another test");
    let files = format!("{before}{after}");
    let lines = [
        "",
        "-v",
        "--tell summary",
        "--tell finish -q -rA",
        "--tell other",
        "-q -rp",
        "--durations=5 --durations-min=60 -vv",
        "-o console_output_style=count --tell summary",
    ];
    Table::new(&files).same(&lines).check();
    for version in ["8.0.2", "8.4.2", "9.1.1"] {
        let venv = pytest_venv(version);
        Table::new(&files).with(&venv).same(&lines[2..4]).check();
    }
}

const COUNTED: &str = r#"
--- conftest.py
import gc
import pytest

def pytest_unconfigure(config):
    if hasattr(config, "workerinput"):
        return
    # Whatever has been taken out of the collector's sight is found, too.
    gc.unfreeze()
    made = [one for one in gc.get_objects() if type(one) is pytest.TestReport]
    print("\nreports:", len(made))
--- test_a.py
import pytest

@pytest.mark.parametrize("number", range(400))
def test_passes(number):
    pass

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

def test_passes_last():
    pass
"#;

#[test]
fn a_test_that_passes_costs_no_report() {
    let made = |run: &crate::support::Run| -> usize {
        let (_, count) = run.stdout.rsplit_once("reports: ").expect("a line");
        count.trim().parse().expect("a number")
    };
    let older: Vec<_> = venvs_of_older_pythons().collect();
    for venv in std::iter::once(main_venv()).chain(&older) {
        let project = Project::new(COUNTED);
        let pytest = Command::pytest(venv, &project).args(["-q"]).run();
        assert_eq!(made(&pytest), 3 * 401 + 2, "{pytest}");
        let rpytest = Command::rpytest(venv, &project).args(["-q"]).run();
        rpytest.clone().expect(0, "401 passed, 1 skipped");
        // Each time something is shown, a report is made of the last test of it.
        assert!(made(&rpytest) < 400, "{rpytest}");
        // One that is skipped as the last of a worker has more to tell, and then reports are made of those before it.
        let (before, rest) = COUNTED.split_once("@pytest.mark.skip").expect("a test");
        let (_, after) = rest.split_once("\n\n").expect("another test");
        let project = Project::new(&format!("{before}{after}"));
        for workers in ["1", "2"] {
            let command = Command::rpytest(venv, &project).args(["-q", "-n", workers]);
            let rpytest = command.run();
            rpytest.clone().expect(0, "401 passed");
            assert!(made(&rpytest) < 400, "{workers}: {rpytest}");
        }
    }
}
