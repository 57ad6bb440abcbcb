"""Calls tests and fixtures from where pytest calls them.

A warning with a `stacklevel` is put down to whoever has called, which may be pytest: its file, line and
module stand in the warning then, and filters are asked about them. The nearest frames of pytest's and
of pluggy's are therefore stood for by others, which do no more than call the next one, but have the
same name, file, line and globals. Which those are is seen once, from calls of pytest's own functions.

Private names of pytest are touched here; `known_code` knows in which form they were read.
"""

from __future__ import annotations

import functools
import opcode
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import _pytest.fixtures
import _pytest.python
import _pytest.runner
import pluggy

from . import pytest_compat
from .pytest_names import Scope, runtestprotocol

_FUNCTION: Final = "function(**arguments)"
_FINALIZER: Final = "function()"
_GENERATOR: Final = "next(function, arguments)"
# What comes of a generator that ends where it should yield.
NOTHING: Final = object()


class CallSite:
    """`call(function, arguments)` calls with pytest's frames in between."""

    def __init__(self, places: Sequence[_Place], how: str) -> None:
        """`places` are from the innermost on, which calls in this way."""
        call: Any = None
        codes = set()
        for place in places:
            call = place.function(how, call)
            codes.add(call.__code__)
            how = "call(function, arguments)"
        self.call: Final[Callable[[Any, Any], Any]] = call
        self._codes: Final = frozenset(codes)

    def below(self, trace: types.TracebackType | None) -> types.TracebackType | None:
        """What of a traceback is below these frames."""
        while trace is not None and trace.tb_frame.f_code in self._codes:
            trace = trace.tb_next
        return trace


class _Place(NamedTuple):
    """What a frame shows of itself."""

    code: types.CodeType
    line: int
    namespace: dict[str, Any]

    def function(self, how: str, call: Callable[..., Any] | None) -> Any:
        """A function that has such a frame while it calls."""
        text = f"lambda call: lambda function, arguments: {how}"
        made = eval(compile(text, self.code.co_filename, "eval"), self.namespace)(call)
        changes: dict[str, Any] = {
            "co_name": self.code.co_name,
            # Of a function on a single line it is the line of the call, too.
            "co_firstlineno": self.line,
        }
        if sys.version_info >= (3, 11):
            changes["co_qualname"] = self.code.co_qualname
        made.__code__ = made.__code__.replace(**changes)
        return made


class _Sample:
    """What is called by pytest, to see from where."""

    def __init__(self) -> None:
        self.places: list[_Place] = []

    def function(self) -> None:
        self._look(sys._getframe(1))

    def generator(self) -> Any:
        self._look(sys._getframe(1))
        yield

    def _look(self, frame: types.FrameType | None) -> None:
        while frame is not None and frame.f_globals is not globals():
            self.places.append(_Place(frame.f_code, frame.f_lineno, frame.f_globals))
            frame = frame.f_back


class _Plugin:
    """What of pytest's own plugin calls tests."""

    pytest_pyfunc_call = staticmethod(_pytest.python.pytest_pyfunc_call)


@functools.cache
def of_tests() -> CallSite:
    """As `Function.runtest` has tests called, where nobody but pytest does."""
    return CallSite(_of_tests(), _FUNCTION)


@functools.cache
def of_fixtures() -> tuple[CallSite, CallSite]:
    """As fixtures are called, and as those that yield are resumed for the first time."""
    # Between a hook's call and pytest's implementation of it there is the same of pluggy.
    hook = [place for place in _of_tests() if place.namespace["__name__"].startswith("pluggy")]
    sites = []
    for kind, how in ("function", _FUNCTION), ("generator", _GENERATOR):
        sample = _Sample()
        definition = types.SimpleNamespace(
            argnames=(), func=getattr(sample, kind), cache_key=lambda _: None, _scope=Scope.Function
        )
        request = types.SimpleNamespace(instance=None, addfinalizer=lambda _: None)
        setup: Any = _pytest.fixtures.pytest_fixture_setup
        setup(definition, request)
        sites.append(CallSite([*sample.places, *hook], how))
    return sites[0], sites[1]


@functools.cache
def of_finalizers() -> CallSite:
    """As finalizers are called at the end of an item; arguments have no meaning."""
    sample = _Sample()
    state: Any = _pytest.runner.SetupState()
    item = types.SimpleNamespace(session=types.SimpleNamespace(_setupstate=state), nodeid="")
    state.stack[item.nodeid] = ([sample.function], None)
    teardown: Any = _pytest.runner.pytest_runtest_teardown
    before = os.environ.get(pytest_compat.CURRENT_TEST)
    try:
        teardown(item, None)
    finally:
        if before is not None:
            os.environ[pytest_compat.CURRENT_TEST] = before
    return CallSite(sample.places, _FINALIZER)


@functools.cache
def of_release() -> Callable[[Any], None]:
    """Takes the values of fixtures from an item, as the end of `runtestprotocol` does.

    What nobody else has goes then, and what warnings it gives are put down to that line.
    """
    protocol: Any = runtestprotocol
    code = protocol.__code__
    store = opcode.opmap["STORE_ATTR"], code.co_names.index("funcargs")
    text = code.co_code
    # Of several copies of a `finally` any will do.
    at = min(at for at in range(0, len(text), 2) if (text[at], text[at + 1]) == store)
    line = min(line for begin, end, line in code.co_lines() if begin <= at < end and line)
    place = _Place(code, line, protocol.__globals__)
    release = place.function("setattr(function, 'funcargs', arguments)", None)
    return functools.partial(release, arguments=None)


def _of_tests() -> list[_Place]:
    # Of its own: a session's plugins, and whoever traces its hooks, need not know.
    manager = pluggy.PluginManager("pytest")
    manager.register(_Plugin())
    sample = _Sample()
    item = types.SimpleNamespace(
        obj=sample.function,
        ihook=manager.hook,
        nodeid="",
        funcargs={},
        _fixtureinfo=types.SimpleNamespace(argnames=()),
    )
    runtest: Any = _pytest.python.Function.runtest
    runtest(item)
    return sample.places
