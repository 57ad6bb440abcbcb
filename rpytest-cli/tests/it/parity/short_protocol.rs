//! What the short protocol must not change: each test here disturbs something that it leaves in place
//! or leaves out.

use super::Table;
use crate::support::python::main_venv;
use crate::support::{Command, Project, WAYS};

const OUTCOMES: &str = r#"
--- conftest.py
import pytest

def pytest_assertrepr_compare(op, left, right):
    if isinstance(left, complex):
        return ["not that complex", f"{left} {op} {right}"]

@pytest.fixture
def fails():
    raise OSError("in setup")

@pytest.fixture
def fails_late():
    yield
    raise OSError("in teardown")

@pytest.fixture
def fails_twice(request):
    def fail(text):
        raise OSError(text)
    request.addfinalizer(lambda: fail("first"))
    request.addfinalizer(lambda: fail("second"))

@pytest.fixture
def marks(request):
    request.node.add_marker(pytest.mark.xfail(reason="by a fixture"))
    request.node.add_marker(pytest.mark.skip(reason="too late"))
--- helpers.py
def deep(n):
    return deep(n - 1) if n else 1 / 0
--- test_outcomes.py
import gc
import os
import sys
import threading

import pytest

from helpers import deep

def test_compares():
    assert 1j == 2j

def test_deep():
    deep(3)

def test_recursion():
    deep(-1)

def test_chained():
    try:
        deep(1)
    except ZeroDivisionError as error:
        raise ValueError("chained") from error

def test_setup(fails):
    pass

def test_teardown(fails_late):
    pass

def test_fails_twice_over(fails_late):
    assert 0

def test_finalizers(fails_twice):
    pass

def test_both(fails_late, fails_twice):
    assert 0

def test_no_such_fixture(missing):
    pass

def test_skips():
    pytest.skip("inside")

def test_xfails():
    pytest.xfail("inside")

def test_fails():
    pytest.fail("inside", pytrace=False)

def test_exits_like_a_program():
    sys.exit(3)

class Base(BaseException):
    pass

def test_base_exception():
    raise Base("beyond")

def test_group():
    if sys.version_info < (3, 11):
        pytest.skip("no groups")
    raise ExceptionGroup("several", [ValueError(1), KeyError(2)])

def test_marked_by_a_fixture(marks):
    assert 0

def test_marked_in_time(request):
    request.node.add_marker(pytest.mark.xfail(reason="by itself"))
    assert 0

def test_marked_and_passes(request):
    request.node.add_marker(pytest.mark.xfail(reason="by itself"))

def test_marked_strictly(request):
    request.applymarker(pytest.mark.xfail(reason="by itself", strict=True))

def test_module_is_marked(request):
    request.node.parent.add_marker(pytest.mark.xfail(reason="by the module"))
    assert 0

def test_after_the_module_was_marked():
    assert 0

class TestClass:
    def setup_class(cls):
        cls.seen = []

    def setup_method(self, method):
        self.seen.append(method.__name__)

    def teardown_method(self):
        assert len(self.seen) < 2

    def test_one(self):
        pass

    def test_two(self):
        assert self.seen == []

async def test_coroutine():
    pass

def test_returns():
    return 1

def test_generator():
    yield

def test_property(record_property, record_xml_attribute):
    record_property("key", "value")

def test_property_and_fails(record_property):
    record_property("key", "value")
    assert 0

def test_last_value():
    assert isinstance(getattr(sys, "last_value", None), (AssertionError, type(None)))

def test_current_test():
    assert os.environ["PYTEST_CURRENT_TEST"] == "elsewhere"

@pytest.fixture
def current():
    before = os.environ["PYTEST_CURRENT_TEST"]
    yield before
    assert os.environ["PYTEST_CURRENT_TEST"].endswith("(teardown)")

def test_current_fixture(current):
    assert current.endswith("test_current_fixture (setup)")

def test_keywords(request):
    request.node.keywords["added"] = 1
    request.node.extra_keyword_matches.add("more")

def test_subtests(subtests):
    with subtests.test("first"):
        print("within")
    with subtests.test("second"):
        assert 0

def test_subtests_by_name(request):
    subtests = request.getfixturevalue("subtests")
    with subtests.test("first"):
        assert 0

class Broken:
    def __del__(self):
        raise ValueError("in del")

def test_unraisable():
    print("before")
    broken = Broken()
    del broken

def test_thread():
    def run():
        raise KeyError("in a thread")
    thread = threading.Thread(target=run, name="runs")
    thread.start()
    thread.join()

@pytest.mark.parametrize("first, second", [(1, 2), (3, 4)])
def test_values(first, second, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME", "thing")
    monkeypatch.chdir(tmp_path)
    assert first + second == 3
"#;

const NAMED: &str = r#"
--- pytest.ini
[pytest]
disable_test_id_escaping_and_forfeit_all_rights_to_community_support = true
--- test_name.py
import os
import subprocess
import sys

import pytest

NAME = "PYTEST_CURRENT_TEST"

def of_child():
    code = f"import os; print(ascii(os.environ.get({NAME!r})))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

@pytest.fixture
def asks():
    print("setup", of_child())
    yield
    print("teardown", of_child())

@pytest.mark.parametrize("value", ["plain", "\u00e4\u20ac", "a\0b"])
def test_values(value):
    print(ascii(os.environ[NAME]), os.environb[NAME.encode()], of_child())

def test_phases(asks):
    print("call", of_child())

class TestReplaced:
    @pytest.fixture(scope="class", autouse=True)
    def replaced(self):
        genuine = os.environ
        os.environ = dict(genuine)
        yield
        os.environ = genuine

    def test_one(self):
        print(os.environ[NAME], "test_one" in os.environb[NAME.encode()].decode())

    def test_two(self):
        print(os.environ[NAME])

@pytest.fixture
def cleared(monkeypatch):
    for name in list(os.environ):
        monkeypatch.delenv(name)

def test_cleared(cleared):
    print(sorted(os.environ))

def test_last():
    print(os.environ[NAME])
"#;

/// The name of the test that runs, in whatever way a test or what it starts looks for it.
#[test]
fn the_name_of_the_test_that_runs() {
    Table::new(NAMED)
        .same_in_process("-rA")
        .same_in_process("-rA -s -k 'not replaced'")
        .check();
}

#[test]
fn outcomes_of_each_kind() {
    Table::new(OUTCOMES)
        .same(&[
            "-rA",
            "-v --tb=long --showlocals",
            "--tb=native",
            "--tb=short --full-trace",
            "--runxfail --tb=line",
            "-p no:skipping -rA --tb=short",
            "-p no:threadexception -p no:unraisableexception -p no:tmpdir --tb=line",
            "-W error --tb=short",
            "-q --junitxml=junit.xml",
            "--durations=3 --durations-min=100",
        ])
        .same_in_process("--capture=sys -rA")
        .same_in_process("--capture=tee-sys --tb=short -v")
        .check();
}

const INTERRUPTIONS: &str = r#"
--- test_a.py
import pytest

@pytest.fixture(scope="module")
def wide():
    yield
    with open("down", "w"):
        pass

def test_passes(wide):
    pass

def test_stops(wide):
    {statement}

def test_never(wide):
    pass
"#;

#[test]
fn the_session_ends_in_the_middle() {
    for statement in [
        "raise KeyboardInterrupt",
        "pytest.exit('enough')",
        "pytest.exit('enough', returncode=7)",
    ] {
        Table::new(&INTERRUPTIONS.replace("{statement}", statement))
            .same(&["", "-v --tb=short"])
            .without_two_workers()
            .check();
    }
    Table::new(&INTERRUPTIONS.replace("{statement}", "assert 0"))
        .same(&["-x", "--maxfail=1 -v", "-x -s"])
        .without_two_workers()
        .check();
}

const LATE_PLUGIN: &str = r#"
--- test_a.py
import pytest

class Late:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        report.sections.append(("late", f"{item.name} {report.when}"))
        return report

def test_registers(pytestconfig):
    pytestconfig.pluginmanager.register(Late(), "late")

def test_is_seen():
    assert 0

def test_unregisters(pytestconfig):
    pytestconfig.pluginmanager.unregister(name="late")

def test_is_not_seen():
    assert 0
"#;

#[test]
fn a_plugin_that_comes_in_the_middle() {
    Table::new(LATE_PLUGIN)
        .same(&["", "-rA"])
        .without_two_workers()
        .check();
}

const HOOKS: &str = r#"
--- conftest.py
import pytest

def pytest_runtest_setup(item):
    print("setting up", item.name)
    if item.get_closest_marker("slow"):
        pytest.skip("slow")
    if "fails_in_hook" in item.name:
        raise OSError("in the hook")
    if "marked_in_hook" in item.name:
        item.add_marker(pytest.mark.xfail(reason="by the hook"))

def pytest_runtest_teardown(nextitem, item):
    item.user_properties.append(("next", getattr(nextitem, "name", None)))
--- a/conftest.py
def pytest_runtest_call():
    print("calling below a")
    assert 1

def pytest_runtest_teardown(item):
    if "late" in item.name:
        raise OSError("late")
--- a/test_in_a.py
def test_one():
    pass

def test_late():
    pass
--- b/test_in_b.py
import pytest

def test_two():
    pass

def test_late():
    assert 0

@pytest.mark.slow
def test_slow():
    pass

@pytest.mark.skip(reason="by a mark")
def test_skipped():
    pass

def test_fails_in_hook():
    pass

def test_marked_in_hook():
    assert 0
"#;

#[test]
fn hooks_of_conftests() {
    Table::new(HOOKS)
        .same(&[
            "-rA -o markers=slow",
            "--tb=native -o markers=slow",
            "--tb=short -v -o markers=slow",
            "--junitxml=junit.xml -o markers=slow",
        ])
        .without_two_workers()
        .check();
    let early = "import pytest\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_setup";
    let early = HOOKS.replacen("import pytest\n\ndef pytest_runtest_setup", early, 1);
    assert_ne!(early, HOOKS);
    Table::new(&early)
        .same(&["-rA -o markers=slow"])
        .without_two_workers()
        .check();
}

/// For a controller that keeps all there is in a report. In a process that runs tests it does nothing,
/// so that the short protocol is taken there.
const DUMP: &str = r#"
--- pytest.ini
[pytest]
markers =
    slow
    late
--- conftest.py
import json
import pytest

SET_BY_WORKERS = {"worker_id", "testrun_uid", "node", "$report_type"}

class Dump:
    def pytest_runtest_logreport(self, report):
        with open("reports", "a") as file:
            kept = {
                "nodeid": report.nodeid,
                "location": report.location,
                "keywords": sorted(report.keywords),
                "outcome": report.outcome,
                "when": report.when,
                "longrepr": str(report.longrepr),
                "sections": report.sections,
                "properties": report.user_properties,
                "rest": sorted(report.__dict__.keys() - SET_BY_WORKERS),
            }
            print(json.dumps(kept, default=str), file=file)

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Dump())
--- test_a.py
import logging
import pytest

pytestmark = pytest.mark.slow

@pytest.fixture(params=["x", "y"], scope="module")
def wide(request):
    return request.param

class TestIt:
    @pytest.mark.parametrize("n", [1, 2])
    def test_values(self, wide, n, record_property):
        if n == 2:
            print("out")
            record_property("n", n)

def test_fails(wide):
    logging.error("log")
    assert wide == "x"

def test_marks(request):
    request.node.add_marker("late")
"#;

#[test]
fn reports_are_equal_in_all() {
    let reports = |genuine: bool| {
        let project = Project::new(DUMP);
        let run = Command::rpytest(main_venv(), &project)
            .args(["-n", "1", "--explain"])
            .env("RPYTEST_GENUINE", if genuine { "1" } else { "" })
            .run();
        assert_eq!(run.counts(), "1 failed, 6 passed", "{run}");
        let expected = match genuine {
            true => "0 tests were run by the short protocol, 7 by pytest's own: RPYTEST_GENUINE",
            false => "7 tests were run by the short protocol, 0 by pytest's own",
        };
        assert!(run.stderr.contains(expected), "{run}");
        project.read("reports")
    };
    assert_eq!(reports(false), reports(true));
}

#[test]
fn the_short_way_is_taken_and_hooks_of_phases_close_it() {
    let plain = "--- test_a.py\ndef test_a():\n    pass\n\ndef test_b():\n    assert 0\n";
    let rows = [
        ("pytest_runtest_logreport", false, true),
        ("pytest_runtest_makereport", true, true),
        ("pytest_runtest_call", true, false),
        ("pytest_runtest_protocol", true, false),
    ];
    for way in WAYS {
        let project = Project::new(plain);
        let command = Command::rpytest(main_venv(), &project).args(way.arguments());
        let run = command.args(["--explain"]).run();
        assert!(
            run.stderr.contains("2 tests were run by the short"),
            "{run}"
        );
        for capture in ["-s", "--capture=sys", "--capture=tee-sys"] {
            let run = Command::rpytest(main_venv(), &Project::new(plain))
                .args(way.arguments())
                .args(["--explain", capture])
                .run();
            assert!(
                run.stderr.contains("2 tests were run by the short"),
                "{capture}: {run}"
            );
        }
        for (hook, wraps, is_short) in rows {
            let body = if wraps {
                format!("@pytest.hookimpl(wrapper=True)\ndef {hook}():\n    return (yield)\n")
            } else {
                format!("def {hook}():\n    pass\n")
            };
            let project = Project::new(&format!("{plain}--- conftest.py\nimport pytest\n{body}"));
            let command = Command::rpytest(main_venv(), &project).args(way.arguments());
            let run = command.args(["--explain"]).run();
            let (short, genuine) = if is_short { (2, 0) } else { (0, 2) };
            let ways =
                format!("{short} tests were run by the short protocol, {genuine} by pytest's own");
            let why = format!("conftest.{hook} implements {hook}");
            let heard = "others than pytest hear of each report";
            assert!(run.stderr.contains(&ways), "{run}");
            assert!(
                run.stderr.contains(&why) || (!wraps && run.stderr.contains(heard)),
                "{run}"
            );
        }
    }
}

const ONLOOKERS: &str = r#"
--- test_looks.py
import pytest

def reporter(config):
    return config.pluginmanager.get_plugin("terminalreporter")

def counts(config):
    return [(name, len(reports)) for name, reports in reporter(config).stats.items()]

@pytest.fixture(scope="module")
def module(request):
    yield
    reporter(request.config).write(f"<module: {counts(request.config)}>")

@pytest.fixture(scope="session", autouse=True)
def session(pytestconfig):
    reporter(pytestconfig).write(f"<session: {counts(pytestconfig)}>")
    yield
    pytestconfig.get_terminal_writer().write(f"<session: {counts(pytestconfig)}>")

@pytest.fixture(autouse=True)
def each():
    pass

def test_1():
    pass

def test_2():
    pass

def test_capture_steps_aside(capsys):
    with capsys.disabled():
        print("<aside>", end="")

def test_4():
    pass

def test_writes(pytestconfig):
    reporter(pytestconfig).write("<written>")

def test_6():
    pass

def test_counts(pytestconfig):
    assert dict(counts(pytestconfig))["passed"] == 6

def test_suspends(request):
    manager = request.config.pluginmanager.getplugin("capturemanager")
    manager.suspend_global_capture(in_=True)
    print("<suspended>", end="", flush=True)
    manager.resume_global_capture()

def test_9():
    pass

def test_comes_first_in_the_file(record_xml_attribute):
    record_xml_attribute("assertions", "1")

def test_11(module):
    pass

def test_12(module):
    pass
--- test_others.py
def test_1():
    pass

def test_2(record_testsuite_property):
    record_testsuite_property("key", "value")

def test_3():
    pass
"#;

#[test]
fn what_has_been_reported_is_there_for_whoever_looks() {
    Table::new(ONLOOKERS)
        .same_in_process("")
        .same_in_process("-v --no-header")
        .same_in_process("-o junit_family=xunit1 -q")
        .check();
}
