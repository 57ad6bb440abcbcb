"""A session that runs its tests itself, as pytest does.

All it does beside is to tell the supervisor what starts and how it ended. If the process dies, a
new controller is started with what is settled: it goes through the same session behind a curtain,
replays the reports that there are, and goes on, in sight, where the other one died.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from . import (
    afterfork,
    collection,
    delivery,
    inventory,
    pytest_compat,
    pytest_terminal,
    quarantine,
    reports,
    room,
)
from .loop import Loop
from .recorder import Recorder
from .telling import Statuses, Teller

if TYPE_CHECKING:
    from .channel import Channel
    from .entry import Process


class InProcess:
    """The plugin of such a session."""

    def __init__(
        self,
        process: Process,
        config: pytest.Config,
        settled: list[dict[str, Any]],
        teller: Teller,
        before_tests: Callable[[pytest.Session], None] | None = None,
    ) -> None:
        self._before_tests = before_tests
        self._teller = teller
        # Whether it is anybody's run already.
        self._is_run = before_tests is None
        # What the collection has to say, until it can.
        self._unsaid: list[dict[str, Any]] = []
        self._process = process
        self._config = config
        self._settle(settled)
        self._curtain: pytest_terminal.Curtain | None = None
        self._to_replay: list[pytest.Item] = []
        # Of a run that goes on after a crash: what is told of items, by their identity.
        self._keys: dict[int, inventory.Key] = {}
        # The number of each item that was collected, by its identity; a plugin may make others later.
        self.tasks: dict[int, int] = {}
        self.recorder = Recorder(process.channel, config, process.timed)
        self._loop = Loop(self, self.recorder)
        # Their stories have what items tell.
        teller.is_muted = lambda: self.recorder.story is not None

    def adopt(self, process: Process, settled: list[dict[str, Any]], listens: bool) -> None:
        """In a fork: tell the one that this process belongs to, and take over what it has settled."""
        self._process = process
        self._is_run = True
        self.recorder.channel = process.channel
        self.recorder.timed = process.timed
        self.recorder.listens = listens
        self._settle(settled)
        self._draw_curtain()
        afterfork.watch_crashes(process.crash_fd)

    def _settle(self, settled: list[dict[str, Any]]) -> None:
        self._settled = {
            (entry["address"]["nodeid"], entry["address"]["nth"]): entry for entry in settled
        }

    def _draw_curtain(self) -> None:
        reporter = pytest_terminal.terminal_reporter(self._config)
        if self._settled and reporter is not None:
            self._curtain = pytest_terminal.Curtain(reporter)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self.recorder, "rpytest-recorder")
        config.pluginmanager.register(self.recorder.shared, "rpytest-shared-fixtures")
        config.pluginmanager.register(self._loop, "rpytest-loop")
        self._draw_curtain()
        afterfork.watch_crashes(self._process.crash_fd)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Any:
        with collection.shorter(session, self._channel) as self._unsaid:
            return (yield)

    def _channel(self) -> Channel | None:
        return self._process.channel if self._is_run else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        if self._before_tests is not None:
            self._before_tests(session)
        quarantine.tests_begin(self._config)
        for message in self._unsaid:
            self._process.channel.send(message)
        self._teller.collected(self._config, len(session.items))
        if self._config.option.collectonly:
            self._teller.items(session.items)
        else:
            self._announce(session)
            room.make(self._config, self._process.channel)
        if self.recorder.listens:
            self._note_statuses()
        if self._settled:
            self._set_settled_apart(session)
        try:
            result = yield
            # No item was left to run, so that none has replayed them.
            self.replay(session)
        except BaseException as error:
            self._stop_run(str(error) or type(error).__name__)
            raise
        finally:
            self._raise_curtain()
            self.recorder.flush()
            self._process.channel.send(self._loop.tally.message())
        if pytest_compat.others_listen(self._config.hook.pytest_runtestloop):
            self._stop_run("a plugin has its own loop")
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.replay(item.session)
        task = self.tasks.get(id(item))
        if task is None:
            return (yield)
        self._loop.refused()
        recorder = self.recorder
        recorder.begin(item, task)
        try:
            result = yield
        except BaseException:
            recorder.abandon()
            raise
        recorder.end(task)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(
        self, warning_message: Any, when: Any, nodeid: str, location: Any
    ) -> None:
        self.recorder.warned(
            {
                "warning_message": warning_message,
                "when": when,
                "nodeid": nodeid,
                "location": location,
            }
        )

    def _announce(self, session: pytest.Session) -> None:
        items = session.items
        self.tasks |= {id(item): position for position, item in enumerate(items)}
        self._process.channel.send(
            {
                "type": "inventory",
                "items": inventory.entries(items, inventory.keys(items), "no"),
                "unshareable": [],
                "payload": b"",
            }
        )

    def _note_statuses(self) -> None:
        self.recorder.statuses = Statuses.when_needed(self._config)
        if self.recorder.statuses is not None:
            self._config.pluginmanager.register(self.recorder.statuses, "rpytest-statuses")

    def _stop_run(self, reason: str) -> None:
        """Say that items without a result are meant to have none."""
        self._process.channel.send({"type": "stop_run", "reason": reason})

    # ---------------------------------------------------------------- after a crash

    def _set_settled_apart(self, session: pytest.Session) -> None:
        remaining = []
        addresses = inventory.keys(session.items)
        self._keys = {id(item): key for item, key in zip(session.items, addresses, strict=True)}
        for item in session.items:
            if self._keys[id(item)] in self._settled:
                self._to_replay.append(item)
            else:
                remaining.append(item)
        session.items[:] = remaining

    def replay(self, session: pytest.Session) -> None:
        """Report what is settled, once pytest's loop has begun: failures count as failed tests only
        from there."""
        if not self._to_replay:
            return
        items, self._to_replay = self._to_replay, []
        deliver = delivery.Delivery(self._config)
        last_crash = [key for key, entry in self._settled.items() if entry["payload"] is None][-1:]
        for item in items:
            key = self._keys[id(item)]
            entry = self._settled[key]
            if entry["payload"] is not None:
                deliver.events(reports.decode(entry["payload"], self._config))
                continue
            start, *rest = delivery.crash(
                item.nodeid, item.location, entry["crash"], None, entry["limit"]
            )
            if (excuses := quarantine.of(self._config)) is not None:
                excuses.excuse(rest[0][1])
            deliver.events([start])
            if [key] == last_crash:
                # The dead controller came as far as this; the rest was never seen.
                self._raise_curtain()
            deliver.events(rest)
        self._raise_curtain()
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def _raise_curtain(self) -> None:
        if self._curtain is not None:
            self._curtain.raise_()
            self._curtain = None
