//! Tables of sources and what is collected from them.
#![cfg(any(feature = "ruff", feature = "rustpython"))]

use expect_test::{Expect, expect};
use rpytest_collect::{Collection, Collector, Completeness, PluginFacts};

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, source) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, source).expect("a file");
    }
    dir
}

fn render(collection: &Collection) -> String {
    let mut out = String::new();
    for file in &collection.files {
        match &file.completeness {
            Completeness::Exact => {
                for item in &file.items {
                    out += &format!("{} :{}\n", item.id, item.line);
                }
            }
            Completeness::Partial(reasons) => {
                let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
                out += &format!("{} {}: {}\n", file.path, codes.join(" "), reasons[0]);
            }
        }
    }
    for diagnostic in &collection.diagnostics {
        out += &format!("! {} {:?}\n", diagnostic.path, diagnostic.line);
    }
    out
}

#[track_caller]
fn check(source: &str, expected: Expect) {
    let dir = project(&[("pytest.ini", "[pytest]\n"), ("test_a.py", source)]);
    expected.assert_eq(&render(
        &Collector::new(dir.path())
            .threads(1)
            .collect()
            .expect("a collection"),
    ));
}

#[track_caller]
fn check_project(files: &[(&str, &str)], expected: Expect) {
    let dir = project(files);
    expected.assert_eq(&render(
        &Collector::new(dir.path()).collect().expect("a collection"),
    ));
}

#[test]
fn lines_are_those_of_the_first_decorator() {
    check(
        "import pytest\r\n\r\n@pytest.mark.skip\r\n@pytest.mark.x(1)\r\ndef test_a(): pass\r\n",
        expect![[r#"
        test_a.py::test_a :3
    "#]],
    );
}

#[test]
fn later_definitions_take_the_place_of_earlier_ones() {
    check(
        "def test_a(): pass\ndef test_b(): pass\ndef test_a(): pass\n",
        expect![[r#"
        test_a.py::test_a :3
        test_a.py::test_b :2
    "#]],
    );
}

#[test]
fn a_class_attribute_hides_a_constant() {
    check(
        "import pytest\nV = 1,\nclass TestA:\n    V = 1, 2\n    @pytest.mark.parametrize('x', V)\n    def test(self, x): ...\n",
        expect![[r#"
            test_a.py::TestA::test[1] :5
            test_a.py::TestA::test[2] :5
        "#]],
    );
}

#[test]
fn stacked_parameters() {
    check(
        "import pytest\n@pytest.mark.parametrize('a', ['x', 'y'])\n@pytest.mark.parametrize('b', [1, 1])\ndef test_a(a, b): ...\n",
        expect![[r#"
            test_a.py::test_a[1_0-x] :2
            test_a.py::test_a[1_0-y] :2
            test_a.py::test_a[1_1-x] :2
            test_a.py::test_a[1_1-y] :2
        "#]],
    );
}

#[test]
fn values_that_are_not_known() {
    check(
        "import os, pytest\n@pytest.mark.parametrize('a', [os.sep])\ndef test_a(a): ...\n",
        expect![[r#"
        test_a.py dynamic-parametrize: parameters a at line 2 are not known
    "#]],
    );
    check(
        "import pytest\n@pytest.mark.parametrize('a', [])\ndef test_a(a): ...\n",
        expect![[r#"
        test_a.py dynamic-parametrize: parameters a at line 2 are not known
    "#]],
    );
    check(
        "import pytest\n@pytest.mark.parametrize('a,b', [(1,)])\ndef test_a(a, b): ...\n",
        expect![[r#"
        test_a.py parametrize-mismatch: parameters a,b at line 2 do not fit
    "#]],
    );
    check(
        "import pytest\n@pytest.mark.parametrize('a', [1])\ndef test_a(): ...\n",
        expect![[r#"
        test_a.py parametrize-mismatch: parameters a at line 2 do not fit
    "#]],
    );
}

#[test]
fn every_way_to_touch_a_test() {
    check(
        "class TestA: ...\nregister(TestA)\n",
        expect![[r#"
        test_a.py name-touched: TestA may be changed at line 2
    "#]],
    );
    check(
        "def test_a(): ...\ntest_a.x = 1\n",
        expect![[r#"
        test_a.py name-touched: test_a may be changed at line 2
    "#]],
    );
    check(
        "def test_a(): ...\nfor t in [test_a]: t()\n",
        expect![[r#"
        test_a.py name-touched: test_a may be changed at line 2
    "#]],
    );
    check(
        "def test_a(): ...\ndef f():\n    global test_a\n    test_a = 1\n",
        expect![[r#"
        test_a.py conditional-definition: test_a is bound conditionally at line 3
    "#]],
    );
    check(
        "import sys\ndef test_a(): ...\nm = sys.modules[__name__]\n",
        expect![[r#"
        test_a.py dynamic-namespace: modules may change a namespace at line 3
    "#]],
    );
}

#[test]
fn imports() {
    check(
        "import testtools, os as test_os\nfrom unittest import TestCase\ndef test_a(): ...\n",
        expect![[r#"
        test_a.py::test_a :3
    "#]],
    );
    check(
        "from x import test_y as z, z as test_z\n",
        expect![[r#"
        test_a.py imported-test: imported test_z at line 1 may be a test
    "#]],
    );
    check(
        "from django.test import SimpleTestCase as S\n",
        expect![[r#"
        test_a.py imported-test: imported S at line 1 may be a test
    "#]],
    );
}

#[test]
fn mock_arguments_are_no_fixtures() {
    check(
        "from unittest.mock import patch\n@patch('a.b')\n@patch.object(int, 'x', 1)\n@patch.dict('os.environ')\ndef test_a(m, tmp_path): ...\n",
        expect![[r#"
            test_a.py::test_a :2
        "#]],
    );
}

#[test]
fn fixtures_with_parameters() {
    check_project(
        &[
            (
                "conftest.py",
                "import pytest\n@pytest.fixture(params=[1])\ndef a(request): ...\n",
            ),
            ("test_no.py", "def test_x(tmp_path): ...\n"),
            (
                "test_yes.py",
                "import pytest\n@pytest.fixture\ndef b(a): ...\ndef test_x(b): ...\n",
            ),
            (
                "test_mark.py",
                "import pytest\npytestmark = pytest.mark.usefixtures('a')\ndef test_x(): ...\n",
            ),
            ("test_unknown.py", "def test_x(mocker): ...\n"),
        ],
        expect![[r#"
            test_mark.py::test_x[1] :3
            test_no.py::test_x :1
            test_unknown.py unknown-fixture: unknown fixture mocker at line 1
            test_yes.py::test_x[1] :4
        "#]],
    );
}

#[test]
fn configuration_is_found_and_read() {
    check_project(
        &[
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\ntestpaths = 'a b'\npython_files = ['check_*.py']\naddopts = '-ra -m \"not slow\"'\n",
            ),
            ("a/check_x.py", "def test_x(): ...\n"),
            ("a/test_x.py", "def test_x(): ...\n"),
            (
                "b/check_slow.py",
                "import pytest\n@pytest.mark.slow\ndef test_x(): ...\n",
            ),
            ("c/check_x.py", "def test_x(): ...\n"),
        ],
        expect![[r#"
            a/check_x.py::test_x :1
        "#]],
    );
    check_project(
        &[
            ("tox.ini", "[pytest]\naddopts = --frobnicate\n"),
            ("test_x.py", "def test_x(): ...\n"),
        ],
        expect![[r#"
            test_x.py configuration: configuration --frobnicate
        "#]],
    );
}

#[test]
fn bad_files_keep_no_neighbour() {
    let deep = format!("x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    let chain = format!("x = a{}\n", ".b".repeat(200_000));
    check_project(
        &[
            ("pytest.ini", ""),
            ("test_b.py", "x = '\0'\n"),
            ("test_c.py", &deep),
            ("test_d.py", &chain),
            ("test_e.py", "# coding: koi8-r\n"),
            ("test_f.py", "def test_x(): ...\n"),
        ],
        expect![[r#"
            test_b.py syntax-error: syntax error at line 1
            test_c.py too-deep: nesting too deep at line 1
            test_d.py too-deep: nesting too deep at line 1
            test_e.py encoding: source encoding koi8-r
            test_f.py::test_x :1
            ! test_b.py Some(1)
        "#]],
    );
}

#[test]
fn line_ends_in_values_are_those_of_python() {
    let source =
        "import pytest\n@pytest.mark.parametrize('a', ['''b\nc''', 'd\\re'])\ndef test_x(a): ...\n";
    for end in ["\r\n", "\r"] {
        check(
            &source.replace('\n', end),
            expect![[r#"
                test_a.py::test_x[b\nc] :2
                test_a.py::test_x[d\re] :2
            "#]],
        );
    }
}

#[test]
fn only_a_parser_that_knows_all_of_python_says_what_is_none() {
    let expected = if cfg!(feature = "ruff") {
        expect![[r#"
            test_a.py syntax-error: syntax error at line 2
            test_b.py::test_x :1
            ! test_a.py Some(2)
        "#]]
    } else {
        expect![[r#"
            test_a.py unsupported-syntax: syntax at line 2 that is for Python to judge
            test_b.py::test_x :1
        "#]]
    };
    check_project(
        &[
            ("pytest.ini", ""),
            ("test_a.py", "\ndef test_x(:\n"),
            ("test_b.py", "def test_x(): ...\n"),
        ],
        expected,
    );
}

#[test]
fn plugin_facts_make_coroutines_and_unknown_fixtures_exact() {
    let dir = project(&[("test_a.py", "async def test_x(mocker): ...\n")]);
    let collection = Collector::new(dir.path())
        .plugins(PluginFacts::none())
        .collect()
        .expect("a collection");
    expect![[r#"
        test_a.py::test_x :1
    "#]]
    .assert_eq(&render(&collection));
}

#[test]
fn what_is_installed_of_the_project_is_what_its_tests_import() {
    let test = "import pytest\nfrom core import NAMES\n\n@pytest.mark.parametrize('n', NAMES)\ndef test(n): ...\n";
    let dir = project(&[
        ("src/core/__init__.py", "NAMES = ['source']\n"),
        ("site/core/__init__.py", "from .names import NAMES\n"),
        ("site/core/names.py", "NAMES = ['installed', 'too']\n"),
        ("other/core.py", "NAMES = ['later']\n"),
        ("tests/test_a.py", test),
    ]);
    let at = |name: &str| dir.path().join(name);
    let collect = |search_path: &[&str], modules: &[&str]| {
        let mut facts = PluginFacts::none();
        facts.search_path = search_path.iter().map(|name| at(name)).collect();
        facts.modules = modules.iter().map(|name| (*name).to_owned()).collect();
        let collector = Collector::new(dir.path()).paths(["tests"]);
        render(&collector.plugins(facts).collect().expect("a collection"))
    };
    let installed = "tests/test_a.py::test[installed] :4\ntests/test_a.py::test[too] :4\n";
    assert_eq!(collect(&["site", "other"], &[]), installed);
    assert_eq!(collect(&["empty", "site", "src"], &[]), installed);
    let source = "tests/test_a.py::test[source] :4\n";
    // Nothing is known of the search path.
    assert_eq!(collect(&[], &[]), source);
    let missing = collect(&["empty"], &[]);
    assert!(
        missing.contains("tests/test_a.py missing-import"),
        "{missing}"
    );
    assert_eq!(collect(&["src", "site"], &[]), source);
    assert_eq!(collect(&["other"], &[]), source.replace("source", "later"));
    // One that need not be on the search path.
    let unknown = collect(&["site"], &["core"]);
    assert!(unknown.contains("dynamic-parametrize"), "{unknown}");
}

#[test]
fn a_missing_path_is_an_error() {
    let dir = project(&[("pytest.ini", "[pytest\n")]);
    let error = Collector::new(dir.path().join("no"))
        .collect()
        .expect_err("no such directory");
    assert!(error.to_string().starts_with("find "));
    let error = Collector::new(dir.path())
        .collect()
        .expect_err("a broken file");
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[cfg(feature = "serde")]
#[test]
fn values_survive_serialization() {
    let dir = project(&[("test_a.py", "def test_x(): ...\nfrom a import *\n")]);
    let collection = Collector::new(dir.path()).collect().expect("a collection");
    let text = serde_json::to_string(&collection).expect("json");
    assert_eq!(
        serde_json::from_str::<Collection>(&text).expect("a collection"),
        collection
    );
}

#[test]
fn a_text_stands_for_what_a_file_holds_and_classes_have_lines() {
    let dir = project(&[
        ("pytest.ini", "[pytest]\n"),
        ("test_a.py", "def test_saved(): pass\n"),
    ]);
    let text = "import pytest\n@pytest.mark.x\nclass TestA:\n    class TestB:\n        def test_typed(self): pass\n";
    let collector = Collector::new(dir.path()).text("test_a.py", text);
    let collection = collector.collect().expect("a collection");
    expect!["test_a.py::TestA::TestB::test_typed :5\n"].assert_eq(&render(&collection));
    let classes = collection.files[0].classes.iter();
    let classes: Vec<_> = classes
        .map(|class| (class.name.as_str(), class.line))
        .collect();
    assert_eq!(classes, [("TestA", 2), ("TestA::TestB", 4)]);
}

#[test]
fn what_another_file_defines_is_said_to_be_elsewhere() {
    let dir = project(&[
        ("pytest.ini", "[pytest]\n"),
        (
            "base.py",
            "import unittest\nclass Far:\n    def test_far(self): pass\nclass TestFar(Far): pass\n\
             class Case(unittest.TestCase):\n    def test_case(self): pass\ndef test_imported(): pass\n",
        ),
        (
            "test_a.py",
            "from base import Case, Far, TestFar, test_imported\nclass TestNear(Far):\n    def test_near(self): pass\n\
             class TestCase(Case):\n    def test_own(self): pass\n",
        ),
    ]);
    let collection = Collector::new(dir.path()).collect().expect("a collection");
    let file = &collection.files[0];
    assert_eq!(file.completeness, Completeness::Exact);
    let items = file.items.iter();
    let mut found: Vec<_> = items
        .map(|item| (item.id.as_str(), item.elsewhere))
        .collect();
    found.sort_unstable();
    let expected = [
        ("test_a.py::Case::test_case", true),
        ("test_a.py::TestCase::test_case", true),
        ("test_a.py::TestCase::test_own", false),
        ("test_a.py::TestFar::test_far", true),
        ("test_a.py::TestNear::test_far", true),
        ("test_a.py::TestNear::test_near", false),
        ("test_a.py::test_imported", true),
    ];
    assert_eq!(found, expected);
    let mut classes: Vec<_> = (file.classes.iter())
        .map(|class| (class.name.as_str(), class.elsewhere))
        .collect();
    classes.sort_unstable();
    let expected = [
        ("Case", true),
        ("TestCase", false),
        ("TestFar", true),
        ("TestNear", false),
    ];
    assert_eq!(classes, expected);
}
