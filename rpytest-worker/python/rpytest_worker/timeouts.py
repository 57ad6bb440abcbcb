"""Timeouts of tests, where pytest-timeout is not installed.

Its users find its options, its settings and its mark. A test that exceeds its time is interrupted by an
alarm, and fails; what cannot be interrupted so the supervisor ends from outside, since it has been told
by when (`Recorder.limit`), with the stacks of all threads. With the method `thread` nothing of it takes
place in the process: the supervisor alone sees to it.

Without a timeout none of this costs a system call.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
import types
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import pytest

from . import afterfork, frames, pytest_compat

if TYPE_CHECKING:
    from .recorder import Recorder

NAME: Final = "rpytest-timeout"
MARK: Final = "timeout"
METHODS: Final = ("signal", "thread")

# How long a test has to end by itself once the alarm has struck, in seconds: a part of its timeout
# within bounds.
_GRACE_PART: Final = 0.2
_GRACE_LEAST: Final = 2.0
_GRACE_MOST: Final = 10.0
# When to look again, if an alarm has struck where it must not be raised.
_AGAIN: Final = 0.005
# Where an interruption would leave a message half sent.
_OF_MESSAGES: Final = frozenset(
    f"rpytest_worker.{name}" for name in ("channel", "recorder", "spool", "wire")
)
# Where whoever reads the output may be waited for.
_OF_THE_TERMINAL: Final = frozenset(
    {
        "_pytest._io.terminalwriter",
        "rpytest_worker.direct_delivery",
        "rpytest_worker.room",
    }
)
# What is called right below a phase, but not within what keeps its exceptions.
_BESIDE_PHASES: Final = frozenset({"_pytest._code.code", "_pytest.nodes", "_pytest.timing", "os"})
# In seconds. Far more than any test takes, and as much as every system's alarms can be set to.
_LONGEST: Final = 1e9
# Modules of debuggers; a test that stands in one is not interrupted.
_DEBUGGERS: Final = ("pydevd", "bdb")
_HAS_ALARM: Final = hasattr(signal, "SIGALRM") and hasattr(signal, "setitimer")

_HELP: Final = {
    "timeout": "Fail a test that takes longer than so many seconds, with its fixtures; 0 for never",
    "timeout_method": "How a test is ended: 'signal' interrupts it, and ends its process if it goes "
    "on; 'thread' ends its process at once",
    "timeout_func_only": "Let the timeout hold for the test's function alone, without its fixtures",
    "timeout_disable_debugger_detection": "Interrupt a test even while it is being debugged",
    "session_timeout": "Start no further test when the session has taken so many seconds",
}


_MARKER: Final = (
    "timeout(timeout, method=None, func_only=False, disable_debugger_detection=False): fail "
    "the test if it takes longer than so many seconds; method and func_only as the settings "
    "timeout_method and timeout_func_only. Provided by rpytest."
)


class Settings(NamedTuple):
    """What holds for an item."""

    seconds: float
    method: str
    func_only: bool
    in_debuggers: bool

    @property
    def message(self) -> str:
        return f"Timeout (>{self.seconds}s) from rpytest."

    @property
    def grace(self) -> float:
        return min(max(self.seconds * _GRACE_PART, _GRACE_LEAST), _GRACE_MOST)


class BadMark(Exception):
    """A mark says something that cannot be meant."""


class Timeouts:
    """The plugin."""

    def __init__(self) -> None:
        self._config: Any = None
        self._recorder: Recorder | None = None
        self.default: Settings | None = None
        self._defaults = Settings(0.0, METHODS[0], False, False)
        self.session_seconds: float | None = None
        self._session_end: float | None = None
        # Whether any item has had a time.
        self.is_used = False
        # Of the item that runs.
        self._settings: Settings | None = None
        self._before: Any = None
        self._is_armed = False
        self._strikes = 0
        self._tears_down = False
        # Whether an alarm has found that the item's output was being written.
        self._has_waited = False
        # Somebody is in a debugger, and takes their time from then on.
        self._is_suspended = False

    # ---------------------------------------------------------------- options

    @pytest.hookimpl
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        group = parser.getgroup("timeout", "timeouts of tests (rpytest)")
        # What they hold is looked at when it is certain whose options they are.
        group.addoption("--timeout", metavar="SECONDS", help=_HELP["timeout"])
        group.addoption(
            "--timeout-method",
            "--timeout_method",
            dest="timeout_method",
            metavar="{signal,thread}",
            help=_HELP["timeout_method"],
        )
        group.addoption(
            "--timeout-disable-debugger-detection",
            dest="timeout_disable_debugger_detection",
            action="store_true",
            default=None,
            help=_HELP["timeout_disable_debugger_detection"],
        )
        group.addoption(
            "--session-timeout",
            dest="session_timeout",
            metavar="SECONDS",
            help=_HELP["session_timeout"],
        )
        number: Any = pytest_compat.ini_number()
        parser.addini("timeout", _HELP["timeout"], type=number)
        parser.addini("timeout_method", _HELP["timeout_method"])
        for name in ("timeout_func_only", "timeout_disable_debugger_detection"):
            parser.addini(name, _HELP[name], type="bool", default=False)
        parser.addini("session_timeout", _HELP["session_timeout"], type=number)

    @pytest.hookimpl
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        config.addinivalue_line("markers", _MARKER)
        option, where = config.option, str(config.inipath or "the configuration")
        seconds = option.timeout = _number(option.timeout, "--timeout")
        if seconds is None:
            seconds = _number(os.environ.get("PYTEST_TIMEOUT"), "the variable PYTEST_TIMEOUT")
        if seconds is None:
            seconds = _ini_number(config, "timeout", where)
        method = option.timeout_method or config.getini("timeout_method") or METHODS[0]
        if method not in METHODS:
            of = "--timeout-method" if option.timeout_method else f"{where}: timeout_method"
            raise pytest.UsageError(f"{of} is {method!r}; it must be {' or '.join(METHODS)}")
        name = "timeout_disable_debugger_detection"
        self._defaults = Settings(
            seconds or 0.0,
            method,
            config.getini("timeout_func_only"),
            bool(getattr(option, name) or config.getini(name)),
        )
        self.default = self._defaults if self._defaults.seconds > 0 else None
        limit = option.session_timeout = _number(option.session_timeout, "--session-timeout")
        if limit is None:
            limit = _ini_number(config, "session_timeout", where)
        if limit:
            self.session_seconds = limit
            self.begin_session()

    def begin_session(self) -> None:
        """The session's time counts from here."""
        if self.session_seconds is not None:
            self.is_used = True
            self._session_end = monotonic() + self.session_seconds

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_header(self) -> list[str]:
        lines = []
        if self.default is not None:
            lines += [
                f"timeout: {self.default.seconds}s",
                f"timeout method: {self.default.method}",
                f"timeout func_only: {self.default.func_only}",
            ]
        if self.session_seconds is not None:
            lines.append(f"session timeout: {self.session_seconds}s")
        return lines

    # ---------------------------------------------------------------- what holds for an item

    def of(self, item: pytest.Item) -> Settings | None:
        """By its mark, or by that of a collector above it; raises `BadMark`."""
        mark = item.get_closest_marker(MARK)
        if mark is None:
            return self.default
        try:
            return self._of_mark(mark)
        except BadMark:
            # Theirs means something else, and did so before rpytest came.
            if pytest_compat.has_marker(self._config, MARK, but=_MARKER):
                return self.default
            raise

    def _of_mark(self, mark: Any) -> Settings | None:
        names = ("timeout", "method", "func_only", "disable_debugger_detection")
        given: dict[str, Any] = dict(zip(names[:2], mark.args, strict=False))
        if not mark.args and not mark.kwargs:
            raise BadMark("it needs a number of seconds")
        if len(mark.args) > 2:
            raise BadMark("it takes two arguments without a name at most, timeout and method")
        for name, value in mark.kwargs.items():
            if name not in names:
                raise BadMark(f"it has no argument {name!r}, but {', '.join(names)}")
            if name in given:
                raise BadMark(f"{name} is given twice")
            given[name] = value
        values = {name: value for name, value in given.items() if value is not None}
        defaults = self._defaults
        seconds = values.get("timeout", defaults.seconds)
        try:
            seconds = float(seconds)
        except (TypeError, ValueError):
            raise BadMark(f"{seconds!r} is no number of seconds") from None
        if not seconds <= _LONGEST:
            raise BadMark(f"{seconds!r} is more seconds than can be")
        method = values.get("method", defaults.method)
        if method not in METHODS:
            raise BadMark(f"method is {method!r}; it must be {' or '.join(METHODS)}")
        switches = []
        for name, default in zip(names[2:], defaults[2:], strict=True):
            value = values.get(name, default)
            if not isinstance(value, bool):
                raise BadMark(f"{name} is {value!r}; it must be True or False")
            switches.append(value)
        return Settings(seconds, method, *switches) if seconds > 0 else None

    # ---------------------------------------------------------------- pytest's own protocol

    # Not the first: what is told again after a crash, before an item, is none of its time.
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        try:
            settings = self.of(item)
        except BadMark:
            settings = None  # told within the setup
        self.begin(settings)
        try:
            return (yield)
        finally:
            self.end(item)
            if self._recorder is not None:
                # What others do around the protocol is none of its time.
                self._recorder.limit(None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        problem = None
        try:
            self.of(item)
        except BadMark as error:
            problem = error
        if problem is not None:
            pytest.fail(f"the mark `timeout` of {item.nodeid}: {problem}", pytrace=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self.begin_call()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        # No wrapper of the call would do: its frame would be in tracebacks.
        self.end_call()
        self.begin_teardown()

    @pytest.hookimpl
    def pytest_enter_pdb(self) -> None:
        self._is_suspended = True
        self._disarm()
        if self._recorder is not None:
            self._recorder.limit(None)

    # ---------------------------------------------------------------- the time of an item

    def begin(self, settings: Settings | None) -> None:
        """An item begins."""
        self._settings = settings
        if settings is None or settings.func_only:
            if self._recorder is not None:
                self._recorder.limit(None)
        else:
            self._arm(settings)

    def pause(self) -> None:
        """An attempt of an item is over, and another one comes."""
        if self._settings is not None:
            self._disarm()
            if self._recorder is not None:
                self._recorder.limit(None)

    def begin_again(self) -> None:
        """That one begins: it has the whole time."""
        self.begin(self._settings)

    def begin_call(self) -> None:
        settings = self._settings
        if settings is not None and settings.func_only:
            self._arm(settings)

    def end_call(self) -> None:
        settings = self._settings
        if settings is not None and settings.func_only:
            self._disarm()
            if self._recorder is not None:
                self._recorder.limit(None)

    def begin_teardown(self) -> None:
        """What is left of an item that was interrupted has its time once more."""
        settings = self._settings
        if settings is None or settings.func_only:
            return
        self._tears_down = True
        if self._strikes:
            self._strikes = 0
            self._arm_again(settings)

    def end(self, item: pytest.Item) -> None:
        """It has ended."""
        if self._settings is not None:
            self._settings = None
            self._disarm()
        end = self._session_end
        if end is not None and monotonic() > end:
            item.session.shouldfail = f"session-timeout: {self.session_seconds} sec exceeded"

    def _arm(self, settings: Settings) -> None:
        self.is_used = True
        self._strikes, self._tears_down, self._has_waited = 0, False, False
        recorder = self._recorder
        if recorder is None:
            recorder = self._recorder = self._config.pluginmanager.getplugin("rpytest-recorder")
            if recorder is None:
                return
        if self._is_suspended:
            recorder.limit(None)
            return
        afterfork.show_stacks_on_demand()
        alarms = (
            _HAS_ALARM
            and settings.method == "signal"
            and threading.current_thread() is threading.main_thread()
        )
        if alarms:
            recorder.limit(settings.seconds + settings.grace, settings.message)
            self._before = signal.signal(signal.SIGALRM, self._handle)
            self._is_armed = True
            signal.setitimer(signal.ITIMER_REAL, settings.seconds)
        elif is_debugging() and not settings.in_debuggers:
            recorder.limit(None)
        else:
            recorder.limit(settings.seconds, settings.message)

    def _arm_again(self, settings: Settings) -> None:
        assert self._recorder is not None
        if self._is_armed:
            self._recorder.limit(settings.seconds + settings.grace, settings.message, anew=True)
            signal.setitimer(signal.ITIMER_REAL, settings.seconds)

    def _disarm(self) -> None:
        if not self._is_armed:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._is_armed = False
        if signal.getsignal(signal.SIGALRM) == self._handle:
            # One of C's own making has no name here.
            before = signal.SIG_DFL if self._before is None else self._before
            signal.signal(signal.SIGALRM, before)
        self._before = None

    # ---------------------------------------------------------------- the alarm

    def _handle(self, signum: int, frame: types.FrameType | None) -> None:
        __tracebackhide__ = True
        settings, recorder = self._settings, self._recorder
        if settings is None or recorder is None or not self._is_armed:
            return
        is_debugged = not settings.in_debuggers and is_debugging()
        if is_debugged and not is_sending(frame):
            recorder.limit(None)
            return
        if is_debugged or not _is_within_a_phase(frame):
            # A report is being made or told. The supervisor ends what hangs there, but it may have to
            # wait for whoever reads the output.
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            if _is_writing(frame) and not is_sending(frame):
                self._has_waited = True
                recorder.limit(settings.seconds + settings.grace, settings.message, anew=True)
            return
        if self._has_waited:
            # How much of its time whoever reads the output has taken is not known.
            self._has_waited = False
            self._arm_again(settings)
            return
        self._strikes += 1
        if self._tears_down and self._strikes == 1:
            # There may be other finalizers.
            self._arm_again(settings)
        else:
            recorder.limit(settings.grace, settings.message, anew=True)
        _show_other_threads()
        pytest.fail(settings.message)


def is_debugging() -> bool:
    """Whether a debugger is attached."""
    trace = sys.gettrace()
    if trace is not None:
        module = getattr(trace, "__module__", None) or type(trace).__module__
        if any(part.startswith(_DEBUGGERS) for part in str(module).split(".")):
            return True
    if sys.version_info >= (3, 12):
        return sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID) is not None
    return False


def _is_within_a_phase(frame: types.FrameType | None) -> bool:
    """Whether code runs of which the exceptions are the item's."""
    below: types.FrameType | None = None
    while frame is not None:
        name = _module(frame)
        if name in _OF_MESSAGES:
            return False
        if frame.f_code in pytest_compat.CALLS_PHASES:
            return _is_of_the_phase(below)
        if frame.f_code in frames.KEEP_ERRORS:
            # The functions of hooks are called there without pluggy, but for those that report.
            return _is_of_the_phase(below) and not _module(below).startswith(_REPORT)
        below, frame = frame, frame.f_back
    return False


_REPORT: Final = ("rpytest_worker.", "pluggy.")


def _is_of_the_phase(below: types.FrameType | None) -> bool:
    """Whether this frame, which whoever keeps exceptions has called, is of what they are kept of."""
    return (
        below is not None
        and _module(below) not in _BESIDE_PHASES
        and below.f_code is not pytest_compat.MAKES_CALL_INFO
    )


def _module(frame: types.FrameType | None) -> str:
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))


def _is_writing(frame: types.FrameType | None) -> bool:
    """Whether something is being written to the terminal below this frame."""
    while frame is not None:
        if _module(frame) in _OF_THE_TERMINAL:
            return True
        frame = frame.f_back
    return False


def is_sending(frame: types.FrameType | None) -> bool:
    """Whether a message is on its way below this frame: another one must not get into it."""
    while frame is not None:
        if _module(frame) in _OF_MESSAGES:
            return True
        frame = frame.f_back
    return False


def _show_other_threads() -> None:
    """What other threads do, which the test's traceback does not show, in its captured output."""
    own = threading.get_ident()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        if ident != own:
            name = names.get(ident, "<unknown>")
            text = "".join(traceback.format_stack(frame))
            sys.stderr.write(f"~~~ Stack of {name} ({ident}) ~~~\n{text}")


def session_limit(config: pytest.Config) -> float | None:
    """How long a session may take; also before anything is configured."""
    if not config.pluginmanager.hasplugin(NAME):
        # The option is somebody else's, if there is one.
        return None
    with contextlib.suppress(Exception):  # what is wrong is said elsewhere
        limit = getattr(config.option, "session_timeout", None) or config.getini("session_timeout")
        return float(limit) if limit else None
    return None


def _number(text: Any, where: str) -> float | None:
    if text is None or text == "":
        return None
    try:
        number = float(text)
    except (TypeError, ValueError):
        _refuse(where, text, "a number of seconds, 0 for never")
    if not number <= _LONGEST:
        _refuse(where, text, f"at most {_LONGEST:.0f} seconds, 0 for never")
    return number


def _ini_number(config: pytest.Config, name: str, where: str) -> float | None:
    try:
        value = config.getini(name)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(
            f"{where}: {name}: {error}; it must be a number of seconds"
        ) from None
    return _number(value, f"{where}: {name}") or None


def _refuse(where: str, text: object, wanted: str) -> NoReturn:
    raise pytest.UsageError(f"{where} is {text!r}; it must be {wanted}")
