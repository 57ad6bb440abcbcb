"""A run of one shard of what the command line names.

Whoever collects has the supervisor divide the items, which it does in the same way on every machine,
and deselects those of the other shards. What was collected and selected is as in any other run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from . import inventory, pytest_compat

if TYPE_CHECKING:
    from .channel import Channel


class Shard:
    """The plugin of whoever collects for such a run."""

    def __init__(self, channel: Callable[[], Channel]) -> None:
        self._channel = channel
        self._line = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        # Registered last, its wrapper is the outermost: it has the last word.
        session.config.pluginmanager.register(_Division(self), "rpytest-division")

    def divide(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        addresses = [{"nodeid": nodeid, "nth": nth} for nodeid, nth in inventory.keys(items)]
        channel = self._channel()
        channel.send({"type": "divide", "items": addresses})
        answer = channel.recv()
        while answer is not None and answer["type"] != "share":
            answer = channel.recv()
        if answer is None:
            os._exit(3)  # the supervisor is gone; it was to print why
        self._line = answer["line"]
        ours = set(answer["tasks"])
        others = [item for position, item in enumerate(items) if position not in ours]
        if others:
            items[:] = [item for position, item in enumerate(items) if position in ours]
            config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(trylast=True)
    def pytest_report_collectionfinish(self) -> str | list[str]:
        return self._line or []


class _Division:
    """Divides when everybody else has selected."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Any:
        result = yield
        self._shard.divide(config, items)
        return result


class Artifacts:
    """The plugin of the controller of such a run, which tells what files there are at its end."""

    def __init__(self, channel: Callable[[], Channel]) -> None:
        self._channel = channel
        self._files: dict[str, str | None] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        # The directory for what is kept of the shard is pytest's to make.
        cache = getattr(session.config, "cache", None)
        if cache is not None:
            with contextlib.suppress(OSError):
                cache.mkdir("rpytest")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        config = session.config
        self._files = {
            "junit": pytest_compat.junit_file(config),
            "coverage": _coverage_file(config),
        }

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """When they have been written."""
        files = {name: path and os.fsencode(path) for name, path in self._files.items()}
        if files:
            self._channel().send({"type": "artifacts", **files})


def _coverage_file(config: pytest.Config) -> str | None:
    """Where pytest-cov has its data; by coverage's own, public names."""
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    for name in ("combining_cov", "cov"):
        coverage = getattr(controller, name, None)
        if coverage is not None:
            return os.path.abspath(str(coverage.get_option("run:data_file")))
    return None
