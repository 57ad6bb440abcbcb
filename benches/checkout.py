#!/usr/bin/env python3
"""Time runs in a fresh checkout, where no file has bytecode yet, beside pytest.

    checkout.py --rpytest target/release/rpytest --venv VENV [--runs 5]

A suite of 5,000 tests in 1,000 files, each with other assertions. Before each run its bytecode is deleted. "restored"
is with rpytest's store of rewritten assertions as an earlier run has left it, "empty" without. The
commands take turns; medians, and those of the ratios within a turn, are printed. The standard library is enough.
"""

from __future__ import annotations

import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import setting

TEST = '''
def test_{name}():
    found = helper({value})
    assert found["value"] == {value}, "message {value}"
    assert len(found["items"]) == 3 and found["items"][0] in (0, {value})
    assert isinstance(found, dict)
'''


def suite(directory: pathlib.Path, files: int, tests: int) -> None:
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\n")
    for file in range(files):
        head = 'def helper(value):\n    return {"value": value, "items": [value] * 3}\n'
        values = [file * tests + test for test in range(tests)]
        text = "\n".join([head, *(TEST.format(name=value, value=value) for value in values)])
        (directory / f"test_{file:04}.py").write_text(text)


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-checkout-"))
    directory, cache = work / "suite", work / "cache"
    suite(directory, 1000, 5)
    environment = setting.environment(options.venv, work)
    environment.update(RPYTEST_NO_DAEMON="1", RPYTEST_CACHE_DIR=str(cache))
    rpytest = str(options.rpytest.resolve())
    pytest = str(options.venv.resolve() / "bin" / "pytest")

    def wall(command: list[str]) -> float:
        begin = time.perf_counter()
        subprocess.run(
            [*command, "-q", "-p", "no:cacheprovider"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - begin

    ways = {
        "pytest": ([pytest], False),
        "rpytest, empty": ([rpytest], True),
        "rpytest, restored": ([rpytest], False),
        "rpytest -n 1, restored": ([rpytest, "-n", "1"], False),
    }
    walls: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.runs + 1):
        for name, (command, empties) in ways.items():
            shutil.rmtree(directory / "__pycache__", ignore_errors=True)
            if empties:
                shutil.rmtree(cache / "rewritten", ignore_errors=True)
            seconds = wall(command)
            if turn:  # before, the interpreter's own bytecode is written
                walls[name].append(seconds)
    for name, values in walls.items():
        pairs = zip(walls["pytest"], values, strict=True)
        ratio = statistics.median(theirs / ours for theirs, ours in pairs)
        print(f"{name:24} {statistics.median(values):7.3f} s   pytest takes {ratio:5.2f} times as long")
    kept = [file for file in (cache / "rewritten").rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in kept)
    print(f"the store: {len(kept)} files, {size / 1e6:.1f} MB")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
