//! The import graph against the real thing: what pytest has loaded after a test file is what the graph knows of it.
#![cfg(any(feature = "ruff", feature = "rustpython"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use rpytest_collect::{Collector, ImportGraph};

mod python;
use python::test_python;

const PROJECT: &[(&str, &str)] = &[
    (
        "pyproject.toml",
        "[tool.pytest.ini_options]\npythonpath = ['vendored']\naddopts = '-p extra_plugin'\n",
    ),
    ("extra_plugin.py", "import plugin_helper\n"),
    ("plugin_helper.py", ""),
    ("vendored/third.py", ""),
    ("src/app/__init__.py", "from .core import *\n"),
    ("src/app/core/__init__.py", "__all__ = ['starred']\n"),
    ("src/app/core/starred.py", "from .. import ring_a\n"),
    ("src/app/ring_a.py", "from app import ring_b\n"),
    (
        "src/app/ring_b.py",
        "def late():\n    from app import ring_a\n",
    ),
    ("src/app/patched.py", "import app.deep.er\ndef f(): pass\n"),
    ("src/app/deep/er.py", ""),
    ("src/app/alone.py", ""),
    ("space/inner/module.py", "from . import sibling\n"),
    ("space/inner/sibling.py", ""),
    (
        "conftest.py",
        "import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'src'))\npytest_plugins = ['root_plugin']\n",
    ),
    ("root_plugin.py", ""),
    ("tests/conftest.py", "from helpers import one\n"),
    ("tests/helpers.py", "one = 1\n"),
    ("tests/test_star.py", "import app\ndef test_x(): pass\n"),
    (
        "tests/test_late.py",
        "def test_x():\n    import app.ring_b\n    app.ring_b.late()\n",
    ),
    (
        "tests/test_literal.py",
        "import importlib, pytest\ndef test_x():\n    importlib.import_module('app.alone')\n    pytest.importorskip('third')\n",
    ),
    (
        "tests/test_patch.py",
        "from unittest import mock\ndef test_x():\n    with mock.patch('app.patched.f'): pass\n",
    ),
    (
        "tests/test_space.py",
        "from space.inner import module\ndef test_x(): pass\n",
    ),
    ("tests/pack/__init__.py", "from tests_top import x\n"),
    ("tests/tests_top.py", "x = 1\n"),
    ("tests/pack/conftest.py", "from .near import y\n"),
    ("tests/pack/near.py", "y = 1\n"),
    ("tests/pack/below/__init__.py", ""),
    (
        "tests/pack/below/test_relative.py",
        "from ..near import y\nfrom .. import other\nfrom . import (\n  leaf,\n)\ndef test_x(): pass\n",
    ),
    ("tests/pack/other.py", ""),
    ("tests/pack/below/leaf.py", ""),
    ("tests/test_plain.py", "def test_x(): pass\n"),
];

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, source) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, source).expect("a file");
    }
    dir
}

fn graph(dir: &Path) -> ImportGraph {
    Collector::new(dir).import_graph().expect("a graph")
}

#[test]
fn what_pytest_loads_is_in_the_graph() {
    let dir = project(PROJECT);
    let graph = graph(dir.path());
    let script = r#"
import os, sys, pytest
class Loaded:
    def pytest_sessionfinish(self):
        root = os.path.realpath(".")
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and os.path.realpath(path).startswith(root + os.sep):
                print("LOADED " + os.path.relpath(os.path.realpath(path), root))
sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Loaded()]))
"#;
    let python = test_python();
    let tests: Vec<&str> = graph.test_files().collect();
    assert_eq!(tests.len(), 7, "{tests:?}");
    for test in tests {
        let output = Command::new(&python)
            .args(["-c", script, test])
            .env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            .env_remove("PYTEST_ADDOPTS")
            .current_dir(dir.path())
            .output()
            .expect("pytest starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{test}\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let loaded: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("LOADED "))
            .collect();
        let dependencies = graph.dependencies(test).expect("it is in the graph");
        assert!(dependencies.dynamic.is_empty(), "{dependencies:?}");
        let mut known: BTreeSet<&str> = dependencies.files.iter().copied().collect();
        known.insert(test);
        let missing: Vec<_> = loaded.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "{test} loads {missing:?} besides {known:?}"
        );
        // The other way round only by size: it may know more, but it must be worth asking.
        assert!(
            known.len() <= loaded.len() + 6,
            "{test}: {known:?} for {loaded:?}"
        );
    }
    assert_eq!(
        graph.affected(["tests/pack/other.py"]).tests,
        ["tests/pack/below/test_relative.py"]
    );
    assert_eq!(
        graph.affected(["space/inner/sibling.py"]).tests,
        ["tests/test_space.py"]
    );
    assert_eq!(graph.affected(["app.toml"]).tests.len(), 7);
    assert_eq!(graph.affected(["root_plugin.py"]).tests.len(), 7);
    assert_eq!(graph.affected(["plugin_helper.py"]).tests.len(), 7);
    assert!(graph.affected(Vec::<String>::new()).tests.is_empty());
    assert!(
        graph
            .cycles()
            .iter()
            .any(|cycle| cycle.contains(&"src/app/ring_a.py"))
    );
}

/// A module, and what makes a test that imports it always affected.
const DYNAMIC: &[(&str, &str)] = &[
    (
        "import importlib\nimportlib.import_module(name)\n",
        "import_module",
    ),
    (
        "from importlib import import_module as im\nim('a')\n",
        "import_module",
    ),
    ("def f(x):\n    return __import__(x)\n", "__import__"),
    ("load = map(__import__, names)\n", "__import__"),
    (
        "import importlib\nimportlib.import_module('.x', package)\n",
        "import_module",
    ),
    (
        "__import__('x', globals(), locals(), [], 1)\n",
        "__import__",
    ),
    ("exec(compile(text, 'x', 'exec'))\n", "exec"),
    ("import runpy\nrunpy.run_path('x.py')\n", "run_path"),
    ("def broken(:\n", "a file that cannot be parsed"),
    ("pytest_plugins = [name]\n", "pytest_plugins"),
    ("__path__ = extend(__path__)\n", "__path__"),
];

#[test]
fn a_dynamic_import_anywhere_below_makes_a_test_affected() {
    for (source, what) in DYNAMIC {
        let dir = project(&[
            ("pytest.ini", "[pytest]\n"),
            ("between.py", "import loads\n"),
            ("loads.py", source),
            ("test_far.py", "import between\n"),
            ("test_near.py", "import unrelated\n"),
            ("unrelated.py", ""),
        ]);
        let graph = graph(dir.path());
        assert_eq!(
            graph.affected(["unrelated.py"]).tests,
            ["test_far.py", "test_near.py"],
            "{source}"
        );
        let dependencies = graph
            .dependencies("test_far.py")
            .expect("it is in the graph");
        assert_eq!(dependencies.dynamic[0].what, *what, "{source}");
        assert_eq!(dependencies.dynamic[0].file, "loads.py");
        assert_eq!(
            graph.affected(["between.py"]).tests,
            ["test_far.py"],
            "{source}"
        );
    }
}

#[test]
fn literals_and_relatives_are_edges() {
    let dir = project(&[
        ("pytest.ini", "[pytest]\n"),
        ("pack/__init__.py", ""),
        (
            "pack/a.py",
            "from importlib import import_module\nimport_module('.b', __package__)\nimport_module('.c', package=__package__)\n",
        ),
        ("pack/b.py", ""),
        ("pack/c.py", "import_module('pack.d')\n"),
        ("pack/d.py", "x = ['pack.e:main', 'not. dotted']\n"),
        ("pack/e.py", "__import__('pack.f')\n"),
        ("pack/f.py", ""),
        ("pack/g.py", ""),
    ]);
    let graph = graph(dir.path());
    let dependencies = graph.dependencies("pack/a.py").expect("it is in the graph");
    assert!(dependencies.dynamic.is_empty(), "{dependencies:?}");
    let files = [
        "pack/__init__.py",
        "pack/b.py",
        "pack/c.py",
        "pack/d.py",
        "pack/e.py",
        "pack/f.py",
    ];
    assert_eq!(dependencies.files, files);
    assert_eq!(
        graph.imports("pack/c.py").expect("it is in the graph"),
        ["pack/__init__.py", "pack/d.py"]
    );
    assert_eq!(graph.imports("nothing.py"), None);
}

#[test]
fn a_project_that_is_a_plugin_has_no_unaffected_test() {
    let dir = project(&[
        (
            "pyproject.toml",
            "[project.entry-points.pytest11]\nx = 'plug'\n[tool.pytest.ini_options]\n",
        ),
        ("plug.py", ""),
        ("test_x.py", ""),
    ]);
    assert_eq!(graph(dir.path()).affected(["plug.py"]).tests, ["test_x.py"]);
}
