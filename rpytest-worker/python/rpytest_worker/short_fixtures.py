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
from collections.abc import Callable
from typing import Any, Final

import _pytest.fixtures
import _pytest.setuponly
import _pytest.setupplan
import pytest

from . import call_sites, fixture_functions, frames, known_code, pytest_compat
from .costs import SharedFixtures
from .pytest_names import TEST_OUTCOME, Scope
from .short_requests import ShortRequests

# Of all functions here.
__tracebackhide__ = True

_fixtures: Any = _pytest.fixtures
_OF_FUNCTION: Final = Scope.Function
_KNOWN: Final = (_pytest.fixtures, _pytest.setuponly, _pytest.setupplan)


class ShortFixtures:
    """Stands for parts of pytest's, from `begin` to `end`."""

    def __init__(self, session: Any, shared: SharedFixtures) -> None:
        hook = session.config.hook
        self._session = session
        self._shared = shared
        self._undo = contextlib.ExitStack()
        # The plugin manager's own lists, and what they held when this began.
        self._setup = hook.pytest_fixture_setup._hookimpls
        self._finalizer = hook.pytest_fixture_post_finalizer._hookimpls

    def begin(self) -> str | None:
        """Take their place; returns what of them is not known."""
        unknown = known_code.unknown(known_code.FIXTURES)
        if unknown is None:
            self._begin()
        return unknown

    def _begin(self) -> None:
        replace = functools.partial(pytest_compat.replace, self._undo)
        if hasattr(_fixtures, "RequestFixtureDef"):  # since pytest 9.0
            replace(_fixtures.RequestFixtureDef, "__init__", _of_request())
        check = _fixtures.SubRequest._check_scope
        replace(_fixtures.SubRequest, "_check_scope", _check_scope(check))
        option = self._session.config.option
        if getattr(option, "tbstyle", "auto") == "native":
            return  # it shows all frames, those of hooks among them
        for hook in (self._setup, self._finalizer):
            if any(one.plugin not in (*_KNOWN, self._shared) for one in hook):
                return
        replace(self._session, "gethookproxy", self._with_less_hooks(self._session.gethookproxy))
        # With the locals of frames there would be some that pytest's do not have.
        if not option.showlocals and known_code.unknown(known_code.REQUESTS) is None:
            ShortRequests(self._session, self._setup, self._finalizer).begin(replace)

    def end(self) -> None:
        self._undo.close()

    def _with_less_hooks(self, genuine: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Stands for `Session.gethookproxy`."""
        known: dict[int, tuple[Any, Hooks]] = {}

        def gethookproxy(fspath: Any) -> Any:
            proxy = genuine(fspath)
            found = known.get(id(proxy))
            if found is None:
                hooks = Hooks(proxy, self._session, self._setup, self._finalizer, self._shared)
                found = known[id(proxy)] = proxy, hooks
            return found[1]

        return gethookproxy


class Hooks:
    """Hooks as a node sees them, of which two come to nothing or to one function."""

    def __init__(
        self,
        genuine: Any,
        session: Any,
        setup: list[Any],
        finalizer: list[Any],
        shared: SharedFixtures,
    ) -> None:
        self._genuine = genuine
        self._session = session
        known_setup, known_finalizer = list(setup), list(finalizer)

        @frames.not_shown
        def pytest_fixture_setup(*, fixturedef: Any, request: Any) -> Any:
            if setup == known_setup:
                if fixturedef._scope is _OF_FUNCTION:
                    return set_up(fixturedef, request, genuine.pytest_fixture_setup)
                shared.begin(fixturedef, request)
                try:
                    return set_up(fixturedef, request, genuine.pytest_fixture_setup)
                finally:
                    shared.end(fixturedef)
            return genuine.pytest_fixture_setup(fixturedef=fixturedef, request=request)

        @frames.not_shown
        def pytest_fixture_post_finalizer(*, fixturedef: Any, request: Any) -> Any:
            if finalizer != known_finalizer:
                return genuine.pytest_fixture_post_finalizer(fixturedef=fixturedef, request=request)
            return []

        self._fixture_setup = pytest_fixture_setup
        self.pytest_fixture_post_finalizer = pytest_fixture_post_finalizer

    @property
    def pytest_fixture_setup(self) -> Any:
        """A doctest shows all frames that an exception has come through, those of hooks among them."""
        stack = self._session._setupstate.stack
        if stack and next(reversed(stack)).__class__ is pytest.DoctestItem:
            return self._genuine.pytest_fixture_setup
        return self._fixture_setup

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)

    def __repr__(self) -> str:
        return repr(self._genuine)


@frames.not_shown
def set_up(fixturedef: Any, request: Any, genuine: Callable[..., Any]) -> Any:
    """What `pytest_fixture_setup` does, for plain functions."""
    function = fixturedef.func
    if not fixture_functions.is_plain(function):
        return genuine(fixturedef=fixturedef, request=request)
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
    site, of_generators = call_sites.of_fixtures()
    try:
        if fixture_functions.is_generator(function):
            site = of_generators
            generator = function(**values)
            result = site.call(generator, call_sites.NOTHING)
            if result is not call_sites.NOTHING:
                request.addfinalizer(
                    functools.partial(_fixtures._teardown_yield_fixture, function, generator)
                )
        else:
            result = site.call(function, values)
    except TEST_OUTCOME as error:
        inner = site.below(error.__traceback__ and error.__traceback__.tb_next)
        is_skip = isinstance(error, pytest.skip.Exception)
        if not frames.has_visible_frame(inner, is_skip) or frames.is_called_by_others():
            kind = fixture_functions.raising(function)
            return _again(fixturedef, request, genuine, kind, error.with_traceback(inner))
        if is_skip:
            error._use_item_location = True
        fixturedef.cached_result = (None, key, (error, error.__traceback__))
        raise
    if result is call_sites.NOTHING:
        return _again(fixturedef, request, genuine, fixture_functions.yields_nothing)
    fixturedef.cached_result = (result, key, None)
    return result


@frames.not_shown
def _again(
    fixturedef: Any, request: Any, genuine: Any, kind: Any, error: BaseException | None = None
) -> Any:
    """Let pytest set up a fixture with a function that ends as its own has just done.

    For an error of which the traceback is shown with the frames of hooks: that is so where it has none
    but pytest's, and where a function has asked for the fixture, with all that comes after it.
    """
    function = fixturedef.func
    fixturedef.func = fixture_functions.in_place_of(function, kind, error)
    try:
        return genuine(fixturedef=fixturedef, request=request)
    finally:
        fixturedef.func = function


def _check_scope(genuine: Callable[..., None]) -> Callable[..., None]:
    """Stands for `SubRequest._check_scope`: nothing is narrower than a function."""

    @frames.not_shown
    def check_scope(self: Any, requested_fixturedef: Any, requested_scope: Any) -> None:
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
