"""Runs what the supervisor assigns, one item ahead of itself."""

from __future__ import annotations

import os
from collections import deque
from time import monotonic
from typing import Any, Final

import pytest

from .channel import Channel
from .inventory import Key
from .recorder import Recorder
from .short_protocol import ShortProtocol
from .tally import Tally

# How long a message (to stop, to give something back) may wait while there is something to run.
_LISTEN_SECONDS: Final = 0.002


class Runner:
    """A worker's queue.

    An item is begun only when the next one is known, or that there is none: pytest tears down, at
    the end of an item, what the next one does not need.
    """

    def __init__(
        self,
        channel: Channel,
        session: pytest.Session,
        items: dict[Key, pytest.Item],
        recorder: Recorder,
    ) -> None:
        self.channel = channel
        self._session = session
        self._items = items
        self._recorder = recorder
        self._queue: deque[tuple[int, pytest.Item]] = deque()
        self._finishing = False
        self._listened = 0.0
        self._protocol = session.config.hook.pytest_runtest_protocol
        self._tally = Tally("ways")
        self._short: ShortProtocol | None = None
        self._refusal = ""
        short = ShortProtocol.when_equal(session, recorder.shared)
        if isinstance(short, str):
            # Others may make reports, or hear of each.
            reason = short
            short = ShortProtocol.when_equal(session, recorder.shared, tells_all=True)
            if not isinstance(short, str):
                self._tally.note(f"of each item all is told: {reason}")
        if isinstance(short, str):
            self._refusal = short
        else:
            self._short = short
            self._tally.note(short.unknown)
            recorder.before_report = short.tell_early

    def run(self) -> None:
        session, queue = self._session, self._queue
        try:
            while self._fill():
                task, item = queue.popleft()
                self._run(task, item, queue[0][1] if queue else None)
                if session.shouldfail or session.shouldstop:
                    break
        finally:
            if self._short is not None:
                self._short.end()
        self._recorder.flush()
        self.channel.send(self._tally.message())

    def _run(self, task: int, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        short, recorder = self._short, self._recorder
        story = recorder.begin(item, task)
        try:
            refusal = self._refusal if short is None else short.refusal(item)
            if short is None or refusal is not None:
                self._tally.refused(refusal or "")
                if short is not None:
                    short.close()
                # What holds for it is said within the protocol.
                recorder.limit(None)
                self._protocol(item=item, nextitem=nextitem)
            else:
                self._tally.short += 1
                run = short.run(item, nextitem)
                if run is not None and not story.events and not (run.skipped and recorder.listens):
                    recorder.uneventful(task, run)
                    return
                if run is not None:
                    # There were warnings, of which is told after all else, or somebody listens.
                    with recorder.before_events():
                        short.tell_all(run)
        except BaseException as error:
            recorder.abandon()
            if short is not None and isinstance(error, Exception):
                protocol = self._protocol
                short.raise_again(item, error, lambda: protocol(item=item, nextitem=None))
            raise
        recorder.end(task)

    def _fill(self) -> bool:
        """Wait until an item can be begun; `False` if there will be none."""
        now = monotonic()
        if now - self._listened > _LISTEN_SECONDS:
            # A system call, which is much for a short test.
            self._listened = now
            while (message := self.channel.recv_nowait()) is not None:
                self._handle(message)
        while len(self._queue) < 2 and not self._finishing:
            self._recorder.flush()
            message = self.channel.recv()
            if message is None:
                os._exit(1)  # the supervisor is gone, and with it all who would want a result
            self._handle(message)
        return bool(self._queue)

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "run":
            for assignment in message["assignments"]:
                address = assignment["address"]
                item = self._items[address["nodeid"], address["nth"]]
                self._queue.append((assignment["task"], item))
        elif kind == "finish":
            self._finishing = True
        elif kind == "stop":
            self._queue.clear()
            self._finishing = True
        elif kind == "revoke":
            # The first is about to begin, and the second is what it must know to be next.
            count = min(message["count"], max(0, len(self._queue) - 2))
            returned = [self._queue.pop()[0] for _ in range(count)]
            self.channel.send({"type": "returned", "tasks": returned})
