"""What makes a session's collection shorter, from its beginning to its end."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import afterfork, pytest_compat, rewriting
from .costs import Imports
from .short_collection import ShortCollection
from .short_factories import ShortFactories
from .tally import Tally

if TYPE_CHECKING:
    from .channel import Channel


class ShortStart:
    """A plugin: from its start on, a session looks for fixtures with less."""

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()
        # What of pytest is not known.
        self.unknown: str | None = None

    # No wrapper, whose frame would be in what pytest shows of an error.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        # Which shows frames that are hidden otherwise.
        is_shown = getattr(session.config.option, "fulltrace", False)
        if not (is_shown or pytest_compat.is_genuine()):
            replace = functools.partial(pytest_compat.replace, self._undo)
            self.unknown = ShortFactories().begin(replace)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._undo.close()


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
    if pytest_compat.is_genuine():
        yield None
        return
    short = ShortCollection(session)
    short.begin()
    for plugin in session.config.pluginmanager.get_plugins():
        if isinstance(plugin, ShortStart):
            short.tally.note(plugin.unknown)
    try:
        with afterfork.rare_garbage_collection():
            yield short.tally
    finally:
        short.end()
