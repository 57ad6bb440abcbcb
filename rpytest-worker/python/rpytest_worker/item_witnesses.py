"""Those who wrap the making of reports to keep something of each, and change none.

A phase that passes goes without that hook. Whoever sees a report of an item has to have seen those
before it, though: pytest-rerunfailures begins with that of the setup. So there are stand-ins for such
wrappers, which first show them what has passed.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pluggy
import pytest

from .uneventful import Uneventful


class ItemWitnesses:
    """Of one session; in force from `begin` to `end`."""

    def __init__(
        self, implementations: Sequence[Any], running: Callable[[], Uneventful | None]
    ) -> None:
        """`running` is the item that runs, with what has passed of it without reports."""
        self._implementations = implementations
        self._running = running
        self._undo = contextlib.ExitStack()

    def begin(self) -> str | None:
        """Take their place; nothing of them is not known."""
        for implementation in self._implementations:
            genuine = implementation.function
            self._undo.callback(setattr, implementation, "function", genuine)
            implementation.function = self._after_others(implementation)
        return None

    def end(self) -> None:
        self._undo.close()

    def _after_others(self, implementation: Any) -> Callable[..., Any]:
        genuine = implementation.function
        # The last item of which something was shown.
        last: Uneventful | None = None

        @functools.wraps(genuine)
        def wrapper(item: Any, call: Any) -> Generator[Any, Any, Any]:
            nonlocal last
            run = self._running()
            if run is not None and run.item is item and run is not last:
                last = run
                for report in run.reports_so_far():
                    _show(implementation, begin(item, _call_of(report)), report)
            return (yield from begin(item, call))

        def begin(item: Any, call: Any) -> Any:
            known = {"item": item, "call": call}
            return genuine(*[known[name] for name in implementation.argnames])

        return wrapper


def _show(implementation: Any, begun: Any, report: Any) -> None:
    """What the plugin manager does with a report that has been made."""
    next(begun)
    with contextlib.suppress(StopIteration):
        begun.send(pluggy.Result(report, None) if implementation.hookwrapper else report)


def _call_of(report: Any) -> pytest.CallInfo[None]:
    """That of a phase which has passed."""
    return pytest.CallInfo(
        None,
        None,
        start=report.start,
        stop=report.stop,
        duration=report.duration,
        when=report.when,
        _ispytest=True,
    )
