"""Room on the terminal for a line of the supervisor's, below what pytest writes.

The supervisor writes that line by itself, at any time, and leaves the cursor where it was. What is
written here goes on at the cursor. Two things may come to the row below, and erase what is there: a
text of more than a letter, which may wrap, before it is written; and a new line, after it is. Not
before: a cursor that has come to the right margin still stands on the last letter, which to erase
from the cursor on would take away. Nothing of it happens where the output is not a terminal, or is
somebody else's: then there is no such line, and what is written is what pytest writes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from . import pytest_terminal

if TYPE_CHECKING:
    from .channel import Channel

# From the cursor to the end of the screen.
_ERASE: Final = "\x1b[J"

_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")

# Options with which the terminal is not only the report's, or waits for somebody.
_OPTIONS: Final = (
    "collectonly",
    "log_cli_level",
    "rpytest_no_progress",
    "setuponly",
    "setupplan",
    "setupshow",
    "trace",
    "usepdb",
)


def make(config: pytest.Config, channel: Channel) -> None:
    """Make room, if there may be a line, and say so."""
    stream = pytest_terminal.stream_of_the_terminal(config)
    if stream is None or not _may_be(config):
        return
    write = stream.write

    def write_above(text: str) -> int:
        written: int = write(_above(text))
        return written

    # Of the stream itself, not of the reporter: what a test prints with capture off goes there, too.
    stream.write = write_above
    config.pluginmanager.register(Debugging(channel), "rpytest-debugging")
    channel.send({"type": "makes_room", "room": True})


def _above(text: str) -> str:
    if text.startswith("\n"):
        return f"\n{_ERASE}{text[1:]}"
    # Letters of tests, with their colours, are written where there is room for them.
    letter = _COLOUR.sub("", text).strip(".")
    return _ERASE + text if len(letter) > 1 else text


def _may_be(config: pytest.Config) -> bool:
    option = config.option
    if any(getattr(option, name, None) for name in _OPTIONS):
        return False
    if getattr(option, "capture", "no") not in ("fd", "sys"):
        return False
    if config.pluginmanager.hasplugin("logging") and config.getini("log_cli"):
        return False
    if config.getini("console_output_style") == "classic":
        return False  # its letters wrap, one by one, into the row of the line
    environment = os.environ
    # pytest itself takes the last two for a sign that nobody watches.
    if any(environment.get(name) for name in ("CI", "BUILD_NUMBER")):
        return False
    if environment.get("RPYTEST_NO_PROGRESS", "") not in ("", "0"):
        return False
    return environment.get("TERM", "dumb") != "dumb"


class Debugging:
    """A plugin: while somebody debugs, the terminal is theirs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @pytest.hookimpl(tryfirst=True)
    def pytest_enter_pdb(self, config: pytest.Config, pdb: Any) -> None:
        self._channel.send({"type": "makes_room", "room": False})

    @pytest.hookimpl(trylast=True)
    def pytest_leave_pdb(self, config: pytest.Config, pdb: Any) -> None:
        self._channel.send({"type": "makes_room", "room": True})
