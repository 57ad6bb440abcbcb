"""The filters for warnings that pytest puts in force for an item, without making them anew for each.

pytest enters `warnings.catch_warnings` and adds the configured filters one by one. What comes of that
depends on the filters that were in force before, and on marks. So it is done once by pytest itself, and
what came of it is put in force for each item before which the filters are the same.
"""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace
from typing import Any

import _pytest.warnings
import pytest


class ItemWarnings:
    """Entered before an item without a mark `filterwarnings`, and left after it."""

    @classmethod
    def of(cls, config: pytest.Config) -> ItemWarnings | None:
        """`None` where it is not known what `catch_warnings` does."""
        if sys.version_info >= (3, 14) or sys.implementation.name != "cpython":
            return None  # filters may belong to a context since 3.14
        module: Any = warnings
        names = ("_filters_mutated", "_showwarnmsg_impl", "_showwarning_orig")
        if not all(hasattr(module, name) for name in names):
            return None
        before = list(warnings.filters)
        shown: list[Any] = []
        recorded = SimpleNamespace(call_historic=lambda kwargs: shown.append(kwargs))
        hook: Any = SimpleNamespace(pytest_warning_recorded=recorded)
        with _pytest.warnings.catch_warnings_for_item(config, hook, "runtest", None):
            inside = list(warnings.filters)
        # A filter that is warned of is warned of with each item.
        return None if shown else cls(before, inside)

    def __init__(self, before: list[Any], inside: list[Any]) -> None:
        self._module: Any = warnings
        self._mutated = self._module._filters_mutated
        self._before = before
        self._inside = inside
        self._saved: tuple[Any, Any, Any] = (None, None, None)
        self._log: list[Any] = []

    def enter(self) -> bool:
        """Put them in force; `False` if it is not known what pytest would."""
        module = self._module
        filters = module.filters
        if filters != self._before:
            return False
        self._saved = filters, module.showwarning, module._showwarnmsg_impl
        module.filters = self._inside[:]
        self._mutated()
        self._log = []
        module._showwarnmsg_impl = self._log.append
        module.showwarning = module._showwarning_orig
        return True

    def leave(self) -> list[Any]:
        """Returns the warnings that were shown meanwhile."""
        module = self._module
        module.filters, module.showwarning, module._showwarnmsg_impl = self._saved
        self._mutated()
        return self._log
