"""What the measurements here have in common: their options, and the environment of the commands."""

from __future__ import annotations

import argparse
import os
import pathlib


def parser(text: str | None) -> argparse.ArgumentParser:
    """With the options that each has."""
    made = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--rpytest", required=True, type=pathlib.Path)
    made.add_argument("--venv", required=True, type=pathlib.Path)
    return made


def environment(venv: pathlib.Path, work: pathlib.Path) -> dict[str, str]:
    """That of a user in the virtual environment, whose daemons are in a directory of their own."""
    made = dict(
        os.environ,
        VIRTUAL_ENV=str(venv.resolve()),
        PATH=f"{venv.resolve() / 'bin'}{os.pathsep}{os.environ['PATH']}",
        RPYTEST_DAEMON_DIR=str(work / "daemon"),
    )
    # With the first pytest compiles and rewrites every file in every run, and looks slower than it is.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "CI", "RPYTEST_NO_DAEMON"):
        made.pop(name, None)
    return made
