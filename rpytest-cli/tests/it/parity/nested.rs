//! Tests of plugins, by pytest's own fixtures for that: sessions within a test, in its process and in another.

use super::Table;

/// A plugin and its tests. The sessions within see none of what runs them.
pub const PLUGIN: &str = r#"
--- pytest.ini
[pytest]
testpaths = test_shouting.py
pytester_example_dir = examples

--- conftest.py
pytest_plugins = ["pytester"]

--- shouting.py
import pytest

def pytest_addoption(parser):
    parser.addoption("--shout", action="store_true")

def pytest_report_header(config):
    return f"shouting: {config.getoption('shout')}"

@pytest.fixture
def greeting(pytestconfig):
    return "HELLO" if pytestconfig.getoption("shout") else "hello"

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    item.user_properties.append(("called", item.name))
    return (yield)

--- examples/test_example.py
import os
import warnings

def test_greets(greeting, capfd):
    os.system("echo by the shell")
    assert capfd.readouterr().out == "by the shell\n"
    assert greeting == "HELLO"

def test_fails(greeting, request):
    os.system("echo loud")
    print("said", greeting)
    assert not hasattr(request.config, "workerinput")
    assert greeting == "goodbye"

class TestMore:
    def test_warns(self, tmp_path, monkeypatch):
        monkeypatch.setenv("NAME", "value")
        warnings.warn("careful")

--- test_shouting.py
import gc
import os
import sys

import pytest
from _pytest.runner import runtestprotocol

@pytest.fixture(autouse=True)
def importable(pytestconfig, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath))

@pytest.mark.parametrize("way", ["inprocess", "subprocess"])
def test_runs(pytester, way):
    pytester.copy_example("test_example.py")
    run = getattr(pytester, f"runpytest_{way}")
    result = run("-p", "shouting", "--shout", "-v", "-rA", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines([
        "shouting: True",
        "*::test_greets PASSED *",
        "*::test_fails FAILED *",
        "E       AssertionError: assert 'HELLO' == 'goodbye'",
        "loud",
        "said HELLO",
    ])
    assert result.ret == 1
    written = (pytester.path / "junit.xml").read_text()
    assert written.count('<property name="called"') == 3

def test_records_every_hook(pytester):
    pytester.copy_example("test_example.py")
    before = sys.modules.keys() - {"test_example"}, os.getcwd()
    recorder = pytester.inline_run("-p", "shouting")
    assert [len(kind) for kind in recorder.listoutcomes()] == [1, 0, 2]
    called = [call._name for call in recorder.calls]
    for hook, times in {
        "pytest_sessionstart": 1,
        "pytest_collection_modifyitems": 1,
        "pytest_itemcollected": 3,
        "pytest_pycollect_makemodule": 1,
        "pytest_runtest_protocol": 3,
        "pytest_runtest_logstart": 3,
        "pytest_runtest_setup": 3,
        "pytest_pyfunc_call": 3,
        "pytest_runtest_makereport": 9,
        "pytest_runtest_logreport": 9,
        "pytest_sessionfinish": 1,
        "pytest_unconfigure": 1,
    }.items():
        assert called.count(hook) == times, hook
    assert "pytest_fixture_setup" in called and "pytest_pycollect_makeitem" in called
    assert "test_example" not in sys.modules and os.getcwd() == before[1]

def test_collects(pytester):
    items, _ = pytester.inline_genitems(pytester.copy_example("test_example.py"))
    assert [item.nodeid for item in items] == [
        "test_example.py::test_greets", "test_example.py::test_fails", "test_example.py::TestMore::test_warns",
    ]

def test_runs_an_item(pytester):
    item = pytester.getitem("def test_func():\n    print('said')\n    assert 0")
    reports = runtestprotocol(item, log=False)
    assert [report.outcome for report in reports] == ["passed", "failed", "passed"]

def test_a_conftest_within(pytester):
    pytester.makeconftest("""
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(item):
            print("before")
            yield
            print("after")

        def pytest_runtest_setup(item):
            print("setup of", item.name)
    """)
    pytester.makepyfile("def test_one():\n    print('within')")
    result = pytester.runpytest("-rP")
    result.stdout.fnmatch_lines(["*before", "after", "setup of test_one", "within"])

def test_is_interrupted(pytester):
    pytester.makepyfile("def test_one():\n    raise KeyboardInterrupt")
    assert pytester.runpytest_inprocess(no_reraise_ctrlc=True).ret == 2

def test_ends_its_process(pytester):
    pytester.makepyfile("import os\ndef test_one():\n    os._exit(3)")
    assert pytester.runpytest_subprocess().ret == 3

def test_of_old(testdir):
    testdir.makepyfile("import unittest\nclass Test(unittest.TestCase):\n    def test_one(self):\n        self.fail()")
    assert testdir.runpytest("-q").parseoutcomes() == {"failed": 1}

def test_fails_with_what_was_printed(pytester):
    pytester.makepyfile("def test_one():\n    assert [1, 2] == [1, 3]")
    assert pytester.runpytest("-q", "--no-header", "-p", "no:cacheprovider").ret == 0

def test_after_all_of_them():
    gc.collect()
    assert [1] == [1], "assertions are compared as before"
"#;

#[test]
fn sessions_within_a_test_are_sessions_of_pytest() {
    Table::new(PLUGIN).same(&[""]).check();
}

/// What is kept of their classes and functions would keep all that belongs to them, and each search for garbage would go through it.
#[test]
fn nothing_is_left_of_sessions_within_a_test() {
    let files = r#"
--- pytest.ini
[pytest]
--- conftest.py
pytest_plugins = ["pytester"]

--- test_it.py
import gc
import unittest

import pytest

SUITE = """
    import unittest
    import pytest

    @pytest.fixture(params=[1, 2])
    def number(request):
        return request.param

    class TestIt:
        @pytest.fixture
        def own(self, number):
            yield number

        @pytest.mark.xfail(reason="expected")
        def test_one(self, own):
            assert own == 1

        @pytest.mark.parametrize("x", [1, 2])
        def test_two(self, x, tmp_path):
            assert x == 1

    class TestCase(unittest.TestCase):
        def test_three(self):
            '''
            >>> 1
            2
            '''
            self.fail("f")
"""

@pytest.mark.parametrize("options", [[], ["-v", "--doctest-modules"], ["-s", "--runxfail"]])
def test_within(pytester, options):
    pytester.makepyfile(SUITE)
    result = pytester.inline_run(*options)
    assert sum(map(len, result.listoutcomes())) >= 5

def test_nothing_is_left():
    gc.collect()
    kinds = [pytest.Session, pytest.Config, pytest.PytestPluginManager]
    counts = {kind.__name__: 0 for kind in kinds}
    for one in gc.get_objects():
        if type(one) in kinds:
            counts[type(one).__name__] += 1
    # A worker's own are out of the collector's sight.
    assert max(counts.values()) <= 1, counts
"#;
    Table::new(files).same(&["", "-q"]).check();
}
