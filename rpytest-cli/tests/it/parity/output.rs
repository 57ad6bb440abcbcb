//! Captured output, logs and warnings.

use super::Table;

const CAPTURE: &str = r#"
--- conftest.py
import sys
print("conftest is imported")
sys.stderr.write("on stderr, too\n")
--- test_capture.py
import logging
import os
import sys

print("module is imported")

def test_prints():
    print("from Python")
    sys.stderr.write("to stderr\n")
    os.write(1, b"from the descriptor\n")
    os.write(2, b"and from the other\n")
    assert 0

def test_passes():
    print("nobody sees this")

def test_capsys(capsys):
    print("caught")
    assert capsys.readouterr().out == "caught\n"

def test_capfd(capfd):
    os.write(1, b"caught")
    assert capfd.readouterr().out == "caught"
    print("left over")
    assert not "left"

def test_disabled(capsys):
    with capsys.disabled():
        pass

def test_binary(capsysbinary):
    sys.stdout.buffer.write(b"\xff\xfe")
    assert capsysbinary.readouterr().out == b"\xff\xfe"

def test_child():
    import subprocess
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    assert 0

def test_not_text():
    os.write(1, b"\xff\xfe\n")
    print("gr\u00fc\u00dfe \u2603 \udcff".encode("utf-8", "replace").decode())
    assert "\u2603" == "snow"

def test_reads_stdin():
    input()
"#;

#[test]
fn capture() {
    Table::new(CAPTURE)
        .same(&[
            "",
            "-rA -k 'not stdin'",
            "--show-capture=stderr",
            "--junitxml=junit.xml -o junit_logging=all -o junit_family=xunit2",
        ])
        // What is not captured is written where and when it is: by workers, not in any order.
        .same_in_process("-s -k 'not stdin'")
        .same_in_process("--capture=sys -k 'prints or capsys'")
        .same_in_process("--capture=tee-sys")
        .check();
}

const LOGS: &str = r#"
--- test_log.py
import logging
import pytest

log = logging.getLogger("deep.name")

@pytest.fixture
def logged():
    log.warning("while setting up")
    yield
    log.error("while tearing down")

def test_fails(logged):
    log.debug("debug")
    log.info("info %s", "value")
    log.warning("multiple\nlines")
    assert 0

def test_caplog(caplog):
    with caplog.at_level(logging.DEBUG):
        log.debug("seen")
    assert [record.message for record in caplog.records] == ["seen"]
    assert caplog.record_tuples == []

def test_passes(logged):
    log.critical("shown with -rA")

def test_exception():
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    assert 0
"#;

#[test]
fn logging() {
    Table::new(LOGS)
        .same(&[
            "",
            "--log-level=DEBUG",
            "--log-level=INFO --log-format='%(levelname)s|%(message)s' -rA",
            "--show-capture=log",
            "--log-disable=deep.name",
            "--junitxml=junit.xml -o junit_logging=log",
        ])
        .same_in_process("--log-cli-level=INFO")
        .check();
}

const WARNINGS: &str = r#"
--- conftest.py
import warnings
warnings.warn("from the conftest", UserWarning)
--- helper.py
import warnings

def old():
    warnings.warn("old is deprecated", DeprecationWarning, stacklevel=2)
--- test_warnings.py
import warnings
import pytest
import helper

warnings.warn("at import", FutureWarning)

class NotATest:
    pass

class TestWithInit:
    def __init__(self):
        pass

@pytest.mark.parametrize("number", range(3))
def test_old(number):
    helper.old()

def test_user():
    warnings.warn("a user's")
    warnings.warn("another", RuntimeWarning)

@pytest.mark.filterwarnings("ignore:silent")
def test_ignored():
    warnings.warn("silent")

@pytest.mark.filterwarnings("error")
def test_error():
    warnings.warn("loud")

def test_caught():
    with pytest.warns(UserWarning, match="wanted"):
        warnings.warn("wanted")

def test_not_caught():
    with pytest.warns(UserWarning):
        pass

@pytest.fixture
def noisy():
    warnings.warn("up")
    yield
    warnings.warn("down")

def test_in_fixture(noisy):
    pass

@pytest.mark.unknown_mark
def test_mark():
    pass

def test_returns():
    return 1

class Custom(UserWarning):
    def __init__(self, one, two):
        super().__init__(one, two)
        self.one, self.two = one, two

def test_own_class():
    warnings.warn(Custom("one", 2))
--- test_other.py
import helper

def test_old_again():
    helper.old()
    helper.old()
"#;

#[test]
fn warnings() {
    Table::new(WARNINGS)
        .same(&[
            "",
            "-q --disable-warnings",
            "-W error::RuntimeWarning",
            "-W ignore::DeprecationWarning -v",
            "-o filterwarnings=error::DeprecationWarning",
            "-W error",
            "-W error::pytest.PytestUnknownMarkWarning",
            "-W nonsense",
            "--strict-markers",
        ])
        // How far a run is turns yellow once a warning has been told of, which is after the test.
        .same_in_process("--color=yes -v")
        .same_in_process("--color=yes")
        // Without the plugin each process writes the warnings of the conftests that it imports.
        .same_in_process("-p no:warnings")
        .check();
}

const CLEANUP: &str = r#"
--- test_unraisable.py
import threading

class Broken:
    def __del__(self):
        raise ValueError("in del")

def test_unraisable():
    broken = Broken()
    del broken

def test_thread():
    def fails():
        raise KeyError("in a thread")
    thread = threading.Thread(target=fails, name="fails")
    thread.start()
    thread.join()

def test_after():
    pass
"#;

#[test]
fn exceptions_that_nobody_catches() {
    Table::new(CLEANUP)
        .same(&["", "-W error", "-W ignore"])
        .check();
}

const PROPERTIES: &str = r#"
--- test_properties.py
import pytest

@pytest.mark.parametrize("name", ["a<b", "\x00\x1b", "\u2603"])
def test_property(name, record_property):
    record_property("name", name)
    record_property("number", 12)
    print("out <&>", name)

def test_suite(record_testsuite_property):
    record_testsuite_property("architecture", "paper")

def test_fails(record_property):
    record_property("why", "because")
    assert "<a>" == "&\x01"

@pytest.fixture
def broken():
    yield
    raise OSError("down")

def test_both(broken):
    assert 0

def test_skipped():
    pytest.skip("<reason>")

def test_subtests(subtests):
    for n in range(3):
        with subtests.test(n=n):
            assert n != 1
"#;

const ATTRIBUTE: &str = r#"
--- test_attribute.py
def test_attribute(record_xml_attribute):
    record_xml_attribute("assertions", "3")
"#;

#[test]
fn junit_with_properties() {
    let lines = [
        "--junitxml=junit.xml",
        "--junitxml=junit.xml -o junit_logging=all -o junit_family=xunit1 -o junit_suite_name=mine",
        "--junitxml=junit.xml -o junit_duration_report=call -q",
    ];
    Table::new(PROPERTIES).same(&lines).check();
    // Whoever listens finds the node of a worker at a report; the reporter of JUnit XML does until the teardown is told.
    let heard = "--- conftest.py\ndef pytest_runtest_logreport(report):\n    pass\n";
    Table::new(&format!("{PROPERTIES}{heard}"))
        .same(&lines)
        .check();
    // An experiment of pytest's that does not reach the controller, nor does it with xdist.
    Table::new(ATTRIBUTE)
        .same_in_process("--junitxml=junit.xml -o junit_family=xunit1")
        .check();
}

const STYLES: &str = r#"
--- test_a.py
import pytest

@pytest.mark.parametrize("number", range(130))
def test_a(number):
    assert number not in (7, 99)
--- test_b.py
def test_b():
    pass
--- sub/test_c.py
def test_c():
    assert {"a": 1, "b": [1, 2]} == {"a": 1, "b": [1, 3], "c": 0}

def test_text():
    assert "one\ntwo\nthree" == "one\n2\nthree"

def test_long():
    assert list(range(100)) == list(range(99))
"#;

#[test]
fn progress_in_each_style() {
    Table::new(STYLES)
        .same(&[
            "--tb=short",
            "-o console_output_style=classic -q",
            "-o console_output_style=count --tb=line",
            "-o console_output_style=count -v --tb=no",
            "-o console_output_style=progress-even-when-capture-no --tb=no",
            "-vv sub",
            "-vvv sub",
            "-o verbosity_assertions=2 sub",
            "-o verbosity_test_cases=2 --tb=no",
            "--color=yes --tb=short",
            "--assert=plain sub",
            "-o truncation_limit_lines=2 sub",
        ])
        .check();
}

const SLOW: &str = r#"
--- test_slow.py
import time
import pytest

@pytest.fixture
def slow():
    time.sleep(0.25)

def test_fast():
    pass

def test_slow(slow):
    time.sleep(0.6)
"#;

#[test]
fn durations() {
    Table::new(SLOW)
        .same(&["--durations=2", "--durations=2 -vv", "--durations=1 -q"])
        .check();
}
