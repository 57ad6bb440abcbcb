"""pytest's terminal reporter, and where it writes: private names, as in `pytest_compat`."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import _pytest.terminal
import pytest

from .pytest_names import TerminalWriter


def terminal_reporter(config: pytest.Config) -> Any:
    return config.pluginmanager.getplugin("terminalreporter")


def will_report_interrupts(config: pytest.Config) -> bool:
    """Whether pytest's reporter is there, or nobody wants it."""
    manager = config.pluginmanager
    return terminal_reporter(config) is not None or manager.is_blocked("terminal")


def mute(reporter: Any) -> None:
    """Let a worker's reporter write to nowhere, and not listen to each test.

    xdist's workers have none, so that nobody is asked for a summary, either.
    """
    reporter._tw._file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    hook = reporter.config.hook
    for name in (
        "pytest_runtest_logstart",
        "pytest_runtest_logreport",
        "pytest_runtest_logfinish",
        "pytest_sessionfinish",
    ):
        with contextlib.suppress(ValueError):  # it took no part
            getattr(hook, name)._remove_plugin(reporter)


def hide_nodes(hook: Any, reporter: Any) -> None:
    """Let a reporter see no report's node, by which it would write what it does for workers."""
    for implementation in hook.get_hookimpls():
        wraps = implementation.hookwrapper or implementation.wrapper
        if implementation.plugin is reporter and not wraps:
            implementation.function = _without_node(implementation.function)


def _without_node(genuine: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(genuine)
    def pytest_runtest_logreport(report: Any) -> None:
        attributes = vars(report)
        node = attributes.pop("node", None)
        try:
            genuine(report)
        finally:
            if node is not None:
                attributes["node"] = node

    return pytest_runtest_logreport


class Curtain:
    """Hides what a terminal reporter writes, while its state goes on as if it had written."""

    def __init__(self, reporter: Any) -> None:
        self._writer = reporter._tw
        self._file = self._writer._file
        self._devnull = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self._writer._file = self._devnull

    def raise_(self) -> None:
        self._writer._file = self._file
        self._devnull.close()


def add_stats(reporter: Any, category: str, entries: Sequence[Any]) -> None:
    reporter._add_stats(category, entries)


class DeselectedItem:
    """Stands among a reporter's statistics for an item of another process."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def show_collected(reporter: Any, collected: int, deselected: list[str], lines: list[Any]) -> None:
    """Print `collected N items` and the lines that plugins add to it."""
    reporter._numcollected = collected
    if deselected:
        reporter._add_stats("deselected", [DeselectedItem(nodeid) for nodeid in deselected])
    reporter.report_collect(True)
    reporter._write_report_lines_from_hooks(lines)


def numcollected(config: pytest.Config) -> int | None:
    reporter = terminal_reporter(config)
    return None if reporter is None else reporter._numcollected


def deselected(config: pytest.Config) -> list[str]:
    reporter = terminal_reporter(config)
    if reporter is None:
        return []
    return [str(item.nodeid) for item in reporter.stats.get("deselected", ())]


def counted(config: pytest.Config) -> list[tuple[str, int]]:
    """What the last line of the session's report counts."""
    reporter = terminal_reporter(config)
    if reporter is None:
        return []
    counts = [
        (name, sum(1 for entry in entries if getattr(entry, "count_towards_summary", True)))
        for name, entries in reporter.stats.items()
        if name
    ]
    return [(name, count) for name, count in counts if count]


@contextlib.contextmanager
def writing_to(config: pytest.Config, file: Any) -> Iterator[None]:
    """Have what is written to the terminal written to a file."""
    writer: Any = config.get_terminal_writer()
    before, writer._file = writer._file, file
    try:
        yield
    finally:
        writer._file = before


class Memo:
    """Stands for the controller's own interrupt in `_report_keyboardinterrupt`."""

    class _Crash:
        def __init__(self, text: str) -> None:
            head, _, message = text.rstrip("\n").rpartition(": ")
            self.message = message
            self._text = text

        def toterminal(self, tw: TerminalWriter) -> None:
            tw.write(self._text)

    def __init__(self, line: str, full: str) -> None:
        self.reprcrash = self._Crash(line)
        self._full = full

    def toterminal(self, tw: TerminalWriter) -> None:
        tw.write(self._full)


def show_interrupt_at(config: pytest.Config, line: str, full: str) -> None:
    """Let the summary name the place where a worker was interrupted, not where we waited."""
    reporter = terminal_reporter(config)
    if reporter is not None:
        reporter._keyboardinterrupt_memo = Memo(line, full)


def is_on_terminal(reporter: Any) -> bool:
    """Whether somebody watches. It is a value up to pytest 8.0, and a method since."""
    isatty = reporter.isatty
    return bool(isatty() if callable(isatty) else isatty)


def stream_of_the_terminal(config: pytest.Config) -> Any:
    """Standard output, if it is a terminal and pytest's own reporter writes to it."""
    reporter = terminal_reporter(config)
    if type(reporter) is not _pytest.terminal.TerminalReporter or not is_on_terminal(reporter):
        return None
    stream = reporter._tw._file
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        return stream if stream.fileno() == 1 else None
    except (OSError, ValueError):
        return None
