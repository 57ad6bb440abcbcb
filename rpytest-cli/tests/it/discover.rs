//! `--discover`, beside what pytest's own items say.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::project::Files;
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

/// Files that the source tells all of, and files that it does not.
const SUITE: &str = r#"
--- pytest.ini
[pytest]
markers = slow
--- test_top.py
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("a", ["x::y", "x[0]", "</b>", "ß"])
def test_odd(a): pass

def test_plain(): pass
--- sub/deep/test_classes.py
import unittest
import pytest

class TestOuter:
    def test_a(self): pass

    @pytest.mark.slow
    class TestInner:
        @pytest.mark.parametrize("n", [1, 2])
        def test_b(self, n): pass
        def test_c(self): pass

@pytest.mark.slow
class TestDecorated:
    def test_d(self): pass

class Case(unittest.TestCase):
    def test_e(self): pass

class TestHeir(TestOuter):
    def test_f(self): pass
--- sub/test_made.py
import os
import pytest

NAMES = sorted(os.environ.get("NAMES", "q,r").split(","))

@pytest.mark.parametrize("name", NAMES)
def test_made(name): pass

class TestMade:
    @pytest.mark.parametrize("name", NAMES)
    def test_in_class(self, name): pass
    def test_other(self): pass
--- sub/test_empty.py
def helper(): pass
--- sub/base.py
class Far:
    def test_far(self): pass

class TestFar:
    def test_imported(self): pass
--- sub/test_far.py
from base import Far, TestFar

class TestNear(Far):
    def test_near(self): pass
--- sub/test_made_far.py
import os
import pytest
from base import Far, TestFar

class TestNear(Far):
    @pytest.mark.parametrize("name", sorted(os.environ.get("NAMES", "q,r").split(",")))
    def test_near(self, name): pass
"#;

fn discover(project: &Project, more: &str) -> Run {
    let run = Command::rpytest(main_venv(), project);
    run.args(more.split_whitespace()).run()
}

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
}

/// What pytest's own items say.
fn reference(project: &Project) -> Value {
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editors");
    let path = project.base().join("reference.json");
    let run = Command::pytest(main_venv(), project)
        .env("PYTHONPATH", plugin.to_str().expect("text"))
        .env("REFERENCE", path.to_str().expect("text"))
        .args(["-p", "reference_tree", "--collect-only", "-q"])
        .run();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {run}"));
    serde_json::from_str(&text).expect("JSON")
}

/// Its nodes, the root first.
fn nodes(tree: &Value) -> Vec<&Value> {
    let mut found = vec![tree];
    for child in tree["children"].as_array().into_iter().flatten() {
        found.extend(nodes(child));
    }
    found
}

#[test]
fn what_vs_code_gets_is_what_its_plugin_would_make_of_pytests_items() {
    for files in [Files::Text(SUITE), Files::Directory("examples/suite")] {
        let project = Project::of(files);
        let expected = reference(&project);
        // The second time more is known.
        for more in [
            "--discover=vscode",
            "--discover=vscode -q",
            "--discover=vscode --no-native-collection",
        ] {
            let run = discover(&project, more);
            let found = document(&run);
            assert_eq!(run.code, 0, "{run}");
            assert_eq!(found["tests"], expected["tests"], "{more}");
            assert_eq!(found["status"], "success");
            assert_eq!(found["error"], Value::Array(Vec::new()));
            assert_eq!(found["cwd"], project.root().to_str().expect("text"));
        }
    }
}

#[test]
fn our_own_tree_has_pytests_ids_lines_and_marks() {
    let project = Project::new(SUITE);
    let expected = reference(&project);
    let details: BTreeMap<String, Value> =
        serde_json::from_value(expected["details"].clone()).expect("details");
    let run = discover(&project, "--discover");
    let found = document(&run);
    assert_eq!(found["format"], 1);
    assert_eq!(found["tests"], details.len());
    let nodes = nodes(&found["tree"]);
    let tests: Vec<_> = nodes.iter().filter(|node| node["kind"] == "test").collect();
    assert_eq!(tests.len(), details.len());
    for test in tests {
        let id = test["id"].as_str().expect("text");
        let expected = details
            .get(id)
            .unwrap_or_else(|| panic!("{id} is not pytest's"));
        assert_eq!(
            test["line"].to_string(),
            expected["line"].as_str().expect("text"),
            "{id}"
        );
        assert_eq!(test["marks"], expected["marks"], "{id}");
        assert_eq!(test["elsewhere"] == true, expected["elsewhere"], "{id}");
    }
    for file in ["sub/test_far.py", "sub/test_made_far.py"] {
        let elsewhere = |class: &str| {
            let id = format!("{file}::{class}");
            let node = nodes.iter().find(|node| node["id"] == id.as_str());
            node.expect("a class")["elsewhere"] == true
        };
        assert_eq!([elsewhere("TestNear"), elsewhere("TestFar")], [false, true]);
    }
    let kind = |id: &str| {
        let node = nodes.iter().find(|node| node["id"] == id);
        node.unwrap_or_else(|| panic!("{id}: {run}"))["kind"].clone()
    };
    assert_eq!(kind("sub/deep"), "folder");
    assert_eq!(
        kind("sub/deep/test_classes.py::TestOuter::TestInner::test_b"),
        "function"
    );
    // It says for each file how it is known.
    let completeness = |path: &str| {
        let file = nodes
            .iter()
            .find(|node| node["kind"] == "file" && node["id"] == path);
        let file = file.expect(path);
        (
            file["completeness"].clone(),
            file["reasons"].as_array().map(Vec::len),
        )
    };
    assert_eq!(completeness("test_top.py"), ("exact".into(), Some(0)));
    let (made, reasons) = completeness("sub/test_made.py");
    assert_eq!(made, "partial");
    assert_eq!(completeness("sub/test_far.py"), ("exact".into(), Some(0)));
    assert_eq!(completeness("sub/test_made_far.py").0, "partial");
    assert!(reasons > Some(0));
}

#[test]
fn neotest_gets_the_ids_that_pytest_prints() {
    let project = Project::new(SUITE);
    let pytest = Command::pytest(main_venv(), &project)
        .args(["--collect-only", "-q"])
        .run();
    let ids: Vec<_> = pytest
        .stdout
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    let run = discover(&project, "--discover=neotest sub test_top.py");
    assert_eq!(run.code, 0, "{run}");
    let mut found: Vec<_> = run.stdout.lines().collect();
    assert_eq!(found.len(), ids.len());
    found.sort_unstable();
    let mut ids = ids;
    ids.sort_unstable();
    assert_eq!(found, ids);
}

#[test]
fn what_cannot_be_collected_is_in_the_document_beside_what_can() {
    let project = Project::new(SUITE);
    project.write(
        "--- test_broken.py\nimport os\ndef test_(:\n--- test_raises.py\nimport os\nraise RuntimeError('no shelf')\n",
    );
    let expected = reference(&project);
    let run = discover(&project, "--discover");
    let found = document(&run);
    assert_eq!(run.code, 2, "{run}");
    let details = expected["details"].as_object().expect("details");
    assert_eq!(found["tests"], details.len());
    let errors = found["errors"].as_array().expect("errors");
    let errors: Vec<_> = (errors.iter())
        .map(|error| (error["path"].as_str(), error["line"].as_u64()))
        .collect();
    assert_eq!(
        errors,
        [
            (Some("test_broken.py"), Some(2)),
            (Some("test_raises.py"), Some(2))
        ]
    );
    assert!(run.stdout.contains("no shelf"), "{run}");
    let vscode = document(&discover(&project, "--discover=vscode"));
    assert_eq!(vscode["tests"], expected["tests"]);
    assert_eq!(vscode["status"], "error");
    assert_eq!(vscode["error"].as_array().map(Vec::len), Some(2));
    // What it means to the run is the options' to say.
    for options in [
        "",
        "-x",
        "--maxfail=2",
        "--continue-on-collection-errors",
        "-x --continue-on-collection-errors",
    ] {
        let pytest = Command::pytest(main_venv(), &project)
            .args(["--collect-only", "-q"])
            .args(options.split_whitespace())
            .run();
        let run = discover(&project, &format!("--discover {options}"));
        assert_eq!(run.code, pytest.code, "{options}: {run} {pytest}");
    }
}

#[test]
fn functions_of_a_folder_with_a_bracket_are_their_own() {
    let project = Project::new(
        "--- a[1]/test_a.py\nimport pytest\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_one(n): pass\n\n\
         @pytest.mark.parametrize('n', [1, 2])\ndef test_two(n): pass\n",
    );
    let found = document(&discover(&project, "--discover"));
    let functions: Vec<_> = nodes(&found["tree"])
        .into_iter()
        .filter(|node| node["kind"] == "function")
        .map(|node| {
            (
                node["id"].clone(),
                node["children"].as_array().map(Vec::len),
            )
        })
        .collect();
    let expected = ["a[1]/test_a.py::test_one", "a[1]/test_a.py::test_two"];
    assert_eq!(functions, expected.map(|id| (id.into(), Some(2))));
}

#[test]
fn arguments_that_are_wrong_are_pytests_to_refuse() {
    let project = Project::new(SUITE);
    for (arguments, code, text) in [
        ("--discover nowhere", 4, "nowhere"),
        ("--discover --no-such-option", 4, "no-such-option"),
        ("--discover -k nothing_of_that_name", 5, ""),
    ] {
        let run = discover(&project, arguments);
        assert_eq!(run.code, code, "{run}");
        let found = document(&run);
        assert_eq!(found["tests"], 0);
        let errors = found["errors"].to_string();
        assert_eq!(errors == "[]", code == 5, "{run}");
        assert!(errors.contains(text), "{run}");
    }
    let selected = document(&discover(&project, "--discover -k test_plain"));
    assert_eq!(selected["tests"], 1);
}

#[test]
fn the_marks_of_the_settings_count() {
    let project = Project::new(
        "
--- pyproject.toml
[tool.rpytest]
default_markers = 'not slow'
timeout = 60
isolate = 'file'
[tool.pytest.ini_options]
markers = ['slow']
--- test_a.py
import pytest

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass
",
    );
    for (arguments, name) in [
        ("--discover", "test_quick"),
        ("--discover -m slow", "test_slow"),
    ] {
        let found = document(&discover(&project, arguments));
        assert_eq!(found["tests"], 1, "{arguments}: {found}");
        assert!(found.to_string().contains(name), "{arguments}: {found}");
    }
}
