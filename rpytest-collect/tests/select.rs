//! Selection against the real thing: one project, and a table of what is asked of both.
#![cfg(any(feature = "ruff", feature = "rustpython"))]

use std::fs;
use std::process::Command;

use rpytest_collect::{CollectError, Collector, Completeness, KeywordExpression, MarkExpression};

mod python;
use python::test_python;

const PROJECT: &[(&str, &str)] = &[
    ("pytest.ini", "[pytest]\n"),
    (
        "unit/Deep/test_marks.py",
        r#"
import pytest, unittest
from unittest import mock

LEVEL = 3
slow = pytest.mark.slow
pytestmark = [pytest.mark.module_mark, pytest.mark.owner(name="me", team=None)]

def test_plain(): pass
@slow
def test_slow(): pass
@pytest.mark.level(number=LEVEL, ok=True, ratio=1.5, whole=2.0, name="x y", none=None, seq=[1])
@pytest.mark.level(number=-4)
def test_level(): pass
@pytest.mark.level(1)(number=9)
def test_twice(): pass
@mock.patch("os.getcwd")
def test_patched(getcwd): pass
@pytest.mark.parametrize("x", ["one", pytest.param("TWO", marks=slow), pytest.param("three", marks=[pytest.mark.fast, slow], id="a::b")])
def test_sets(x): pass
@pytest.mark.parametrize("x", [1, 2])
@pytest.mark.parametrize("y", [1, 2])
def test_stacked(x, y): pass
@pytest.mark.base
class Base:
    pytestmark = pytest.mark.in_base
    def test_inherited(self): pass
class TestDerived(Base):
    @pytest.mark.own
    def test_own(self): pass
    class TestInner:
        def test_inner(self): pass
@pytest.mark.case
class Case(unittest.TestCase):
    @pytest.mark.slow
    def test_case(self): pass
    def test_other(self): pass
"#,
    ),
    (
        "unit/Deep/__init__.py",
        "import pytest\npytestmark = pytest.mark.package_mark\n",
    ),
    (
        "unit/test_top.py",
        "def test_top(): pass\nclass TestA:\n    def test_a(self): pass\n    def test_b(self): pass\nclass TestAB:\n    def test_a(self): pass\n",
    ),
    ("other/sub/test_other.py", "def test_other(): pass\n"),
    (
        "test_root.py",
        "import pytest\n@pytest.mark.parametrize('v', ['x[1]', 'y'])\ndef test_root(v): pass\n",
    ),
];

/// Options and arguments, each to be answered as pytest does.
const QUESTIONS: &[&[&str]] = &[
    &["-k", "slow"],
    &["-k", "SLOW"],
    &["-k", "not slow"],
    &["-k", "deep"],
    &["-k", "unit and not deep"],
    &["-k", "test_marks.py"],
    &["-k", "unit/Deep"],
    &["-k", "TestDerived and own or test_root"],
    &["-k", "base"],
    &["-k", "package_mark"],
    &["-k", "module_mark and not (level or parametrize)"],
    &["-k", "x[1]"],
    &["-k", "a::b"],
    &["-k", "test_sets[TWO]"],
    &["-k", "tmp"],
    &["-k", ""],
    &["-k", "  "],
    &["-k", " \n not root"],
    &["-k", "True"],
    &["-k", "None or rOOt"],
    &["-k", "usefixtures or tests"],
    &["-m", "slow"],
    &["-m", "Slow"],
    &["-m", "not slow and not level"],
    &["-m", "base"],
    &["-m", "in_base and own"],
    &["-m", "package_mark"],
    &["-m", "parametrize"],
    &["-m", "fast or case"],
    &["-m", "parametrize and not slow"],
    &["-m", "level(number=3)"],
    &["-m", "level(number=-4)"],
    &["-m", "level(number=003, ok=True)"],
    &["-m", "level(ok=1)"],
    &["-m", "level(ok=False)"],
    &["-m", "level(whole=2)"],
    &["-m", "level(ratio=1)"],
    &["-m", "level(name='x y')"],
    &["-m", "level(none=None)"],
    &["-m", "level(missing=None)"],
    &["-m", "level(seq=1)"],
    &["-m", "level(number=9)"],
    &["-m", "owner(name=\"me\",team=None) and slow"],
    &["-m", ""],
    &["-m", " "],
    &["-m", "slow", "-m", "fast"],
    &["-m=slow"],
    &["-mslow", "-kcase"],
    &["-m", "slow", "-k", "case"],
    &["--deselect", "unit/Deep"],
    &[
        "--deselect=unit/test_top.py::TestA",
        "--deselect",
        "test_root.py::test_root[y",
    ],
    &["--deselect", "/unit"],
    &["--ignore=unit/Deep"],
    &["--ignore", "unit/test_top.py", "--ignore=./other/"],
    &["--ignore", "unit", "unit/test_top.py"],
    &["--ignore", "unit", "unit"],
    &["--ignore", "test_root.py", "test_root.py"],
    &["--ignore-glob=*/Deep"],
    &["--ignore-glob=*top*"],
    &["--ignore-glob", "unit/*.py"],
    &["unit/test_top.py::TestA"],
    &[
        "unit/test_top.py::TestA::test_b",
        "unit/test_top.py::test_top",
    ],
    &["unit/test_top.py::test_top", "test_root.py"],
    &["unit/Deep/test_marks.py::test_sets"],
    &["unit/Deep/test_marks.py::test_sets[a::b]"],
    &[
        "unit/Deep/test_marks.py::test_sets[TWO]",
        "unit/Deep/test_marks.py::test_sets[one]",
    ],
    &["unit/Deep/test_marks.py::TestDerived::TestInner"],
    &["unit/Deep/test_marks.py::Case::test_case"],
    &["test_root.py::test_root[x[1]]"],
];

/// Expressions that pytest refuses, or takes, for both options.
const EXPRESSIONS: &[&str] = &[
    "a b",
    "(",
    ")",
    "(a",
    "a)",
    "not",
    "a and",
    "or",
    "a or or b",
    "a and not",
    "()",
    "a $",
    "é and $",
    "a(",
    "a()",
    "a(b)",
    "a(b=)",
    "a(b=1",
    "a(b=1,)",
    "a(b=1 c=2)",
    "a(1=2)",
    "a(b.c=1)",
    "a(class=1)",
    "a(or=1)",
    "a(True=1)",
    "a(b=x)",
    "a(b=1.5)",
    "a(b=--1)",
    "a(b='x)",
    "a(b='x\\y')",
    "a('b')",
    "'a'",
    "a=1",
    "a,b",
    "a(b=(1))",
    "a(b=1)(c=2)",
    "not (a or",
    "a\tand\tb c",
    "a\n",
    "a & b",
    "a | b",
    "!a",
    "a*",
    "a and b)",
    "a.b[1]:/+-\\c d",
    "日本 語 x",
    "a(é=1) x",
    "a(b='x') and",
    "(((a))) b",
    "\"",
    "a-b ~",
];

#[test]
fn a_selection_is_pytests_own() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, source) in PROJECT {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, source).expect("a file");
    }
    // One process answers all of the questions: the plugin sees the items of each run.
    let questions = serde_json::to_string(&QUESTIONS).expect("strings");
    let script = r#"
import contextlib, io, json, sys
import pytest
class Seen:
    def pytest_collection_finish(self, session):
        self.ids = [item.nodeid for item in session.items]
out = []
for question in json.loads(sys.argv[1]):
    seen = Seen()
    seen.ids = None
    for name in [name for name in sys.modules if name.startswith(("test_", "Deep", "unit"))]:
        del sys.modules[name]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *question], plugins=[seen])
    out.append(seen.ids)
print(json.dumps(out))
"#;
    let output = Command::new(test_python())
        .args(["-c", script, &questions])
        .env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        .env_remove("PYTEST_ADDOPTS")
        .current_dir(dir.path())
        .output()
        .expect("pytest starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let theirs: Vec<Option<Vec<String>>> = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut wrong = Vec::new();
    for (question, theirs) in QUESTIONS.iter().zip(theirs) {
        let ours = ask(dir.path(), question);
        if Some(&ours) != theirs.as_ref() {
            wrong.push(format!(
                "{question:?}\n  ours   {ours:?}\n  theirs {theirs:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ask(dir: &std::path::Path, question: &[&str]) -> Vec<String> {
    let takes_value = |word: &str| {
        matches!(
            word,
            "-k" | "-m" | "--deselect" | "--ignore" | "--ignore-glob"
        )
    };
    let (mut options, mut paths) = (Vec::new(), Vec::new());
    let mut words = question.iter();
    while let Some(word) = words.next() {
        match word.starts_with('-') {
            true => options.push(*word),
            false => paths.push(*word),
        }
        if takes_value(word) {
            options.extend(words.next());
        }
    }
    let collection = Collector::new(dir)
        .options(options)
        .paths(paths)
        .collect()
        .expect("a collection");
    for file in &collection.files {
        assert_eq!(
            file.completeness,
            Completeness::Exact,
            "{question:?} {}",
            file.path
        );
    }
    collection
        .exact_items()
        .map(|item| item.id.to_string())
        .collect()
}

#[test]
fn an_expression_is_refused_in_pytests_words() {
    let expressions = serde_json::to_string(&EXPRESSIONS).expect("strings");
    let script = r#"
import json, sys
from _pytest.config import UsageError
from _pytest.mark import _parse_expression
def refusal(option, text):
    try:
        _parse_expression(text, f"Wrong expression passed to '{option}'")
    except UsageError as error:
        return str(error)
print(json.dumps([[refusal("-k", text), refusal("-m", text)] for text in json.loads(sys.argv[1])]))
"#;
    let output = Command::new(test_python())
        .args(["-c", script, &expressions])
        .output()
        .expect("Python starts");
    let theirs: Vec<[Option<String>; 2]> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    for (text, theirs) in EXPRESSIONS.iter().zip(theirs) {
        let ours = [
            KeywordExpression::parse(text)
                .err()
                .map(|error| error.to_string()),
            MarkExpression::parse(text)
                .err()
                .map(|error| error.to_string()),
        ];
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = "import pytest, sys\nV = sys.argv\n@pytest.mark.a(n=V)\ndef test_a(): pass\n\
                  def test_b(): pass\n@pytest.mark.parametrize('x', [1, 2])\n\
                  @pytest.mark.parametrize('y', [1, pytest.param(2, marks=pytest.mark.c)])\ndef test_c(x, y): pass\n";
    fs::write(dir.path().join("test_x.py"), source).expect("a file");
    let collect = |options: &[&str]| {
        Collector::new(dir.path())
            .options(options.to_vec())
            .collect()
    };
    let reason = |options: &[&str]| {
        let collection = collect(options).expect("a collection");
        let file = &collection.files[0];
        assert!(file.items.is_empty() || file.completeness.is_exact());
        file.completeness
            .reasons()
            .first()
            .map(|reason| (reason.code(), reason.line()))
    };
    assert_eq!(reason(&["-m", "a"]), None);
    assert_eq!(reason(&["-k", "pytestmark"]), Some(("selection", Some(3))));
    assert_eq!(reason(&["-m", "a(n=1)"]), Some(("selection", Some(3))));
    assert_eq!(reason(&["-m", "a(n=1) or not c", "-k", "not test_c"]), None);
    assert_eq!(reason(&["-m", "c"]), Some(("selection", Some(6))));
    assert_eq!(reason(&["-m", "c", "-k", "test_b"]), None);
    assert_eq!(
        reason(&["-m", "nothing", "--strict-markers"]),
        Some(("configuration", None))
    );
    assert_eq!(
        reason(&["test_x.py::test_a"]),
        Some(("configuration", None))
    );

    let error = collect(&["-k", "a(b=1)"]).expect_err("pytest refuses it too");
    assert_eq!(
        error.to_string(),
        "select: Keyword expressions do not support call parameters."
    );
    let nodes = |paths: &[&str]| Collector::new(dir.path()).paths(paths.to_vec()).collect();
    assert!(matches!(
        nodes(&["test_x.py[1]"]),
        Err(CollectError::Argument { .. })
    ));
    assert!(matches!(
        nodes(&[".::test_a"]),
        Err(CollectError::Argument { .. })
    ));
    let missing = nodes(&["test_x.py::test_nothing"]).expect("a collection");
    assert_eq!(
        missing.files[0].completeness.reasons()[0].code(),
        "node-not-found"
    );
}
