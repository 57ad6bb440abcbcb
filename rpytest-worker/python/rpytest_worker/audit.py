"""One audit hook for all that listen to audit events in this process.

None can be taken away again, and each is called at every event there is, of which `id` raises one, so
that a test that copies much has a hundred thousand. What nobody looks at is sorted out here.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any, Final

Listener = Callable[[str, tuple[Any, ...]], None]

# Events that reach outside of the process.
EFFECTS: Final = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chdir",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "socket.bind",
        "socket.connect",
        "sqlite3.connect",
        "subprocess.Popen",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "fcntl.flock",
        "fcntl.lockf",
        "mmap.__new__",
        "winreg.SetValue",
    }
)
# Of whoever asks the collector for objects.
_OF_OBJECTS: Final = frozenset({"gc.get_objects", "gc.get_referrers"})
_HEARD: Final = EFFECTS | _OF_OBJECTS | {"open", "os.listdir", "os.scandir"}

_listeners: list[Listener] = []
_is_installed = False
_shows_all = False


def listen(listener: Listener) -> None:
    """Have it called at each effect, and when a file is opened or a directory is read."""
    _listeners.append(listener)
    _install()


def leave(listener: Listener) -> None:
    """Have it called no more."""
    if listener in _listeners:
        _listeners.remove(listener)


def show_all() -> None:
    """From now on, here and in forks, whoever asks the collector for objects finds those, too, that are
    out of its sight: a test may look for what its modules have, to clear all caches, say."""
    global _shows_all
    _shows_all = True
    _install()


def objects_in_sight() -> list[Any]:
    """What the collector has to tell us."""
    global _shows_all
    shows_all, _shows_all = _shows_all, False
    try:
        return gc.get_objects()
    finally:
        _shows_all = shows_all


def _install() -> None:
    global _is_installed
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_hook)


def is_of_import_system() -> bool:
    """For a listener: whether it is the import system that reads a directory."""
    # Between here and there are the listener and the hook.
    return sys._getframe(3).f_code.co_name == "_fill_cache"


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in _HEARD:
        return
    if event in _OF_OBJECTS:
        if _shows_all:
            gc.unfreeze()
        return
    for listener in _listeners[:]:
        listener(event, args)
