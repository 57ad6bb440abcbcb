"""From a fresh channel to a part to play: the handshake, then `start` or `host`."""

from __future__ import annotations

import gc
import os
import platform
import sys
from _socket import socket  # the module `socket` takes longer to import than to use
from typing import Any, NoReturn

import pytest

from . import host, pytest_compat, pytest_names, short_plugins
from .channel import Channel
from .spool import Spool

PROTOCOL = 1


class Process:
    """What a process of ours owns: its channel, and the file its fault handler writes to."""

    def __init__(self, channel_fd: int, crash_fd: int, spool_fd: int) -> None:
        self.channel = Channel(socket(fileno=channel_fd), spool=Spool(spool_fd))
        self.crash_fd = crash_fd
        # Whether it was started to say when each of its items starts.
        self.timed = False

    def close(self) -> None:
        self.channel.close()
        os.close(self.crash_fd)

    def greet(self) -> None:
        self.channel.send(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "pid": os.getpid(),
                "python": platform.python_version(),
                "pytest": pytest.__version__,
            }
        )
        answer = self.channel.recv()
        if answer is None or answer.get("protocol") != PROTOCOL:
            # The supervisor says on its side what is wrong; there is nobody else to tell.
            os._exit(1)


def run(fds: list[int], rewritten: str | None) -> NoReturn:
    """Play the part that the supervisor names, which hears interrupts once it is ready for them."""
    for fd in fds:
        os.set_inheritable(fd, False)
    process = Process(*fds)
    missing = pytest_names.no_session()
    if missing is not None:
        sys.exit(f"rpytest: error: {missing}; another version of pytest or of rpytest is needed")
    pytest_compat.preload()
    # Found out once, for all that are forked.
    pytest_names.no_short_cuts()
    # Imported here, and not by the module, so that a host has them before it forks.
    from . import controller, ending, rewriting  # noqa: F401

    if rewritten is not None:
        rewriting.install(rewritten)
    ending.START.look()
    # Before the collector is turned on: all that has been imported would be its first generation.
    gc.freeze()
    gc.enable()
    process.greet()
    command = process.channel.recv()
    while command is not None and command["type"] == "host":
        gc.freeze()
        # Returns in each child, never in the host.
        process = host.serve(process, after_first=prepare_workers)
        process.greet()
        command = process.channel.recv()
    if command is None:
        os._exit(0)
    play(process, command)


def prepare_workers() -> None:
    """Import what others need than the first fork of a host, which does not have to wait for that.

    Whoever takes the place of a process that has died must not depend on our files any more.
    """
    from . import focus, shards, template  # noqa: F401


def prepare_all_parts() -> None:
    """Import what any of the parts needs, in a host that forks for whoever comes."""
    from . import collecting, controller, resident, rewriting, warm  # noqa: F401

    prepare_workers()


def play(process: Process, start: dict[str, Any]) -> NoReturn:
    if not pytest_compat.is_genuine():
        short_plugins.install()
    # The others import their own: a host of one run does not take time for them.
    if start["type"] == "rewrite":
        from . import rewriting

        rewriting.help_with(process, start)
    if start.get("role") == "warm":
        from . import warm

        host.hear_interrupts()
        warm.run(process)
    process.timed = start.get("timed", False)
    argv = [os.fsdecode(argument) for argument in start["argv"]]
    sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest"), *argv]
    if start["type"] == "collect":
        from . import collecting

        host.hear_interrupts()
        collecting.run(process, start)
    if start["role"] == "resident":
        from . import resident

        host.hear_interrupts()
        resident.run(process, start)
    if start["role"] == "controller":
        from . import controller

        controller.run(process, start)
    from . import template

    template.run(process, start)
