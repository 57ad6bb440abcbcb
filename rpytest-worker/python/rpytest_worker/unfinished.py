"""Files, sockets and generators: whether there is anything that they would still do when they go.

A file would write what it has, or warn that it is open; a generator that waits within a `try` or a
`with` would run what follows.
"""

from __future__ import annotations

import _socket
import contextlib
import io
import itertools
import os
import sys
import types
from collections.abc import Iterator
from typing import Any, Final

from . import channel, known_endings

# Of all files, and those whose bytes are memory.
FILE: Final[type] = io.FileIO.__mro__[-2]
_IN_MEMORY: Final = (io.StringIO, io.BytesIO)
# What is beneath a file, by the class of the interpreter's that it is of.
_BENEATH: Final = {
    io.TextIOWrapper: "buffer",
    io.BufferedReader: "raw",
    io.BufferedWriter: "raw",
    io.BufferedRandom: "raw",
}
# What of a file is asked for when it goes.
_AT_THE_END: Final = frozenset(
    {"close", "closed", "flush", "write", "_dealloc_warn", "__getattr__", "__getattribute__"}
)
FRAMES: Final = {
    types.GeneratorType: ("gi_frame", "gi_running"),
    types.CoroutineType: ("cr_frame", "cr_running"),
    types.AsyncGeneratorType: ("ag_frame", "ag_running"),
}


def pending(thing: Any, warns: bool) -> str | None:
    """What would be noticed when it goes; if somebody `warns`, of what was not closed as well."""
    bases = type(thing).__mro__
    if FILE in bases:
        return _of_file(thing, warns)
    if _socket.socket in bases:
        is_open = warns and not channel.is_ours(thing) and _socket.socket.fileno(thing) >= 0
        return f"a {_name(thing)} is open" if is_open else None
    return _of_frame(thing)


def layers(stream: Any) -> list[Any]:
    """A file of text, of bytes, and of the system's, as far as they are there."""
    found: list[Any] = []
    with contextlib.suppress(Exception):  # it may be anything that somebody has put there
        while stream is not None and len(found) < 3:
            found.append(stream)
            stream = getattr(stream, "buffer", None) or getattr(stream, "raw", None)
    return found


def _of_file(file: Any, warns: bool) -> str | None:
    if type(file) in _IN_MEMORY or file.closed:
        return None
    if not _is_closed_by_known(file):
        return f"a {_name(file)} is open"
    if _is_in_memory(file):
        return None
    if warns and any(getattr(layer, "closefd", True) for layer in layers(file)[-1:]):
        return f"a {_name(file)} is open"
    if not file.writable() or getattr(file, "name", None) == os.devnull:
        return None
    if file.fileno() > 2:
        return f"a {_name(file)} is open"
    # The exit functions have flushed the standard ones, if that was possible. Of others for the same
    # output, such as that in whose place a test has put its own, nobody knows what comes first.
    streams = sys.stdout, sys.stderr
    standard = [*streams, *(getattr(stream, "buffer", None) for stream in streams)]
    if any(file is one for one in standard):
        file.flush()
        return None
    return None if type(file) is io.FileIO else "there is another standard output"


def _is_closed_by_known(file: Any) -> bool:
    """Whether all code that is called when it goes is the interpreter's, or has been read."""
    for own in (getattr(file, "__dict__", {}), *map(vars, _derived(file))):
        for name in _AT_THE_END & own.keys():
            if not known_endings.is_known_function(getattr(own[name], "fget", own[name])):
                return False
    return True


def _is_in_memory(file: Any) -> bool:
    """Whether it writes to memory alone. What is beneath it is asked about by itself."""
    while True:
        kind = type(file).__mro__[len(_derived(file))]
        if kind in _IN_MEMORY:
            return True
        if kind not in _BENEATH:
            return False
        file = getattr(file, _BENEATH[kind])


def _derived(file: Any) -> list[type]:
    """The classes of a file that are not the interpreter's."""
    return list(itertools.takewhile(lambda kind: kind.__module__ != "_io", type(file).__mro__))


def _of_frame(thing: Any) -> str | None:
    name, running = FRAMES[type(thing)]
    frame = getattr(thing, name)
    if frame is None or getattr(thing, running):
        return None
    if type(thing) is types.GeneratorType and thing.gi_yieldfrom is None and _may_stop_at(frame):
        return None
    return f"a {_name(thing)} is suspended"


def _may_stop_at(frame: types.FrameType) -> bool:
    """Whether a generator is within no `try` and no `with` where it waits, so that nothing follows when
    it is closed."""
    if not _HAS_TABLES:
        return False
    code = frame.f_code
    # It waits at an instruction, or behind it; both are part of the same `yield`.
    return all(_handler(code, frame.f_lasti + ahead) in _HARMLESS for ahead in (0, 2))


def _handler(code: Any, offset: int) -> bytes:
    """The first instructions of what follows an error at an offset; of nothing, none.

    The table is described in CPython's `InternalDocs/exception_handling.md`.
    """
    table = iter(code.co_exceptiontable)
    for first in table:
        start, length = _number(first, table), _number(next(table), table)
        target, _ = _number(next(table), table), _number(next(table), table)
        if start * 2 <= offset < (start + length) * 2:
            found: bytes = code.co_code[target * 2 : target * 2 + 4]
            return found
    return b""


def _number(byte: int, table: Iterator[int]) -> int:
    value = byte & 0x3F
    while byte & 0x40:
        byte = next(table)
        value = value << 6 | byte & 0x3F
    return value


def _name(thing: object) -> str:
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"


def _generator() -> Iterator[None]:
    yield


# Since Python 3.11 code has a table of what follows an error where.
_HAS_TABLES: Final = hasattr(_generator.__code__, "co_exceptiontable")
# Since 3.12 all of a generator is within something that turns a `StopIteration` into another error.
_HARMLESS: Final = {b""}
if _HAS_TABLES:
    _waiting: Any = _generator()
    next(_waiting)
    _HARMLESS.add(_handler(_waiting.gi_code, _waiting.gi_frame.f_lasti))
    del _waiting
