"""A plugin that writes down what a session reported, for `rpytest --verify-dropin`.

It is given to pytest and to rpytest alike (`-p rpytest_verify`), lies in a directory of its own, and
writes below itself. It depends on nothing of rpytest's, which must not be there when pytest runs.
rpytest knows it (`pytest_compat.is_observer`): it stands in the way of no short cut.

It only listens. If no JUnit XML is asked for, there is one all the same, which fixtures do not know of.
The exception is a run of pytest's in the order of a worker's tests: it is to find out whether what that
worker has shown comes of the order.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import pytest

# Not where modules are looked for: whoever keeps what an import has found would see that come and go.
HERE = Path(__file__).resolve().parent / "out"
# That of code without a file, which nobody measures who measures all that is not installed.
__file__ = "<rpytest>/rpytest_verify.py"
# What was observed, and the JUnit XML that nobody else has asked for.
OBSERVATION = HERE / "observation.json"
JUNIT = HERE / "junit.xml"
# If it is there, the node ids of the tests that are to be run, in this order, and no others.
ORDER = HERE / "order.json"

# Attributes of reports that are times, or that a controller adds; names with an underscore are private.
NOT_COMPARED = frozenset(
    {
        "$report_type",
        "duration",
        "item_index",
        "node",
        "start",
        "stop",
        "testrun_uid",
        "worker_id",
    }
)
# Those that have a place of their own in what is written.
TOLD_APART = frozenset({"id", "longrepr", "nodeid", "outcome", "result", "sections", "when"})


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # its controller has all reports
    junit = getattr(config.option, "xmlpath", None)
    if config.pluginmanager.hasplugin("junitxml") and not junit:
        junit = _write_junit(config)
    config.pluginmanager.register(Listener(config, junit), "rpytest-verify")
    if ORDER.exists():
        order = json.loads(ORDER.read_text(encoding="utf-8"))
        config.pluginmanager.register(InOrder(order), "rpytest-verify-order")


def _write_junit(config: pytest.Config) -> str | None:
    """Let pytest's own plugin write one, as it would if it were asked for it.

    It is not put where fixtures such as `record_property` look for it, who would warn of it.
    """
    try:
        from _pytest.junitxml import LogXML

        writer = LogXML(
            str(JUNIT),
            config.option.junitprefix,
            suite_name=config.getini("junit_suite_name"),
            logging=config.getini("junit_logging"),
            report_duration=config.getini("junit_duration_report"),
            family=config.getini("junit_family"),
            log_passing_tests=config.getini("junit_log_passing_tests"),
        )
    except (ImportError, AttributeError, TypeError, ValueError):
        return None  # a pytest that has it in another way
    config.pluginmanager.register(writer, "rpytest-verify-junit")
    return str(JUNIT)


class InOrder:
    """Leaves these tests, in this order."""

    def __init__(self, order: list[str]) -> None:
        self._places = {nodeid: place for place, nodeid in enumerate(order)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        places = self._places
        wanted = [item for item in items if _text(item.nodeid) in places]
        items[:] = sorted(wanted, key=lambda item: places[_text(item.nodeid)])


class Listener:
    """Keeps what it is told. Nothing is made of it before the session has ended."""

    def __init__(self, config: pytest.Config, junit: str | None) -> None:
        self._config = config
        self._junit = junit
        self._reports: list[Any] = []
        self._collected: list[Any] = []
        self._warnings: list[dict[str, Any]] = []

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        self._reports.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "passed":
            self._collected.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: Any
    ) -> None:
        self._warnings.append(
            {
                "category": warning_message.category.__name__,
                "message": _text(str(warning_message.message)),
                "file": _text(str(warning_message.filename)),
                "line": warning_message.lineno,
                "when": when,
                "nodeid": _text(str(nodeid)),
            }
        )

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        began = time.perf_counter()
        config = self._config
        observed: dict[str, Any] = {
            "python": platform.python_version(),
            "pytest": pytest.__version__,
            "rootdir": _text(str(config.rootpath)),
            "xdist": config.pluginmanager.hasplugin("xdist"),
            "junit": _text(self._junit or ""),
            "reports": [_report(report) for report in self._reports],
            "collected": [_report(report) for report in self._collected],
            "warnings": self._warnings,
        }
        text = json.dumps(observed)
        # What it has cost to say this is not the session's.
        seconds = time.perf_counter() - began
        written = OBSERVATION.with_suffix(".new")
        written.write_text(f'{{"seconds": {seconds!r}, {text[1:]}', encoding="ascii")
        os.replace(written, OBSERVATION)


def _report(report: Any) -> dict[str, Any]:
    others = {
        name: _value(value)
        for name, value in vars(report).items()
        if name not in NOT_COMPARED and name not in TOLD_APART and name[0] != "_"
    }
    longrepr = report.longrepr
    return {
        "nodeid": _text(str(report.nodeid)),
        "when": getattr(report, "when", None) or "collect",
        "outcome": str(report.outcome),
        "longrepr": None if longrepr is None else _text(str(longrepr)),
        "sections": [(_text(str(name)), _text(str(text))) for name, text in report.sections],
        "others": others,
    }


def _value(value: Any) -> str:
    try:
        # The order of keywords is that of the nodes, which is pytest's matter.
        return _text(repr(value))
    except Exception as error:  # a plugin's object may do anything
        return f"{type(value).__qualname__} without a text: {type(error).__name__}"


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
