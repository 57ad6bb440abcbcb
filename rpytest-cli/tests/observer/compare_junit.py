#!/usr/bin/env python3
"""Compare two JUnit files of one suite: the cases, their order, outcomes and whole content, but for times.

    compare_junit.py PYTEST.xml RPYTEST.xml

Left out are times, the host's name, and what differs from run to run (`rpytest_varying`). It ends with 1 if
anything differs. The standard library is enough.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import difflib
import pathlib
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

import rpytest_varying

# Class, name, and which one of those with the same names it is.
Key = tuple[str, str, int]

TIMES = {"time", "timestamp", "hostname"}
# Of properties, which say what hypothesis has measured.
MEASURED = "hypothesis-statistics-"
# From the least to the most: a case that failed and whose teardown failed has failed.
OUTCOMES = ("passed", "skipped", "xfailed", "error", "failed")
SUITES = "names and counts"
SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Case:
    outcome: str
    content: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class File:
    cases: dict[Key, Case]
    around: dict[str, tuple[str, ...]]
    """Names and counts of the suites, and each property of theirs."""


@dataclasses.dataclass
class Difference:
    missing: list[Key] = dataclasses.field(default_factory=list)
    extra: list[Key] = dataclasses.field(default_factory=list)
    outcomes: list[Key] = dataclasses.field(default_factory=list)
    contents: list[Key] = dataclasses.field(default_factory=list)
    """With the same outcome."""
    order: bool = False
    around: list[str] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def cases(self) -> set[Key]:
        return {*self.missing, *self.extra, *self.outcomes, *self.contents}

    def without(self, other: Difference) -> Difference:
        """What is left if what differs there may be as it likes; then counts and order may be, too."""
        unstable = other.cases()

        def others(keys: list[Key]) -> list[Key]:
            return [key for key in keys if key not in unstable]

        touched = bool(self.cases() & unstable)
        return Difference(
            others(self.missing),
            others(self.extra),
            others(self.outcomes),
            others(self.contents),
            self.order and not touched,
            [name for name in self.around if name not in other.around and not (touched and name == SUITES)],
        )


def read(path: pathlib.Path) -> File:
    root = ET.parse(path).getroot()
    cases: dict[Key, Case] = {}
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    suites: list[str] = []
    around: dict[str, tuple[str, ...]] = {}
    for suite in root.iter("testsuite"):
        suites.append(attributes(suite))
        for child in suite:
            if child.tag != "testcase":
                # Properties, which any number of tests may have said something by.
                for part in child if child.tag == "properties" else [child]:
                    name = f"{part.tag} {part.get('name', '')}".strip()
                    if part.get("name", "").startswith(MEASURED):
                        part.attrib.pop("value", None)
                    around[name] = (*around.get(name, ()), *lines_of(part))
                continue
            names = rpytest_varying.without(child.get("classname", "")), rpytest_varying.without(child.get("name", ""))
            key = (*names, seen[names])
            cases[key] = Case(outcome(child), tuple(lines_of(child)))
            seen[names] += 1
    return File(cases, {SUITES: tuple(suites), **around})


def outcome(case: ET.Element) -> str:
    found = ["passed"]
    for child in case:
        if child.tag == "failure":
            found.append("failed")
        elif child.tag == "error":
            found.append("error")
        elif child.tag == "skipped":
            found.append("xfailed" if "xfail" in child.get("type", "") else "skipped")
    return max(found, key=OUTCOMES.index)


def attributes(element: ET.Element) -> str:
    said = (f"{name}={value!r}" for name, value in sorted(element.attrib.items()) if name not in TIMES)
    return rpytest_varying.without(" ".join([element.tag, *said]))


def lines_of(element: ET.Element, depth: int = 0) -> Iterator[str]:
    yield "  " * depth + attributes(element)
    if element.text and element.text.strip():
        for line in rpytest_varying.without(element.text).split("\n"):
            yield "  " * depth + f"| {line}"
    for child in element:
        yield from lines_of(child, depth + 1)


def compare(one: File, other: File) -> Difference:
    found = Difference(
        missing=[key for key in one.cases if key not in other.cases],
        extra=[key for key in other.cases if key not in one.cases],
        around=[
            name
            for name in dict.fromkeys([*one.around, *other.around])
            if one.around.get(name) != other.around.get(name)
        ],
    )
    for key, case in one.cases.items():
        theirs = other.cases.get(key, case)
        if theirs.outcome != case.outcome:
            found.outcomes.append(key)
        elif theirs.content != case.content:
            found.contents.append(key)
    common = [key for key in one.cases if key in other.cases]
    found.order = common != [key for key in other.cases if key in one.cases]
    return found


def text(key: Key) -> str:
    classname, name, repeated = key
    return f"{classname}::{name}" + (f" (number {repeated + 1})" if repeated else "")


def told(found: Difference, one: File, other: File, shown: int = SHOWN) -> Iterator[str]:
    """What there is to say of a difference, in lines."""

    def some(title: str, keys: list[Key]) -> Iterable[Key]:
        if keys:
            lines.append(f"{title}: {len(keys)}")
        return keys[:shown]

    lines: list[str] = []
    for key in some("missing", found.missing):
        lines.append(f"  {text(key)}")
    for key in some("extra", found.extra):
        lines.append(f"  {text(key)}")
    for key in some("other outcomes", found.outcomes):
        lines.append(f"  {text(key)}: {one.cases[key].outcome}, then {other.cases[key].outcome}")
    for key in some("other contents", found.contents):
        lines.append(f"  {text(key)}")
        lines += (f"    {line}" for line in changes(one.cases[key].content, other.cases[key].content))
    if found.order:
        lines.append("the order of the cases is another")
    for name in found.around[:shown]:
        lines.append(f"of the suites, other {name}")
        lines += (f"    {line}" for line in changes(one.around.get(name, ()), other.around.get(name, ())))
    yield from lines


def changes(one: Iterable[str], other: Iterable[str], lines: int = 12) -> list[str]:
    found = difflib.unified_diff(list(one), list(other), "one", "other", "", "", 0, "")
    return [line[:200] for line in found if not line.startswith(("---", "+++", "@@"))][:lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path)
    options = parser.parse_args()
    one, other = read(options.one), read(options.other)
    found = compare(one, other)
    print(f"{len(one.cases)} and {len(other.cases)} cases: {'DIFFERENT' if found else 'equal'}")
    for line in told(found, one, other):
        print(f"  {line}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
