"""A shorter `pytest_runtest_protocol`, for items for which it is known what pytest's own would do.

An item that passes and writes nothing spends nine tenths of its time in hook calls whose
implementations are pytest's own and come to nothing. Here the same functions of pytest's are called
without the plugin manager (fixtures, `runtest`, warnings, assertions, unraisable exceptions), capture
and log handlers stay in place from one phase to the next, and there are no report objects. As soon
as a phase has something to tell, its report is made by pytest's hooks, and the rest of the item is
pytest's.

It is taken only where every implementation of the hooks that it skips is known (`_KNOWN`), which is
looked at again for each item. `ShortProtocol.when_equal` says what else must hold for a session, and
`ShortProtocol.run` what must hold for an item.

This module and `pytest_compat` are the two that touch private names of pytest. It was read in, and is
tested against, pytest 8.0 to 9.2.
"""

from __future__ import annotations

import logging
import os
import sys
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
from _pytest.runner import CallInfo

from . import pytest_compat

Phase = tuple[float, float, float]
"""Seconds that a phase took, and when it started and stopped, since the epoch."""

# What becomes of an implementation of a hook: it is called as it is; it wraps, and is driven by hand;
# it does nothing under what `when_equal` and `run` make sure of, or is done here.
_CALL, _WRAP, _COVERED = "call", "wrap", "covered"

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
        "_pytest.threadexception.pytest_runtest_setup": _CALL,
        "_pytest.unraisableexception.pytest_runtest_setup": _CALL,
        # For marks that the item does not have.
        "_pytest.skipping.pytest_runtest_setup": _COVERED,
        "_pytest.capture.CaptureManager.pytest_runtest_setup": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_setup": _COVERED,
    },
    "pytest_runtest_call": {
        "_pytest.runner.pytest_runtest_call": _CALL,
        "_pytest.threadexception.pytest_runtest_call": _CALL,
        "_pytest.unraisableexception.pytest_runtest_call": _CALL,
        "_pytest.skipping.pytest_runtest_call": _COVERED,
        "_pytest.capture.CaptureManager.pytest_runtest_call": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_call": _COVERED,
    },
    "pytest_runtest_teardown": {
        "_pytest.runner.pytest_runtest_teardown": _CALL,
        "_pytest.threadexception.pytest_runtest_teardown": _CALL,
        "_pytest.unraisableexception.pytest_runtest_teardown": _CALL,
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


class ShortProtocol:
    """Runs items of one session in a worker."""

    @classmethod
    def when_equal(cls, session: pytest.Session) -> ShortProtocol | str:
        """The protocol, or why it may not be used in this session."""
        if os.environ.get("RPYTEST_GENUINE", "") not in ("", "0"):
            return "RPYTEST_GENUINE is set"
        config = session.config
        option = config.option
        for name in ("usepdb", "trace", "setupshow", "setuponly", "setupplan", "fulltrace"):
            if getattr(option, name, False):
                return f"--{name} is given"
        if getattr(option, "tbstyle", "auto") == "native":
            return "--tb=native shows how a test was called"
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
        found = _implementations(config)
        if isinstance(found, str):
            return found
        try:
            return cls(session, capture, logs, found)
        except AttributeError as error:  # a private name that this pytest does not have
            return f"pytest {pytest.__version__} is not known: {error}"

    def __init__(
        self,
        session: pytest.Session,
        capture: Any,
        logs: Any,
        implementations: dict[str, list[Any]],
    ) -> None:
        self._session = session
        self._hooks = [
            (caller._hookimpls, list(caller._hookimpls))
            for caller in (getattr(session.config.hook, name) for name in _KNOWN)
        ]
        self._wrappers: list[Callable[[pytest.Item], Generator[None, object, object]]] = [
            implementation.function for implementation in implementations["pytest_runtest_protocol"]
        ]
        self._calls = {
            when: [
                (implementation.function, "nextitem" in implementation.argnames)
                for implementation in implementations[f"pytest_runtest_{when}"]
            ]
            for when in _PHASES
        }
        self._capture = capture if capture is not None and capture._method == "fd" else None
        self._logs = logs
        self._root = logging.getLogger()
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
        _pytest.tmpdir.tmppath_result_key, _pytest.skipping.xfailed_key  # noqa: B018
        pytest.Stash()._storage  # noqa: B018
        _remember_hook_proxies(session)

    # ---------------------------------------------------------------- an item

    def takes(self, item: Any) -> bool:
        """Whether it is known what pytest would do with an item."""
        if item.__class__ is not pytest.Function:
            return False
        for live, known in self._hooks:
            if live != known:
                return False  # a plugin has come or gone
        self._watched = self._containers(item)
        return self._watched is not None

    def run(self, item: Any, nextitem: pytest.Item | None) -> list[Phase] | None:
        """Run an item that `takes` was asked about last.

        Returns what its phases took, if that is all there is to tell and no hook has been called;
        else its hooks have been.
        """
        if not item._request:
            item._initrequest()
        wrappers = []
        try:
            for wrapper in self._wrappers:
                generator = wrapper(item)
                next(generator)
                wrappers.append(generator)
            phases = self._run(item, nextitem)
        except BaseException as error:
            self.close()
            for generator in reversed(wrappers):
                try:
                    generator.throw(error)
                except BaseException as other:
                    error = other
            raise error from error.__cause__
        for generator in reversed(wrappers):
            try:
                generator.send(True)
            except StopIteration:
                continue
        return phases

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

    def _run(self, item: Any, nextitem: pytest.Item | None) -> list[Phase] | None:
        watched: list[Any] = self._watched or []
        marks = sum(map(len, watched))
        phases: list[Phase] = []
        storage = item.stash._storage
        passed: dict[str, bool] = {}
        try:
            for when in _PHASES:
                session = self._session
                if when == "teardown" and (session.shouldfail or session.shouldstop):
                    nextitem = None
                self._begin(storage, when)
                begun, started = time(), perf_counter()
                excinfo = None
                try:
                    for function, with_next in self._calls[when]:
                        if with_next:
                            function(item, nextitem)
                        else:
                            function(item)
                except BaseException as error:
                    # Without this frame: pytest's own is one that it does not show, either.
                    trace: Any = error.__traceback__ and error.__traceback__.tb_next
                    excinfo = ExceptionInfo.from_exc_info((type(error), error, trace))
                    if isinstance(error, (KeyboardInterrupt, pytest.exit.Exception)):
                        self._end(item, storage, when)
                        self._tell(item, phases)
                        raise
                self._end(item, storage, when)
                duration, stopped = perf_counter() - started, time()
                changed = sum(map(len, watched)) != marks
                if excinfo is None and not (
                    changed or item._report_sections or item.user_properties
                ):
                    phases.append((duration, begun, stopped))
                    if when == "setup":
                        storage[_pytest.tmpdir.tmppath_result_key] = passed
                    passed[when] = True
                    continue
                if changed and when == "call":
                    xfailed = _pytest.skipping.evaluate_xfail_marks(item)
                    item.stash[_pytest.skipping.xfailed_key] = xfailed
                call: Any = CallInfo(
                    start=begun,
                    stop=stopped,
                    duration=duration,
                    when=when,
                    result=None,
                    excinfo=excinfo,
                    _ispytest=True,
                )
                self._tell(item, phases)
                self._rest(item, nextitem, call)
                return None
            return phases
        finally:
            item._request = False
            item.funcargs = None

    def _tell(self, item: Any, phases: list[Phase]) -> None:
        """Let pytest's hooks know what has happened so far."""
        self.close()
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in plain_reports(item, phases):
            hook.pytest_runtest_logreport(report=report)

    def tell_passed(self, item: Any, phases: list[Phase]) -> None:
        """Call the hooks of an item that `run` has called none for."""
        self._tell(item, phases)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _rest(self, item: Any, nextitem: pytest.Item | None, call: Any) -> None:
        """Report a phase as pytest does, and let it run the others."""
        hook = item.ihook
        report = hook.pytest_runtest_makereport(item=item, call=call)
        hook.pytest_runtest_logreport(report=report)
        if _pytest.runner.check_interactive_exception(call, report):
            hook.pytest_exception_interact(node=item, call=call, report=report)
        if call.when == "setup" and report.passed:
            _pytest.runner.call_and_report(item, "call", True)
        if call.when != "teardown":
            if item.session.shouldfail or item.session.shouldstop:
                nextitem = None
            _pytest.runner.call_and_report(item, "teardown", True, nextitem=nextitem)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

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

    def _end(self, item: Any, storage: dict[Any, Any], when: str) -> None:
        """What they do at its end."""
        capture = self._capture
        if capture is not None:
            if capture._capture_fixture is not None:
                capture.deactivate_fixture()
            lseek, (out, err) = os.lseek, self._files
            if lseek(out, 0, os.SEEK_END) or lseek(err, 0, os.SEEK_END):
                written = capture.read_global_capture()
                item.add_report_section(when, "stdout", written.out)
                item.add_report_section(when, "stderr", written.err)
        logs = self._logs
        if logs is not None:
            if logs.report_handler.records:
                text = logs.report_handler.stream.getvalue().strip()
                item.add_report_section(when, "log", text)
            if when == "teardown":
                del storage[_pytest.logging.caplog_records_key]
                del storage[_pytest.logging.caplog_handler_key]

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


def plain_reports(item: Any, phases: list[Phase]) -> list[Any]:
    """The reports of phases that passed without anything to show."""
    nodeid: Any = item.nodeid
    keywords = {name: 1 for name in item.keywords}
    reports = []
    for when, (duration, begun, stopped) in zip(_PHASES, phases, strict=False):
        report = pytest_compat.plain_report(
            nodeid, item.location, keywords, when, duration, begun, stopped
        )
        nodeid = getattr(report, "_id", nodeid)
        reports.append(report)
    return reports


def _attaches_to_non_propagating() -> bool:
    """Since pytest 9.1 loggers that do not propagate are caught, too."""
    return "attached_loggers" in getattr(_pytest.logging.catching_logs, "__slots__", ())


_ATTACHES_TO_NON_PROPAGATING = _attaches_to_non_propagating()


def _faulthandler_timeout(config: pytest.Config) -> float:
    if not config.pluginmanager.hasplugin("faulthandler"):
        return 0.0
    return float(config.getini("faulthandler_timeout") or 0.0)


def _implementations(config: pytest.Config) -> dict[str, list[Any]] | str:
    """Those that are still called, of each hook, in their order; or the first that is not known."""
    found: dict[str, list[Any]] = {}
    for hook, known in _KNOWN.items():
        found[hook] = []
        for implementation in reversed(getattr(config.hook, hook).get_hookimpls()):
            plugin, function = implementation.plugin, implementation.function
            if pytest_compat.is_ours(plugin):
                continue
            name = f"{function.__module__}.{function.__qualname__}"
            fate = known.get(name)
            wraps = implementation.hookwrapper or implementation.wrapper
            if fate is None or (fate == _CALL and wraps) or (fate == _WRAP and not wraps):
                return f"{name} implements {hook}"
            if fate != _COVERED:
                found[hook].append(implementation)
    return found
