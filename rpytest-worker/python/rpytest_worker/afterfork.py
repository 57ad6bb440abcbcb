"""What a forked child must have of its own, and how it ends."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from . import pytest_compat


def renew(config: pytest.Config) -> None:
    """Called in a child that was forked from a configured process."""
    pytest_compat.renew_capture_files(config)


def watch_crashes(crash_fd: int) -> None:
    """Let the fault handler, if the user has it on, write where the supervisor reads."""
    if faulthandler.is_enabled():
        faulthandler.enable(file=crash_fd)


@contextlib.contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Make many objects that stay (items, reports) without looking through them again and again."""
    before = gc.get_threshold()
    rare = (max(before[0], 50_000), *before[1:]) if before[0] else before
    gc.set_threshold(*rare)
    try:
        yield
    finally:
        if gc.get_threshold() == rare:  # nobody else has had a say meanwhile
            gc.set_threshold(*before)


def exit_quickly(code: int) -> NoReturn:
    """Run what must run at an interpreter's end, but do not take its heap apart."""
    # What `Py_Finalize` does first; there is no public name for it.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(code)
