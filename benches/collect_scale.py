#!/usr/bin/env python3
"""Time native collection beside `pytest --collect-only` and beside the bare parser.

    collect_scale.py --rpytest target/release/rpytest --examples target/release/examples --venv DIR
                     [--runs 5] [--large] [--work DIR]

`--examples` holds `collect_tree` of rpytest-examples and `parse_floor` of rpytest-benches. The virtual
environment must have pytest and nothing that changes collection. The commands take turns; bytecode and
the cache are written first; medians and ratios are printed. The standard library is enough.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

# Five tests each: two with fixtures, one of a class, two sets of parameters.
MODULE = '''"""Prices of part {number}."""

from __future__ import annotations

import pytest

from shop.part{part} import LIMITS, Price, total


@pytest.fixture
def prices():
    return [Price(n, "EUR") for n in range({number}, {number} + 10)]


def test_total(prices):
    assert total(prices) == sum(price.amount for price in prices)
    assert total([]) == 0


def test_in_basket(prices, basket):
    for price in prices:
        basket.append(price)
    assert len(basket) == 10, "every price is in it"


class TestPrice:
    currency = "EUR"

    def test_text(self):
        price = Price({number}, self.currency)
        assert str(price) == f"{{price.amount}} {{self.currency}}"


@pytest.mark.parametrize(("amount", "limit"), [(1, LIMITS["low"]), (100, LIMITS["high"])])
def test_limit(amount, limit):
    price = Price(amount, "EUR")
    assert price.amount <= limit
    with pytest.raises(ValueError):
        Price(-amount, "EUR")
'''

PART = """from dataclasses import dataclass

LIMITS = {"low": 10, "high": 1000}


@dataclass
class Price:
    amount: int
    currency: str

    def __post_init__(self):
        if self.amount < 0:
            raise ValueError(self.amount)

    def __str__(self):
        return f"{self.amount} {self.currency}"


def total(prices):
    return sum(price.amount for price in prices)
"""

CONFTEST = "import pytest\n\n\n@pytest.fixture\ndef basket():\n    return []\n"


def suite(directory: pathlib.Path, files: int) -> None:
    for top in ("shop", "tests"):
        (directory / top).mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\ntestpaths = tests\n")
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "shop/__init__.py").write_text("")
    for part in range(20):
        (directory / f"shop/part{part}.py").write_text(PART)
    for number in range(files):
        folder = directory / f"tests/area{number // 50:04}"
        if number % 50 == 0:
            folder.mkdir()
        text = MODULE.format(number=number, part=number % 20)
        (folder / f"test_price_{number:06}.py").write_text(text)


def run(
    command: list[str], directory: pathlib.Path, environment: dict[str, str]
) -> tuple[float, int, int]:
    """Seconds, peak memory in bytes, and lines printed."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    lines, peak, rest = 0, 0, b""
    # Each prints last: when something can be read, all of its memory has been used. What `wait4` says
    # would have that of this process in it, from before the command took its place.
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        peak = max(peak, high_water(process.pid))
        *whole, rest = (rest + chunk).split(b"\n")
        lines += sum(b".py::" in line for line in whole)
    status = process.wait()
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{command[0]}: exit code {status}")
    return wall, peak, lines


def high_water(pid: int) -> int:
    """The most memory that a process has had, in bytes. 0 where the system does not say."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) * 1024 if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rpytest", required=True, type=pathlib.Path)
    parser.add_argument("--examples", required=True, type=pathlib.Path)
    parser.add_argument("--venv", required=True, type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="100,000 files, and no pytest")
    parser.add_argument(
        "--work", type=pathlib.Path, help="where the suite is made (a new directory)"
    )
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="rpytest-scale-"))
    directory = work.resolve() / "suite"
    files = 100_000 if options.large else 1_000
    suite(directory, files)
    binaries = options.venv.resolve() / "bin"
    environment = dict(
        os.environ,
        VIRTUAL_ENV=str(binaries.parent),
        PATH=f"{binaries}{os.pathsep}{os.environ['PATH']}",
    )
    # With them pytest compiles every file in every run, or is slower to print.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("PYTHONUNBUFFERED", None)
    tree = str(options.examples.resolve() / "collect_tree")
    commands = {
        "pytest": [str(binaries / "pytest"), "--collect-only", "-q"],
        "rpytest, cold": [str(options.rpytest.resolve()), "--native-collect-only"],
        "collect_tree, cold": [tree, "."],
        "collect_tree, warm": [tree, ".", f"--cache={work.resolve() / 'cache'}"],
        "parser alone": [str(options.examples.resolve() / "parse_floor"), "tests"],
    }
    if options.large:
        del commands["pytest"]
    # A file that has just changed is read again: the cache is only warm for older ones.
    time.sleep(2.1)
    walls: dict[str, list[float]] = {label: [] for label in commands}
    memory = dict.fromkeys(commands, 0)
    for turn in range(options.runs + 1):
        for label, command in commands.items():
            wall, peak, items = run(command, directory, environment)
            expected = 0 if label == "parser alone" else files * 5
            if items != expected:
                raise SystemExit(f"{label}: {items} ids for {expected} tests")
            if turn:  # the first writes bytecode and the cache
                walls[label].append(wall)
                memory[label] = max(memory[label], peak)
    print(f"{files * 5:,} tests in {files:,} files ({options.runs} runs, medians)")
    floor = walls["parser alone"]
    for label, values in walls.items():
        line = f"  {label:19} {statistics.median(values):8.4f} s"
        if memory[label]:  # not seen of a command that ends as soon as it has printed
            line += f"  {memory[label] / (files * 5):7.0f} bytes of peak memory per test"
        ratio = statistics.median(value / least for value, least in zip(values, floor, strict=True))
        line += f"  {ratio:7.2f} x the parser"
        if "pytest" in walls:
            ratio = statistics.median(
                slow / value for slow, value in zip(walls["pytest"], values, strict=True)
            )
            line += f"  pytest takes {ratio:6.1f} times as long"
        print(line)
    print(f"the suite is in {work}")


if __name__ == "__main__":
    main()
