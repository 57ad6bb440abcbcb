"""Whether the end of the interpreter would be noticed, once its exit functions have run.

Taking apart the heap of a fork costs more than most runs do: each page of it is copied for that. What
could be noticed is that an object goes: one with a finaliser, a suspended generator, a file that has
something to write, the referent of a weak reference with a callback. Where none of these is left, and
no module is loaded that is not written in Python and did not come with it, the process may simply end.
"""

from __future__ import annotations

import gc
import importlib.machinery
import io
import os
import socket
import sys
import sysconfig
import types
import warnings
import weakref
from typing import Any

_HAS_GC = 1 << 14  # of `type.__flags__`
# Their finalisers close a descriptor, which the end of the process does as well.
_CLOSED_BY_THE_SYSTEM = frozenset({socket.socket, socket.SocketType})
_IN_MEMORY = (io.StringIO, io.BytesIO)
_FRAMES = {
    types.GeneratorType: ("gi_frame", "gi_running"),
    types.CoroutineType: ("cr_frame", "cr_running"),
    types.AsyncGeneratorType: ("ag_frame", "ag_running"),
}


class Ending:
    """What is there before the forks; none of them has to look at that again."""

    def __init__(self) -> None:
        paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
        self._library = tuple(os.path.realpath(path) + os.sep for path in paths)
        self._kinds: set[type] = set()
        # Modules that were looked at.
        self._modules: set[str] = set()
        # Open files and suspended generators, which may be none any more at the end.
        self._unfinished: list[Any] = []
        self._reason: str | None = None
        self.look()

    def look(self) -> None:
        """Before a freeze, at what has come since the last one."""
        self._reason = (
            self._reason or self._foreign_module() or self._look(gc.get_objects(), self._unfinished)
        )

    def noticed(self) -> str | None:
        """Why the heap has to be taken apart; `None` if it makes no difference."""
        if self._reason is not None:
            return self._reason
        unfinished = list(self._unfinished)
        return (
            _shown()
            or self._foreign_module()
            # Those that were frozen before the fork are not among them.
            or self._look(gc.get_objects(), unfinished)
            or next(filter(None, map(_pending, unfinished)), None)
        )

    def _look(self, objects: list[Any], unfinished: list[Any]) -> str | None:
        """Sets the unfinished apart."""
        self._kinds.update(map(type, objects))
        self._kinds.update(thing for thing in objects if isinstance(thing, type))
        special = set()
        for kind in self._kinds - _CLOSED_BY_THE_SYSTEM:
            if kind in _FRAMES or issubclass(kind, io.IOBase | weakref.ref):
                special.add(kind)
            elif getattr(kind, "__del__", None) is not None:
                if not kind.__flags__ & _HAS_GC:
                    # Its instances are nowhere to be found.
                    return f"{kind.__module__}.{kind.__qualname__} has a finaliser"
                special.add(kind)
        for thing in objects:
            kind = type(thing)
            if kind not in special:
                continue
            if kind in _FRAMES or isinstance(thing, io.IOBase):
                unfinished.append(thing)
            elif not isinstance(thing, weakref.ref):
                return f"{kind.__module__}.{kind.__qualname__} has a finaliser"
            elif thing.__callback__ is not None and not self._is_of_library(thing.__callback__):
                return f"a weak reference calls {thing.__callback__!r}"
        return None

    def _is_of_library(self, function: Any) -> bool:
        if isinstance(function, types.BuiltinFunctionType):
            # Of the caches of abstract base classes.
            return function.__name__ == "_destroy"
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        return isinstance(code, types.CodeType) and (
            code.co_filename.startswith("<frozen ") or self._came_with_python(code.co_filename)
        )

    def _came_with_python(self, path: str) -> bool:
        path = os.path.realpath(path)
        return path.startswith(self._library) and f"{os.sep}site-packages{os.sep}" not in path

    def _foreign_module(self) -> str | None:
        suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
        for name, module in list(sys.modules.items()):
            if name in self._modules:
                continue
            self._modules.add(name)
            path = getattr(module, "__file__", None)
            if (
                isinstance(path, str)
                and path.endswith(suffixes)
                and not self._came_with_python(path)
            ):
                return f"{name} is not written in Python"
        return None


def _shown() -> str | None:
    """Who would see the finalisers of what is harmless otherwise."""
    if gc.callbacks or gc.get_debug():
        return "garbage collections are watched"
    for action, message, category, module, _ in warnings.filters:
        if issubclass(ResourceWarning, category):
            if (action, message, module) == ("ignore", None, None):
                return None
            break
    return "resource warnings are shown"


def _pending(thing: Any) -> str | None:
    if isinstance(thing, io.IOBase):
        if isinstance(thing, _IN_MEMORY) or thing.closed:
            return None
        try:
            is_harmless = not thing.writable() or thing.fileno() <= 2
        except (OSError, ValueError):
            is_harmless = False
        return None if is_harmless else f"{thing!r} is open"
    frame, running = _FRAMES[type(thing)]
    is_suspended = getattr(thing, frame) is not None and not getattr(thing, running)
    return f"{thing!r} is suspended" if is_suspended else None
