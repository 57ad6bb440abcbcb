"""A run of a part of what the command line names: some test files of it, some tests of them first.

It also tells which files the tests have read, so that a change of one of those is a reason to run them.
The files are narrowed down before the collection, so that no other is looked at, and what pytest prints
is what it prints for them.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from . import audit, pytest_compat, sharing, touches

if TYPE_CHECKING:
    from .channel import Channel
    from .recorder import Recorder

# With more files than this, directories are walked and the others left out: pytest needs a time for its
# arguments that grows with the square of their number.
_ARGUMENTS = 16


class Opened:
    """Notes which files of the project are read, and on whose behalf."""

    def __init__(self) -> None:
        self._foreign = touches.environment_directories()
        self._active = True
        # By a source file, by a fixture that others share, by a test.
        self._by_source: set[tuple[str, str]] = set()
        self._by_fixture: set[tuple[Any, str]] = set()
        # What the tests write themselves they do not depend on.
        self._written: set[str] = set()
        # Set once there are tests.
        self.recorder: Callable[[], Recorder | None] = lambda: None
        audit.listen(self._audit)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not self._active:
            return
        path, _, flags = args
        if isinstance(path, int) or not isinstance(flags, int):
            return
        path = touches.absolute(path)
        if flags & sharing.WRITE_FLAGS:
            self._written.add(path)
            return
        if path.startswith((*self._foreign, "/proc/", "/dev/", "/sys/")) or "__pycache__" in path:
            return
        recorder = self.recorder()
        story = recorder.story if recorder is not None else None
        if story is None:
            source = touches.innermost(self._foreign)
            if source is not None and source != path:
                self._by_source.add((source, path))
            return
        fixture = _shared_fixture()
        if fixture is None:
            self._by_source.add((str(story.item.path), path))
        else:
            self._by_fixture.add((fixture, path))

    def forget(self) -> None:
        """Nobody wants to know."""
        self._active = False

    def go_on(self) -> None:
        """In the next session of this process; what stays in it is not read again."""
        self._active = True

    def tell(self, channel: Channel, session: pytest.Session) -> None:
        """Say everything, when the tests have run."""
        self._active = False
        found: dict[str, set[str]] = {}
        for source, path in self._by_source:
            found.setdefault(source, set()).add(path)
        for fixture, path in self._by_fixture:
            for item in session.items:
                if fixture in pytest_compat.fixtures_of(item):
                    found.setdefault(str(item.path), set()).add(path)
        # Modules that were imported are not data: who imports them is known otherwise.
        others = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        others |= self._written
        channel.send(
            {
                "type": "opened",
                "opened": [
                    [os.fsencode(source), [os.fsencode(path) for path in sorted(paths - others)]]
                    for source, paths in sorted(found.items())
                    if paths - others
                ],
            }
        )


def _shared_fixture() -> Any:
    """The fixture for tests of several files that is being set up, if one is."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        fixture = pytest_compat.fixture_being_set_up(frame)
        if fixture is not None and fixture.scope in ("session", "package"):
            return fixture
        frame = frame.f_back
    return None


class Focus:
    """The plugin of such a run."""

    def __init__(
        self,
        wish: dict[str, Any],
        channel: Callable[[], Channel],
        recorder: Callable[[], Recorder | None],
        opened: Opened | None = None,
        tells: bool = True,
    ) -> None:
        only = wish["only"]
        self._only = None if only is None else {os.fsdecode(path) for path in only}
        self._first = {nodeid: position for position, nodeid in enumerate(wish["first"])}
        tests = wish["tests"]
        self._tests = None if tests is None else frozenset(tests)
        self._channel = channel
        self._session: pytest.Session | None = None
        self._opened: Opened | None = None
        if tells:
            self._opened = opened if opened is not None else Opened()
            self._opened.recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        self.narrow(session)

    def narrow(self, session: pytest.Session) -> None:
        """Have the session collect no other files."""
        config, only = session.config, self._only
        if only is None:
            return
        if config.option.pyargs or len(only) > _ARGUMENTS:
            return
        # In the order of the walk, which compares the names of files and directories.
        files = sorted(only, key=lambda file: file.split(os.sep))
        narrowed: list[str] = []
        for argument in config.args:
            path = touches.absolute(
                os.path.join(config.invocation_params.dir, argument.partition("::")[0])
            )
            if path in only:
                # It may name a node within.
                narrowed.append(argument)
            elif "::" not in argument:
                narrowed += [file for file in files if file.startswith(path + os.sep)]
        config.args[:] = dict.fromkeys(narrowed)
        if not narrowed:
            # Nothing of it is named by the arguments; an empty list would mean the current directory.
            config.args[:] = [str(config.invocation_params.dir)]
            self._only = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Any) -> bool | None:
        """Also where the arguments are files: pytest looks at all that lie beside them."""
        return True if self.ignores(str(collection_path)) else None

    def ignores(self, path: str) -> bool:
        """Known to `short_walk`, too."""
        if self._only is None or path in self._only:
            return False
        below = path + os.sep
        return not any(file.startswith(below) for file in self._only)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Any:
        # After everybody else: files that belong together stay so, in the order of their first tests.
        result = yield
        if self._tests is not None:
            others = [item for item in items if item.nodeid not in self._tests]
            if others:
                items[:] = [item for item in items if item.nodeid in self._tests]
                config.hook.pytest_deselected(items=others)
        if self._first:
            last = len(self._first)
            items.sort(key=lambda item: self._first.get(item.nodeid, last))
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_unconfigure(self) -> None:
        # When the user has the summary.
        if self._session is not None and self._opened is not None:
            self._opened.tell(self._channel(), self._session)
