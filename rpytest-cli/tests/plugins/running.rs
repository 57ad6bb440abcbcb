//! What is run, how often, how long and in which order: pytest-timeout, -rerunfailures, -repeat, -order, -randomly, -subtests.

use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};
use crate::support::{Command, Project, WAYS};

pub const TIMEOUT: Plugin = Plugin {
    name: "pytest-timeout",
    version: "2.4.0",
    files: HANGING,
    note: "with `--timeout-method=thread` it ends the process: with workers the test is reported as crashed, with the stacks, and the run goes on",
    steps: &[Step {
        arguments: &["--timeout=1", "--timeout-method=signal"],
        counts: "2 failed, 2 passed, 1 error",
    }],
    ..PLAIN
};

#[test]
fn timeout() {
    holds(&TIMEOUT);
}

pub const RERUNFAILURES: Plugin = Plugin {
    name: "pytest-rerunfailures",
    version: "16.7",
    files: UNSURE,
    knows_xdist: true,
    steps: &[
        Step {
            arguments: &["--reruns=2", "-rR"],
            counts: "2 failed, 3 passed, 7 rerun",
        },
        Step {
            arguments: &["--reruns=3", "--only-rerun=ValueError", "-v"],
            counts: "4 failed, 1 passed, 4 rerun",
        },
    ],
    ..PLAIN
};

#[test]
fn rerunfailures() {
    holds(&RERUNFAILURES);
}

pub const REPEAT: Plugin = Plugin {
    name: "pytest-repeat",
    version: "0.9.4",
    files: REPEATED,
    steps: &[
        Step {
            arguments: &["--count=2", "-v"],
            counts: "3 failed, 6 passed",
        },
        Step {
            arguments: &["--count=2", "--repeat-scope=session", "-v"],
            counts: "3 failed, 6 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn repeat() {
    holds(&REPEAT);
}

pub const ORDER: Plugin = Plugin {
    name: "pytest-order",
    version: "1.5.0",
    files: ORDERED,
    note: "with workers tests are shown in its order, but run side by side, as under xdist: what must come after something else belongs into one `xdist_group`, with `--dist=loadgroup`",
    steps: &[
        Step {
            arguments: &["-v"],
            counts: "1 failed, 7 passed",
        },
        Step {
            arguments: &["-v", "--order-scope=module", "--order-dependencies"],
            counts: "1 failed, 7 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn order() {
    holds(&ORDER);
}

pub const RANDOMLY: Plugin = Plugin {
    name: "pytest-randomly",
    version: "5.1.0",
    files: RANDOM,
    knows_xdist: true,
    artefacts: "order of tests, seeds, `--randomly-seed=last`",
    note: "a seed of its own for each run: give `--randomly-seed` to compare two. What a session's fixture takes from `random` depends on the test that came first in its process",
    steps: &[
        Step {
            arguments: &["-v", "-p", "randomly", "--randomly-seed=17"],
            counts: "3 failed, 9 passed",
        },
        Step {
            arguments: &["-v", "--randomly-seed=last"],
            counts: "3 failed, 9 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn randomly() {
    holds(&RANDOMLY);
}

pub const SUBTESTS: Plugin = Plugin {
    name: "pytest-subtests",
    version: "0.15.0",
    files: PARTS,
    note: "pytest 9 has its `subtests`, and leaves this plugin out",
    steps: &[
        Step {
            arguments: &[],
            counts: "6 failed, 2 passed",
        },
        Step {
            arguments: &["-v"],
            counts: "6 failed, 2 passed, 1 skipped, 4 subtests passed",
        },
    ],
    ..PLAIN
};

#[test]
fn subtests() {
    holds(&SUBTESTS);
}

/// A C function that holds the interpreter's lock: neither an alarm nor a thread of Python gets a turn.
#[test]
fn what_a_timeout_does_not_reach_is_ended_from_outside() {
    let project = Project::new(
        "
--- test_a.py
import ctypes

def test_hangs():
    mutex = ctypes.create_string_buffer(256)
    c = ctypes.PyDLL(None)
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)

def test_after():
    pass
",
    );
    let run = Command::rpytest(&TIMEOUT.venv(), &project)
        .args(["--timeout=1", "-n", "1"])
        .run();
    run.expect(1, "1 failed, 1 passed");
    run.shows(&[
        "Timeout (>1.0s) from pytest-timeout. It did not reach the test.",
        "in test_hangs",
    ]);
}

/// By thread, pytest-timeout ends the process.
#[test]
fn a_timeout_by_thread_ends_a_worker_and_not_the_run() {
    let venv = TIMEOUT.venv();
    for way in &WAYS[1..] {
        let project = Project::new(HANGING);
        let run = Command::rpytest(&venv, &project)
            .args(way.arguments())
            .args(["--timeout=1", "--timeout-method=thread"])
            .args(["--deselect=test_a.py::test_marked"])
            .run();
        run.expect(1, "2 failed, 2 passed, 1 deselected");
        run.shows(&[
            "crashed while running 'test_a.py::test_hangs': exited with code 1",
            // What it would have written to the terminal is in the report.
            "+ Timeout +",
            "~ Captured stdout ~",
            "~ Stack of MainThread",
            "in test_hangs",
        ]);
    }
}

const HANGING: &str = "
--- test_a.py
import time, pytest
def test_quick():
    pass
def test_hangs():
    print('before')
    time.sleep(60)
def test_after():
    pass
@pytest.fixture
def slow():
    time.sleep(60)
def test_setup_hangs(slow):
    pass
@pytest.mark.timeout(0.2, func_only=True)
def test_marked():
    time.sleep(60)
";

const UNSURE: &str = "
--- test_a.py
import pytest
TRIES = []
@pytest.fixture
def fresh():
    TRIES.append(1)
    yield len(TRIES)
def test_second_time(fresh):
    print('try', fresh)
    if fresh < 2:
        raise ValueError(fresh)
@pytest.mark.flaky(reruns=3, reruns_delay=0.01)
def test_third_time(count=[]):
    count.append(1)
    assert len(count) > 2
@pytest.mark.flaky(reruns=5, condition=False)
def test_not_again():
    assert 0
def test_never():
    raise ValueError('never')
class TestOfAClass:
    tries = []
    def test_again(self):
        self.tries.append(1)
        assert len(self.tries) > 2
";

const REPEATED: &str = "
--- test_a.py
import pytest
@pytest.mark.repeat(3)
def test_marked():
    pass
def test_plain(tmp_path):
    assert not list(tmp_path.iterdir())
@pytest.mark.parametrize('a', [1])
def test_parameter(a, __pytest_repeat_step_number):
    assert __pytest_repeat_step_number == a
--- test_b.py
def test_other():
    assert 0
";

const ORDERED: &str = "
--- test_a.py
import pytest
@pytest.mark.order(-1)
def test_last():
    pass
@pytest.mark.order(after='test_second')
def test_third():
    pass
@pytest.mark.order('second')
def test_second():
    pass
@pytest.mark.order(1)
def test_first():
    assert 0
@pytest.mark.order(before='test_b.py::test_other')
def test_before_another_file():
    pass
--- test_b.py
import pytest
def test_other():
    pass
@pytest.mark.order(0)
def test_very_first():
    pass
class TestClass:
    @pytest.mark.order(after='test_a.py::test_first')
    def test_after():
        pass
    def test_after(self):
        pass
";

const RANDOM: &str = "
--- test_a.py
import random, pytest
AT_IMPORT = random.random()
@pytest.mark.parametrize('a', range(4))
def test_each(a):
    pass
def test_value():
    print(random.random())
    assert 0
class TestClass:
    def test_one(self):
        pass
    def test_two(self):
        print(random.randint(1, 10**9))
        assert 0
--- test_b.py
import random, pytest
@pytest.fixture(scope='session')
def shared():
    return random.random()
@pytest.mark.parametrize('a', range(4))
def test_each(a):
    pass
def test_fixture(shared):
    print(random.random())
    assert 0
";

const PARTS: &str = "
--- test_a.py
import unittest
def test_parts(subtests):
    for number in range(4):
        with subtests.test(msg='part', number=number):
            print('number', number)
            assert number % 2 == 0
def test_all_pass(subtests):
    with subtests.test('one'):
        pass
def test_fails_after(subtests):
    with subtests.test('inner'):
        raise ValueError('inner')
    assert 0
class TestUnit(unittest.TestCase):
    def test_parts(self):
        for number in range(3):
            with self.subTest(number=number):
                if number == 1:
                    self.skipTest('one')
                self.assertEqual(number, 0)
";
