"""What the project's code looks at and does while it is collected.

What is collected may be used again only as long as all of that is the same. An audit hook sees which
files are opened and which directories listed; `os.stat`, which it does not see, is wrapped. Each is put
down to the innermost source file of the project that was running.
"""

from __future__ import annotations

import contextlib
import os
import re
import site
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from typing import Any

from . import HERE, audit, rewriting, sharing

# Functions by which ids come to depend on the moment or on chance. Only calls from the project's own
# code count: libraries ask for the time on import and make nothing of it.
_MOMENTARY = frozenset(
    {
        "choice",
        "choices",
        "getpid",
        "getrandbits",
        "gmtime",
        "localtime",
        "mkdtemp",
        "mkstemp",
        "monotonic",
        "monotonic_ns",
        "now",
        "perf_counter",
        "perf_counter_ns",
        "randbytes",
        "randint",
        "random",
        "randrange",
        "sample",
        "shuffle",
        "strftime",
        "time",
        "time_ns",
        "today",
        "token_bytes",
        "token_hex",
        "token_urlsafe",
        "uniform",
        "urandom",
        "utcnow",
        "uuid1",
        "uuid4",
    }
)
_TOOL = (
    4  # of `sys.monitoring`: none of those that are set aside for debuggers, coverage and profilers
)
_COMPILED = re.compile(r"(.+)/__pycache__/([^/]+?)\.(?:cpython|pypy)[^/]*\.pyc$")


# As they are before anybody replaces them: there are suites that forbid a test to look at files.
_isabs, _join, _normpath = os.path.isabs, os.path.join, os.path.normpath
_getcwd = os.getcwd


def absolute(path: str | bytes | os.PathLike[str]) -> str:
    """What `os.path.abspath` returns, as text, also in the midst of a test."""
    text = os.fsdecode(path)
    return _normpath(text if _isabs(text) else _join(_getcwd(), text))


_stat = os.stat


def is_there(path: str) -> bool:
    """What `os.path.exists` returns, without being seen to ask."""
    try:
        _stat(path)
    except (OSError, ValueError):
        return False
    return True


def looked(seen: set[str], missing: set[str], listed: set[str]) -> dict[str, list[bytes]]:
    """The message of paths that were looked at; each of the others may be in `missing`, too."""

    def encoded(paths: set[str]) -> list[bytes]:
        return [os.fsencode(path) for path in sorted(paths)]

    return {
        "seen": encoded(seen - missing),
        "missing": encoded(missing),
        "listed": encoded(listed - missing),
    }


def file_of(module: Any) -> str | None:
    """Where a module comes from, if that is a file, and none of ours."""
    path = getattr(module, "__file__", None)
    return path if isinstance(path, str) and not path.startswith("<") else None


def environment_directories() -> tuple[str, ...]:
    """Where the interpreter and what is installed lie: their files are told apart by other means."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    with contextlib.suppress(AttributeError):
        paths.update(site.getsitepackages())
        paths.add(site.getusersitepackages())
    paths.add(os.path.dirname(os.path.dirname(HERE)))
    # What is kept there is made of sources, which are told apart by themselves.
    store = rewriting.directory()
    if store is not None:
        paths.add(store)
    both = {form for path in paths if path for form in (path, os.path.realpath(path))}
    return tuple(path.rstrip(os.sep) + os.sep for path in both)


def innermost(foreign: tuple[str, ...]) -> str | None:
    """The innermost source file of the project that runs, seen from the caller's caller."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name[:1] != "<" and not absolute(name).startswith(foreign):
            return absolute(name)
        frame = frame.f_back
    return None


class Touches:
    """From before the configuration to the end of the session."""

    def __init__(self, whole: bool = False) -> None:
        """With `whole`, what pytest and installed modules look at counts as well."""
        self._whole = whole
        self._foreign = environment_directories()
        self._active = True
        self._known: dict[str, str | None] = {}
        self._touches: dict[tuple[str, str, str], None] = {}
        self._sources: set[str] = set()
        # What was not there when it was last looked at.
        self._missing: set[str] = set()
        # Modules of which the files were told before.
        self._told: set[int] = set()
        self._stop_monitoring: Callable[[], None] = lambda: None
        self._monitor()
        self._stat = os.stat
        self._wrap_stat()
        audit.listen(self._audit)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it, what happens is ours."""
        before, self._active = self._active, False
        try:
            yield
        finally:
            self._active = before

    def pause(self) -> None:
        """What happens from here on is ours, until `restart`."""
        self._active = False
        self._sources.update(filter(self._of_project, self._modules()))
        self._look_for_moments()

    def restart(self) -> None:
        """Begin anew, where everything so far has been told."""
        self._told = set(map(id, sys.modules.values()))
        self._touches.clear()
        self._sources.clear()
        self._missing.clear()
        self._active = True

    def stop(self) -> None:
        self.pause()
        self.let_go()

    def let_go(self) -> None:
        """Leave the interpreter as it was."""
        self._active = False
        audit.leave(self._audit)
        os.stat = self._stat
        self._stop_monitoring()
        self._stop_monitoring = lambda: None

    def _modules(self) -> Iterator[str]:
        """The files of the modules that were loaded since the beginning."""
        for module in list(sys.modules.values()):
            path = file_of(module)
            if path is not None and id(module) not in self._told:
                yield absolute(path)

    def message(self) -> dict[str, Any]:
        return {
            "sources": [os.fsencode(path) for path in sorted(self._sources)],
            "touches": [
                {"by": os.fsencode(by), "kind": kind, "what": os.fsencode(what)}
                for by, kind, what in self._touches
            ],
        }

    def effects(self) -> list[str]:
        """What reached outside of the process, or asked for the time or for chance."""
        return [what for _, kind, what in self._touches if kind == "effect"]

    def looked(self, counts: Callable[[str], bool]) -> dict[str, list[bytes]]:
        """Every path that was asked for, with the files of all modules, and every directory of which
        somebody has read what is in it, or has looked for modules in it; of those that count."""
        paths = {what for _, kind, what in self._touches if kind == "path"} | self._sources
        # A module that was not read from a file of its own may have a name that is none.
        others = {path for path in self._modules() if path not in paths}
        directories = {what for _, kind, what in self._touches if kind in ("listing", "modules")}
        missing = self._missing & (paths | directories)
        missing |= {path for path in others if not is_there(path)}
        return looked(
            *(set(filter(counts, them)) for them in (paths | others, missing, directories))
        )

    # ---------------------------------------------------------------- who

    def _of_project(self, path: str) -> bool:
        return not path.startswith(self._foreign)

    def _source(self, code: types.CodeType) -> str | None:
        """The source file of a function of the project."""
        name = code.co_filename
        try:
            return self._known[name]
        except KeyError:
            pass
        found = None
        if name[:1] != "<" and self._of_project(absolute(name)):
            found = absolute(name)
        self._known[name] = found
        return found

    def _culprit(self) -> str | None:
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None:
            found = self._source(frame.f_code)
            if found is not None:
                return found
            frame = frame.f_back
        return None

    # ---------------------------------------------------------------- what

    def _note(self, by: str, kind: str, what: str) -> None:
        self._touches[by, kind, what] = None

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            path, _, flags = args
            if isinstance(path, int):
                return
            path = absolute(path)
            compiled = _COMPILED.match(path)
            if compiled is not None:
                path = f"{compiled[1]}/{compiled[2]}.py"
                if self._of_project(path):
                    self._sources.add(path)
                    self._missing.discard(path)
                return
            if isinstance(flags, int) and not flags & sharing.WRITE_FLAGS:
                self._path("path", path)
                return
        elif event in ("os.listdir", "os.scandir"):
            path = args[0] if args else None
            if path is None or isinstance(path, str | bytes):
                path = absolute(path or ".")
                if self._whole or not audit.is_of_import_system():
                    self._path("listing", path)
                elif self._of_project(path):
                    # The import system looks once, for all that is imported from there.
                    self._note("", "modules", path)
                    self._presence(path)
            return
        effect = sharing.effect(event, args)
        if effect is not None:
            culprit = self._culprit()
            # What pytest itself does, it does in every session.
            if culprit is not None or not sharing.caller().startswith(
                ("_pytest.", "rpytest_worker.")
            ):
                self._note(culprit or "", "effect", effect)

    def _path(self, kind: str, path: str) -> None:
        if not self._of_project(path) or path.startswith(("/proc/", "/dev/", "/sys/")):
            return
        culprit = "" if self._whole else self._culprit()
        if culprit is not None:
            self._note(culprit, kind, path)
            self._presence(path)

    def _presence(self, path: str) -> None:
        """The last look counts: what came after it has another date."""
        if is_there(path):
            self._missing.discard(path)
        else:
            self._missing.add(path)

    def _wrap_stat(self) -> None:
        """`os.path.exists` and its like ask `os.stat`, which has no audit event."""
        real = self._stat

        def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            if self._active and isinstance(path, str | bytes | os.PathLike):
                with contextlib.suppress(Exception):
                    self._path("path", absolute(path))
            return real(path, *args, **kwargs)

        for name in ("supports_fd", "supports_dir_fd", "supports_follow_symlinks"):
            functions = getattr(os, name)
            if real in functions:
                functions.add(stat)
        os.stat = stat

    def _look_for_moments(self) -> None:
        """For Pythons before 3.12: a source that has such a call anywhere may have made it."""
        if hasattr(sys, "monitoring"):
            return
        call = re.compile(rf"\b({'|'.join(sorted(_MOMENTARY))})\s*\(")
        for path in self._sources:
            try:
                with open(path, encoding="utf-8", errors="replace") as source:
                    found = call.search(source.read())
            except OSError:
                continue
            if found is not None:
                self._note(path, "effect", f"{found[1]} may have been called")

    def _monitor(self) -> None:
        """Notes calls that ask for the time or for chance, where the interpreter can say so cheaply."""
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is None:
            return
        event = monitoring.events.CALL
        try:
            monitoring.use_tool_id(_TOOL, "rpytest")
        except ValueError:
            self._note("", "effect", "another tool monitors this Python")
            return

        def called(code: types.CodeType, _: int, function: Any, __: Any) -> Any:
            name = getattr(function, "__name__", "")
            if name in _MOMENTARY and self._active:
                source = self._source(code)
                if source is not None:
                    self._note(source, "effect", f"{name} was called")
            return monitoring.DISABLE  # each place tells once

        monitoring.register_callback(_TOOL, event, called)
        monitoring.set_events(_TOOL, event)

        def stop() -> None:
            monitoring.set_events(_TOOL, 0)
            monitoring.register_callback(_TOOL, event, None)
            monitoring.free_tool_id(_TOOL)

        self._stop_monitoring = stop
