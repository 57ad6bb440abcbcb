"""Imports modules with fewer questions, where it is known what pytest's own answers would be.

Of each module that is imported pytest asks by its name, as a path, whether it may have assertions to
be rewritten, and of each test module twice; whether its directory is a package, as paths again; and
whether there is a directory for its bytecode, by trying to make it. What is asked of the disk is asked
here as well, since it may change from one module to the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _pytest.assertion.rewrite
import _pytest.pathlib

from . import known_code
from .pytest_names import AssertionRewritingHook
from .short_walk import Names

_Hook: Any = AssertionRewritingHook


class ShortImports:
    """Stands for parts of pytest's import of modules, after `begin`."""

    def __init__(self, session: Any) -> None:
        config = session.config
        self._globs = list(config.getini("python_files"))
        self._names = Names(self._globs)

    def begin(self, replace: Callable[[Any, str, Any], None]) -> str | None:
        """Take the place of pytest's own functions, by `replace`; returns what of them is not known."""
        unknown = known_code.unknown(known_code.IMPORTS)
        if unknown is not None:
            return unknown
        rewrite, paths = _pytest.assertion.rewrite, _pytest.pathlib
        replace(rewrite, "try_makedirs", _made(rewrite.try_makedirs))
        replace(paths, "resolve_package_path", resolve_package_path)
        # Other globs are not of the name alone. (Who is told of each module traces calls of hooks as
        # well, so that nothing of all this takes place.)
        if self._names.are_plain:
            bails_out = self._bails_out(_Hook._early_rewrite_bailout)
            replace(_Hook, "_early_rewrite_bailout", bails_out)
            replace(_Hook, "_should_rewrite", self._rewrites(_Hook._should_rewrite))
        return None

    def _bails_out(self, genuine: Callable[[Any, str, Any], bool]) -> Callable[..., bool]:
        """Stands for `_early_rewrite_bailout`: whether a module of that name is not to be rewritten."""
        match, patterns = self._names.match, self._patterns

        def early_rewrite_bailout(hook: Any, name: str, state: Any) -> bool:
            last = name.rpartition(".")[2]
            if not (hook._session_paths_checked and last.isidentifier() and patterns(hook)):
                return genuine(hook, name, state)
            if last in hook._basenames_to_check_rewrite or match(f"{last}.py"):
                return False
            return not hook._is_marked_for_rewrite(name, state)

        return early_rewrite_bailout

    def _rewrites(self, genuine: Callable[[Any, str, str, Any], bool]) -> Callable[..., bool]:
        """Stands for `_should_rewrite`: whether the module in that file is."""
        match, patterns = self._names.match, self._patterns

        def should_rewrite(hook: Any, name: str, fn: str, state: Any) -> bool:
            return (patterns(hook) and match(os.path.basename(fn))) or genuine(
                hook, name, fn, state
            )

        return should_rewrite

    def _patterns(self, hook: Any) -> bool:
        """Whether a hook goes by the patterns that were found, which a conftest may add to."""
        return bool(hook.fnpats == self._globs)


def _made(genuine: Callable[[Path], bool]) -> Callable[[Path], bool]:
    """Stands for `try_makedirs`."""

    def try_makedirs(cache_dir: Path) -> bool:
        return os.path.isdir(cache_dir) or genuine(cache_dir)

    return try_makedirs


def resolve_package_path(path: Path) -> Path | None:
    """Stands for the function of this name: the topmost directory above that is a package, with those
    in between."""
    found = None
    directory = str(path)
    while True:
        if os.path.isdir(directory):
            if not os.path.isfile(os.path.join(directory, "__init__.py")):
                break
            if not os.path.basename(directory).isidentifier():
                break
            found = directory
        above = os.path.dirname(directory)
        if above == directory:
            break
        directory = above
    return None if found is None else type(path)(found)
