#!/usr/bin/env python3
"""Run suites of real projects with pytest, pytest-xdist and rpytest, compare what they say, and time them.

    corpus.py --rpytest target/release/rpytest --recipes CORPUS/corpus.toml --root DIR
              [--suite NAME ...] [--runs 5] [--no-check] [--no-times]
              [--kept docs/corpus.json] [--write docs/corpus.md]

ROOT is where `corpus.py --root DIR fetch all`, beside the recipes, has put sources and environments; one
`baseline` there brings pytest-xdist, which is not in the projects' own. What was found out of each suite is
kept in ROOT/table.json, or in another file, so that a table can be made in parts: suites that are named again are
replaced. The table names the builds of rpytest; one of a single build begins without that file.

Compared are the node ids that `--collect-only -q` prints, exit codes, and JUnit files: cases, order, outcomes,
messages, properties, output (`compare_junit.py`). Where there is a difference pytest runs once more: a case that it
tells differently itself may be different. With workers, so may one that pytest-xdist tells differently with as
many, and one that is as pytest tells it when it runs the tests of that worker in the worker's order.

Timed are whole commands, which take turns; the first turn, which writes bytecode and durations, is not
counted. The daemon is private, and left alone until it rests before a command is timed. The standard
library is enough.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from typing import Any

import corpus_table
import setting

sys.path.append(str(pathlib.Path(__file__).parents[1] / "rpytest-cli/tests/observer"))
import compare_junit  # noqa: E402
import rpytest_varying  # noqa: E402

# What a run with workers may differ from pytest in, since it has workers.
WITH_WORKERS = {"-n 1": ("xdist -n 1",), "-n 2": ("xdist",)}
# The daemon has all that it is going to have after two runs, so the third is the one to compare.
WARM_RUNS = 3
# A plugin of `--verify-dropin`, which has pytest run tests in another order.
OBSERVER = pathlib.Path(__file__).parents[1] / "rpytest-worker/python/rpytest_verify.py"


class TookTooLong(Exception):
    pass


@dataclasses.dataclass
class Ran:
    code: int
    wall: float
    output: str


class Suite:
    """One project: where it is, and its commands."""

    def __init__(self, recipe: dict[str, Any], options: argparse.Namespace, work: pathlib.Path) -> None:
        self.name: str = recipe["name"]
        self.version: str = recipe["version"]
        self.arguments: list[str] = recipe.get("args", [])
        self.collecting: list[str] = recipe.get("collect_args", self.arguments)
        root: pathlib.Path = options.root.resolve()
        self.directory = root / "src" / f"{self.name}-{self.version}" / recipe.get("cwd", ".")
        self.venv = root / "venv" / self.name
        # Suites that need it have it in their environment.
        own = next(self.venv.glob("lib/python*/site-packages/xdist"), None)
        self.xdist = {} if own else {"PYTHONPATH": str(root / "xdist")}
        self.seconds: float = options.seconds
        self.work = work / self.name
        self.work.mkdir(parents=True)
        self.rpytest = str(options.rpytest.resolve())
        self.environment = setting.environment(self.venv, work)
        home = root / "home" / self.name
        home.mkdir(parents=True, exist_ok=True)
        # Suites look at the first two; the third keeps what is known of environments apart from the user's.
        self.environment |= {"HOME": str(home), "TERM": "dumb", "RPYTEST_CACHE_DIR": str(work / "cache")}
        self.environment |= {name: str(value) for name, value in recipe.get("env", {}).items()}

    def command(self, way: str) -> tuple[list[str], dict[str, str]]:
        pytest = [str(self.venv / "bin" / "pytest")]
        if way == "pytest":
            return pytest, {}
        if way.startswith("xdist"):
            return pytest, self.xdist
        return [self.rpytest, *([] if way == "warm" else ["--no-daemon"])], {}

    def workers(self, way: str) -> list[str]:
        """The last word on the command line, since some recipes turn off the workers of `addopts`."""
        of_ways = {"xdist": "2", "xdist -n 1": "1", "-n 1": "1", "-n 2": "2"}
        return ["-n", of_ways[way]] if way in of_ways else []

    def run(self, way: str, more: list[str], **variables: str) -> Ran:
        """Runs a command to its end, whatever its exit code."""
        command, own = self.command(way)
        arguments = self.collecting if "--collect-only" in more else self.arguments
        with open(self.work / "output", "w+", encoding="utf-8", errors="replace") as output:
            begin = time.perf_counter()
            process = subprocess.Popen(
                [*command, *more, *arguments, *self.workers(way)],
                cwd=self.directory,
                env=self.environment | own | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                if not setting.wait(process, self.seconds):
                    raise TookTooLong(f"{self.name}, {way}: more than {self.seconds:.0f} s")
            finally:
                wall = time.perf_counter() - begin
                # What is left of the session: a suite that was stopped, and what a suite has left behind.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            return Ran(process.returncode, wall, output.read())

    def quiet(self) -> None:
        """Waits until the daemon has grown what it is going to."""
        before: object = None
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = subprocess.run(
                [self.rpytest, "--daemon-status", "--json"],
                cwd=self.directory,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            if answer.returncode:
                return
            kept = [
                (one["stage"], one["usable"], one["pid"], one["refusals"])
                for one in json.loads(answer.stdout)["snapshots"]
            ]
            if kept == before and all(usable or refusals for _, usable, _, refusals in kept):
                return
            before = kept
            # It looks for changes twice a second.
            time.sleep(0.6)

    def stop(self) -> None:
        subprocess.run(
            [self.rpytest, "--daemon-stop"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


# ---------------------------------------------------------------- comparing


def node_ids(output: str) -> list[str]:
    """Those that `--collect-only -q` prints, up to what comes after them."""
    found: list[str] = []
    # Ids may hold what `splitlines` takes for the end of a line.
    for line in output.split("\n"):
        if line.startswith(("====", "no tests ran")):
            break
        if "::" in line and not line.startswith((" ", "ERROR ", "<")):
            found.append(rpytest_varying.without(line))
    return found


@dataclasses.dataclass
class Reported:
    code: int
    file: compare_junit.File
    lanes: list[list[str]]
    """The tests of each worker, in the order in which it has begun them."""


def reported(suite: Suite, way: str) -> Reported:
    """A run with a JUnit file. What depends on the hashes of strings is the same in all."""
    place = suite.work / "junit.xml"
    events = suite.work / "events.jsonl"
    more = ["--message-format", f"json={events}"] if way == "-n 2" else []
    for turn in range(WARM_RUNS if way == "warm" else 1):
        if turn:
            suite.quiet()
        place.unlink(missing_ok=True)
        ran = suite.run(way, [f"--junitxml={place}", *more], PYTHONHASHSEED="0")
    if not place.exists():
        raise OSError(f"{suite.name}, {way}: no JUnit file\n{ran.output[-2000:]}")
    place = place.rename(suite.work / f"{way.replace(' ', '')}.xml")
    return Reported(ran.code, compare_junit.read(place), lanes(events) if more else [])


def lanes(events: pathlib.Path) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for line in events.read_text(encoding="utf-8").split("\n"):
        event = json.loads(line or "{}")
        if event.get("event") == "test_started":
            found.setdefault(event["worker"], []).append(event["nodeid"])
    return list(found.values())


def in_order(suite: Suite, tests: list[str]) -> Reported:
    """What pytest tells of these tests, run in this order."""
    plugin = suite.work / "plugin"
    (plugin / "out").mkdir(parents=True, exist_ok=True)
    shutil.copy(OBSERVER, plugin)
    (plugin / "out/order.json").write_text(json.dumps(tests), encoding="utf-8")
    place = suite.work / "in-order.xml"
    ran = suite.run(
        "pytest",
        ["-p", "rpytest_verify", f"--junitxml={place}"],
        PYTHONHASHSEED="0",
        PYTHONPATH=str(plugin),
    )
    return Reported(ran.code, compare_junit.read(place), [])


def check(suite: Suite, ways: tuple[str, ...]) -> dict[str, Any]:
    """What rpytest says that pytest does not, by ways."""
    theirs = node_ids(suite.run("pytest", ["--collect-only", "-q"], PYTHONHASHSEED="0").output)
    ours = node_ids(suite.run("cold", ["--collect-only", "-q"], PYTHONHASHSEED="0").output)
    pytest = reported(suite, "pytest")
    found: dict[str, Any] = {
        "ids": len(theirs),
        "ids_equal": theirs == ours,
        "tests": len(pytest.file.cases),
        "ways": {},
    }
    if theirs != ours:
        found["ids_differ"] = compare_junit.changes(theirs, ours)
    references: dict[str, Reported] = {}

    def again(reference: str) -> compare_junit.File:
        if reference not in references:
            references[reference] = reported(suite, reference)
        return references[reference].file

    for way in ways:
        run = reported(suite, way)
        whole = compare_junit.compare(pytest.file, run.file)
        difference, codes, of = whole, {pytest.code}, set()
        # With what may it differ? That is asked where it does.
        for reference in ("pytest", *WITH_WORKERS.get(way, ())):
            if difference or run.code not in codes:
                unstable = compare_junit.compare(pytest.file, again(reference))
                of |= {reference} if difference.cases() & unstable.cases() else set()
                difference = difference.without(unstable)
                codes.add(references[reference].code)
        for lane in run.lanes if difference else []:
            theirs = in_order(suite, lane)
            come_of_order = compare_junit.Difference(
                outcomes=[
                    key
                    for key in (*difference.outcomes, *difference.contents)
                    if theirs.file.cases.get(key) == run.file.cases[key]
                ]
            )
            if come_of_order:
                of.add("order")
                difference = difference.without(come_of_order)
                codes.add(theirs.code)
        lines = list(compare_junit.told(difference, pytest.file, run.file))
        if run.code not in codes:
            lines.append(f"exit code {run.code}, of pytest {pytest.code}")
        found["ways"][way] = {
            "outcomes_equal": run.code in codes
            and not (difference.missing or difference.extra or difference.outcomes),
            "junit_equal": not difference,
            "let_pass": len(whole.cases() - difference.cases()),
            "as_of": sorted(of),
            "differences": lines,
        }
        said = "DIFFERENT" if lines else "equal"
        let = found["ways"][way]["let_pass"]
        print(f"  {way:7} {said}" + (f", but for {let} that differ under {', '.join(corpus_table.REFERENCES[one] for one in sorted(of))}, too" if let else ""))
        print(*lines, sep="\n    ", flush=True)
    suite.stop()
    return found


# ---------------------------------------------------------------- timing


def measure(suite: Suite, runs: int) -> dict[str, Any]:
    ways = list(corpus_table.TIMES)
    walls: dict[str, list[float]] = {way: [] for way in ways}
    codes: dict[str, set[int]] = {way: set() for way in ways}
    unended: list[str] = []
    for turn in range(runs + 1):
        for way in tuple(ways):
            try:
                # The daemon is started by the first run and knows after the second what it may keep.
                for _ in range(2 if way == "warm" and not turn else 0):
                    suite.run(way, [])
                    suite.quiet()
                ran = suite.run(way, [])
            except TookTooLong as error:
                # There are suites whose tests disturb each other, whosever the workers are.
                if turn or way not in ("xdist", "-n 2"):
                    raise
                print(f"  {error}", flush=True)
                ways.remove(way)
                unended.append(way)
                continue
            if way == "warm":
                suite.quiet()
            if turn:
                walls[way].append(ran.wall)
                codes[way].add(ran.code)
        print(f"  turn {turn} of {runs}", flush=True)
    suite.stop()
    for way in ways:
        if codes[way] != codes["pytest"]:
            print(f"  {way} ended with {sorted(codes[way])}, pytest with {sorted(codes['pytest'])}", flush=True)
    return {
        "runs": runs,
        "walls": {way: statistics.median(walls[way]) for way in ways},
        # Of each turn, since a machine's speed drifts.
        "ratios": {
            f"{base}/{way}": statistics.median(a / b for a, b in zip(walls[base], walls[way], strict=True))
            for base in ("pytest", "xdist")
            for way in ("cold", "warm", "-n 2")
            if base in ways and way in ways
        },
        "unended": {way: suite.seconds for way in unended},
    }


# ---------------------------------------------------------------- all of it


def chosen(options: argparse.Namespace) -> list[dict[str, Any]]:
    recipes = tomllib.loads(options.recipes.read_text(encoding="utf-8"))["project"]
    known = {recipe["name"] for recipe in recipes}
    for name in [*(options.suite or []), *options.without]:
        if name not in known:
            sys.exit(f"{options.recipes} has no project {name!r}; it has {', '.join(sorted(known))}")
    return [
        recipe
        for recipe in recipes
        if recipe["name"] in (options.suite or known) and recipe["name"] not in options.without
    ]


def parts(options: argparse.Namespace, suite: Suite) -> Iterator[tuple[str, dict[str, Any]]]:
    if not options.no_check:
        yield "check", check(suite, tuple(options.way or corpus_table.COMPARED))
    if not options.no_times:
        yield "times", measure(suite, options.runs)


def main() -> int:
    parser = setting.parser(__doc__, venv=False)
    parser.add_argument("--recipes", required=True, type=pathlib.Path, help="corpus.toml")
    parser.add_argument("--root", required=True, type=pathlib.Path, help="where sources and environments are")
    parser.add_argument("--suite", action="append", metavar="NAME", help="only this (may be repeated)")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="all but this")
    parser.add_argument("--way", action="append", choices=corpus_table.COMPARED, help="compare this way only")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each command (default 5)")
    parser.add_argument("--seconds", type=float, default=900, help="no run may take longer (default 900)")
    parser.add_argument("--no-check", action="store_true", help="do not compare")
    parser.add_argument("--no-times", action="store_true", help="do not time")
    parser.add_argument("--kept", type=pathlib.Path, metavar="FILE", help="what was found so far (default ROOT/table.json)")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the table there, too")
    options = parser.parse_args()
    if not (options.root / "xdist").is_dir():
        parser.error(f"{options.root / 'xdist'} is not there: `corpus.py --root {options.root} baseline NAME` makes it")
    build = hashlib.sha256(options.rpytest.read_bytes()).hexdigest()[:12]
    kept = corpus_table.Kept(options.kept or options.root / "table.json", build)
    same = True
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rpytest-corpus-") as work:
        for recipe in chosen(options):
            suite = Suite(recipe, options, pathlib.Path(work))
            print(f"{suite.name} {suite.version}", flush=True)
            if not suite.directory.is_dir():
                parser.error(f"{suite.directory} is not there: `corpus.py --root {options.root} fetch {suite.name}`")
            began = time.monotonic()
            try:
                for part, found in parts(options, suite):
                    found["date"] = datetime.date.today().isoformat()
                    kept.put(suite.name, suite.version, part, found)
                    same = same and all(way["junit_equal"] for way in found.get("ways", {}).values())
            except (TookTooLong, OSError) as error:
                same = False
                print(f"  {error}", flush=True)
            finally:
                suite.stop()
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
    print(f"{time.monotonic() - begun:.0f} s in all\n")
    table = corpus_table.markdown(kept)
    print(table)
    if options.write:
        corpus_table.write(options.write, table)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
