"""A session that only collects, for whoever prints the answer.

It is a genuine one, with the user's own arguments, but for two things: files of which the items are
known are left out, and what it writes goes into a file. Whoever asked compares that with what such a
session writes when nothing out of the ordinary happens, so that a warning, an error, or a plugin's
summary is seen without being understood.
"""

from __future__ import annotations

import collections
import contextlib
import os
import platform
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import afterfork, collection, pytest_compat, pytest_terminal, surroundings
from .collection import ShortStart
from .details import Details
from .dialect import Dialect
from .touches import Touches

if TYPE_CHECKING:
    from .entry import Process


def run(process: Process, message: dict[str, Any]) -> NoReturn:
    search_path = list(sys.path)
    output = _redirect_output()
    touches = Touches()
    skip = {os.fsdecode(path) for path in message["skip"]}
    plugin = Collecting(skip, touches, Details() if message["detailed"] else None)
    code: Any = 3
    try:
        code = pytest_compat.run_console([Dialect(), ShortStart(), plugin])
    except SystemExit as error:  # a plugin's, or a conftest's
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    touches.stop()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    answer = plugin.answer
    answer["surroundings"]["search_path"] = [os.fsencode(path) for path in search_path]
    with open(output, "rb") as written:
        written.seek(0)
        answer["output"] = written.read()
    process.channel.send(
        {"type": "collection", **answer, "exit": int(code), "touched": touches.message()}
    )
    process.close()
    # Whatever the user's code would do at exit, it does in a session of its own.
    afterfork.exit_quickly(0)


def _redirect_output() -> int:
    """Puts a file in the place of the standard output and error, and returns a descriptor for it."""
    with tempfile.TemporaryFile(buffering=0) as file:
        for target in (1, 2):
            os.dup2(file.fileno(), target)
        return os.dup(file.fileno())


class Collecting:
    """The plugin that notes what is collected."""

    def __init__(self, skip: set[str], touches: Touches, details: Details | None) -> None:
        self._skip = skip
        self._details = details
        self._touches = touches
        self._early: set[int] = set()
        self._skipped = 0
        self.answer: dict[str, Any] = {
            "files": [],
            "collected": 0,
            "deselected": [],
            "skipped": 0,
            "wide": [],
            "exit": 0,
            "output": b"",
            "cache_dir": None,
            "rootdir": None,
            "surroundings": {
                "fixtures": [],
                "hooks": [],
                "project_hooks": [],
                "marks": [],
                "search_path": [],
                "modules": sorted({*sys.builtin_module_names, *sys.stdlib_module_names}),
                "python": platform.python_version(),
                "pytest": pytest.__version__,
            },
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        # Whatever is there by now came with the environment or the command line.
        self._early = {id(plugin) for plugin in early_config.pluginmanager.get_plugins()}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Any:
        with collection.built_here(session):
            return (yield)

    def ignores(self, path: str) -> bool:
        """Known to `short_walk`, too."""
        return path in self._skip

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Any) -> bool | None:
        return True if self.ignores(str(collection_path)) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        if self._details is not None and isinstance(report, pytest.CollectReport):
            self.answer.setdefault("errors", []).append(self._details.error(node, call, report))

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._skipped += report.skipped

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        config = session.config
        with self._touches.paused():
            self.answer.update(
                files=_by_file(session.items),
                wide=surroundings.files_with_wide_parameters(session.items),
                collected=pytest_terminal.numcollected(config) or 0,
                deselected=_count_by_file(pytest_terminal.deselected(config)),
                skipped=self._skipped,
                cache_dir=_cache_dir(config),
                rootdir=os.fsencode(config.rootpath),
                stops=bool(session.shouldfail),
            )
            if self._details is not None:
                self._details.add(self.answer["files"], session.items)
            found = self.answer["surroundings"]
            plugins = surroundings.Plugins(config, self._early)
            found["fixtures"] = plugins.fixtures(session)
            found["hooks"], found["project_hooks"] = plugins.hooks()
            found["marks"] = sorted(
                {line.split(":")[0].split("(")[0].strip() for line in config.getini("markers")}
            )


def _by_file(items: list[pytest.Item]) -> list[dict[str, Any]]:
    """The node ids, in runs of those of one file."""
    runs: list[dict[str, Any]] = []
    for item in items:
        nodeid = _text(str(item.nodeid))
        path = nodeid.partition("::")[0]
        if not runs or runs[-1]["path"] != path:
            runs.append({"path": path, "nodeids": []})
        runs[-1]["nodeids"].append(nodeid)
    return runs


def _count_by_file(nodeids: list[str]) -> list[dict[str, Any]]:
    counts = collections.Counter(_text(nodeid).partition("::")[0] for nodeid in nodeids)
    return [{"path": path, "count": count} for path, count in counts.items()]


def _text(nodeid: str) -> str:
    return nodeid.encode("utf-8", "backslashreplace").decode()


def _cache_dir(config: pytest.Config) -> bytes | None:
    """A directory of ours in pytest's cache, which pytest makes."""
    cache = getattr(config, "cache", None)  # not there without its plugin
    if cache is None:
        return None
    try:
        return os.fsencode(cache.mkdir("rpytest"))
    except OSError:
        return None
