"""Goes through directories with fewer questions, where it is known what pytest's own answers would be.

pytest asks two hooks about each file, whatever its name is, and the disk three times, whether it might
be a virtual environment or a directory. Most files of most projects can be no test, and their names
tell; and of a file that has the name of a test module a module is made.

Directories are asked about as pytest does, and so are files that are arguments. It is taken where
nothing but pytest implements the hooks, and where neither an option nor a conftest ignores anything.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import _pytest.doctest
import _pytest.main
import _pytest.python
import pytest

from . import known_code, pytest_compat

_main: Any = _pytest.main
_python: Any = _pytest.python

# Of each hook, who may implement it.
_KNOWN: Final = {
    "pytest_ignore_collect": (_pytest.main,),
    "pytest_collect_file": (_pytest.python, _pytest.doctest),
    "pytest_pycollect_makemodule": (_pytest.python,),
}


class ShortWalk:
    """Stands for the collection of directories, after `begin`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        config = session.config
        self._config = config
        option = config.option
        self._modules = Names(config.getini("python_files"))
        self._all_modules = bool(getattr(option, "doctestmodules", False))
        # Without its plugin there are no doctests.
        globs: Any = ()
        if config.pluginmanager.getplugin("doctest") is not None:
            globs = getattr(option, "doctestglob", None) or ("test*.txt",)
        self._texts = Names(globs)
        self._ignores = bool(
            getattr(option, "ignore", None) or getattr(option, "ignore_glob", None)
        )
        self._initial: tuple[Any, frozenset[str]] = (None, frozenset())

    def begin(self, replace: Callable[[Any, str, Any], None]) -> str | None:
        """Take the place of pytest's own functions, by `replace`; returns what of them is not known."""
        unknown = known_code.unknown(known_code.WALK)
        if unknown is not None:
            return unknown
        if self._ignores or not self._modules.are_plain or not self._texts.are_plain:
            return None
        first = _by_name, _package_first
        for cls, sort_key in zip((_main.Dir, _python.Package), first, strict=True):
            replace(cls, "collect", self._collect(cls, cls.collect, sort_key))
        return None

    def _collect(
        self, cls: Any, genuine: Callable[[Any], Any], sort_key: Callable[[Any], Any]
    ) -> Callable[[Any], Iterable[Any]]:
        """Stands for `Dir.collect` or `Package.collect`."""

        def collect(directory: Any) -> Iterable[Any]:
            __tracebackhide__ = True
            if directory.__class__ is cls:
                ignore = self._ignore(directory)
                if ignore is not None:
                    return self._children(directory, sort_key, ignore)
            found: Iterable[Any] = genuine(directory)
            return found

        return collect

    def _ignore(self, directory: Any) -> list[Callable[[str], bool]] | None:
        """What plugins of ours, which are known, ignore; `None` where others have a say."""
        path, hook = directory.path, directory.ihook
        ours = []
        for name, known in _KNOWN.items():
            for implementation in pytest_compat.implementations(hook, name):
                plugin = implementation.plugin
                if pytest_compat.is_ours(plugin):
                    ours.append(plugin.ignores)
                elif plugin not in known and known_code.of_plugin(implementation.function) is None:
                    # That of hypothesis has something to say to one directory only.
                    return None
        lists = self._config._getconftest_pathlist
        try:
            for name in ("collect_ignore", "collect_ignore_glob"):
                if lists(name, path=path) is not None:
                    return None
        except Exception:
            return None  # it is pytest's to complain about
        return ours

    def _arguments(self) -> frozenset[str]:
        paths = self._session._initialpaths
        if self._initial[0] is not paths:
            self._initial = paths, frozenset(map(str, paths))
        return self._initial[1]

    def _children(
        self, directory: Any, sort_key: Callable[[Any], Any], ignore: list[Callable[[str], bool]]
    ) -> Iterator[Any]:
        __tracebackhide__ = True
        session, config, hook = self._session, self._config, directory.ihook
        is_module, is_text = self._modules.match, self._texts.match
        arguments, ask = self._arguments(), hook.pytest_collect_file
        module_of = self._module_maker(directory)
        for entry in _main.scandir(directory.path, sort_key):
            if entry.is_dir():
                path = Path(entry.path)
                if not session.isinitpath(path, with_parents=True) and hook.pytest_ignore_collect(
                    collection_path=path, config=config
                ):
                    continue
                made = hook.pytest_collect_directory(path=path, parent=directory)
                if made is not None:
                    yield made
            elif entry.is_file():
                name = entry.name
                if entry.path in arguments:
                    yield from ask(file_path=Path(entry.path), parent=directory)
                elif name == "__pycache__" or any(one(entry.path) for one in ignore):
                    continue
                elif os.path.splitext(name)[1] != ".py":
                    if is_text(name):
                        yield from ask(file_path=Path(entry.path), parent=directory)
                elif self._all_modules:
                    yield from ask(file_path=Path(entry.path), parent=directory)
                elif is_module(name):
                    yield module_of(entry)

    def _module_maker(self, directory: Any) -> Callable[[os.DirEntry[str]], Any]:
        """Makes the modules of a directory.

        What pytest finds out for each by two relative paths, its name and its node id, and by a look
        whether it is a file, which hooks are those of its directory, is known of all of them.
        """
        make, proxies = pytest.Module.from_parent, self._session.gethookproxy
        files: dict[Path, Path] = getattr(proxies, "files", {})
        prefix = None
        with contextlib.suppress(ValueError):
            below = str(directory.path.relative_to(self._config.rootpath))
            prefix = "" if below == os.curdir else below + "/"

        def module_of(entry: os.DirEntry[str]) -> Any:
            path, name = Path(entry.path), entry.name
            files[path] = directory.path
            # What becomes of a backslash is different from version to version.
            if prefix is None or "\\" in prefix + name:
                return make(directory, path=path)
            return make(
                directory, path=path, name=name, nodeid=pytest_compat.file_id(prefix + name)
            )

        return module_of


def _by_name(entry: os.DirEntry[str]) -> Any:
    return entry.name


def _package_first(entry: os.DirEntry[str]) -> Any:
    return entry.name != "__init__.py", entry.name


class Names:
    """Globs that are matched with the names of files."""

    def __init__(self, globs: Iterable[str]) -> None:
        every = [str(glob) for glob in globs]
        # One with a separator is matched with the whole path.
        self.are_plain = not any("/" in glob or os.sep in glob for glob in every)
        pattern = "|".join(fnmatch.translate(os.path.normcase(glob)) for glob in every)
        self._match = re.compile(pattern).match if every else None

    def match(self, name: str) -> bool:
        return self._match is not None and self._match(os.path.normcase(name)) is not None
