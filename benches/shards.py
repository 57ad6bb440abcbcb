"""How even 8 shards of real suites are: rpytest's strategies beside pytest-split's two algorithms.

Every tool divides by the durations of one run, and is judged by those of the next one: that is what happens to a user. What tests
of a file share (fixtures of modules) counts once for each shard that has one of them. Printed is the longest shard over the mean
of the best division: what all tests take, with each file begun once, over the number of shards. 1 is the least. VENV needs pytest-split; a project is a directory whose suite
runs there with `pytest`, or VENV:DIRECTORY for one with a virtual environment of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import statistics
import tempfile

import setting

SPLIT = ("duration_based_chunks", "least_duration")
OURS = ("duration_balanced", "least_duration")


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--split", action="store_true", help="measure pytest-split, too")
    parser.add_argument("projects", nargs="+")
    options = parser.parse_args()
    shards = options.shards
    columns = [*OURS, *(f"split {name}" for name in SPLIT if options.split)]
    print(f"{'project':<20} {'tests':>6} " + " ".join(f"{name:>28}" for name in columns))
    of_all: dict[str, list[float]] = {name: [] for name in columns}
    for project in options.projects:
        venv, _, directory = project.rpartition(":")
        suite = Suite(
            options.rpytest.resolve(), pathlib.Path(venv or options.venv), pathlib.Path(directory)
        )
        row = suite.measure(shards, options.split)
        name = pathlib.Path(directory).name
        print(
            f"{name:<20} {suite.tests:>6} " + " ".join(f"{row[column]:>28.3f}" for column in columns),
            flush=True,
        )
        for column in columns:
            of_all[column].append(row[column])
    means = " ".join(f"{statistics.geometric_mean(of_all[name]):>28.3f}" for name in columns)
    print(f"{'geometric mean':<27} {means}")


@dataclasses.dataclass
class Durations:
    """Seconds of tests, and of what the tests of a file share."""

    own: dict[str, float]
    shared: dict[str, float]

    def of(self, share: set[str]) -> float:
        files = {nodeid.partition("::")[0] for nodeid in share}
        return sum(self.own.get(nodeid, 0.0) for nodeid in share) + sum(
            self.shared.get(file, 0.0) for file in files
        )

    def as_others_have_it(self) -> dict[str, float]:
        """With what is shared in the first test of a file, where it is paid for."""
        left = dict(self.shared)
        return {
            nodeid: seconds + left.pop(nodeid.partition("::")[0], 0.0)
            for nodeid, seconds in self.own.items()
        }


class Suite:
    """One project, with a cache directory of its own."""

    def __init__(self, rpytest: pathlib.Path, venv: pathlib.Path, directory: pathlib.Path) -> None:
        self.rpytest = str(rpytest)
        self.directory = directory
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-shards-"))
        self.environment = setting.environment(venv, self.work)
        self.environment["RPYTEST_NO_DAEMON"] = "1"
        self.environment.setdefault("HOME", str(self.work))
        self.tests = 0

    def run(self, *command: str) -> str:
        cache = ("-o", f"cache_dir={self.work / 'cache'}", "-p", "no:randomly")
        # 1: tests fail; 5: pytest-split says so of a shard without tests.
        result = setting.run(
            [*command, *cache], self.directory, self.environment, codes=(0, 1, 5), seconds=1800
        )
        return result.stdout

    def durations(self) -> Durations:
        """What the latest run has measured."""
        text = (self.work / "cache/v/rpytest/durations.json").read_text()
        stored = json.loads(text)
        return Durations(
            {
                key: sum(runs[0][1:])
                for tests in stored["files"].values()
                for key, runs in tests.items()
            },
            {
                file: scopes[file][0][1]
                for file, scopes in stored.get("scopes", {}).items()
                if file in scopes
            },
        )

    def measure(self, shards: int, split: bool) -> dict[str, float]:
        # The first run is slow for other reasons: it compiles.
        self.run(self.rpytest, "-q")
        self.run(self.rpytest, "-q")
        planned = self.durations()
        self.tests = len(planned.own)
        (self.work / "split.json").write_text(json.dumps(planned.as_others_have_it()))
        of_shards: dict[str, list[set[str]]] = {}
        for strategy in OURS:
            of_shards[strategy] = [
                self.ids(
                    *(self.rpytest, "--collect-only", "-q", f"--shard={nth}"),
                    *(f"--total-shards={shards}", f"--shard-strategy={strategy}"),
                )
                for nth in range(shards)
            ]
        for algorithm in SPLIT if split else ():
            of_shards[f"split {algorithm}"] = [
                self.ids(
                    *("pytest", "--collect-only", "-q", f"--splits={shards}", f"--group={nth + 1}"),
                    *(f"--durations-path={self.work / 'split.json'}",),
                    f"--splitting-algorithm={algorithm}",
                )
                for nth in range(shards)
            ]
        self.run(self.rpytest, "-q")
        actual = self.durations()
        least = actual.of(set(actual.own)) / shards
        return {
            name: max(actual.of(share) for share in shares) / least
            for name, shares in of_shards.items()
        }

    def ids(self, *command: str) -> set[str]:
        lines = self.run(*command).splitlines()
        return {line for line in lines if "::" in line and not line.startswith(("[", " "))}


if __name__ == "__main__":
    os.umask(0o022)
    main()
