"""The implementations of hooks that are known to the short protocol, and what becomes of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import pytest

from . import known_code, pytest_compat, reruns

# What becomes of an implementation of a hook: it is called as it is; it wraps, and is driven by hand;
# it tells of exceptions that were left in a queue, and does nothing while that is empty; it does
# nothing under what `when_equal` and `refusal` make sure of, or is done here; it wraps the call of a
# function, and where that has no attributes does nothing but what it does before. What tells of
# exceptions, but wraps, is pytest's before 8.4, which `Uncaught` stands for. What keeps something of
# each report, and changes none, has to see all of an item of which it sees one.
_CALL, _WRAP, _QUEUE, _COVERED, _BEFORE = "call", "wrap", "queue", "covered", "before"
_WITNESS = "witness"

PHASES: Final = ("setup", "call", "teardown")
_OF_PHASES: Final = frozenset(f"pytest_runtest_{when}" for when in PHASES)

KNOWN: Final[dict[str, dict[str, str]]] = {
    "pytest_runtest_protocol": {
        "_pytest.runner.pytest_runtest_protocol": _COVERED,
        "_pytest.assertion.pytest_runtest_protocol": _WRAP,
        "_pytest.warnings.pytest_runtest_protocol": _WRAP,
        "_pytest.faulthandler.pytest_runtest_protocol": _WRAP,
        # For items of unittest only.
        "_pytest.unittest.pytest_runtest_protocol": _COVERED,
        "pytest_timeout.pytest_runtest_protocol": _WRAP,
        "pytest_codspeed.plugin.pytest_runtest_protocol": _COVERED,
        # For items that are to be run again if they fail.
        "pytest_rerunfailures.pytest_runtest_protocol": _COVERED,
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
        "pytest_benchmark.plugin.pytest_runtest_setup": _COVERED,
    },
    "pytest_runtest_call": {
        "_pytest.runner.pytest_runtest_call": _CALL,
        "_pytest.threadexception.pytest_runtest_call": _QUEUE,
        "_pytest.unraisableexception.pytest_runtest_call": _QUEUE,
        "_pytest.skipping.pytest_runtest_call": _COVERED,
        "_pytest.capture.CaptureManager.pytest_runtest_call": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_call": _COVERED,
        "_hypothesis_pytestplugin.pytest_runtest_call": _BEFORE,
        # For timeouts of the function only.
        "pytest_timeout.pytest_runtest_call": _COVERED,
        "pytest_cov.plugin.CovPlugin.pytest_runtest_call": _COVERED,
    },
    "pytest_runtest_teardown": {
        "_pytest.runner.pytest_runtest_teardown": _CALL,
        "_pytest.threadexception.pytest_runtest_teardown": _QUEUE,
        "_pytest.unraisableexception.pytest_runtest_teardown": _QUEUE,
        "_pytest.capture.CaptureManager.pytest_runtest_teardown": _COVERED,
        "_pytest.logging.LoggingPlugin.pytest_runtest_teardown": _COVERED,
        "pytest_rerunfailures.pytest_runtest_teardown": _COVERED,
    },
    # Of a phase that passed and has nothing to show.
    "pytest_runtest_makereport": {
        "_pytest.runner.pytest_runtest_makereport": _COVERED,
        "_pytest.skipping.pytest_runtest_makereport": _COVERED,
        "_pytest.unittest.pytest_runtest_makereport": _COVERED,
        "_pytest.tmpdir.pytest_runtest_makereport": _COVERED,
        # For items that it has run.
        "_hypothesis_pytestplugin.pytest_runtest_makereport": _COVERED,
        "pytest_benchmark.plugin.pytest_runtest_makereport": _COVERED,
        "pytest_rerunfailures.pytest_runtest_makereport": _WITNESS,
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
        # For reports of tests that are run again.
        "pytest_rerunfailures.XDistHooks.pytest_runtest_logreport": _COVERED,
    },
}


# What implementations of plugins do nothing without: marks of an item, and fixtures that it takes.
_UNLESS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "pytest_codspeed.plugin.pytest_runtest_protocol": (
        frozenset({"benchmark", "codspeed_benchmark"}),
        frozenset(),
    ),
    "pytest_cov.plugin.CovPlugin.pytest_runtest_call": (
        frozenset({"no_cover"}),
        frozenset({"no_cover"}),
    ),
    "pytest_benchmark.plugin.pytest_runtest_setup": (frozenset({"benchmark"}), frozenset()),
    "pytest_benchmark.plugin.pytest_runtest_makereport": (frozenset(), frozenset({"benchmark"})),
    "pytest_rerunfailures.pytest_runtest_protocol": (frozenset({reruns.MARK}), frozenset()),
}

# It does nothing without a timeout.
_FAULT_HANDLER: Final = "_pytest.faulthandler.pytest_runtest_protocol"

# pytest-rerunfailures runs an item itself if a function beside this one finds that it may be run again.
_RERUNS: Final = "pytest_rerunfailures.pytest_runtest_protocol"
_RERUNS_COUNT: Final = "get_reruns_count"

BEFORE: Final = "before the call"


class Known(NamedTuple):
    """The implementations of a session, all of which are known."""

    # Those that are still called, of each hook, in their order. Those that only do something before a
    # call are under `BEFORE`.
    called: dict[str, list[Any]]
    # For items that have one of these, or take one of these, others do something, too.
    marks: frozenset[str]
    fixtures: frozenset[str]
    # The modules that catch exceptions while a phase lasts.
    catching: frozenset[str]
    # Those who keep something of each report.
    witnesses: list[Any]


def implementations(config: pytest.Config, apart: frozenset[str]) -> Known | str:
    """Those that take part in a session; or the first that is not known.

    Hooks that are set `apart` the caller sees to.
    """
    found: dict[str, list[Any]] = {BEFORE: []}
    marks: frozenset[str] = frozenset()
    fixtures: frozenset[str] = frozenset()
    catching: frozenset[str] = frozenset()
    witnesses = []
    for hook, known in KNOWN.items():
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
            if name == _FAULT_HANDLER and not _has_timeout(config):
                fate = _COVERED
            is_known_plugins = name in known_code.PLUGINS
            if is_known_plugins and known_code.of_plugin(function) is None:
                fate = None
            if name == _RERUNS and fate and _runs_all_again(function, config):
                return "pytest-rerunfailures runs tests again"
            if fate is not None and name in _UNLESS:
                marks |= _UNLESS[name][0]
                fixtures |= _UNLESS[name][1]
            wraps = implementation.hookwrapper or implementation.wrapper
            if fate == _QUEUE and wraps:
                fate = _COVERED
                catching |= {function.__module__}
            if fate is None and hook in _OF_PHASES and not wraps:
                # It is called where the plugin manager would call it: within capture and logging, after
                # marks were looked at, and before what is left in queues is.
                early = hook == "pytest_runtest_setup" and _COVERED not in fates
                fate = None if early or _QUEUE in fates else _CALL
            if (
                fate is None
                or (fate == _CALL and wraps)
                or (fate in (_WRAP, _BEFORE, _WITNESS) and not wraps)
            ):
                return f"{name} implements {hook}"
            if not wraps and not is_known_plugins:
                fates.append(fate)
            if fate == _BEFORE:
                found[BEFORE].append(implementation)
            elif fate == _WITNESS:
                witnesses.append(implementation)
            elif fate in (_CALL, _WRAP):
                found[hook].append(implementation)
    return Known(found, marks, fixtures, catching, witnesses)


def _has_timeout(config: pytest.Config) -> bool:
    return float(config.getini("faulthandler_timeout") or 0.0) > 0


def _runs_all_again(protocol: Any, config: pytest.Config) -> bool:
    """Whether pytest-rerunfailures runs items again that have no mark which says so."""
    count = protocol.__globals__.get(_RERUNS_COUNT)
    if count is None or known_code.of_plugin(count) is None:
        return True
    session = SimpleNamespace(config=config)
    item = SimpleNamespace(session=session, get_closest_marker=lambda name: None)
    return count(item) is not None
