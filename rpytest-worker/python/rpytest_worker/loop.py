"""pytest's loop over the items of a session that runs them itself, with the short protocol."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import _pytest.main
import pytest

from . import pytest_compat
from .direct_delivery import DirectDelivery
from .item_output import is_captured
from .onlookers import Onlookers
from .recorder import Recorder
from .short_protocol import ShortProtocol
from .tally import Tally
from .uneventful import Uneventful

if TYPE_CHECKING:
    from .in_process import InProcess

# How long an item that has passed may wait to be shown, while others run. Where the terminal is
# written to, capture has to step aside, which is much for a short test.
_SHOW_SECONDS: Final = 0.005


class Loop:
    """A plugin. It leaves the loop to pytest, unless all that takes part in the session is known."""

    def __init__(self, session_plugin: InProcess, recorder: Recorder) -> None:
        self._plugin = session_plugin
        self._recorder = recorder
        self._short: ShortProtocol | None = None
        # Unless others than pytest hear of reports, or nothing is captured.
        self._direct: DirectDelivery | None = None
        self._refusal = ""
        self.tally = Tally("ways")
        self._unshown: list[Uneventful] = []
        self._shown = 0.0
        # While it is seen to what somebody wants to look at; reporting looks at the same.
        self._looked_at = False

    def _prepare(self, session: pytest.Session) -> None:
        """Find out whether that is so, after those who wrap the loop have done what they do before."""
        config = session.config
        other = pytest_compat.who_replaces(config.hook.pytest_runtestloop)
        if other is not None:
            self._refusal = f"{other} implements pytest_runtestloop"
            return
        shared = self._recorder.shared
        direct = DirectDelivery.when_equal(config)
        short: ShortProtocol | str
        if direct is None:
            short = "others than pytest hear of each report"
        elif not is_captured(config):
            # A test's letter stands between what its call and its teardown write.
            short = "nothing is captured"
        else:
            short = ShortProtocol.when_equal(session, shared, self._show)
        if isinstance(short, str):
            direct, reason = None, short
            short = ShortProtocol.when_equal(session, shared, tells_all=True)
            if isinstance(short, str):
                self._refusal = short
                return
            self.tally.note(f"of each item all is told: {reason}")
        self._short, self._direct = short, direct
        self.tally.note(short.unknown)
        self._recorder.before_report = self._look
        if direct is not None:
            direct.defer()
        self._onlookers = Onlookers(config, self._look, direct.deferred if direct else None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        if session.config.option.collectonly:
            return None
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None  # pytest says so
        self._prepare(session)
        if self._short is None:
            return None
        self._onlookers.begin()
        try:
            self._run(session, self._short)
        finally:
            self._short.end()
            self._show()
            # What comes now is no test's time.
            self._recorder.post()
            self._onlookers.end()
        return True

    def _run(self, session: pytest.Session, short: ShortProtocol) -> None:
        items = session.items
        protocol: Callable[..., object] = session.config.hook.pytest_runtest_protocol
        tasks, tally = self._plugin.tasks, self.tally
        if items:
            self._plugin.replay(session)
        # As in pytest, the list is looked at anew: a test may change it.
        position = 0
        while position < len(items):
            item = items[position]
            position += 1
            nextitem = items[position] if position < len(items) else None
            task = tasks.get(id(item))
            refusal = short.refusal(item) if task is not None else "it was made by a plugin"
            if task is not None and refusal is None:
                tally.short += 1
                self._run_item(short, task, item, nextitem)
            else:
                self._refusal = refusal or ""
                short.close()
                self._show()
                if self._direct is not None:
                    self._direct.forget_path()
                # What holds for it is said within the protocol.
                self._recorder.limit(None)
                protocol(item=item, nextitem=nextitem)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def refused(self) -> None:
        """Called for each item that is run by pytest's own protocol."""
        self.tally.refused(self._refusal)

    def _run_item(
        self, short: ShortProtocol, task: int, item: Any, nextitem: pytest.Item | None
    ) -> None:
        recorder = self._recorder
        nodeid, direct = item.nodeid, self._direct
        if direct is not None and not direct.is_shown(nodeid):
            short.close()
            self._show()
            direct.start(nodeid, item.location)
        story = recorder.begin(item, task)
        try:
            run = short.run(item, nextitem)
            if run is not None and not story.events and not (run.skipped and recorder.listens):
                recorder.uneventful(task, run)
                self._unshown.append(run)
                assert direct is not None
                if direct.shows_each or monotonic() - self._shown > _SHOW_SECONDS:
                    short.close()
                    self._show()
                return
            if run is not None:
                # There were warnings, of which is told after all else, or somebody listens.
                with recorder.before_events():
                    short.tell_all(run)
        except BaseException as error:
            recorder.abandon()
            if isinstance(error, Exception):
                genuine = self.tally.genuine
                short.raise_again(
                    item, error, lambda: _pytest.main.pytest_runtestloop(item.session)
                )
                self.tally.genuine = genuine
            raise
        if direct is not None:
            direct.forget_path()
        recorder.end(task)

    def _look(self) -> None:
        """Called before somebody sees what has been reported, or reports something."""
        short = self._short
        if self._looked_at or short is None or not (self._unshown or short.is_running):
            return
        self._looked_at = True
        try:
            if short.is_running:
                short.tell_early()
            else:
                short.close()
                self._show()
        finally:
            self._looked_at = False

    def _show(self) -> None:
        """Deliver the reports of items with nothing to tell but their outcome."""
        unshown, self._unshown = self._unshown, []
        if unshown:
            assert self._direct is not None
            # Whoever reads the output may take their time, which is not the test's.
            self._recorder.post()
            self._direct.deliver(unshown)
            self._direct.flush()
        self._shown = monotonic()
