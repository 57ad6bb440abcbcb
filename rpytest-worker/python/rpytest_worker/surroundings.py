"""What plugins bring, and where pytest keeps it: private names of pytest, read in 8.0 to 9.2."""

from __future__ import annotations

import inspect
import types
from collections.abc import Sequence
from typing import Any

import pytest

from .pytest_compat import is_ours, is_pytests_own


def files_with_wide_parameters(items: Sequence[pytest.Item]) -> list[str]:
    """The files of items with parameters of a scope above a module's, by which pytest moves items from
    file to file."""
    files = set()
    for item in items:
        scopes = getattr(getattr(item, "callspec", None), "_arg2scope", {})
        if any(scope.value in ("session", "package") for scope in scopes.values()):
            files.add(str(item.nodeid).partition("::")[0])
    return sorted(files)


class Plugins:
    """What plugins bring, told apart by whether the environment brings them or the project."""

    def __init__(self, config: pytest.Config, early: set[int]) -> None:
        self._manager = config.pluginmanager
        self._early = early
        self._conftests = set(map(id, getattr(self._manager, "_conftest_plugins", ())))
        self._early_packages = {
            _module(plugin).partition(".")[0]
            for plugin in self._manager.get_plugins()
            if id(plugin) in early
        }

    def _is_environments(self, plugin: Any) -> bool:
        # An object that an installed plugin registers when it is configured is the environment's, too.
        return id(plugin) not in self._conftests and (
            id(plugin) in self._early
            or _module(plugin).partition(".")[0] in self._early_packages - {"conftest"}
        )

    def hooks(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Hooks that plugins implement: those of the environment, and those of the project."""
        environment: dict[tuple[str, str], None] = {}
        project: dict[tuple[str, str], None] = {}
        for plugin in self._manager.get_plugins():
            if is_pytests_own(plugin) or is_ours(plugin) or _is_our_module(plugin):
                continue
            for caller in self._manager.get_hookcallers(plugin) or ():
                if self._is_environments(plugin):
                    environment[_module(plugin), caller.name] = None
                else:
                    where = getattr(plugin, "__file__", None) or _module(plugin)
                    project[str(where), caller.name] = None
        return _as_hooks(environment), _as_hooks(project)

    def fixtures(self, session: pytest.Session) -> list[dict[str, Any]]:
        """Fixtures of the environment's plugins."""
        functions = set()
        for plugin in self._manager.get_plugins():
            if is_pytests_own(plugin) or _is_our_module(plugin):
                continue
            if self._is_environments(plugin):
                for name in dir(plugin):
                    functions.add(_fixture_function(inspect.getattr_static(plugin, name, None)))
        found = []
        for definition in fixture_definitions(session):
            function = getattr(definition.func, "__func__", definition.func)
            if id(function) not in functions:
                continue
            found.append(
                {
                    "name": definition.argname,
                    "autouse": definition.argname in _autouse_names(session),
                    "params": definition.params is not None,
                    "needs": list(definition.argnames),
                }
            )
        return sorted(found, key=lambda fixture: str(fixture["name"]))


def _as_hooks(hooks: dict[tuple[str, str], None]) -> list[dict[str, str]]:
    return [{"module": module, "name": name} for module, name in hooks]


def _module(plugin: Any) -> str:
    if isinstance(plugin, types.ModuleType):
        return plugin.__name__
    module = getattr(plugin, "__module__", None) or type(plugin).__module__
    return str(module)


def _is_our_module(plugin: Any) -> bool:
    return _module(plugin).partition(".")[0] == "rpytest_worker"


def _fixture_function(value: Any) -> int | None:
    """The identity of the function that a fixture's decorator has wrapped."""
    unwrap = getattr(value, "_get_wrapped_function", None)  # since pytest 8.4
    if unwrap is not None and not isinstance(value, type):
        return id(unwrap())
    wrapped = getattr(value, "__pytest_wrapped__", None)
    return None if wrapped is None else id(wrapped.obj)


def fixture_definitions(session: pytest.Session) -> list[Any]:
    manager = session._fixturemanager
    if hasattr(manager, "_get_all_fixture_defs"):  # since pytest 9.1
        return list(manager._get_all_fixture_defs())
    by_name: dict[str, list[Any]] = manager.__dict__["_arg2fixturedefs"]
    return [definition for definitions in by_name.values() for definition in definitions]


def _autouse_names(session: pytest.Session) -> set[str]:
    manager = session._fixturemanager
    names: set[str] = set()
    for table in ("_nodeid_autousenames", "_node_autousenames"):
        for values in getattr(manager, table, {}).values():
            names.update(values)
    return names
