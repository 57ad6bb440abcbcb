#!/usr/bin/env python3
"""Time runs that borrow from a daemon beside runs that do not, and beside pytest.

    daemon.py --rpytest target/release/rpytest --venv DIR [--runs 7] [--repeat 2000]

The commands take turns; bytecode is written first; medians and ratios are printed. With `--repeat`, a run
of one test is repeated so often, and the daemon's descriptors, processes and memory are printed
before and after (Linux). The standard library is enough.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import setting

SUITES = {"one test": (1, 1), "500 tests in 20 files": (20, 25), "10,000 tests in 100 files": (100, 100)}


def suite(directory: pathlib.Path, files: int, tests: int) -> None:
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\n")
    for number in range(files):
        lines = [f"def test_{test}():\n    assert {test} == {test}\n" for test in range(tests)]
        (directory / f"test_{number:04}.py").write_text("\n".join(lines))


class Daemon:
    def __init__(
        self, rpytest: str, directory: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self.command, self.directory, self.environment = rpytest, directory, environment
        self.process = subprocess.Popen(
            [rpytest, "--daemon"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while self.status() is None:
            time.sleep(0.05)

    def status(self) -> dict[str, object] | None:
        answer = subprocess.run(
            [self.command, "--daemon-status", "--json"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def stop(self) -> None:
        subprocess.run(
            [self.command, "--daemon-stop"],
            cwd=self.directory,
            env=self.environment,
            check=True,
        )
        self.process.wait()

    def counts(self) -> str:
        own = pathlib.Path(f"/proc/{self.process.pid}")
        descriptors = len(list((own / "fd").iterdir()))
        processes = 0
        for place in pathlib.Path("/proc").iterdir():
            if place.name.isdigit():
                try:
                    text = (place / "environ").read_bytes()
                except OSError:
                    continue
                processes += os.fsencode(self.directory.parent) in text
        lines = (own / "status").read_text().splitlines()
        memory = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
        return f"{descriptors} descriptors, {processes} processes, {memory} kB"


def wall(command: list[str], directory: pathlib.Path, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=0)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-daemon-"))
    binaries = options.venv.resolve() / "bin"
    environment = setting.environment(options.venv, work)
    rpytest = str(options.rpytest.resolve())
    for name, (files, tests) in SUITES.items():
        directory = work / name.replace(" ", "-").replace(",", "")
        suite(directory, files, tests)
        daemon = Daemon(rpytest, directory, environment)
        commands = {
            "pytest": [str(binaries / "pytest"), "-q"],
            "rpytest --no-daemon": [rpytest, "-q", "--no-daemon"],
            "rpytest": [rpytest, "-q"],
        }
        walls: dict[str, list[float]] = {label: [] for label in commands}
        for turn in range(options.runs + 2):
            for label, command in commands.items():
                seconds = wall(command, directory, environment)
                if turn > 1:  # before, bytecode is written, and a session is kept
                    walls[label].append(seconds)
            time.sleep(0.7)  # it looks for changes twice a second
        print(f"{name} ({options.runs} runs, medians)")
        for label, values in walls.items():
            pairs = zip(walls["pytest"], values, strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            print(f"  {label:20} {statistics.median(values):8.4f} s   pytest takes {ratio:6.1f} times as long")
        if options.repeat and files == 1:
            before = daemon.counts()
            for _ in range(options.repeat):
                wall(commands["rpytest"], directory, environment)
            time.sleep(1)
            print(f"  before {options.repeat} runs: {before}; after: {daemon.counts()}")
        daemon.stop()
    for command in (["--version"], ["--help"]):
        theirs = statistics.median(wall([str(binaries / "pytest"), *command], work, environment) for _ in range(5))
        ours = statistics.median(wall([rpytest, *command], work, environment) for _ in range(5))
        print(f"{command[0]}: pytest {theirs:.3f} s, rpytest without a daemon {ours:.3f} s")


if __name__ == "__main__":
    main()
