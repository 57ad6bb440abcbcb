"""What makes a session's collection shorter, from its beginning to its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import afterfork, rewriting
from .costs import Imports
from .short_collection import ShortCollection
from .tally import Tally

if TYPE_CHECKING:
    from .channel import Channel


@contextlib.contextmanager
def shorter(
    session: pytest.Session, channel: Callable[[], Channel | None]
) -> Iterator[list[dict[str, Any]]]:
    """Collect with what has been rewritten before, with items built here, and with little garbage
    collection.

    What came of it, for `--explain`, is in the list that it yields, when it is over: a session that
    grows for nobody yet has no `channel` to say it by.
    """
    rewriting.watch(channel)
    imports = Imports()
    session.config.pluginmanager.register(imports, "rpytest-imports")
    messages: list[dict[str, Any]] = []
    tally = None
    try:
        with built_here(session) as tally:
            yield messages
    finally:
        if tally is not None:
            messages.append(tally.message())
        messages += rewriting.report()
        session.config.pluginmanager.unregister(imports)
        imports.settle()
        # What has been paid for nobody yet costs none of those who borrow it.
        if channel() is not None:
            messages.append(imports.message())


@contextlib.contextmanager
def built_here(session: pytest.Session) -> Iterator[Tally | None]:
    """The same, with nothing said and nothing kept of what is rewritten."""
    if os.environ.get("RPYTEST_GENUINE", "") not in ("", "0"):
        yield None
        return
    short = ShortCollection(session)
    short.begin()
    try:
        with afterfork.rare_garbage_collection():
            yield short.tally
    finally:
        short.end()
