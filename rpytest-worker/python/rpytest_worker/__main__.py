"""Entry of every interpreter that rpytest starts.

`python __main__.py --channel-fd N --crash-fd M --spool-fd O [--rewritten DIR]`: the process's end of
its channel, the file that its fault handler writes to, the file of its spool, and where code with
rewritten assertions is kept. It starts with interrupts blocked, in all threads that there are: they
wait until there is a session, which hears them (`host.hear_interrupts`).
"""

from __future__ import annotations

import gc
import os
import sys
import types
from importlib.machinery import FileFinder, SourceFileLoader

EXIT_NO_PYTEST = 97


def _argument(name: str) -> str | None:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


class _Loader(SourceFileLoader):
    """Keeps the bytecode of our own modules even where the user's is not to be written.

    Ours lie in a cache of our own, and compiling them takes longer than many a run.
    """

    def exec_module(self, module: types.ModuleType) -> None:
        # By a name like this, which is that of code without a file, whoever measures what runs knows
        # that it is nothing of the user's: coverage leaves it out.
        module.__file__ = f"<rpytest>/{os.path.basename(self.path)}"
        super().exec_module(module)

    def get_code(self, fullname: str) -> types.CodeType | None:
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
        try:
            return super().get_code(fullname)
        finally:
            sys.dont_write_bytecode = before


def main() -> None:
    fds = [int(_argument(f"--{name}-fd") or "") for name in ("channel", "crash", "spool")]
    here = os.path.dirname(os.path.abspath(__file__))
    for directory in (here, os.path.dirname(here)):
        sys.path_importer_cache[directory] = FileFinder(directory, (_Loader, [".py"]))
    # Imports allocate much and free nothing: the collector has nothing to find.
    gc.disable()
    safe_path = getattr(sys.flags, "safe_path", False)
    if safe_path:
        sys.path.insert(0, os.path.dirname(here))
    else:
        sys.path[0] = os.path.dirname(here)
    try:
        from rpytest_worker.made_code import MadeCode

        try:
            with MadeCode(here):
                import pytest  # noqa: F401
        except ImportError as error:
            if error.name != "pytest":
                raise
            sys.exit(EXIT_NO_PYTEST)
        from rpytest_worker import entry
    finally:
        # What the `pytest` script would have there: the directory that it lies in. The user's
        # code never sees ours.
        if safe_path:
            del sys.path[0]
        else:
            sys.path[0] = os.path.dirname(sys.executable)
    entry.run(fds, _argument("--rewritten"))


if __name__ == "__main__":
    main()
