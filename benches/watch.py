#!/usr/bin/env python3
"""Time `rpytest --watch`: from the write of a file to the printed result.

    watch.py --rpytest target/release/rpytest --venv DIR [--files 1000] [--runs 9]

A project of so many files, half of them sources and half of them tests, is generated; a test file and a source
module are edited in turns; medians are printed beside those of pytest, started for the same test file. The
standard library is enough. Linux and macOS.
"""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

import setting

SUMMARY = b" passed in "
END = b"waiting for changes"


def project(directory: pathlib.Path, files: int) -> None:
    """Each source module imports the one before it in its group of ten; each test file one of them."""
    directory.mkdir()
    (directory / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["src"]\n')
    for number in range(files // 2):
        package = directory / "src" / "app" / f"part{number // 50}"
        tests = directory / "tests" / f"part{number // 50}"
        for place in (package, tests):
            place.mkdir(parents=True, exist_ok=True)
        for place in (package.parent, package, tests.parent, tests):
            (place / "__init__.py").touch()
        if number % 10:
            before = f"from app.part{(number - 1) // 50} import module{number - 1}\n"
        else:
            before = ""
        (package / f"module{number}.py").write_text(
            f"{before}\ndef value():\n    return {number}\n"
        )
        (tests / f"test_{number}.py").write_text(
            f"from app.part{number // 50} import module{number}\n"
            + "".join(
                f"\n\ndef test_{test}():\n    assert module{number}.value() == {number}\n"
                for test in range(5)
            )
        )


class Watch:
    """The command, and when pytest's summary was printed, and when it was ready for the next change."""

    def __init__(
        self, command: list[str], directory: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.ended = threading.Semaphore(0)
        self.when = (0.0, 0.0)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        assert self.process.stdout is not None
        summary = 0.0
        for line in self.process.stdout:
            if END in line:
                self.when = (summary, time.perf_counter())
                self.ended.release()
            elif SUMMARY in line:
                summary = time.perf_counter()

    def result(self) -> tuple[float, float]:
        if not self.ended.acquire(timeout=60):
            raise SystemExit("no result within a minute")
        return self.when

    def edit(self, file: pathlib.Path, text: str) -> tuple[float, float]:
        begin = time.perf_counter()
        file.write_text(text)
        summary, ready = self.result()
        return summary - begin, ready - begin


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-watch-"))
    binaries = options.venv.resolve() / "bin"
    environment = setting.environment(options.venv, work)
    rpytest = str(options.rpytest.resolve())
    directory = work / "project"
    project(directory, options.files)
    # Bytecode is written, and pytest has a cache directory.
    subprocess.run(
        [str(binaries / "pytest"), "-q"],
        cwd=directory,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    begin = time.perf_counter()
    watch = Watch([rpytest, "--watch", "-q"], directory, environment)
    print(f"{options.files} files; the first run of all tests: {watch.result()[1] - begin:.3f} s")
    time.sleep(1)
    number = 10 * (options.files // 40) + 9
    test = directory / "tests" / f"part{number // 50}" / f"test_{number}.py"
    module = directory / "src" / "app" / f"part{number // 50}" / f"module{number}.py"
    kinds = {"a test file": test, "a source module": module}
    walls: dict[str, list[float]] = {}
    for turn in range(options.runs + 1):
        for name, file in kinds.items():
            # Of another length than before: bytecode is told from its source by seconds and by length.
            seconds = watch.edit(file, file.read_text() + f"# {turn}\n")
            if turn:  # the daemon is there only then
                for what, value in zip(("result", "ready again"), seconds, strict=True):
                    walls.setdefault(f"edit of {name}, {what}", []).append(value)
            time.sleep(0.7)
        begin = time.perf_counter()
        subprocess.run(
            [str(binaries / "pytest"), "-q", str(test)],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        if turn:
            walls.setdefault("pytest of that test file", []).append(time.perf_counter() - begin)
    watch.process.terminate()
    watch.process.wait()
    theirs = walls["pytest of that test file"]
    for label, values in walls.items():
        ratio = statistics.median(their / our for their, our in zip(theirs, values, strict=True))
        print(
            f"  {label:36} {statistics.median(values):8.4f} s   pytest takes {ratio:6.1f} times as long"
        )
    subprocess.run([rpytest, "--daemon-stop"], cwd=directory, env=environment, check=False)


if __name__ == "__main__":
    main()
