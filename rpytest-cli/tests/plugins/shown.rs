//! Other terminals: pytest-instafail, pytest-icdiff, pytest-sugar.

use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};

pub const INSTAFAIL: Plugin = Plugin {
    name: "pytest-instafail",
    version: "0.5.0",
    files: FAILING,
    knows_xdist: true,
    note: "with workers failures are shown in the order of the collection; on a terminal as they come",
    steps: &[
        Step {
            arguments: &["--instafail"],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
        Step {
            arguments: &["--instafail", "-v", "--tb=short"],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
        Step {
            arguments: &["--instafail", "--tb=line"],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
    ],
    ..PLAIN
};

#[test]
fn instafail() {
    holds(&INSTAFAIL);
}

pub const ICDIFF: Plugin = Plugin {
    name: "pytest-icdiff",
    version: "0.9",
    files: FAILING,
    steps: &[
        Step {
            arguments: &[],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
        Step {
            arguments: &["--icdiff-cols=60"],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
    ],
    ..PLAIN
};

#[test]
fn icdiff() {
    holds(&ICDIFF);
}

pub const SUGAR: Plugin = Plugin {
    name: "pytest-sugar",
    version: "1.1.1",
    files: FAILING,
    knows_xdist: true,
    artefacts: "the whole output, with colours and progress bars (`--force-sugar`)",
    note: "with workers it needs to be told how many tests there are, which it takes from xdist if it is installed; else rpytest tells it",
    steps: &[
        Step {
            arguments: &[],
            counts: "3 failed, 3 passed, 1 skipped, 1 error",
        },
        Step {
            arguments: &["--force-sugar"],
            counts: "3 passed",
        },
        Step {
            arguments: &["--force-sugar", "-v", "--old-summary"],
            counts: "3 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn sugar() {
    holds(&SUGAR);
}

const FAILING: &str = r#"
--- test_a.py
import pytest
def test_right():
    pass
def test_wrong():
    print('said')
    assert {'a': 1, 'b': [1, 2, 3], 'c': 'same'} == {'a': 1, 'b': [1, 3, 3], 'c': 'same'}
@pytest.fixture
def broken():
    raise RuntimeError('no such shelf')
def test_setup(broken):
    pass
@pytest.mark.skip(reason='not today')
def test_skipped():
    pass
--- test_b.py
def test_text():
    assert 'one\ntwo\nthree' == 'one\n2\nthree'
def test_other():
    pass
--- test_c.py
def test_long_lists():
    assert list(range(30)) == list(range(29)) + [31]
def test_last():
    pass
"#;
