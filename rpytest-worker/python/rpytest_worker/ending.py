"""Whether the end of the interpreter would be noticed, once its exit functions have run.

Taking apart the heap of a fork costs more than most runs do: each page of it is copied for that. In a
process of its own it takes an eighth of the time of a session with thousands of tests. What could be
noticed is that an object goes: one with a finaliser, a suspended generator, a file that has
something to write, the referent of a weak reference with a callback. Where none of these is left, and
no module is loaded that is not written in Python and did not come with it, the process may simply end.
"""

from __future__ import annotations

import _socket
import contextlib
import gc
import importlib.machinery
import io
import itertools
import os
import sys
import types
import warnings
import weakref
from collections.abc import Container
from typing import Any


def _type_of_scandir() -> type:
    """It has no name; since Python 3.13 the garbage collector knows it, but not its instances."""
    with os.scandir(os.sep) as entries:
        return type(entries)


_HAS_GC = 1 << 14  # of `type.__flags__`
# Their finalisers close a descriptor, which the end of the process does as well.
_CLOSED_BY_THE_SYSTEM = frozenset({_socket.socket, _type_of_scandir()})
# What the interpreter itself has called: for abstract base classes, and for `threading.local`.
_OF_THE_INTERPRETER = frozenset({"_destroy", "clear_locals"})
# Of all files.
_FILE: type = io.FileIO.__mro__[-2]
_IN_MEMORY = (io.StringIO, io.BytesIO)
_FRAMES = {
    types.GeneratorType: ("gi_frame", "gi_running"),
    types.CoroutineType: ("cr_frame", "cr_running"),
    types.AsyncGeneratorType: ("ag_frame", "ag_running"),
}
# What has to be looked at one by one: classes, weak references, and what may be unfinished.
_CHOSEN = frozenset({type, weakref.ref, _FILE, *_FRAMES})
# Their objects close what they have open when they go, by no finaliser that could be found.
_CLOSES = frozenset({"_dbm", "_gdbm", *(["_sqlite3"] if sys.version_info < (3, 12) else [])})
# Libraries of which nothing is known in here.
_PRELOADED = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES")


# Packages that are there at the start, besides those that come with Python: pytest and what it needs,
# ours, and what environments import by themselves.
_OF_THE_START = frozenset(
    {
        *("_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments", "colorama", "py"),
        *("exceptiongroup", "tomli", "typing_extensions", "rpytest_worker", "__main__"),
        *("_virtualenv", "_distutils_hack", "editables"),
    }
)
_OF_EDITABLE_INSTALLS = ("__editable__", "_editable_impl_")


class Start:
    """What is there when a host has imported what it does, before it takes that out of the collector's
    sight. None of its forks has to look at it again, and have each page of it copied for that.

    Where nothing was imported but what is known, nothing of it would be noticed: a test looks at all
    there is, for each version.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.kinds: set[type] = set()
        streams = sys.__stdin__, sys.__stdout__, sys.__stderr__
        self.unfinished: list[Any] = [layer for stream in streams for layer in layers(stream)]

    def look(self) -> None:
        """At all there is, unless it is known."""
        if all(map(_is_of_the_start, list(sys.modules))):
            return
        found = Ending(before=False)
        try:
            found.look()
        except Exception as error:  # somebody's objects may answer with anything
            self.reason = _cannot_be_told(error)
        else:
            self.reason, self.kinds, self.unfinished = found.looked_at


def _is_of_the_start(name: str) -> bool:
    package = name.partition(".")[0]
    return (
        package in sys.stdlib_module_names
        or package in _OF_THE_START
        or package.startswith(_OF_EDITABLE_INSTALLS)
    )


def layers(stream: Any) -> list[Any]:
    """A file of text, of bytes, and of the system's, as far as they are there."""
    found: list[Any] = []
    with contextlib.suppress(Exception):  # it may be anything that somebody has put there
        while stream is not None and len(found) < 3:
            found.append(stream)
            stream = getattr(stream, "buffer", None) or getattr(stream, "raw", None)
    return found


class Ending:
    """What is there before the forks; none of them has to look at that again.

    In a process that is not going to be forked nothing is looked at `before` the end.
    """

    def __init__(self, before: bool = True) -> None:
        # As `sysconfig` has it, of which the import alone takes longer than the whole look.
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        platform = os.path.join(sys.base_exec_prefix, sys.platlibdir, version)
        paths = {os.path.dirname(os.__file__), platform}
        self._real: dict[str, str] = {}
        self._library = tuple(os.path.join(os.path.realpath(path), "") for path in paths)
        self._kinds: set[type] = set(START.kinds)
        # Modules that were looked at.
        self._modules: set[str] = set()
        # Open files and suspended generators, which may be none any more at the end.
        self._unfinished: list[Any] = list(START.unfinished)
        self._reason: str | None = START.reason
        if before:
            self.look()

    def look(self) -> None:
        """Before a freeze, at what has come since the last one."""
        self._reason = (
            self._reason or self._foreign_module() or self._look(gc.get_objects(), self._unfinished)
        )

    @property
    def looked_at(self) -> tuple[str | None, set[type], list[Any]]:
        """Why it would be noticed, what kinds there are, and what is unfinished."""
        return self._reason, self._kinds, self._unfinished

    def is_noticed_by_nobody(self, used: Container[Any]) -> bool:
        """Whether nobody would notice if anything went that is there now, but for what is in use.

        Then `noticed` need not look at it again.
        """
        try:
            self._reason = (
                self._reason
                or _shown()
                or self._foreign_module()
                # What was frozen before the fork is not among them.
                or self._look(gc.get_objects(), self._unfinished)
            )
            return self._reason is None and not any(
                _pending(thing) for thing in self._unfinished if thing not in used
            )
        except Exception as error:
            self._reason = _cannot_be_told(error)
            return False

    def noticed(self) -> str | None:
        """Why the heap has to be taken apart; `None` if it makes no difference."""
        try:
            return self._noticed()
        except Exception as error:  # the user's objects may answer with anything
            return _cannot_be_told(error)

    def _noticed(self) -> str | None:
        if self._reason is not None:
            return self._reason
        unfinished = list(self._unfinished)
        return (
            _shown()
            or self._foreign_module()
            # Those that were frozen are not among them.
            or self._look(gc.get_objects(), unfinished)
            or next(filter(None, map(_pending, unfinished)), None)
        )

    def _look(self, objects: list[Any], unfinished: list[Any]) -> str | None:
        """Sets the unfinished apart."""
        # There are tens of thousands, so that no loop of Python's goes over all of them.
        kinds = list(map(type, objects))
        present = set(kinds)
        library = getattr(sys.modules.get("ctypes"), "CDLL", type)
        one_by_one = _CHOSEN | {library}
        chosen = {kind for kind in present if not one_by_one.isdisjoint(kind.__mro__)}
        self._kinds |= present
        if not present.isdisjoint(weakref.ProxyTypes):
            return "a weak proxy may have a callback"
        references = []
        for thing in itertools.compress(objects, map(chosen.__contains__, kinds)):
            # `isinstance` would ask the classes that are derived of an abstract one.
            bases = type(thing).__mro__
            if type in bases:
                self._kinds.add(thing)
            elif weakref.ref in bases:
                references.append(thing)
            elif library in bases:
                if thing._name is not None:
                    return "a library that is not Python's is loaded"
            else:
                unfinished.append(thing)
        # That of the module `socket`, which a plugin may have replaced there.
        of_sockets = _socket.socket.__subclasses__()
        sockets = (kind for kind in of_sockets if kind.__module__ == "socket")
        for kind in self._kinds - _CLOSED_BY_THE_SYSTEM.union(sockets):
            finaliser = getattr(kind, "__del__", None)
            # Those that are looked at have finalisers of the interpreter's.
            is_known = kind in chosen and isinstance(finaliser, types.WrapperDescriptorType)
            if finaliser is None or is_known:
                continue
            # Without the flag its instances are nowhere to be found.
            if kind in present or not kind.__flags__ & _HAS_GC:
                return f"{_name(kind)} has a finaliser"
        for reference in references:
            callback = reference.__callback__
            if callback is not None and not self._is_of_library(callback):
                return f"a weak reference has a callback, a {_name(type(callback))}"
        return None

    def _is_of_library(self, function: Any) -> bool:
        if isinstance(function, types.BuiltinFunctionType):
            return function.__name__ in _OF_THE_INTERPRETER
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        return isinstance(code, types.CodeType) and (
            code.co_filename.startswith("<frozen ") or self._came_with_python(code.co_filename)
        )

    def _came_with_python(self, path: str) -> bool:
        directory = os.path.dirname(path)
        real = self._real.get(directory)
        if real is None:
            real = self._real[directory] = os.path.realpath(directory)
        parts = os.path.join(real, "")
        return parts.startswith(self._library) and f"{os.sep}site-packages{os.sep}" not in parts

    def _foreign_module(self) -> str | None:
        suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
        for name, module in list(sys.modules.items()):
            if name in self._modules:
                continue
            self._modules.add(name)
            if name in _CLOSES:
                return f"{name} may have something open"
            path = getattr(module, "__file__", None)
            if (
                isinstance(path, str)
                and path.endswith(suffixes)
                and not self._came_with_python(path)
            ):
                return f"{name} is not written in Python"
        return None


def _cannot_be_told(error: Exception) -> str:
    return f"it cannot be told, for {_name(type(error))}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _shown() -> str | None:
    """Who would see the finalisers of what is harmless otherwise."""
    if any(map(os.environ.get, _PRELOADED)):
        return "libraries are preloaded"
    if gc.callbacks or gc.get_debug():
        return "garbage collections are watched"
    for action, message, category, module, _ in warnings.filters:
        if issubclass(ResourceWarning, category):
            if (action, message, module) == ("ignore", None, None):
                return None
            break
    return "resource warnings are shown"


def _pending(thing: Any) -> str | None:
    if _FILE in type(thing).__mro__:
        if type(thing) in _IN_MEMORY or thing.closed or not thing.writable():
            return None
        if getattr(thing, "name", None) == os.devnull:
            return None
        if thing.fileno() > 2:
            return f"a {_name(type(thing))} is open"
        # The exit functions have flushed the standard ones, if that was possible. Of others for the
        # same output, such as that in whose place a test has put its own, nobody knows what comes
        # first.
        streams = sys.stdout, sys.stderr
        standard = [*streams, *(getattr(stream, "buffer", None) for stream in streams)]
        if any(thing is one for one in standard):
            thing.flush()
            return None
        if type(thing) is not io.FileIO:
            return "there is another standard output"
        return None
    frame, running = _FRAMES[type(thing)]
    is_suspended = getattr(thing, frame) is not None and not getattr(thing, running)
    return f"a {_name(type(thing))} is suspended" if is_suspended else None


START = Start()
