"""What those who listen to a run are told: stories of items, and of what happens before and after them.

An item's story travels with its result, from the process that ran it. What the session as a whole has
to tell (what it is, what could not be collected, warnings, what its last line counts) the controller
tells (`Teller`). All of it is taken from pytest's own reports, as plain text.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from . import pytest_compat, pytest_reports, pytest_terminal, reports

if TYPE_CHECKING:
    from .channel import Channel
    from .uneventful import Uneventful

_PHASES: Final = ("setup", "call", "teardown")


class Statuses:
    """A plugin: what the report of an item is, as whoever shows it was told.

    Where others than pytest say what a report is, they are not asked a second time: one that counts
    what it is asked, say, would count wrong. Where nobody has asked, the answer is pytest's own.
    """

    def __init__(self) -> None:
        self._known: list[tuple[Any, Any]] = []

    @classmethod
    def when_needed(cls, config: pytest.Config) -> Statuses | None:
        hook = config.hook.pytest_report_teststatus
        return cls() if pytest_compat.others_listen(hook) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        status = yield
        self._known.append((report, status))
        return status

    def outcome(self, report: Any) -> str:
        """What it was called when it was shown, or what pytest would call it.

        To be asked once for each time that it was logged: that of a subtest may have been twice, by
        two names.
        """
        for position, (known, status) in enumerate(self._known):
            if known is report:
                del self._known[position]
                return text(status[0]) if status else ""
        return _plain_outcome(report)

    def replace(self, report: Any, earlier: Any) -> None:
        """A report is logged again; another one stands for what it was."""
        self._known = [
            (earlier if known is report else known, status) for known, status in self._known
        ]

    def forget(self) -> None:
        """Another item begins."""
        self._known.clear()


def _asked(report: Any, config: pytest.Config) -> str:
    """What a report is called, in a process that shows none."""
    try:
        status = config.hook.pytest_report_teststatus(report=report, config=config)
    except Exception:  # it may take for granted that reports are shown where it is asked
        return _plain_outcome(report)
    return text(status[0]) if status else ""


def _plain_outcome(report: Any) -> str:
    if hasattr(report, "wasxfail") and not report.failed:
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return text(report.outcome)


def of_story(
    story: reports.Story, config: pytest.Config, statuses: Statuses | None = None
) -> dict[str, Any]:
    """The story of an item that pytest's hooks have told of."""
    told = _place(story.item)
    described = Described(config, statuses)
    found = [described.report(report) for report in story.reports()]
    if found := [report for report in found if report is not None]:
        told["reports"] = found
    warnings = [warned(value) for kind, value in story.events if kind == reports.WARNING]
    if warnings:
        told["warnings"] = warnings
    return told


def of_passed(passed: Uneventful) -> dict[str, Any]:
    """The story of an item that no hook was called for."""
    told = _place(passed.item)
    if passed.sections is not None:
        known: list[tuple[str, str]] = []
        found = []
        for when, phase, sections in zip(_PHASES, passed.phases, passed.sections, strict=True):
            new = sections[len(known) :]
            known = sections
            if new:
                report = {"when": when, "outcome": "passed", "seconds": phase[0], "attempt": 1}
                found.append({**report, "sections": _pairs(new)})
        if found:
            told["reports"] = found
    return told


def _place(item: pytest.Item) -> dict[str, Any]:
    file, line, _ = item.location
    return {"file": text(file), "line": None if line is None else line + 1}


class Described:
    """Reports of one item, one after the other, each by what it adds to those before."""

    def __init__(self, config: pytest.Config, statuses: Statuses | None) -> None:
        self._config = config
        self._statuses = statuses
        # That of the next report, if it does not say so itself.
        self._attempt = 1
        self._sections: list[tuple[str, str]] = []
        self._properties: list[tuple[str, object]] = []

    def report(self, report: Any) -> dict[str, Any] | None:
        """`None` for a phase that has passed with nothing to show."""
        if self._statuses is None:
            outcome = _asked(report, self._config)
        else:
            outcome = self._statuses.outcome(report)
        # By those who run items again, pytest-rerunfailures as well.
        reruns = getattr(report, "rerun", None)
        attempt = reruns + 1 if type(reruns) is int and reruns >= 0 else self._attempt
        sections, self._sections = self._sections, list(report.sections)
        new = _added(self._sections, sections)
        properties, self._properties = self._properties, list(report.user_properties)
        added = _added(self._properties, properties)
        told: dict[str, Any] = {
            "when": text(report.when or ""),
            "outcome": outcome or text(report.outcome),
            "seconds": float(report.duration),
            "attempt": attempt,
            **described(report),
        }
        if new:
            told["sections"] = _pairs(new)
        if added:
            told["properties"] = _pairs(added)
        subtest = pytest_reports.subtest_description(report)
        if subtest is not None:
            told["subtest"] = text(subtest)
        elif outcome == "rerun":
            self._attempt = attempt + 1
        has_more = len(told) > 4 or told["outcome"] != "passed"
        return told if has_more else None


def described(report: Any) -> dict[str, Any]:
    """Why a report is not just one of something that passed."""
    told: dict[str, Any] = {}
    longrepr = report.longrepr
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        told["reason"] = text(expected)
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        told["reason"] = text(longrepr[2]).removeprefix("Skipped: ")
    elif longrepr is not None:
        told["text"] = text(report.longreprtext)
        crash = getattr(longrepr, "reprcrash", None)
        if crash is not None:
            told["crash"] = {
                "path": text(crash.path),
                "line": max(0, int(crash.lineno)),
                "message": text(crash.message),
            }
    return told


def warned(recorded: dict[str, Any]) -> dict[str, Any]:
    """A warning, from the arguments of `pytest_warning_recorded`."""
    warning = recorded["warning_message"]
    return {
        "category": text(warning.category.__name__ if warning.category else "Warning"),
        "message": text(warning.message),
        "file": text(warning.filename),
        "line": max(0, int(warning.lineno)),
        "when": text(recorded["when"]),
        "nodeid": text(recorded["nodeid"]),
    }


class Teller:
    """The controller's plugin that tells of the session.

    What is told before it is known whether anybody listens (in a resident, of which each run is a fork)
    is kept until then.
    """

    def __init__(self, channel: Callable[[], Channel], listens: bool | None) -> None:
        """`None`: it is not known yet."""
        self._channel = channel
        self._listens = listens
        self._kept: list[dict[str, Any]] = []
        # While what workers have reported goes through the hooks: that is in their stories.
        self.is_muted: Callable[[], bool] = lambda: False

    def adopt(self, listens: bool) -> None:
        """In a fork: somebody listens, or nobody does."""
        self._listens = listens
        kept, self._kept = self._kept, []
        if listens and kept:
            self._channel().send({"type": "told", "told": kept})

    def _tell(self, kind: str, fields: dict[str, Any]) -> None:
        if self._listens is False:
            return
        told = {"kind": kind, **fields}
        if self._listens is None:
            self._kept.append(told)
        else:
            self._channel().send({"type": "told", "told": [told]})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        config = session.config
        self._tell(
            "session",
            {
                "rootdir": text(config.rootpath),
                "inifile": None if config.inipath is None else text(config.inipath),
                "python": platform.python_version(),
                "pytest": pytest.__version__,
            },
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: Any) -> None:
        if report.passed:
            return
        told: dict[str, Any] = {
            "when": "collect",
            "outcome": "error" if report.failed else "skipped",
            "seconds": 0.0,
            "attempt": 1,
            **described(report),
        }
        if report.sections:
            told["sections"] = _pairs(report.sections)
        self._tell("collector", {"nodeid": text(report.nodeid), "report": told})

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(
        self, warning_message: Any, when: Any, nodeid: str, location: Any
    ) -> None:
        if self._listens is False or self.is_muted():
            return
        recorded = {"warning_message": warning_message, "when": when, "nodeid": nodeid}
        self._tell("warning", warned(recorded))

    def collected(self, config: pytest.Config, count: int) -> None:
        """The collection is over, and nothing has run yet."""
        deselected = len(pytest_terminal.deselected(config))
        self._tell("collected", {"items": count, "deselected": deselected})

    def items(self, items: list[pytest.Item]) -> None:
        """What a session that only collects has found."""
        found = [(text(item.nodeid), *_place(item).values()) for item in items]
        self._tell("items", {"items": found})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._listens:
            counts = pytest_terminal.counted(session.config)
            self._tell("ended", {"counts": [(text(name), count) for name, count in counts]})


def text(value: object) -> str:
    """A value as text that can be sent: what is not UTF-8 is backslash-escaped."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    try:
        told = str(value)
    except Exception as error:  # the user's class may do anything
        told = f"<{type(value).__name__}: {type(error).__name__} in __str__>"
    # A subclass may have methods of its own.
    told = told if type(told) is str else str.__str__(told)
    if told.isascii():
        return told
    return told.encode("utf-8", "backslashreplace").decode()


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(text(name), text(value)) for name, value in values]


def _added(now: list[Any], before: list[Any]) -> list[Any]:
    """What is there beside what was; all of it, if that has gone."""
    return now[len(before) :] if now[: len(before)] == before else now
