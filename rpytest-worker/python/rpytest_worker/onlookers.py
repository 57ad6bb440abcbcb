"""Who looks at what has been reported, while results are shown a little late.

An item that has passed is shown up to some milliseconds after it has ended. That must not be seen by
tests and fixtures that look at, or write to, where results are shown: the terminal's reporter, with
its counts and its writer; the JUnit file, in the order of whose test cases somebody may come first;
and the terminal itself, while capture steps aside for them. Each of them is waylaid, and what there
is to show is shown first.

Private names of pytest are touched here. `terminal` and `junitxml` are looked at by class, so that
nothing can tell from an object that it is waylaid.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import _pytest.capture
import _pytest.junitxml
import _pytest.terminal
import pytest

from . import pytest_compat, pytest_terminal
from .deferred_reports import DeferredReports

# What of the reporter leads to what it has shown, and to where it writes.
_DEFERRED: Final = "stats"
_WRITER: Final = "_tw"
_OF_REPORTER: Final = (_DEFERRED, _WRITER)
# Who asks for the writer on behalf of others; and whose code asks it no more than how text is shown in
# colours (pytest 8.0 to 9.2), in the middle of a test, where nothing may be written: the library
# `blockbuster` raises an error if anything is while an event loop runs.
_ASKS: Final = pytest.Config.get_terminal_writer.__code__
_ONLY_ASKS: Final = "_pytest.assertion"
# Ways in which results get into a JUnit file.
_OF_JUNIT: Final = ("node_reporter", "add_global_property")


class Onlookers:
    """Of one session: `look` is called before anybody of them sees anything, from `begin` to `end`.

    What is `deferred` is seen to for as long as the process lives.
    """

    def __init__(
        self,
        config: pytest.Config,
        look: Callable[[], None] | None = None,
        deferred: DeferredReports | None = None,
    ) -> None:
        self._look = look or _do_nothing
        self._deferred = deferred
        manager = config.pluginmanager
        self._reporter: Any = pytest_terminal.terminal_reporter(config)
        self._capture: Any = manager.getplugin("capturemanager")
        self._junit = [
            plugin for plugin in manager.get_plugins() if type(plugin) is _pytest.junitxml.LogXML
        ]
        self._undo = contextlib.ExitStack()

    def begin(self) -> None:
        replace = functools.partial(pytest_compat.replace, self._undo)
        for name in _OF_REPORTER:
            if name in vars(self._reporter):
                self._waylay(name, self._look)
        for junit in self._junit:
            for name in _OF_JUNIT:
                replace(junit, name, self._first(getattr(junit, name)))
        if self._capture is not None:
            name = "suspend_global_capture"
            replace(self._capture, name, self._first(getattr(self._capture, name)))

    def end(self) -> None:
        self._undo.close()
        if self._deferred:
            self.keep_watch()

    def keep_watch(self) -> None:
        """Of those alone who look at what is deferred, for as long as the process lives."""
        self._waylay(_DEFERRED, _do_nothing)

    def _waylay(self, name: str, look: Callable[[], None]) -> None:
        deferred = self._deferred if name == _DEFERRED else None
        attribute = _Attribute(name, self._reporter, look, deferred)
        pytest_compat.replace(self._undo, _pytest.terminal.TerminalReporter, name, attribute)

    def _first(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(genuine)
        def looked_at(*args: Any, **kwargs: Any) -> Any:
            self._look()
            return genuine(*args, **kwargs)

        return looked_at


class _Attribute:
    """Stands in a class for what its objects have of this name. One of them is waylaid."""

    def __init__(
        self,
        name: str,
        waylaid: object,
        look: Callable[[], None],
        deferred: DeferredReports | None,
    ) -> None:
        self._name, self._waylaid, self._look, self._deferred = name, waylaid, look, deferred

    def __get__(self, instance: Any, _: type | None = None) -> Any:
        if instance is self._waylaid and not (
            self._name == _WRITER and _is_for_colours(sys._getframe(1))
        ):
            self._look()
            if self._deferred:
                found = self._deferred.seen_by(sys._getframe(1))
                if found is not None:
                    return found
        try:
            return vars(instance)[self._name]
        except (KeyError, TypeError):
            message = f"{type(instance).__name__!r} object has no attribute {self._name!r}"
            raise AttributeError(message) from None

    def __set__(self, instance: Any, value: object) -> None:
        self._settle(instance)
        vars(instance)[self._name] = value

    def __delete__(self, instance: Any) -> None:
        self._settle(instance)
        vars(instance).pop(self._name, None)

    def _settle(self, instance: object) -> None:
        if self._deferred is not None and instance is self._waylaid:
            self._look()
            self._deferred.settle()


def _is_for_colours(frame: types.FrameType) -> bool:
    caller = frame.f_back
    return (
        frame.f_code is _ASKS
        and caller is not None
        and str(caller.f_globals.get("__name__")).startswith(_ONLY_ASKS)
    )


def _do_nothing() -> None:
    pass
