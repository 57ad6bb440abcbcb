//! A project in which files depend on each other in every way that rules follow, and what may happen to it.

use std::fs::{self, File};
use std::path::Path;

use proptest::prelude::*;

/// What a test file may be.
const TESTS: [&str; 15] = [
    "def test_a(): pass\ndef test_b(): pass\n",
    "import pytest\nfrom shop.goods import GOODS\n@pytest.mark.parametrize('x', GOODS)\ndef test_p(x): pass\n",
    "import pytest\nfrom shop import *\n@pytest.mark.parametrize('x', SIZES)\ndef test_p(x): pass\n",
    "from test_0 import test_a\nfrom tests.test_1 import test_p\n",
    "from base import Base\nclass TestA(Base):\n    def test_own(self): pass\n",
    "import unittest\nclass A(unittest.TestCase):\n    def test_case(self): pass\n",
    "def test_f(number, other): pass\ndef test_a(number): pass\n",
    "import pytest\n@pytest.mark.known\n@pytest.mark.usefixtures('number')\ndef test_p(): pass\n@pytest.mark.unheard_of\ndef test_a(): pass\n",
    "def test_x(",
    "def f():\n    '''\n    >>> 1\n    '''\ndef test_a(): pass\n",
    "import pytest\npytest.importorskip('extra')\nimport extra.part\ndef test_a(): pass\n",
    "from . import helper\nfrom .helper import *\nfrom ..tests import test_1\ndef test_a(): pass\n",
    "class TestInit:\n    def __init__(self): pass\n    def test_a(self): pass\ndef test_a(shared): pass\n",
    "import pytest\nfrom shop import goods\n@pytest.mark.parametrize('x', [goods, goods.GOODS, len(goods.GOODS)])\ndef test_p(x): pass\nasync def test_async(): pass\n",
    "import pytest\npytest.importorskip('extra')\ndef test_a(): pass\n",
];

/// What the conftest of a directory may be; the first is none.
const CONFTESTS: [&str; 10] = [
    "",
    "import pytest\n@pytest.fixture(params=[1, 2])\ndef number(request): return 1\n@pytest.fixture\ndef other(): pass\n@pytest.fixture(scope='session', params='ab')\ndef shared(): pass\n",
    "import pytest\nfrom shop.goods import GOODS\n@pytest.fixture(params=GOODS)\ndef number(request): return 1\n@pytest.fixture\ndef other(number): pass\n",
    "collect_ignore = ['test_0.py', 'sub']\n",
    "import sys\ncollect_ignore = []\nif sys.argv:\n    collect_ignore.append('test_1.py')\n",
    "collect_ignore_glob = ['*_2.py']\n",
    "def pytest_collection_modifyitems(items):\n    for item in items:\n        item.add_marker('known')\n",
    "def pytest_generate_tests(metafunc):\n    if 'number' in metafunc.fixturenames:\n        metafunc.parametrize('number', [7, 8])\n",
    "pytest_plugins = ['shop.plug']\n",
    "def pytest_collect_file(): pass\n",
];

const MODULES: [&str; 6] = [
    "GOODS = ['pen', 'ink']\nSIZES = [1, 2]\n",
    "GOODS = ['pan', 'ink']\nSIZES = [1, 3]\n",
    "from .goods import GOODS\nSIZES = GOODS + ['large']\n",
    "GOODS = open('x').read()\nSIZES = 1\n",
    "import pytest\n@pytest.fixture(params=['plug'])\ndef number(): pass\nclass Base:\n    def test_base(self): pass\nGOODS = SIZES = [0]\n",
    "class Base(",
];

/// Where a module may be that tests import, or that takes the place of one.
const PLACES: [&str; 16] = [
    "project/shop/__init__.py",
    "project/shop/goods.py",
    "project/shop/goods/__init__.py",
    "project/shop/plug.py",
    "project/shop.py",
    "project/src/shop/__init__.py",
    "project/src/shop/goods.py",
    "project/tests/shop.py",
    "project/tests/sub/shop/__init__.py",
    "project/tests/sub/shop/goods.py",
    "project/tests/base.py",
    "project/base.py",
    "project/tests/helper.py",
    "project/tests/sub/helper.py",
    "site/extra.py",
    "site/extra/part.py",
];

const INIS: [&str; 9] = [
    "[pytest]\n",
    "[pytest]\npython_files = test_*.py helper.py\n",
    "[pytest]\npython_functions = test_a test_p\n",
    "[pytest]\nfilterwarnings = error\n",
    "[pytest]\npythonpath = src\n",
    "[pytest]\naddopts = --import-mode=importlib --doctest-modules\n",
    "[pytest]\ntestpaths = tests/sub\nusefixtures = number\n",
    "[pytest]\nmarkers =\n    unheard_of: of us\naddopts = --strict-markers -k a\n",
    "[pytest]\naddopts = --ignore=tests/test_1.py -p unknown\n",
];

const DIRECTORIES: [&str; 3] = ["project", "project/tests", "project/tests/sub"];

const FILES: [&str; 8] = [
    "project/tests/test_0.py",
    "project/tests/test_1.py",
    "project/tests/test_2.py",
    "project/tests/sub/test_0.py",
    "project/tests/sub/test_3.py",
    "project/tests/sub/deep/test_4.py",
    "project/tests/test_docs.txt",
    "project/test_5.py",
];

const REMOVED: [&str; 5] = [
    "project/shop",
    "project/src/shop",
    "project/tests/sub",
    "project/tests/sub/shop",
    "site/extra",
];

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// Of a file, or a new one.
    Write(&'static str, &'static str),
    Remove(&'static str),
    /// The same content at another time.
    Touch(&'static str),
    /// Other content of the same size and with the same time of modification.
    Disguise(&'static str),
    /// A directory becomes a link to where it was moved, or to another one.
    Link(&'static str, bool),
    /// A directory with all that is in it, in whose place there may be a file then.
    RemoveAll(&'static str, bool),
    /// Two files take each other's place, with their times.
    Swap(&'static str, &'static str),
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(all)
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    let init = |dir: &str| match dir {
        "project" => "project/__init__.py",
        "project/tests" => "project/tests/__init__.py",
        _ => "project/tests/sub/__init__.py",
    };
    let conftest = |dir: &str| match dir {
        "project" => "project/conftest.py",
        "project/tests" => "project/tests/conftest.py",
        _ => "project/tests/sub/conftest.py",
    };
    let file = prop_oneof![
        one_of(&FILES),
        one_of(&PLACES),
        one_of(&DIRECTORIES).prop_map(init),
        one_of(&DIRECTORIES).prop_map(conftest),
    ];
    prop_oneof![
        4 => (one_of(&FILES), one_of(&TESTS)).prop_map(|(path, text)| Edit::Write(path, text)),
        3 => (one_of(&PLACES), one_of(&MODULES)).prop_map(|(path, text)| Edit::Write(path, text)),
        3 => (one_of(&DIRECTORIES), one_of(&CONFTESTS)).prop_map(move |(dir, text)| match text {
            "" => Edit::Remove(conftest(dir)),
            text => Edit::Write(conftest(dir), text),
        }),
        2 => one_of(&INIS).prop_map(|text| Edit::Write("project/pytest.ini", text)),
        1 => one_of(&DIRECTORIES).prop_map(move |dir| Edit::Write(init(dir), "")),
        3 => file.clone().prop_map(Edit::Remove),
        1 => file.clone().prop_map(Edit::Touch),
        2 => file.prop_map(Edit::Disguise),
        1 => (one_of(&["project/tests/sub", "project/shop"]), any::<bool>())
            .prop_map(|(dir, other)| Edit::Link(dir, other)),
        2 => (one_of(&REMOVED), any::<bool>())
            .prop_map(|(dir, file)| Edit::RemoveAll(dir, file)),
        1 => (one_of(&FILES), one_of(&FILES)).prop_map(|(a, b)| Edit::Swap(a, b)),
    ]
}

/// The project before any edit.
pub(super) fn start(dir: &Path) {
    let files = FILES
        .iter()
        .zip(&TESTS)
        .filter(|(path, _)| !path.contains("deep") && !path.ends_with("sub/test_0.py"));
    for (path, text) in files {
        Edit::Write(path, text).make(dir);
    }
    for (path, text) in [
        ("project/pytest.ini", INIS[0]),
        ("project/tests/test_bad.py", TESTS[8]),
        ("project/tests/conftest.py", CONFTESTS[1]),
        ("project/shop/__init__.py", MODULES[2]),
        ("project/shop/goods.py", MODULES[0]),
        ("project/tests/base.py", MODULES[4]),
        ("other/test_0.py", TESTS[0]),
        ("other/goods.py", MODULES[1]),
        ("other/__init__.py", MODULES[1]),
        ("site/extra/part.py", ""),
    ] {
        Edit::Write(path, text).make(dir);
    }
}

impl Edit {
    /// Makes it, as far as it can be made.
    pub(super) fn make(&self, dir: &Path) {
        match self {
            Self::Write(path, text) => {
                let path = dir.join(path);
                let above = path.parent().expect("a parent");
                if fs::create_dir_all(above).is_ok() && !path.is_dir() {
                    fs::write(path, text).expect("a file");
                }
            }
            Self::Remove(path) => {
                let _ = fs::remove_file(dir.join(path));
            }
            Self::Touch(path) => {
                if let Ok(text) = fs::read(dir.join(path)) {
                    fs::write(dir.join(path), text).expect("a file");
                }
            }
            Self::Disguise(path) => {
                let path = dir.join(path);
                let Ok(text) = fs::read_to_string(&path) else {
                    return;
                };
                let time = fs::metadata(&path).and_then(|metadata| metadata.modified());
                let text = match text.contains("test_a") {
                    true => text.replace("test_a", "test_z"),
                    false => text.replace("pen", "PEN").replace("test_", "tset_"),
                };
                fs::write(&path, text).expect("a file");
                let file = File::options().write(true).open(&path).expect("a file");
                file.set_modified(time.expect("a time")).expect("a time");
            }
            Self::Link(path, other) => {
                let (path, moved) = (dir.join(path), dir.join("moved"));
                if path.is_symlink() {
                    let _ = fs::remove_file(&path);
                    if moved.is_dir() {
                        fs::rename(moved, path).expect("it can be moved");
                    }
                } else if path.is_dir() && !moved.exists() {
                    fs::rename(&path, &moved).expect("it can be moved");
                    let target = if *other { dir.join("other") } else { moved };
                    std::os::unix::fs::symlink(target, path).expect("a link");
                }
            }
            Self::RemoveAll(path, file) => {
                let path = dir.join(path);
                if !path.is_symlink() && fs::remove_dir_all(&path).is_ok() && *file {
                    fs::write(path, "").expect("a file");
                }
            }
            Self::Swap(a, b) => {
                let (a, b, between) = (dir.join(a), dir.join(b), dir.join("between"));
                if a != b && a.is_file() && b.is_file() {
                    fs::rename(&a, &between).expect("it can be moved");
                    fs::rename(&b, &a).expect("it can be moved");
                    fs::rename(&between, &b).expect("it can be moved");
                }
            }
        }
    }
}
