"""Code of which it is known what it does when an object goes, or a process ends: nothing to be noticed.

Functions came with Python or are pytest's, or are known by their code (`known_code`). Of a type that is
written in C nothing tells what it does with an object that goes. Its module has been read, then: from
the oldest version that is in use to the one that is given here, all that is done is to let go of memory
and of other objects. A later version may do otherwise, until somebody has looked.

To read one: what its source has for `tp_dealloc`, `tp_finalize`, `__dealloc__`, `Drop` and `atexit`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
import types
from collections.abc import Mapping
from typing import Any, Final

import _pytest

from . import known_code

# What is called when garbage is collected, or an object goes: it adds up how long that takes
# (hypothesis 6.108 to 6.170), copies from memory to memory (click 8.2 to 8.5), forgets a key (trio 0.29
# to 0.35).
_FUNCTIONS: Final[Mapping[str, str]] = {
    "hypothesis.internal.conjecture.junkdrawer.gc_cumulative_time.<locals>.gc_callback": (
        "bf1cba21 9fae324f"
    ),
    "click.testing.BytesIOCopy.flush": "07cd8a50",
    "click.testing.BytesIOCopy.write": "9ac71272",
    "click.testing._NamedTextIOWrapper.close": "0d1e7699",
    "trio._core._ki.WeakKeyIdentityDictionary.__init__.<locals>.remove": "a5420887",
}

# What they are installed as, and the last version that was read, but for its patches.
_MODULES: Final[Mapping[str, tuple[str, tuple[int, int]]]] = {
    "frozenlist._frozenlist": ("frozenlist", (1, 8)),
    "hypothesis._native": ("hypothesis", (6, 170)),
    "markupsafe._speedups": ("markupsafe", (3, 0)),
    "msgpack._cmsgpack": ("msgpack", (1, 2)),
    "multidict._multidict": ("multidict", (7, 2)),
    "orjson.orjson": ("orjson", (3, 13)),
    "propcache._helpers_c": ("propcache", (0, 5)),
    "pydantic_core._pydantic_core": ("pydantic-core", (2, 47)),
    "rpds.rpds": ("rpds-py", (2026, 9)),
    "simplejson._speedups": ("simplejson", (4, 3)),
    "tornado.speedups": ("tornado", (6, 6)),
    "ujson": ("ujson", (6, 1)),
    "websockets.speedups": ("websockets", (17, 4)),
    "wrapt._wrappers": ("wrapt", (2, 5)),
    "yaml._yaml": ("pyyaml", (6, 0)),
    "yarl._quoting_c": ("yarl", (1, 25)),
    "zope.interface._zope_interface_coptimizations": ("zope.interface", (8, 7)),
}
# All of a package's, but for what it tests itself with.
_PACKAGES: Final[Mapping[str, tuple[str, tuple[int, int]]]] = {
    "charset_normalizer": ("charset-normalizer", (3, 5)),
    "numpy": ("numpy", (2, 5)),
}
# Types of theirs that warn when an object goes, unlike all others: what it has is not written back.
_WARNING: Final = (("numpy", "nditer"),)

# Those that a process has anyway, by the first part of their names.
_LIBRARIES: Final = frozenset({"libc", "libm", "libpthread", "libdl", "librt", "libSystem"})

# As `sysconfig` has it, of which the import alone takes longer than to look at all there is.
_VERSION: Final = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_PATHS: Final = {
    os.path.dirname(os.__file__),
    os.path.join(sys.base_exec_prefix, sys.platlibdir, _VERSION),
}
_OF_PYTHON: Final = tuple(os.path.join(os.path.realpath(path), "") for path in _PATHS)
_OF_PYTEST: Final = os.path.join(os.path.dirname(_pytest.__file__), "")


def is_known_function(function: object) -> bool:
    """Of what is called when an object goes."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return False
    file = function.__code__.co_filename
    if file.startswith(("<frozen ", _OF_PYTEST)) or _came_with_python(file):
        return True
    known = _FUNCTIONS.get(f"{function.__module__}.{function.__qualname__}")
    return known is not None and known_code.of_code(function) in known.split()


def is_known_module(name: str, path: str) -> bool:
    """Of one that is written in C, by its full name and its file."""
    if _came_with_python(path):
        return True
    package, _, module = name.partition(".")
    entry = _MODULES.get(name) or (None if "test" in module else _PACKAGES.get(package))
    if entry is None:
        return False
    distribution, last = entry
    version = importlib.metadata.version(distribution)
    return tuple(map(int, version.split(".")[:2])) <= last


def is_known_library(name: str | None) -> bool:
    """By the name by which `ctypes` has loaded it; that of the interpreter itself has none."""
    if name is None:
        return True
    return not os.path.dirname(name) and name.partition(".")[0] in _LIBRARIES


def types_that_warn() -> set[type]:
    """Of what is loaded."""
    found: list[Any] = [getattr(sys.modules.get(name), kind, None) for name, kind in _WARNING]
    return {kind for kind in found if isinstance(kind, type)}


def _came_with_python(path: str) -> bool:
    parts = os.path.join(_real(os.path.dirname(path)), "")
    return parts.startswith(_OF_PYTHON) and f"{os.sep}site-packages{os.sep}" not in parts


@functools.lru_cache(maxsize=4096)
def _real(directory: str) -> str:
    return os.path.realpath(directory)
