//! Native collection against the real thing: one tricky project, collected by both.
#![cfg(any(feature = "ruff", feature = "rustpython"))]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rpytest_collect::Collector;

mod python;
use python::test_python;

/// Name, source, and the code of the reason that comes first, none for an exact file.
type Case = (&'static str, &'static str, Option<&'static str>);

const CASES: &[Case] = &[
    (
        "pytest.ini",
        "[pytest]\npython_functions = test check_*\nnorecursedirs = skipped\n",
        None,
    ),
    ("skipped/test_no.py", "def test_no(): pass\n", None),
    (
        "test_functions.py",
        r#"
import pytest
from unittest import mock
from pytest import mark as m

slow = pytest.mark.skipif(False, reason="alias")
test_data = [1, 2]
TestNumber = 3

def test_b(): pass
def helper(): pass
@slow
@m.skip(reason="x")
def test_a(tmp_path, monkeypatch): pass
def test_b(): pass
def check_glob(): pass
@pytest.fixture
def test_fixture(): return 1
@mock.patch("os.getcwd")
def test_patched(getcwd): pass
@pytest.mark.usefixtures("tmp_path")
def test_uses(fixed): pass
@pytest.fixture
def fixed(tmp_path): pass

if __name__ == "__main__":
    pytest.main([__file__])
"#,
        None,
    ),
    (
        "test_parameters.py",
        r#"
import pytest

LETTERS = ("a", "b")
def named(): pass
class Plain:
    def __init__(self, x=1): self.x = x

@pytest.mark.parametrize("x", [1, -2, 0x10, 1.0, 1e16, 1.5e-5, -0.0, True, None, "s", "", b"\xff\n\\a", "é\\\n☃😀\x00"])
def test_scalars(x): pass
@pytest.mark.parametrize("x", [[1], (2,), {}, {1}, ..., [i for i in "ab"], lambda: 0, int, ValueError, named, Plain, Plain(), dict()])
def test_objects(x): pass
@pytest.mark.parametrize("x, y", [(1, 2), [3, 4], pytest.param(5, 6, id="é"), pytest.param(7, 8, marks=pytest.mark.skip)])
def test_pairs(x, y): pass
@pytest.mark.parametrize(("x",), [(1,), ("a",)])
def test_tuple_names(x): pass
@pytest.mark.parametrize("x", [1, 1, "a", "a", "a0", "a1", "", "", "1_0"])
def test_duplicates(x): pass
@pytest.mark.parametrize("top", LETTERS)
@pytest.mark.parametrize("bottom", range(3))
def test_stacked(top, bottom): pass
@pytest.mark.parametrize("x", [1, 2, 3, 4], ids=["one", None, 3, 4.5])
def test_ids(x): pass
@pytest.mark.parametrize("x", [1, None, "a"], ids=str)
def test_str_ids(x): pass
@pytest.mark.parametrize("x", ["a::b", "[", "a-b", " "])
def test_odd(x): pass
@pytest.mark.parametrize("x", ["y" * 1 if False else "y"])
def helper(x): pass

@pytest.mark.parametrize("c", [1, 2])
class TestClass:
    @pytest.mark.parametrize("f", "ab".split())
    def helper(self, c, f): pass
    @pytest.mark.parametrize("f", ["a", "b"])
    def test_both(self, c, f): pass
    class TestInner:
        def test_inner(self, c): pass
"#,
        None,
    ),
    (
        "test_classes.py",
        r#"
import abc, enum
import pytest

class TestOrder:
    def test_z(self): pass
    class TestNested:
        def test_n(self): pass
    def test_a(self): pass
    @staticmethod
    def test_static(): pass
    @classmethod
    def test_class(cls): pass
    def test_z(self): pass
    test_number = 3
class TestInit:
    def __init__(self): pass
    def test_no(self): pass
class TestNew:
    def __new__(cls): return object.__new__(cls)
    def test_no(self): pass
class TestOff:
    __test__ = False
    def test_no(self): pass
class NamedOtherwise:
    __test__ = True
    def test_yes(self): pass
class Base:
    def test_base(self): pass
    def test_over(self): pass
    def helper(self): pass
class Left(Base):
    def test_left(self): pass
class Right(Base):
    def test_right(self): pass
    def test_over(self): pass
class TestDiamond(Left, Right):
    test_left = None
    def test_own(self): pass
class TestInheritsInit(TestInit):
    def test_no(self): pass
class TestInheritsOff(TestOff):
    def test_no(self): pass
class TestChild(TestOrder):
    def test_more(self): pass
class Colour(enum.Enum):
    RED = 1
class Abstract(abc.ABC):
    def test_no(self): pass
class TestMarked:
    pytestmark = [pytest.mark.skip(reason="x"), pytest.mark.usefixtures("tmp_path")]
    def test_marked(self): pass
"#,
        None,
    ),
    (
        "test_unittest.py",
        r#"
import unittest
from unittest import IsolatedAsyncioTestCase as Aio, skip, TestCase

class Numbers(unittest.TestCase):
    def test_b(self): pass
    def test_a(self): pass
    def testC(self): pass
    def check_not(self): pass
    @unittest.skipIf(True, "x")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_fails(self): pass
    def setUp(self): pass
    test_data = 1
class More(Numbers):
    def test_0(self): pass
    test_a = None
class Mixin:
    def test_mixed(self): pass
class WithMixin(Mixin, TestCase):
    def test_own(self): pass
class Async(Aio):
    async def test_async(self): pass
@skip("all")
class Skipped(TestCase):
    def test_x(self): pass
class Empty(TestCase): pass
"#,
        None,
    ),
    ("test_empty.py", "", None),
    (
        "test_off.py",
        "__test__ = False\ndef test_no(): pass\n",
        None,
    ),
    (
        "test_latin.py",
        "# -*- coding: latin-1 -*-\nimport pytest\n@pytest.mark.parametrize('x', ['\u{e9}'])\ndef test_x(x): pass\n",
        None,
    ),
    ("sub/__init__.py", "", None),
    ("sub/zz_test.py", "def test_zz(): pass\n", None),
    ("sub/test_aa/test_deep.py", "def test_deep(): pass\n", None),
    ("sub/test_bb.py", "def test_bb(): pass\n", None),
    (
        "fixtures/conftest.py",
        "import pytest\n@pytest.fixture(params=[1, 2])\ndef number(request): return request.param\n@pytest.fixture\ndef wraps(number): return number\n",
        None,
    ),
    (
        "fixtures/test_fx_plain.py",
        "def test_plain(tmp_path): pass\n",
        None,
    ),
    (
        "fixtures/test_fx_direct.py",
        "import pytest\n@pytest.mark.parametrize('number', [7])\ndef test_direct(number): pass\n",
        None,
    ),
    (
        "fixtures/test_fx_uses.py",
        "def test_uses(wraps): pass\n",
        None,
    ),
    (
        "hooks/conftest.py",
        "def pytest_generate_tests(metafunc):\n    if 'n' in metafunc.fixturenames: metafunc.parametrize('n', [1, 2])\n",
        None,
    ),
    ("hooks/test_hooked.py", "def test_n(n): pass\n", None),
    (
        "partial/test_p_conditional.py",
        "import sys\nif sys.version_info > (3,):\n    def test_x(): pass\n",
        Some("conditional-definition"),
    ),
    (
        "partial/test_p_star.py",
        "from os.path import *\ndef test_x(): pass\n",
        None,
    ),
    (
        "partial/test_p_alias.py",
        "def test_a(): pass\ntest_b = test_a\nclass TestA:\n    def test_c(self): pass\n    test_d = test_c\nTestB = TestA\n",
        None,
    ),
    (
        "partial/test_p_globals.py",
        "for n in range(2):\n    globals()[f'test_{n}'] = lambda: None\n",
        Some("dynamic-namespace"),
    ),
    (
        "partial/test_p_values.py",
        "import os, pytest\n@pytest.mark.parametrize('x', os.environ)\ndef test_x(x): pass\n",
        Some("dynamic-parametrize"),
    ),
    (
        "partial/test_p_list.py",
        "import pytest\nL = [1]\nL.append(2)\n@pytest.mark.parametrize('x', L)\ndef test_x(x): pass\n",
        Some("dynamic-parametrize"),
    ),
    (
        "partial/test_p_decorator.py",
        "import functools\n@functools.lru_cache\ndef test_x(): pass\n",
        None,
    ),
    (
        "partial/test_p_base.py",
        "import support_cases\nclass Foo(support_cases.Base): pass\n",
        None,
    ),
    (
        "partial/support_skip.py",
        "import unittest\ndef get(name): raise unittest.SkipTest(name)\n",
        None,
    ),
    (
        "partial/support_make.py",
        "import unittest\ndef make(t): return type('A', (t, unittest.TestCase), {}), type('B', (t, unittest.TestCase), {})\n",
        None,
    ),
    (
        "partial/test_p_helper_skip.py",
        "import support_skip\nx = support_skip.get('x')\ndef test_x(): pass\n",
        Some("module-skip"),
    ),
    (
        "partial/test_p_made.py",
        "import support_make\nclass Tests:\n    def test_x(self): pass\nFirst, Second = support_make.make(Tests)\n",
        Some("dynamic-name"),
    ),
    (
        "partial/support_cases.py",
        "import unittest\nclass Base(unittest.TestCase):\n    def test_x(self): pass\ndef test_helper(): pass\n",
        None,
    ),
    (
        "partial/test_p_import.py",
        "from support_cases import test_helper\n",
        None,
    ),
    (
        "partial/test_p_case.py",
        "from support_cases import Base as B\n",
        None,
    ),
    (
        "partial/test_p_init.py",
        "import unittest\nclass A(unittest.TestCase):\n    def __init__(self): pass\n    def test_x(self): pass\n",
        Some("test-mark"),
    ),
    (
        "partial/test_p_generate.py",
        "def pytest_generate_tests(metafunc): metafunc.parametrize('x', [1])\ndef test_x(x): pass\n",
        Some("generate-tests-hook"),
    ),
    (
        "partial/test_p_skip.py",
        "import pytest\nos = pytest.importorskip('nothing_of_this_name')\ndef test_x(): pass\n",
        Some("module-skip"),
    ),
    (
        "partial/test_p_scope.py",
        "import pytest\n@pytest.mark.parametrize('x', [1, 2], scope='module')\ndef test_x(x): pass\n",
        None,
    ),
    (
        "partial/test_p_del.py",
        "def test_x(): pass\ndel test_x\n",
        None,
    ),
    (
        "partial/test_p_setattr.py",
        "class TestA: pass\ndef add(): TestA.test_x = lambda self: None\nadd()\n",
        Some("name-touched"),
    ),
    (
        "partial/test_p_async.py",
        "async def test_x(): pass\n",
        Some("async-test"),
    ),
    (
        "partial/test_p_shadow.py",
        "import pytest\nV = (1,)\nclass TestA:\n    V = (1, 2)\n    @pytest.mark.parametrize('x', V)\n    def test_x(self, x): pass\n",
        None,
    ),
    (
        "partial/test_p_pytestmark.py",
        "import pytest\npytestmark = pytest.mark.parametrize('x', [1, 2])\ndef test_x(x): pass\n",
        None,
    ),
    (
        "partial/test_p_long.py",
        "import pytest\n@pytest.mark.parametrize('x', ['0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789-'])\ndef test_x(x): pass\n",
        Some("long-parameter"),
    ),
    (
        "ignoring/conftest.py",
        "collect_ignore = ['test_left_out.py', 'deep']\n",
        None,
    ),
    ("ignoring/test_left_out.py", "def test_x(): pass\n", None),
    ("ignoring/test_stays.py", "def test_x(): pass\n", None),
    ("ignoring/deep/test_x.py", "def test_x(): pass\n", None),
    (
        "ignoring/if/conftest.py",
        "import sys\ncollect_ignore = ['test_never.py']\nif sys.version_info < (3,):\n    collect_ignore.extend(['test_old.py'])\nif sys.version_info > (3,):\n    collect_ignore.append('test_new.py')\n",
        None,
    ),
    ("ignoring/if/test_never.py", "def test_x(): pass\n", None),
    (
        "ignoring/if/test_new.py",
        "def test_x(): pass\n",
        Some("conftest-dynamic"),
    ),
    (
        "ignoring/if/test_old.py",
        "def test_x(): pass\n",
        Some("conftest-dynamic"),
    ),
    ("ignoring/if/test_other.py", "def test_x(): pass\n", None),
    (
        "guarded/conftest.py",
        r#"
import pytest
def pytest_generate_tests(metafunc):
    "Versions."
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", [1, 2])
    elif "level" in metafunc.fixturenames:
        metafunc.parametrize("level", [3, 4])
@pytest.fixture
def through(version): return version
"#,
        None,
    ),
    (
        "guarded/test_g_free.py",
        "def test_x(tmp_path, version=1): pass\n",
        None,
    ),
    (
        "guarded/test_g_direct.py",
        "def test_x(level): pass\n",
        None,
    ),
    (
        "guarded/test_g_through.py",
        "def test_x(through): pass\n",
        None,
    ),
    (
        "guarded/test_g_uses.py",
        "import pytest\n@pytest.mark.usefixtures('through')\ndef test_x(): pass\n",
        None,
    ),
    (
        "guarded/test_g_auto.py",
        "import pytest\n@pytest.fixture(autouse=True)\ndef auto(through): pass\ndef test_x(): pass\n",
        None,
    ),
    (
        "guarded/open/conftest.py",
        "def pytest_generate_tests(metafunc):\n    if 'version' in metafunc.fixturenames: pass\n    else: metafunc.fixturenames.append('x')\n",
        None,
    ),
    (
        "guarded/open/test_g_open.py",
        "def test_x(): pass\n",
        Some("conftest-hook"),
    ),
    (
        "test_standard.py",
        r#"
import collections, datetime as dt, decimal, pathlib, pytest
from collections.abc import Set
class Day(dt.datetime): pass
class Keys(Set): pass
class Both(dt.date, collections.UserDict): pass
@pytest.mark.parametrize("x", [EOFError, UserWarning, UnboundLocalError, slice(None), dt.datetime(1, 1, 1), dt.timedelta(1), decimal.Decimal(1), pathlib.Path("a"), collections.Counter()])
def test_x(x): pass
"#,
        None,
    ),
    (
        "test_fixture_params.py",
        r#"
import pytest
@pytest.fixture(params=["a", "a", 1.5])
def first(request): return request.param
@pytest.fixture(name="second", params=(True, False))
def _second(request): return request.param
@pytest.fixture
def third(first): return first
@pytest.fixture
def fourth(tmp_path): return 1
def test_one(first): pass
def test_order(second, fourth, first): pass
def test_through(third): pass
@pytest.mark.usefixtures("second")
def test_used(): pass
@pytest.mark.parametrize("x", [1, 2])
def test_marks(second, x, first): pass
@pytest.mark.parametrize("first", [7])
def test_hidden(first, second): pass
def test_no(tmp_path): pass
class TestIn:
    @pytest.mark.parametrize("first", [7])
    def test_hidden(self, third, first): pass
    def test_one(self, first, second): pass
"#,
        None,
    ),
    (
        "partial/test_fx_two.py",
        "import pytest\n@pytest.fixture(params=[1, 2])\ndef a(request): pass\n@pytest.fixture(params=[3, 4])\ndef b(request): pass\n@pytest.fixture\ndef c(b): pass\ndef test_x(c, a): pass\n",
        Some("parametrized-fixture"),
    ),
    (
        "partial/test_fx_scope.py",
        "import pytest\n@pytest.fixture(params=[1, 2], scope='module')\ndef a(request): pass\ndef test_x(a): pass\ndef test_y(a): pass\n",
        None,
    ),
    (
        "partial/test_fx_over.py",
        "import pytest\n@pytest.fixture(params=[1, 2])\ndef a(request): pass\nclass TestA:\n    @pytest.fixture\n    def a(self): pass\n    def test_x(self, a): pass\n",
        None,
    ),
    ("partial/test_notes.txt", ">>> 1\n1\n", Some("doctest")),
];

#[test]
fn exact_files_are_what_pytest_collects() {
    let python = test_python();
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, source, _) in CASES {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        let bytes = match source.contains("latin-1") {
            true => source
                .chars()
                .map(|c| u8::try_from(c).expect("latin"))
                .collect(),
            false => source.as_bytes().to_vec(),
        };
        fs::write(path, bytes).expect("a file");
    }
    let output = Command::new(python)
        .args([
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
        ])
        .env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        .env_remove("PYTEST_ADDOPTS")
        .current_dir(dir.path())
        .output()
        .expect("pytest starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let ids = |lines: &mut dyn Iterator<Item = &str>| {
        let mut files: Vec<(String, Vec<String>)> = Vec::new();
        for line in lines {
            if let Some((file, _)) = line.split_once("::") {
                match files.last_mut().filter(|(last, _)| last == file) {
                    Some((_, ids)) => ids.push(line.to_owned()),
                    None => files.push((file.to_owned(), vec![line.to_owned()])),
                }
            }
        }
        files
    };
    let theirs = ids(&mut text.lines().filter(|line| {
        !line.starts_with("ERROR") && !line.contains(" ") || line.contains("::test_odd[")
    }));
    let collection = Collector::new(dir.path()).collect().expect("a collection");
    let partial: BTreeMap<&str, &str> = collection
        .files
        .iter()
        .filter_map(|file| {
            Some((
                file.path.as_str(),
                file.completeness.reasons().first()?.code(),
            ))
        })
        .collect();
    let expected: BTreeMap<&str, &str> = CASES
        .iter()
        .filter_map(|(name, _, code)| Some((*name, (*code)?)))
        .collect();
    assert_eq!(partial, expected, "{text}");
    let ours: Vec<String> = collection
        .exact_items()
        .map(|item| item.id.to_string())
        .collect();
    let ours = ids(&mut ours.iter().map(String::as_str));
    let theirs: Vec<_> = theirs
        .into_iter()
        .filter(|(file, _)| !partial.contains_key(file.as_str()))
        .collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len(), "{text}");
    assert!(
        ours.iter().map(|(_, ids)| ids.len()).sum::<usize>() > 90,
        "{ours:?}"
    );
}
