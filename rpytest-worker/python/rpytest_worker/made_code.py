"""Keeps the code that the standard library makes while pytest is imported.

A dataclass writes its methods as text, which is compiled when the class is made, in each process anew:
a seventh of what the import of pytest takes. The same text is the same code, so it is kept beside the
bytecode of our own modules.
"""

from __future__ import annotations

import builtins
import dataclasses
import importlib.util
import os
import sys
from types import CodeType
from typing import Any

from . import kept_code

# What would be more than several versions of pytest have: then it begins anew.
_MOST_BYTES = 2_000_000


class MadeCode:
    """While it is entered, the code of dataclasses comes from a file, and goes there."""

    def __init__(self, directory: str) -> None:
        python = f"{sys.implementation.cache_tag}-{importlib.util.MAGIC_NUMBER.hex()}"
        name = f"made.{python}.opt-{sys.flags.optimize}"
        self._place = os.path.join(directory, "__pycache__", name)
        self._codes: dict[str, CodeType] = {}
        self._has_grown = False

    def __enter__(self) -> None:
        # Nothing may be asked of `pytest_compat` before pytest is imported.
        is_genuine = os.environ.get("RPYTEST_GENUINE", "") not in ("", "0")
        if not is_genuine and "exec" not in vars(dataclasses):
            self._codes = _read(self._place)
            vars(dataclasses)["exec"] = self._exec

    def __exit__(self, *_: object) -> None:
        if vars(dataclasses).get("exec") == self._exec:
            del vars(dataclasses)["exec"]
        if self._has_grown:
            kept_code.write(self._place, self._codes)

    def _exec(self, text: Any, *scopes: Any) -> None:
        """Stands for `exec` in that module."""
        if type(text) is str:
            code = self._codes.get(text)
            if code is None:
                code = compile(text, "<string>", "exec", dont_inherit=True)
                self._codes[text] = code
                self._has_grown = True
            text = code
        builtins.exec(text, *scopes)


def _read(place: str) -> dict[str, CodeType]:
    try:
        with open(place, "rb") as file:
            data = file.read()
    except OSError:
        return {}  # there is none yet
    codes = kept_code.load(data) if len(data) < _MOST_BYTES else None
    return codes if isinstance(codes, dict) else {}
