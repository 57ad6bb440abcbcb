"""Reports of phases that the short protocol has run, and that have something to tell.

A phase that has passed gets a report at once. One that has raised does, too, where pytest would show
the exception in the same way whether or not frames of its own lead to it. All else goes through
pytest's own `call_and_report`, in which what has been done already is not done again.

Private names of pytest are touched here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import _pytest.runner
import _pytest.skipping
import pytest

from . import fixture_functions, frames, pytest_compat
from .item_output import ItemOutput
from .known_hooks import PHASES
from .uneventful import Phase


class ItemReports:
    """Of one session."""

    def __init__(
        self,
        session: pytest.Session,
        output: ItemOutput,
        implementations: dict[str, list[Any]],
        close: Callable[[str], None],
        asks: bool,
    ) -> None:
        """`implementations` are those that the protocol calls in each phase, and `close` leaves all as
        pytest does after a phase. Whether it `asks` the hook that makes reports for those
        of phases that have passed, too: others than pytest may have something to add."""
        self._output = output
        # Where reports go while an item may have to be run again; else pytest is told of each.
        self.held: list[Any] | None = None
        self._implementations = implementations
        self._close = close
        self._asks = asks
        # What a phase's hook returns: pytest's own wrapper for logs returns nothing.
        self._returns_nothing = session.config.pluginmanager.hasplugin("logging-plugin")
        style = getattr(session.config.option, "tbstyle", "auto")
        self._cuts_tracebacks = style != "native" and not pytest_compat.ERRORS_GROW
        # pytest's own implementations, which others are put in the place of.
        self.own = {
            when: _implementation(session, f"pytest_runtest_{when}", _pytest.runner)
            for when in (*PHASES, "makereport")
        }
        if session.config.pluginmanager.hasplugin("skipping"):
            self.own["skipping"] = _implementation(
                session, "pytest_runtest_setup", _pytest.skipping
            )

    def log(self, item: Any, report: Any) -> None:
        if self.held is None:
            item.ihook.pytest_runtest_logreport(report=report)
        else:
            self.held.append(report)

    def call_and_report(self, item: Any, when: Any, **arguments: Any) -> Any:
        """pytest's own, of the phase."""
        report = _pytest.runner.call_and_report(item, when, self.held is None, **arguments)
        if self.held is not None:
            self.held.append(report)
        return report

    def passed(self, item: Any, when: Any, phase: Phase, silent: bool, asks: bool) -> Any:
        """Report a phase that has passed, with what there is to show of the item. Whether it `asks` the
        hook that makes reports in any case."""
        if not silent:
            self._output.add_sections(item, when)
        call = _call(when, phase, None, None if self._returns_nothing else [])
        if asks or self._asks:
            self._close(when)
            report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        else:
            report = pytest.TestReport.from_item_and_call(item, call)
            self._close(when)
        self.log(item, report)
        return report

    def is_shown_alike(self, item: Any, error: BaseException | None) -> bool:
        """Whether pytest would show an exception as it does if the frames of its own that the test was
        called through are missing."""
        return (
            error is not None
            and item.__class__ is pytest.Function
            and self._cuts_tracebacks
            and isinstance(error, _REPORTED)
            and not isinstance(error, _OTHERWISE)
            and frames.has_visible_frame(
                error.__traceback__, isinstance(error, pytest.skip.Exception)
            )
        )

    def raised(self, item: Any, when: Any, phase: Phase, error: Any) -> Any:
        """Report a phase that has raised, as the end of `call_and_report` does."""
        self._output.add_sections(item, when)
        trace = frames.without(fixture_functions.STAND_INS, error.__traceback__)
        if when == "call" and isinstance(error, Exception):
            sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
            if sys.version_info >= (3, 12) and pytest_compat.KEEPS_LAST_EXCEPTION:
                sys.last_exc = error
        self._close(when)
        call = _call(
            when,
            phase,
            pytest.ExceptionInfo.from_exc_info((type(error), error.with_traceback(trace), trace)),
        )
        hook = item.ihook
        report = hook.pytest_runtest_makereport(item=item, call=call)
        self.log(item, report)
        if _pytest.runner.check_interactive_exception(call, report):
            hook.pytest_exception_interact(node=item, call=call, report=report)
        return report

    def by_pytest(
        self,
        item: Any,
        nextitem: pytest.Item | None,
        when: str,
        phase: Phase,
        error: BaseException | None,
        stand_in: StandIn | None,
    ) -> Any:
        """Let pytest report a phase that has been run.

        Where the test's function was called here, what stands in for it does what it has done; else
        that is what pytest's own implementation of the phase is replaced by.
        """
        # Where the plugin begins the phase, it forgets what was logged.
        records, text = self._output.logged()
        self._output.make_ready(item)
        self._close(when)

        def done(*_: object) -> None:
            self._output.hand_on_exceptions()
            if error is not None:
                raise error

        repeated = _STAND_INS | {done.__code__}

        def makereport(item: Any, call: Any) -> Any:
            call.duration, call.start, call.stop = phase
            if error is not None and call.excinfo is not None:
                trace = frames.without(repeated, call.excinfo.tb)
                value = call.excinfo.value.with_traceback(trace)
                call.excinfo = pytest.ExceptionInfo.from_exc_info((type(value), value, trace))
                if value is not error:
                    # A wrapper has raised another one, of which it is the context.
                    error.with_traceback(frames.without(repeated, error.__traceback__))
                if stand_in is not None and getattr(sys, "last_value", None) is value:
                    sys.last_traceback = frames.without(repeated, sys.last_traceback)
            item.add_report_section(when, "log", text)
            return genuine(item, call)

        # All that has been called, and what looks at marks before fixtures may add some.
        steps: dict[Any, Callable[..., object]] = {}
        if stand_in is None:
            steps = dict.fromkeys(self._implementations[when], do_nothing)
            steps[self.own[when]] = done
        if when == "setup" and "skipping" in self.own:
            steps[self.own["skipping"]] = do_nothing
        genuine = self.own["makereport"].function
        steps[self.own["makereport"]] = makereport
        functions = [implementation.function for implementation in steps]
        for implementation, function in steps.items():
            implementation.function = function
        arguments = {"nextitem": nextitem} if when == "teardown" else {}
        if stand_in is not None:
            stand_in.put_in_place(self._output.hand_on_exceptions)
        try:
            with self._output.as_shown(when):
                report = self.call_and_report(item, when, **arguments)
        finally:
            if stand_in is not None:
                stand_in.take_away()
            for implementation, function in zip(steps, functions, strict=True):
                implementation.function = function
        if when != "teardown":
            self._output.keep_records(item, when, records)
        return report


class StandIn:
    """What is called in the place of a test's function that has been called before."""

    def __init__(self, item: Any, error: BaseException | None, returned: object) -> None:
        self._item = item
        self._error = error
        self._returned = returned
        self._function = item.obj
        self._before: Callable[[], None] = do_nothing

    def put_in_place(self, before: Callable[[], None]) -> None:
        """Whatever is to be done `before` it does what the function has done."""
        self._before = before
        self._item.obj = self

    def take_away(self) -> None:
        self._item.obj = self._function

    def __repr__(self) -> str:
        return repr(self._function)

    def __call__(self, **_: object) -> object:
        self.take_away()
        self._before()
        if self._error is not None:
            raise self._error
        return self._returned


def _call(when: Any, phase: Phase, excinfo: Any, result: object = None) -> Any:
    duration, begun, stopped = phase
    return pytest.CallInfo(
        result, excinfo, start=begun, stop=stopped, duration=duration, when=when, _ispytest=True
    )


def do_nothing(*_: object) -> None:
    pass


_STAND_INS: Final = frozenset({StandIn.__call__.__code__, *fixture_functions.STAND_INS})

# Exceptions of which pytest makes a report; and those of them that end the session, or are shown with
# all frames.
_REPORTED: Final = (Exception, pytest.skip.Exception, pytest.fail.Exception)
_OTHERWISE: Final = (pytest.exit.Exception, pytest_compat.BaseExceptionGroup)


def _implementation(session: pytest.Session, hook: str, plugin: object) -> Any:
    """The one implementation of a hook by a plugin of pytest's."""
    (found,) = [
        implementation
        for implementation in getattr(session.config.hook, hook).get_hookimpls()
        if implementation.plugin is plugin
    ]
    return found
