"""Whether the end of the interpreter would be noticed, once its exit functions have run.

Taking apart the heap of a fork costs more than most runs do: each page of it is copied for that. In a
process of its own it takes an eighth of the time of a session with thousands of tests. What could be
noticed is that an object goes: one with a finaliser, a suspended generator, a file that has
something to write, the referent of a weak reference with a callback; and whatever is still open, where
somebody is warned of that. Where none of these is left, and no module is loaded that is not written in
Python, did not come with it and has not been read (`known_endings`), the process may simply end.
"""

from __future__ import annotations

import _socket
import copy
import gc
import importlib.machinery
import itertools
import os
import sys
import types
import warnings
import weakref
from collections.abc import Container
from typing import Any

from . import audit, known_endings, unfinished
from .unfinished import layers, pending


def _type_of_scandir() -> type:
    """It has no name; since Python 3.13 the garbage collector knows it, but not its instances."""
    with os.scandir(os.sep) as entries:
        return type(entries)


_HAS_GC = 1 << 14  # of `type.__flags__`
# Their finalisers close a descriptor, which the end of the process does as well. They warn of it, too.
_SCANDIR = _type_of_scandir()
_CLOSED_BY_THE_SYSTEM = frozenset({_socket.socket, _SCANDIR})
# What the interpreter itself has called: for abstract base classes, and for `threading.local`.
_OF_THE_INTERPRETER = frozenset({"_destroy", "clear_locals"})
# What has to be looked at one by one: classes, weak references, and what may be unfinished.
_CHOSEN = frozenset(
    {type, weakref.ref, unfinished.FILE, _socket.socket, *weakref.ProxyTypes, *unfinished.FRAMES}
)
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
        self.may_warn = False
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
            self.reason, self.may_warn, self.kinds, self.unfinished = found.looked_at


def _is_of_the_start(name: str) -> bool:
    package = name.partition(".")[0]
    return (
        package in sys.stdlib_module_names
        or package in _OF_THE_START
        or package.startswith(_OF_EDITABLE_INSTALLS)
    )


class Ending:
    """What is there before the forks; none of them has to look at that again.

    In a process that is not going to be forked nothing is looked at `before` the end.
    """

    def __init__(self, before: bool = True) -> None:
        self._kinds: set[type] = set(START.kinds)
        # Modules that were looked at.
        self._modules: set[str] = set()
        # Open files and suspended generators, which may be none any more at the end.
        self._unfinished: list[Any] = list(START.unfinished)
        self._reason: str | None = START.reason
        # Whether something that nobody can look at again is open, and would say so.
        self._may_warn = START.may_warn
        if before:
            self.look()

    def look(self) -> None:
        """Before a freeze, at what has come since the last one."""
        objects = audit.objects_in_sight()
        self._reason = (
            self._reason or self._foreign_module() or self._look(objects, self._unfinished, False)
        )
        if self._reason is None and not self._may_warn:
            self._may_warn = _held(objects, {_SCANDIR}, True) is not None

    def copy(self) -> Ending:
        """To look on from here more than once."""
        found = copy.copy(self)
        found._kinds, found._modules = set(self._kinds), set(self._modules)
        found._unfinished = list(self._unfinished)
        return found

    @property
    def looked_at(self) -> tuple[str | None, bool, set[type], list[Any]]:
        """Why it would be noticed, whether it may warn, what kinds there are, what is unfinished."""
        return self._reason, self._may_warn, self._kinds, self._unfinished

    def is_noticed_by_nobody(self, used: Container[Any]) -> bool:
        """Whether nobody would notice if anything went that is there now, but for what is in use.

        Then `noticed` need not look at it again.
        """
        try:
            warns = _warns_of_resources()
            self._reason = (
                self._reason
                or self._shown(warns)
                or self._foreign_module()
                # What was frozen before the fork is not among them.
                or self._look(audit.objects_in_sight(), self._unfinished, warns)
            )
            return self._reason is None and not any(
                pending(thing, warns) for thing in self._unfinished if thing not in used
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
        warns = _warns_of_resources()
        things = list(self._unfinished)
        return (
            self._shown(warns)
            or self._foreign_module()
            # Those that were frozen are not among them.
            or self._look(audit.objects_in_sight(), things, warns)
            or next(filter(None, (pending(thing, warns) for thing in things)), None)
        )

    def _shown(self, warns: bool) -> str | None:
        """Who would see what is harmless otherwise."""
        if any(map(os.environ.get, _PRELOADED)):
            return "libraries are preloaded"
        if gc.get_debug() or not all(map(known_endings.is_known_function, gc.callbacks)):
            return "garbage collections are watched"
        if warns and self._may_warn:
            return "resource warnings are shown"
        return None

    def _look(self, objects: list[Any], unfinished: list[Any], warns: bool) -> str | None:
        """Sets the unfinished apart."""
        # There are tens of thousands, so that no loop of Python's goes over all of them.
        kinds = list(map(type, objects))
        present = set(kinds)
        library = getattr(sys.modules.get("ctypes"), "CDLL", type)
        one_by_one = _CHOSEN | {library}
        chosen = {kind for kind in present if not one_by_one.isdisjoint(kind.__mro__)}
        self._kinds |= present
        callbacks: list[Any] = []
        for thing in itertools.compress(objects, map(chosen.__contains__, kinds)):
            # `isinstance` would ask the classes that are derived of an abstract one.
            bases = type(thing).__mro__
            if type in bases:
                self._kinds.add(thing)
            elif weakref.ref in bases:
                callbacks.append(thing.__callback__)
            elif type(thing) in weakref.ProxyTypes:
                # It answers for another object, which is none of these.
                callbacks += gc.get_referents(thing)
            elif library in bases:
                if not known_endings.is_known_library(thing._name):
                    return "a library that is not Python's is loaded"
            else:
                unfinished.append(thing)
        if warns:
            finalised = self._kinds | _CLOSED_BY_THE_SYSTEM
        else:
            finalised = self._kinds - _CLOSED_BY_THE_SYSTEM
        # Without the flag instances are found only where others hold them.
        hidden = known_endings.types_that_warn()
        for kind in finalised:
            finaliser = getattr(kind, "__del__", None)
            # Those that are looked at have finalisers of the interpreter's.
            is_known = kind in chosen and isinstance(finaliser, types.WrapperDescriptorType)
            if finaliser is None or is_known:
                continue
            if kind in present:
                return f"{_name(kind)} has a finaliser"
            if not kind.__flags__ & _HAS_GC:
                hidden.add(kind)
        if hidden and (found := _held(objects, hidden, warns)) is not None:
            return f"a {_name(type(found))} does something when it goes"
        for callback in callbacks:
            if callback is not None and not _is_known(callback):
                return f"a weak reference has a callback, a {_name(type(callback))}"
        return None

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
                and not known_endings.is_known_module(name, path)
            ):
                return f"{name} is not written in Python"
        return None


def _is_known(callback: object) -> bool:
    if isinstance(callback, types.BuiltinFunctionType):
        return callback.__name__ in _OF_THE_INTERPRETER
    return known_endings.is_known_function(callback)


def _held(objects: list[Any], kinds: set[type], warns: bool) -> object | None:
    """What some of the objects hold of kinds that the collector does not know."""
    held = gc.get_referents(*objects)
    for thing in itertools.compress(held, map(kinds.__contains__, map(type, held))):
        if type(thing) is not _socket.socket or pending(thing, warns):
            found: object = thing
            return found
    return None


def _cannot_be_told(error: Exception) -> str:
    return f"it cannot be told, for {_name(type(error))}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _warns_of_resources() -> bool:
    """Whether somebody is told of what has not been closed."""
    for action, message, category, module, _ in warnings.filters:
        if issubclass(ResourceWarning, category):
            return (action, message, module) != ("ignore", None, None)
    return True


START = Start()
