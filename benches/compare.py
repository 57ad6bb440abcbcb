#!/usr/bin/env python3
"""Time rpytest beside pytest and pytest-xdist on generated suites.

    compare.py --rpytest target/release/rpytest --venv DIR [--runs 5] [--suite NAME ...] [--work DIR]

The virtual environment must have pytest and pytest-xdist. The commands take turns, so that a machine
whose speed drifts slows all of them; bytecode is written first; medians and ratios are printed. The
standard library is enough.
"""

from __future__ import annotations

import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import setting


def trivial(directory: pathlib.Path, files: int, tests: int) -> None:
    for number in range(files):
        text = "".join(f"def test_{n}():\n    assert {n} == {n}\n\n" for n in range(tests))
        (directory / f"test_m{number:04}.py").write_text(text)


def skewed(directory: pathlib.Path) -> None:
    """200 sleeping tests of skewed lengths, 24 s in all."""
    generator = random.Random(7)
    lengths = [generator.lognormvariate(0, 1.2) for _ in range(200)]
    lengths = [min(length * 24 / sum(lengths), 1.5) for length in lengths]
    lengths = [length * 24 / sum(lengths) for length in lengths]
    for number in range(20):
        text = "import time\n\n"
        for n, length in enumerate(lengths[number * 10 : number * 10 + 10]):
            text += f"def test_{n}():\n    time.sleep({length:.4f})\n\n"
        (directory / f"test_s{number:02}.py").write_text(text)


SUITES = {
    "500 tests in 20 files": lambda directory: trivial(directory, 20, 25),
    "5,000 tests in 1,000 files": lambda directory: trivial(directory, 1000, 5),
    "10,000 tests in 100 files": lambda directory: trivial(directory, 100, 100),
    "200 sleeping tests": skewed,
}


class Memory(threading.Thread):
    """Watches a process tree: the peak of its root, and the unique memory of each descendant."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.stop = root, threading.Event()
        self.peak = 0
        self.unique: dict[int, int] = {}

    def run(self) -> None:
        while not self.stop.wait(0.05):
            self.peak = max(self.peak, field(f"/proc/{self.root}/status", "VmHWM"))
            for pid in descendants(self.root):
                rollup = f"/proc/{pid}/smaps_rollup"
                private = field(rollup, "Private_Dirty") + field(rollup, "Private_Clean")
                self.unique[pid] = max(self.unique.get(pid, 0), private)


def field(path: str, name: str) -> int:
    try:
        for line in open(path, encoding="ascii"):
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def descendants(root: int) -> list[int]:
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            parents[int(entry)] = field(f"/proc/{entry}/status", "PPid")
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found - {root})


def run(command: list[str], directory: pathlib.Path, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if not setting.wait(process, 300) or process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - begin


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("--work", type=pathlib.Path, help="where the suites are made (a new directory)")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="rpytest-compare-"))
    binaries = options.venv.resolve() / "bin"
    environment = setting.environment(options.venv, work)
    environment["RPYTEST_NO_DAEMON"] = "1"  # each run from the start
    rpytest, pytest = str(options.rpytest.resolve()), str(binaries / "pytest")

    for name in options.suite or SUITES:
        directory = work / name.replace(" ", "_").replace(",", "")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "pytest.ini").write_text("[pytest]\n")
        SUITES[name](directory)
        workers = "8" if "sleeping" in name else "2"
        commands = {
            "pytest": [pytest, "-q"],
            f"pytest -n {workers}": [pytest, "-q", "-n", workers],
            "rpytest": [rpytest, "-q"],
            "rpytest -n 1": [rpytest, "-q", "-n", "1"],
            f"rpytest -n {workers}": [rpytest, "-q", "-n", workers],
        }
        if "sleeping" in name:
            for slow in ("pytest", "rpytest", "rpytest -n 1"):
                del commands[slow]
        walls: dict[str, list[float]] = {label: [] for label in commands}
        for turn in range(options.runs + 1):
            for label, command in commands.items():
                wall = run(command, directory, environment)
                if turn:  # the first writes bytecode and durations
                    walls[label].append(wall)
        print(f"\n{name} ({options.runs} runs, medians)")
        xdist = walls[f"pytest -n {workers}"]
        for label, values in walls.items():
            ratio = statistics.median(a / b for a, b in zip(xdist, values))
            line = f"  {label:14} {statistics.median(values):6.2f} s  xdist takes {ratio:5.2f} times as long"
            if "pytest" in walls:
                ratio = statistics.median(a / b for a, b in zip(walls["pytest"], values))
                line += f", pytest {ratio:5.2f}"
            if "sleeping" in name:
                line += f"  sum / (workers x wall) {24 / (int(workers) * statistics.median(values)):.2f}"
            print(line, flush=True)
        if sys.platform == "linux":
            process = subprocess.Popen(commands[f"rpytest -n {workers}"], cwd=directory, env=environment,
                                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            memory = Memory(process.pid)
            memory.start()
            process.wait(300)
            memory.stop.set()
            memory.join()
            unique = ", ".join(f"{kib / 1024:.0f}" for kib in sorted(memory.unique.values()))
            print(f"  memory of rpytest -n {workers}: {memory.peak / 1024:.1f} MiB peak; "
                  f"unique MiB of its Python processes: {unique}")
    print(f"\nthe suites are in {work}")


if __name__ == "__main__":
    main()
