"""What it takes of pytest to run an item again.

Private names of pytest are touched here. It was read in, and is tested against, pytest 8.0 to 9.2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import frames, pytest_compat, pytest_reports, pytest_terminal
from .pytest_names import runtestprotocol


class ItemState:
    """What a test may change of its own node, as it was before the first attempt."""

    __slots__ = ("_keywords", "_marks", "_properties")

    def note(self, item: Any) -> None:
        self._marks = tuple(item.own_markers)
        self._keywords = tuple(item.keywords._markers)
        self._properties = tuple(item.user_properties)

    def restore(self, item: Any) -> None:
        item.own_markers[:] = self._marks
        for name in [name for name in item.keywords._markers if name not in self._keywords]:
            del item.keywords._markers[name]
        item.user_properties[:] = self._properties
        if isinstance(item, pytest.Function) and isinstance(item.parent, pytest.Class):
            # The instance of the class, and the method that is bound to it; both are made anew
            # when they are asked for.
            with contextlib.suppress(AttributeError):
                del item._instance
            item._obj = None


def run_phases(item: pytest.Item, nextitem: pytest.Item | None) -> list[Any]:
    """Setup, call and teardown, by pytest's own protocol: their reports, which nobody has been told."""
    reports: list[Any] = runtestprotocol(item, log=False, nextitem=nextitem)
    return reports


@contextlib.contextmanager
def teardown_of(item: Any, alone: Callable[[], bool]) -> Iterator[None]:
    """Within it, an item's teardown leaves up what is wider, if by then it is to be `alone`."""
    state = item.session._setupstate
    genuine = state.teardown_exact

    @frames.not_shown
    def teardown_exact(nextitem: Any) -> None:
        genuine(_lowest_sound(item) if alone() else nextitem)

    state.teardown_exact = teardown_exact
    try:
        yield
    finally:
        del state.teardown_exact


def _lowest_sound(item: Any) -> Any:
    """The innermost collector of an item that may stay up: pytest would not set up again one that
    has failed."""
    for node, (_, error) in item.session._setupstate.stack.items():
        if error is not None and node is not item:
            return node.parent
    return item.parent


def tear_down_rest(item: Any, nextitem: pytest.Item | None) -> list[Any]:
    """Tear down what was left up for another attempt that is not made: a report, if that fails."""
    capture = item.config.pluginmanager.getplugin("capturemanager")
    captured = (
        contextlib.nullcontext() if capture is None else capture.item_capture("teardown", item)
    )
    with captured:
        call = pytest.CallInfo.from_call(
            lambda: item.session._setupstate.teardown_exact(nextitem),
            when="teardown",
            reraise=(pytest.exit.Exception, KeyboardInterrupt),
        )
    if call.excinfo is None:
        return []
    return [item.ihook.pytest_runtest_makereport(item=item, call=call)]


def forget_failed_fixtures(item: pytest.Item) -> None:
    """Let fixtures that have failed be set up again, after what they have left is torn down.

    pytest does both where a fixture is asked for with another parameter than before.
    """
    for fixture in pytest_compat.fixtures_of(item):
        cached = getattr(fixture, "cached_result", None)
        if cached is not None and cached[2] is not None:
            fixture.cached_result = (None, _Otherwise(), None)


class _Otherwise:
    """A parameter that is none."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def is_of_subtest(report: Any) -> bool:
    """Whether a report is one of pytest's own for a part of a test."""
    return hasattr(report, "context") and type(report).__module__ == "_pytest.subtests"


def forget_failed_subtests(item: Any) -> None:
    """They are counted for each test, by its identity (a node id, or what pytest 9.2 has made of
    it)."""
    pytest_reports.failed_subtest_counts(item.config).pop(getattr(item, "id", item.nodeid), None)


def forget_subtest_reports(config: pytest.Config, nodeid: str) -> None:
    """Take out of the summary what an attempt that is followed by another has told of subtests."""
    reporter = pytest_terminal.terminal_reporter(config)
    if reporter is None:
        return
    stats = reporter.stats
    for category in [name for name, reports in stats.items() if name and _has_any(reports)]:
        kept = [
            report
            for report in stats[category]
            if not (is_of_subtest(report) and report.nodeid == nodeid)
        ]
        if kept:
            stats[category] = kept
        else:
            del stats[category]


def _has_any(reports: list[Any]) -> bool:
    return any(is_of_subtest(report) for report in reports)
