"""What `corpus.py` has found out of suites, kept in a file and told as a table."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import statistics
from typing import Any

BEGIN, END = "<!-- begin: benches/corpus.py -->", "<!-- end: benches/corpus.py -->"

TIMES = {
    "pytest": "pytest",
    "xdist": "xdist `-n 2`",
    "cold": "rpytest",
    "warm": "daemon",
    "-n 2": "rpytest `-n 2`",
}
RATIOS = {"pytest/cold": "pytest / rpytest", "pytest/warm": "pytest / daemon", "xdist/-n 2": "xdist / rpytest `-n 2`"}
# In comparison with which some cases are left out.
REFERENCES = {
    "order": "pytest, if it runs the tests of that worker in that order",
    "pytest": "pytest itself from run to run",
    "xdist": "xdist `-n 2`",
    "xdist -n 1": "xdist `-n 1`",
}
# How rpytest is compared: in one process, with workers, and by the daemon.
COMPARED = ("cold", "-n 1", "-n 2", "warm")
HEAD = ["suite", "tests", "ids", "outcomes", "JUnit", *TIMES.values(), *RATIOS.values()]


class Kept:
    """What was found last of each suite, with the build of rpytest that it was found with."""

    def __init__(self, place: pathlib.Path, build: str) -> None:
        self.place, self.build = place, build
        self.suites: dict[str, dict[str, Any]] = {}
        if place.exists():
            self.suites = json.loads(place.read_text(encoding="utf-8"))["suites"]

    def put(self, name: str, version: str, part: str, found: dict[str, Any]) -> None:
        suite = self.suites.setdefault(name, {})
        suite["version"] = version
        suite[part] = found | {"build": self.build}
        text = json.dumps({"suites": self.suites}, indent=1)
        new = self.place.with_suffix(".new")
        new.write_text(text + "\n", encoding="utf-8")
        os.replace(new, self.place)


def markdown(kept: Kept) -> str:
    rows = [HEAD, ["---"] * 5 + ["---:"] * (len(HEAD) - 5)]
    ratios: dict[str, list[float]] = {ratio: [] for ratio in RATIOS}
    tests = 0
    for name, suite in sorted(kept.suites.items()):
        check, times = suite.get("check"), suite.get("times")
        row = [f"{name} {suite['version']}"]
        if check:
            tests += check["tests"]
            ways = check["ways"].values()
            row += [
                f"{check['tests']:,}",
                equal(check["ids_equal"]),
                equal(all(way["outcomes_equal"] for way in ways)),
                equal(all(way["junit_equal"] for way in ways)),
            ]
        else:
            row += [""] * 4
        if times:
            for ratio, values in ratios.items():
                values += [times["ratios"][ratio]] if ratio in times["ratios"] else []
            row += [figure(times["walls"].get(way)) for way in TIMES]
            row += [figure(times["ratios"].get(ratio)) for ratio in RATIOS]
        else:
            row += [""] * (len(TIMES) + len(RATIOS))
        rows.append(row)
    if any(ratios.values()):
        means = [f"**{statistics.geometric_mean(values):.2f}**" for values in ratios.values()]
        timed = " or ".join(str(count) for count in sorted({len(values) for values in ratios.values()}))
        whole = f"{len(kept.suites)} suites; geometric means of {timed}"
        rows.append([whole, f"{tests:,}", *[""] * (len(HEAD) - 2 - len(means)), *means])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *notes(kept)]).rstrip()


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def equal(what: bool) -> str:
    return "equal" if what else "**no**"


def notes(kept: Kept) -> list[str]:
    """What the table does not say: where, when, how often, what was let pass, and what differs."""
    lines: list[str] = []
    times = [suite["times"] for suite in kept.suites.values() if "times" in suite]
    parts = [part for suite in kept.suites.values() for part in (suite.get("check"), suite.get("times")) if part]
    if times:
        runs = sorted({one["runs"] for one in times})
        lines.append(
            f"Seconds, medians of {' or '.join(map(str, runs))} runs in turn on {os.cpu_count()} processors"
            f" ({platform.system()}, {platform.machine()}); ratios are medians of those of each turn."
        )
    if parts:
        # Of what was kept from tables before there was this file neither build nor date is known.
        dates = sorted({part["date"] for part in parts if part["date"]})
        builds = sorted({part["build"] for part in parts})
        lines += [
            f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, build{'s' * (len(builds) > 1)} {', '.join(builds)}.",
            "",
        ]
    for name, suite in sorted(kept.suites.items()):
        for way, limit in suite.get("times", {}).get("unended", {}).items():
            lines.append(f"- {name}: {TIMES[way]} did not end within {limit:.0f} s.")
        check = suite.get("check")
        if check is None:
            continue
        for line in check.get("ids_differ", []):
            lines.append(f"- {name}, ids: `{line}`")
        if left := [way for way in COMPARED if way not in check["ways"]]:
            lines.append(f"- {name}: not compared {' and '.join(left)}.")
        for way, found in check["ways"].items():
            if found["let_pass"]:
                under = " and ".join(REFERENCES[one] for one in found["as_of"])
                lines.append(f"- {name}, {way}: without {found['let_pass']} cases that differ under {under}.")
            for line in found["differences"]:
                lines.append(f"- {name}, {way}: `{line.strip()}`")
    return lines


def write(place: pathlib.Path, table: str) -> None:
    """Between the marks of a file, whose other text stays."""
    text = place.read_text(encoding="utf-8") if place.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{place} has no lines {BEGIN!r} and {END!r} to put the table between")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    place.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
