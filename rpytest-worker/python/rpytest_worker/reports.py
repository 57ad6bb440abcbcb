"""What one item reported, as bytes: written by the process that ran it, read by the controller.

An item's story is a list of events in the order in which its hooks were called. Nearly every item
tells the same one (log start, three phases that passed with nothing to show, log finish), which has
a short form of its own. Everything is `marshal` of plain built-in values, so that the controller
never has to import a class of the user's to read a report.
"""

from __future__ import annotations

import copy
import marshal
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import pytest_reports, recorded_warnings

if TYPE_CHECKING:
    from .uneventful import Phase, Uneventful

START, REPORT, FINISH, WARNING = "start", "report", "finish", "warning"
# A report that is logged while a test's output is captured (a unittest's subtest): what the terminal
# reporter writes then is captured as well, and not seen.
HIDDEN_REPORT = "hidden report"

_PASSED_PHASES = ("setup", "call", "teardown")

Seconds = tuple[float, float, float]
"""Of the phases setup, call and teardown."""


class Story:
    """Collects what one item reports, through the hooks of `Recorder`."""

    __slots__ = ("_logged", "events", "item")

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.events: list[tuple[str, Any]] = []
        # What reports held when they were logged, by their identities.
        self._logged: dict[int, dict[str, Any]] | None = None

    def add_report(self, kind: str, report: Any) -> Any:
        """Add one that is logged, and return what stands for it from now on where it was logged before.

        A plugin may change a report and log it again, as pytest-retry does: it was another one then.
        """
        if self._logged is None:
            self._logged = {}
        before = self._logged.get(id(report))
        self._logged[id(report)] = report.__dict__.copy()
        earlier = None
        if before is not None:
            earlier = copy.copy(report)
            earlier.__dict__ = before
            self.events = [
                (one, earlier if value is report else value) for one, value in self.events
            ]
        self.events.append((kind, report))
        return earlier

    def reruns(self) -> int:
        """How many attempts came before the last one."""
        starts = sum(kind == START for kind, _ in self.events)
        return max(0, starts - 1)

    def is_excused(self) -> bool:
        """Whether a failure counts for none (see `quarantine`)."""
        return any(getattr(report, "quarantined", False) for report in self.reports())

    def reports(self) -> list[Any]:
        return [value for kind, value in self.events if kind in (REPORT, HIDDEN_REPORT)]


def encode(story: Story, config: pytest.Config) -> tuple[bytes, str, Seconds]:
    """The payload, the outcome for the ledger and the seconds of each phase."""
    short = _encode_short(story)
    if short is not None:
        return short
    events: list[tuple[str, Any]] = []
    for kind, value in story.events:
        if kind in (REPORT, HIDDEN_REPORT):
            events.append((kind, _serialize(value, config)))
        elif kind == WARNING:
            events.append((kind, recorded_warnings.serialize(value)))
        else:
            events.append((kind, value))
    outcome, seconds = summary(story.reports())
    return dump(("story", events)), outcome, seconds


def _seconds(phases: list[Phase]) -> Seconds:
    (setup, _, _), (call, _, _), (teardown, _, _) = phases
    return setup, call, teardown


def summary(reports: list[Any]) -> tuple[str, Seconds]:
    """An item's outcome, and the seconds of its phases, from its reports."""
    seconds = dict.fromkeys(_PASSED_PHASES, 0.0)
    outcome = "passed"
    for report in reports:
        if report.when in seconds:
            seconds[report.when] += report.duration
        if report.failed:
            if report.when == "call":
                outcome = "failed"
            elif outcome != "failed":
                outcome = "error"
        elif outcome in ("failed", "error"):
            continue
        elif report.skipped:
            outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
        elif report.when == "call" and hasattr(report, "wasxfail"):
            outcome = "xpassed"
    return outcome, (seconds["setup"], seconds["call"], seconds["teardown"])


def _encode_short(story: Story) -> tuple[bytes, str, Seconds] | None:
    events = story.events
    if len(events) != 5 or events[0][0] != START or events[4][0] != FINISH:
        return None
    first = events[1][1]
    phases = []
    for (kind, report), when in zip(events[1:4], _PASSED_PHASES, strict=True):
        if (
            kind != REPORT
            or report.__class__ is not pytest.TestReport
            or report.when != when
            or report.outcome != "passed"
            or report.longrepr is not None
            or report.sections
            or report.user_properties
            or report.__dict__.keys() != pytest_reports.PLAIN_REPORT_KEYS
            or report.keywords != first.keywords
        ):
            return None
        phases.append((report.duration, report.start, report.stop))
    try:
        payload = marshal.dumps(
            ("passed", events[0][1], first.nodeid, first.location, first.keywords, phases)
        )
    except ValueError:
        return None
    return payload, "passed", _seconds(phases)


def encode_uneventful(run: Uneventful) -> tuple[bytes, Seconds]:
    """The short form, for an item that has no reports: the payload, and the seconds of each phase."""
    phases, nodeid, location = run.phases, run.nodeid, run.item.location
    if run.skipped is not None:
        (setup, _, _), (teardown, _, _) = phases
        skipped = "skipped", nodeid, location, run.keywords, phases, run.skipped
        return dump(skipped), (setup, 0.0, teardown)
    story: tuple[Any, ...] = "passed", (nodeid, location), nodeid, location, run.keywords, phases
    if run.sections is not None:
        story += (run.sections,)
    try:
        payload = marshal.dumps(story)
    except ValueError:
        payload = dump(story)
    (setup, _, _), (call, _, _), (teardown, _, _) = phases
    return payload, (setup, call, teardown)


class Plain:
    """An item that passed, or that a mark has skipped, with nothing to show, in another process.

    Its reports are made when somebody asks for them.
    """

    __slots__ = ("_made", "_rest", "is_skipped", "location", "nodeid", "start")

    def __init__(self, story: tuple[Any, ...]) -> None:
        self._made: list[Any] | None = None
        self.is_skipped = story[0] == "skipped"
        if self.is_skipped:
            _, self.nodeid, self.location, *self._rest = story
            self.start = self.nodeid, self.location
        else:
            _, self.start, self.nodeid, self.location, *self._rest = story

    @property
    def report_id(self) -> Any:
        return pytest_reports.parse_id(self.nodeid)

    def reports(self) -> list[Any]:
        if self._made is not None:
            return self._made
        key, location = pytest_reports.parse_id(self.nodeid), self.location
        if self.is_skipped:
            found = pytest_reports.skipped_reports(key, location, *self._rest)
        else:
            keywords, phases, *sections = self._rest
            found = pytest_reports.plain_reports(key, location, keywords, phases)
            if sections:
                for report, of_phase in zip(found, sections[0], strict=True):
                    report.sections = of_phase
        self._made = found
        return found

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """As events."""
        yield START, self.start
        for report in self.reports():
            yield REPORT, report
        yield FINISH, self.start


Events = list[tuple[str, Any]] | Plain
"""What an item has to tell."""


def decode(payload: bytes, config: pytest.Config) -> Events:
    """The events of an item, with report objects as pytest's hooks expect them."""
    data = marshal.loads(payload)
    if data[0] in ("passed", "skipped"):
        return Plain(data)
    return [
        (
            kind,
            deserialize(value, config)
            if kind in (REPORT, HIDDEN_REPORT)
            else recorded_warnings.deserialize(value)
            if kind == WARNING
            else value,
        )
        for kind, value in data[1]
    ]


def serialize(report: Any, config: pytest.Config) -> bytes:
    """A single report (of a collector, say) as bytes."""
    return dump(_serialize(report, config))


def _serialize(report: Any, config: pytest.Config) -> dict[str, Any]:
    data: dict[str, Any] = config.hook.pytest_report_to_serializable(config=config, report=report)
    if failed_subtests := pytest_reports.failed_subtests(config, report):
        data["$rpytest_failed_subtests"] = failed_subtests
    longrepr = report.longrepr
    if hasattr(longrepr, "toterminal") and not pytest_reports.has_exception_repr(longrepr):
        # pytest would keep no more than its text without markup.
        data["$rpytest_rendered"] = (
            pytest_reports.render(longrepr, False),
            pytest_reports.render(longrepr, True),
        )
    return data


def deserialize(data: dict[str, Any], config: pytest.Config) -> Any:
    rendered = data.pop("$rpytest_rendered", None)
    failed_subtests = data.pop("$rpytest_failed_subtests", 0)
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if failed_subtests:
        pytest_reports.set_failed_subtests(config, report, failed_subtests)
    pytest_reports.restore_subtest_context(report, data)
    if rendered is not None:
        report.longrepr = pytest_reports.RenderedRepr(*rendered)
    return report


def dump(value: Any) -> bytes:
    """`marshal`, after plugins' own types have been made plain."""
    try:
        return marshal.dumps(value)
    except ValueError:
        return marshal.dumps(plain(value))


def plain(value: Any) -> Any:
    """The nearest value of built-in types: subclasses lose their class, the rest become text."""
    if value is None or isinstance(value, bool):
        return value
    kinds: tuple[Any, ...] = (int, float, complex, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return value if type(value) is kind else kind.__new__(kind, value)
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(entry) for entry in value)
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, (set, frozenset)):
        return (
            type(value)(plain(entry) for entry in value)
            if type(value)
            in (
                set,
                frozenset,
            )
            else {plain(entry) for entry in value}
        )
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return repr(value)
