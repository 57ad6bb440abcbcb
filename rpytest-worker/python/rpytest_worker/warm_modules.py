"""Which modules stay between the sessions of one process, and which are imported again.

What fixtures rest on stays: the module that each was defined in, and all that this imports, be it
later. Everything else of the user's is forgotten, so that each session imports it as a new process
would.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import os
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import touches

# What imports modules by names that are known only when it runs.
_DYNAMIC = frozenset({"import_module", "__import__", "importorskip", "exec", "eval", "run_path"})


class Modules:
    """From the start of the process."""

    def __init__(self) -> None:
        # Those of the interpreter and of pytest.
        self._first = frozenset(sys.modules)
        self._foreign = touches.environment_directories()
        # Modules of the last session's tests, which nothing else imports by chance.
        self.of_tests: list[types.ModuleType] = []
        self._imports: dict[int, tuple[types.ModuleType, set[str] | None]] = {}

    def is_users(self, module: Any) -> bool:
        path = touches.file_of(module)
        return path is not None and not os.path.abspath(path).startswith(self._foreign)

    def _users(self) -> Iterator[tuple[str, types.ModuleType]]:
        for name, module in list(sys.modules.items()):
            if name not in self._first and self.is_users(module):
                yield name, module

    def needed(self, modules: Iterable[types.ModuleType]) -> list[types.ModuleType]:
        """These, and everything of the user's that they import."""
        found: dict[int, types.ModuleType] = {}
        waiting = list(modules)
        # One that is not written in Python cannot be loaded twice.
        waiting += [module for _, module in self._users() if not _source(module)]
        while waiting:
            module = waiting.pop()
            if id(module) in found or not self.is_users(module):
                continue
            found[id(module)] = module
            if id(module) not in self._imports:
                self._imports[id(module)] = module, _imported(module)
            _, imported = self._imports[id(module)]
            if imported is None:
                tests = set(map(id, self.of_tests))
                waiting += [other for _, other in self._users() if id(other) not in tests]
                continue
            waiting += [other for name in imported if (other := sys.modules.get(name)) is not None]
        return list(found.values())

    def places(self, needed: list[types.ModuleType], search_path: list[str]) -> set[str]:
        """Where a file would have to come to be imported instead of one of these, or by one of them."""
        names = {module.__name__ for module in needed}
        for module in needed:
            _, imported = self._imports.get(id(module), (module, None))
            names |= imported or set()
        found = set()
        for name in names:
            parent, _, last = name.rpartition(".")
            package = sys.modules.get(parent)
            directories = getattr(package, "__path__", ()) if parent else search_path
            own = getattr(sys.modules.get(name), "__file__", None) or ""
            for directory in directories:
                start = os.path.join(os.path.abspath(directory), last)
                if start.startswith(self._foreign):
                    continue
                found |= {start, os.path.join(start, "__init__.py")}
                found |= {start + suffix for suffix in importlib.machinery.all_suffixes()}
                if own.startswith((f"{start}.", start + os.sep)):
                    break
        return found

    def forget_others(self, needed: list[types.ModuleType]) -> None:
        stay = set(map(id, needed))
        self._imports = {key: one for key, one in self._imports.items() if key in stay}
        names = [name for name, module in self._users() if id(module) not in stay]
        for name in names:
            module = sys.modules.pop(name, None)
            parent, _, last = name.rpartition(".")
            holder = sys.modules.get(parent)
            if holder is not None and getattr(holder, last, None) is module:
                with contextlib.suppress(AttributeError):
                    delattr(holder, last)
        # Packages without a file, in which nothing is left.
        for name, module in sorted(sys.modules.items(), reverse=True):
            if (
                name not in self._first
                and type(getattr(module, "__path__", None)).__name__ == "_NamespacePath"
                and not any(other.startswith(f"{name}.") for other in sys.modules)
            ):
                del sys.modules[name]
        importlib.invalidate_caches()
        linecache.checkcache()


def _source(module: types.ModuleType) -> bool:
    return str(module.__file__).endswith(".py")


def _imported(module: types.ModuleType) -> set[str] | None:
    """The names of all that it may import; `None` if that is not known."""
    path = str(module.__file__)
    if not _source(module):
        return set()
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    names: set[str] = set()
    package = getattr(module, "__package__", None) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                try:
                    base = importlib.util.resolve_name("." * node.level + base, package)
                except ImportError:
                    continue
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif (isinstance(node, ast.Name) and node.id in _DYNAMIC) or (
            isinstance(node, ast.Attribute) and node.attr in _DYNAMIC
        ):
            return None
    names.add(str(module.__name__))
    for name in list(names):
        while "." in name:
            name = name.rpartition(".")[0]
            names.add(name)
    return names - {module.__name__}


class Again(importlib.abc.MetaPathFinder):
    """Finds modules that stay for whoever has taken them out of `sys.modules` to import them anew.

    pytest does so with each `conftest` that is in no package: there may be others of that name.
    """

    def __init__(self, modules: Iterable[types.ModuleType]) -> None:
        self._by_file = {
            os.path.realpath(module.__file__): module for module in modules if module.__file__
        }
        self._names = {module.__name__ for module in self._by_file.values()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or not spec.origin:
            return None
        module = self._by_file.get(os.path.realpath(spec.origin))
        if module is None or module.__name__ != fullname:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loaded(module), origin=spec.origin)


class _Loaded(importlib.abc.Loader):
    """Loads what is loaded."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._spec, self._loader = module.__spec__, module.__loader__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__, module.__loader__ = self._spec, self._loader
