"""pytest's reports, as far as their insides matter here.

Private names, as in `pytest_compat`, and read in the same versions.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import pytest

from .pytest_compat import NodeId
from .pytest_names import TerminalRepr, TerminalWriter

PHASES: Final[Any] = ("setup", "call", "teardown")

# The attributes of a report to which no plugin added anything.
PLAIN_REPORT_KEYS = pytest.TestReport(
    "a", ("a", 0, "a"), {}, "passed", None, "call", (), 0, 0, 0, []
).__dict__.keys()


# How a report keeps its node id: as an object since pytest 9.2.
_HAS_ID = NodeId is not None
_REPORT_ID = "_id" if _HAS_ID else "nodeid"


_IS_PLAIN = {
    _REPORT_ID, "location", "keywords", "outcome", "longrepr", "when", "user_properties", "sections",
    "duration", "start", "stop",
} == PLAIN_REPORT_KEYS  # fmt: skip


def report_id(item: pytest.Item) -> Any:
    """What the reports of an item have in common."""
    return item.nodeid if NodeId is None else item.id


def parse_id(nodeid: str) -> Any:
    """The same of an item of another process."""
    return nodeid if NodeId is None else NodeId.parse(nodeid)


def plain_reports(
    nodeid: Any,
    location: tuple[str, int | None, str],
    keywords: dict[str, Any],
    phases: Sequence[tuple[float, float, float]],
    whens: Sequence[Any] = PHASES,
) -> list[Any]:
    """The reports of phases that passed without anything to show, from the setup on; `nodeid` is from
    `report_id`. Of each phase: its seconds, and when it started and stopped."""
    if not _IS_PLAIN:
        return [
            pytest.TestReport(
                nodeid, location, keywords, "passed", None, when, (), duration, start, stop, None
            )
            for when, (duration, start, stop) in zip(whens, phases, strict=False)
        ]
    # A third of the time.
    reports = []
    for when, (duration, start, stop) in zip(whens, phases, strict=False):
        report: Any = _new_report(pytest.TestReport)
        if _HAS_ID:
            report._id = nodeid
        else:
            report.nodeid = nodeid
        report.location = location
        report.keywords = keywords
        report.outcome = "passed"
        report.longrepr = None
        report.when = when
        report.user_properties = []
        report.sections = []
        report.duration = duration
        report.start = start
        report.stop = stop
        reports.append(report)
    return reports


def skipped_reports(
    nodeid: Any,
    location: tuple[str, int | None, str],
    keywords: dict[str, Any],
    phases: Sequence[tuple[float, float, float]],
    skipped: tuple[str, int, str],
) -> list[Any]:
    """The reports of an item that a mark has skipped: of its setup and its teardown. `skipped` is what
    pytest says of it: file, line and text."""
    reports = plain_reports(nodeid, location, keywords, phases, ("setup", "teardown"))
    reports[0].outcome = "skipped"
    reports[0].longrepr = skipped
    return reports


_new_report = pytest.TestReport.__new__


class RenderedRepr(TerminalRepr):  # type: ignore[misc]
    """A failure that another process has rendered, with and without markup."""

    def __init__(self, plain: str, markup: str) -> None:
        self.plain = plain
        self.markup = markup

    def toterminal(self, tw: TerminalWriter) -> None:
        text = self.markup if tw.hasmarkup else self.plain
        # `line` would wrap the text in markup of its own; it is final already.
        tw.write(text)
        if not text.endswith("\n"):
            tw.write("\n")

    def __str__(self) -> str:
        return self.plain.strip()


def restore_subtest_context(report: Any, data: dict[str, Any]) -> None:
    """Since pytest 9.1 a subtest's values are made text again each time they are read back."""
    context = data.get("_subtest.context")
    if context is not None and hasattr(report, "context"):
        object.__setattr__(report.context, "kwargs", context["kwargs"])


def subtest_description(report: Any) -> str | None:
    """What a subtest is called, by pytest's own reports of subtests or by those of pytest-subtests."""
    if not hasattr(report, "context"):
        return None
    for name in ("_sub_test_description", "sub_test_description"):
        describe = getattr(report, name, None)
        if describe is not None:
            return str(describe()).strip()
    return None


def render(representation: Any, markup: bool) -> str:
    """The text of a failure as a terminal would show it."""
    out = io.StringIO()
    writer = TerminalWriter(out)
    writer.hasmarkup = markup
    representation.toterminal(writer)
    return out.getvalue()


def has_exception_repr(longrepr: Any) -> bool:
    """Whether pytest's own serialisation keeps the structure of this failure."""
    return hasattr(longrepr, "reprtraceback") and hasattr(longrepr, "reprcrash")


def failed_subtest_counts(config: pytest.Config) -> dict[Any, int]:
    """How many subtests failed in each test, since pytest 9.0 has them."""
    try:
        from _pytest.subtests import failed_subtests_key
    except ImportError:
        return {}
    return config.stash.get(failed_subtests_key, {})


def _identity(report: Any) -> Any:
    """The key of that count: the node id, or what pytest 9.2 made of it."""
    return getattr(report, "id", report.nodeid)


def failed_subtests(config: pytest.Config, report: Any) -> int:
    if report.when != "call":
        return 0
    return failed_subtest_counts(config).get(_identity(report), 0)


def set_failed_subtests(config: pytest.Config, report: Any, count: int) -> None:
    """With it, whoever shows the report of the test makes it a failure, if it passed."""
    failed_subtest_counts(config)[_identity(report)] = count


def shown_location(config: pytest.Config, excinfo: Any) -> tuple[str, str] | None:
    """Where an interrupt struck: the line that pytest shows, and the whole traceback."""
    representation = excinfo.getrepr(funcargs=True)
    crash = representation.reprcrash
    return None if crash is None else (render(crash, False), render(representation, False))
