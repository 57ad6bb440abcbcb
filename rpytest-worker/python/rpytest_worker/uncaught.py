"""Exceptions that nobody catches, as pytest 8.0 to 8.3 catch them: while a phase lasts.

There each phase of an item is wrapped twice: what threads raise, and what cannot be raised, goes to
hooks of pytest's meanwhile, which keep the last of each, and it is warned of when the phase is over.
Here hooks of ours keep what comes. If something has, the phase has more to tell, and pytest's wrappers
are given all of it when they wrap what stands for the phase (`ItemReports.by_pytest`).

Later versions have hooks in force for a whole session, which fill a queue.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

# The plugins, and the hooks that they are about.
_HOOKS: Final = (
    ("unraisableexception", sys, "unraisablehook"),
    ("threadexception", threading, "excepthook"),
)


class Uncaught:
    """Of one session."""

    @classmethod
    def of(cls, wrapping: frozenset[str]) -> Uncaught | None:
        """`wrapping` are the modules of plugins that wrap phases; `None` if neither does."""
        hooks: list[tuple[Any, str]] = [
            (module, name) for plugin, module, name in _HOOKS if f"_pytest.{plugin}" in wrapping
        ]
        return cls(hooks) if hooks else None

    def __init__(self, hooks: list[tuple[Any, str]]) -> None:
        # Which hook has been called, and with what, in the order in which it came.
        self.queue: list[tuple[Any, str, Any]] = []
        self._hooks = [(module, name, self._hook(module, name)) for module, name in hooks]
        # What is in force outside of a phase.
        self._saved: list[Any] | None = None

    def _hook(self, module: Any, name: str) -> Callable[[Any], None]:
        def keep(arguments: Any) -> None:
            self.queue.append((module, name, arguments))

        return keep

    def begin(self) -> None:
        """A phase does."""
        if self._saved is None:
            self._saved = [getattr(module, name) for module, name, _ in self._hooks]
        for module, name, hook in self._hooks:
            setattr(module, name, hook)

    def end(self) -> None:
        """It is over, whatever it has done to the hooks."""
        saved, self._saved = self._saved, None
        if saved is not None:
            for (module, name, _), hook in zip(self._hooks, saved, strict=True):
                setattr(module, name, hook)

    def hand_on(self) -> None:
        """Give what has come to whose hooks are in force now."""
        while self.queue:
            module, name, arguments = self.queue.pop(0)
            getattr(module, name)(arguments)


def queue_keys(config: pytest.Config) -> list[Any]:
    """Where pytest keeps exceptions that nobody catches, of the plugins that are on."""
    keys = []
    for plugin, key in (
        ("threadexception", "thread_exceptions"),
        ("unraisableexception", "unraisable_exceptions"),
    ):
        module = config.pluginmanager.getplugin(plugin)
        if module is not None:
            keys.append(getattr(module, key))
    return keys
