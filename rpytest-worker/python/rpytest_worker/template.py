"""A template configures and collects as an xdist worker does; then it is forked into workers.

A worker that cannot be forked from a template (see `sharing`) goes through the same code and runs
tests itself where a template would have begun to serve forks.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import (
    afterfork,
    audit,
    collection,
    dialect,
    host,
    inventory,
    pytest_compat,
    pytest_reports,
    pytest_terminal,
    quarantine,
    recorded_warnings,
    reports,
    sharing,
)
from .collection import ShortStart
from .dialect import Dialect
from .focus import Focus
from .garbage import Garbage
from .recorder import Recorder
from .runner import Runner
from .shards import Shard

if TYPE_CHECKING:
    from .entry import Process


def run(process: Process, start: dict[str, Any]) -> NoReturn:
    _detach()
    identity = start["worker"]
    os.environ["PYTEST_XDIST_TESTRUNUID"] = identity["testrunuid"]
    os.environ["PYTEST_XDIST_WORKER"] = identity["id"]
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(identity["count"])
    plugin = Template(process, start)
    code = 0
    plugins: list[Any] = [Dialect(), ShortStart(), plugin]
    if start["focus"] is not None:
        wish = start["focus"]
        tells = not start["sharded"]
        plugins.append(Focus(wish, lambda: plugin.channel, lambda: plugin.recorder, tells=tells))
    if start["sharded"]:
        plugins.append(Shard(lambda: plugin.channel))
    try:
        host.hear_interrupts()
        config = pytest_compat.prepare_config(sys.argv[1:], plugins)
        try:
            plugin.become_worker(config)
            plugin.mute_warnings()
            code = config.hook.pytest_cmdline_main(config=config) or 0
        finally:
            pytest_compat.ensure_unconfigure(config)
    except KeyboardInterrupt:  # the controller has been interrupted as well
        code = 2
    except BaseException as error:
        if plugin.has_finished:
            # In `pytest_unconfigure`, say. As with xdist, it changes nothing of what has come of the
            # session; but it is said.
            with contextlib.suppress(OSError, ValueError):
                text = f"rpytest: {plugin.worker_id}, at its end:\n{plugin.describe(error)}"
                sys.stderr.write(text)
        elif isinstance(error, pytest.UsageError):
            plugin.relay("usage_error", [str(argument) for argument in error.args])
            code = 4
        else:  # the controller has to know, whatever it is
            plugin.relay("failure", plugin.describe(error), ends_run=True)
            code = 3
    afterfork.exit_quickly(int(code))


def _detach() -> None:
    """Leave the terminal to the controller.

    In a process group of its own a worker is interrupted by the supervisor only, and once; and it
    reads nothing, as under xdist.
    """
    os.setpgid(0, 0)
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)


class Template:
    """The plugin of a template and of the workers that it becomes."""

    def __init__(self, process: Process, start: dict[str, Any]) -> None:
        self.process = process
        self.channel = process.channel
        self.worker_id: str = start["worker"]["id"]
        self.may_serve = start["role"] == "template"
        self._listens: bool = start["listens"]
        self.watch: sharing.Watch | None = sharing.Watch() if self.may_serve else None
        self._garbage = Garbage()
        # Whether the controller has heard all that the session has to tell.
        self.has_finished = False
        self.recorder: Recorder | None = None
        self.runner: Runner | None = None
        self.dist = "load"
        self.base_temp: str | None = None
        self._collectors: dict[str, list[str]] = {}
        self._failed_collectors: set[str] = set()
        self._muted: Any = None
        self._interrupt: tuple[str, str] | None = None
        self._interrupted = False
        self._end_muting: Callable[[], None] = lambda: None

    # ---------------------------------------------------------------- relaying

    def relay(self, kind: str, value: Any, ends_run: bool = False) -> None:
        payload = reports.dump((kind, value))
        self.channel.send({"type": "relay", "payload": payload, "ends_run": ends_run})

    def describe(self, error: BaseException) -> str:
        import traceback

        return "".join(traceback.format_exception(error))

    # ---------------------------------------------------------------- becoming a worker

    def become_worker(self, config: pytest.Config) -> None:
        """Take on the `workerinput` that the controller's plugins have filled."""
        message = self.channel.recv()
        if message is None or message["type"] != "configure":
            os._exit(0)
        import marshal

        values = marshal.loads(message["payload"])
        workerinput = values["workerinput"]
        # A template that was started before there was a plan knows only now.
        os.environ["PYTEST_XDIST_TESTRUNUID"] = workerinput["testrunuid"]
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(workerinput["workercount"])
        self.base_temp = values["basetemp"]
        self.dist = values["dist"]
        option = config.option
        option.loadgroup = self.dist == "loadgroup"
        option.looponfail = False
        option.usepdb = False
        given = dialect.worker_options(config)
        given.dist = "no"
        given.distload = False
        given.numprocesses = None
        given.maxprocesses = None
        given.tx = []
        if hasattr(option, "clean_alluredir"):
            # The controller has cleaned it. xdist's workers clean it again, before any test; one that
            # is configured later would take away what others have written.
            option.clean_alluredir = False
        if self.base_temp is not None:
            option.basetemp = os.path.join(self.base_temp, f"popen-{self.worker_id}")
        pytest_compat.set_prog(config, workerinput["mainargv"])
        if self.watch is not None:
            workerinput = self.watch.workerinput(workerinput)
            if values["differ"]:
                self.watch.note("pytest_configure_node gives workers different values")
        config.workerinput = workerinput  # type: ignore[attr-defined]
        config.workeroutput = {}  # type: ignore[attr-defined]
        dialect.be_present(config)
        self.recorder = Recorder(self.channel, config, self.process.timed)
        self.recorder.listens = self._listens
        config.pluginmanager.register(self.recorder, "rpytest-recorder")
        config.pluginmanager.register(self.recorder.shared, "rpytest-shared-fixtures")

    def change_identity(self, config: pytest.Config, start: dict[str, Any]) -> None:
        """In a fork: become the worker that the supervisor asked for."""
        identity = start["worker"]
        self.worker_id = identity["id"]
        os.environ["PYTEST_XDIST_WORKER"] = self.worker_id
        # In place: a plugin may hold on to it.
        config.workerinput["workerid"] = self.worker_id  # type: ignore[attr-defined]
        if self.base_temp is not None:
            path = os.path.join(self.base_temp, f"popen-{self.worker_id}")
            config.option.basetemp = path
            is_isolated = config.option.rpytest_isolate != "none"
            pytest_compat.move_base_temp(config, path, is_isolated)
        assert self.recorder is not None
        self.recorder.channel = self.channel
        self.recorder.timed = start["timed"]

    def mute_warnings(self) -> None:
        """Until the session starts, pytest records no warnings: they go to standard error.

        The controller's plugins are configured, too, and have warned there already.
        """
        show = warnings.showwarning
        muted = True

        def show_if_not_muted(*args: Any, **kwargs: Any) -> None:
            if not muted:
                show(*args, **kwargs)

        def end() -> None:
            nonlocal muted
            muted = False
            if warnings.showwarning is show_if_not_muted:
                warnings.showwarning = show

        warnings.showwarning = show_if_not_muted
        self._end_muting = end

    # ---------------------------------------------------------------- hooks of the session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> Any:
        # In every process whose options have `-n`, pytest-cov begins as a controller would, and
        # erases the data files that it finds. xdist's workers all do so before any of them has
        # data; here one may start, or replace another, after a first has saved its own.
        options = early_config.known_args_namespace
        if hasattr(options, "cov_append"):
            options.cov_append = True
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._mute_reporter(config)
        self._failed_collectors = pytest_compat.failed_collectors(config)
        dialect.accommodate(config)
        pytest_compat.stand_in_for_junit(config, lambda value: self.relay("suite_property", value))

    def _mute_reporter(self, config: pytest.Config) -> None:
        reporter = pytest_terminal.terminal_reporter(config)
        if reporter is not None and reporter is not self._muted:
            self._muted = reporter
            pytest_terminal.mute(reporter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            config = self.session.config
            data = reports.serialize(report, config)
            self.relay("collectreport", data)
        elif report.nodeid in self._failed_collectors:
            self._collectors[report.nodeid] = [
                node.nodeid for node in report.result if isinstance(node, pytest.Item)
            ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        # A plugin may have put its own in the place of the reporter that was muted.
        self._mute_reporter(session.config)
        self._end_muting()

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(
        self, warning_message: Any, when: Any, nodeid: str, location: Any
    ) -> None:
        recorded = {
            "warning_message": warning_message,
            "when": when,
            "nodeid": nodeid,
            "location": location,
        }
        if self.recorder is not None and self.recorder.warned(recorded):
            return
        # The controller has loaded the same initial conftests, and has their warnings.
        if when != "config":
            self.relay("warning", recorded_warnings.serialize(recorded))

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        self.relay("internal_error", str(excrepr), ends_run=True)

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self._interrupted = True
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.relay("exit", (str(excinfo.value), excinfo.value.returncode))
        else:
            self._interrupt = pytest_reports.shown_location(self.session.config, excinfo)
            self.relay("keyboard_interrupt", self._interrupt)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Any:
        messages: list[dict[str, Any]] = []
        try:
            with collection.shorter(session, lambda: self.channel) as messages:
                return (yield)
        except pytest.UsageError as error:
            self.relay("usage_error", [str(argument) for argument in error.args])
            raise
        finally:
            for message in messages:
                self.channel.send(message)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Also called when the collection fails for a wrong argument: the counts come first."""
        config = session.config
        lines = config.hook.pytest_report_collectionfinish(
            config=config,
            start_path=config.invocation_params.dir,
            items=session.items,
        )
        deselected = pytest_terminal.deselected(config)
        collected = pytest_terminal.numcollected(config)
        if collected is None:
            collected = len(session.items) + len(deselected)
        self.relay("counts", (collected, deselected, lines))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        config = session.config
        addresses = list(inventory.keys(session.items))
        self._announce(session, addresses)
        # Here, and not in each fork: to find out how items may be run takes longer than many of them.
        assert self.recorder is not None
        items = dict(zip(addresses, session.items, strict=True))
        self.runner = Runner(self.channel, session, items, self.recorder)
        if self.may_serve and not self.unshareable:
            # What was collected stays as it is. Out of the collector's sight it is not looked through
            # again in every worker, and its pages stay shared. What is garbage goes first, so that it
            # is finalised (and may warn) as it would be without a fork.
            gc.collect()
            gc.freeze()
            audit.show_all()
            self.process = host.serve(self.process)  # returns in each worker
            self.channel = self.process.channel
            self.process.greet()
            start = self.channel.recv()
            if start is None:
                os._exit(0)
            os.setpgid(0, 0)
            afterfork.renew(config)
            assert self.watch is not None
            self.watch.generators.renew()
            self.change_identity(config, start)
            self.runner.channel = self.channel
            host.hear_interrupts()
        else:
            config.pluginmanager.register(self._garbage, "rpytest-garbage")
        afterfork.watch_crashes(self.process.crash_fd)
        quarantine.tests_begin(config)
        self.runner.run()
        return True

    def _announce(self, session: pytest.Session, addresses: list[inventory.Key]) -> None:
        config = session.config
        payload = {
            "passed_collectors": self._collectors,
            "nodeids": [item.nodeid for item in session.items],
            "shouldstop": session.shouldstop,
            "shouldfail": session.shouldfail,
        }
        self.unshareable = (
            self.watch.stop(config) if self.watch is not None else ["no template is shared"]
        )
        items = session.items
        if session.testsfailed and not config.option.continue_on_collection_errors:
            # The controller ends the run, but a fast worker would have begun by then: offer nothing.
            items, addresses = [], []
        self.channel.send(
            {
                "type": "inventory",
                "items": inventory.entries(items, addresses, self.dist),
                "unshareable": self.unshareable,
                "payload": reports.dump(payload),
            }
        )

    def _stopped_by(self, session: pytest.Session, exitstatus: int) -> str | None:
        """Why this worker leaves undone what it was given: then no other shall do it, either."""
        if self._interrupted or exitstatus == 2:
            return "interrupted"
        return str(session.shouldfail or session.shouldstop or "") or None

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        config = session.config
        output = config.workeroutput  # type: ignore[attr-defined]
        output["exitstatus"] = int(exitstatus)
        output["shouldfail"] = session.shouldfail
        output["shouldstop"] = session.shouldstop
        try:
            result = yield
            # An error of usage is raised once more after that.
            self.has_finished = exitstatus != pytest.ExitCode.USAGE_ERROR
            return result
        finally:
            if self.recorder is not None:
                self.recorder.flush()
            self.channel.send(
                {
                    "type": "finished",
                    "payload": reports.dump({"output": output, "interrupt": self._interrupt}),
                    "error": self._stopped_by(session, exitstatus),
                }
            )
