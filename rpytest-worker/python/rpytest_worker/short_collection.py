"""A shorter way to collect, for functions of which it is known what pytest's own would make of them.

For each function of a test module pytest asks three hooks, and makes a definition and a `Metafunc`
that are thrown away again. Where nothing but pytest implements the hooks, and a function has neither
parameters nor parametrized fixtures, only the item is left of that (`item_building`). Functions with
parameters go through pytest's own `Metafunc` and the hook; the items that come of it are built here,
too.

It is taken for functions of which the class is known, in collectors of which the class is known; every
other object goes the whole way, and nothing is left out of which anything could be raised.
`known_code` knows in which form the functions of pytest's that others stand for were read.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import _pytest.fixtures
import _pytest.nodes
import _pytest.python
import _pytest.unittest
import pytest

from . import known_code, pytest_compat
from .item_building import Builder, Parent, Unknown, arguments_of
from .pytest_names import (
    FunctionDefinition,
    PyCollector,
    Scope,
    TestCaseFunction,
    UnitTestCase,
    getfuncargnames,
)
from .short_factories import VALUES, Fixture
from .short_imports import ShortImports
from .short_walk import ShortWalk
from .tally import Tally

_Function: Any = pytest.Function
_Collector: Any = PyCollector
_COLLECTORS: Final = (pytest.Module, pytest.Class)
_GENERATOR: Final = inspect.CO_GENERATOR


class ShortCollection:
    """Stands for parts of pytest's collection, from `begin` to `end`."""

    def __init__(self, session: Any) -> None:
        self.tally = Tally("built")
        self._session = session
        self._builder = Builder(session)
        self._undo = contextlib.ExitStack()
        # Items that pytest has built, kept so that no other gets their address.
        self._built_by_pytest: dict[int, Any] = {}
        self._collect = _Collector.collect
        self._functions = _Collector._genfunctions
        self._from_parent = vars(_Function)["from_parent"].__func__
        hook: Any = session.config.hook
        self._makes = hook.pytest_pycollect_makeitem
        self._generates = hook.pytest_generate_tests
        self._collected = hook.pytest_itemcollected
        self._collects_imported = _ini(session.config, "collect_imported_tests", True)
        # The classes of items that are built here, by those of their collectors.
        self._built: dict[type, tuple[Any, ...]] = dict.fromkeys(_COLLECTORS, _CLASSES)
        unknown = known_code.unknown(known_code.UNITTEST)
        if unknown is None:
            self._built[UnitTestCase] = (TestCaseFunction,)
        else:
            self.tally.note(unknown)
        self._function_names = _Names(session.config.getini("python_functions"))
        self._class_names = _Names(session.config.getini("python_classes"))

    def begin(self) -> None:
        """Take the place of pytest's own functions, if it is known what they do."""
        self.tally.reason = self._refusal()
        if self.tally.reason is not None:
            return
        session, manager = self._session, self._session._fixturemanager
        pytest_compat.remember_hook_proxies(session)
        replace = functools.partial(pytest_compat.replace, self._undo)
        replace(_Collector, "collect", _method(self.collect))
        replace(_Collector, "_genfunctions", _method(self.functions))
        replace(_Function, "from_parent", classmethod(_method(self.from_parent)))
        replace(_pytest.fixtures, "reorder_items", _reorder(_pytest.fixtures.reorder_items))
        replace(_pytest.fixtures, "getfuncargnames", _getfuncargnames)
        replace(manager, "getfixtureinfo", self._builder.info)
        replace(manager, "_register_fixture", self._register(manager._register_fixture))
        replace(session, "genitems", self._items(session.genitems))
        maker = _pytest.python.IdMaker
        listeners = session.config.hook.pytest_make_parametrize_id._hookimpls
        ask = _ask_no_hook(maker._idval_from_hook, listeners)
        replace(maker, "_idval_from_hook", ask)
        for part in (ShortWalk(session), ShortImports(session)):
            self.tally.note(part.begin(replace))

    def end(self) -> None:
        """Leave everything as it was."""
        self._undo.close()
        self._built_by_pytest.clear()
        if not self.tally.short:  # nobody has counted
            self.tally.genuine = self._session.testscollected

    def _refusal(self) -> str | None:
        if getattr(self._session.config.option, "fulltrace", False):
            return "--full-trace is given"
        if pytest_compat.is_traced(self._session.config):
            return "calls of hooks are traced"
        return known_code.unknown(known_code.COLLECTION)

    # ---------------------------------------------------------------- what stands for pytest's own

    def collect(self, collector: Any) -> Iterable[Any]:
        """Stands for `PyCollector.collect`."""
        __tracebackhide__ = True
        if collector.__class__ in _COLLECTORS and self._collects_imported:
            others = self._others(self._makes, _pytest.python, _pytest.unittest)
            if others is None:
                return self._collected_of(collector)
            self.tally.note(others)
        found: Iterable[Any] = self._collect(collector)
        return found

    def _collected_of(self, collector: Any) -> list[Any]:
        __tracebackhide__ = True
        obj = collector.obj
        if not getattr(obj, "__test__", True):
            return []
        dicts = [getattr(obj, "__dict__", {})]
        if isinstance(obj, type):
            dicts += [base.__dict__ for base in obj.__mro__]
        ignored = _pytest.python.IGNORED_ATTRIBUTES
        seen: set[str] = set()
        of_each: list[list[Any]] = []
        make = collector.ihook.pytest_pycollect_makeitem
        for names in dicts:
            nodes: list[Any] = []
            for name, value in list(names.items()):
                if name in ignored or name in seen:
                    continue
                seen.add(name)
                kind = self._kind(name, value)
                if kind is _NOTHING:
                    continue
                made = self._item(collector, name, value) if kind is _FUNCTION else None
                if made is None:
                    made = make(collector=collector, name=name, obj=value)
                if isinstance(made, list):
                    nodes += made
                elif made is not None:
                    nodes.append(made)
            of_each.append(nodes)
        # Those of base classes come first.
        return [node for nodes in reversed(of_each) for node in nodes]

    def _kind(self, name: str, value: Any) -> str:
        """What pytest's own implementations of the hook would make of an attribute."""
        cls = type(value)
        if cls is types.FunctionType:
            attributes = value.__dict__
            if "__test__" in attributes:
                return _UNKNOWN
            if not self._function_names.match(name):
                return _NOTHING
            if "_pytestfixturefunction" in attributes or value.__code__.co_flags & _GENERATOR:
                return _UNKNOWN
            return _FUNCTION
        # Of a plain value nothing can be a test, whatever its name.
        if cls in VALUES or cls is Fixture:
            return _NOTHING
        if cls is types.ModuleType:
            return _UNKNOWN if "__getattr__" in vars(value) else _NOTHING
        if cls is type and not self._class_names.match(name):
            bases = value.__mro__
            is_known = _test_case() not in bases and not any(
                "__test__" in vars(base) for base in bases
            )
            return _NOTHING if is_known else _UNKNOWN
        return _UNKNOWN

    def functions(self, collector: Any, name: str, function: Any) -> Iterable[Any]:
        """Stands for `PyCollector._genfunctions`."""
        if collector.__class__ in _COLLECTORS and function.__class__ is types.FunctionType:
            item = self._item(collector, name, function)
            if item is not None:
                return [item]
        found: Iterable[Any] = self._functions(collector, name, function)
        return found

    def _item(self, collector: Any, name: str, function: Any) -> Any:
        """The item of a function to whose parameters nobody has anything to say, if it is known."""
        builder = self._builder
        if not builder.is_right:
            return None
        parent = builder.parent(collector)
        if self._asks(parent, function):
            return None
        closure = builder.plain_closure(function, name, parent)
        if closure is None or closure.is_parametrized:
            return None
        try:
            item = builder.build(_Function, parent, name, fixtureinfo=closure.info())
        except Unknown as error:
            self.tally.note(str(error))
            return None
        return item

    def _asks(self, parent: Parent, function: Any) -> bool:
        """Whether anybody may have something to say to a function's parameters."""
        if parent.generates or not parent.marks.isdisjoint(_MARKS):
            return True
        marks = function.__dict__.get("pytestmark")
        if marks is not None and (
            marks.__class__ is not list
            or any(getattr(mark, "name", "parametrize") in _MARKS for mark in marks)
        ):
            return True
        manager = self._session._fixturemanager
        others = self._others(self._generates, _pytest.python, manager)
        if others is not None:
            self.tally.note(others)
        return others is not None

    def from_parent(self, cls: Any, parent: Any, **values: Any) -> Any:
        """Stands for `Function.from_parent`."""
        __tracebackhide__ = True
        if cls in self._built.get(parent.__class__, ()):
            try:
                return self._builder.from_parent(cls, parent, values)
            except Unknown as error:
                self.tally.note(str(error))
        elif cls not in _CLASSES:
            self.tally.note(f"{parent.nodeid} has items of the class {cls.__name__}")
        item = self._from_parent(cls, parent, **values)
        self._built_by_pytest[id(item)] = item
        return item

    def _items(self, genuine: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
        """Stands for `Session.genitems`, which asks a hook for each item."""
        tally, listeners, others = self.tally, self._collected._hookimpls, self._built_by_pytest
        built = {cls for classes in self._built.values() for cls in classes}

        def genitems(node: Any) -> Iterator[Any]:
            if not isinstance(node, pytest.Item):
                yield from genuine(node)
                return
            if node.__class__ not in built or id(node) in others:
                tally.genuine += 1
            else:
                tally.short += 1
            if listeners:
                node.ihook.pytest_itemcollected(item=node)
            yield node

        return genitems

    def _register(self, genuine: Callable[..., None]) -> Callable[..., None]:
        """Stands for `FixtureManager._register_fixture`."""
        builder = self._builder

        def register_fixture(**values: Any) -> None:
            genuine(**values)
            place = values.get("node")  # since pytest 9.1
            builder.fixture_is_registered(place or values.get("nodeid"))

        return register_fixture

    @staticmethod
    def _others(hook: Any, *known: object) -> str | None:
        """Who else implements a hook."""
        for implementation in hook._hookimpls:
            if not any(implementation.plugin is one for one in known):
                return f"{implementation.plugin_name} implements {hook.name}"
        return None


_NOTHING, _FUNCTION, _UNKNOWN = "nothing", "a function", "unknown"
_CLASSES: Final = (_Function, FunctionDefinition)
# Those that have a say in what a function's items are.
_MARKS: Final = frozenset({"parametrize", "usefixtures"})


def _method(function: Callable[..., Any]) -> Any:
    """A function that an instance, or a class, gives itself to."""

    def method(self: Any, *args: Any, **values: Any) -> Any:
        __tracebackhide__ = True
        return function(self, *args, **values)

    return method


class _Names:
    """The names that an ini value has in mind, as `_matches_prefix_or_glob_option` knows them."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = list(patterns)
        self._prefixes = tuple(self._patterns)
        self._globs = [one for one in self._patterns if any(sign in one for sign in "*?[")]

    def match(self, name: str) -> bool:
        if name.startswith(self._prefixes):
            return True
        if not self._globs:
            return False
        return any(fnmatch.fnmatch(name, one) for one in self._globs)


def _test_case() -> Any:
    """What pytest's plugin for unittest looks for, once somebody has imported it."""
    return getattr(sys.modules.get("unittest"), "TestCase", None)


def _ini(config: pytest.Config, name: str, default: Any) -> Any:
    """A value that not every version of pytest has."""
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return default


def _reorder(genuine: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """Stands for `reorder_items`, which brings together what shares a parameter of a wider scope."""

    def reorder_items(items: Any) -> list[Any]:
        for item in items:
            callspec = getattr(item, "callspec", None)
            if callspec is not None and any(
                scope is not Scope.Function for scope in callspec._arg2scope.values()
            ):
                return genuine(items)
        return list(dict.fromkeys(items))

    return reorder_items


def _getfuncargnames(function: Any, name: str = "", **others: Any) -> tuple[str, ...]:
    """Stands for `getfuncargnames`, which makes a signature for each."""
    if function.__class__ is types.FunctionType and not any(others.values()):
        return arguments_of(function, name, None)
    return tuple(getfuncargnames(function, name=name, **others))


def _ask_no_hook(genuine: Callable[..., Any], listeners: list[Any]) -> Callable[..., Any]:
    """Stands for `IdMaker._idval_from_hook`, while nobody listens to the hook."""

    def idval_from_hook(maker: Any, val: object, argname: str) -> Any:
        return genuine(maker, val, argname) if listeners else None

    return idval_from_hook
