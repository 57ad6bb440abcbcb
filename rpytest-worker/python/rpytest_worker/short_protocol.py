"""A shorter `pytest_runtest_protocol`, for items for which it is known what pytest's own would do.

An item that passes and writes nothing spends nine tenths of its time in hook calls whose
implementations are pytest's own and come to nothing. Here the same functions of pytest's are called
without the plugin manager (fixtures, `runtest`, warnings, assertions, unraisable exceptions), capture
and log handlers stay in place from one phase to the next, and there are no report objects. If a phase
has something to tell, it goes through pytest's own `call_and_report` after all, in which what has
been done already is not done again (`_report`), and the rest of the item is pytest's.

It is taken only where every implementation of the hooks that it skips is known (`_KNOWN`), or is one
that can be called as the plugin manager would, which is looked at again for each item.
`ShortProtocol.when_equal` says what else must hold for a session, and `ShortProtocol.refusal` what
must hold for an item.

This module and `pytest_compat` are the two that touch private names of pytest. It was read in, and is
tested against, pytest 8.0 to 9.2.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import types
from collections.abc import Callable, Generator
from time import perf_counter, time
from typing import Any, Final

import _pytest.capture
import _pytest.faulthandler
import _pytest.logging
import _pytest.runner
import _pytest.skipping
import _pytest.tmpdir
import pytest
from _pytest._code.code import ExceptionInfo

from . import pytest_compat

Phase = tuple[float, float, float]
"""Seconds that a phase took, and when it started and stopped, since the epoch."""


class Passed:
    """An item as far as it has come with nothing to tell."""

    __slots__ = ("item", "keywords", "phases")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.phases: list[Phase] = []
        # As they were when the first phase ended.
        self.keywords: dict[str, int] = {}

    def reports(self) -> list[Any]:
        """The reports that pytest would have made."""
        item = self.item
        nodeid: Any = item.nodeid
        reports = []
        for when, (duration, begun, stopped) in zip(_PHASES, self.phases, strict=False):
            report = pytest_compat.plain_report(
                nodeid, item.location, self.keywords, when, duration, begun, stopped
            )
            nodeid = getattr(report, "_id", nodeid)
            reports.append(report)
        return reports


# What becomes of an implementation of a hook: it is called as it is; it wraps, and is driven by hand;
# it tells of exceptions that were left in a queue, and does nothing while that is empty; it does
# nothing under what `when_equal` and `refusal` make sure of, or is done here.
_CALL, _WRAP, _QUEUE, _COVERED = "call", "wrap", "queue", "covered"

_KNOWN: Final[dict[str, dict[str, str]]] = {
    "pytest_runtest_protocol": {
        "_pytest.runner.pytest_runtest_protocol": _COVERED,
        "_pytest.assertion.pytest_runtest_protocol": _WRAP,
        "_pytest.warnings.pytest_runtest_protocol": _WRAP,
        # With a timeout only.
        "_pytest.faulthandler.pytest_runtest_protocol": _COVERED,
        # For items of unittest only.
        "_pytest.unittest.pytest_runtest_protocol": _COVERED,
    },
    "pytest_runtest_setup": {
        "_pytest.runner.pytest_runtest_setup": _CALL,
        "_pytest.nose.pytest_runtest_setup": _CALL,
        "_pytest.threadexception.pytest_runtest_setup": _QUEUE,
        "_pytest.unraisableexception.pytest_runtest_setup": _QUEUE,
        # For marks that the item does not have.
        "_pytest.skipping.pytest_runtest_setup": _COVERED,
        "_pytest.capture.CaptureManager.pytest_runtest_setup": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_setup": _COVERED,
    },
    "pytest_runtest_call": {
        "_pytest.runner.pytest_runtest_call": _CALL,
        "_pytest.threadexception.pytest_runtest_call": _QUEUE,
        "_pytest.unraisableexception.pytest_runtest_call": _QUEUE,
        "_pytest.skipping.pytest_runtest_call": _COVERED,
        "_pytest.capture.CaptureManager.pytest_runtest_call": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_call": _COVERED,
    },
    "pytest_runtest_teardown": {
        "_pytest.runner.pytest_runtest_teardown": _CALL,
        "_pytest.threadexception.pytest_runtest_teardown": _QUEUE,
        "_pytest.unraisableexception.pytest_runtest_teardown": _QUEUE,
        "_pytest.capture.CaptureManager.pytest_runtest_teardown": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_teardown": _COVERED,
    },
    # Of a phase that passed and has nothing to show.
    "pytest_runtest_makereport": {
        "_pytest.runner.pytest_runtest_makereport": _COVERED,
        "_pytest.skipping.pytest_runtest_makereport": _COVERED,
        "_pytest.unittest.pytest_runtest_makereport": _COVERED,
        "_pytest.tmpdir.pytest_runtest_makereport": _COVERED,
    },
    # Without live logs they only note where the item is.
    "pytest_runtest_logstart": {"_pytest.logging.LoggingPlugin.pytest_runtest_logstart": _COVERED},
    "pytest_runtest_logfinish": {
        "_pytest.logging.LoggingPlugin.pytest_runtest_logfinish": _COVERED
    },
    "pytest_runtest_logreport": {
        "_pytest.logging.LoggingPlugin.pytest_runtest_logreport": _COVERED,
        "_pytest.main.Session.pytest_runtest_logreport": _COVERED,
        # The controller's has the cache.
        "_pytest.cacheprovider.LFPlugin.pytest_runtest_logreport": _COVERED,
        # It writes to where a worker's terminal reporter does, which is nowhere.
        "_pytest.terminal.TerminalProgressPlugin.pytest_runtest_logreport": _COVERED,
    },
}

# An item that has one of these may end in another way than it would seem.
_MARKS: Final = frozenset({"skip", "skipif", "xfail"})

_PHASES: Final = ("setup", "call", "teardown")
_OF_PHASES: Final = frozenset(f"pytest_runtest_{when}" for when in _PHASES)
_ITEM: Final = ("item",)


# Hooks of which a caller with a terminal takes care itself (see `pytest_compat.DirectDelivery`).
_OF_REPORTS: Final = frozenset(
    {"pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish"}
)


class Tally:
    """How many items took which way, for `--explain`."""

    def __init__(self) -> None:
        self.short = 0
        self.genuine = 0
        self.reason: str | None = None

    def refused(self, reason: str) -> None:
        self.genuine += 1
        self.reason = self.reason or reason

    def message(self) -> dict[str, Any]:
        return {
            "type": "ways",
            "short": self.short,
            "genuine": self.genuine,
            "reason": self.reason,
        }


class ShortProtocol:
    """Runs items of one session."""

    @classmethod
    def when_equal(
        cls, session: pytest.Session, before_telling: Callable[[], None] | None = None
    ) -> ShortProtocol | str:
        """The protocol, or why it may not be used in this session.

        A caller that delivers the reports of items with nothing to tell itself has to do so
        `before_telling`: before hooks are called for another item.
        """
        if os.environ.get("RPYTEST_GENUINE", "") not in ("", "0"):
            return "RPYTEST_GENUINE is set"
        config = session.config
        option = config.option
        for name in ("usepdb", "trace", "setupshow", "setuponly", "setupplan"):
            if getattr(option, name, False):
                return f"--{name} is given"
        if _faulthandler_timeout(config) > 0:
            return "faulthandler_timeout is set"
        logs = config.pluginmanager.getplugin("logging-plugin")
        if logs is not None:
            if type(logs) is not _pytest.logging.LoggingPlugin:
                return "the plugin `logging-plugin` is not pytest's"
            if type(logs.log_cli_handler) is not _pytest.logging._LiveLoggingNullHandler:
                return "there are live logs"
            if logs.log_level is not None:
                return "log_level is set"
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            if type(capture) is not _pytest.capture.CaptureManager:
                return "the plugin `capturemanager` is not pytest's"
            if capture._method not in ("fd", "no"):
                return f"--capture={capture._method} is given"
        found = _implementations(config, _OF_REPORTS if before_telling else frozenset())
        if isinstance(found, str):
            return found
        try:
            return cls(session, capture, logs, found, before_telling or _do_nothing)
        except (AttributeError, LookupError, ValueError) as error:
            # A private name that this pytest lacks, or has in another way.
            return f"pytest {pytest.__version__} is not known: {error}"

    def __init__(
        self,
        session: pytest.Session,
        capture: Any,
        logs: Any,
        implementations: dict[str, list[Any]],
        before_telling: Callable[[], None],
    ) -> None:
        self._session = session
        self._before_telling = before_telling
        # The plugin manager's own lists, and what they held when the session started.
        self._live = [getattr(session.config.hook, name)._hookimpls for name in _KNOWN]
        self._known = [list(implementations) for implementations in self._live]
        self._wrappers: list[Callable[[pytest.Item], Generator[None, object, object]]] = [
            implementation.function for implementation in implementations["pytest_runtest_protocol"]
        ]
        self._implementations = {
            when: implementations[f"pytest_runtest_{when}"] for when in _PHASES
        }
        # Those of them that are in force for an item, by its hooks.
        self._calls: dict[Any, dict[str, list[tuple[Callable[..., object], tuple[str, ...]]]]] = {}
        self._capture = capture if capture is not None and capture._method == "fd" else None
        self._logs = logs
        self._root = logging.getLogger()
        self._queues = [session.config.stash[key] for key in _queue_keys(session.config)]
        # pytest's own implementations, which `_report` replaces.
        self._own = {
            when: _implementation(session, f"pytest_runtest_{when}", _pytest.runner)
            for when in (*_PHASES, "makereport")
        }
        if session.config.pluginmanager.hasplugin("skipping"):
            self._own["skipping"] = _implementation(
                session, "pytest_runtest_setup", _pytest.skipping
            )
        self._running: Passed | None = None
        self._open = False
        self._clean: dict[Any, tuple[list[Any], int]] = {}
        self._watched: list[Any] | None = None
        self._attached: dict[int, logging.Logger] = {}
        if self._capture is not None:
            capturing = self._capturing = self._capture._global_capturing
            # Whatever is missing is missed here, and not in the middle of a test.
            capturing._state, capturing.out.targetfd, capturing.out.syscapture.tmpfile  # noqa: B018
        if logs is not None:
            logs.caplog_handler.records, logs.report_handler.records  # noqa: B018
            _pytest.logging.caplog_records_key, _pytest.logging.caplog_handler_key  # noqa: B018
        _pytest.tmpdir.tmppath_result_key  # noqa: B018
        pytest.Stash()._storage  # noqa: B018
        _remember_hook_proxies(session)

    @property
    def captures(self) -> bool:
        """Whether what a test writes goes elsewhere than what is written about it."""
        return self._capture is not None

    # ---------------------------------------------------------------- an item

    def refusal(self, item: Any) -> str | None:
        """Why it is not known what pytest would do with an item; `None` if it is."""
        if item.__class__ is not pytest.Function:
            return f"{item.nodeid} is a {type(item).__name__}"
        if self._others_have_come():
            return "a plugin has come or gone since the session started"
        self._watched = self._containers(item)
        if self._watched is None:
            return f"{item.nodeid} has a mark `skip`, `skipif` or `xfail`"
        return None

    def _others_have_come(self) -> bool:
        return self._live != self._known

    def run(self, item: Any, nextitem: pytest.Item | None) -> Passed | None:
        """Run an item for which `refusal` has just found no reason.

        Returns it if there was nothing to tell, and no hook has been called; else its hooks have been.
        """
        if not item._request:
            item._initrequest()
        wrappers = []
        try:
            for wrapper in self._wrappers:
                generator = wrapper(item)
                next(generator)
                wrappers.append(generator)
            passed = self._run(item, nextitem)
        except BaseException as error:
            self.close()
            _throw(error, wrappers)
            raise
        for generator in reversed(wrappers):
            try:
                generator.send(True)
            except StopIteration:
                continue
        return passed

    def _containers(self, item: Any) -> list[Any] | None:
        """Where marks and keywords of the item are kept; `None` if it is for pytest."""
        for mark in item.own_markers:
            if mark.name in _MARKS:
                return None
        parent = item.parent
        found = self._clean.get(parent)
        if found is None or sum(map(len, found[0])) != found[1]:
            for mark in parent.iter_markers():
                if mark.name in _MARKS:
                    return None
            containers: list[Any] = []
            for node in parent.listchain():
                containers += (node.own_markers, node.keywords._markers)
            found = self._clean[parent] = containers, sum(map(len, containers))
        return [*found[0], item.own_markers, item.keywords._markers]

    def _run(self, item: Any, nextitem: pytest.Item | None) -> Passed | None:
        session = self._session
        watched: list[Any] = self._watched or []
        marks = sum(map(len, watched))
        hook = item.ihook
        calls = self._calls.get(hook) or self._calls_of(hook)
        run = self._running = Passed(item)
        phases = run.phases
        storage = item.stash._storage
        passed: dict[str, bool] = {}
        try:
            for when in _PHASES:
                if when == "teardown" and (session.shouldfail or session.shouldstop):
                    nextitem = None
                self._begin(storage, when)
                error = None
                begun, started = time(), perf_counter()
                try:
                    for function, argnames in calls[when]:
                        if argnames == _ITEM:
                            function(item)
                        else:
                            known = {"item": item, "nextitem": nextitem}
                            function(*[known[name] for name in argnames])
                except BaseException as raised:
                    # Without this frame.
                    trace = raised.__traceback__ and raised.__traceback__.tb_next
                    error = raised.with_traceback(trace)
                duration, stopped = perf_counter() - started, time()
                phase = duration, begun, stopped
                if (
                    self._has_something_to_tell()
                    or error is not None
                    or self._running is None
                    or item.user_properties
                    or item._report_sections
                    or sum(map(len, watched)) != marks
                    or self._others_have_come()
                ):
                    self._tell(run)
                    self._report(item, nextitem, when, phase, error)
                    return None
                phases.append(phase)
                if when == "setup":
                    run.keywords = dict.fromkeys(item.keywords, 1)
                    storage[_pytest.tmpdir.tmppath_result_key] = passed
                passed[when] = True
            if self._logs is not None:
                del storage[_pytest.logging.caplog_records_key]
                del storage[_pytest.logging.caplog_handler_key]
            return run
        except BaseException:
            self._tell(run)
            raise
        finally:
            self._running = None
            item._request = False
            item.funcargs = None

    def _calls_of(
        self, hook: Any
    ) -> dict[str, list[tuple[Callable[..., object], tuple[str, ...]]]]:
        """What to call in each phase of the items that have these hooks.

        A conftest is in force below its directory; elsewhere its hooks are left out.
        """
        removed = getattr(hook, "remove_mods", ())
        calls = self._calls[hook] = {
            when: [
                (implementation.function, implementation.argnames)
                for implementation in implementations
                if implementation.plugin not in removed
            ]
            for when, implementations in self._implementations.items()
        }
        return calls

    def tell_early(self) -> None:
        """Called when somebody else reports while an item runs, as subtests do."""
        running, self._running = self._running, None
        if running is None:
            return
        with contextlib.ExitStack() as stack:
            if self._capture is not None:
                stack.enter_context(self._capture.global_and_fixture_disabled())
            self._before_telling()
            self._call_hooks(running)

    def _tell(self, run: Passed) -> None:
        """Let pytest's hooks know what has happened so far."""
        self.close()
        if self._running is not None:
            self._running = None
            self._before_telling()
            self._call_hooks(run)

    def tell_passed(self, run: Passed) -> None:
        """Call the hooks of an item that `run` has called none for."""
        self.close()
        self._before_telling()
        self._call_hooks(run)
        item = run.item
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _call_hooks(self, run: Passed) -> None:
        item = run.item
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in run.reports():
            hook.pytest_runtest_logreport(report=report)

    def _report(
        self,
        item: Any,
        nextitem: pytest.Item | None,
        when: str,
        phase: Phase,
        error: BaseException | None,
    ) -> None:
        """Let pytest report a phase that has been run, and do what is left to be done."""
        records: list[Any] = []
        text = ""
        if self._logs is not None:
            # Where the plugin begins the phase, it forgets what was logged.
            records = self._logs.caplog_handler.records
            text = self._logs.report_handler.stream.getvalue().strip()

        def done(*_: object) -> None:
            if error is not None:
                raise error

        def makereport(item: Any, call: Any) -> Any:
            call.duration, call.start, call.stop = phase
            if call.excinfo is not None:
                trace = _without(done.__code__, call.excinfo.tb)
                value = call.excinfo.value.with_traceback(trace)
                call.excinfo = ExceptionInfo.from_exc_info((type(value), value, trace))
            item.add_report_section(when, "log", text)
            return genuine(item, call)

        # All that has been called, and what looks at marks before fixtures may add some.
        steps = dict.fromkeys(self._implementations[when], _do_nothing)
        if when == "setup" and "skipping" in self._own:
            steps[self._own["skipping"]] = _do_nothing
        genuine = self._own["makereport"].function
        steps |= {self._own[when]: done, self._own["makereport"]: makereport}
        functions = [implementation.function for implementation in steps]
        for implementation, function in steps.items():
            implementation.function = function
        arguments = {"nextitem": nextitem} if when == "teardown" else {}
        try:
            report = _pytest.runner.call_and_report(item, when, True, **arguments)  # type: ignore[arg-type]
        finally:
            for implementation, function in zip(steps, functions, strict=True):
                implementation.function = function
        if when != "teardown" and self._logs is not None:
            item.stash[_pytest.logging.caplog_records_key][when] = records
        if when == "setup" and report.passed:
            _pytest.runner.call_and_report(item, "call", True)
        if when != "teardown":
            if item.session.shouldfail or item.session.shouldstop:
                nextitem = None
            _pytest.runner.call_and_report(item, "teardown", True, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    # ---------------------------------------------------------------- capture and logs

    def _begin(self, storage: dict[Any, Any], when: str) -> None:
        """What capture and logging do at the beginning of a phase."""
        logs = self._logs
        if logs is not None:
            self._attach()
            caplog = logs.caplog_handler
            if caplog.records:
                caplog.reset()
            else:
                caplog.records = []  # the last phase's is somebody else's now
            if logs.report_handler.records:
                logs.report_handler.reset()
            if when == "setup":
                storage[_pytest.logging.caplog_records_key] = {}
            storage[_pytest.logging.caplog_records_key][when] = caplog.records
            storage[_pytest.logging.caplog_handler_key] = caplog
        capture = self._capture
        if capture is not None:
            capturing = self._capturing
            out, err = capturing.out, capturing.err
            if not self._open or capturing._state != "started":
                capture.resume_global_capture()
                self._files = [out.tmpfile.fileno(), err.tmpfile.fileno()]
            else:
                # Whatever the last phase has done to them.
                os.dup2(self._files[0], out.targetfd)
                os.dup2(self._files[1], err.targetfd)
                sys.stdout, sys.stderr = out.syscapture.tmpfile, err.syscapture.tmpfile
            if capture._capture_fixture is not None:
                capture.activate_fixture()
        self._open = True

    def _has_something_to_tell(self) -> bool:
        """Whether the phase that has ended wrote or logged, or left exceptions behind."""
        capture = self._capture
        if capture is not None:
            if capture._capture_fixture is not None:
                capture.deactivate_fixture()
            lseek, (out, err) = os.lseek, self._files
            if lseek(out, 0, os.SEEK_END) or lseek(err, 0, os.SEEK_END):
                return True
        if self._logs is not None and self._logs.report_handler.records:
            return True
        return any(self._queues)

    def _attach(self) -> None:
        """Have both log handlers where `catching_logs` would put them."""
        root = self._root
        logs = self._logs
        both = [logs.caplog_handler, logs.report_handler]
        if root.handlers[-2:] != both:
            for handler in both:
                root.removeHandler(handler)
                root.addHandler(handler)
        if not _ATTACHES_TO_NON_PROPAGATING:
            return
        attached = self._attached
        for logger in root.manager.loggerDict.values():
            if not isinstance(logger, logging.Logger):
                continue
            if not logger.propagate:
                if logger.handlers[-2:] != both:
                    for handler in both:
                        logger.removeHandler(handler)
                        logger.addHandler(handler)
                attached[id(logger)] = logger
            elif attached and attached.pop(id(logger), None) is not None:
                for handler in both:
                    logger.removeHandler(handler)

    def close(self) -> None:
        """Leave capture and logging as pytest does between two phases."""
        if not self._open:
            return
        self._open = False
        logs = self._logs
        if logs is not None:
            loggers = [self._root, *self._attached.values()]
            for handler in (logs.caplog_handler, logs.report_handler):
                for logger in loggers:
                    logger.removeHandler(handler)
            self._attached = {}
        if self._capture is not None:
            self._capture.suspend_global_capture(in_=False)


def _remember_hook_proxies(session: Any) -> None:
    """Find out once for each path which conftests are in force there; `Node.ihook` asks each time.

    After collection that does not change, unless a plugin comes or goes.
    """
    genuine = session.gethookproxy
    conftests = session.config.pluginmanager._conftest_plugins
    known: dict[Any, tuple[int, Any]] = {}

    def gethookproxy(fspath: Any) -> Any:
        count, proxy = known.get(fspath, (-1, None))
        if count != len(conftests):
            proxy = genuine(fspath)
            known[fspath] = len(conftests), proxy
        return proxy

    session.gethookproxy = gethookproxy


def _attaches_to_non_propagating() -> bool:
    """Since pytest 9.1 loggers that do not propagate are caught, too."""
    return "attached_loggers" in getattr(_pytest.logging.catching_logs, "__slots__", ())


_ATTACHES_TO_NON_PROPAGATING = _attaches_to_non_propagating()


def _faulthandler_timeout(config: pytest.Config) -> float:
    if not config.pluginmanager.hasplugin("faulthandler"):
        return 0.0
    return float(config.getini("faulthandler_timeout") or 0.0)


def _do_nothing(*_: object) -> None:
    pass


def _throw(error: BaseException, wrappers: list[Generator[None, object, object]]) -> None:
    """Let wrappers see what was raised within them, the innermost first."""
    for generator in reversed(wrappers):
        try:
            generator.throw(error)
        except BaseException as other:
            if other is not error:
                raise


def _implementation(session: pytest.Session, hook: str, plugin: object) -> Any:
    """The one implementation of a hook by a plugin of pytest's."""
    (found,) = [
        implementation
        for implementation in getattr(session.config.hook, hook).get_hookimpls()
        if implementation.plugin is plugin
    ]
    return found


def _queue_keys(config: pytest.Config) -> list[Any]:
    """Where pytest keeps exceptions that nobody catches, of the plugins that are on."""
    keys = []
    for plugin, key in (
        ("threadexception", "thread_exceptions"),
        ("unraisableexception", "unraisable_exceptions"),
    ):
        module = config.pluginmanager.getplugin(plugin)
        if module is not None:
            keys.append(getattr(module, key))
    return keys


def _without(code: Any, trace: Any) -> Any:
    """A traceback without the frame of a function that has raised what was raised before."""
    outer = []
    while trace is not None and trace.tb_frame.f_code is not code:
        outer.append(trace)
        trace = trace.tb_next
    inner = None if trace is None else trace.tb_next
    for entry in reversed(outer):
        inner = types.TracebackType(inner, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return inner


def _implementations(config: pytest.Config, apart: frozenset[str]) -> dict[str, list[Any]] | str:
    """Those that are still called, of each hook, in their order; or the first that is not known."""
    found: dict[str, list[Any]] = {}
    for hook, known in _KNOWN.items():
        found[hook] = []
        if hook in apart:
            continue
        fates = []
        for implementation in reversed(getattr(config.hook, hook).get_hookimpls()):
            plugin, function = implementation.plugin, implementation.function
            if pytest_compat.is_ours(plugin):
                continue
            name = f"{function.__module__}.{function.__qualname__}"
            fate = known.get(name)
            wraps = implementation.hookwrapper or implementation.wrapper
            if fate is None and hook in _OF_PHASES and not wraps:
                # It is called where the plugin manager would call it: within capture and logging, after
                # marks were looked at, and before what is left in queues is.
                early = hook == "pytest_runtest_setup" and _COVERED not in fates
                fate = None if early or _QUEUE in fates else _CALL
            if fate is None or (fate in (_CALL, _QUEUE) and wraps) or (fate == _WRAP and not wraps):
                return f"{name} implements {hook}"
            if not wraps:
                fates.append(fate)
            if fate in (_CALL, _WRAP):
                found[hook].append(implementation)
    return found
