"""A host: a process with one thread that has reached a stage and forks on request.

`serve` answers the supervisor until it says `shutdown`. In each child it returns a new `Process`
with the child's own channel; in the host itself it never returns.

The supervisor may interrupt a child as soon as it knows of it, which is before the child has come to
itself: the handler that counts a host's interrupts is still in place, and nothing would come of one.
So SIGINT is blocked from before the fork until the child calls `hear_interrupts`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import HERE

if TYPE_CHECKING:
    from .entry import Process

PR_SET_PDEATHSIG = 1
# Of a process of ours: its channel, its crash file, its spool. What comes after them with a message is
# for its standard input, output and error, and for those that its borrower has inherited besides.
OWN_DESCRIPTORS = 3
# By when a signal that has reached one process of a group has reached all of them.
_SPREAD_SECONDS = 0.005


@functools.cache
def _prctl() -> Any:
    """The system call of that name; `None` where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        # What `ctypes` is made of: to import the whole takes longer than a fork.
        import _ctypes

        itself: Any = None
        address = _ctypes.dlsym(_ctypes.dlopen(itself, 0), "prctl")
        call = _ctypes.call_function
    except (ImportError, OSError, AttributeError):
        return None
    return lambda option, value: call(address, (option, value))


def _die_with_parent() -> None:
    """Let the kernel end this process when its host ends, and the hosts with the supervisor.

    A process that waits for its channel notices for itself; one in the middle of a test does not.
    """
    prctl = _prctl()
    if prctl is None:
        return
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hold_interrupts() -> None:
    """From here on an interrupt waits for `hear_interrupts`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def hear_interrupts() -> None:
    """This process is ready for an interrupt; one that has come since `hold_interrupts` strikes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class _Signals:
    """While a host serves, a signal only wakes it up."""

    def __init__(self) -> None:
        self.interrupts = 0
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._child = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._interrupt = signal.signal(signal.SIGINT, self._count)

    def _count(self, *_: object) -> None:
        self.interrupts += 1

    def forget_interrupts(self) -> None:
        """While they are held: those that have come so far."""
        self.interrupts = 0
        if signal.SIGINT in signal.sigpending():
            signal.sigwait({signal.SIGINT})

    def fileno(self) -> int:
        return self._read

    def descriptors(self) -> set[int]:
        """What `restore` closes."""
        return {self._read, self._write}

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def restore(self) -> None:
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, self._child)
        signal.signal(signal.SIGINT, self._interrupt)
        os.close(self._read)
        os.close(self._write)


def serve(
    process: Process, flushes: bool = True, after_first: Callable[[], None] | None = None
) -> Process:
    """Fork a child for each `fork` message. Returns in the children only, with interrupts held.

    Without `flushes`, what is in the buffers of the standard streams is each child's to write.
    `after_first` is called when the first child is on its way.
    """
    from . import afterfork, entry

    _prctl()  # found once, and not in each child
    hold_interrupts()
    signals = _Signals()
    # Those that came while the interpreter started are the supervisor's to handle.
    signals.forget_interrupts()
    hear_interrupts()
    has_forked = False
    children: set[int] = set()
    channel = process.channel
    while True:
        both: list[Any] = [channel, signals]
        readable, _, _ = select.select(both, [], [])
        if signals in readable:
            signals.drain()
        for pid in list(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.discard(pid)
                # Whoever does not wait for that may be gone.
                with contextlib.suppress(OSError):
                    channel.send(_exited(pid, status))
        if channel not in readable:
            continue
        message, fds = channel.recv_with_fds()
        if message is None or message["type"] == "shutdown":
            # No exit handlers: they belong to the children. What it has borrowed it gives back before
            # its channel closes, which is taken for its end.
            afterfork.has_let_go({channel.fileno()})
            os._exit(0)
        elif message["type"] == "probe":
            # A signal to a group of processes reaches one after the other.
            time.sleep(_SPREAD_SECONDS)
            channel.send(
                {"type": "probed", "token": message["token"], "interrupts": signals.interrupts}
            )
        elif message["type"] == "look":
            # Only a daemon asks, and what it keeps an interpreter for is not known yet.
            entry.prepare_all_parts()
            channel.send({"type": "grown", "refusals": [], "looked": _loaded()})
        elif message["type"] in ("fork", "lend"):
            lease = message if message["type"] == "lend" else None
            if flushes:
                sys.stdout.flush()
                sys.stderr.flush()
            hold_interrupts()
            # A host forks the controller first, which knows of none that came before.
            child = _fork(message["child"], process, signals, fds, lease, forgets=not has_forked)
            if child is not None and not isinstance(child, int):
                in_child: Process = child
                return in_child
            hear_interrupts()
            if child is not None:
                if not has_forked and after_first is not None:
                    # Whoever misses something later says so.
                    with contextlib.suppress(ImportError, OSError):
                        after_first()
                has_forked = True
                children.add(child)


def _loaded() -> dict[str, list[bytes]]:
    """The files of the modules that are loaded, and where others would come from."""
    from . import touches

    # Ours lie in a directory that is named by what is in it.
    files = {touches.file_of(module) for module in list(sys.modules.values())}
    paths = {path for path in files if path and not os.path.abspath(path).startswith(HERE)}
    paths |= {os.path.join(sys.prefix, "pyvenv.cfg"), sys.executable}
    paths = {os.path.abspath(path) for path in paths}
    directories = {os.path.abspath(path) for path in sys.path if path}
    missing = {path for path in paths | directories if not touches.is_there(path)}
    return touches.looked(paths, missing, directories)


def _fork(
    number: int,
    process: Process,
    signals: _Signals,
    fds: list[int],
    lease: dict[str, Any] | None,
    forgets: bool,
) -> Any:
    """The child's pid in the host, `None` if there is no child, its `Process` in the child."""
    from . import afterfork
    from .entry import Process

    try:
        if lease is not None:
            own = {process.channel.fileno(), process.crash_fd, *signals.descriptors()}
            fds = afterfork.make_room(fds, lease["inherited"], own)
        if threading.active_count() > 1:
            # Of a thread that holds a lock, a fork keeps the lock and loses the thread.
            raise OSError("the interpreter runs threads before anything is imported")
        if forgets:
            signals.forget_interrupts()
        pid = os.fork()
    except OSError as error:
        for fd in fds:
            os.close(fd)
        process.channel.send({"type": "fork_failed", "child": number, "reason": str(error)})
        return None
    if pid == 0:
        signals.restore()
        process.close()
        if lease is None or lease["tied"]:
            _die_with_parent()
        child = Process(*fds[:OWN_DESCRIPTORS])
        if lease is not None:
            afterfork.move_in(lease, fds[OWN_DESCRIPTORS:])
        return child
    for fd in fds:
        os.close(fd)
    process.channel.send({"type": "forked", "child": number, "pid": pid})
    return pid


def _exited(pid: int, status: int) -> dict[str, Any]:
    signaled = os.WIFSIGNALED(status)
    return {
        "type": "exited",
        "pid": pid,
        "code": None if signaled else os.WEXITSTATUS(status),
        "signal": os.WTERMSIG(status) if signaled else None,
    }
