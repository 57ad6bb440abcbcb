"""Fixtures that stay up between sessions.

pytest makes new definitions of all fixtures in each session, from the same functions as long as their
modules stay. What a definition has of its own is its value and its finalizers. Both are taken away
from it for as long as pytest tears down the nodes that it belongs to, and given to the definition of
the same function in the next session. The names of pytest's that are used here are private, and are
the same in 8.0 to 9.2.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import time
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import audit, touches
from .pytest_capture import CaptureStreams
from .surroundings import fixture_definitions

_SCOPES = ("session", "package")
# Fixtures of pytest's own that a fixture which stays up may have asked for: what they give is about the
# run that it was set up in, and nothing else.
_HARMLESS = frozenset(
    {"request", "pytestconfig", "tmp_path_factory", "tmpdir_factory", "worker_id"}
)


class WarmFixture:
    """One that is up."""

    def __init__(self, definition: Any, since: float) -> None:
        self.name = str(definition.argname)
        self.scope = str(definition.scope)
        self.function: types.FunctionType = definition.func
        self.baseid = definition.baseid
        self.place = touches.absolute(self.function.__code__.co_filename)
        self.since = since
        self._definition = definition
        self._result: Any = definition.cached_result
        self._finalizers: list[Callable[[], object]] = []
        # Of the session that it was set up in, once that is over.
        self.streams: CaptureStreams | None = None

    def is_of(self, definition: Any) -> bool:
        return (
            definition.func is self.function
            and definition.baseid == self.baseid
            and definition.scope == self.scope
        )

    def move_to(self, definition: Any) -> None:
        """Be the value of a definition in a new session."""
        self._definition = definition
        definition.cached_result = self._result
        definition._finalizers[:] = self._finalizers

    def is_up(self) -> bool:
        return self._definition.cached_result is self._result

    def take(self) -> None:
        """Let the session that is over have no part in it any more."""
        self._finalizers = [
            finalizer for finalizer in self._definition._finalizers if not _is_pytests(finalizer)
        ]

    def tear_down(self) -> str | None:
        """What went wrong with it, if something did."""
        failure = None
        while self._finalizers:
            try:
                self._finalizers.pop()()
            except BaseException as error:
                what = "".join(traceback.format_exception_only(error)).strip()
                where = traceback.extract_tb(error.__traceback__)
                own = [frame for frame in where if frame.filename == self.place]
                line = f":{own[-1].lineno}" if own else ""
                failure = f"fixture {self.name!r} ({self.place}{line}): {what}"
        return failure


def _is_pytests(finalizer: Any) -> bool:
    """Whether it is about the session, and not of the fixture's own."""
    function = getattr(finalizer, "func", finalizer)
    if getattr(function, "__module__", None) != "_pytest.fixtures":
        return False
    return getattr(function, "__name__", "") != "_teardown_yield_fixture"


class Tending:
    """Over one session, from its collection on: hands over what is up, and keeps what it sets up."""

    def __init__(self, warm: list[WarmFixture], reads: Reads) -> None:
        # In the order in which they were set up.
        self.warm = warm
        self._reads = reads
        self._eligible: list[Any] = []

    def begin(
        self, session: pytest.Session, may_stay: Callable[[types.FunctionType], bool]
    ) -> None:
        self._eligible = _eligible(fixture_definitions(session), may_stay)
        for one in self.warm:
            for definition in self._eligible:
                if one.is_of(definition):
                    one.move_to(definition)
                    break
        for definition in self._eligible:
            definition.execute = functools.partial(self._execute, definition, definition.execute)
        state = session._setupstate
        genuine = state.teardown_exact

        def teardown_exact(nextitem: pytest.Item | None) -> None:
            needed = set() if nextitem is None else set(nextitem.listchain())
            wide = [node for node in state.stack if isinstance(node, _WIDE)]
            if needed.issuperset(wide):
                genuine(nextitem)
                return
            with self._out_of_reach():
                genuine(nextitem)

        state.teardown_exact = teardown_exact  # type: ignore[method-assign]

    def _execute(self, definition: Any, genuine: Callable[..., Any], request: Any) -> Any:
        before = definition.cached_result
        if before is not None and not _is_hit(definition, request):
            # The finalizers by which pytest would see to it are of another session.
            self._finish_what_needs(definition, request)
        with self._reads.on_behalf_of(definition.func):
            value = genuine(request=request)
        if definition.cached_result is not before:
            self.warm = [one for one in self.warm if not one.is_of(definition)]
            self.warm.append(WarmFixture(definition, time.time()))
        return value

    def _finish_what_needs(self, definition: Any, request: Any) -> None:
        for other in reversed([one._definition for one in self.warm]):
            if definition.argname in other.argnames and other is not definition:
                self._finish_what_needs(other, request)
                if other.cached_result is not None:
                    other.finish(request)

    @contextlib.contextmanager
    def _out_of_reach(self) -> Iterator[None]:
        """Within it, pytest finds nothing to tear down."""
        held = []
        for definition in self._eligible:
            result = definition.cached_result
            # One that failed is tried again in the next session.
            if result is not None and result[2] is None:
                held.append((definition, result, definition._finalizers[:]))
                definition.cached_result = None
                definition._finalizers.clear()
        try:
            yield
        finally:
            for definition, result, finalizers in held:
                definition.cached_result = result
                definition._finalizers[:] = finalizers

    def before_end(self, config: pytest.Config) -> None:
        """While the session still captures."""
        new = [one for one in self.warm if one.streams is None and one.is_up()]
        if new:
            streams = CaptureStreams(config)
            streams.keep_open()
            for one in new:
                one.streams = streams

    def end(self) -> list[WarmFixture]:
        """What is up when the session is over."""
        for definition in self._eligible:
            # A cycle by which the session would stay for long.
            vars(definition).pop("execute", None)
        self.warm = [one for one in self.warm if one.is_up()]
        for one in self.warm:
            one.take()
        return self.warm


_WIDE = (pytest.Session, pytest.Package)


def _is_hit(definition: Any, request: Any) -> bool:
    key, cached = definition.cache_key(request), definition.cached_result[1]
    try:
        return key is cached or bool(key == cached)
    except (ValueError, RuntimeError):
        return False


def _eligible(definitions: list[Any], may_stay: Callable[[types.FunctionType], bool]) -> list[Any]:
    """The wide fixtures that may stay, and that need no others."""
    by_name: dict[str, list[Any]] = {}
    for definition in definitions:
        by_name.setdefault(definition.argname, []).append(definition)
    found = [
        definition
        for definition in definitions
        if definition.scope in _SCOPES
        and isinstance(definition.func, types.FunctionType)
        and not inspect.iscoroutinefunction(definition.func)
        and not inspect.isasyncgenfunction(definition.func)
        # Whatever it asks for by that is not known.
        and "getfixturevalue" not in _names(definition.func.__code__)
        and may_stay(definition.func)
    ]
    while True:
        known = set(map(id, found))
        rest = [
            definition
            for definition in found
            if all(
                name in _HARMLESS
                or all(
                    id(other) in known for other in by_name.get(name, ()) if other is not definition
                )
                for name in definition.argnames
            )
        ]
        if len(rest) == len(found):
            return found
        found = rest


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


class Reads:
    """Which files of the project are read, and directories listed, on behalf of a source file or of a
    fixture."""

    def __init__(self) -> None:
        self._foreign = touches.environment_directories()
        self._fixtures: list[Any] = []
        self._by: dict[Any, set[tuple[str, str]]] = {}
        self._written: set[str] = set()
        # What was not there when it was last read.
        self.missing: set[str] = set()
        # Whether what a source file does counts: while the tests are collected, and not while they run.
        self.of_sources = False

    @contextlib.contextmanager
    def on_behalf_of(self, function: Any) -> Iterator[None]:
        self._fixtures.append(function)
        try:
            yield
        finally:
            self._fixtures.pop()

    def of(self, who: Any) -> set[tuple[str, str]]:
        """What a function or a source file has read: a file or a directory, and which."""
        return {(kind, path) for kind, path in self._by.get(who, ()) if path not in self._written}

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("open", "os.listdir", "os.scandir"):
            return
        kind = "file"
        path: Any = args[0] if args else None
        if event != "open":
            if audit.is_of_import_system():
                return  # the import system's
            kind, path = "directory", "." if path is None else path
        if isinstance(path, int):
            return
        path = touches.absolute(path)
        if event == "open":
            flags = args[2]
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self._written.add(path)
                return
        who: Any = self._fixtures[-1] if self._fixtures else None
        if who is None and not self.of_sources:
            return
        if path.startswith((*self._foreign, "/proc/", "/dev/", "/sys/")) or "__pycache__" in path:
            return
        if who is None:
            who = touches.innermost(self._foreign)
        if who is not None and who != path:
            self._by.setdefault(who, set()).add((kind, path))
            if touches.is_there(path):
                self.missing.discard(path)
            else:
                self.missing.add(path)
