"""Compares the tables of `pytest_names` with the sources of the package, and with the pytest beside it.

Fails, and says why, if a private name is touched that no table has, or if one is missing that has to be
there.
"""

import ast
import importlib
import pathlib
import re
import sys

import _pytest
import pluggy
import pytest
import rpytest_worker
from rpytest_worker import known_code, pytest_names

# Of Python's own modules, although pytest has the same words.
OTHERS = {"_action_groups", "_fields", "_getframe", "_io", "_mock_name", "_name", "_option_string_actions"}

TABLES = pytest_names.SHORT_CUTS | pytest_names.NEEDED | pytest_names.OPTIONAL
# Functions that are known by their code are there, or else not touched.
BY_CODE = {
    name
    for table in vars(known_code).values()
    if isinstance(table, dict)
    for name in table
    if ":" in name
}
LISTED = TABLES | BY_CODE
PARTS = {part for name in LISTED for part in re.split("[.:]", name)}
DOTTED = {name.replace(":", ".") for name in LISTED}
PUBLIC = {id(getattr(pytest, name)) for name in pytest.__all__}


def words(package):
    texts = [path.read_text("utf-8") for path in pathlib.Path(package.__file__).parent.rglob("*.py")]
    return set(re.findall(r"\b_[a-z]\w*", "\n".join(texts)))


def is_listed(path):
    """Whether a dotted name below `_pytest` is in a table, or is no private name."""
    if path in DOTTED:
        return True
    module, rest = [], path.split(".")
    while rest:
        try:
            importlib.import_module(".".join(["_pytest", *module, rest[0]]))
        except ImportError:
            break
        module.append(rest.pop(0))
    for end in range(1, len(rest) + 1):
        if rest[end - 1].startswith("__"):
            return True
        name = f"{'.'.join(module)}:{'.'.join(rest[:end])}"
        found = pytest_names.find(name)
        if end == 1 and (id(found) in PUBLIC or rest[0].startswith("pytest_")):
            continue
        if name not in LISTED:
            return False
    return True


def dotted(node, aliases):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([aliases.get(node.id, node.id), *reversed(parts)])


def problems(path, private):
    tree = ast.parse(path.read_text("utf-8"))
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {one.asname: one.name for one in node.names if one.asname}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("_pytest."):
            for one in node.names:
                name = f"{node.module}.{one.name}"
                aliases[one.asname or one.name] = name
                if not is_listed(name.removeprefix("_pytest.")):
                    yield node.lineno, name
        if not isinstance(node, ast.Attribute):
            continue
        name = dotted(node, aliases)
        if name.startswith("_pytest."):
            if not is_listed(name.removeprefix("_pytest.")):
                yield node.lineno, name
        elif node.attr in private and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            yield node.lineno, f"….{node.attr}"


def main():
    found = [
        f"pytest {pytest.__version__} has no {name}"
        for name in sorted(pytest_names.SHORT_CUTS | pytest_names.NEEDED)
        if not pytest_names.is_there(name)
    ]
    found += [
        f"{name} of IMPORTED is in no other table"
        for name in pytest_names.IMPORTED.values()
        if name not in pytest_names.SHORT_CUTS | pytest_names.NEEDED
    ]
    private = (words(_pytest) | words(pluggy)) - PARTS - OTHERS
    for path in sorted(pathlib.Path(rpytest_worker.__file__).parent.glob("*.py")):
        own = set(re.findall(r"\bself\.(_\w+)", path.read_text("utf-8")))
        if path.stem not in ("pytest_names", "known_code"):
            found += [f"{path.name}:{line}: {name}" for line, name in problems(path, private - own)]
    if found:
        sys.exit("\n".join(found))


main()
