"""What pytest's terminal reporter does for an item with nothing to show, without the plugin manager.

Private names of the reporter are touched here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import _pytest.cacheprovider
import _pytest.terminal
import pytest

from . import known_code, pytest_compat, pytest_names, pytest_terminal
from .deferred_reports import DeferredReports, FinishedItem


class DirectDelivery:
    """Reports an item that passed or was skipped, with nothing to show, without the plugin manager.

    Such an item calls five hooks, and most of what they do, over all plugins, is nothing. Where only
    pytest itself implements them, and plugins that keep no more than a report's outcome, it is known
    what is left: `when_equal` makes sure of that.
    """

    HOOKS = (
        "pytest_runtest_logstart",
        "pytest_runtest_logreport",
        "pytest_runtest_logfinish",
        "pytest_report_teststatus",
    )
    # Whose `pytest_runtest_logreport` does nothing for a phase that passed or was skipped, or for one
    # that passed and is not the call.
    INDIFFERENT = frozenset({"Session", "LoggingPlugin", "XDistHooks"})
    OF_CALLS = frozenset({"LFPlugin", "TerminalProgressPlugin"})

    @classmethod
    def when_equal(cls, config: pytest.Config) -> DirectDelivery | None:
        if pytest_names.no_short_cuts() is not None:
            return None
        reporter = pytest_terminal.terminal_reporter(config)
        if type(reporter) is not _pytest.terminal.TerminalReporter:
            return None
        logs = config.pluginmanager.hasplugin("logging")
        if logs and (config.getini("log_cli") or config.option.log_cli_level is not None):
            return None  # its handlers mark where each phase begins
        for name in cls.HOOKS:
            hook = getattr(config.hook, name)
            for implementation in hook.get_hookimpls():
                if implementation.hookwrapper or getattr(implementation, "wrapper", False):
                    return None
                if not (
                    pytest_compat.is_ours(implementation.plugin)
                    or pytest_compat.is_pytests_own(implementation.plugin)
                    or known_code.of_plugin(implementation.function)
                ):
                    return None
        return cls(config, reporter)

    def __init__(self, config: pytest.Config, reporter: Any) -> None:
        self._reporter = reporter
        self._show_each = bool(reporter.showlongtestinfo)
        self._shows_paths = bool(reporter.showfspath)
        self._path: str | None = None
        self._finish = getattr(reporter, "pytest_runtest_logfinish", None)
        self._config = config
        self._others: list[Callable[..., object]] = []
        self._others_of_calls: list[Callable[..., object]] = []
        # Plugins that take an item that passes out of what has failed.
        self._of_failures: list[Any] = []
        # Reports that are not made before somebody looks at them.
        self.deferred: DeferredReports | None = None
        for implementation in config.hook.pytest_runtest_logreport.get_hookimpls():
            plugin, name = implementation.plugin, type(implementation.plugin).__name__
            if plugin is reporter or name in self.INDIFFERENT:
                continue
            if pytest_compat.is_ours(plugin) and not pytest_compat.is_observer(plugin):
                continue
            others = self._others_of_calls if name in self.OF_CALLS else self._others
            others.append(implementation.function)
        self._notes_report = hasattr(reporter, "_current_logreport")  # since pytest 9.2
        # Of those that the reporter has not been told of itself.
        self._last: FinishedItem | None = None
        # What a call that passes is to the reporter; asked for at the first one.
        self._status: object = None

    @property
    def shows_each(self) -> bool:
        """Whether each item is named before it runs."""
        return self._show_each

    def is_shown(self, nodeid: str) -> bool:
        """Whether nothing is written when this item starts."""
        if self._show_each:
            return False
        return not self._shows_paths or nodeid.partition("::")[0] == self._path

    def start(self, nodeid: str, location: Any) -> None:
        """Write what is written when an item starts."""
        if not self.is_shown(nodeid):
            self._reporter.pytest_runtest_logstart(nodeid, location)
        self._path = nodeid.partition("::")[0]

    def defer(self) -> None:
        """From now on reports need not be made at once: whoever calls sees to it that nobody finds
        them missing."""
        listening: list[Any] = [
            getattr(function, "__self__", None) for function in self._others_of_calls
        ]
        if self._others or any(
            type(plugin) is not _pytest.cacheprovider.LFPlugin for plugin in listening
        ):
            return
        self._of_failures = listening
        self.deferred = DeferredReports.when_equal(self._reporter)

    def deliver(self, items: Iterable[FinishedItem]) -> None:
        """Report items that have started.

        Where each is shown by a letter and the line has room, the letters are written together.
        """
        reporter, deferred = self._reporter, self.deferred
        # One write for all that is reported at once; see `flush`.
        reporter.flush = _do_nothing
        letters = room = 0
        try:
            for item in items:
                if item.is_skipped:
                    self._write(letters)
                    letters = 0
                    self._last = None
                    self._skipped(item)
                    continue
                if not letters:
                    room = self._room(item)
                if letters >= room:
                    self._write(letters)
                    letters = 0
                    self._last = None
                    self._passed(item)
                    continue
                letters += 1
                self._reported.add(item.report_id)
                self._last = item
                if deferred is not None:
                    deferred.add(item)
                    self._note_pass(item)
                    continue
                setup, call, teardown = item.reports()
                self._phases.append(setup)
                self._calls.append(call)
                self._phases.append(teardown)
                self._tell_others(setup, call, teardown)
            self._write(letters)
        finally:
            del reporter.flush

    def _room(self, item: FinishedItem) -> int:
        """For how many letters the reporter would do no more than to write them."""
        reporter = self._reporter
        stats = vars(reporter)["stats"]
        if self._show_each or "" not in stats or "passed" not in stats or self._finish is not None:
            return 0
        if self._status is None:
            _, call, _ = item.reports()
            self._status = tuple(
                self._config.hook.pytest_report_teststatus(report=call, config=self._config)
            )
        if self._status != ("passed", ".", "PASSED"):
            return 0
        self._phases, self._calls = stats[""], stats["passed"]
        self._reported = reporter._progress_nodeids_reported
        total = reporter._session.testscollected
        # So much is written at the end of a line, and something else with the last item.
        of_styles = {
            "progress": len(" [100%]"),
            "count": len(f" [{total}/{total}]"),
            "times": len(" 99h 59m"),
        }
        style: Any = getattr(reporter, "_show_progress_info", None)
        progress = of_styles.get(style, max(of_styles.values())) + 2
        line = reporter._tw._current_line
        width = reporter._screen_width - progress
        # To count columns takes the reporter long.
        is_plain = line.isascii() and line.isprintable()
        width -= len(line) if is_plain else reporter._tw.width_of_current_line
        return int(min(width, total - len(self._reported) - 1))

    def _write(self, letters: int) -> None:
        if letters:
            writer = self._reporter._tw
            writer._current_line += "." * letters
            writer._file.write(writer.markup(".", green=True) * letters)

    def flush(self) -> None:
        self.note_report()
        self._reporter.flush()

    def note_report(self) -> None:
        """Let the reporter have the last report, before anybody but those who deliver here goes on."""
        last, self._last = self._last, None
        if last is not None and self._notes_report:
            self._reporter._current_logreport = last.reports()[1]

    def _passed(self, item: FinishedItem) -> None:
        """One that the reporter is to show itself: at the end of a line, say."""
        reporter, deferred = self._reporter, self.deferred
        setup, call, teardown = item.reports()
        if deferred and self._finish is None:
            # Others before it wait, so that it has to wait behind them.
            deferred.show(item, reporter.pytest_runtest_logreport)
            self._note_pass(item)
            return
        # A phase beside the call that passes has no category; it is kept for its duration.
        stats = reporter.stats
        try:
            stats[""].append(setup)
        except KeyError:
            reporter._add_stats("", [setup])
        reporter.pytest_runtest_logreport(call)
        stats[""].append(teardown)
        self._tell_others(setup, call, teardown)
        if self._finish is not None:
            self._finish(item.nodeid)

    def _note_pass(self, item: FinishedItem) -> None:
        """What `LFPlugin.pytest_runtest_logreport` does."""
        for plugin in self._of_failures:
            plugin.lastfailed.pop(item.report_id, None)

    def _skipped(self, item: FinishedItem) -> None:
        reporter, deferred = self._reporter, self.deferred
        setup, teardown = item.reports()
        if deferred and self._finish is None:
            deferred.skip(item, reporter.pytest_runtest_logreport)
            self._note_pass(item)
            return
        reporter.pytest_runtest_logreport(setup)
        try:
            reporter.stats[""].append(teardown)
        except KeyError:
            reporter._add_stats("", [teardown])
        for function in self._others:
            function(report=setup)
            function(report=teardown)
        for function in self._others_of_calls:
            function(report=setup)
        if self._finish is not None:
            self._finish(item.nodeid)

    def _tell_others(self, setup: Any, call: Any, teardown: Any) -> None:
        for function in self._others:
            function(report=setup)
            function(report=call)
            function(report=teardown)
        for function in self._others_of_calls:
            function(report=call)

    def forget_path(self) -> None:
        """Something else was written since: the next item names its file again."""
        self._path = None


def _do_nothing() -> None:
    pass
