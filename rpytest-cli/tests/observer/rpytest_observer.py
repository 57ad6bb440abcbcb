"""A plugin that writes down what a session made: its items, and the reports of them, whole.

    RPYTEST_OBSERVED=DIR PYTHONPATH=.../observer rpytest -p rpytest_observer -n 1

`DIR/items` is written where the session collects, `DIR/reports` where reports arrive. Two runs of the same
suite are compared as text: nothing is in it that differs from one run to the next, such as times and
addresses. In a worker the plugin does not listen to reports, so that it stands in the way of nothing.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from pathlib import Path
from typing import Any

import pytest
import rpytest_varying


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Listener(), "rpytest-observer")


def pytest_collection_finish(session: pytest.Session) -> None:
    lines = (line for item in session.items for line in item_lines(item))
    write("items", lines)


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self.lines.append(f"start {nodeid} {location!r}")

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.lines += report_lines(report)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self.lines.append(f"finish {nodeid} {location!r}")

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        message = warning_message
        about = message.category.__name__, str(message.message), message.filename, message.lineno
        self.lines.append(f"warning {about!r} {when} {nodeid} {location!r}")

    def pytest_sessionfinish(self) -> None:
        write("reports", self.lines)


def write(name: str, lines: Any) -> None:
    directory = Path(os.environ["RPYTEST_OBSERVED"])
    directory.mkdir(parents=True, exist_ok=True)
    text = rpytest_varying.without("\n".join(lines))
    (directory / name).write_text(text + "\n", errors="backslashreplace")


# ---------------------------------------------------------------- items


def item_lines(item: Any) -> Any:
    yield item.nodeid
    yield f"  type {type(item).__module__}.{type(item).__qualname__}"
    yield f"  chain {[(type(node).__name__, node.nodeid) for node in item.listchain()]}"
    yield f"  attributes {sorted(vars(item))}"
    for name in ("name", "path", "originalname", "fixturenames", "funcargs", "user_properties"):
        yield f"  {name} {getattr(item, name, None)!r}"
    yield f"  location {item.location!r} {item.reportinfo()!r}"
    yield f"  of {item.config is item.session.config} {item.parent.session is item.session}"
    yield f"  marks {[mark_text(mark) for mark in item.own_markers]}"
    yield f"  all marks {[(node.nodeid, mark_text(mark)) for node, mark in item.iter_markers_with_node()]}"
    yield f"  keywords {[(name, value_text(item.keywords[name])) for name in item.keywords]}"
    yield f"  own keywords {[(name, value_text(value)) for name, value in item.keywords._markers.items()]}"
    yield f"  extra keywords {sorted(item.extra_keyword_matches)!r}"
    yield f"  stash {len(item.stash)} {item.stash is item._store}"
    yield f"  sections {item._report_sections!r}"
    if not isinstance(item, pytest.Function):
        return
    yield f"  object {value_text(item.obj)} {value_text(item.module)} {value_text(item.cls)} {value_text(item.instance)}"
    yield f"  function {value_text(item.function)}"
    spec = getattr(item, "callspec", None)
    if spec is not None:
        yield f"  callspec {type(spec).__name__} {spec.id!r}"
        for name in ("params", "indices", "_arg2scope", "_idlist", "marks"):
            yield f"    {name} {value_text(getattr(spec, name, None))}"
    info = item._fixtureinfo
    yield f"  info {type(info).__name__} {info.argnames!r} {info.initialnames!r} {info.names_closure!r}"
    yield f"  same list {item.fixturenames is info.names_closure}"
    for name, definitions in info.name2fixturedefs.items():
        yield f"    {name} {[fixture_text(one) for one in definitions]}"
    request = item._request
    yield f"  request {type(request).__name__} {request.scope} {request.node is item} {sorted(vars(request))}"


# Of marks, by their identity: each item of many has the same one, with the parameters of all.
MARKS: dict[int, tuple[Any, str]] = {}


def mark_text(mark: Any) -> str:
    if id(mark) not in MARKS:
        MARKS[id(mark)] = mark, text_of_mark(mark)
    return MARKS[id(mark)][1]


def text_of_mark(mark: Any) -> str:
    arguments = [value_text(value) for value in mark.args]
    named = {name: value_text(value) for name, value in mark.kwargs.items()}
    text = f"{mark.name}({arguments}, {named}) {mark._param_ids_generated!r} {mark._param_ids_from is not None}"
    if len(text) > 500:
        text = rpytest_varying.ADDRESS.sub("0x...", text)
        text = f"{text[:200]}... {hashlib.sha256(text.encode(errors='backslashreplace')).hexdigest()}"
    return text


def fixture_text(definition: Any) -> str:
    return (
        f"{definition.argname} {definition.baseid!r} {definition.scope} {value_text(definition.params)}"
        f" {value_text(definition.ids)} {definition.argnames} {value_text(definition.func)}"
    )


def value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}{[value_text(one) for one in value]}"
    if isinstance(value, dict):
        return f"{ {str(key): value_text(one) for key, one in value.items()} }"
    if isinstance(value, pytest.Mark):
        return mark_text(value)
    if isinstance(value, pytest.MarkDecorator):
        return f"@{mark_text(value.mark)}"
    if inspect.ismodule(value):
        return f"module {value.__name__}"
    if inspect.ismethod(value):
        return f"method {value.__qualname__} of a {type(value.__self__).__qualname__}"
    if inspect.isfunction(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    try:
        return f"{type(value).__qualname__} {value!r}"
    except Exception as error:
        return f"{type(value).__qualname__} without a text: {type(error).__name__}"


# ---------------------------------------------------------------- reports

# Times, what a controller adds, and what hypothesis has measured.
NOT_COMPARED = {"duration", "start", "stop", "node", "worker_id", "testrun_uid", "$report_type", "_hypothesis_stats"}


def report_lines(report: Any) -> Any:
    yield f"report {report.nodeid} {report.when} {report.outcome} {type(report).__name__}"
    for name in sorted(vars(report).keys() - NOT_COMPARED):
        value = getattr(report, name)
        if name == "longrepr" and value is not None and not isinstance(value, tuple | str):
            yield "  longrepr"
            yield from (f"    {line}" for line in str(value).splitlines())
            crash = getattr(value, "reprcrash", None)
            yield f"    crash {crash!r}"
        elif name == "keywords":
            # Their order is that of their nodes.
            yield f"  keywords {list(value.items())!r}"
        else:
            yield f"  {name} {value!r}"
