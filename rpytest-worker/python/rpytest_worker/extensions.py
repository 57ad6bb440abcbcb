"""Extension modules and libraries of which it is known that nobody sees when their objects go.

What a type that is written in C does with an object that goes, nothing tells. Here are modules in wide
use whose objects hold memory and other objects, and nothing of the system: no file, connection, thread
or process, and no function to be called at the end. They are known by name: that is what they are for.
"""

from __future__ import annotations

import os
from typing import Final

# All of a package's.
_PACKAGES: Final = frozenset({"numpy", "charset_normalizer"})
_MODULES: Final = frozenset(
    {
        *("markupsafe._speedups", "yaml._yaml", "rpds.rpds", "hypothesis._native"),
        *("simplejson._speedups", "orjson.orjson", "msgpack._cmsgpack"),
        *("multidict._multidict", "frozenlist._frozenlist", "propcache._helpers_c"),
        *("yarl._quoting_c", "wrapt._wrappers", "pydantic_core._pydantic_core"),
        *(
            "zope.interface._zope_interface_coptimizations",
            "websockets.speedups",
            "tornado.speedups",
            "ujson",
        ),
    }
)
# Those that a process has anyway, by the first part of their names.
_OF_THE_SYSTEM: Final = frozenset({"libc", "libm", "libpthread", "libdl", "librt", "libSystem"})


def is_known(name: str) -> bool:
    """Of a module, by its full name."""
    return name in _MODULES or name.partition(".")[0] in _PACKAGES


def is_of_the_system(library: str | None) -> bool:
    """Of a library, by the name by which it was loaded; that of the interpreter has none."""
    if library is None:
        return True
    return not os.path.dirname(library) and library.partition(".")[0] in _OF_THE_SYSTEM
