"""Listens to the hooks of the item that runs, and tells the supervisor its story."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from . import pytest_capture, reports, telling
from .channel import Channel
from .costs import SharedFixtures
from .wire import frame, passed_frame, result_frame, started_frame

if TYPE_CHECKING:
    from .uneventful import Uneventful


def _do_nothing() -> None:
    pass


class Recorder:
    """A plugin. `begin` and `end` are called around `pytest_runtest_protocol`."""

    def __init__(self, channel: Channel, config: pytest.Config, timed: bool = False) -> None:
        self.channel = channel
        # Whether it says when an item starts.
        self.timed = timed
        self._config = config
        self._unsent = bytearray()
        self.story: reports.Story | None = None
        # Whether somebody wants to know what each item has to tell.
        self.listens = False
        # What its reports are, where this process shows them and not pytest alone says it.
        self.statuses: telling.Statuses | None = None
        # A plugin as well, for whoever registers this one to register.
        self.shared = SharedFixtures()
        # What the supervisor knows of how long an item may take.
        self._limit: tuple[float | None, str] = (None, "")
        # Called before a report is kept.
        self.before_report: Callable[[], None] = _do_nothing

    def begin(self, item: pytest.Item, task: int) -> reports.Story:
        """Say that the item starts, and before that how the last one ended. Returns what it will tell.

        It is posted before the item runs: whatever kills the process, the supervisor knows which
        item it was, and has the results of all before it.
        """
        story = self.story = reports.Story(item)
        if self.statuses is not None:
            self.statuses.forget()
        self._unsent += started_frame(task, time() if self.timed else None)
        self._post()
        return story

    def end(self, task: int) -> None:
        story, self.story = self.story, None
        assert story is not None
        payload, outcome, seconds = reports.encode(story, self._config)
        told = telling.of_story(story, self._config, self.statuses) if self.listens else None
        reruns, excused = story.reruns(), story.is_excused()
        shared = self.shared.take()
        self._unsent += result_frame(task, outcome, seconds, payload, shared, reruns, excused, told)

    @contextlib.contextmanager
    def before_events(self) -> Iterator[None]:
        """Put what is told here before what has been told already."""
        story = self.story
        assert story is not None
        later, story.events = story.events, []
        yield
        story.events += later

    def uneventful(self, task: int, run: Uneventful) -> None:
        """Instead of `end`, where no hook was called because there is nothing to tell."""
        self.story = None
        payload, seconds = reports.encode_uneventful(run)
        shared = self.shared.take()
        if run.skipped is not None:
            self._unsent += result_frame(task, "skipped", seconds, payload, shared)
            return
        if shared is None and not self.listens:
            self._unsent += passed_frame(task, seconds, payload)
            return
        told = telling.of_passed(run) if self.listens else None
        self._unsent += result_frame(task, "passed", seconds, payload, shared, story=told)

    def abandon(self) -> None:
        """The item ended in an interrupt: it has no result, but was seen to start."""
        story, self.story = self.story, None
        started = [value for kind, value in story.events if kind == reports.START] if story else []
        if started:
            self._unsent += frame(
                {"type": "relay", "payload": reports.dump(("abandoned", started[0]))}
            )
            self.flush()

    def limit(self, seconds: float | None, reason: str = "", anew: bool = False) -> None:
        """Say how long items may take from now on, and the one that runs from now, before the
        supervisor ends this process. To say the same again counts for the one that runs, if `anew`."""
        if (seconds, reason) == self._limit and not anew:
            return
        self._limit = seconds, reason
        self._unsent += frame({"type": "limit", "seconds": seconds, "reason": reason})
        self._post()

    def post(self) -> None:
        """Let the supervisor know of what has ended, before something that may take long."""
        self._post()

    def flush(self) -> None:
        """Send all that there is, before a wait for the other side or the end."""
        self._post()
        try:
            self.channel.flush()
        except OSError:
            os._exit(3)

    def _post(self) -> None:
        if self._unsent:
            unsent, self._unsent = self._unsent, bytearray()
            try:
                self.channel.post(unsent)
            except OSError:
                # The supervisor is gone, and with it all who would want a result.
                os._exit(3)

    def _add(self, kind: str, value: Any) -> bool:
        if self.story is None:
            return False
        self.story.events.append((kind, value))
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._add(reports.START, (nodeid, location))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        self.before_report()
        hidden = report.when == "call" and pytest_capture.is_capturing_descriptors(self._config)
        if self.story is None:
            return
        kind = reports.HIDDEN_REPORT if hidden else reports.REPORT
        earlier = self.story.add_report(kind, report)
        if earlier is not None and self.statuses is not None:
            self.statuses.replace(report, earlier)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._add(reports.FINISH, (nodeid, location))

    def warned(self, recorded: dict[str, Any]) -> bool:
        """Keep a warning with the item that runs; `False` if none does."""
        return self._add(reports.WARNING, recorded)
