"""What makes a session's collection shorter, from its beginning to its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from . import afterfork, rewriting
from .short_collection import ShortCollection

if TYPE_CHECKING:
    from .channel import Channel


@contextlib.contextmanager
def shorter(session: pytest.Session, channel: Callable[[], Channel]) -> Iterator[None]:
    """Collect with what has been rewritten before, with items built here, and with little garbage
    collection; and say what came of it, for `--explain`."""
    rewriting.watch(channel)
    short = None
    if os.environ.get("RPYTEST_GENUINE", "") in ("", "0"):
        short = ShortCollection(session)
        short.begin()
    try:
        with afterfork.rare_garbage_collection():
            yield
    finally:
        if short is not None:
            short.end()
            channel().send(short.tally.message())
        rewriting.report(channel())
