"""pytest's capture of standard output and error, in processes that were forked.

Private names, as in `pytest_compat`, and read in the same versions.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

import pytest


def is_capturing_descriptors(config: pytest.Config) -> bool:
    """Whether what is written to standard output now goes to a test's captured output."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capture = getattr(manager, "_global_capturing", None)
    return (
        capture is not None
        and capture.is_started()
        and getattr(capture.out, "targetfd", None) is not None
    )


def capture_files(config: pytest.Config, of: tuple[str, ...] = ("out", "err")) -> list[Any]:
    """What it reads back from, for output and for errors; what stands for input is `in_`."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capture = getattr(manager, "_global_capturing", None)
    return [getattr(getattr(capture, name, None), "tmpfile", None) for name in of]


def capture_descriptors(config: pytest.Config) -> list[int]:
    """The temporary files that `renew_capture_files` replaces."""
    found = []
    for file in capture_files(config):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            found.append(file.fileno())
    return found


def renew_capture_files(config: pytest.Config) -> None:
    """Give a forked process capture files of its own, behind the same objects and descriptors.

    A fork shares its parent's open files, offsets included. New files are put in place with
    `dup2`, so that whoever holds the stream objects (a logging handler made at import, say) goes
    on writing into the capture.
    """
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capture = getattr(manager, "_global_capturing", None)
    if capture is None:
        return
    for stream in (capture.out, capture.err):
        tmpfile = getattr(stream, "tmpfile", None)
        target = getattr(stream, "targetfd", None)
        if tmpfile is None or target is None:
            continue  # sys-level capture is in memory, and memory is not shared
        tmpfile.flush()
        with tempfile.TemporaryFile(buffering=0) as fresh:
            os.dup2(fresh.fileno(), tmpfile.fileno(), inheritable=False)
            if stream._state == "started":
                os.dup2(fresh.fileno(), target)


def _do_nothing() -> None:
    pass


class CaptureStreams:
    """What stands for standard output and error while a session captures.

    A fixture that stays up may have kept one of them, a handler of logging for one, and goes on writing
    to it in the sessions to come.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._streams = capture_files(config)

    def keep_open(self) -> None:
        """Though the session is about to end."""
        for stream in self._streams:
            if stream is not None:
                stream.close = _do_nothing

    def close(self) -> None:
        for stream in self._streams:
            if stream is not None:
                vars(stream).pop("close", None)
                stream.close()

    def follow(self, others: CaptureStreams) -> None:
        """Be where those of another session are, which captures descriptors, or nothing."""
        for target, (stream, other) in enumerate(
            zip(self._streams, others._streams, strict=True), 1
        ):
            if stream is not None:
                place = target if other is None else other.fileno()
                os.dup2(place, stream.fileno(), inheritable=False)


def drop_captured(config: pytest.Config) -> None:
    """Forget what the import of conftests has written, which else is written at the end.

    Where pytest collects, the report of the first collector takes it.
    """
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None and getattr(capture, "_global_capturing", None) is not None:
        capture.read_global_capture()
