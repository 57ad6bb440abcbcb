"""Whether a template, having configured and collected, may be forked into several workers.

Growing a template runs user code once that, without it, would run once in every worker. The result
is the same only if that code neither asked which worker it runs in nor had an effect outside its
process. `Watch` sees to the first by the places where the answer stands (`workerinput` and the
environment), to the second by an audit hook. What remains are hooks that take part in the start and
the end of a session: one start would meet several ends, so that only inert ones are let through.
"""

from __future__ import annotations

import dis
import os
import stat
import sys
import threading
import types
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from . import afterfork, audit, pytest_capture, pytest_compat

# Plugins whose session hooks have been read: what they do at the start of a session is the same
# for a fork. Names are modules, without what follows the first dot.
UNDERSTOOD_PLUGINS = frozenset(
    {
        "_hypothesis_pytestplugin",
        "anyio",
        "faker",
        "pytest_asyncio",
        "pytest_mock",
        "pytest_subtests",
        "pytest_timeout",
        "requests_mock",
        "respx",
        "rpytest_verify",
        "rpytest_worker",
        "typeguard",
        "xdist",
    }
)

SESSION_HOOKS = (
    "pytest_configure",
    "pytest_sessionstart",
    "pytest_sessionfinish",
    "pytest_unconfigure",
)

_BYTECODE = os.sep + "__pycache__"
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Modules through which others open files: the caller is whoever called them.
_PASSED_THROUGH = frozenset(
    {
        __name__,
        "rpytest_worker.audit",
        "rpytest_worker.touches",
        "io",
        "os",
        "pathlib",
        "pathlib._abc",
        "pathlib._local",
        "shutil",
        "subprocess",
        "tempfile",
    }
)
# Parts of pytest whose files are each process's own, or renewed after a fork.
_OWN_CALLERS = frozenset(
    {
        "_pytest.capture",
        "_pytest.cacheprovider",
        "_pytest.assertion.rewrite",
        "_pytest.faulthandler",
        "rpytest_worker.kept_code",
        "rpytest_worker.rewriting",
    }
)
# Modules that run programs (`uname`, `ldconfig`, `ifconfig`) only to ask what holds for the machine, or
# keep a cache that is the same whoever writes it.
_ASKING_CALLERS = frozenset(
    {
        "ctypes.util",
        "platform",
        "uuid",
        "hypothesis.configuration",
        "hypothesis.internal.charmap",
        "hypothesis.internal.constants_ast",
    }
)


def caller() -> str:
    """The module of whoever is behind an audit event."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name not in _PASSED_THROUGH:
            return str(name)
        frame = frame.f_back
    return ""


def effect(event: str, args: tuple[Any, ...]) -> str | None:
    """What an audit event says that reaches outside of the process, but for what pytest does itself."""
    if event == "open":
        path, _, flags = args
        if flags & WRITE_FLAGS and not _is_ours(path):
            return f"{path!r} was opened for writing"
    elif event in audit.EFFECTS and not (args and _is_ours(args[0])):
        return f"{event} was called"
    return None


def _is_ours(path: Any) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, int) or path == os.devnull:
        return True  # a descriptor that is open already; what opened it was seen
    if isinstance(path, str):
        prefix = sys.pycache_prefix
        if _BYTECODE in path or (prefix is not None and path.startswith(prefix)):
            return True
    who = caller()
    return who in _OWN_CALLERS or who in _ASKING_CALLERS


class _WorkerInput(dict[str, Any]):
    """Notes who asks for the worker's id."""

    def __init__(self, values: dict[str, Any], watch: Watch) -> None:
        super().__init__(values)
        self._watch = watch

    def __getitem__(self, key: str) -> Any:
        self._asked(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._asked(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        self._asked(key)
        return super().pop(key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        self._asked(key)
        return super().setdefault(key, default)

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def items(self) -> Any:
        self._asked("workerid")
        return super().items()

    def values(self) -> Any:
        self._asked("workerid")
        return super().values()

    def __iter__(self) -> Any:
        # Without it, `dict(...)` and `**` would copy the values behind our back.
        return super().__iter__()

    def _asked(self, key: str) -> None:
        if key == "workerid":
            self._watch.note("workerinput['workerid'] was read")


class _Environ(os._Environ):  # type: ignore[type-arg]
    """`os.environ` that notes who asks for the worker's id."""

    watch: Watch | None = None

    def __getitem__(self, key: Any) -> Any:
        if key == "PYTEST_XDIST_WORKER" and _Environ.watch is not None:
            _Environ.watch.note("the environment variable PYTEST_XDIST_WORKER was read")
        return super().__getitem__(key)


class Watch:
    """From before the configuration to the end of the collection."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        # Called before the first effect, instead of it if it does not return.
        self.before_effect: Callable[[str], None] = self.note
        self._active = True
        self._own = 0
        self._plain_environ = type(os.environ)
        _Environ.watch = self
        self._environ = os.environ  # somebody may put another in its place
        os.environ.__class__ = _Environ
        self.generators = afterfork.Generators()
        self._descriptors = _descriptors()
        audit.listen(self._audit)

    def note(self, reason: str) -> None:
        if self._active and not self._own and len(self.reasons) < 20:
            self.reasons.append(reason)

    def __enter__(self) -> Watch:
        """Within `with`, what happens is ours and not the user's."""
        self._own += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._own -= 1

    def workerinput(self, values: dict[str, Any]) -> dict[str, Any]:
        return _WorkerInput(values, self)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active or self._own:
            return
        what = effect(event, args)
        if what is not None:
            self.before_effect(what)

    def stop(self, config: pytest.Config) -> list[str]:
        """Why this process must not be shared; nothing if it may."""
        reasons = self.pause(config)
        self.let_go()
        return reasons

    def let_go(self) -> None:
        """Leave the interpreter as it was."""
        self._active = False
        audit.leave(self._audit)
        self.generators.stop()
        _Environ.watch = None
        self._environ.__class__ = self._plain_environ

    def restart(self) -> None:
        """In a fork of a process that may be shared: look on, with what is there now."""
        self._descriptors = _descriptors()
        self._active = True

    def pause(self, config: pytest.Config) -> list[str]:
        """The same as `stop`, where it is not over yet."""
        self._active = False
        self.generators.save()
        reasons = list(self.reasons)
        if threading.active_count() > 1 or _kernel_threads() > 1:
            reasons.append("a thread was started")
        reasons.extend(self._opened(config))
        reasons.extend(unread_hooks(config, SESSION_HOOKS))
        return reasons

    def _opened(self, config: pytest.Config) -> list[str]:
        """Descriptors that came and stayed: what is behind one, a file's offset or an event loop's
        selector, say, all forks would have in common."""
        now = _descriptors()
        # Duplicates of what was there; what capture writes to is renewed after a fork.
        known = set(self._descriptors.values())
        known.update(now[fd] for fd in pytest_capture.capture_descriptors(config) if fd in now)
        return [
            f"descriptor {fd} was opened and left open"
            for fd, identity in now.items()
            if self._descriptors.get(fd) != identity
            and not stat.S_ISCHR(identity[0])
            # Selectors and their like are all one file.
            and (identity not in known or stat.S_IFMT(identity[0]) == 0)
        ]


def unread_hooks(config: pytest.Config, names: Iterable[str]) -> list[str]:
    """Those of a session's start and end of which nobody knows what they do."""
    return [
        f"{_where(implementation)} implements {name}"
        for name in names
        for implementation in pytest_compat.hook_implementations(getattr(config.hook, name))
        if not _is_safe(implementation)
    ]


def _descriptors() -> dict[int, tuple[int, int, int]]:
    """The open descriptors of this process, and which file each stands for."""
    found: dict[int, tuple[int, int, int]] = {}
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return found
    for name in names:
        try:
            status = os.fstat(int(name))
        except (OSError, ValueError):
            continue  # the one that `listdir` had
        found[int(name)] = (status.st_mode, status.st_dev, status.st_ino)
    return found


def _kernel_threads() -> int:
    """Threads that Python does not know of, such as those of a BLAS library."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def _is_safe(implementation: Any) -> bool:
    plugin = implementation.plugin
    if pytest_compat.is_pytests_own(plugin):
        return True
    module = getattr(plugin, "__module__", None) or getattr(plugin, "__name__", "")
    if isinstance(module, str) and module.partition(".")[0] in UNDERSTOOD_PLUGINS:
        return True
    return is_inert(implementation.function)


def _where(implementation: Any) -> str:
    code = getattr(implementation.function, "__code__", None)
    return getattr(code, "co_filename", None) or repr(implementation.plugin)


# Methods of `config` that only change the configuration's own tables.
_INERT_METHODS = frozenset({"addinivalue_line"})
# Instructions that can neither reach another object nor run other code.
_INERT_OPERATIONS = frozenset(
    {
        "CACHE",
        "CALL",
        "CALL_METHOD",
        "COPY_FREE_VARS",
        "EXTENDED_ARG",
        "KW_NAMES",
        "LOAD_ATTR",
        "LOAD_CONST",
        "LOAD_CONST_IMMORTAL",
        "LOAD_FAST",
        "LOAD_FAST_BORROW",
        "LOAD_METHOD",
        "LOAD_SMALL_INT",
        "NOP",
        "NOT_TAKEN",
        "POP_TOP",
        "PRECALL",
        "PUSH_NULL",
        "RESUME",
        "RETURN_CONST",
        "RETURN_VALUE",
    }
)


def is_inert(function: Any) -> bool:
    """Whether a hook's body does nothing, or only registers ini values (a marker, most often)."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return False
    code = function.__code__
    for instruction in dis.get_instructions(code):
        if instruction.opname not in _INERT_OPERATIONS:
            return False
        if (
            instruction.opname in ("LOAD_ATTR", "LOAD_METHOD")
            and instruction.argval not in _INERT_METHODS
        ):
            return False
    # `config.addinivalue_line` is pytest's own only on an argument that pytest passes.
    return code.co_varnames[: code.co_argcount] in ((), ("config",), ("session",), ("self",)) or (
        set(code.co_varnames[: code.co_argcount]) <= {"self", "config", "session", "exitstatus"}
    )
