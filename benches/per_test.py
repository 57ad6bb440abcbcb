#!/usr/bin/env python3
"""Measure what a test costs to collect and to run, by kinds of tests, beside pytest.

    per_test.py --rpytest target/release/rpytest --venv VENV [--runs 5] [--tests 5000] [--kind NAME ...]
                [--instructions]

Each kind is a suite of its own, of files with 50 tests. A plugin notes when the session has started, when it
has collected and when it finishes, in pytest and in rpytest alike; both run all tests in one process and
take turns. Medians, in microseconds for each test, and those of the ratios within a turn. The standard library
is enough.

With `--instructions` it is not time that is noted but how many instructions of bytecode have been executed,
which no other load of the machine changes (Python 3.12 and newer). What is written in C, and the system,
do not count. Counting takes milliseconds a test, so that rpytest shows each by itself, which it does not
otherwise: its figures are some hundreds too high for tests that are not trivial.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import setting

CLOCK = """
import json, os, time

times = []

def pytest_sessionstart(session):
    times.append(time.perf_counter())

def pytest_collection_finish(session):
    times.append(time.perf_counter())

def pytest_sessionfinish(session):
    times.append(time.perf_counter())
    with open(os.environ["CLOCK"], "w") as file:
        json.dump(times, file)
"""

COUNT = """
import json, os, sys

counts = []
count = 0

def instruction(code, offset):
    global count
    count += 1

def pytest_sessionstart(session):
    counts.append(0)
    sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "count")
    events = sys.monitoring.events.INSTRUCTION
    sys.monitoring.register_callback(sys.monitoring.PROFILER_ID, events, instruction)
    sys.monitoring.set_events(sys.monitoring.PROFILER_ID, events)

def pytest_collection_finish(session):
    counts.append(count)

def pytest_sessionfinish(session):
    sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
    counts.append(count)
    with open(os.environ["CLOCK"], "w") as file:
        json.dump(counts, file)
"""

FIXTURES = """import pytest

@pytest.fixture
def one():
    return 1

@pytest.fixture
def two(one):
    yield one + 1

@pytest.fixture
def three(two):
    return two + 1

"""

WIDER = """import pytest

@pytest.fixture(scope="session")
def shared():
    return 1

@pytest.fixture(scope="module")
def of_module(shared):
    return shared + 1

@pytest.fixture
def own(of_module):
    return of_module + 1

"""

# What a file begins with, and one test of it.
KINDS = {
    "trivial": ("", "def test_{n}():\n    assert {n} == {n}\n"),
    "method": ("class TestIt:\n    pass\n", "class Test{n}:\n    def test(self):\n        assert {n} == {n}\n"),
    "3 fixtures": (FIXTURES, "def test_{n}(three):\n    assert three == 3\n"),
    "wider fixtures": (WIDER, "def test_{n}(own):\n    assert own == 3\n"),
    "parametrized": (
        "import pytest\n",
        '@pytest.mark.parametrize("a, b", [(i, str(i)) for i in range(10)])\ndef test_{n}(a, b):\n    assert str(a) == b\n',
    ),
    "tmp_path": ("", "def test_{n}(tmp_path):\n    assert tmp_path.is_dir()\n"),
    "capsys": ("", 'def test_{n}(capsys):\n    print({n})\n    assert capsys.readouterr().out == "{n}\\n"\n'),
    "monkeypatch": ("import os\n", 'def test_{n}(monkeypatch):\n    monkeypatch.setenv("N", "{n}")\n    assert os.environ["N"] == "{n}"\n'),
    "caplog": ("import logging\n", 'def test_{n}(caplog):\n    logging.warning("{n}")\n    assert caplog.messages == ["{n}"]\n'),
    "skipped": ("import pytest\n", '@pytest.mark.skip(reason="not now")\ndef test_{n}():\n    assert {n} == {n}\n'),
    "printing": ("", 'def test_{n}():\n    print("{n}")\n'),
    "unittest": ("import unittest\n\nclass It(unittest.TestCase):\n    pass\n", "class Test{n}(unittest.TestCase):\n    def test(self):\n        self.assertEqual({n}, {n})\n"),
    "test cases": (
        "import unittest\n",
        "class Test{n}(unittest.TestCase):\n"
        + "".join(f"    def test_{one}(self):\n        self.assertEqual({{n}}, {{n}})\n" for one in range(10)),
    ),
    "expected": ("import pytest\n", '@pytest.mark.xfail(reason="known")\ndef test_{n}():\n    value = {n}\n    assert value == -1\n'),
    "doctest": ("", 'def function_{n}():\n    """\n    >>> {n} + 1\n    {next}\n    """\n'),
    "failing": ("", "def test_{n}():\n    value = {n}\n    assert value == -1\n"),
    "report hook": ("", "def test_{n}():\n    assert {n} == {n}\n"),
}
# By kind: a fixture's way to know whether its test has failed, as pytest's own documentation has it.
CONFTESTS = {
    "report hook": """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, "rep_" + report.when, report)
    return report
"""
}
# By kind: what is set.
SETTINGS = {"doctest": "addopts = --doctest-modules\n"}
IN_FILE = 50


def suite(directory: pathlib.Path, kind: str, tests: int, clock: str) -> None:
    head, text = KINDS[kind]
    of_one = 10 if kind in ("parametrized", "test cases") else 1
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\n" + SETTINGS.get(kind, ""))
    (directory / "clock.py").write_text(clock)
    if kind in CONFTESTS:
        (directory / "conftest.py").write_text(CONFTESTS[kind])
    numbers = iter(range(tests // of_one))
    for file in range(tests // IN_FILE):
        of_file = [next(numbers) for _ in range(IN_FILE // of_one)]
        source = "\n".join([head, *(text.format(n=number, next=number + 1) for number in of_file)])
        (directory / f"test_{file:04}.py").write_text(source)


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tests", type=int, default=5000)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-per-test-"))
    clock = work / "clock.json"
    environment = setting.environment(options.venv, work)
    environment.update(RPYTEST_NO_DAEMON="1", RPYTEST_CACHE_DIR=str(work / "cache"), CLOCK=str(clock))
    commands = {
        "pytest": str(options.venv.resolve() / "bin" / "pytest"),
        "rpytest": str(options.rpytest.resolve()),
    }

    def times(command: str, directory: pathlib.Path) -> tuple[float, float]:
        clock.unlink(missing_ok=True)
        subprocess.run(
            [command, "-q", "-p", "clock", "-p", "no:cacheprovider"],
            cwd=directory,
            env=environment | {"PYTHONPATH": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,  # some fail
        )
        begun, collected, finished = json.loads(clock.read_text())
        return collected - begun, finished - collected

    unit, scale = ("instructions a test", 1.0) if options.instructions else ("microseconds a test", 1e6)
    print(f"{unit:20} {'collect':>9} {'pytest':>9} {'ratio':>6}   {'run':>9} {'pytest':>9} {'ratio':>6}")
    for kind in options.kind or KINDS:
        directory = work / "suite"
        suite(directory, kind, options.tests, COUNT if options.instructions else CLOCK)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(options.runs + 1):
            for name, command in commands.items():
                both = times(command, directory)
                if turn:  # the first writes the bytecode
                    found[name].append(both)
        line = f"{kind:20}"
        for phase in (0, 1):
            ours, theirs = ([pair[phase] for pair in found[name]] for name in ("rpytest", "pytest"))
            ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
            each = scale / options.tests
            line += f" {statistics.median(ours) * each:9.1f} {statistics.median(theirs) * each:9.1f} {ratio:6.2f}  "
        print(line, flush=True)
        shutil.rmtree(directory)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
