"""Finds the hooks of a plugin that is a module, or an object of pytest's or ours, with fewer questions.

pluggy looks each attribute of a plugin up as `inspect.getattr_static` does, which has to be right for
classes with slots, descriptors and metaclasses as well. A session registers some fifty plugins, nearly
all of them modules, before its first test.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Final

import pluggy._manager

from . import known_code

# As pluggy 1.7 has it; other versions ask for attributes in another way.
KNOWN: Final = frozenset({"c30bb135"})

# Where nobody has slots, metaclasses, or attributes that are made when they are asked for.
_PLAIN: Final = ("_pytest.", "rpytest_worker.")


def install() -> None:
    """Take the place of pluggy's own function, if it is the one that was read."""
    if digest() in KNOWN:
        module: Any = pluggy._manager
        module._static_hook_attr = _static_hook_attr(module._static_hook_attr)


def digest() -> str:
    """Of that function, as `known_code` makes them; empty where there is none."""
    found = getattr(pluggy._manager, "_static_hook_attr", None)
    return known_code.of_code(found) if isinstance(found, types.FunctionType) else ""


def _static_hook_attr(genuine: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    """Stands for `_static_hook_attr`: a function, and what carries its marks."""

    def static_hook_attr(obj: object, name: str) -> Any:
        cls = type(obj)
        if cls is types.ModuleType:
            found = obj.__dict__.get(name)
            if type(found) is types.FunctionType:
                return found, found
        elif cls.__module__.startswith(_PLAIN) and name not in getattr(obj, "__dict__", (name,)):
            holder = next((base for base in cls.__mro__ if name in base.__dict__), None)
            found = None if holder is None else holder.__dict__[name]
            if type(found) is types.FunctionType:
                return found, types.MethodType(found, obj)
        return genuine(obj, name)

    return static_hook_attr
