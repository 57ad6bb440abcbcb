"""Measures what tests cost together, and would cost again in another process: the import of a file, and
fixtures that are wider than a test.

Both listen to hooks that pytest calls when something begins, and take its end for the beginning of what
comes next, so that no frame of ours is on the stack of what they measure.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

from .inventory import wire_nodeid


class SharedFixtures:
    """A plugin: of the setup of each item, what was spent on fixtures of wider scopes.

    A fixture's arguments are set up before it, not within it. One that asks for another in its body
    (`getfixturevalue`) is on the clock again when that has ended; where pytest sets it up that is not
    told, and what comes after counts for the other one until something else begins. Teardown is not
    measured: nothing tells when it begins.
    """

    def __init__(self) -> None:
        # What is being set up, the outermost first: a definition and its scope, or `None`.
        self._open: list[tuple[Any, str | None]] = []
        self._since = 0.0
        self._seconds: dict[str, float] = {}

    def begin(self, definition: Any, request: Any) -> None:
        """A fixture wider than a function is about to be set up."""
        now = perf_counter()
        if self._open:
            self._spend(now)
        node = request.node
        # Outside of a class one of a class's scope belongs to the function.
        scope = None if isinstance(node, pytest.Item) else wire_nodeid(node.nodeid)
        self._open.append((definition, scope))
        self._since = now

    def end(self, definition: Any) -> None:
        """It is set up, or has failed."""
        if self._open:
            self._spend(perf_counter())
        while self._open and self._open.pop()[0] is not definition:
            pass

    def settle(self) -> None:
        """Nothing is being set up any more."""
        if self._open:
            self._spend(perf_counter())
            self._open.clear()

    def take(self) -> dict[str, float] | None:
        """The seconds of each scope since this was asked last, if there are any."""
        if not self._seconds:
            return None
        seconds, self._seconds = self._seconds, {}
        return seconds

    def _spend(self, now: float) -> None:
        _, scope = self._open[-1]
        if scope is not None:
            self._seconds[scope] = self._seconds.get(scope, 0.0) + now - self._since
        self._since = now

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> None:
        if self._open:
            if self._open[-1][0] is fixturedef:
                return  # whoever has called the hook says when it ends
            self._spend(perf_counter())
            while self._open and self._open[-1][0].cached_result is not None:
                self._open.pop()
        if fixturedef.scope != "function":
            self.begin(fixturedef, request)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        if self._open and call.when == "setup":
            self.settle()


class Imports:
    """A plugin: what the collection of each file takes, most of which is the import of its module."""

    def __init__(self) -> None:
        self._file: str | None = None
        self._since = 0.0
        self._seconds: dict[str, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> None:
        self.settle()
        file = collector.getparent(pytest.File)  # type: ignore[type-abstract]
        self._file = None if file is None else wire_nodeid(file.nodeid)
        self._since = perf_counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self) -> None:
        self.settle()

    def settle(self) -> None:
        """No file is collected any more."""
        file, self._file = self._file, None
        if file is not None:
            spent = perf_counter() - self._since
            self._seconds[file] = self._seconds.get(file, 0.0) + spent

    def message(self) -> dict[str, Any]:
        return {"type": "imported", "files": list(self._seconds.items())}
