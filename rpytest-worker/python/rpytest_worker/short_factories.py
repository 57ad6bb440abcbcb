"""Looks for fixtures only in what may hold some.

pytest looks at every attribute of each module and class, inherited ones too, whether it is a fixture,
or hides one behind decorators. `unittest.TestCase` alone has a hundred. Where the types of all that is
in the dictionaries tell that there is none, nothing is left to do.
"""

from __future__ import annotations
import __future__

import abc
import importlib.machinery
import re
import types
from collections.abc import Callable
from pathlib import Path, PosixPath, PurePath
from typing import Any, Final
from weakref import WeakKeyDictionary

import _pytest.assertion.rewrite
import _pytest.fixtures
import pytest

from . import known_code
from .pytest_names import AssertionRewritingHook, FixtureManager

_Manager: Any = FixtureManager
Fixture: Final = getattr(_pytest.fixtures, "FixtureFunctionDefinition", None)  # since pytest 8.4


class ShortFactories:
    """Stands for `FixtureManager.parsefactories`, after `begin`."""

    def __init__(self) -> None:
        # Classes without any, and how many attributes they had; others may be added. Of classes of a
        # session within a test nothing is to be left when that is over.
        self._clean: WeakKeyDictionary[type, int] = WeakKeyDictionary()

    def begin(self, replace: Callable[[Any, str, Any], None]) -> str | None:
        """Take the place of pytest's own functions, by `replace`; returns what of them is not known."""
        unknown = known_code.unknown(known_code.FACTORIES)
        if unknown is None:
            replace(_Manager, "parsefactories", self._parse(_Manager.parsefactories))
            if hasattr(_Manager, "_find_wrapped_fixture_def"):  # since pytest 9.2
                find = _Manager._find_wrapped_fixture_def
                replace(_Manager, "_find_wrapped_fixture_def", _find_wrapped(find))
        return unknown

    def _parse(self, genuine: Callable[..., None]) -> Callable[..., None]:
        def parsefactories(manager: Any, *args: Any, **values: Any) -> None:
            __tracebackhide__ = True
            # What has been looked through, before pytest 9.1.
            seen: set[Any] | None = getattr(manager, "_holderobjseen", None)
            holder = self._holder(args, values, seen is not None)
            if holder is _UNKNOWN or not self._holds_none(holder):
                genuine(manager, *args, **values)
            elif seen is not None and holder not in seen:
                seen.add(holder)

        return parsefactories

    @staticmethod
    def _holder(args: tuple[Any, ...], values: dict[str, Any], takes_nodeids: bool) -> Any:
        if not args:
            return values.get("holder", _UNKNOWN)
        if len(args) == 1 and not values:
            return args[0].obj if isinstance(args[0], pytest.Module | pytest.Class) else _UNKNOWN
        # An object and a node id, which is deprecated since.
        return args[0] if len(args) == 2 and takes_nodeids else _UNKNOWN

    def _holds_none(self, holder: Any) -> bool:
        if holder.__class__ is types.ModuleType:
            attributes = vars(holder)
            if Fixture is not None and str(attributes.get("__name__")).startswith("_pytest."):
                # None of pytest's own hides one.
                return Fixture not in map(type, attributes.values())
            values = attributes.values()
            return attributes.keys().isdisjoint(_HOOKS) and all(map(_is_no_fixture, values))
        cls = holder if isinstance(holder, type) else type(holder)
        return type(cls) in _METACLASSES and all(map(self._is_clean, cls.__mro__))

    def _is_clean(self, cls: type) -> bool:
        attributes = vars(cls)
        if self._clean.get(cls) == len(attributes):
            return True
        if cls is not object and "__dir__" in attributes:
            return False
        if not all(map(_is_no_fixture, attributes.values())):
            return False
        self._clean[cls] = len(attributes)
        return True


def _is_no_fixture(value: Any) -> bool:
    """Whether a value is known to be no fixture, and to hide none."""
    kind = type(value)
    if kind is types.FunctionType:
        for _ in range(_DEPTH):
            attributes = value.__dict__
            if not attributes or _MARKS.isdisjoint(attributes):
                return True
            # What it is decorated with hides a function.
            value = attributes.get("__wrapped__")
            if not _OTHER_MARKS.isdisjoint(attributes) or type(value) is not types.FunctionType:
                return False
        return False
    if kind in _INERT:
        return True
    if kind is staticmethod or kind is classmethod:
        inner = value.__func__
        return _MARKS.isdisjoint(value.__dict__) and (
            type(inner) in _FUNCTIONS and _is_no_fixture(inner)
        )
    if kind in _METACLASSES:
        return all(vars(base).keys().isdisjoint(_MARKS) for base in value.__mro__)
    if kind is types.ModuleType:
        return bool(vars(value).keys().isdisjoint(_MARKS_AND_HOOKS))
    return False


def _find_wrapped(genuine: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Stands for `FixtureManager._find_wrapped_fixture_def`, which pytest calls for what holds some."""

    def find_wrapped_fixture_def(manager: Any, obj: Any) -> Any:
        return None if _is_no_fixture(obj) else genuine(manager, obj)

    return find_wrapped_fixture_def


_UNKNOWN: Final = object()
_METACLASSES: Final = (type, abc.ABCMeta)
_FUNCTIONS: Final = (types.FunctionType, types.BuiltinFunctionType, type)
# Of a module that answers for names that it does not have.
_HOOKS: Final = frozenset({"__getattr__", "__dir__"})
# What pytest follows or asks for.
_OTHER_MARKS: Final = frozenset({"_mock_name", "_pytestfixturefunction", "__pytest_wrapped__"})
_MARKS: Final = _OTHER_MARKS | {"__wrapped__"}
_MARKS_AND_HOOKS: Final = _MARKS | _HOOKS
_DEPTH: Final = 10
# Types of plain values: nothing of them can be called, or is a class.
VALUES: Final = frozenset(
    {
        type(None), type(...), bool, int, float, complex, str, bytes, bytearray, tuple, list, dict, set,
        frozenset, range, slice, property, re.Pattern, Path, PosixPath, PurePath,
    }
)  # fmt: skip
# Types of which nothing has such an attribute, and that do nothing when they are looked up.
_INERT: Final = VALUES | frozenset(
    {
        types.BuiltinFunctionType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
        types.MethodDescriptorType, types.WrapperDescriptorType, types.MemberDescriptorType,
        pytest.Mark, pytest.MarkDecorator, type(__future__.annotations),
        importlib.machinery.ModuleSpec, importlib.machinery.SourceFileLoader,
        AssertionRewritingHook, type(vars(abc.ABC)["_abc_impl"]),
    }
)  # fmt: skip
