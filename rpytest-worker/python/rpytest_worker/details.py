"""Where items are and what could not be collected, for editors."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import pytest

from .inventory import wire_nodeid


class Details:
    def __init__(self) -> None:
        # Lines of classes, by node id; `None` where there is no source.
        self._classes: dict[str, int | None] = {}

    def add(self, runs: list[dict[str, Any]], items: Sequence[pytest.Item]) -> None:
        """To runs of items of one file, in the order of the items."""
        rest = iter(items)
        for run in runs:
            own = [next(rest) for _ in run["nodeids"]]
            run["details"] = [_details(item) for item in own]
            classes: dict[str, int] = {}
            for item in own:
                for node in item.listchain():
                    if isinstance(node, pytest.Class):
                        line = self._line_of(node)
                        name = wire_nodeid(node.nodeid).partition("::")[2]
                        classes.setdefault(name, line or 0)
            run["classes"] = list(classes.items())

    def error(self, node: Any, call: Any, report: pytest.CollectReport) -> dict[str, Any]:
        error = call.excinfo.value
        # What pytest's own error is about.
        cause = error.__cause__ if isinstance(error, pytest.Collector.CollectError) else error
        return {
            "nodeid": wire_nodeid(node.nodeid),
            "line": _line_of_error(cause, str(getattr(node, "path", ""))),
            "message": wire_nodeid(report.longreprtext),
        }

    def _line_of(self, node: pytest.Class) -> int | None:
        if node.nodeid not in self._classes:
            try:
                self._classes[node.nodeid] = inspect.findsource(node.obj)[1] + 1
            except (OSError, TypeError):
                self._classes[node.nodeid] = None
        return self._classes[node.nodeid]


def _details(item: pytest.Item) -> dict[str, Any]:
    line = item.location[1]
    return {
        "line": None if line is None else line + 1,
        "parametrized": hasattr(item, "callspec"),
        "marks": sorted({wire_nodeid(mark.name) for mark in item.iter_markers()}),
    }


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
