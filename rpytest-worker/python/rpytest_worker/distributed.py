"""A session whose tests run in workers.

Reports are delivered in collection order, so that what is written reads as pytest's does, and every
plugin sees the order that it knows. On a terminal, where somebody watches, results are shown as
they come and are put in order before the summary.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from . import (
    afterfork,
    delivery,
    pytest_capture,
    pytest_compat,
    pytest_terminal,
    quarantine,
    recorded_warnings,
    reports,
    room,
)
from .channel import Channel
from .telling import Teller

Events = reports.Events


class Node:
    """A worker as xdist's hooks know it."""

    def __init__(
        self, config: pytest.Config, manager: Any, worker: str, count: int, testrunuid: str
    ) -> None:
        self.config = config
        self.nodemanager = manager
        spec = SimpleNamespace(
            popen=True, chdir=None, id=worker, python=None, execmodel=None, env={}
        )
        remote = SimpleNamespace(
            executable=sys.executable,
            version_info=tuple(sys.version_info),
            platform=sys.platform,
            cwd=os.getcwd(),
        )
        # execnet's `_rinfo` has an underscore, but plugins (pytest-cov) call it.
        self.gateway = SimpleNamespace(id=worker, spec=spec, _rinfo=lambda update=False: remote)
        self.workerinput: dict[str, Any] = {
            "workerid": worker,
            "workercount": count,
            "testrunuid": testrunuid,
            "mainargv": sys.argv,
        }
        self.workerinfo: dict[str, Any] = {
            "version": sys.version,
            "version_info": tuple(sys.version_info),
            "sysplatform": sys.platform,
            "executable": sys.executable,
            "cwd": os.getcwd(),
            "id": worker,
            "spec": spec,
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.gateway.id}>"

    def shutdown(self) -> None:
        """Workers are ended by the supervisor."""


class EarlyStart:
    """A plugin that starts a session before pytest has prepared it and written its header.

    The template waits for its input, and what pytest does there takes as long as a small
    collection. Under xdist, plugins have begun their session by then: where there are any, so they
    have here.
    """

    def __init__(self, distributed: Distributed) -> None:
        self._distributed = distributed

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not pytest_compat.others_listen(session.config.hook.pytest_sessionstart):
            self._distributed.start(session)


class Distributed:
    """The plugin of such a session."""

    def __init__(
        self,
        channel: Channel,
        config: pytest.Config,
        teller: Teller,
        workers: int,
        dist: str,
        testrunuid: str,
        isolate: str,
    ) -> None:
        self._channel = channel
        self._teller = teller
        teller.is_muted = lambda: self._delivers
        # Whether what items have told, of which there are stories, goes through the hooks.
        self._delivers = False
        self._config = config
        self._workers = workers
        self._dist = dist
        self._testrunuid = testrunuid
        self._session: Any = None
        self._nodes: dict[str, Node] = {}
        self._manager = SimpleNamespace(
            config=config, roots=[], specs=["popen"] * workers, testrunuid=testrunuid
        )
        self._base_temp: str | None = None
        self._delivery: delivery.Delivery | None = None
        self._live = False
        self._nodeids: list[str] = []
        self._waiting: dict[int, list[tuple[Events, Node | None]]] = {}
        self._next = 0
        self._failures = 0
        self._stopping: str | None = None
        self._over = False
        self._counted = False
        self._error: str | None = None
        self._interrupt: tuple[str, str] | None = None
        self._interrupted = False
        self._raised = False
        self._exitstatus: int | None = None
        self._abandoned: list[tuple[str, tuple[str, int | None, str]]] = []

    # ---------------------------------------------------------------- start

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self._session is not session:
            self.start(session)

    def start(self, session: pytest.Session) -> None:
        """Give each worker its input."""
        self._session = session
        self._base_temp = pytest_compat.base_temp(self._config)
        reporter = pytest_terminal.terminal_reporter(self._config)
        if reporter is not None and pytest_terminal.is_on_terminal(reporter):
            self._live = True
            reporter.showfspath = False
        self._delivery = delivery.Delivery(self._config, with_nodes=True)
        self._delivery.defer()
        specs = [SimpleNamespace(popen=True, chdir=None) for _ in range(self._workers)]
        self._config.hook.pytest_xdist_setupnodes(config=self._config, specs=specs)
        nodes = [self._add_node(f"gw{number}") for number in range(self._workers)]
        shared = [{**node.workerinput, "workerid": None} for node in nodes]
        differ = any(values != shared[0] for values in shared)
        for node in nodes:
            self._send_input(node, differ)

    def _add_node(self, worker: str) -> Node:
        config = self._config
        node = Node(config, self._manager, worker, self._workers, self._testrunuid)
        self._nodes[worker] = node
        config.hook.pytest_xdist_newgateway(gateway=node.gateway)
        config.hook.pytest_configure_node(node=node)
        return node

    def _send_input(self, node: Node, differ: bool = False) -> None:
        values = {
            "workerinput": node.workerinput,
            "differ": differ,
            "basetemp": self._base_temp,
            "dist": self._dist,
        }
        worker = node.gateway.id
        self._channel.send(
            {"type": "worker_input", "worker": worker, "payload": reports.dump(values)}
        )

    # ---------------------------------------------------------------- collection

    @pytest.hookimpl
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Wait for the items of whoever collects."""
        pytest_capture.drop_captured(self._config)
        while not self._nodeids and not self._over:
            message = self._receive()
            if message["event"]["kind"] == "collected":
                self._collected(marshal.loads(message["event"]["payload"]))
                self._tell(message["event"]["line"])
                break
            self._handle(message)
        else:
            # Where a collection stops at an error (`-x`), the session has failed.
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
        return True

    def _collected(self, data: dict[str, Any]) -> None:
        session, config = self._session, self._config
        self._nodeids = data["nodeids"]
        if (excuses := quarantine.of(config)) is not None:
            excuses.collected(self._nodeids)
        session.testscollected = len(self._nodeids)
        reporter = pytest_terminal.terminal_reporter(config)
        if reporter is not None and config.getini("console_output_style") == "times":
            # To know where a file ends, the reporter counts the session's items by their location.
            stand_ins: list[Any] = [
                SimpleNamespace(nodeid=nodeid, location=delivery.location_of(nodeid))
                for nodeid in self._nodeids
            ]
            session.items = stand_ins
        # What stops a session after collection stops it here, too.
        session.shouldstop = session.shouldstop or data["shouldstop"]
        session.shouldfail = session.shouldfail or data["shouldfail"]
        self._teller.collected(config, len(self._nodeids))
        room.make(config, self._channel)
        pytest_compat.adopt_cached_nodeids(config, self._nodeids)
        pytest_compat.adopt_passed_collectors(config, data["passed_collectors"])
        for node in list(self._nodes.values()):
            config.hook.pytest_xdist_node_collection_finished(node=node, ids=self._nodeids)

    def _tell(self, line: str | None) -> None:
        """What there is to say of the plan, where more is said than must be."""
        reporter = pytest_terminal.terminal_reporter(self._config)
        if reporter is not None and line and self._config.option.verbose > 0:
            reporter.write_line(line)

    # ---------------------------------------------------------------- the loop

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            self._stop_run("errors during collection")
            raise session.Interrupted(
                f"{session.testsfailed} error{'s' if session.testsfailed != 1 else ''}"
                " during collection"
            )
        if session.shouldfail or session.shouldstop:
            self._stop_run(str(session.shouldfail or session.shouldstop))
        quarantine.tests_begin(self._config)
        # Errors of the collection count, if the run went on in spite of them.
        self._failures = session.testsfailed
        try:
            self._until_over()
        except KeyboardInterrupt:
            self._interrupted = True
            # The supervisor has interrupted the workers as well. They tear down, and what they
            # have finished by then still counts.
            self._until_over()
            self._release_all()
            self._show_abandoned()
            raise
        self._release_all()
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        return True

    def _until_over(self) -> None:
        with afterfork.rare_garbage_collection():
            while not self._over:
                self._handle(self._receive())
        if self._delivery is not None:
            self._delivery.flush()

    def _receive(self) -> dict[str, Any]:
        message = self._channel.recv_nowait()
        if message is None:
            # Nothing more to show for now: what has been written must be seen.
            if self._delivery is not None:
                self._delivery.flush()
            message = self._channel.recv()
        if message is None:
            os._exit(3)  # the supervisor is gone; it was to print why
        return message

    def _handle(self, message: dict[str, Any]) -> None:
        event, worker = message["event"], message["worker"]
        kind = event["kind"]
        if kind == "result":
            events = reports.decode(event["payload"], self._config)
            self._item_ended(event["task"], events, self._nodes.get(worker))
        elif kind == "crashed":
            self._crashed(event["task"], worker, event["reason"], event["limit"])
        elif kind == "relay":
            self._relayed(*marshal.loads(event["payload"]))
        elif kind == "up":
            self._config.hook.pytest_testnodeready(node=self._nodes[worker])
        elif kind == "down":
            self._node_down(worker, event)
        elif kind == "collected":
            pass  # a further worker that collects for itself
        elif kind == "done":
            self._over = True
            self._error = event["error"]

    def _node_down(self, worker: str, event: dict[str, Any]) -> None:
        node = self._nodes[worker]
        error = event["error"]
        if event["payload"] is not None:
            data = marshal.loads(event["payload"])
            node.workeroutput = output = data["output"]  # type: ignore[attr-defined]
            self._interrupt = self._interrupt or data["interrupt"]
            for name in ("shouldstop", "shouldfail"):
                # Under `-x` the controller counts for itself, over all workers.
                if output.get(name) and not self._stopping and not self._session.shouldfail:
                    setattr(self._session, name, output[name])
                    self._stop_run(str(output[name]))
        self._config.hook.pytest_testnodedown(node=node, error=error)
        if event["replaced_by"] is not None:
            self._send_input(self._add_node(event["replaced_by"]))

    def _relayed(self, kind: str, value: Any) -> None:
        config = self._config
        if kind == "collectreport":
            report = reports.deserialize(marshal.loads(value), config)
            config.hook.pytest_collectreport(report=report)
        elif kind == "warning":
            recorded = recorded_warnings.deserialize(value)
            config.hook.pytest_warning_recorded.call_historic(kwargs=recorded)
        elif kind == "counts":
            reporter = pytest_terminal.terminal_reporter(config)
            if reporter is not None and not self._counted:
                pytest_terminal.show_collected(reporter, *value)
            self._counted = True
        elif kind == "suite_property":
            pytest_compat.add_suite_property(config, *value)
        elif kind == "abandoned":
            self._abandoned.append(value)
        elif kind in ("usage_error", "exit") and self._raised:
            pass  # told again on its way out of the worker, or by the next one
        elif kind == "usage_error":
            self._raised = True
            self._stop_run("usage error")
            raise pytest.UsageError(*value)
        elif kind == "exit":
            self._raised = True
            self._stop_run(value[0])
            self._show_abandoned()
            raise pytest.exit.Exception(value[0], value[1])
        elif kind == "keyboard_interrupt":
            self._interrupt = self._interrupt or value
            if not self._interrupted:
                # Raised by a test, or by the user: then ours is on its way. It would say nothing
                # new, and a second one of the user's is the supervisor's to handle.
                self._interrupted = True
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                self._stop_run("interrupted")
                raise KeyboardInterrupt
        elif kind in ("internal_error", "failure"):
            self._internal_error(value)

    def _show_abandoned(self) -> None:
        """Items that an interrupt struck have started, as far as the report is concerned."""
        for nodeid, location in self._abandoned:
            self._config.hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
        self._abandoned.clear()

    def _internal_error(self, text: str) -> None:
        reporter = pytest_terminal.terminal_reporter(self._config)
        if reporter is not None:
            for line in text.rstrip("\n").split("\n"):
                reporter.write_line("INTERNALERROR> " + line)
        self._exitstatus = int(pytest.ExitCode.INTERNAL_ERROR)
        self._stop_run("internal error")

    # ---------------------------------------------------------------- results

    def _crashed(self, task: int, worker: str, reason: str, limit: str | None) -> None:
        nodeid = self._nodeids[task]
        events = delivery.crash(nodeid, delivery.location_of(nodeid), reason, worker, limit)
        report = events[1][1]
        if (excuses := quarantine.of(self._config)) is not None:
            excuses.excuse(report)
        scheduler = SimpleNamespace(config=self._config, mark_test_pending=lambda nodeid: None)
        self._config.hook.pytest_handlecrashitem(crashitem=nodeid, report=report, sched=scheduler)
        if report.outcome == "rerun":
            # What crashed is not run again, whoever asked for it.
            report.outcome = "failed"
        self._item_ended(task, events, self._nodes.get(worker))

    def _item_ended(self, task: int, events: Events, node: Node | None) -> None:
        self._count_failures(events)
        if self._live:
            self._deliver(events, node)
            return
        self._waiting.setdefault(task, []).append((events, node))
        if self._dist == "each":
            return  # an item has as many results as there are workers; see `_release_all`
        while self._next in self._waiting:
            for ready in self._waiting.pop(self._next):
                self._deliver(*ready)
            self._next += 1

    def _deliver(self, events: Events, node: Node | None) -> None:
        assert self._delivery is not None
        self._delivers = True
        try:
            self._delivery.events(events, node)
        finally:
            self._delivers = False
        session = self._session
        if session.shouldfail or session.shouldstop:
            self._stop_run(str(session.shouldfail or session.shouldstop))

    def _release_all(self) -> None:
        """Deliver what still waits for an item that will not come."""
        for task in sorted(self._waiting):
            for ready in self._waiting[task]:
                self._deliver(*ready)
        self._waiting.clear()

    def _count_failures(self, events: Events) -> None:
        """Stop the run as soon as the failure is known, though it may be shown later."""
        maxfail = self._config.getvalue("maxfail")
        if not maxfail or events.__class__ is reports.Plain:
            return
        for kind, value in events:
            if (
                kind in (reports.REPORT, reports.HIDDEN_REPORT)
                and value.failed
                and not hasattr(value, "wasxfail")
            ):
                self._failures += 1
        if self._failures >= maxfail:
            self._stop_run(f"stopping after {self._failures} failures")

    def _stop_run(self, reason: str) -> None:
        if self._stopping is None:
            self._stopping = reason
            self._channel.send({"type": "stop_run", "reason": reason})

    # ---------------------------------------------------------------- end

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        if self._interrupt is not None:
            pytest_terminal.show_interrupt_at(self._config, *self._interrupt)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Any:
        reporter = pytest_terminal.terminal_reporter(self._config)
        if not self._over:
            self._stop_run("the session ended")
        if session.exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            # A hook has failed here, and would fail again on what is still to come.
            self._waiting.clear()
            while not self._over:
                message = self._receive()
                self._over = message["event"]["kind"] == "done"
        elif not self._over:
            self._until_over()
        self._release_all()
        if self._live and reporter is not None:
            self._put_in_order(reporter)
        if self._error is not None and reporter is not None:
            reporter.write_line(f"rpytest: {self._error}", red=True)
            self._exitstatus = int(pytest.ExitCode.INTERNAL_ERROR)
        if self._exitstatus is not None:
            session.exitstatus = self._exitstatus
        try:
            return (yield)
        finally:
            # pytest collects garbage several times over when it unconfigures, for the sake of
            # finalizers. Once will do where no test ran, and the reports are not garbage.
            gc.collect()
            gc.freeze()

    def _put_in_order(self, reporter: Any) -> None:
        position = {nodeid: index for index, nodeid in enumerate(self._nodeids)}
        for entries in reporter.stats.values():
            if all(hasattr(entry, "nodeid") and hasattr(entry, "when") for entry in entries):
                entries.sort(key=lambda entry: position.get(entry.nodeid, -1))
