"""Finds and sets up the fixtures that a test has for itself, in one step.

pytest goes through four functions for each fixture that is wanted, makes a new object for some of them,
and looks for its hooks twice. A plain function of function scope, which is not set up yet, is called at
once here, when those that it takes are there. One of a wider scope that is set up already is found
here, too. Everything else is pytest's, and so is what a test or a fixture asks for by name: who has
asked matters then.

What fails is put back as it was, and pytest finds the same: a function in the fixture's place raises
again what has been raised. So tracebacks have the frames that they would have had.

Private names of pytest are touched here; `known_code` knows in which form they were read.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container
from functools import partial
from typing import Any, Final

import _pytest.fixtures
import _pytest.python
import pytest

from . import call_sites, fixture_functions, frames
from .pytest_names import Scope, TopRequest

# Of all functions here.
__tracebackhide__ = True

_fixtures: Any = _pytest.fixtures
_OF_FUNCTION: Final = Scope.Function
_SubRequest: Final = _fixtures.SubRequest
_NOTSET: Final = _fixtures.NOTSET
_new: Final = object.__new__
_OF_PACKAGE: Final = Scope.Package
_NAME: Final = "_fillfixtures"
# What tests with parameters have in the place of a fixture, since pytest 9.1; and its function.
_OF_PARAMETERS: Final = getattr(_pytest.python, "DirectParamFixtureDef", None)
_PARAMETER: Final = getattr(_pytest.python, "get_direct_param_fixture_func", None)


class _Failed(Exception):
    """A fixture has failed, and all that pytest could see of it is as it was before."""


class _YieldsNothing(Exception):
    """A generator has ended where it should have yielded."""


class ShortRequests:
    """Of one session. It stands for `TopRequest._fillfixtures`."""

    def __init__(self, session: Any, setup: list[Any], finalizer: list[Any]) -> None:
        """Of two hooks: the plugin manager's own lists."""
        self._session = session
        self._setup, self._known_setup = setup, list(setup)
        self._finalizer, self._known_finalizer = finalizer, list(finalizer)
        self._site, self._of_generators = call_sites.of_fixtures()
        # Definitions that were looked at, with their functions.
        self._plain: dict[Any, Any] = {}

    def begin(self, replace: Callable[[Any, str, Any], None]) -> None:
        cls = TopRequest
        genuine = vars(cls)[_NAME]
        resolve = self._resolve
        by_pytest = types.SimpleNamespace

        @frames.not_shown
        def fill(request: Any) -> None:
            item = request._pyfuncitem
            if item.session is not self._session or not isinstance(item, pytest.Function):
                genuine(request)
                return
            funcargs, active = item.funcargs, request._fixture_defs
            for argname in item.fixturenames:
                if argname in funcargs:
                    continue
                try:
                    definition = active.get(argname) or resolve(request, argname)
                except _Failed as failed:
                    told = list(failed.args)
                else:
                    if definition is not None and definition.cached_result is not None:
                        funcargs[argname] = definition.cached_result[0]
                        continue
                    # For this one alone, from where pytest asks for it.
                    alone = by_pytest(fixturenames=[argname], funcargs=funcargs)
                    ask = request.getfixturevalue
                    genuine(by_pytest(_pyfuncitem=alone, getfixturevalue=ask))
                    continue
                again(request, told)

        @frames.not_shown
        def again(request: Any, told: list[Any]) -> None:
            """Let pytest find a fixture that fails as it has just done.

            Nothing is kept of the error, whose traceback will have this frame.
            """
            finalizers, error, definition = told.pop(), told.pop(), told.pop()
            function = definition.func
            definition.func = failing = _failing(function, error)
            del error
            try:
                genuine(request)
            finally:
                definition.func = function
                definition._finalizers += finalizers
                del failing.__globals__["error"]

        replace(cls, _NAME, fill)

    @frames.not_shown
    def _resolve(self, asker: Any, argname: str) -> Any:
        """The definition of a fixture that nobody has asked for yet, once it is set up; `None` if that
        is for pytest.

        If it fails the error's arguments are the definition that has failed, what it has raised, and
        the finalizers that it had added by then.
        """
        above = asker
        while above.__class__ is _SubRequest:
            if above.fixturename == argname:
                return None  # it may ask for the one in whose place it is
            above = above._parent_request
        definitions = asker._arg2fixturedefs.get(argname)
        if not definitions:
            return None
        definition = definitions[-1]
        if definition._scope is not _OF_FUNCTION:
            return _set_up_before(asker, argname, definition)
        item = asker._pyfuncitem
        stack = self._session._setupstate.stack
        finalizers = definition._finalizers
        function = definition.func
        if self._plain.get(definition) is not function:
            if not _is_plain(definition):
                return None
            self._plain[definition] = function
        if (
            definition.cached_result is not None
            or finalizers
            or item not in stack
            or self._setup != self._known_setup
        ):
            return None
        callspec = getattr(item, "callspec", None)
        if callspec is not None and argname in callspec.params:
            if callspec._arg2scope[argname] is not _OF_FUNCTION:
                return None
            key = param = callspec.params[argname]
            if param is _NOTSET:
                return None  # that of an empty set of parameters, which has no value
            index = callspec.indices[argname]
        elif definition.params is None:
            key, param, index = None, _NOTSET, 0
        else:
            return None

        active = asker._fixture_defs
        found: list[Any] = []
        request = _asked_by(asker, item, param, index, definition)
        if function is _PARAMETER:
            error, result = None, param
        else:
            arguments: dict[str, Any] = {}
            for name in definition.argnames:
                if name == "request":
                    arguments[name] = request
                    continue
                one = active.get(name) or self._resolve(request, name)
                if one is None:
                    return None
                arguments[name] = one
                found.append(one)
            for one in found:
                if one.cached_result is None:
                    return None
                arguments[one.argname] = one.cached_result[0]
        finalizer = partial(definition.finish, request=request)
        for one in found:
            one._finalizers.append(finalizer)
        finalizers.append(partial(self._finalized, definition, request))
        if function is not _PARAMETER:
            error, result = self._call(request, function, arguments)
        if error is not None:
            for one in found:
                one._finalizers.remove(finalizer)
            own = finalizers[1:]
            finalizers.clear()
            raise _Failed(definition, error, own)
        definition.cached_result = (result, key, None)
        stack[item][0].append(finalizer)
        active[argname] = definition
        return definition

    @frames.not_shown
    def _call(
        self, request: Any, function: Any, arguments: dict[str, Any]
    ) -> tuple[BaseException | None, Any]:
        """What a fixture's function has raised, and what it has returned or yielded.

        It does not `keep_errors` for alarms: whoever sets up the item does.
        """
        site = self._site
        try:
            if not fixture_functions.is_generator(function):
                return None, site.call(function, arguments)
            site = self._of_generators
            generator = function(**arguments)
            result = site.call(generator, call_sites.NOTHING)
        except BaseException as raised:
            error = frames.below(raised)
            return error.with_traceback(site.below(error.__traceback__)), None
        if result is call_sites.NOTHING:
            return _YieldsNothing(), None
        request.addfinalizer(partial(_fixtures._teardown_yield_fixture, function, generator))
        return None, result

    @frames.not_shown
    def _finalized(self, definition: Any, request: Any) -> None:
        """The first finalizer of a fixture, which is the last to be called."""
        if self._finalizer != self._known_finalizer:
            hook = request.node.ihook
            hook.pytest_fixture_post_finalizer(fixturedef=definition, request=request)


def _asked_by(asker: Any, item: Any, param: Any, index: int, definition: Any) -> Any:
    """What `SubRequest.__init__` makes for a fixture of function scope."""
    request: Any = _new(_SubRequest)
    request.fixturename = definition.argname
    request._pyfuncitem = item
    request._arg2fixturedefs = asker._arg2fixturedefs
    request._fixture_defs = asker._fixture_defs
    request._parent_request = asker
    request._fixturedef = definition
    if param is not _NOTSET:
        request.param = param
    request.param_index = index
    request._scope_field = _OF_FUNCTION
    request._node = item
    return request


def _set_up_before(asker: Any, argname: str, definition: Any) -> Any:
    """A definition of a wider scope whose value is there, and still that of what it takes; `None` if
    pytest has to see to it. All that is found belongs to the item from then on, as by pytest."""
    askers = [argname]
    above = asker
    while above.__class__ is _SubRequest:
        askers.append(above.fixturename)
        above = above._parent_request
    callspec = getattr(asker._pyfuncitem, "callspec", None)
    parameters = () if callspec is None else callspec.params
    return _found(asker, argname, definition, askers, parameters)


def _found(
    asker: Any, argname: str, definition: Any, askers: list[str], parameters: Container[str]
) -> Any:
    """The same, for fixtures one of which has this name."""
    cached, scope = definition.cached_result, definition._scope
    if (
        definition.__class__ is not _fixtures.FixtureDef
        or cached is None
        or cached[1] is not None
        or cached[2] is not None
        or definition.params is not None
        or argname in parameters
        or scope is _OF_PACKAGE
    ):
        return None
    active = asker._fixture_defs
    for name in definition.argnames:
        if name == "request":
            continue
        if name in askers:
            return None  # it may ask for the one in whose place it is
        one = active.get(name)
        if one is None:
            definitions = asker._arg2fixturedefs.get(name)
            if not definitions:
                return None
            one = _found(asker, name, definitions[-1], [*askers, name], parameters)
        if one is None or (one._scope is not scope and one._scope < scope):
            return None
    active[argname] = definition
    return definition


def _is_plain(definition: Any) -> bool:
    """Whether a fixture is called as it is, for each test that takes it."""
    kind = definition.__class__
    return (
        definition._scope is _OF_FUNCTION
        and (kind is _fixtures.FixtureDef or kind is _OF_PARAMETERS)
        and fixture_functions.is_plain(definition.func)
    )


def _failing(function: Any, error: BaseException) -> Any:
    """A function that ends as another has done."""
    nothing = isinstance(error, _YieldsNothing)
    kind = fixture_functions.yields_nothing if nothing else fixture_functions.raising(function)
    return fixture_functions.in_place_of(function, kind, error)
