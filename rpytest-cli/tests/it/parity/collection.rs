//! Which tests there are, and what they are called.

use super::Table;

const LAYOUT: &str = r#"
--- pyproject.toml
[tool.pytest.ini_options]
minversion = "7.0"
testpaths = ["tests", "more"]
python_files = ["check_*.py", "test_*.py"]
python_classes = ["Check"]
python_functions = ["check_*", "test_*"]
addopts = "-ra"
pythonpath = ["src"]
norecursedirs = ["skipped"]
--- src/library.py
value = 3
--- tests/conftest.py
import pytest

collect_ignore = ["test_ignored.py"]
collect_ignore_glob = ["*_generated.py"]

def pytest_generate_tests(metafunc):
    if "letter" in metafunc.fixturenames:
        metafunc.parametrize("letter", ["a", "b"], ids=str.upper)
    if "indirect" in metafunc.fixturenames:
        metafunc.parametrize("indirect", [1, 2], indirect=True)

@pytest.fixture
def indirect(request):
    return request.param * 10
--- tests/test_ignored.py
raise RuntimeError("not to be imported")
--- tests/test_generated.py
raise RuntimeError("not to be imported")
--- tests/check_things.py
import library

def check_value(letter):
    assert library.value == 3 and letter != "b"

def test_indirect(indirect):
    assert indirect == 10

class CheckClass:
    def check_inside(self):
        pass

class TestNot:
    def test_never(self):
        pass
--- tests/skipped/test_skipped.py
def test_never():
    pass
--- tests/deep/conftest.py
def pytest_collection_modifyitems(items):
    items.reverse()
--- tests/deep/test_order.py
def test_one():
    pass

def test_two():
    assert 0
--- more/test_more.py
import pathlib

def test_more(pytestconfig):
    assert pytestconfig.rootpath == pathlib.Path.cwd()
"#;

#[test]
fn layout_from_pyproject() {
    Table::new(LAYOUT)
        .same(&[
            "",
            "-v",
            "more",
            "tests/deep more tests/check_things.py",
            "--rootdir=tests tests/deep",
            "-c /dev/null more",
            "--co -q",
            "--import-mode=importlib",
            "-o python_functions=test_ --co -q",
            "-p no:cacheprovider",
        ])
        .check();
}

const NAMES: &str = r#"
--- test_ids.py
import enum
import pytest

class Colour(enum.Enum):
    RED = 1

@pytest.mark.parametrize(
    "value",
    ["", " ", "a b", "a::b", "a/b", "[x]", "\n", "\x00", "gr\u00fc\u00df", "\u2603", b"\xff", None, 1.5, True,
     Colour.RED, int, object(), pytest.param(1, id="own"), "-n"],
)
def test_value(value):
    assert value != "a::b"

@pytest.mark.parametrize("x,y", [(1, 2), (1, 2), (1, 3)])
def test_repeated(x, y):
    assert y == 2

@pytest.mark.parametrize("empty", [])
def test_empty(empty):
    pass
--- test_\u00fcmlaut.py
def test_\u00fc():
    assert "\u00fc" == "u"
--- caf\u00e9/test_inside.py
class Test\u00c4:
    def test_here(self):
        assert 0
"#;

#[test]
fn names_beyond_ascii() {
    let files = NAMES
        .replace("test_\\u00fcmlaut", "test_ümlaut")
        .replace("caf\\u00e9", "café");
    let files = files
        .replace("test_\\u00fc(", "test_ü(")
        .replace("Test\\u00c4", "TestÄ");
    Table::new(&files)
        .same(&[
            "",
            "-v",
            "--co -q",
            "test_ümlaut.py::test_ü café -v",
            "-v -o disable_test_id_escaping_and_forfeit_all_rights_to_community_support=true",
            "--junitxml=junit.xml",
            "test_ids.py::test_value[a::b] test_ids.py::test_repeated[1-30] -v",
        ])
        .check();
}

const TWICE: &str = r#"
--- conftest.py
import pytest

class File(pytest.File):
    def collect(self):
        for name in ("same", "same", "other"):
            yield Item.from_parent(self, name=name)

class Item(pytest.Item):
    def runtest(self):
        print("runs", self.name)
        if self.name == "other":
            raise Failure("line 3")

    def repr_failure(self, excinfo):
        return f"failed: {excinfo.value}"

    def reportinfo(self):
        return self.path, 4, f"item {self.name}"

class Failure(Exception):
    pass

def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".data":
        return File.from_parent(parent, path=file_path)
--- one.data
--- sub/two.data
--- test_twice.py
def test_same():
    pass

def test_same():
    assert 0

def test_shared(request):
    assert request.node.nodeid == "test_twice.py::test_shared"
"#;

#[test]
fn items_of_a_conftest_with_repeated_ids() {
    Table::new(TWICE)
        .same(&[
            "",
            "-v",
            "-rA",
            "--co -q",
            "test_twice.py test_twice.py",
            "--keep-duplicates test_twice.py test_twice.py -v",
            "test_twice.py::test_shared test_twice.py -v",
            "sub one.data::same -v",
        ])
        .check();
}

const CHANGED: &str = r#"
--- conftest.py
import random
import pytest

def pytest_addoption(parser):
    parser.addoption("--only", default=None, help="run these only")
    parser.addini("flavour", "what it tastes of", default="plain")

def pytest_configure(config):
    config.addinivalue_line("markers", "flavoured: has a taste")

def pytest_collection_modifyitems(config, items):
    only = config.getoption("--only")
    if only:
        gone = [item for item in items if only not in item.name]
        items[:] = [item for item in items if only in item.name]
        config.hook.pytest_deselected(items=gone)
    for item in items:
        if "marked" in item.name:
            item.add_marker(pytest.mark.skip(reason=config.getini("flavour")))
            item.add_marker("flavoured")

def pytest_itemcollected(item):
    if item.name == "test_renamed":
        item._nodeid = item.nodeid.replace("renamed", "called otherwise")

def pytest_ignore_collect(collection_path):
    if collection_path.name == "test_never.py":
        return True
--- test_changed.py
def test_marked():
    pass

def test_renamed():
    assert 0

def test_plain():
    pass
--- test_never.py
raise SystemExit
"#;

#[test]
fn items_changed_by_hooks() {
    Table::new(CHANGED)
        .same(&[
            "-v -rs",
            "--only plain",
            "-m flavoured -v",
            "-o flavour=vanilla -rs --strict-markers",
            "--only nothing",
            "--markers",
            "--co",
        ])
        .check();
}

const FAILED: &str = r#"
--- test_a.py
import os

def test_a1():
    pass

def test_a2():
    assert os.path.exists("fixed")

def test_a3():
    assert 0
--- test_b.py
def test_b1():
    pass
--- test_c.py
def test_c1():
    assert 0
"#;

#[test]
fn what_failed_before() {
    Table::new(FAILED)
        .same(&[
            "-q ; --lf",
            "-q ; --ff -v",
            "-q ; --nf -v ; --nf -q",
            "-q test_a.py ; --lf -v ; --lf test_b.py",
            "--lf ; --lf --co -q",
            "-q -k a1 ; --lf --lfnf=none",
            "-q ; --lf test_a.py::test_a2 -v ; --ff -q",
            // All that is pytest's; the durations of rpytest are in the same cache.
            "-q ; --cache-show=cache/*",
            "-q ; --cache-clear --lf",
            "-q -p no:cacheprovider ; -q -p no:cacheprovider",
            "-q ; -o cache_dir=elsewhere --lf",
        ])
        .check();
}

#[test]
fn one_failure_after_the_other() {
    Table::new(FAILED)
        .same(&[
            "--stepwise ; --stepwise ; --stepwise --stepwise-skip",
            "--sw -v ; --sw-skip -q",
        ])
        .check();
}

/// A file that a parser takes, and Python's compiler does not, is for Python where nothing else would run it.
#[test]
fn files_that_do_not_compile() {
    for source in [
        "def test_a(x, x):\n    pass\n",
        "def test_a():\n    pass\nreturn 1\n",
        "def test_a():\n    await b\n",
        "def test_a():\n    nonlocal b\n",
        "def test_a():\n    print(b)\n    global b\n",
        "for test_a in []:\n    pass\nelse:\n    break\n",
        "import a\nfrom __future__ import annotations\n",
    ] {
        let files =
            format!("--- test_bad.py\n{source}--- test_good.py\ndef test_good():\n    pass\n");
        Table::new(&files)
            .same(&["--co -q", "--collect-only"])
            .check();
    }
}
