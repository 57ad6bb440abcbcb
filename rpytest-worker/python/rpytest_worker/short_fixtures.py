"""Sets fixtures up with less, where it is known what pytest's own would do.

pytest asks two hooks for each fixture, of which its own plugins make nothing without `--setup-show`
and its kin; asks a function three times over what kind it is; and works out the signature of one
that it has made itself, each time that somebody wants `request`. Here a plain function is called
at once. Everything else goes to pytest's own, and so does whatever ends in an error of pytest's.

Private names of pytest are touched here; `known_code` knows in which form they were read.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Final

import _pytest.fixtures
import _pytest.setuponly
import _pytest.setupplan
from _pytest.outcomes import TEST_OUTCOME, skip
from _pytest.scope import Scope

from . import known_code, pytest_compat

_fixtures: Any = _pytest.fixtures
_OF_FUNCTION: Final = Scope.Function
_GENERATOR: Final = inspect.CO_GENERATOR
_ASYNCHRONOUS: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_KNOWN: Final = (_pytest.fixtures, _pytest.setuponly, _pytest.setupplan)


class ShortFixtures:
    """Stands for parts of pytest's, from `begin` to `end`."""

    def __init__(self, session: Any) -> None:
        hook = session.config.hook
        self._session = session
        self._undo = contextlib.ExitStack()
        # The plugin manager's own lists, and what they held when this began.
        self._setup = hook.pytest_fixture_setup._hookimpls
        self._finalizer = hook.pytest_fixture_post_finalizer._hookimpls

    def begin(self) -> None:
        if known_code.unknown(known_code.FIXTURES) is not None:
            return
        replace = functools.partial(pytest_compat.replace, self._undo)
        if hasattr(_fixtures, "RequestFixtureDef"):  # since pytest 9.0
            replace(_fixtures.RequestFixtureDef, "__init__", _of_request())
        check = _fixtures.SubRequest._check_scope
        replace(_fixtures.SubRequest, "_check_scope", _check_scope(check))
        if getattr(self._session.config.option, "tbstyle", "auto") == "native":
            return  # it shows all frames, those of hooks among them
        for hook in (self._setup, self._finalizer):
            if any(implementation.plugin not in _KNOWN for implementation in hook):
                return
        replace(self._session, "gethookproxy", self._with_less_hooks(self._session.gethookproxy))

    def end(self) -> None:
        self._undo.close()

    def _with_less_hooks(self, genuine: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Stands for `Session.gethookproxy`."""
        known: dict[int, tuple[Any, Hooks]] = {}

        def gethookproxy(fspath: Any) -> Any:
            proxy = genuine(fspath)
            found = known.get(id(proxy))
            if found is None:
                found = known[id(proxy)] = proxy, Hooks(proxy, self._setup, self._finalizer)
            return found[1]

        return gethookproxy


class Hooks:
    """Hooks as a node sees them, of which two come to nothing or to one function."""

    def __init__(self, genuine: Any, setup: list[Any], finalizer: list[Any]) -> None:
        self._genuine = genuine
        known_setup, known_finalizer = list(setup), list(finalizer)

        def pytest_fixture_setup(*, fixturedef: Any, request: Any) -> Any:
            __tracebackhide__ = True
            if setup == known_setup:
                return set_up(fixturedef, request)
            return genuine.pytest_fixture_setup(fixturedef=fixturedef, request=request)

        def pytest_fixture_post_finalizer(*, fixturedef: Any, request: Any) -> Any:
            if finalizer != known_finalizer:
                return genuine.pytest_fixture_post_finalizer(fixturedef=fixturedef, request=request)
            return []

        self.pytest_fixture_setup = pytest_fixture_setup
        self.pytest_fixture_post_finalizer = pytest_fixture_post_finalizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)


def set_up(fixturedef: Any, request: Any) -> Any:
    """What `pytest_fixture_setup` does, for plain functions."""
    __tracebackhide__ = True
    function = fixturedef.func
    if function.__class__ is not types.FunctionType:
        return _fixtures.pytest_fixture_setup(fixturedef, request)
    flags = function.__code__.co_flags
    if flags & _ASYNCHRONOUS or function.__dict__:
        return _fixtures.pytest_fixture_setup(fixturedef, request)
    active = request._fixture_defs
    values = {}
    for name in fixturedef.argnames:
        if name == "request":
            values[name] = request
            continue
        definition = active.get(name)
        if definition is None or definition.cached_result is None:
            values[name] = request.getfixturevalue(name)
        else:
            values[name] = definition.cached_result[0]
    key = fixturedef.cache_key(request)
    try:
        if flags & _GENERATOR:
            generator = function(**values)
            try:
                result = next(generator)
            except StopIteration:
                # It says so.
                result = _fixtures.call_fixture_func(_yields_nothing, request, {})
            teardown = functools.partial(_fixtures._teardown_yield_fixture, function, generator)
            request.addfinalizer(teardown)
        else:
            result = function(**values)
    except TEST_OUTCOME as error:
        if isinstance(error, skip.Exception):
            error._use_item_location = True
        fixturedef.cached_result = (None, key, (error, error.__traceback__))
        raise
    fixturedef.cached_result = (result, key, None)
    return result


def _yields_nothing() -> Any:
    return
    yield


def _check_scope(genuine: Callable[..., None]) -> Callable[..., None]:
    """Stands for `SubRequest._check_scope`: nothing is narrower than a function."""

    def check_scope(self: Any, requested_fixturedef: Any, requested_scope: Any) -> None:
        __tracebackhide__ = True
        scope = self._scope_field
        if scope is not _OF_FUNCTION and scope is not requested_scope:
            genuine(self, requested_fixturedef, requested_scope)

    return check_scope


def _of_request() -> Callable[[Any, Any], None]:
    """Stands for `RequestFixtureDef.__init__`, which makes a function and looks what it takes."""
    genuine = _fixtures.RequestFixtureDef.__init__
    constant: dict[str, Any] = {}
    has_node = False

    def init(self: Any, request: Any) -> None:
        nonlocal has_node
        if not constant:
            genuine(self, request)
            found = dict(vars(self))
            has_node = "node" in found  # since pytest 9.1
            for name in ("node", "baseid", "func", "cached_result", "_finalizers"):
                found.pop(name, None)
            constant.update(found)
            return
        attributes = vars(self)
        attributes.update(constant)
        if has_node:
            attributes["node"] = request.node
            attributes["baseid"] = request.node.nodeid
        else:
            attributes["baseid"] = ""
        attributes["func"] = lambda: request
        attributes["cached_result"] = (request, [0], None)
        attributes["_finalizers"] = []

    return init
