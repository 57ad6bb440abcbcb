//! What can become of a test, and what is said about it.

use super::Table;
use crate::support::project::Files;

const EXAMPLE: Files<'_> = Files::Directory("examples/suite");

#[test]
fn example_at_each_verbosity() {
    Table::of(EXAMPLE)
        .same(&["", "-v", "-vv", "-q", "-qq", "--no-header --no-summary"])
        .check();
}

#[test]
fn example_with_each_summary() {
    // What passed is shown without the subtests: what pytest writes while one runs, it takes for
    // output of the test.
    let lines = [
        "-ra",
        "-rA --ignore=tests/unit",
        "-rN -q",
        "-rfEsxX --no-header",
        "-rpP --ignore=tests/unit",
    ];
    Table::of(EXAMPLE).same(&lines).check();
}

#[test]
fn example_with_each_traceback() {
    let lines = [
        "--tb=short",
        "--tb=long",
        "--tb=line",
        "--tb=native",
        "--tb=no",
        "-l --tb=auto",
    ];
    Table::of(EXAMPLE).same(&lines).check();
}

#[test]
fn example_selected() {
    let lines = [
        "-k 'years and not wrong'",
        "-m slow -q",
        "-m 'not slow' -v",
        "--deselect tests/test_outcomes.py::test_fails --deselect tests/unit",
        "tests/test_outcomes.py::test_fails tests/test_parameters.py::TestEditions",
        "tests/test_parameters.py::test_years[dune-1815] -v",
        "--ignore=tests/test_outcomes.py --ignore-glob='*unit*'",
        "tests/unit tests/test_module_skip.py -rs",
        "-k nothing_of_this_name",
    ];
    Table::of(EXAMPLE).same(&lines).check();
}

#[test]
fn example_stopped() {
    Table::of(EXAMPLE)
        .same(&[
            "--runxfail -q",
            "--color=yes",
            "--color=yes -v --code-highlight=no",
        ])
        .check();
}

#[test]
fn example_as_junit() {
    let lines = [
        "--junitxml=junit.xml",
        // Without the subtests: what pytest writes for each, it takes for output of the test.
        "--junitxml=junit.xml -o junit_logging=all -o junit_family=xunit1 --ignore=tests/unit",
        "--junitxml=junit.xml -o junit_logging=all -o junit_log_passing_tests=false --junitprefix=p",
    ];
    Table::of(EXAMPLE).same(&lines).check();
}

#[test]
fn example_collected_only() {
    Table::of(EXAMPLE)
        .same(&["--co", "--co -q", "--co -qq", "--co -v -k years"])
        .check();
}

const FIXTURES: &str = r#"
--- conftest.py
import pytest

@pytest.fixture(scope="session", autouse=True)
def session_wide():
    print("session up")
    yield
    print("session down")

@pytest.fixture(scope="package")
def package_wide():
    print("package up")
    yield
    print("package down")
--- a/__init__.py
--- a/conftest.py
import pytest

@pytest.fixture(scope="module")
def where():
    print("module up in a")
    yield "a"
    print("module down in a")
--- a/test_in_a.py
def test_one(where, package_wide):
    assert where == "b"

def test_two(where):
    assert where == "a"

class TestScoped:
    @classmethod
    def setup_class(cls):
        print("class up")

    @classmethod
    def teardown_class(cls):
        print("class down")

    def setup_method(self, method):
        print("method up", method.__name__)

    def test_first(self):
        assert 0

    def test_last(self, where):
        assert where == 1
--- b/conftest.py
import pytest

@pytest.fixture(scope="class", params=[1, 2], ids=["first", "second"])
def where(request):
    print("class-wide up", request.param)
    yield request.param
    print("class-wide down")
    if request.param == 2:
        raise OSError("cannot go down")
--- b/test_in_b.py
def setup_module():
    print("setup_module")

def teardown_module():
    print("teardown_module")

def test_outside(where):
    assert where == 1

class TestInside:
    def test_here(self, where):
        assert where == 2

    def test_there(self, where):
        pass
--- c/test_last.py
import pytest

@pytest.fixture(scope="module")
def fails_once():
    raise ValueError("in a module's fixture")

def test_a(fails_once):
    pass

def test_b(fails_once):
    pass

def test_final():
    print("final")
    assert False
"#;

#[test]
fn fixtures_of_each_scope() {
    // With two workers a fixture of a wide scope is set up in each, so that what it prints is shown
    // by other tests, and one that fails on its way down fails in each. One worker does what one
    // process does, and a class that stays together has its fixture once.
    let rows = ["", "-v --tb=line -rA"];
    let rows = rows.map(|row| format!("--dist loadscope --show-capture=no {row}"));
    Table::new(FIXTURES)
        .same(&rows.each_ref().map(String::as_str))
        .check();
    let table =
        Table::new(FIXTURES).same(&["", "-rA -v", "--junitxml=junit.xml -o junit_logging=all"]);
    table.without_two_workers().check();
}

const CASES: &str = r#"
--- test_unit.py
import unittest

class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("class up")

    def setUp(self):
        self.addCleanup(print, "cleaned")

class TestCases(Base):
    def test_fails(self):
        self.assertEqual([1, 2, 3], [1, 2, 4])

    def test_subtests(self):
        for number in range(4):
            with self.subTest("square", number=number):
                self.assertEqual(number, number * number)

    @unittest.skip("later")
    def test_skipped(self):
        pass

    def test_skips_itself(self):
        self.skipTest("not here")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as it should")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

@unittest.skip("all of them")
class TestSkipped(Base):
    def test_never(self):
        pass

class TestBroken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no class")

    def test_a(self):
        pass

    def test_b(self):
        pass

class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_awaits(self):
        assert (await self.value()) == 2

    async def value(self):
        return 1
--- test_subtests.py
def test_subtests(subtests):
    for number in range(3):
        with subtests.test("number", number=number):
            print("number is", number)
            assert number != 1

def test_after():
    pass
"#;

#[test]
fn unittest_and_subtests() {
    Table::new(CASES)
        .same(&[
            "--show-capture=no",
            "-v --show-capture=no",
            "-q --tb=line -rfEsx --show-capture=no",
        ])
        .check();
    // What is printed by `setUpClass` is shown by the first test of the class in each worker.
    Table::new(CASES)
        .same(&[
            "",
            "-ra -q",
            "--junitxml=junit.xml",
            "--maxfail=100 --tb=short",
        ])
        .without_two_workers()
        .check();
}

const DOCTESTS: &str = r#"
--- pytest.ini
[pytest]
addopts = --doctest-modules
doctest_optionflags = ELLIPSIS
--- package/__init__.py
"""
>>> 1 + 1
2
"""
--- package/module.py
def double(number):
    """Twice as much.

    >>> double(2)
    4
    >>> double(3)
    7
    """
    return 2 * number

def raises():
    """
    >>> raises()
    """
    raise KeyError("always")

def skipped():
    """
    >>> 1  # doctest: +SKIP
    2
    """
--- test_text.txt
>>> print("hello, world")
hello, ...
>>> 1
2
"#;

#[test]
fn doctests() {
    Table::new(DOCTESTS)
        .same(&["", "-v", "--doctest-continue-on-failure", "--co -q"])
        .check();
}

const XFAIL: &str = r#"
--- pytest.ini
[pytest]
xfail_strict = true
--- test_xfail.py
import pytest

@pytest.mark.xfail
def test_passes():
    pass

@pytest.mark.xfail(raises=KeyError)
def test_other_error():
    raise ValueError("not a key error")

@pytest.mark.xfail(raises=KeyError, reason="a key")
def test_that_error():
    raise KeyError

@pytest.mark.xfail(run=False, reason="would hang")
def test_not_run():
    assert 0

@pytest.mark.xfail(strict=False)
def test_not_strict():
    pass

def test_by_call():
    pytest.xfail("from inside")

@pytest.fixture
def bad():
    assert False, "in setup"

@pytest.mark.xfail(reason="setup fails")
def test_setup(bad):
    pass

@pytest.mark.skipif("sys.platform == 'nowhere'", reason="nowhere")
def test_condition():
    pass

@pytest.mark.skipif("1/0", reason="broken condition")
def test_broken_condition():
    pass
"#;

#[test]
fn xfail_in_all_its_forms() {
    Table::new(XFAIL)
        .same(&["-ra", "-v --tb=short", "--runxfail", "-rA -q"])
        .check();
}
