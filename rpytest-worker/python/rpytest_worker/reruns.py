"""What users of pytest-rerunfailures know, where that plugin is not installed.

`Reruns` is registered in every process of a run: the options, the mark `flaky`, which items may be run
again, and what is shown of it. How an item is run again is in `attempts`. Where the plugin is there,
its own options and behaviour are used; where `flaky` or pytest-retry is, the mark and reruns are that
one's.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import os
import platform
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import pytest

from . import item_again, pytest_compat
from .inventory import wire_nodeid
from .quarantine import settings

PLUGIN: Final = "rpytest-reruns"
MARK: Final = "flaky"

# Names under which the plugins come that own what is here.
_GENUINE: Final = ("rerunfailures", "pytest_rerunfailures")
_OWNERS: Final = (
    *_GENUINE,
    "flaky",
    "flaky.flaky_pytest_plugin",
    "pytest-retry",
    "pytest_retry",
    "pytest_retry.retry_plugin",
)

# Where the history of outcomes is, below pytest's cache directory. The supervisor writes it.
_OUTCOMES: Final = ("v", "rpytest", "outcomes.json")
_OUTCOMES_VERSION: Final = 1

_MARKER: Final = (
    "flaky(reruns=1, reruns_delay=0, reruns_delay_backoff_factor=1.0, *, condition=True, "
    "only_rerun=None, rerun_except=None): run the test again, up to 'reruns' times, when it fails. "
    "Provided by rpytest."
)

_ARGUMENTS: Final = frozenset(
    {
        "reruns",
        "reruns_delay",
        "reruns_delay_backoff_factor",
        "condition",
        "only_rerun",
        "rerun_except",
    }
)

Failures = Sequence[tuple[str, Any]]
"""Phases of an attempt that have failed, with what was raised, as pytest has it; `None` if nothing
was."""


class Limits(NamedTuple):
    """How often an item may be run again, and after how many seconds."""

    reruns: int
    delay: float
    backoff: float


class Reruns:
    """The substitute for pytest-rerunfailures."""

    def __init__(self) -> None:
        self._config: Any = None
        self._option: Any = None
        # Whether the project has a mark of that name itself, once that is asked for.
        self._is_theirs: bool | None = None
        self._flaky: frozenset[str] | None = None

    # ---------------------------------------------------------------- options

    @pytest.hookimpl
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        group = parser.getgroup("rerunfailures", "re-run failing tests (by rpytest)")
        group.addoption(
            "--reruns",
            dest="reruns",
            type=_count,
            help="How many times a test that fails is run again",
        )
        group.addoption(
            "--reruns-delay",
            dest="reruns_delay",
            type=_seconds,
            help="Seconds to wait before a test is run again",
        )
        group.addoption(
            "--reruns-delay-backoff-factor",
            dest="reruns_delay_backoff_factor",
            type=_seconds,
            help="By what the delay is multiplied after each attempt",
        )
        group.addoption(
            "--only-rerun",
            dest="only_rerun",
            action="append",
            metavar="REGEX",
            help="Run again only for errors that match, such as 'OSError: .*timed out'; "
            "may be given more than once",
        )
        group.addoption(
            "--rerun-except",
            dest="rerun_except",
            action="append",
            metavar="REGEX",
            help="Do not run again for errors that match; may be given more than once",
        )
        parser.addini("reruns", "How many times a test that fails is run again")
        parser.addini("reruns_delay", "Seconds to wait before a test is run again")
        parser.addini("reruns_delay_backoff_factor", "By what that is multiplied each time")
        parser.addini("only_rerun", "Errors for which tests are run again", type="linelist")
        parser.addini("rerun_except", "Errors for which they are not", type="linelist")

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        self._option = option = config.option
        if option.reruns is None and not getattr(option, "usepdb", False):
            # What the project wants of every run keeps nobody from a debugger.
            option.reruns = _configured_count(config)
        for name, kind in (("reruns_delay", _seconds), ("reruns_delay_backoff_factor", _seconds)):
            text = config.getini(name)
            if getattr(option, name) is None and text not in (None, ""):
                setattr(option, name, _of_ini(name, text, kind))
        for name in ("only_rerun", "rerun_except"):
            patterns = getattr(option, name) or config.getini(name)
            setattr(option, name, patterns)
            for pattern in patterns:
                _compiled(name, pattern)
        if option.reruns and getattr(option, "usepdb", False) and not option.collectonly:
            raise pytest.UsageError("--reruns does not work with --pdb; leave out one of them")
        if option.rpytest_only_rerun_flaky and not option.reruns:
            # A mark may say how often; a test that the history knows has none to say so.
            option.reruns = 1
        if not _is_registered(config):
            config.addinivalue_line("markers", _MARKER)

    def keep_options(self) -> None:
        """What they hold is about to be somebody else's."""
        if self._option is self._config.option:
            self._option = copy.copy(self._option)

    # ---------------------------------------------------------------- which items

    @property
    def are_wanted(self) -> bool:
        """Whether an item may be run again for which no mark says so."""
        return bool(self._option.reruns)

    def limits(self, item: Any) -> Limits | None:
        """How often an item may be run again; `None` if it may not."""
        mark, option = self._mark(item), self._option
        if mark is None:
            reruns = option.reruns
            if reruns and option.rpytest_only_rerun_flaky and not self._is_known(item):
                return None
            delay = option.reruns_delay or 0.0
            backoff = option.reruns_delay_backoff_factor
        else:
            reruns = _argument(mark, "reruns", 0, 1)
            delay = _argument(mark, "reruns_delay", 1, 0)
            backoff = _argument(mark, "reruns_delay_backoff_factor", 2, 1.0)
        if not reruns or reruns < 0 or getattr(option, "usepdb", False):
            return None
        return Limits(int(reruns), max(0.0, delay), 1.0 if backoff is None else max(0.0, backoff))

    def wants(self, item: Any, failures: Failures) -> bool:
        """Whether an attempt with these failures is worth another one."""
        mark = self._mark(item)
        only, other_than = (self._filter(mark, name) for name in ("only_rerun", "rerun_except"))
        for _, excinfo in failures:
            error = None if excinfo is None else excinfo.value
            if only and not _matches(only, error, follow_context=True):
                return False
            if other_than and _matches(other_than, error, follow_context=False):
                return False
        if mark is None or "condition" not in mark.kwargs:
            return True
        condition = mark.kwargs["condition"]
        return any(_holds(item, condition, excinfo) for _, excinfo in failures)

    def _mark(self, item: Any) -> Any:
        mark = item.get_closest_marker(MARK)
        if mark is None or _says_how(mark):
            return mark
        if mark.args or mark.kwargs:
            return None  # Whatever it is for, pytest by itself does nothing about it.
        if self._is_theirs is None:
            self._is_theirs = _is_registered(self._config)
        # Theirs says nothing of reruns, and meant something else before rpytest came.
        return None if self._is_theirs else mark

    def _filter(self, mark: Any, name: str) -> Any:
        if mark is None or name not in mark.kwargs:
            return getattr(self._option, name)
        patterns = mark.kwargs[name]
        return [patterns] if isinstance(patterns, (str, type)) else patterns

    def _is_known(self, item: Any) -> bool:
        """Whether the history of earlier runs knows an item as flaky."""
        if self._flaky is None:
            self._flaky = known_as_flaky(self._config)
        return wire_nodeid(item.nodeid) in self._flaky

    # ---------------------------------------------------------------- what is shown

    @pytest.hookimpl
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, Any] | None:
        if report.outcome == "rerun":
            return "rerun", "R", ("RERUN", {"yellow": True})
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome == "rerun" and not item_again.is_of_subtest(report):
            # What an earlier attempt's subtests have told counts no longer.
            item_again.forget_subtest_reports(self._config, report.nodeid)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not any(char in "rR" for char in terminalreporter.reportchars):
            return
        lines = list(self._attempts(terminalreporter))
        if lines:
            terminalreporter.write_sep("=", "rerun test summary info", cyan=True, bold=True)
            for line, markup in lines:
                terminalreporter.write_line(line, **markup)

    def _attempts(self, reporter: Any) -> Iterator[tuple[str, dict[str, bool]]]:
        """All attempts of the tests that were run again; with `-v`, and why."""
        attempts: dict[str, list[Any]] = {}
        again = set()
        for report in chain.from_iterable(reporter.stats.values()):
            if not hasattr(report, "rerun"):
                continue
            attempts.setdefault(report.nodeid, []).append(report)
            if report.outcome == "rerun":
                again.add(report.nodeid)
        phases = {"setup": 0, "call": 1}
        for nodeid, reports in attempts.items():
            if nodeid not in again:
                continue
            reports.sort(key=lambda report: (report.rerun, phases.get(report.when, 2)))
            for report in reports:
                if report.passed and report.when != "call":
                    continue
                status = self._config.hook.pytest_report_teststatus(
                    report=report, config=self._config
                )
                word, markup = status[2], _markup(report)
                if isinstance(word, tuple):
                    word, markup = word
                line = f"{word or report.outcome.upper()} {nodeid}"
                if reporter.verbosity > 0 and report.outcome == "rerun":
                    line += f" - attempt {report.rerun + 1}{_reason(report)}"
                yield line, markup


def substitute(manager: pytest.PytestPluginManager) -> Reruns | None:
    """The substitute, unless somebody else owns what is in it, or it is there."""
    owners = any(manager.hasplugin(name) or manager.is_blocked(name) for name in _OWNERS)
    return None if owners or manager.hasplugin(PLUGIN) else Reruns()


def give_to_genuine(config: pytest.Config) -> None:
    """Where pytest-rerunfailures is installed, `reruns` in `[tool.rpytest]` is an option of that."""
    manager, option = config.pluginmanager, config.option
    if manager.hasplugin(PLUGIN):
        return
    is_genuine = any(manager.hasplugin(name) for name in _GENUINE)
    if option.rpytest_only_rerun_flaky:
        raise pytest.UsageError(
            "--only-rerun-flaky works with rpytest's own reruns only, and a plugin that runs tests "
            "again is installed or blocked (pytest-rerunfailures, pytest-retry or flaky); uninstall "
            "it, or leave out the option and mark the tests"
        )
    for name, value in settings(config):
        if name != "reruns":
            continue
        if not is_genuine:
            raise pytest.UsageError(
                "reruns of [tool.rpytest] or RPYTEST_RERUNS does not work with the plugins flaky and "
                "pytest-retry, with an option of reruns' that a plugin or conftest has, nor with "
                "-p no:rerunfailures; leave out one of them"
            )
        if option.reruns is None and not getattr(option, "usepdb", False):
            option.reruns = _count(value)


def known_as_flaky(config: pytest.Config) -> frozenset[str]:
    """The tests of which the history says so; none, if there is no history that can be read."""
    directory = pytest_compat.cache_dir(config)
    if directory is None:
        return frozenset()
    try:
        with open(os.path.join(directory, *_OUTCOMES), encoding="utf-8") as file:
            kept = json.load(file)
        if kept["version"] != _OUTCOMES_VERSION:
            return frozenset()
        return frozenset(kept["flaky"])
    except (OSError, ValueError, LookupError, TypeError):
        return frozenset()


# -------------------------------------------------------------------- errors and conditions


def _matches(patterns: Any, error: BaseException | None, follow_context: bool) -> bool:
    """Whether an exception, or one that it came of, is of a class or has a text that is looked for."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = f"{type(error).__name__}: {error}"
        for pattern in patterns:
            if isinstance(pattern, type) and issubclass(pattern, BaseException):
                if isinstance(error, pattern):
                    return True
            elif re.search(pattern, text):
                return True
        if error.__cause__ is not None:
            error = error.__cause__
        elif follow_context and not error.__suppress_context__:
            error = error.__context__
        else:
            error = None
    return False


def _holds(item: Any, condition: Any, excinfo: Any) -> bool:
    """The condition of a mark: a value, an expression as that of `skipif`, or a function that may
    take the error. One that fails is a warning, and does not hold."""
    error = None if excinfo is None else excinfo.value
    try:
        if callable(condition):
            takes_error = True
            try:
                inspect.signature(condition).bind(error)
            except TypeError:
                takes_error = False
            except ValueError:
                pass
            return bool(condition(error) if takes_error else condition())
        if isinstance(condition, str):
            names = {"os": os, "sys": sys, "platform": platform, "config": item.config}
            names.update(getattr(getattr(item, "obj", None), "__globals__", {}))
            names["error"] = error
            return bool(eval(compile(condition, "<flaky condition>", "eval"), names))
        return bool(condition)
    except Exception as raised:
        text = "".join(traceback.format_exception_only(type(raised), raised)).rstrip()
        with contextlib.suppress(Warning):
            warnings.warn(
                f"the condition of the mark `flaky` of {item.nodeid} cannot be evaluated: {text}",
                stacklevel=2,
            )
        return False


def _markup(report: Any) -> dict[str, bool]:
    """As pytest's terminal reporter colours words for which nobody says otherwise."""
    if report.passed and not hasattr(report, "wasxfail"):
        return {"green": True}
    return {"red": True} if report.failed else {"yellow": True}


def _reason(report: Any) -> str:
    """The line that pytest's short summary has of a failure."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr or "").strip()
    first = text.splitlines()[0] if text else ""
    where = "" if report.when == "call" else f", {report.when}"
    return f"{where}: {first}" if first else where


# -------------------------------------------------------------------- values


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _configured_count(config: pytest.Config) -> int | None:
    """`RPYTEST_RERUNS` or `[tool.rpytest]`, which the command has looked at, then pytest's ini file."""
    for name, value in settings(config):
        if name == "reruns":
            return _count(value)
    text = config.getini("reruns")
    return None if text in (None, "") else _of_ini("reruns", text, _count)


def _of_ini(name: str, text: Any, kind: Any) -> Any:
    try:
        return kind(text)
    except (TypeError, ValueError):
        wanted = "a number of times" if name == "reruns" else "a number, 0 or more"
        raise pytest.UsageError(
            f"{name} in pytest's configuration is {text!r}; it must be {wanted}"
        ) from None


def _says_how(mark: Any) -> bool:
    """Whether the arguments of a mark are those that say how a test is run again."""
    return not _ARGUMENTS.isdisjoint(mark.kwargs) or (
        bool(mark.args) and isinstance(mark.args[0], int)
    )


def _argument(mark: Any, name: str, position: int, default: Any) -> Any:
    if name in mark.kwargs:
        return mark.kwargs[name]
    return mark.args[position] if len(mark.args) > position else default


def _compiled(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise pytest.UsageError(
            f"invalid regular expression for {name}: {pattern!r} ({error})"
        ) from None


def _is_registered(config: pytest.Config) -> bool:
    """Whether the project, or a plugin of its, says itself what the mark `flaky` is."""
    return pytest_compat.has_marker(config, MARK, but=_MARKER)
