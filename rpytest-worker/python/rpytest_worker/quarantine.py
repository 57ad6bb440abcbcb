"""Tests whose failures do not fail the run, for a reason and until a day, by a file of the project.

    [[quarantine]]
    test = "tests/test_pay.py::test_refund"   # a node id, or a directory, file, class or function
    reason = "the sandbox times out"
    expires = 2026-12-31                      # the last day on which it counts
    issue = "https://example.org/4711"        # may be left out
    owner = "payments"                        # may be left out

Such a test runs as ever. What fails of it is reported as xfailed, what passes as passed. An entry
whose day is over counts no longer, and is named at the end of each run.

The file is read when a session is configured, so that a session that is kept for later is dropped
when the file changes; the day is looked at before the first test, since it may be older than a day.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from . import pytest_compat

PLUGIN: Final = "rpytest-quarantine"

_REQUIRED: Final = ("test", "reason", "expires")
_OPTIONAL: Final = ("issue", "owner")
_EXAMPLE: Final = "see [[quarantine]] in rpytest's README for an example"


class _Clock:
    """Held here, where what stops time does not find it: freezegun replaces what modules have."""

    time = staticmethod(time.time)
    day = staticmethod(datetime.date.fromtimestamp)


class Entry(NamedTuple):
    """One of the file's."""

    test: str
    reason: str
    expires: datetime.date
    issue: str
    owner: str
    # Where it is.
    line: int

    def covers(self, nodeid: str) -> bool:
        """Whether it is about a test: it names it, or what it is in, or the function of its
        parameters."""
        name = self.test
        if not nodeid.startswith(name):
            return False
        rest = nodeid[len(name) :]
        return not rest or name.endswith("/") or rest.startswith(("::", "[", "/"))

    def why(self) -> str:
        notes = ", ".join(note for note in (self.issue, self.owner) if note)
        text = f"quarantined until {self.expires.isoformat()}: {self.reason}"
        return f"{text} ({notes})" if notes else text


class Quarantine:
    """A plugin, registered where there is such a file."""

    def __init__(self, config: pytest.Config, file: str, entries: list[Entry]) -> None:
        self._config = config
        self._file = file
        self._entries = entries
        self._today: datetime.date | None = None
        self._nodeids: list[str] = []

    def excuse(self, report: Any) -> None:
        """Make a failure that does not count for what it is."""
        entry = self._entry(report.nodeid)
        if entry is not None:
            report.outcome = "skipped"
            report.wasxfail = entry.why()
            report.quarantined = True

    def _entry(self, nodeid: str) -> Entry | None:
        for entry in self._entries:
            if entry.covers(nodeid) and not self._is_over(entry):
                return entry
        return None

    def look_at_day(self) -> datetime.date:
        self._today = today = _Clock.day(_Clock.time())
        return today

    def _is_over(self, entry: Entry) -> bool:
        return entry.expires < (self._today or self.look_at_day())

    # Within everybody else's, whose own business failures are: the test has not failed for them.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self) -> Any:
        report = yield
        if report.failed:
            self.excuse(report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected([item.nodeid for item in session.items])

    def collected(self, nodeids: list[str]) -> None:
        """The tests that there are."""
        self._nodeids = nodeids

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        lines = list(self._warnings(terminalreporter))
        if lines:
            terminalreporter.write_sep("=", "quarantine", yellow=True, bold=True)
            for line in lines:
                terminalreporter.write_line(line)

    def _warnings(self, reporter: Any) -> Iterator[str]:
        whole = _has_collected_all(self._config, reporter)
        for entry in self._entries:
            where = f"{self._file}:{entry.line}: {entry.test}"
            if self._is_over(entry):
                day = entry.expires.isoformat()
                yield (
                    f"{where}: expired on {day}, so that its failures count again; "
                    "mend the test and remove the entry, or give it another day"
                )
            elif whole and not any(map(entry.covers, self._nodeids)):
                yield f"{where}: there is no such test; correct the entry, or remove it"


class Strict:
    """A plugin beside it, for what becomes a failure only outside of where that listens: a strict
    xpass."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Any:
        report = yield
        if report.failed:
            self._quarantine.excuse(report)
        return report


def configure(config: pytest.Config) -> None:
    """Register the plugin, if the command line or the project's settings name a file."""
    file = config.option.rpytest_quarantine
    if file is not None:
        path = os.path.join(str(config.invocation_params.dir), file)
    else:
        named = [value for name, value in settings(config) if name == "quarantine"]
        if not named:
            return
        file = path = named[-1]
        directory = str(config.invocation_params.dir) + os.sep
        file = file.removeprefix(directory)
    plugin = Quarantine(config, file, list(_read(path, file)))
    config.pluginmanager.register(plugin, PLUGIN)
    config.pluginmanager.register(Strict(plugin), f"{PLUGIN}-strict")


def of(config: pytest.Config) -> Quarantine | None:
    found: Quarantine | None = config.pluginmanager.getplugin(PLUGIN)
    return found


def tests_begin(config: pytest.Config) -> None:
    """Look at the day before the first test: while one runs, a fixture of its may have stopped time."""
    if (found := of(config)) is not None:
        found.look_at_day()


def settings(config: pytest.Config) -> list[tuple[str, str]]:
    """What the command has read of `[tool.rpytest]` and of variables for the session."""
    pairs = [setting.partition("=") for setting in config.option.rpytest_setting or ()]
    return [(name, value) for name, _, value in pairs]


def _has_collected_all(config: pytest.Config, reporter: Any) -> bool:
    """Whether each test that there is has been found, so that one that was not is none."""
    option = config.option
    stats = reporter.stats
    return not (
        pytest_compat.collects_a_part(config)
        or getattr(option, "lf", False)  # files without failures are not even deselected
        or option.keyword
        or option.markexpr
        or getattr(option, "ignore", None)
        or getattr(option, "ignore_glob", None)
        or stats.get("deselected")
        or any(isinstance(report, pytest.CollectReport) for report in stats.get("error", ()))
        or any(type(plugin).__name__ == "Focus" for plugin in config.pluginmanager.get_plugins())
        or not reporter._session.testscollected
    )


def _read(path: str, file: str) -> Iterator[Entry]:
    # Imported here, since it takes its time, and most projects have no such file.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest needs it there

    try:
        with open(path, "rb") as opened:
            text = opened.read().decode()
        table = tomllib.loads(text)
    except OSError as error:
        raise pytest.UsageError(
            f"the quarantine file {file} cannot be read: {error.strerror}; correct --quarantine, or "
            "quarantine in [tool.rpytest]"
        ) from None
    except ValueError as error:  # of TOML, with its line, or of UTF-8
        raise pytest.UsageError(f"{file} is not TOML: {error}; {_EXAMPLE}") from None
    lines = text.splitlines()
    entries = table.pop("quarantine", [])
    if table:
        name = next(iter(table))
        line = _line_of(lines, re.compile(rf"\s*\[*\s*\"?{re.escape(name)}\b"), 0)
        raise _wrong(file, line, f"{name!r} is unknown; there are [[quarantine]] tables only")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        line = _line_of(lines, re.compile(r"\s*\[?\s*quarantine"), 0)
        raise _wrong(file, line, "quarantine is no list; each entry begins with [[quarantine]]")
    begin = -1
    for entry in entries:
        begin = _line_of(lines, re.compile(r"\s*\[\[\s*\"?quarantine"), begin + 1) - 1
        yield _entry(file, lines, begin, entry)


def _entry(file: str, lines: list[str], begin: int, entry: dict[str, Any]) -> Entry:
    for key, value in entry.items():
        line = _line_of(lines, re.compile(rf"\s*\"?{re.escape(key)}\b"), begin + 1)
        if key not in (*_REQUIRED, *_OPTIONAL):
            known = ", ".join((*_REQUIRED, *_OPTIONAL))
            raise _wrong(file, line, f"{key} is unknown; there are {known}")
        if key == "expires" and isinstance(value, str):
            try:
                entry[key] = value = datetime.date.fromisoformat(value)
            except ValueError:
                value = None
        if key == "expires":
            if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
                raise _wrong(file, line, "expires is no date; write a day, such as 2026-12-31")
        elif not isinstance(value, str) or not value.strip():
            raise _wrong(file, line, f"{key} must be a text that is not empty")
    for key in _REQUIRED:
        if key not in entry:
            raise _wrong(file, begin + 1, f"the entry has no {key}; {_EXAMPLE}")
    return Entry(
        entry["test"],
        entry["reason"],
        entry["expires"],
        entry.get("issue", ""),
        entry.get("owner", ""),
        begin + 1,
    )


def _line_of(lines: list[str], pattern: re.Pattern[str], begin: int) -> int:
    """The number of the first line that is so, from 1; if there is none, that where the search
    begins."""
    for number, line in enumerate(lines[begin:], begin + 1):
        if pattern.match(line):
            return number
    return max(begin, 1)


def _wrong(file: str, line: int, problem: str) -> pytest.UsageError:
    return pytest.UsageError(f"{file}:{line}: {problem}")
