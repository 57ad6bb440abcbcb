"""Passes what a worker reported through the controller's hooks, as if it happened there."""

from __future__ import annotations

from typing import Any

import _pytest.junitxml
import pytest

from . import pytest_compat, pytest_terminal, reports
from .direct_delivery import DirectDelivery
from .onlookers import Onlookers


class Delivery:
    """Calls the hooks of a session for events of `reports.decode`.

    Plugins that know xdist look for `report.node`. pytest's terminal reporter does, too, and writes
    another format if it finds it; here it shall write what it does without workers. So where
    somebody else listens, it is hidden from the reporter, who is called in its turn: it finds out
    that a test of which a subtest has failed has failed as well, for those who come after it. A
    report has it while it is told, and so it is hidden from the reporter of JUnit XML, too, who
    looks for it again at the teardown.
    """

    def __init__(self, config: pytest.Config, with_nodes: bool = False) -> None:
        self._config = config
        self._hook = config.hook
        self._report = config.hook.pytest_runtest_logreport
        self._with_nodes = with_nodes and pytest_compat.others_listen(self._report)
        self._reporter = pytest_terminal.terminal_reporter(config)
        self._direct = DirectDelivery.when_equal(config)
        if self._with_nodes:
            for plugin in config.pluginmanager.get_plugins():
                if plugin is self._reporter or type(plugin) is _pytest.junitxml.LogXML:
                    pytest_terminal.hide_nodes(self._report, plugin)

    def defer(self) -> None:
        """From now on reports of items with nothing to show are made when somebody looks at them."""
        if self._direct is None or pytest_compat.is_genuine():
            return
        self._direct.defer()
        if self._direct.deferred is not None:
            Onlookers(self._config, deferred=self._direct.deferred).keep_watch()

    def events(self, events: reports.Events, node: Any = None) -> None:
        if self._direct is not None and events.__class__ is reports.Plain:
            self._direct.start(*events.start)
            self._direct.deliver([events])
            return
        if self._direct is not None:
            self._direct.note_report()
            self._direct.forget_path()
        hook = self._hook
        for kind, value in events:
            if kind == reports.REPORT:
                self._deliver(value, node)
            elif kind == reports.START:
                hook.pytest_runtest_logstart(nodeid=value[0], location=value[1])
            elif kind == reports.FINISH:
                hook.pytest_runtest_logfinish(nodeid=value[0], location=value[1])
            elif kind == reports.HIDDEN_REPORT:
                curtain = pytest_terminal.Curtain(self._reporter) if self._reporter else None
                self._deliver(value, node)
                if curtain is not None:
                    curtain.raise_()
            elif kind == reports.WARNING:
                hook.pytest_warning_recorded.call_historic(kwargs=value)

    def flush(self) -> None:
        """Show what has been written so far."""
        if self._direct is not None:
            self._direct.flush()

    def _deliver(self, report: Any, node: Any) -> None:
        if node is None or not self._with_nodes:
            self._report(report=report)
        else:
            report.worker_id = node.gateway.id
            report.testrun_uid = node.workerinput["testrunuid"]
            report.node = node
            self._report(report=report)
            # It would be shown with a failure, in the summary.
            del report.node


def crash(
    nodeid: str, location: Any, reason: str, worker: str | None, limit: str | None = None
) -> list[tuple[str, Any]]:
    """The events of an item whose process ended while it ran, or was ended for a limit."""
    whose = "the process" if worker is None else f"worker {worker!r}"
    text = f"{whose} crashed while running {nodeid!r}: {reason}"
    if limit is not None:
        text = f"{limit}\n{whose} was killed while running {nodeid!r}\n\n{reason}"
    report = pytest.TestReport(
        nodeid=nodeid,
        location=location,
        keywords={},
        outcome="failed",
        longrepr=text,
        when="call",
    )
    return [
        (reports.START, (nodeid, location)),
        (reports.REPORT, report),
        (reports.FINISH, (nodeid, location)),
    ]


def location_of(nodeid: str) -> tuple[str, None, str]:
    """As near to an item's location as its node id leads."""
    path, _, rest = nodeid.partition("::")
    return path, None, rest.replace("::", ".") or path
