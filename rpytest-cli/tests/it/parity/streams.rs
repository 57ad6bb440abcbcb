//! What items write and log, where the short protocol leaves capture and handlers in place from one to the next.

use super::Table;

const OUTPUT: &str = r#"
--- pytest.ini
[pytest]
log_format = %(levelname)s %(message)s
--- conftest.py
import pytest

@pytest.fixture
def noisy():
    print("fixture up")
    yield
    print("fixture down")

@pytest.fixture
def noisy_at_the_end(capsys):
    yield
    print("late")
--- test_output.py
import io
import logging
import os
import subprocess
import sys
import warnings

import pytest

def test_quiet():
    pass

def test_prints(noisy):
    print("out")
    print("err", file=sys.stderr)

def test_prints_and_fails(noisy):
    print("out")
    assert 0

def test_at_the_end(noisy_at_the_end):
    pass

def test_nothing_is_left_of_the_last():
    pass

def test_child_process():
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    assert 0

def test_descriptor():
    os.write(1, b"by number")
    assert 0

def test_leaves_what_it_captures(capsys, noisy):
    print("captured")

def test_stdout_is_replaced_for_good():
    sys.stdout = io.StringIO()
    print("lost")

def test_stdout_is_itself_again():
    print("found")
    assert 0

def test_descriptor_is_replaced_for_good(tmp_path):
    with open(tmp_path / "out", "w") as file:
        os.dup2(file.fileno(), 1)
    print("lost")

def test_descriptor_is_itself_again():
    os.write(1, b"found")
    assert 0

def test_capsys(capsys):
    print("read")
    assert capsys.readouterr().out == "read\n"

def test_capsys_unread(capsys):
    print("unread")
    assert 0

def test_capsys_disabled(capsys, noisy):
    with capsys.disabled():
        pass
    print("unread")
    assert 0

def test_capfd(capfd):
    os.write(1, b"read")
    assert capfd.readouterr().out == "read"

def test_capfdbinary_and_noise(noisy, capfdbinary):
    os.write(2, b"left")

def test_capsys_by_name(request):
    capsys = request.getfixturevalue("capsys")
    print("read")
    assert capsys.readouterr().out == "read\n"
    print("left")
    assert 0

def test_sought(request):
    print("written over")
    sys.stdout.seek(0)
    assert 0

def test_logs():
    logging.warning("careful")

def test_logs_and_fails(noisy):
    logging.warning("careful")
    print("out")
    assert 0

@pytest.fixture
def logs():
    logging.warning("in setup")
    yield
    logging.warning("in teardown")

def test_logs_in_each_phase(logs, caplog):
    logging.warning("in call")
    assert [record.message for record in caplog.get_records("setup")] == ["in setup"]
    assert caplog.messages == ["in call"]
    assert 0

def test_caplog_by_name(logs, request):
    logging.warning("before")
    caplog = request.getfixturevalue("caplog")
    logging.warning("after")
    assert caplog.messages == ["before", "after"]
    assert [record.message for record in caplog.get_records("setup")] == ["in setup"]

def test_caplog_level(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("a.b").debug("low")
    assert caplog.messages == ["low"]

def test_level_is_back():
    logging.getLogger("a.b").debug("low")
    assert logging.getLogger().level == logging.WARNING

def test_handler_is_added():
    logging.getLogger().addHandler(logging.NullHandler())

def test_handlers_are_last():
    names = [type(handler).__name__ for handler in logging.getLogger().handlers]
    logging.getLogger().handlers.pop(0)
    assert names == []

def test_handlers_are_removed():
    logging.getLogger().handlers.clear()
    logging.warning("unheard, by pytest")

def test_handlers_are_back():
    logging.warning("heard")
    assert 0

def test_loner():
    logger = logging.getLogger("loner")
    logger.propagate = False
    logger.warning("perhaps")
    assert 0

def test_loner_again():
    logging.getLogger("loner").warning("perhaps")
    assert 0

def test_no_loner():
    logging.getLogger("loner").propagate = True
    logging.getLogger("loner").warning("heard")
    assert [handler for handler in logging.getLogger("loner").handlers] == []
    assert 0

def test_warns(recwarn):
    warnings.warn("recorded")
    assert len(recwarn) == 1

def test_warns_in_earnest():
    warnings.warn("seen")

def test_filters_are_changed():
    warnings.simplefilter("ignore")
    warnings.warn("unseen")

@pytest.mark.parametrize("n", range(2))
def test_filters_are_back(n):
    warnings.warn("seen each time")

@pytest.mark.filterwarnings("error")
def test_error():
    warnings.warn("fatal")
"#;

#[test]
fn output_that_is_captured_or_logged() {
    Table::new(OUTPUT)
        .same(&[
            "-rA",
            "-v --tb=short",
            "--junitxml=junit.xml -o junit_logging=all",
            "-p no:logging --tb=line -rA",
            "--log-level=DEBUG -rA",
            "--show-capture=no -W error -rA --tb=short",
        ])
        // Without capture of descriptors, the output of workers comes when it comes.
        .same_in_process("--capture=sys -rA -k 'not descriptor'")
        .same_in_process("-s -k 'not descriptor'")
        .same_in_process("-s -v -k 'not descriptor'")
        .same_in_process("--capture=tee-sys -rA -k 'not descriptor'")
        // What a test leaves behind is there for those of the same worker.
        .without_two_workers()
        .check();
}

const LOUD: &str = r#"
--- test_loud.py
import sys
import pytest

class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print(f"<{self.name} goes>")
        print(f"<{self.name} goes>", file=sys.stderr)

@pytest.fixture
def loud(request):
    return Loud(request.node.name)

def test_1(loud):
    pass

def test_2(loud):
    print("out of 2")

@pytest.mark.xfail
def test_3(loud):
    pass

def test_fails():
    print("out")
    assert 0

def test_last(loud):
    pass
"#;

/// It is nobody's output: no phase runs.
#[test]
fn what_values_of_fixtures_write_when_they_go() {
    let heard = "--- conftest.py\ndef pytest_runtest_logreport(report):\n    pass\n";
    let files = format!("{LOUD}{heard}");
    for files in [LOUD, &files] {
        let mut table = Table::new(files);
        for line in [
            "",
            "-rA",
            "-v",
            "-q --junitxml=junit.xml",
            "-s",
            "--capture=sys",
            "--capture=tee-sys",
        ] {
            table = table.same_in_process(line);
        }
        table.check();
    }
}

const REPLACED: &str = r#"
--- test_out.py
import os, sys, io
import pytest

def test_file():
    sys.stdout = open(os.devnull, "w")
    print("lost")

def test_next():
    print("found")

def test_file_with_fixture(tmp_path):
    sys.stderr = open(os.devnull, "w")

def test_next_with_fixture(tmp_path):
    print("found", file=sys.stderr)
    assert 0

@pytest.fixture
def replaced():
    sys.stdout = open(os.devnull, "w")
    yield

def test_replaced(replaced):
    print("found")
    assert 0

def test_deleted():
    del sys.stdout

def test_last():
    sys.stdout = io.StringIO()
    print("lost")

class TestIt:
    def test_file(self):
        sys.stdout = open(os.devnull, "w")
        raise ValueError

    def test_print(self):
        print("x")
        assert 0
"#;

/// What has been in their place goes when the phase is over, from where pytest puts them back: whose warning that is depends on it.
#[test]
fn streams_that_a_test_replaces() {
    Table::new(REPLACED)
        .same(&[
            "",
            "-W error -v --tb=short -k 'not TestIt'",
            "-rA --junitxml=junit.xml",
        ])
        .same_in_process("--capture=sys -rA")
        .same_in_process("-s")
        .without_two_workers()
        .check();
}

const COMPARED: &str = r#"
--- test_it.py
import sys

def test_before():
    pass

def test_compares():
    written = []

    def look(frame, event, function):
        if event == "c_call" and function.__name__ in ("write", "flush"):
            written.append(function.__qualname__)

    sys.setprofile(look)
    try:
        assert [1, 2] == [1, 3]
    except AssertionError:
        pass
    finally:
        sys.setprofile(None)
    assert not written

def test_fails():
    assert [1, 2] == [1, 3]
"#;

/// A test may run where nothing is to be written, as in an event loop that is watched by the library `blockbuster`.
#[test]
fn nothing_is_written_while_a_test_compares() {
    Table::new(COMPARED)
        .same(&["", "-v", "--color=yes -k 'not fails'"])
        .check();
}
