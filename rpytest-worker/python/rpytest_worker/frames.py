"""Frames of tracebacks: which pytest shows, and which it leaves out as its own."""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import _pytest.fixtures
import pluggy

from . import HERE

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HIDDEN = "__tracebackhide__"
# A file of pytest's, whose frames it leaves out. Whoever looks at a traceback finds one that is there.
_NOT_SHOWN = str(_pytest.fixtures.__file__)
_OF_PYTEST = tuple(os.path.dirname(str(module.__file__)) + os.sep for module in (_pytest, pluggy))


def not_shown(function: _Function) -> _Function:
    """Have pytest leave out a function's frames as it does those of its own.

    A variable `__tracebackhide__`, of the function or its module, hides them too, but then they are
    somebody else's: where no other is left, pytest says that all are hidden, and shows none of its own.
    """
    code: types.CodeType = function.__code__
    function.__code__ = code.replace(co_filename=_NOT_SHOWN)
    return function


# The code of functions that `keep_errors`.
KEEP_ERRORS: set[types.CodeType] = set()


def keep_errors(function: _Function) -> _Function:
    """Mark a function that calls what is a test's and keeps what that raises for the test: an alarm
    may raise below its frame."""
    KEEP_ERRORS.add(function.__code__)
    return function


def has_visible_frame(trace: types.TracebackType | None, of_anybody: bool) -> bool:
    """Whether a traceback has a frame that pytest shows, and does not leave out as one of its own."""
    while trace is not None:
        code = trace.tb_frame.f_code
        name = code.co_filename
        is_own = name.startswith(_OF_PYTEST) or ("<" in name and ">" in name)
        if (
            _HIDDEN not in code.co_varnames
            and _HIDDEN not in trace.tb_frame.f_globals
            and (of_anybody or not is_own)
        ):
            return True
        trace = trace.tb_next
    return False


def below(error: BaseException) -> BaseException:
    """An exception without the frame that has caught it."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


def without(codes: Collection[types.CodeType], trace: types.TracebackType | None) -> Any:
    """A traceback without the frames of functions that have raised what was raised before."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    for entry in reversed(entries):
        if entry.tb_frame.f_code in codes:
            continue
        if entry.tb_next is not trace:
            entry = types.TracebackType(trace, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
        trace = entry
    return trace


def without_ours(trace: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback without frames of ours, and without those that have thrown an error into a wrapper of
    ours. Where one of ours has raised, those that are no wrappers stay."""
    entries: list[types.TracebackType] = []
    last = trace
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    is_ours = last is not None and last.tb_frame.f_code.co_filename.startswith(HERE)
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_flags & inspect.CO_GENERATOR and code.co_filename.startswith(HERE):
            if entries and entries[-1].tb_frame.f_code.co_name == "_multicall":
                entries.pop()
        elif is_ours or not code.co_filename.startswith(HERE):
            entries.append(trace)
        trace = trace.tb_next
    for entry in reversed(entries):
        if entry.tb_next is not trace:
            entry = types.TracebackType(trace, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
        trace = entry
    return trace


def is_called_by_others() -> bool:
    """Whether a function that is neither pytest's nor ours has led here since an item was begun."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name != _NOT_SHOWN and not name.startswith(_OF_PYTEST):
            return not name.startswith(HERE)
        frame = frame.f_back
    return False
