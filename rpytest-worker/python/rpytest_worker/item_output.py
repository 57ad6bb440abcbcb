"""What items write and log: capture and log handlers that stay in place from one item to the next.

pytest puts both in place for each phase and takes them out again, and reads what there is. Here a phase
begins with making sure that they are where they were, and ends with a look whether anything came.

Private names of pytest's capture and logging plugins are touched here.
"""

from __future__ import annotations

import contextlib
import logging
import operator
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import _pytest.logging
import pytest

from .pytest_names import catching_logs
from .uncaught import Uncaught

_END: Final = os.SEEK_END
_dup2 = os.dup2
# What is there of `sys` by a name, whatever that is.
_get = sys.__dict__.get
_PROPAGATES: Final = operator.attrgetter("propagate")


class ItemOutput:
    """Of one session. Either plugin may be missing."""

    def __init__(
        self, capture: Any, logs: Any, queues: list[Any], uncaught: Uncaught | None
    ) -> None:
        # Who has the fixtures that capture, and what captures the rest.
        self._fixtures = capture
        self._capture = capture if capture is not None and capture._method != "no" else None
        self._logs = logs
        # Exceptions that nobody has caught; and what catches them, if that is for a phase only.
        self._queues = queues if uncaught is None else [uncaught.queue]
        self._uncaught = uncaught
        self._root = logging.getLogger()
        self._open = False
        self._attached: dict[int, logging.Logger] = {}
        # What the logging module has by name, and those of it that are loggers.
        self._named: list[object] = []
        self._loggers: list[logging.Logger] = []
        # While capture is in place: its files and the descriptors that they stand for, if it is more
        # than its streams; and what goes to the end of what has been written, and says how far it is.
        self._descriptors: tuple[int, int, int, int] | None = None
        self._streams: tuple[Any, Any] = (None, None)
        self._seek: tuple[Callable[[int, int], int], Callable[[int, int], int]] = (_at_0, _at_0)
        if self._capture is not None:
            capturing = self._capturing = self._capture._global_capturing
            # Others who suspend it want to see what has been reported.
            self._suspend = self._capture.suspend_global_capture
            # Whatever is missing is missed here, and not in the middle of a test.
            capturing._state  # noqa: B018
            self._look_at_streams(self._capture)
        self._report: Any = None if logs is None else logs.report_handler
        if logs is not None:
            self._handlers: list[Any] = [logs.caplog_handler, self._report]
            for handler in self._handlers:
                handler.records  # noqa: B018
            self._records_key: Any = _pytest.logging.caplog_records_key
            self._handler_key: Any = _pytest.logging.caplog_handler_key
        # Where what is logged is shown at once, with a title for each phase.
        self._live: Any = None
        if logs is not None:
            handler = logs.log_cli_handler
            if type(handler) is _pytest.logging._LiveLoggingStreamHandler:
                self._live = handler
        # That of `log_level`, and those of the root outside of phases, and within them.
        self._level: int | None = None if logs is None else logs.log_level
        self._levels: tuple[int, int] = (0, 0)

    def begin(self, storage: dict[Any, Any] | None, when: str) -> None:
        """What capture and logging do at the beginning of a phase.

        `storage` is that of the item's stash. Without it the item is not told of the phase's records,
        which nobody could look for.
        """
        if self._logs is not None:
            both = self._handlers
            if self._root.handlers[-2:] != both or (
                _ATTACHES_TO_NON_PROPAGATING and not self._all_propagate()
            ):
                self._attach()
            if self._level is not None:
                self._set_levels(self._level)
            if self._live is not None:
                self.show_live(when)
            caplog, report = both
            if caplog.records:
                caplog.reset()
            else:
                caplog.records = []  # the last phase's is somebody else's now
            if report.records:
                report.reset()
            if storage is not None:
                if when == "setup":
                    storage[self._records_key] = {"setup": caplog.records}
                else:
                    storage.setdefault(self._records_key, {"setup": []})[when] = caplog.records
                storage[self._handler_key] = caplog
        capture = self._capture
        if capture is not None:
            if not self._open or self._capturing._state != "started":
                capture.resume_global_capture()
                self._look_at_streams(capture)
            else:
                # Whatever the last phase has done to them.
                if self._descriptors is not None:
                    out_file, err_file, stdout, stderr = self._descriptors
                    _dup2(out_file, stdout)
                    _dup2(err_file, stderr)
                out, err = self._streams
                if _get("stdout") is not out or _get("stderr") is not err:
                    # What is there instead goes from where pytest lets go of it.
                    self._suspend(in_=False)
                    capture.resume_global_capture()
        fixtures = self._fixtures
        if fixtures is not None and fixtures._capture_fixture is not None:
            fixtures.activate_fixture()
        if self._uncaught is not None:
            self._uncaught.begin()
        self._open = True

    @property
    def is_in_place(self) -> bool:
        """Whether the streams are still those that were put there when the phase began."""
        if self._capture is None:
            return True
        out, err = self._streams
        return _get("stdout") is out and _get("stderr") is err

    def _look_at_streams(self, capture: Any) -> None:
        out, err = capture._global_capturing.out, capture._global_capturing.err
        if capture._method == "fd":
            files = out.tmpfile.fileno(), err.tmpfile.fileno()
            self._descriptors = *files, out.targetfd, err.targetfd
            self._seek = partial(os.lseek, files[0]), partial(os.lseek, files[1])
            out, err = out.syscapture, err.syscapture
        else:
            self._seek = out.tmpfile.buffer.seek, err.tmpfile.buffer.seek
        self._streams = out.tmpfile, err.tmpfile

    def show_live(self, when: str) -> None:
        """Have what is logged from now on shown under the title of a phase."""
        if self._live is not None:
            self._live.set_when(when)

    @contextlib.contextmanager
    def as_shown(self, when: str) -> Iterator[None]:
        """Within it a phase is run again, of which the title has been shown if there was something."""
        live = self._live
        if live is None:
            yield
            return
        genuine = live.set_when
        live.set_when = lambda other: None if other == when else genuine(other)
        try:
            yield
        finally:
            del live.set_when

    def left(self) -> tuple[str, str] | None:
        """What has been written since a phase has ended, and is none of the next one's."""
        capture, (out, err) = self._capture, self._seek
        if capture is None or not self._open:
            return None
        if not (out(0, _END) or err(0, _END)):
            return None
        found: tuple[str, str] = capture.read_global_capture()
        return found

    def has_something_to_tell(self) -> bool:
        """Whether the phase that has ended wrote or logged, or left exceptions behind."""
        if self._uncaught is not None:
            self._uncaught.end()
        fixtures = self._fixtures
        if fixtures is not None and fixtures._capture_fixture is not None:
            fixtures.deactivate_fixture()
        if self._capture is not None:
            out, err = self._seek
            if out(0, _END) or err(0, _END):
                return True
        report = self._report
        return (report is not None and bool(report.records)) or any(self._queues)

    @property
    def has_exceptions(self) -> bool:
        """Whether an exception that nobody has caught is left."""
        return any(self._queues)

    def hand_on_exceptions(self) -> None:
        """Let pytest's wrappers have those that have been caught in their place."""
        if self._uncaught is not None:
            self._uncaught.hand_on()

    def logged(self) -> tuple[list[Any], str]:
        """The records of the phase, and the text of those that are reported."""
        if self._logs is None:
            return [], ""
        return (
            self._logs.caplog_handler.records,
            self._report.stream.getvalue().strip(),
        )

    def make_ready(self, item: Any) -> None:
        """Have an item that was not told of its records ready for pytest's own phases."""
        if self._logs is not None:
            storage = item.stash._storage
            storage.setdefault(self._records_key, {"setup": []})
            storage[self._handler_key] = self._logs.caplog_handler

    def keep_records(self, item: Any, when: str, records: list[Any]) -> None:
        if self._logs is not None:
            item.stash._storage[self._records_key][when] = records

    def forget_records(self, item: Any) -> None:
        """At the end of an item."""
        if self._logs is not None:
            storage = item.stash._storage
            storage.pop(self._records_key, None)
            storage.pop(self._handler_key, None)

    def read_sections(self, item: pytest.Item, when: str) -> None:
        """The same as `add_sections`, with capture as it is."""
        _, text = self.logged()
        if self._capture is not None:
            capturing, (out, err) = self._capture._global_capturing, self._seek
            if out(0, _END):
                item.add_report_section(when, "stdout", capturing.out.snap())
            if err(0, _END):
                item.add_report_section(when, "stderr", capturing.err.snap())
        if text:
            item.add_report_section(when, "log", text)

    def add_sections(self, item: pytest.Item, when: str) -> None:
        """Put what a phase has written and logged where its report looks for it.

        It leaves capture as pytest does after a phase.
        """
        _, text = self.logged()
        self.close()
        if self._capture is not None:
            out, err = self._capture.read_global_capture()
            item.add_report_section(when, "stdout", out)
            item.add_report_section(when, "stderr", err)
        item.add_report_section(when, "log", text)

    def disabled(self) -> Any:
        """A context in which what is written goes to where it went before pytest captured it."""
        return self._capture and self._capture.global_and_fixture_disabled()

    def _set_levels(self, level: int) -> None:
        """As `catching_logs` does with a level: what a phase does to them does not outlive it."""
        root = self._root
        if not self._open:
            self._levels = root.level, min(root.level, level)
        for handler in self._handlers:
            if handler.level != level:
                handler.setLevel(level)
        within = self._levels[1]
        if root.level != within:
            root.setLevel(within)

    def _all_propagate(self) -> bool:
        """Whether the root's handlers see what any logger has, and that has been so before."""
        named: list[Any] = list(self._root.manager.loggerDict.values())
        # Compared by identity, without a loop of Python's: there may be hundreds.
        if named != self._named:
            self._named = named
            self._loggers = [one for one in named if isinstance(one, logging.Logger)]
        return not self._attached and all(map(_PROPAGATES, self._loggers))

    def _attach(self) -> None:
        """Have both log handlers where `catching_logs` would put them."""
        root = self._root
        both = self._handlers
        if root.handlers[-2:] != both:
            for handler in both:
                root.removeHandler(handler)
                root.addHandler(handler)
        if not _ATTACHES_TO_NON_PROPAGATING:
            return
        attached = self._attached
        for logger in root.manager.loggerDict.values():
            if not isinstance(logger, logging.Logger):
                continue
            if not logger.propagate:
                if logger.handlers[-2:] != both:
                    for handler in both:
                        logger.removeHandler(handler)
                        logger.addHandler(handler)
                attached[id(logger)] = logger
            elif attached and attached.pop(id(logger), None) is not None:
                for handler in both:
                    logger.removeHandler(handler)

    def close(self) -> None:
        """Leave capture and logging as pytest does between two phases."""
        if not self._open:
            return
        self._open = False
        if self._uncaught is not None:
            self._uncaught.end()
        if self._logs is not None:
            loggers = [self._root, *self._attached.values()]
            for handler in self._handlers:
                for logger in loggers:
                    logger.removeHandler(handler)
            self._attached = {}
            if self._level is not None:
                self._root.setLevel(self._levels[0])
        if self._capture is not None:
            self._suspend(in_=False)


def _at_0(_offset: int, _whence: int) -> int:
    return 0


def is_captured(config: pytest.Config) -> bool:
    """Whether what a test writes goes elsewhere than what is written about it."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return capture is not None and capture._method == "fd"


def _attaches_to_non_propagating() -> bool:
    """Since pytest 9.1 loggers that do not propagate are caught, too."""
    return "attached_loggers" in getattr(catching_logs, "__slots__", ())


_ATTACHES_TO_NON_PROPAGATING = _attaches_to_non_propagating()
