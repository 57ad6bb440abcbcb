"""pytest looks for garbage before it ends, so that finalisers run, and warn, while somebody listens.

In 8.4 and 9.0 it does so five times, in later versions twice, each time through all that there is: in a
session with thousands of tests, a tenth of its time. Where nothing that is there would be noticed to go
(see `ending`), it makes no difference what is found, and all is taken out of the collector's sight.

What is left of a search that finds nothing is the garbage, and weak references to it that are alive. So
that nobody looks at them, no hook, cleanup or exit function of anybody else's may follow.
"""

from __future__ import annotations

import atexit
import gc
import sys
import types
import weakref
from typing import Any

import pytest

from . import HERE, pytest_capture, pytest_compat, sharing
from .ending import Ending
from .unfinished import layers


class Garbage:
    """The plugin of a session that is the last one of its process."""

    def __init__(self) -> None:
        # In a fork: what was found before it.
        self._before: Ending | None = None
        # What was found of all that there is, if that is out of sight.
        self._ending: Ending | None = None
        self._others = _exit_functions() - _known_exit_functions()

    def adopt(self, before: Ending) -> None:
        """In a fork, of which it is known what is out of the collector's sight."""
        self._before = before

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        if not self._nobody_looks(config):
            return
        ending = self._look_from()
        if ending.is_noticed_by_nobody(_Used(config)):
            gc.freeze()
            self._ending = ending

    def _nobody_looks(self, config: pytest.Config) -> bool:
        try:
            return (
                pytest_compat.searches_garbage(config)
                and not pytest_compat.is_genuine()
                and not sharing.unread_hooks(config, ["pytest_unconfigure"])
                and pytest_compat.cleans_up_alone(config)
                and _exit_functions() - _known_exit_functions(config) == self._others
            )
        except Exception:  # private names of pytest and Python may not be there in another version
            return False

    def ending(self) -> Ending:
        """What to ask once exit functions have run, before which this is called."""
        return self._ending or self._look_from()

    def _look_from(self) -> Ending:
        return Ending(before=False) if self._before is None else self._before.copy()


def _exit_functions() -> int:
    return atexit._ncallbacks()


def _are_counted_when_gone() -> bool:
    """Before Python 3.14 a place that has become free is still one."""
    before = _exit_functions()
    atexit.register(_are_counted_when_gone)
    atexit.unregister(_are_counted_when_gone)
    return _exit_functions() > before


# Modules that register one when they are imported.
_REGISTER_ONE = {"execnet.multi", "multiprocessing.util"}
_COUNTS_GONE = _are_counted_when_gone()


def _known_exit_functions(config: pytest.Config | None = None) -> int:
    """How many are registered that look for no garbage."""
    # Of finalisers that are still there, which are found by their callbacks.
    known = int(getattr(weakref.finalize, "_registered_with_atexit", False))
    known += len(_REGISTER_ONE & sys.modules.keys())
    known += bool(getattr(sys.modules.get("rlcompleter"), "_readline_available", False))
    # The context of a file in the package, which requests asks for.
    known += getattr(sys.modules.get("certifi.core"), "_CACERT_CTX", None) is not None
    if config is not None:
        registered, unregistered = pytest_compat.exit_functions(config)
        known += registered - (0 if _COUNTS_GONE else unregistered)
    return known


class _Used:
    """What a session needs to its end, unfinished as it is."""

    def __init__(self, config: pytest.Config) -> None:
        streams = [
            *(sys.stdin, sys.stdout, sys.stderr),
            *(sys.__stdin__, sys.__stdout__, sys.__stderr__),
            *pytest_capture.capture_files(config, ("in_", "out", "err")),
            *pytest_compat.report_files(config),
        ]
        self._things = [thing for stream in streams for thing in layers(stream)]
        self._things += pytest_compat.suspended_cleanups(config)

    def __contains__(self, thing: Any) -> bool:
        return any(thing is one for one in self._things) or (
            isinstance(thing, types.GeneratorType) and thing.gi_code.co_filename.startswith(HERE)
        )
