"""Runs an item again that has failed.

The reports of an attempt are held until it is over, so that it is known of each whether it counts. One
that is followed by another attempt has the outcome `rerun`, which neither fails the session nor counts
for `--maxfail`. Each attempt is a fresh setup: the item is torn down, alone, and what has failed in its
setup is set up again, of whatever scope.

The first attempt of an item may be one of the short protocol (`short_protocol`), which asks `hold`
where something has to be reported; an item that passes at once never comes here. Further attempts are
by pytest's own protocol. All of them are within one `pytest_runtest_protocol`, one story of `recorder`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Final

import pytest

from . import item_again, reruns, timeouts
from .own_options import OwnOptions
from .reruns import Failures, Limits, Reruns

PLUGIN: Final = "rpytest-attempts"


class Attempts:
    """A plugin, registered where items are run."""

    def __init__(self, reruns: Reruns) -> None:
        self._reruns = reruns
        # The item of which attempts are made.
        self._item: Any = None
        self._limits: Limits | None = None
        self._number = 1
        self._failed: list[tuple[str, Any]] = []
        # Reports of the attempt, and what has been told of subtests while it ran.
        self._held: list[Any] = []
        self._early: list[Any] = []
        self._is_logging = False
        self._tears_down_alone = False
        self._undo = ExitStack()
        self._before = item_again.ItemState()
        # The item that the short protocol runs.
        self.running: Any = None

    # ---------------------------------------------------------------- pytest's own protocol

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        if not self._begin(item):
            return None
        self._before.note(item)
        try:
            self._attempt(item, nextitem)
        finally:
            self.release()
        return True

    def go_on(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """All attempts but the first, which `conclude` has found worth another one."""
        try:
            self._attempt(item, nextitem)
        finally:
            self.release()

    def _attempt(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        again = True
        while again:
            if self._number > 1 and (timer := self._timer()) is not None:
                timer.begin_again()
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            self._tear_down_as_fits(item)
            self._held += item_again.run_phases(item, nextitem)
            again = self.conclude(nextitem)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    # ---------------------------------------------------------------- an attempt

    @property
    def are_wanted(self) -> bool:
        """Whether an item may be run again for which no mark says so."""
        return self._reruns.are_wanted

    def _begin(self, item: Any) -> bool:
        """Whether an item may be run again; then this is its first attempt."""
        limits = self._reruns.limits(item)
        if limits is None:
            return False
        self._item, self._limits, self._number = item, limits, 1
        return True

    def begun(self, item: Any) -> None:
        """The short protocol runs an item, which may never have to be looked at again."""
        self.running = item
        self._before.note(item)

    def hold(self, item: Any) -> list[Any] | None:
        """Where reports of an item go that has something to tell, if it may be run again.

        Whoever asks says `conclude` when it is torn down, and `release` whatever happens.
        """
        if item is not self._item and not self._begin(item):
            return None
        self._tear_down_as_fits(item)
        return self._held

    def number_first(self, item: Any, reports: list[Any]) -> None:
        """Say of reports that are told before the first attempt is over that they are of that one."""
        if self._reruns.limits(item) is not None:
            for report in reports:
                report.rerun = 0

    def conclude(self, nextitem: pytest.Item | None) -> bool:
        """The attempt is over: log its reports. Whether another one is to be made, as after a start."""
        item, limits, failures = self._item, self._limits, self._failed
        assert limits is not None
        again = self._is_worth_another(failures)
        self._undo.close()
        if self._tears_down_alone and not again:
            # How it was torn down has ruled out what it was left up for.
            self._held += item_again.tear_down_rest(item, nextitem)
        reports, self._held[:] = list(self._held), []
        # A test of which a part has failed may have passed for all that its own report says.
        phases = {when for when, _ in failures}
        if again:
            if (timer := self._timer()) is not None:
                timer.pause()
            time.sleep(limits.delay * limits.backoff ** (self._number - 1))
        for report in reports:
            report.rerun = self._number - 1
            if again and (report.failed or (report.passed and report.when in phases)):
                report.outcome = "rerun"
            self._log(report)
        early, self._early = self._early, []
        if not again:
            for report in early:
                report.outcome = "failed"
                self._log(report)
            return False
        item_again.forget_failed_fixtures(item)
        item_again.forget_failed_subtests(item)
        self._before.restore(item)
        self._number += 1
        self._failed = []
        self._tears_down_alone = False
        return True

    def release(self) -> None:
        """Nothing of the item is left."""
        self.running = None
        if self._item is None:
            return  # it was never looked at
        self._undo.close()
        self._item = self._limits = None
        self._failed = []
        self._held, self._early = [], []
        self._tears_down_alone = False

    def _is_worth_another(self, failures: Failures) -> bool:
        return (
            bool(failures)
            and self._limits is not None
            and self._number <= self._limits.reruns
            and self._reruns.wants(self._item, failures)
        )

    def _tear_down_as_fits(self, item: Any) -> None:
        """Leave up what is wider than an item, if that is to be run again."""

        def alone() -> bool:
            self._tears_down_alone = self._is_worth_another(self._failed)
            return self._tears_down_alone

        self._undo.enter_context(item_again.teardown_of(item, alone))

    def _timer(self) -> timeouts.Timeouts | None:
        """Who limits the time of each attempt, if that is rpytest itself."""
        found = self._item.config.pluginmanager.getplugin(timeouts.NAME)
        return found if isinstance(found, timeouts.Timeouts) else None

    def _log(self, report: Any) -> None:
        self._is_logging = True
        try:
            self._item.ihook.pytest_runtest_logreport(report=report)
        finally:
            self._is_logging = False

    # ---------------------------------------------------------------- what happens meanwhile

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = yield
        if report.failed:
            if item is not self._item and item is self.running:
                self._begin(item)  # a subtest has failed, and the rest of the test goes on
            if item is self._item:
                self._failed.append((report.when, call.excinfo))
        return report

    @pytest.hookimpl
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        # Before the session itself, which counts failures, and is the last to be registered.
        session.config.pluginmanager.register(_Subtests(self), f"{PLUGIN}-subtests")

    def tell_of_subtest(self, report: Any) -> None:
        """A subtest is told of at once. If its test may be run again it has not failed yet."""
        item = self._item
        if (
            item is not None
            and not self._is_logging
            and report.nodeid == item.nodeid
            and item_again.is_of_subtest(report)
            and self._is_worth_another(self._failed)
        ):
            report.outcome = "rerun"
            self._early.append(report)


class _Subtests:
    """A plugin that sees reports before anybody else."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._attempts.tell_of_subtest(report)


def substitute(manager: pytest.PytestPluginManager, options: OwnOptions) -> None:
    """Called once it is known which plugins there are, and before options are parsed."""
    found = reruns.substitute(manager)
    if found is not None:
        options.register({reruns.PLUGIN: found, PLUGIN: Attempts(found)})
