"""What the measurements here have in common: their options, and the environment of the commands."""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Sequence


def parser(text: str | None, venv: bool = True) -> argparse.ArgumentParser:
    """With the options that each has; one that measures in several environments does without `venv`."""
    made = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--rpytest", required=True, type=pathlib.Path)
    if venv:
        made.add_argument("--venv", required=True, type=pathlib.Path)
    return made


def run(
    command: Sequence[str],
    directory: pathlib.Path,
    environment: dict[str, str],
    codes: Sequence[int] = (0,),
    seconds: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; another exit code than these ends the measurement."""
    result = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if result.returncode not in codes:
        said = result.stdout[-2000:] + result.stderr[-2000:]
        sys.exit(f"{' '.join(command)}: exit code {result.returncode}\n{said}")
    return result


def wait(process: subprocess.Popen[str] | subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process, and for no longer than that: whether it has ended by itself.

    `process.wait(seconds)` looks at it every twentieth of a second, of which half would be measured as well.
    """
    overdue = threading.Event()

    def kill() -> None:
        overdue.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        process.wait()
    finally:
        timer.cancel()
    return not overdue.is_set()


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
