"""`warnings.WarningMessage` objects as plain values, and back."""

from __future__ import annotations

import importlib
import marshal
import warnings
from typing import Any

# What a recorded warning carries beside message and category; varies between Python versions.
_DETAILS = [
    name
    for name in warnings.WarningMessage._WARNING_DETAILS  # type: ignore[attr-defined]
    if name not in ("message", "category")
]


def serialize(recorded: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `pytest_warning_recorded`, made plain."""
    warning = recorded["warning_message"]
    message = warning.message
    details = {}
    for name in _DETAILS:
        value = getattr(warning, name, None)
        details[name] = value if _is_plain(value) else repr(value)
    is_instance = isinstance(message, Warning)
    return {
        "text": str(message),
        "class": (type(message).__module__, type(message).__qualname__) if is_instance else None,
        "args": message.args if is_instance and _is_plain(message.args) else None,
        "category": (warning.category.__module__, warning.category.__qualname__)
        if warning.category
        else None,
        "details": details,
        "when": recorded["when"],
        "nodeid": recorded["nodeid"],
        "location": recorded["location"],
    }


def deserialize(data: dict[str, Any]) -> dict[str, Any]:
    """Arguments for `pytest_warning_recorded`."""
    category = _find_class(data["category"])
    message: Any = data["text"]
    kind = _find_class(data["class"])
    if kind is not None and data["args"] is not None:
        try:
            instance = kind(*data["args"])
            if str(instance) == data["text"]:
                message = instance
        except Exception:  # the user's class may ask for anything
            pass
    return {
        "warning_message": warnings.WarningMessage(
            message=message,
            # A class that this process cannot import still has a name to show.
            category=category or _named(data["category"]),  # type: ignore[arg-type]
            **data["details"],
        ),
        "when": data["when"],
        "nodeid": data["nodeid"],
        "location": data["location"],
    }


def _is_plain(value: Any) -> bool:
    try:
        marshal.dumps(value)
    except ValueError:
        return False
    return True


def _find_class(name: tuple[str, str] | None) -> type | None:
    if name is None:
        return None
    module = _module(name[0])
    found: Any = module
    for part in name[1].split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, Warning) else None


def _module(name: str) -> Any:
    import sys

    if name in sys.modules:
        return sys.modules[name]
    # Only what is certain to have no effect is imported for the sake of a class: a warning of the
    # user's own module is shown by name instead.
    if name.partition(".")[0] in ("_pytest", "pytest", "builtins"):
        return importlib.import_module(name)
    return None


def _named(name: tuple[str, str] | None) -> type[Warning] | None:
    if name is None:
        return None
    return type(name[1].rpartition(".")[2], (Warning,), {"__module__": name[0]})
