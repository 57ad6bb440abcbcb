//! What comes from other files, and values that are computed: native collection against real pytest.
#![cfg(any(feature = "ruff", feature = "rustpython"))]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rpytest_collect::Collector;

mod python;
use python::test_python;

const FILES: &[(&str, &str)] = &[
    (
        "pytest.ini",
        "[pytest]\ntestpaths = tests\npythonpath = lib\n",
    ),
    (
        "lib/shop/__init__.py",
        "from .goods import *\nfrom .goods import _hidden as shown\nfrom . import goods, colours\nVERSION = '1.' + str(len([1, 2]))\n",
    ),
    (
        "lib/shop/goods.py",
        r#"
from __future__ import annotations
import typing as t
if t.TYPE_CHECKING:
    from nowhere import Thing
GOODS = ["tea", "milk"]
PRICES = {"tea": 3, "milk": 1.5}
PAIRS = [(name, price) for name, price in PRICES.items() if price > 1]
MORE = GOODS + ["a/b"] * 2
_hidden = ("x",)
CHANGED = [1]
CHANGED.append(2)
class Good:
    kinds = ("soft", "hard")
    limit: t.ClassVar[int] = 2
    def __init__(self, name): self.name = name
def label(good): return f"<{good}>"
def helper(x): return x
"#,
    ),
    (
        "lib/shop/colours.py",
        r#"
import enum
class Colour(enum.Enum):
    RED = 1
    GREEN = 5
    CRIMSON = enum.auto()
    def describe(self): return self.name
class Word(str, enum.Enum):
    HELLO = "hello"
    BYE = "bye"
DEFAULT = Colour.RED
class Marker(enum.Enum):
    UNSET = object()
    OTHER = object()
UNSET = Marker.UNSET
"#,
    ),
    (
        "tests/conftest.py",
        r#"
import pytest
from shop import GOODS
@pytest.fixture(params=GOODS)
def good(request): return request.param
@pytest.fixture(params=[1, 2], ids=["one", "two"], scope="module")
def number(request): return request.param
@pytest.fixture(params=[pytest.param(True, id="yes"), False])
def flag(request): return request.param
@pytest.fixture
def plain(): return 1
def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", ["3.9", "3.10"])
"#,
    ),
    (
        "tests/bases.py",
        r#"
import unittest
import pytest
from shop.goods import GOODS
class Base:
    pytestmark = pytest.mark.parametrize("c", ["C"])
    def test_z(self, c): pass
    @pytest.mark.parametrize("good", GOODS)
    def test_a(self, c, good): pass
class Mixin:
    def test_mixed(self): pass
    @pytest.fixture(params=["m"])
    def own(self, request): return request.param
class Case(unittest.TestCase):
    def test_case(self): pass
    def test_again(self): pass
def test_imported(): pass
class TestImported:
    def test_in(self): pass
@pytest.fixture(params=["i", "j"])
def borrowed(request): return request.param
@pytest.fixture(autouse=True, params=["auto"])
def everywhere(request): return request.param
slow = pytest.mark.slow
table = pytest.mark.parametrize("x", [1, 2])
"#,
    ),
    (
        "tests/sub/conftest.py",
        "import pytest\n@pytest.fixture\ndef good(good): return good\n@pytest.fixture(params=['n'])\ndef plain(request, plain): return plain\n",
    ),
    (
        "tests/sub/test_override.py",
        r#"
import pytest
def test_super(good): pass
def test_plain(plain): pass
class TestLocal:
    @pytest.fixture
    def good(self): return 1
    def test_none(self, good): pass
    class TestInner:
        @pytest.fixture(params="ab")
        def good(self, good, request): return good
        def test_inner(self, good, plain): pass
"#,
    ),
    (
        "tests/test_constants.py",
        r#"
import pytest
import shop
import shop.goods as g
from shop import GOODS, PRICES, shown
from shop.goods import MORE, PAIRS, Good, label
@pytest.mark.parametrize("good", GOODS)
def test_list(good): pass
@pytest.mark.parametrize("good", shop.goods.GOODS)
def test_attribute(good): pass
@pytest.mark.parametrize("name", PRICES)
def test_keys(name): pass
@pytest.mark.parametrize("name, price", PRICES.items())
def test_items(name, price): pass
@pytest.mark.parametrize("name, price", PAIRS)
def test_comprehension(name, price): pass
@pytest.mark.parametrize("x", MORE)
def test_more(x): pass
@pytest.mark.parametrize("x", g._hidden + shown)
def test_sum(x): pass
@pytest.mark.parametrize("x", [Good.kinds, Good.limit, Good, Good("a"), shop, g, label, shop.VERSION])
def test_things(x): pass
@pytest.mark.parametrize("x", Good.kinds)
def test_class_constant(x): pass
"#,
    ),
    (
        "tests/test_enums.py",
        r#"
import pytest
from shop.colours import Colour, Word, DEFAULT, UNSET
@pytest.mark.parametrize("c", Colour)
def test_all(c): pass
@pytest.mark.parametrize("c", [Colour.GREEN, Colour["RED"], DEFAULT, UNSET, Colour.RED.value, Colour.RED.name])
def test_some(c): pass
@pytest.mark.parametrize("w", list(Word))
def test_words(w): pass
@pytest.mark.parametrize("w", [c.name.lower() for c in Colour])
def test_names(w): pass
"#,
    ),
    (
        "tests/test_expressions.py",
        r#"
import itertools, math, operator, re, json
from textwrap import dedent
import pytest
N = 3
NAMES = "a b  c".split()
def double(x): return x * 2
class TestIn:
    CASES = [1, 2]
    @pytest.mark.parametrize("x", CASES)
    def test_scope(self, x): pass
    @pytest.mark.parametrize("x", [y + 1 for y in CASES])
    def test_first_iterable(self, x): pass
@pytest.mark.parametrize("x", range(N, -N, -2))
def test_range(x): pass
@pytest.mark.parametrize("x", [f"{n}-{n * 2!r}-{'q'!r}" for n in range(N)])
def test_f_string(x): pass
@pytest.mark.parametrize("x", ["%s:%d" % ("a", 1), "{}-{x}".format(1.5, x=None), "-".join(NAMES), "ab"[::-1], "abc"[1:], NAMES[-1]])
def test_text(x): pass
@pytest.mark.parametrize("x", [7 // 2, -7 // 2, -7 % 3, 2 ** 10, 1 << 4, 7 / 2, 0.1 + 0.2, -N, not N, 5 & 3, True + 1])
def test_arithmetic(x): pass
@pytest.mark.parametrize("a, b", itertools.product("xy", [1, 2]))
def test_product(a, b): pass
@pytest.mark.parametrize("a, b", zip("xy", range(9)))
def test_zip(a, b): pass
@pytest.mark.parametrize("a", [*NAMES, *(n for n in "pq"), *map(double, [1, 2])])
def test_star(a): pass
@pytest.mark.parametrize("a, b", [(a, b) for a in "xy" for b in range(2) if (a, b) != ("x", 1)])
def test_nested(a, b): pass
@pytest.mark.parametrize("a", sorted({"b", "a", "c"}, reverse=True))
def test_sorted(a): pass
@pytest.mark.parametrize("i, a", list(enumerate(NAMES))[:2])
def test_enumerate(i, a): pass
@pytest.mark.parametrize("x", [math.pi, -math.inf, math.nan, math.sin, operator.add, re.match, json.dumps, re.compile("a.b"), re.compile(b"\xff")])
def test_library(x): pass
@pytest.mark.parametrize("x", [dedent("  a\n    b\n"), dict(a=1), set(), {1, 2}, {**{"a": 1}}, object(), [], (), range(2)])
def test_objects(x): pass
@pytest.mark.parametrize("x", [1, 2, 3], ids=lambda n: f"n{n}" if n > 1 else None)
def test_lambda(x): pass
@pytest.mark.parametrize("x", [1, 2], ids=double)
def test_function(x): pass
@pytest.mark.parametrize("x", [len, double], ids=lambda f: f.__name__)
def test_names_of(x): pass
@pytest.mark.parametrize("x", [1, 2], ids=[f"id-{n}" for n in (1, 2)])
def test_ids(x): pass
@pytest.mark.parametrize("x", [pytest.param(n, id=f"p{n}") if n else n for n in range(3)])
def test_params(x): pass
@pytest.mark.parametrize(("a", "b"), [tuple(p) for p in (["1", 2], ["3", 4])])
def test_tuples(a, b): pass
@pytest.mark.parametrize("x", NAMES or [1])
def test_or(x): pass
@pytest.mark.parametrize("x", [d["k"] for d in [{"k": "v"}, {"k": "w"}]])
def test_subscript(x): pass
"#,
    ),
    (
        "tests/test_imported_tests.py",
        "from bases import Base, Case, TestImported, test_imported, test_imported as test_renamed\nimport bases\nfrom bases import borrowed, everywhere\nclass TestBase(Base): pass\nclass TestDotted(bases.Base):\n    def test_z(self, c): pass\n    def test_new(self, c): pass\nclass Sub(Case):\n    def test_sub(self): pass\ndef test_borrowed(borrowed): pass\n",
    ),
    (
        "tests/test_star.py",
        "def test_before(): pass\nfrom bases import *\ndef test_after(): pass\nclass TestMixed(Mixin):\n    def test_own(self, own): pass\n",
    ),
    (
        "tests/test_fixtures.py",
        r#"
import pytest
from bases import slow, table
@pytest.fixture
def uses(good, flag): pass
@pytest.fixture(scope="session")
def wide(): pass
def test_one(good): pass
def test_two(flag, good): pass
def test_through(uses): pass
@slow
@table
def test_marks(x, flag): pass
@pytest.mark.usefixtures("flag")
def test_used(): pass
def test_version(version): pass
def test_version_and(version, good): pass
@pytest.mark.parametrize("n", [1, 2])
def test_version_mark(version, n): pass
@pytest.mark.parametrize("good", ["x"], indirect=True)
def test_indirect(good): pass
@pytest.mark.parametrize("good, y", [("x", 1), ("z", 2)], indirect=["good"])
def test_some_indirect(good, y): pass
@pytest.mark.parametrize("flag", [1])
def test_transitive(uses): pass
class TestClass:
    pytestmark = pytest.mark.parametrize("c", ["C", "D"])
    @pytest.fixture(autouse=True, params=[0])
    def auto(self, request): pass
    def test_c(self, c): pass
"#,
    ),
    (
        "tests/test_module_mark.py",
        "import pytest\npytestmark = [pytest.mark.parametrize('m', ['M', 'N']), pytest.mark.slow]\nclass TestClass:\n    pytestmark = pytest.mark.parametrize('c', ['C', 'D'])\n    @pytest.mark.parametrize('x', [1])\n    def test_c(self, c, m, x): pass\n",
    ),
    (
        "tests/test_reorder.py",
        r#"
import pytest
@pytest.fixture(scope="module", params=["p", "q"])
def res(request): return request.param
@pytest.fixture(scope="class", params=["c", "d"])
def per_class(request): return request.param
def test_1(res): pass
def test_2(): pass
def test_3(res): pass
class TestA:
    def test_4(self, per_class): pass
    def test_5(self, per_class, res): pass
    def test_6(self): pass
class TestB:
    def test_7(self, per_class): pass
    def test_8(self, per_class): pass
@pytest.mark.parametrize("x", ["a", "b"], scope="module")
def test_9(x): pass
@pytest.mark.parametrize("x", ["a", "b"], scope="module")
def test_10(x): pass
@pytest.mark.parametrize("number", ["a", "b"], indirect=True)
def test_11(number): pass
"#,
    ),
    (
        "tests/test_session_scope.py",
        "import pytest\n@pytest.fixture(scope='session', params=[1, 2])\ndef s(request): pass\ndef test_1(s): pass\ndef test_2(): pass\ndef test_3(s): pass\n",
    ),
];

/// Files that stay partial, and why.
const PARTIAL: &[(&str, &str, &str)] = &[
    (
        "tests/part/test_changed.py",
        "dynamic-parametrize",
        "import pytest\nfrom shop.goods import CHANGED\n@pytest.mark.parametrize('x', CHANGED)\ndef test_x(x): pass\n",
    ),
    (
        "tests/part/test_changed_here.py",
        "dynamic-parametrize",
        "import pytest\nfrom shop.goods import GOODS\nmore = GOODS\nmore.append('z')\n@pytest.mark.parametrize('x', GOODS)\ndef test_x(x): pass\n",
    ),
    (
        "tests/part/test_sets.py",
        "dynamic-parametrize",
        "import pytest\n@pytest.mark.parametrize('x', {'a', 'b'})\ndef test_x(x): pass\n",
    ),
    (
        "tests/part/test_calls.py",
        "dynamic-parametrize",
        "import pytest, os\n@pytest.mark.parametrize('x', os.listdir('.'))\ndef test_x(x): pass\n",
    ),
    (
        "tests/part/test_values.py",
        "parameter-order",
        "import pytest\n@pytest.mark.parametrize('x', ['a', 'b'], scope='module')\ndef test_1(x): pass\n@pytest.mark.parametrize('x', ['b', 'a'], scope='module')\ndef test_2(x): pass\n",
    ),
    (
        "tests/part/test_two.py",
        "parameter-order",
        "import pytest\n@pytest.fixture(scope='module', params=[1, 2])\ndef b(request): pass\n@pytest.fixture(scope='module', params=[1, 2])\ndef a(request): pass\ndef test_1(b, a): pass\ndef test_2(a): pass\n",
    ),
    (
        "tests/part/test_scope_function.py",
        "parametrized-fixture",
        "import pytest\ndef choose(fixture_name, config): return 'module'\n@pytest.fixture(scope=choose, params=[1])\ndef f(request): pass\ndef test_1(f): pass\n",
    ),
];

fn ids<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, Vec<String>)> {
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
}

#[test]
fn what_other_files_and_expressions_give_is_what_pytest_collects() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let partial = PARTIAL.iter().map(|(name, _, source)| (*name, *source));
    for (name, source) in FILES.iter().copied().chain(partial) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, source).expect("a file");
    }
    // Whether a session's parameters are shared is known only if every file is.
    let paths: Vec<&str> = FILES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.contains("/test_"))
        .collect();
    let collection = Collector::new(dir.path())
        .paths(paths.iter().copied())
        .collect()
        .expect("a collection");
    let reasons: Vec<String> = collection
        .files
        .iter()
        .filter_map(|file| {
            Some(format!(
                "{}: {}",
                file.path,
                file.completeness.reasons().first()?
            ))
        })
        .collect();
    assert_eq!(reasons, [""; 0]);
    let output = Command::new(test_python())
        .args([
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
        ])
        .args(&paths)
        .env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        .env_remove("PYTEST_ADDOPTS")
        .current_dir(dir.path())
        .output()
        .expect("pytest starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let ours: Vec<String> = collection
        .exact_items()
        .map(|item| item.id.to_string())
        .collect();
    let ours = ids(ours.iter().map(String::as_str));
    let theirs = ids(text.lines().filter(|line| line.starts_with("tests/")));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    let names = |files: &[(String, Vec<String>)]| -> Vec<String> {
        files.iter().map(|(file, _)| file.clone()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
}

#[test]
fn what_may_be_otherwise_is_partial() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let partial = PARTIAL.iter().map(|(name, _, source)| (*name, *source));
    let others = FILES
        .iter()
        .copied()
        .filter(|(name, _)| !name.contains("test_"));
    for (name, source) in others.chain(partial) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, source).expect("a file");
    }
    let collection = Collector::new(dir.path()).collect().expect("a collection");
    let found: BTreeMap<&str, &str> = collection
        .files
        .iter()
        .filter_map(|file| {
            let reason = file.completeness.reasons().first()?;
            Some((file.path.as_str(), reason.code()))
        })
        .collect();
    let expected: BTreeMap<&str, &str> = PARTIAL
        .iter()
        .map(|(name, code, _)| (*name, *code))
        .collect();
    assert_eq!(found, expected);
}
