"""What a forked child must have of its own, and how it ends."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import fcntl
import functools
import gc
import io
import os
import random
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

import pytest

from . import pytest_capture


def renew(config: pytest.Config) -> None:
    """Called in a child that was forked from a configured process."""
    pytest_capture.renew_capture_files(config)


def make_room(fds: list[int], numbers: list[int], closing: set[int]) -> list[int]:
    """Before a fork: the descriptors for it, none of them at a number that another is to have there.

    What is in `closing` the child closes. Raises `OSError` where something else has such a number.
    """
    for number in numbers:
        if number not in fds and number not in closing and number not in _inherited:
            try:
                os.fstat(number)
            except OSError:
                continue
            raise OSError(f"descriptor {number} is in use")
    moved = []
    for fd in fds:
        if fd in numbers:
            moved.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1))
            os.close(fd)
        else:
            moved.append(fd)
    return moved


def move_in(lease: dict[str, Any], given: list[int]) -> None:
    """In a fork for somebody else: be where a process would be that they had started."""
    # Signals of a terminal are theirs to pass on.
    os.setsid()
    is_first = not _standard
    _take_over(given[:3])
    for fd, number in zip(given[3:], lease["inherited"], strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
        _inherited.add(number)
    if not is_first:
        # A session that is lent to whom it was grown for: what its own code has set since is to stay.
        return
    _settle(lease)
    environment = dict(lease["environment"])
    for name in set(os.environb) - set(environment):
        del os.environb[name]
    for name, value in environment.items():
        if os.environb.get(name) != value:
            os.environb[name] = value


def _settle(lease: dict[str, Any]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # As the interpreter would have opened it.
            stream.reconfigure(line_buffering=stream is sys.stderr or stream.isatty())
    os.umask(lease["umask"])
    os.chdir(lease["cwd"])


def move_in_again(
    lease: dict[str, Any], given: list[int], environment: dict[bytes, bytes]
) -> dict[bytes, bytes]:
    """In a process that stays: the same for one borrower after the other.

    Of the environment only what the borrowers have otherwise is changed: what the process's own code
    has set since is to stay. `environment` is what the last one had; returns this one's.
    """
    _standard.clear()
    _take_over(given[:3])
    for fd, number in zip(given[3:], lease["inherited"], strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
        _inherited.add(number)
    _settle(lease)
    own = dict(lease["environment"])
    for name in environment.keys() - own.keys():
        os.environb.pop(name, None)
    for name, value in own.items():
        if environment.get(name) != value:
            os.environb[name] = value
    return own


def move_out() -> None:
    """The other way round: keep nothing of the borrower's open."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    _take_over([os.open(os.devnull, flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)])
    for number in _inherited:
        with contextlib.suppress(OSError):
            os.close(number)
    _inherited.clear()


# Which files the standard descriptors were given to stand for, since this process or one that it was
# forked from has moved in somewhere; none before.
_standard: list[tuple[int, int, int]] = []
# The numbers of descriptors besides those that a borrower has inherited. In a session that is grown for
# one, others stand for them.
_inherited: set[int] = set()


def _take_over(standard: list[int]) -> None:
    """Put descriptors in the place of the standard ones, and of every duplicate of those.

    Capture has others in their places, and keeps duplicates of them to write to the terminal by; the
    fault handler has another one, and user code may.
    """
    if _standard:
        places: dict[tuple[int, int, int], int] = {}
        for known, given in zip(_standard, standard, strict=True):
            places.setdefault(known, given)
        for target in map(int, os.listdir("/dev/fd")):
            try:
                identity = _identity(target)
            except OSError:
                continue  # the one that `listdir` had
            if identity not in places or target in standard:
                continue
            is_in_place = target < len(_standard) and identity == _standard[target]
            given_here = standard[target] if is_in_place else places[identity]
            os.dup2(given_here, target, inheritable=os.get_inheritable(target))
    else:
        for target, given in enumerate(standard):
            os.dup2(given, target)
    _standard[:] = map(_identity, standard)
    for fd in standard:
        os.close(fd)


def _identity(fd: int) -> tuple[int, int, int]:
    """The file, and how it was opened: one that is both read and written may have been so apart."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE


def discard_unwritten() -> None:
    """Empty the buffers of the standard streams."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        inheritable = os.get_inheritable(number)
        own = os.dup(number)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        os.dup2(own, number, inheritable=inheritable)
        os.close(own)
        os.close(nowhere)


class Generators:
    """Watches, from before the configuration, which random generators are given a seed.

    One with a seed goes on from it in each child, the `random` module's own included, which Python
    seeds anew in a fork. One without a seed must not give every child the same numbers.
    """

    def __init__(self) -> None:
        self._without_seed: weakref.WeakSet[random.Random] = weakref.WeakSet()
        self._has_seed = False
        self._state: Any = None
        self._methods = method, function = random.Random.seed, random.seed

        @functools.wraps(method)
        def seed_instance(self_: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None:
                self._without_seed.add(self_)
            else:
                self._without_seed.discard(self_)
            method(self_, a, version)

        @functools.wraps(function)
        def seed(a: Any = None, version: int = 2) -> None:
            self._has_seed = a is not None
            function(a, version)

        random.Random.seed = seed_instance  # type: ignore[method-assign,assignment]
        random.seed = seed

    def stop(self) -> None:
        random.Random.seed, random.seed = self._methods  # type: ignore[method-assign]

    def save(self) -> None:
        """Called before the forks."""
        if self._has_seed:
            self._state = random.getstate()

    def renew(self) -> None:
        """Called in each child."""
        if self._state is not None:
            random.setstate(self._state)
        for generator in self._without_seed:
            generator.seed()


def watch_crashes(crash_fd: int) -> None:
    """Let the fault handler, if the user has it on, write where the supervisor reads."""
    global _crash_fd
    _crash_fd = crash_fd
    if faulthandler.is_enabled():
        faulthandler.enable(file=crash_fd)


def crash_file() -> TextIO:
    """For what is known of the end of this process."""
    assert _crash_fd is not None
    return open(_crash_fd, "w", closefd=False)


_crash_fd: int | None = None
# The process, and the descriptor, that the last request was for.
_shows_stacks: tuple[int, int | None] = (0, None)


def show_stacks_on_demand() -> None:
    """Let the supervisor have the stacks of all threads written down, whatever these are doing.

    The fault handler does it within the signal, and needs no lock of the interpreter. Of the signals it
    is the one for which programs have the least use; what it means by itself is that time is up.
    """
    global _shows_stacks
    wanted = os.getpid(), _crash_fd
    if _shows_stacks == wanted or _crash_fd is None or not hasattr(faulthandler, "register"):
        return
    _shows_stacks = wanted
    faulthandler.register(signal.SIGXCPU, file=_crash_fd, all_threads=True, chain=False)


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
    run_exit_functions()
    os._exit(code)


def has_let_go(but: set[int]) -> bool:
    """At a process's end: close every other descriptor. False where a thread may still use one."""
    if threading.active_count() > 1:
        return False
    for fd in map(int, os.listdir("/dev/fd")):
        if fd not in but:
            with contextlib.suppress(OSError):
                os.close(fd)
    return True


def _show_as_interpreter(error: BaseException) -> None:
    """The interpreter goes on after an error at its end, too, and says what it was."""
    import traceback

    what = "on threading shutdown:" if sys.version_info >= (3, 13) else f"in: {threading!r}"
    trace = error.__traceback__
    # Whoever has called it is C's.
    lines = traceback.format_tb(None if trace is None else trace.tb_next)
    kind = type(error)
    name = kind.__qualname__
    own = ("builtins", "__main__") if sys.version_info >= (3, 11) else ("builtins",)
    if kind.__module__ not in own:
        name = f"{kind.__module__}.{name}"
    text = f"Traceback (most recent call last):\n{''.join(lines)}{name}: {error}\n"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"Exception ignored {what}\n{text}")


def run_exit_functions() -> None:
    # What `Py_Finalize` does first; there is no public name for it. To do so twice makes no difference.
    try:
        threading._shutdown()  # type: ignore[attr-defined]
    except BaseException as error:  # an interrupt, say, while a thread is waited for
        _show_as_interpreter(error)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None:
        # What has been written by C's own means; the end of a process by `exit` would do it.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)
