"""Where items are and what could not be collected, for editors."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Sequence
from typing import Any

import pytest

from .inventory import wire_nodeid


class Details:
    def __init__(self) -> None:
        # Lines of classes, by node id, and whether they are in another file; `None` where there is
        # no source.
        self._classes: dict[str, tuple[int | None, bool]] = {}

    def add(self, runs: list[dict[str, Any]], items: Sequence[pytest.Item]) -> None:
        """To runs of items of one file, in the order of the items."""
        rest = iter(items)
        for run in runs:
            own = [next(rest) for _ in run["nodeids"]]
            run["details"] = [_details(item) for item in own]
            classes: dict[str, int] = {}
            elsewhere: set[str] = set()
            for item in own:
                for node in item.listchain():
                    if isinstance(node, pytest.Class):
                        line, is_elsewhere = self._place_of(node)
                        name = wire_nodeid(node.nodeid).partition("::")[2]
                        classes.setdefault(name, line or 0)
                        if is_elsewhere:
                            elsewhere.add(name)
            run["classes"] = list(classes.items())
            run["elsewhere"] = sorted(elsewhere)

    def error(self, node: Any, call: Any, report: pytest.CollectReport) -> dict[str, Any]:
        error = call.excinfo.value
        # What pytest's own error is about.
        cause = error.__cause__ if isinstance(error, pytest.Collector.CollectError) else error
        return {
            "nodeid": wire_nodeid(node.nodeid),
            "line": _line_of_error(cause, str(getattr(node, "path", ""))),
            "message": wire_nodeid(report.longreprtext),
        }

    def _place_of(self, node: pytest.Class) -> tuple[int | None, bool]:
        if node.nodeid not in self._classes:
            place: tuple[int | None, bool] = None, False
            with contextlib.suppress(OSError, TypeError):
                line = inspect.findsource(node.obj)[1] + 1
                place = line, _is_elsewhere(inspect.getsourcefile(node.obj), node)
            self._classes[node.nodeid] = place
        return self._classes[node.nodeid]


def _details(item: pytest.Item) -> dict[str, Any]:
    file, line, _ = item.location
    return {
        "line": None if line is None else line + 1,
        # What is inherited or imported has the line of the file that defines it.
        "elsewhere": _is_elsewhere(os.path.join(item.config.rootpath, file), item),
        "parametrized": hasattr(item, "callspec"),
        "marks": sorted({wire_nodeid(mark.name) for mark in item.iter_markers()}),
    }


def _is_elsewhere(file: str | None, node: pytest.Class | pytest.Item) -> bool:
    """Whether a file is another one than that of a node."""
    if file is None or os.path.normpath(file) == str(node.path):
        return False
    try:
        return not os.path.samefile(file, node.path)
    except OSError:
        return True


def _line_of_error(error: BaseException | None, path: str) -> int | None:
    """The last line of the file that was being run, or the one that could not be read."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    line = None
    trace = None if error is None else error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
