"""Reports of items that have passed, which are made when somebody looks at them.

pytest's terminal reporter keeps three reports of each item that passes, of which most sessions show no
more than their number. Here the items are kept, with what is known of them (`Uneventful`). Whoever asks
the reporter for its `stats` finds the reports, in the order in which pytest would have made them; but
for functions of pytest's own that only count.

Private names of the reporter are touched here; `known_code` knows in which form they were read.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import _pytest.terminal

from . import known_code

# What each call that passed is counted as, and each other phase.
PASSED: Final = "passed"
OTHERS: Final = ""
# The argument of the function that counts what it looks up.
_COUNTED: Final = "key"


class FinishedItem(Protocol):
    """An item that passed, or was skipped, with nothing to show."""

    nodeid: str

    @property
    def is_skipped(self) -> bool:
        """It has not passed, but was skipped."""

    @property
    def report_id(self) -> Any:
        """What its reports have in common."""

    def reports(self) -> list[Any]:
        """Of its three phases; or of setup and teardown, if it was skipped."""


class DeferredReports:
    """Of one reporter."""

    @classmethod
    def when_equal(cls, reporter: Any) -> DeferredReports | None:
        """`None` where it is not known what the reporter does at the end of a session."""
        if known_code.unknown(known_code.SUMMARY) is not None:
            return None
        return cls(reporter)

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter
        self._look_up = _look_up()
        # Whether the reporter itself adds a report.
        self._is_shown = False
        self._waiting: deque[FinishedItem] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, item: FinishedItem) -> None:
        """An item that has passed, after others of which there are reports."""
        self._waiting.append(item)

    def show(self, item: FinishedItem, report: Callable[..., object]) -> None:
        """The same, of which the reporter is told of the call; those before it go on waiting."""
        _, call, _ = item.reports()
        passed = vars(self._reporter)["stats"][PASSED]
        self._is_shown = True
        try:
            report(call)
        finally:
            self._is_shown = False
            if passed and passed[-1] is call:
                del passed[-1]
                self._waiting.append(item)

    def skip(self, item: FinishedItem, report: Callable[..., object]) -> None:
        """One that was skipped, of which the reporter is told at once, but for its teardown."""
        self._is_shown = True
        try:
            report(item.reports()[0])
        finally:
            self._is_shown = False
            self._waiting.append(item)

    def settle(self) -> None:
        """Make them."""
        waiting = self._waiting
        if not waiting:
            return
        stats = vars(self._reporter)["stats"]
        others, passed = stats[OTHERS], stats[PASSED]
        while waiting:
            *before, teardown = waiting[0].reports()
            if len(before) > 1:
                setup, call = before
                others.append(setup)
                passed.append(call)
            others.append(teardown)
            # Not before: an interrupt may strike.
            waiting.popleft()

    def seen_by(self, frame: types.FrameType) -> dict[str, list[Any]] | None:
        """What a function of pytest's own finds that has no use for them; else they are made."""
        if not self._waiting:
            return None
        stats: dict[str, list[Any]] = vars(self._reporter)["stats"]
        if self._is_shown:
            return stats
        argument = self._look_up.get(frame.f_code, "")
        if argument is None:
            return stats
        wanted = frame.f_locals.get(argument, OTHERS)
        if wanted not in (PASSED, OTHERS):
            return stats
        if argument == _COUNTED and wanted == PASSED:
            waiting = [item for item in self._waiting if not item.is_skipped]
            # One for all of them, since they are as good as each other to count.
            calls = [item.reports()[1] for item in waiting[:1]]
            return {PASSED: stats[PASSED] + calls * len(waiting)}
        self.settle()
        return None


def _look_up() -> dict[types.CodeType, str | None]:
    """The argument by which functions of the reporter look up one of the lists, by their code; `None`
    for those that look at keys alone, or at lists of what has not passed."""
    reporter: Any = _pytest.terminal.TerminalReporter
    found: dict[types.CodeType, str | None] = {
        reporter._set_main_color.__code__: None,
        reporter._determine_main_color.__code__: None,
        reporter.summary_warnings.__code__: None,
        reporter.getreports.__code__: "name",
        reporter._get_reports_to_display.__code__: _COUNTED,
    }
    for constant in reporter.short_test_summary.__code__.co_consts:
        if isinstance(constant, types.CodeType):
            found[constant] = "stat" if "stat" in constant.co_varnames else None
    return found
