"""A plugin that writes, from pytest's own items, the tree that VS Code's Python extension expects, and what our own has besides.

It is the reference of `tests/it/discover.rs`; the shape was read in the extension's plugin, and is made here in the plainest way.
"""

import inspect
import json
import os

import pytest

errors = []


def pytest_exception_interact(node, report):
    if isinstance(report, pytest.CollectReport):
        errors.append(node.nodeid)


def child(parent, identity, make):
    for other in parent["children"]:
        if other["id_"] == identity:
            return other
    made = make()
    parent["children"].append(made)
    return made


def node(name, path, kind, identity):
    return {"name": name, "path": str(path), "type_": kind, "id_": identity, "children": []}


def line_of(collector):
    return str(inspect.getsourcelines(collector.obj)[1])


def pytest_sessionfinish(session):
    root = session.path
    tree = node(root.name, root, "folder", str(root))
    details = {}
    for item in session.items:
        path = item.path
        absolute = "::".join([str(path), *item.nodeid.split("::")[1:]])
        above = tree
        for folder in reversed(path.relative_to(root).parents[:-1]):
            folder = root / folder
            above = child(above, str(folder), lambda: node(folder.name, folder, "folder", str(folder)))
        above = child(above, str(path), lambda: node(path.name, path, "file", str(path)))
        for part in item.listchain():
            if isinstance(part, pytest.Class):
                identity = "::".join([str(path), *part.nodeid.split("::")[1:]])
                above = child(
                    above,
                    identity,
                    lambda: node(part.name, path, "class", identity) | {"lineno": line_of(part)},
                )
        name = item.name
        if hasattr(item, "callspec"):
            function, _, parameters = name.partition("[")
            name = "[" + parameters
            behind = item.nodeid.rsplit("::", 1)[0].rsplit(".py", 1)[1]
            identity = f"{path}{behind}::{function}"
            above = child(above, identity, lambda: node(function, path, "function", identity))
        line = "" if item.location[1] is None else str(item.location[1] + 1)
        made = {"name": name, "path": str(path), "type_": "test", "id_": absolute, "lineno": line, "runID": absolute}
        child(above, absolute, lambda: made)
        details[item.nodeid] = {
            "marks": sorted({mark.name for mark in item.iter_markers()}),
            "line": line,
            "elsewhere": item.config.rootpath / item.location[0] != path,
        }
    with open(os.environ["REFERENCE"], "w") as file:
        json.dump({"tests": tree, "errors": errors, "details": details}, file)
