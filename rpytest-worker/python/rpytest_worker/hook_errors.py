"""Errors of hooks that hear of items, or make reports, with the frames that pytest would show.

Where the short protocol has called such a hook, pytest's functions are not on the stack; an internal
error is shown with all frames. So pytest runs the item once more, but what was called before does
nothing now, and where the hook has failed its error is raised again.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import pluggy

_PHASES: Final = ("setup", "call", "teardown")
_ASIDE: Final = ("pytest_runtest_logstart", "pytest_runtest_logfinish")
_OF_PHASES: Final = (
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_exception_interact",
)
_CALL: Final = pluggy.HookCaller.__call__.__code__


def raise_again(
    session: Any, item: Any, when: str, error: Exception, run: Callable[[], object]
) -> None:
    """Raise an error of a hook from where pytest would have called it: in which phase is known.

    `run` has pytest run the item. It returns if it is no error of such a hook.
    """
    trace = error.__traceback__
    while trace is not None and _hook(trace.tb_frame) is None:
        trace = trace.tb_next
    if trace is None:
        return
    genuine = session.gethookproxy
    failed, items = session.testsfailed, session.items
    hooks = _Hooks(
        str(_hook(trace.tb_frame)), when, error.with_traceback(trace), genuine(item.path)
    )
    session.gethookproxy = lambda path: hooks
    session.testsfailed, session.items = 0, [item]
    try:
        run()
    finally:
        session.gethookproxy = genuine
        session.testsfailed, session.items = failed, items


def _hook(frame: types.FrameType) -> str | None:
    """The name of the hook that a frame calls, if it is one of these."""
    if frame.f_code is not _CALL:
        return None
    name = frame.f_locals["self"].name
    return name if name in _ASIDE or name in _OF_PHASES else None


class _Hooks:
    """Those of the item: they do nothing, but for the one that has failed."""

    def __init__(self, hook: str, when: str, error: Exception, genuine: Any) -> None:
        self._hook, self._when, self._error, self._genuine = hook, when, error, genuine
        self._trace = error.__traceback__
        self._phase = ""

    def __getattr__(self, name: str) -> Any:
        if name in _ASIDE or name in _OF_PHASES:
            return lambda **_: self._called(name)
        when = name.removeprefix("pytest_runtest_")
        if when in _PHASES:
            return lambda **_: self._begin(when)
        return getattr(self._genuine, name)

    def _begin(self, when: str) -> None:
        self._phase = when
        if self._hook == "pytest_exception_interact" and when == self._when:
            raise _Stands

    def _called(self, name: str) -> Any:
        if name == self._hook and (name in _ASIDE or self._phase == self._when):
            raise self._error.with_traceback(self._trace)
        return SimpleNamespace(passed=True, failed=False, skipped=False, when=self._phase)


class _Stands(Exception):
    """For what an item has raised, of which the hook was to hear."""
