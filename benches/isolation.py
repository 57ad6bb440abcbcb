#!/usr/bin/env python3
"""Measure what it costs to run each test in a process of its own, beside pytest-forked.

    isolation.py --rpytest target/release/rpytest --venv VENV [--runs 5] [--tests 1000]

VENV has pytest and pytest-forked. One suite of trivial tests, of files with 50, is run by pytest, by
`pytest --forked`, and by rpytest with `--isolate=test`, `--isolate=test -n 2`, `--isolate=file` and without isolation,
in turns. Medians of the wall clock and of the processors' time, and what each isolated test costs beyond
the same command without isolation. The first turn writes the bytecode, and does not count. The standard
library is enough.
"""

from __future__ import annotations

import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

import setting

IN_FILE = 50


def suite(directory: pathlib.Path, tests: int) -> None:
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\n")
    for file in range(tests // IN_FILE):
        text = "\n".join(f"def test_{n}():\n    assert {n} == {n}\n" for n in range(IN_FILE))
        (directory / f"test_{file:04}.py").write_text(text)


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tests", type=int, default=1000)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-isolation-"))
    environment = setting.environment(options.venv, work)
    environment.update(RPYTEST_NO_DAEMON="1", RPYTEST_CACHE_DIR=str(work / "cache"))
    pytest = str(options.venv.resolve() / "bin" / "pytest")
    rpytest = str(options.rpytest.resolve())
    commands = {
        "pytest": [pytest],
        "pytest --forked": [pytest, "--forked"],
        "rpytest": [rpytest],
        "rpytest --isolate=file": [rpytest, "--isolate=file"],
        "rpytest --isolate=test": [rpytest, "--isolate=test"],
        "rpytest --isolate=test -n 2": [rpytest, "--isolate=test", "-n", "2"],
    }
    directory = work / "suite"
    suite(directory, options.tests)
    forked = subprocess.run(
        [*commands["pytest --forked"], "-q", "test_0000.py"], cwd=directory, env=environment, capture_output=True
    )
    if forked.returncode:
        # pytest-forked 1.7.5 knows no pytest from 9.2 on.
        print("pytest --forked: left out, since it fails")
        del commands["pytest --forked"]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(options.runs + 1):
        for name, command in commands.items():
            begun, used = time.perf_counter(), _processor_time()
            setting.run([*command, "-q"], directory, environment)
            both = time.perf_counter() - begun, _processor_time() - used
            if turn:
                found[name].append(both)
    print(f"{options.tests} tests, medians of {options.runs} runs")
    print(f"{'':30} {'wall s':>8} {'cpu s':>8} {'ms a test':>10} {'cpu ms':>8}")
    middle = {name: [statistics.median(values) for values in zip(*both, strict=True)] for name, both in found.items()}
    for name, (wall, used) in middle.items():
        plain = middle["rpytest" if name.startswith("rpytest") else "pytest"]
        each = [1000 * (value - without) / options.tests for value, without in zip((wall, used), plain, strict=True)]
        beyond = f"{each[0]:10.2f} {each[1]:8.2f}" if name not in ("pytest", "rpytest") else ""
        print(f"{name:30} {wall:8.2f} {used:8.2f} {beyond}")
    shutil.rmtree(work)


def _processor_time() -> float:
    """Of all children that have been waited for, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
