"""Which items, and which of their functions, are like any other.

Plugins derive items from `pytest.Function`: pytest-asyncio does for each coroutine. Where such a class
has nothing in the place of pytest's own but these three methods, which are called as pytest calls them,
its items are run as other functions are. So are doctests, which have all that a function has for its
fixtures (pytest 8.0 to 9.2).
"""

from __future__ import annotations

import sys
import types
from typing import Any, Final

import pytest

from .pytest_names import TestCaseFunction

_Function: Any = pytest.Function
_TestCaseFunction: Any = TestCaseFunction

# What a class may have of its own by the name of something that `pytest.Function` has: the methods,
# how an item is made, which is over when it is run, and what each class has.
_MAY_DIFFER: Final = frozenset(
    {
        *("setup", "runtest", "teardown", "__init__", "from_parent"),
        *("__module__", "__qualname__", "__doc__", "__slots__", "__dict__", "__weakref__"),
        *("__abstractmethods__", "_abc_impl", "__firstlineno__", "__static_attributes__"),
        *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
    }
)


class Kinds:
    """Those that have been looked at."""

    def __init__(self) -> None:
        self._known: dict[type, bool] = {_Function: True, pytest.DoctestItem: True}

    def is_known(self, cls: type) -> bool:
        """Whether items of a class are run as functions of pytest's own are."""
        known = self._known.get(cls)
        if known is None:
            known = self._known[cls] = _differs_in_three_methods(cls)
        # Trial's tests go another way, and it may come late.
        return known and not (
            issubclass(cls, _TestCaseFunction) and "twisted.trial.unittest" in sys.modules
        )


def _differs_in_three_methods(cls: type) -> bool:
    if not issubclass(cls, _Function):
        return False
    base = _TestCaseFunction if issubclass(cls, _TestCaseFunction) else _Function
    for one in cls.__mro__[: cls.__mro__.index(base)]:
        for name in vars(one):
            if name == "__getattr__" or (name not in _MAY_DIFFER and hasattr(base, name)):
                return False
    return True


_ASYNCHRONOUS: Final = 0x80 | 0x200
"""`inspect.CO_COROUTINE` and `inspect.CO_ASYNC_GENERATOR`"""


def plain_code(function: Any) -> types.CodeType | None:
    """The code of a function that says nothing about itself but its marks, if it is one."""
    if function.__class__ is types.MethodType:
        function = function.__func__
    if function.__class__ is not types.FunctionType:
        return None
    if function.__dict__ and not has_no_attributes(function):
        return None
    code: types.CodeType = function.__code__
    return None if code.co_flags & _ASYNCHRONOUS else code


def has_no_attributes(function: Any) -> bool:
    """Whether a function has none but its marks."""
    if function.__class__ is types.MethodType:
        function = function.__func__
    return function.__class__ is types.FunctionType and function.__dict__.keys() <= _OF_MARKS


_OF_MARKS: Final = frozenset({"pytestmark"})
