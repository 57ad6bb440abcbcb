"""A shorter `pytest_runtest_protocol`, for items for which it is known what pytest's own would do.

An item that passes and writes nothing spends nine tenths of its time in hook calls whose
implementations are pytest's own and come to nothing. Here the same functions of pytest's are called
without the plugin manager (fixtures, `runtest`, warnings, assertions, unraisable exceptions), capture
and log handlers stay in place from one phase to the next, and there are no report objects. A phase in
which no code but pytest's could run is not watched, and where a test function would be called by nobody
else, it is called here.

If a phase has something to tell, it is reported: by a report with sections if it has passed, and else
by pytest's own `call_and_report`, in which what has been done already is not done again (`_report`).

It is taken only where every implementation of the hooks that it skips is known (`known_hooks`), or is
one that can be called as the plugin manager would, which is looked at again for each item.
`ShortProtocol.when_equal` says what else must hold for a session, and `ShortProtocol.refusal` what
must hold for an item.

Private names of pytest are touched here, in `item_output`, `item_warnings` and `pytest_compat`. It
was read in, and is tested against, pytest 8.0 to 9.2.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Callable, Generator
from time import perf_counter, time
from typing import Any, Final

import _pytest.assertion
import _pytest.capture
import _pytest.faulthandler
import _pytest.logging
import _pytest.nodes
import _pytest.python
import _pytest.runner
import _pytest.skipping
import _pytest.tmpdir
import _pytest.unittest
import _pytest.warnings
import pytest
from _pytest._code.code import ExceptionInfo

from . import known_hooks, pytest_compat
from .item_output import ItemOutput
from .item_warnings import ItemWarnings
from .known_hooks import PHASES

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
        nodeid: Any = pytest_compat.report_id(item)
        location, keywords = item.location, self.keywords
        return [
            pytest_compat.plain_report(nodeid, location, keywords, when, *phase)
            for when, phase in zip(PHASES, self.phases, strict=False)
        ]


# An item that has one of these may end in another way than it would seem.
_MARKS: Final = frozenset({"skip", "skipif", "xfail"})

_ITEM: Final = ("item",)
_CURRENT: Final = "PYTEST_CURRENT_TEST"

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


class _Parent:
    """What the items of one collector have in common, for as long as it stays as it is."""

    __slots__ = (
        "calls", "conftests", "containers", "depth", "filters", "hook", "keywords", "length", "node",
        "plain", "prefix", "refusal", "skips",
    )  # fmt: skip

    node: Any
    # Where marks and keywords of the collector and of those above it are, and how many there are.
    containers: list[Any]
    length: int
    keywords: dict[str, int]
    # Whether there is a mark `skip` or `skipif`, a mark `filterwarnings`, and one that is for pytest.
    skips: bool
    filters: bool
    refusal: bool
    depth: int
    # What stands before a function's name in `Item.location`.
    prefix: str
    hook: Any
    conftests: int
    # What to call in each phase, and whether that is pytest's alone.
    calls: dict[str, list[tuple[Callable[..., object], tuple[str, ...]]]]
    plain: bool


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
        if pytest_compat.is_traced(config):
            return "calls of hooks are traced"
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
        found = known_hooks.implementations(config, _OF_REPORTS if before_telling else frozenset())
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
        config = session.config
        self._session = session
        self._before_telling = before_telling
        self._output = ItemOutput(capture, logs, [config.stash[key] for key in _queue_keys(config)])
        # The plugin manager's own lists, and what they held when the session started.
        names = (*known_hooks.KNOWN, "pytest_pyfunc_call")
        self._live = [getattr(config.hook, name)._hookimpls for name in names]
        self._known = [list(implementations) for implementations in self._live]
        self._conftests = config.pluginmanager._conftest_plugins
        wrappers = [one.function for one in implementations["pytest_runtest_protocol"]]
        self._wrappers: list[Callable[[pytest.Item], Generator[None, object, object]]] = wrappers
        self._warnings: ItemWarnings | None = None
        with contextlib.suppress(Exception):
            # A filter that cannot be parsed is pytest's to complain about.
            self._warnings = ItemWarnings.of(config)
        of_warnings = _pytest.warnings.pytest_runtest_protocol
        if of_warnings not in wrappers:
            self._warnings = None
        self._other_wrappers = [one for one in wrappers if one is not of_warnings]
        self._implementations = {when: implementations[f"pytest_runtest_{when}"] for when in PHASES}
        # pytest's own implementations, which `_report` replaces.
        self._own = {
            when: _implementation(session, f"pytest_runtest_{when}", _pytest.runner)
            for when in (*PHASES, "makereport")
        }
        self._skipping: Callable[[pytest.Item], None] | None = None
        if config.pluginmanager.hasplugin("skipping"):
            self._own["skipping"] = _implementation(
                session, "pytest_runtest_setup", _pytest.skipping
            )
            self._skipping = _pytest.skipping.pytest_runtest_setup
        # Whether pytest alone calls test functions, and gives items their location.
        self._calls_directly = [
            one.function for one in config.hook.pytest_pyfunc_call.get_hookimpls()
        ] == [_pytest.python.pytest_pyfunc_call]
        self._knows_setup = (
            pytest.Function.teardown is _pytest.nodes.Node.teardown
            and "setup" in vars(pytest.Function)
        )
        self._running: Passed | None = None
        self._parents: dict[int, _Parent] = {}
        self._parent: Any = None
        self._skips = self._filters = False
        # Whether the variable that names the current test is left over.
        self._named = False
        self._places: dict[str, str] = {}
        _pytest.tmpdir.tmppath_result_key  # noqa: B018
        pytest.Stash()._storage  # noqa: B018
        pytest_compat.remember_hook_proxies(session)

    @property
    def captures(self) -> bool:
        """Whether what a test writes goes elsewhere than what is written about it."""
        return self._output.captures

    # ---------------------------------------------------------------- what is known of an item

    def refusal(self, item: Any) -> str | None:
        """Why it is not known what pytest would do with an item; `None` if it is."""
        kind = item.__class__
        if kind is not pytest.Function and (
            kind is not _pytest.unittest.TestCaseFunction or "twisted.trial.unittest" in sys.modules
        ):
            return f"{item.nodeid} is a {kind.__name__}"
        if self._live != self._known:
            return "a plugin has come or gone since the session started"
        node = item.parent
        parent = self._parents.get(id(node))
        if (
            parent is None
            or sum(map(len, parent.containers)) != parent.length
            or parent.conftests != len(self._conftests)
        ):
            parent = self._parent_of(item, node)
        refused, skips, filters = parent.refusal, parent.skips, parent.filters
        for mark in item.own_markers:
            name = mark.name
            if name in _MARKS:
                skips = True
                refused = refused or name == "xfail"
            elif name == "filterwarnings":
                filters = True
        if refused or (skips and self._skipping is None):
            return f"{item.nodeid} has a mark `xfail`"
        self._parent, self._skips, self._filters = parent, skips, filters
        return None

    def _parent_of(self, item: Any, node: Any) -> _Parent:
        parent = _Parent()
        parent.node = node
        chain = node.listchain()
        parent.depth = len(chain)
        containers: list[Any] = []
        for one in chain:
            containers += (one.own_markers, one.keywords._markers)
        parent.containers = containers
        parent.length = sum(map(len, containers))
        parent.keywords = dict.fromkeys(node.keywords, 1)
        names = {mark.name for mark in node.iter_markers()}
        parent.skips = not names.isdisjoint(_MARKS)
        parent.refusal = "xfail" in names
        parent.filters = "filterwarnings" in names
        path = "" if isinstance(node, pytest.Module) else node.getmodpath()
        parent.prefix = path and f"{path}."
        parent.hook = item.ihook
        parent.conftests = len(self._conftests)
        # A conftest is in force below its directory; elsewhere its hooks are left out.
        removed = getattr(parent.hook, "remove_mods", ())
        parent.calls = {
            when: [
                (implementation.function, implementation.argnames)
                for implementation in implementations
                if implementation.plugin not in removed
            ]
            for when, implementations in self._implementations.items()
        }
        parent.plain = self._knows_setup and all(
            [function for function, _ in parent.calls[when]] == [self._own[when].function]
            for when in PHASES
        )
        self._parents[id(node)] = parent
        return parent

    def _locate(self, item: Any, code: types.CodeType | None, prefix: str) -> None:
        """Find out `Item.location`, which asks the disk for each item whether its file is there."""
        if code is None or "location" in item.__dict__:
            item.location  # noqa: B018
            return
        place = self._places.get(code.co_filename)
        if place is None:
            self._places[code.co_filename] = item.location[0]
            return
        item.__dict__["location"] = (place, code.co_firstlineno - 1, f"{prefix}{item.name}")

    # ---------------------------------------------------------------- running an item

    def run(self, item: Any, nextitem: pytest.Item | None) -> Passed | None:
        """Run an item for which `refusal` has just found no reason.

        Returns it if there was nothing to tell, and no hook has been called; else its hooks have been.
        """
        if not item._request:
            item._initrequest()
        parent = self._parent
        code = _plain_code(item.obj)
        self._locate(item, code, parent.prefix)
        filters = self._warnings
        filtered = filters is not None and not self._filters and filters.enter()
        begun = []
        try:
            for wrapper in self._other_wrappers if filtered else self._wrappers:
                generator = wrapper(item)
                next(generator)
                begun.append(generator)
            passed = self._run(item, nextitem, parent, code)
            for generator in reversed(begun):
                with contextlib.suppress(StopIteration):
                    generator.send(True)
        except BaseException as error:
            self.close()
            _throw(error, begun)
            raise
        finally:
            if filtered:
                assert filters is not None
                for warning in filters.leave():
                    parent.hook.pytest_warning_recorded.call_historic(
                        kwargs={
                            "warning_message": warning,
                            "nodeid": item.nodeid,
                            "when": "runtest",
                            "location": None,
                        }
                    )
        return passed

    def _run(
        self, item: Any, nextitem: Any, parent: _Parent, code: types.CodeType | None
    ) -> Passed | None:
        session, output = self._session, self._output
        run = self._running = Passed(item)
        own, keywords = item.own_markers, item.keywords._markers
        length = parent.length + len(own) + len(keywords)
        storage = item.stash._storage
        # Nobody has changed what the item does in a phase.
        plain = parent.plain and item.__dict__.keys().isdisjoint(_METHODS)
        quiet = plain and item.__class__ is pytest.Function
        result: dict[str, bool] = {}
        told = False
        try:
            for when in PHASES:
                stack = session._setupstate.stack
                error = returned = None
                direct = silent = False
                if when == "setup":
                    # No fixture, and all collectors are set up: no code but pytest's takes part.
                    silent = (
                        quiet
                        and not item.fixturenames
                        and not self._skips
                        and len(stack) == parent.depth
                        and next(reversed(stack)) is parent.node
                        and not any(failed for _, failed in stack.values())
                    )
                    if silent:
                        begun, started = time(), perf_counter()
                        stack[item] = ([item.teardown], None)
                elif when == "call":
                    if not result["setup"]:
                        continue
                    if quiet and code is not None and self._calls_directly:
                        direct = True
                        output.begin(storage if item.fixturenames else None, when)
                        names, funcargs = item._fixtureinfo.argnames, item.funcargs
                        begun, started = time(), perf_counter()
                        os.environ[_CURRENT] = f"{item.nodeid} (call)".replace("\x00", "(null)")
                        self._named = True
                        if "last_type" in sys.__dict__:
                            _forget_last_error()
                        try:
                            if names:
                                returned = item.obj(**{name: funcargs[name] for name in names})
                            else:
                                returned = item.obj()
                        except BaseException as raised:
                            error = _below(raised)
                else:
                    if session.shouldfail or session.shouldstop:
                        nextitem = None
                    # No finalizer, and the next item needs all collectors that this one does.
                    silent = (
                        quiet
                        and nextitem is not None
                        and nextitem.parent is parent.node
                        and len(stack) == parent.depth + 1
                        and next(reversed(stack)) is item
                        and len(stack[item][0]) == 1
                    )
                    if silent:
                        begun, started = time(), perf_counter()
                        stack.popitem()
                if not silent and not direct:
                    output.begin(storage, when)
                    begun, started = time(), perf_counter()
                    try:
                        if when == "setup" and self._skips:
                            assert self._skipping is not None
                            self._skipping(item)
                        for function, argnames in parent.calls[when]:
                            if argnames == _ITEM:
                                function(item)
                            else:
                                known = {"item": item, "nextitem": nextitem}
                                function(*[known[name] for name in argnames])
                    except BaseException as raised:
                        error = _below(raised)
                phase = perf_counter() - started, begun, time()
                changed = False
                if not silent:
                    has_output = output.has_something_to_tell()
                    changed = (
                        self._live != self._known
                        or sum(map(len, parent.containers)) + len(own) + len(keywords) != length
                    )
                    if self._running is None:
                        told = True
                if (
                    told
                    or (not silent and has_output)
                    or changed
                    or error is not None
                    or returned is not None
                    or item.user_properties
                    or item._report_sections
                    or getattr(item, "_excinfo", None)
                ):
                    if not told:
                        told = True
                        self._tell(run)
                    if (
                        changed
                        or error is not None
                        or returned is not None
                        or output.has_exceptions
                        or getattr(item, "_excinfo", None)
                    ):
                        stand_in = _StandIn(item, error, returned) if direct else None
                        report = self._report(item, nextitem, when, phase, error, stand_in)
                    else:
                        report = self._report_passed(item, when, phase, silent)
                    result[when] = report.passed
                    storage[_pytest.tmpdir.tmppath_result_key] = result
                    if changed or self._live != self._known:
                        self._leave_to_pytest(item, nextitem, when, report)
                        break
                else:
                    run.phases.append(phase)
                    result[when] = True
                    if when == "setup":
                        # As pytest's report has them: the item's own come first.
                        run.keywords = dict.fromkeys(keywords, 1)
                        run.keywords.update(parent.keywords)
                        if not silent:
                            storage[_pytest.tmpdir.tmppath_result_key] = result
            output.forget_records(item)
            if told:
                self.close()
                item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
                return None
            return run
        except BaseException:
            if not told:
                self._tell(run)
            raise
        finally:
            self._running = None
            item._request = False
            item.funcargs = None

    # ---------------------------------------------------------------- telling of it

    def tell_early(self) -> None:
        """Called when somebody else reports while an item runs, as subtests do."""
        running, self._running = self._running, None
        if running is None:
            return
        with self._output.disabled() or contextlib.nullcontext():
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

    def _report_passed(self, item: Any, when: Any, phase: Phase, silent: bool) -> Any:
        """Report a phase that has passed, with what there is to show of the item."""
        if not silent:
            self._output.add_sections(item, when)
        duration, begun, stopped = phase
        call: Any = pytest.CallInfo(
            None, None, start=begun, stop=stopped, duration=duration, when=when, _ispytest=True
        )
        report = pytest.TestReport.from_item_and_call(item, call)
        self.close()
        item.ihook.pytest_runtest_logreport(report=report)
        return report

    def _report(
        self,
        item: Any,
        nextitem: pytest.Item | None,
        when: str,
        phase: Phase,
        error: BaseException | None,
        stand_in: _StandIn | None,
    ) -> Any:
        """Let pytest report a phase that has been run.

        Where the test's function was called here, what stands in for it does what it has done; else
        that is what pytest's own implementation of the phase is replaced by.
        """
        # Where the plugin begins the phase, it forgets what was logged.
        records, text = self._output.logged()
        self._output.make_ready(item)
        self.close()

        def done(*_: object) -> None:
            if error is not None:
                raise error

        repeated = _StandIn.__call__.__code__ if stand_in is not None else done.__code__

        def makereport(item: Any, call: Any) -> Any:
            call.duration, call.start, call.stop = phase
            if error is not None and call.excinfo is not None:
                trace = _without(repeated, call.excinfo.tb)
                value = call.excinfo.value.with_traceback(trace)
                call.excinfo = ExceptionInfo.from_exc_info((type(value), value, trace))
                if stand_in is not None and getattr(sys, "last_value", None) is value:
                    sys.last_traceback = _without(repeated, sys.last_traceback)
            item.add_report_section(when, "log", text)
            return genuine(item, call)

        # All that has been called, and what looks at marks before fixtures may add some.
        steps: dict[Any, Callable[..., object]] = {}
        if stand_in is None:
            steps = dict.fromkeys(self._implementations[when], _do_nothing)
            steps[self._own[when]] = done
        if when == "setup" and "skipping" in self._own:
            steps[self._own["skipping"]] = _do_nothing
        genuine = self._own["makereport"].function
        steps[self._own["makereport"]] = makereport
        functions = [implementation.function for implementation in steps]
        for implementation, function in steps.items():
            implementation.function = function
        arguments = {"nextitem": nextitem} if when == "teardown" else {}
        if stand_in is not None:
            stand_in.put_in_place()
        try:
            report = _pytest.runner.call_and_report(item, when, True, **arguments)  # type: ignore[arg-type]
        finally:
            if stand_in is not None:
                stand_in.take_away()
            for implementation, function in zip(steps, functions, strict=True):
                implementation.function = function
        if when != "teardown":
            self._output.keep_records(item, when, records)
        return report

    def _leave_to_pytest(
        self, item: Any, nextitem: pytest.Item | None, when: str, report: Any
    ) -> None:
        """The phases that are left."""
        if when == "setup" and report.passed:
            _pytest.runner.call_and_report(item, "call", True)
        if when != "teardown":
            if item.session.shouldfail or item.session.shouldstop:
                nextitem = None
            _pytest.runner.call_and_report(item, "teardown", True, nextitem=nextitem)

    def close(self) -> None:
        """Leave all as pytest does between two items."""
        self._output.close()
        if self._named:
            self._named = False
            os.environ.pop(_CURRENT, None)


class _StandIn:
    """What is called in the place of a test's function that has been called before."""

    def __init__(self, item: Any, error: BaseException | None, returned: object) -> None:
        self._item = item
        self._error = error
        self._returned = returned
        self._function = item.obj

    def put_in_place(self) -> None:
        self._item.obj = self

    def take_away(self) -> None:
        self._item.obj = self._function

    def __call__(self, **_: object) -> object:
        self.take_away()
        if self._error is not None:
            raise self._error
        return self._returned


# Attributes by which an item may do otherwise than its class.
_METHODS: Final = frozenset({"setup", "runtest", "teardown"})
_ASYNCHRONOUS: Final = 0x80 | 0x200
"""`inspect.CO_COROUTINE` and `inspect.CO_ASYNC_GENERATOR`"""


def _plain_code(function: Any) -> types.CodeType | None:
    """The code of a function that says nothing about itself but its marks, if it is one."""
    if function.__class__ is types.MethodType:
        function = function.__func__
    if function.__class__ is not types.FunctionType:
        return None
    attributes = function.__dict__
    if attributes and (len(attributes) > 1 or "pytestmark" not in attributes):
        return None
    code: types.CodeType = function.__code__
    return None if code.co_flags & _ASYNCHRONOUS else code


def _below(error: BaseException) -> BaseException:
    """An exception without the frame that has caught it."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


def _forget_last_error() -> None:
    """As `pytest_runtest_call` begins."""
    try:
        del sys.last_type
        del sys.last_value
        del sys.last_traceback
        if sys.version_info >= (3, 12):
            del sys.last_exc
    except AttributeError:
        pass


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
