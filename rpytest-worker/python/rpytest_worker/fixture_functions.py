"""The functions of fixtures: which are called as they are, and what is put in their place.

A function in the place of another ends as that has done, so that pytest finds what was found before.
"""

from __future__ import annotations

import inspect
import types
from typing import Any, Final

from . import frames

# Of all functions here.
__tracebackhide__ = True

_ASYNCHRONOUS: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def is_plain(function: Any) -> bool:
    """Whether pytest would call it as it is, and nobody has said anything of it."""
    return (
        function.__class__ is types.FunctionType
        and not function.__code__.co_flags & _ASYNCHRONOUS
        and not function.__dict__
    )


def is_generator(function: Any) -> bool:
    """Of a plain one."""
    return bool(function.__code__.co_flags & inspect.CO_GENERATOR)


def in_place_of(function: Any, kind: Any, error: BaseException | None) -> Any:
    """One of the functions below, with the name of another."""
    namespace = {"error": error, "__tracebackhide__": True}
    made = types.FunctionType(kind.__code__, namespace, function.__name__)
    made.__qualname__ = function.__qualname__
    return made


def raising(function: Any) -> Any:
    """Which of them raises from where the function would."""
    return raises_as_generator if is_generator(function) else raises


def yields_nothing(**_: object) -> Any:
    return
    yield


@frames.not_shown
def raises(**_: object) -> Any:
    raise error  # type: ignore[name-defined]  # noqa: F821


@frames.not_shown
def raises_as_generator(**_: object) -> Any:
    raise error  # type: ignore[name-defined]  # noqa: F821
    yield


# Frames that pytest's own fixture functions have in their place.
STAND_INS: Final = frozenset({raises.__code__, raises_as_generator.__code__})
