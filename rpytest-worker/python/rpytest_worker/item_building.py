"""Makes pytest's own `Function` nodes, with the same attributes, from what siblings have in common.

pytest works out the fixtures of each function from nothing. Functions that stand in the same module
or class, or in modules of the same directory that define no fixtures, and that take the same
arguments, have the same ones; so they are worked out by pytest once, and copied. Before the first
item, one of a sample is built both ways and the two are compared.
"""

from __future__ import annotations

import abc
import contextlib
import sys
import types
from typing import Any, Final

import _pytest.fixtures
import _pytest.nodes
import _pytest.python
import pytest

from . import known_code, pytest_compat
from .pytest_names import (
    FuncFixtureInfo,
    FunctionDefinition,
    NodeKeywords,
    TopRequest,
    UnitTestCase,
    get_unpacked_marks,
    getfuncargnames,
)

_Function: Any = pytest.Function
_Definition: Any = FunctionDefinition
_new: Any = object.__new__
_UNSET: Final = object()
_NodeId: Any = getattr(_pytest.nodes, "NodeId", None)  # since pytest 9.2
_OF_AN_ID: Final = ("path", "names", "params", "_str_cache")
# Its fields, which cannot be set in the usual way: a node id is not to be changed.
_SET_ID: Final = (
    [vars(_NodeId)[name].__set__ for name in _OF_AN_ID]
    if getattr(_NodeId, "__slots__", None) == _OF_AN_ID
    and known_code.unknown(known_code.NODE_IDS) is None
    else None
)


class Unknown(Exception):
    """It is not known what pytest would build."""


class _Closure:
    """The fixtures of functions that stand together and take the same arguments."""

    __slots__ = ("argnames", "definitions", "initialnames", "is_parametrized", "names")

    def __init__(self, info: Any) -> None:
        self.argnames = info.argnames
        self.initialnames = info.initialnames
        self.names = tuple(info.names_closure)
        self.definitions = dict(info.name2fixturedefs)
        self.is_parametrized = any(
            one.params is not None for every in self.definitions.values() for one in every
        )

    def info(self) -> FuncFixtureInfo:
        return FuncFixtureInfo(
            self.argnames, self.initialnames, list(self.names), dict(self.definitions)
        )


class Parent:
    """What is known of a module or a class while its functions are collected."""

    __slots__ = (
        "closures",
        "cls",
        "generates",
        "is_of_unittest",
        "is_plain",
        "marks",
        "node",
        "obj",
    )

    def __init__(self, node: Any) -> None:
        self.node = node
        self.obj = node.obj
        self.cls: Any = self.obj if isinstance(node, pytest.Class) else None
        self.is_of_unittest = node.__class__ is UnitTestCase
        # Whether an instance is made, and its methods are looked up, without anybody's code.
        self.is_plain = self.cls is None or _is_plain(self.cls, self.is_of_unittest)
        module = node.getparent(pytest.Module)
        self.generates = module is None or any(
            hasattr(one, "pytest_generate_tests")
            for one in (module.obj, self.cls)
            if one is not None
        )
        self.marks = frozenset(mark.name for mark in node.iter_markers())
        self.closures: dict[Any, _Closure] = {}


def _is_plain(cls: Any, is_of_unittest: bool) -> bool:
    known = _of_unittest() if is_of_unittest else frozenset()
    return type(cls) in (type, abc.ABCMeta) and not any(
        name in vars(base)
        for base in cls.__mro__[:-1]
        if base not in known
        for name in ("__getattribute__", "__new__", "__init__")
    )


def _of_unittest() -> frozenset[type]:
    """The classes of the standard library that a test case may come of, as they were defined."""
    case, asynchronous = map(sys.modules.get, ("unittest.case", "unittest.async_case"))
    found = (
        getattr(case, "TestCase", None),
        getattr(asynchronous, "IsolatedAsyncioTestCase", None),
    )
    return frozenset(
        one for one in found if one is not None and one.__init__.__module__ == one.__module__
    )


class Builder:
    """Of one session, while it collects."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._manager = session._fixturemanager
        self._genuine_info = self._manager.getfixtureinfo
        self._genuine_from_parent = vars(_Function)["from_parent"].__func__
        self._has_structured_ids = pytest_compat.HAS_STRUCTURED_IDS
        # Since pytest 8.2 an item keeps the instance that its method is bound to.
        self._keeps_instance = True
        # Whether what is built here is what pytest builds; `None` before it is known.
        self.is_right: bool | None = None
        self.difference = ""
        self._parent: Parent | None = None
        # By where fixtures are visible: a directory, or a module or a class that has some.
        self._closures: dict[Any, dict[Any, _Closure]] = {}
        self._places: set[Any] = set()

    # ---------------------------------------------------------------- parents and their fixtures

    def parent(self, node: Any) -> Parent:
        parent = self._parent
        if parent is None or parent.node is not node:
            parent = self._parent = Parent(node)
            parent.closures = self._closures_of(node)
        return parent

    def _closures_of(self, node: Any) -> dict[Any, _Closure]:
        chain = node.listchain()
        self._closures = {
            place: known
            for place, known in self._closures.items()
            if place in chain or not isinstance(place, pytest.Module | pytest.Class)
        }
        place = node
        while isinstance(place, pytest.Module | pytest.Class) and not (
            place in self._places or place.nodeid in self._places
        ):
            place = place.parent
        return self._closures.setdefault(place, {})

    def fixture_is_registered(self, place: Any) -> None:
        """A fixture comes, to be seen at a node and below; a place may be a node id."""
        self._parent = None
        self._places.add(place)
        if not isinstance(place, pytest.Module | pytest.Class):
            self._closures.clear()
        else:
            self._closures.pop(place, None)

    def _closure(self, node: Any, function: Any, parent: Parent) -> _Closure:
        argnames: tuple[str, ...] = ()
        if not parent.is_of_unittest:
            argnames = arguments_of(function, node.originalname, parent.cls)
        ignored: frozenset[str] = frozenset()
        names = parent.marks.union(mark.name for mark in node.own_markers)
        if "usefixtures" in names:
            raise Unknown("a mark `usefixtures`")
        if "parametrize" in names:
            ignored = frozenset(_pytest.fixtures._get_direct_parametrize_args(node))
        closure = parent.closures.get((argnames, ignored))
        if closure is None:
            info = self._genuine_info(node, function, parent.cls)
            if info.argnames != argnames:
                raise Unknown("arguments that are not known")
            closure = parent.closures[argnames, ignored] = _Closure(info)
        return closure

    def plain_closure(self, function: Any, name: str, parent: Parent) -> _Closure | None:
        """That of a function without marks that matter, if it is known."""
        return parent.closures.get((arguments_of(function, name, parent.cls), frozenset()))

    def info(self, node: Any, func: Any, cls: Any) -> Any:
        """Stands for `FixtureManager.getfixtureinfo`."""
        __tracebackhide__ = True
        if node.__class__ is _Definition and func.__class__ is types.FunctionType:
            parent = self._parent
            if parent is not None and parent.node is node.parent and parent.cls is cls:
                with contextlib.suppress(Unknown):
                    return self._closure(node, func, parent).info()
        return self._genuine_info(node=node, func=func, cls=cls)

    # ---------------------------------------------------------------- nodes

    def from_parent(self, cls: Any, node: Any, values: dict[str, Any]) -> Any:
        """A node of what `Function.from_parent` is called with."""
        if self.is_right is None:
            self._compare_sample(node)
        if not self.is_right:
            raise Unknown(self.difference or "the fixtures of a sample are not known")
        if not _VALUES.issuperset(values) or "name" not in values:
            raise Unknown("arguments that are not known")
        return self.build(cls, self.parent(node), **values)

    def build(
        self,
        cls: Any,
        parent: Parent,
        name: str,
        callspec: Any = None,
        callobj: Any = _UNSET,
        keywords: Any = None,
        fixtureinfo: Any = None,
        originalname: str | None = None,
    ) -> Any:
        node = parent.node
        base = originalname or name
        instance = None
        if callobj is _UNSET:
            if parent.cls is None:
                obj = getattr(parent.obj, base)
            elif parent.is_of_unittest and not self._keeps_instance:
                obj = getattr(parent.cls, base)
            elif parent.is_plain:
                instance = parent.cls(base) if parent.is_of_unittest else node.newinstance()
                obj = getattr(instance, base)
            else:
                raise Unknown(f"{node.nodeid} makes its instances itself")
        else:
            obj = callobj
            instance = getattr(callobj, "__self__", None)
        if obj.__class__ not in _FUNCTION_TYPES:
            raise Unknown(f"{node.nodeid}::{base} is no function")
        item = _new(cls)
        item.name = name
        item.parent = node
        item.config = node.config
        item.session = node.session
        item.path = node.path
        keys = item.keywords = NodeKeywords(item)
        own = item.own_markers = []
        item.extra_keyword_matches = set()
        if self._has_structured_ids:
            params = callspec.id if callspec is not None and callspec._idlist else None
            item._id = _child_id(node.id, base, params)
        else:
            item._nodeid = f"{node.nodeid}::{name}"
        item.stash = item._store = pytest.Stash()
        item._report_sections = []
        item.user_properties = []
        item._obj = obj
        if self._keeps_instance:
            item._instance = instance
        item.originalname = base
        attributes = obj.__dict__
        if "pytestmark" in attributes:
            own += get_unpacked_marks(obj)
        if callspec:
            item.callspec = callspec
            own += callspec.marks
        markers = keys._markers
        for mark in own:
            markers[mark.name] = mark
        if attributes:
            markers.update(attributes)
        if keywords:
            markers.update(keywords)
        if fixtureinfo is None and parent.is_of_unittest:
            fixtureinfo = self._closure(item, obj, parent).info()
        elif fixtureinfo is None:
            fixtureinfo = self._manager.getfixtureinfo(item, obj, parent.cls)
        item._fixtureinfo = fixtureinfo
        item.fixturenames = fixtureinfo.names_closure
        item.funcargs = {}
        item._request = TopRequest(item, _ispytest=True)
        return item

    # ---------------------------------------------------------------- the sample

    def _compare_sample(self, node: Any) -> None:
        node = node.getparent(pytest.Module)
        parent = self.parent(node)
        if "usefixtures" in parent.marks:
            return  # the next one may do
        spec = getattr(_pytest.python, "CallSpec", None) or _pytest.python.CallSpec2
        for cls, callspec in (
            (_Definition, None),
            (_Function, None),
            (_Function, spec(_idlist=["one", "two"], marks=[_MARK])),
        ):
            values: dict[str, Any] = {"name": "_sample", "callobj": _sample}
            if callspec is not None:
                values = {
                    "name": f"_sample[{callspec.id}]",
                    "originalname": "_sample",
                    "callspec": callspec,
                    "callobj": _sample,
                    "keywords": {callspec.id: True},
                }
            genuine = self._genuine_from_parent(cls, node, **values)
            self._keeps_instance = "_instance" in vars(genuine)
            built = self.build(cls, parent, **values)
            self.difference = _difference(genuine, built)
            if self.difference:
                self.is_right = False
                return
        self.is_right = True


_FUNCTION_TYPES: Final = (types.FunctionType, types.MethodType)
_VALUES: Final = frozenset(
    {"name", "callspec", "callobj", "keywords", "fixtureinfo", "originalname"}
)


def _child_id(of: Any, name: str, params: str | None) -> Any:
    """`of.child(name).with_params(params)`, without the one in between."""
    if _SET_ID is None or of.params is not None:
        return of.child(name).with_params(params)
    made = _new(_NodeId)
    text = f"{of}::{name}" if params is None else f"{of}::{name}[{params}]"
    for setter, value in zip(_SET_ID, (of.path, (*of.names, name), params, text), strict=True):
        setter(made, value)
    return made


def arguments_of(function: Any, name: str, cls: Any) -> tuple[str, ...]:
    """What `getfuncargnames` returns."""
    attributes = function.__dict__
    code = function.__code__
    count = code.co_argcount
    if (
        code.co_posonlyargcount
        or "__wrapped__" in attributes
        or "__signature__" in attributes
        or "patchings" in attributes
        or (cls is not None and not _is_method(cls, name, function))
    ):
        return tuple(getfuncargnames(function, name=name, cls=cls))
    names: tuple[str, ...] = code.co_varnames[: count - len(function.__defaults__ or ())]
    if code.co_kwonlyargcount:
        defaults = function.__kwdefaults__ or ()
        last = count + code.co_kwonlyargcount
        names += tuple(one for one in code.co_varnames[count:last] if one not in defaults)
    return names if cls is None else names[1:]


def _is_method(cls: Any, name: str, function: Any) -> bool:
    """Whether a class has this very function by that name."""
    for base in cls.__mro__:
        found = vars(base).get(name, _UNSET)
        if found is not _UNSET:
            return found is function
    return False


def _sample(_rpytest_sample: Any, *, _rpytest_other: Any, _rpytest_known: int = 1) -> None:
    """Its arguments are nobody's fixtures."""


_MARK: Final = pytest.Mark("rpytest_sample", (), {}, _ispytest=True)
_sample.pytestmark = [_MARK]  # type: ignore[attr-defined]
_sample.attribute = 1  # type: ignore[attr-defined]


def _difference(genuine: Any, built: Any) -> str:
    """The first attribute of a node that is not as it is in the other."""
    for name in sorted({*_attributes(genuine), *_attributes(built)}):
        theirs: Any = getattr(genuine, name, _UNSET)
        ours: Any = getattr(built, name, _UNSET)
        if name == "_request":
            theirs, ours = dict(vars(theirs)), dict(vars(ours))
            if theirs.pop("_pyfuncitem") is not genuine or ours.pop("_pyfuncitem") is not built:
                return name
        elif name == "keywords":
            if (
                type(theirs) is not type(ours)
                or theirs.node is not genuine
                or ours.node is not built
            ):
                return name
            theirs, ours = ((one.parent, one._markers) for one in (theirs, ours))
        elif name in ("stash", "_store"):
            theirs, ours = theirs._storage, ours._storage
        if theirs != ours or type(theirs) is not type(ours):
            return f"`{name}` is not what pytest makes it"
    return ""


def _attributes(node: Any) -> set[str]:
    slots = {name for base in type(node).__mro__ for name in getattr(base, "__slots__", ())}
    return {*vars(node), *(name for name in slots - {"__dict__"} if hasattr(node, name))}
