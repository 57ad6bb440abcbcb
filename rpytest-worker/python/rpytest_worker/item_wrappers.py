"""Those who wrap `pytest_runtest_protocol`, driven as the plugin manager drives them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

import _pytest.assertion
import _pytest.warnings
import pytest

_Function = Callable[[pytest.Item], Generator[None, object, object]]
_OF_WARNINGS: Any = _pytest.warnings.pytest_runtest_protocol
_OF_ASSERTIONS: Any = _pytest.assertion.pytest_runtest_protocol

Begun = list[tuple[_Function, Generator[None, object, object]]]
"""Those that have been begun for an item, the outermost first."""


class ItemWrappers:
    """Of one session."""

    def __init__(self, implementations: list[Any]) -> None:
        functions = [one.function for one in implementations]
        # Those that are resumed, whatever has been raised within them.
        self._resumed = {one.function for one in implementations if one.hookwrapper}
        self.has_warnings = _OF_WARNINGS in functions
        self.has_assertions = _OF_ASSERTIONS in functions
        # Which there are but for those of warnings and of assertions, where either has something in
        # its place.
        self.others: dict[tuple[bool, bool], list[_Function]] = {
            (filtered, compared): [
                one
                for one in functions
                if not (filtered and one is _OF_WARNINGS)
                and not (compared and one is _OF_ASSERTIONS)
            ]
            for filtered in (False, True)
            for compared in (False, True)
        }

    @staticmethod
    def begin(item: pytest.Item, begun: Begun, functions: list[_Function]) -> None:
        """Begin some of them."""
        for function in functions:
            generator = function(item)
            next(generator)
            begun.append((function, generator))

    @staticmethod
    def end(begun: Begun) -> None:
        for _, generator in reversed(begun):
            with contextlib.suppress(StopIteration):
                generator.send(True)

    def throw(self, error: BaseException, begun: Begun) -> None:
        """Let them see what was raised within them."""
        for function, generator in reversed(begun):
            if function in self._resumed:
                with contextlib.suppress(StopIteration):
                    generator.send(None)
                continue
            try:
                generator.throw(error)
            except BaseException as other:
                if other is not error:
                    raise
