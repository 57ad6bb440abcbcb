"""Calls the functions of tests, from where pytest calls them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

import pytest

from . import call_sites, frames, pytest_compat, timeouts

# The variables of this process, if they are kept as CPython keeps them on Unix.
_DATA: Final[dict[bytes, bytes]] = getattr(os.environ, "_data", {})
_ENVIRON: Final = os.environ if os.name == "posix" and os.environb._data is _DATA else None  # type: ignore[attr-defined]
_ENCODING: Final = sys.getfilesystemencoding()
_NAME: Final = os.fsencode(pytest_compat.CURRENT_TEST)
_putenv: Final = os.putenv


class ItemCalls:
    """Of one session."""

    def __init__(
        self,
        before: Sequence[Callable[[pytest.Item], Generator[None, object, object]]],
        limits: timeouts.Timeouts | None,
    ) -> None:
        """`before` wrap calls, and do nothing for the functions here but what they do first."""
        self._before = before
        self._limits = limits
        self._site = call_sites.of_tests()
        # The limit of the item that runs, and whether it is of its call alone.
        self.limit: timeouts.Settings | None = None
        self.are_timed = False
        # Whether the variable that names the current test is left over.
        self._is_named = False

    def limit_to(self, limit: timeouts.Settings | None) -> None:
        """Of the item that is about to run."""
        self.limit = limit
        self.are_timed = limit is not None and limit.func_only

    def name(self, nodeid: str, when: str) -> None:
        """Let everybody know which phase of which item runs."""
        value = f"{nodeid} ({when})".replace("\x00", "(null)")
        self._is_named = True
        if os.environ is _ENVIRON:
            # What becomes of an assignment, of which there are three for each item.
            data = value.encode(_ENCODING, "surrogateescape")
            _putenv(_NAME, data)
            _DATA[_NAME] = data
        else:
            os.environ[pytest_compat.CURRENT_TEST] = value

    def forget_name(self) -> None:
        if self._is_named:
            self._is_named = False
            os.environ.pop(pytest_compat.CURRENT_TEST, None)

    def is_named_by_pytest(self) -> None:
        """pytest runs a phase: it gives it a name, and takes that away unless the teardown fails."""
        self._is_named = False

    def begin(self) -> None:
        """A call begins that is not made here."""
        if self.are_timed and self._limits is not None:
            self._limits.begin_call()

    def end(self) -> None:
        if self.are_timed and self._limits is not None:
            self._limits.end_call()

    def begin_teardown(self) -> None:
        if self.limit is not None and self._limits is not None:
            self._limits.begin_teardown()

    def prepare(self, item: Any) -> None:
        for wrapper in self._before:
            generator = wrapper(item)
            next(generator)
            generator.close()

    @frames.keep_errors
    def invoke(
        self, item: Any, nodeid: str, function: Any, arguments: dict[str, Any]
    ) -> tuple[BaseException | None, object]:
        """What a test's function has raised, and what it has returned."""
        error = returned = None
        if self._before:
            self.prepare(item)
        self.name(nodeid, "call")
        if "last_type" in sys.__dict__:
            _forget_last_error()
        if self.are_timed:
            self.begin()
        try:
            returned = self._site.call(function, arguments)
        except BaseException as raised:
            error = frames.below(raised)
            error = error.with_traceback(self._site.below(error.__traceback__))
        if self.are_timed:
            self.end()
        return error, returned


def _forget_last_error() -> None:
    """As `pytest_runtest_call` begins."""
    try:
        del sys.last_type
        del sys.last_value
        del sys.last_traceback
        if sys.version_info >= (3, 12) and pytest_compat.KEEPS_LAST_EXCEPTION:
            del sys.last_exc
    except AttributeError:
        pass
