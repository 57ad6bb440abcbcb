//! Suites that use plugins of which it is known what they do.

use super::{SUITE, equal, equal_in, short_ways};
use crate::parity::Table;
use crate::support::Way;
use crate::support::python::venv_of;

const WITH_HYPOTHESIS: &str = r#"
--- test_properties.py
import unittest

import pytest
from hypothesis import example, given, note, settings, strategies as st

reproducible = settings(derandomize=True, database=None, max_examples=10)

@reproducible
@given(st.integers())
def test_holds(x):
    assert x == x

@reproducible
@given(st.lists(st.integers()))
def test_fails(xs):
    note(f"{len(xs)} numbers")
    assert sum(xs) < 1000

@given(st.integers())
def inner(x):
    assert x < 100

def test_calls_one():
    inner()

@settings(max_examples=1)
def test_without_given():
    pass

@example(1)
def test_example_without_given():
    pass

@st.composite
def test_strategy(draw):
    return draw(st.integers())

class TestMethods:
    @reproducible
    @given(x=st.booleans())
    @pytest.mark.parametrize("y", [1, 2])
    def test_holds(self, x, y):
        assert x in (True, False)

class TestUnit(unittest.TestCase):
    @reproducible
    @given(st.integers())
    def test_holds(self, x):
        self.assertEqual(x, x)

    def test_plain(self):
        pass
"#;

const WITH_TIMEOUT: &str = r#"
--- hanging_checks.py
import time

import pytest

@pytest.fixture
def hangs():
    time.sleep(60)

@pytest.fixture
def hangs_after():
    yield
    time.sleep(60)

def test_quick():
    pass

def test_hangs():
    time.sleep(60)

def test_setup(hangs):
    pass

def test_teardown(hangs_after):
    print("call")

@pytest.mark.timeout(0.2)
def test_marked():
    time.sleep(60)

@pytest.mark.timeout(0)
def test_without():
    time.sleep(0.5)
"#;

#[test]
fn with_plugins_that_are_known() {
    let plugins = [
        "pytest==9.2.0",
        "hypothesis==6.170.15",
        "pytest-timeout==2.4.0",
    ];
    let venv = venv_of("known", &plugins);
    let with_hypothesis = format!("{SUITE}{}", WITH_HYPOTHESIS.trim_start());
    let suites: [(&str, &[&str]); 4] = [
        (&with_hypothesis, &["--timeout=60"]),
        (WITH_HYPOTHESIS, &["--hypothesis-show-statistics"]),
        (WITH_TIMEOUT, &["-o", "timeout=0.3", "hanging_checks.py"]),
        (
            WITH_TIMEOUT,
            &[
                "-o",
                "timeout=0.3",
                "-o",
                "timeout_func_only=true",
                "-k",
                "hangs or quick",
                "hanging_checks.py",
            ],
        ),
    ];
    for (suite, options) in suites {
        let (_, run) = short_ways(&equal(&venv, suite, options));
        assert_eq!(run == 0, options.len() > 4, "{options:?}");
    }
}

const WITH_ASYNCIO: &str = r#"
--- pytest.ini
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
--- test_asynchronous.py
import asyncio
import gc
import logging
import warnings

import pytest

@pytest.fixture
async def number(request):
    print("number for", type(request.node).__name__)
    yield 1
    await asyncio.sleep(0)
    print("number goes")

@pytest.fixture
async def broken():
    raise OSError("broken")

@pytest.fixture(autouse=True)
def plain(tmp_path):
    return tmp_path

async def test_passes():
    await asyncio.sleep(0)

async def test_takes(number, caplog):
    logging.warning("number %d", number)
    assert caplog.messages == ["number 1"]

async def test_fails(number):
    print("fails")
    assert number == 2

async def test_raises():
    await asyncio.wait_for(asyncio.Event().wait(), 0.01)

async def test_is_broken(broken):
    pass

async def test_skips():
    pytest.skip("in the middle")

@pytest.mark.skip(reason="kept")
async def test_skipped():
    pass

@pytest.mark.xfail
async def test_expected():
    assert 0

@pytest.mark.parametrize("one", [1, 2])
async def test_each(one, number):
    assert one == number

async def test_warns():
    warnings.warn("careful")

async def test_forgets():
    asyncio.sleep(0)
    gc.collect()

async def test_leaves_a_task():
    asyncio.get_running_loop().create_task(asyncio.sleep(60))

def test_plain(plain):
    assert plain.is_dir()

class TestMethods:
    @pytest.mark.asyncio(loop_scope="class")
    async def test_one(self):
        TestMethods.loop = asyncio.get_running_loop()

    @pytest.mark.asyncio(loop_scope="class")
    async def test_two(self):
        assert TestMethods.loop is asyncio.get_running_loop()

    async def test_three(self):
        assert TestMethods.loop is not asyncio.get_running_loop()

async def test_generator():
    yield 1
"#;

#[test]
fn with_coroutines() {
    for version in ["1.3.0", "0.26.0"] {
        let plugin = format!("pytest-asyncio=={version}");
        let pytest = if version == "1.3.0" {
            "pytest==9.2.0"
        } else {
            "pytest==8.4.2"
        };
        let venv = venv_of(&format!("asyncio-{version}"), &[pytest, &plugin]);
        for options in [
            &[][..],
            &["-p", "no:logging"],
            &["--tb=short", "--log-level=INFO"],
        ] {
            let (_, run) = short_ways(&equal(&venv, WITH_ASYNCIO, options));
            assert_eq!(run, 18, "{version} {options:?}");
        }
    }
}

const WITH_RERUNS: &str = r#"
--- test_it.py
import pytest

tries = []

@pytest.mark.flaky(reruns=2)
def test_comes_true():
    tries.append(1)
    assert len(tries) > 1

@pytest.mark.flaky
def test_never():
    assert 0

@pytest.fixture
def fails():
    assert 0

@pytest.fixture
def fails_late():
    yield
    assert 0

@pytest.fixture(scope="module")
def wide():
    yield
    print("wide goes")

def test_passes(wide):
    pass

def test_fails(wide, record_property):
    record_property("name", "value")
    assert 0

def test_setup(fails):
    pass

def test_teardown(fails_late):
    print("out")

def test_fails_twice(fails_late):
    assert 0

def test_subtests(request):
    subtests = request.getfixturevalue("subtests")
    for n in range(3):
        with subtests.test(n=n):
            assert n != 1

def test_skips():
    pytest.skip("inside")

@pytest.mark.xfail
def test_expected():
    assert 0

class TestMarked:
    pytestmark = pytest.mark.flaky(reruns=1)

    def test_one(self):
        assert 0

def test_last(wide):
    pass
"#;

/// What keeps something of each report has seen those before it.
#[test]
fn with_a_plugin_that_runs_tests_again() {
    for (pytest, plugin) in [("9.2.0", "16.7"), ("8.4.2", "16.3"), ("8.2.2", "12.0")] {
        let requirements = [
            format!("pytest=={pytest}"),
            format!("pytest-rerunfailures=={plugin}"),
        ];
        let venv = venv_of(
            &format!("rerunfailures-{plugin}"),
            &requirements.each_ref().map(String::as_str),
        );
        for (options, least) in [
            (&["-rR"][..], 9),
            (&["-s"], 9),
            (&["--tb=short", "-W", "error"], 9),
            (&["--reruns=1"], 0),
            (&["-o", "reruns=1"], 0),
        ] {
            for way in [Way::InProcess, Way::OneWorker] {
                let (_, run) = short_ways(&equal_in(way, &venv, WITH_RERUNS, options));
                assert!(
                    run >= least && (run > 0) == (least > 0),
                    "{plugin} {options:?}: {run}"
                );
            }
        }
        // Here nobody listens, so that in a session's own process, too, reports are made of what has more to tell alone.
        Table::new(WITH_RERUNS)
            .with(&venv)
            .same_in_process("")
            .same_in_process("-rA -v")
            .same_in_process("-q --junitxml=junit.xml")
            .same_in_process("--capture=sys -rR")
            .check();
    }
}
