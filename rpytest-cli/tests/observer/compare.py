#!/usr/bin/env python3
"""Run a suite with rpytest's short cuts and without, and compare items and reports whole.

    compare.py --rpytest target/release/rpytest --venv VENV [--with-pytest] DIRECTORY [ARGUMENT ...]

ARGUMENTs are those of the suite. `--with-pytest` compares with pytest itself, too. It ends with 1 if anything
differs, and shows the first differences.
"""

from __future__ import annotations

import argparse
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHOWN = 80
COMPARED = 1000


def difference(genuine: list[str], other: list[str], way: str) -> list[str]:
    """From the first line that differs on, which is as much as can be looked at."""
    if genuine == other:
        return []
    pairs = zip([*genuine, None], [*other, None])
    first = max(0, next(at for at, (one, two) in enumerate(pairs) if one != two) - 2)
    parts = (lines[first : first + COMPARED] for lines in (genuine, other))
    return [f"@@ {first} @@", *difflib.unified_diff(*parts, "genuine", way, "", "", 2, "")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpytest", type=pathlib.Path, required=True)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--with-pytest", action="store_true")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rpytest-observed-"))
    rpytest = [str(options.rpytest.resolve()), "--no-daemon", "-n", "1", "--explain"]
    ways = {"genuine": (rpytest, "1"), "short": (rpytest, "")}
    if options.with_pytest:
        ways["pytest"] = ([str(options.venv.resolve() / "bin" / "pytest")], "")
    texts: dict[str, dict[str, list[str]]] = {}
    for way, (command, genuine) in ways.items():
        observed = work / way
        environment = os.environ | {
            "VIRTUAL_ENV": str(options.venv.resolve()),
            "PATH": f"{options.venv.resolve() / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
            "PYTHONHASHSEED": "0",
            "RPYTEST_OBSERVED": str(observed),
            "RPYTEST_GENUINE": genuine,
        }
        run = subprocess.run(
            [*command, "-p", "rpytest_observer", *options.arguments],
            cwd=options.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        said = [line for line in run.stdout.splitlines() if " were run by " in line or " were collected " in line]
        last = run.stdout.strip().splitlines()[-1:]
        print(f"{way}: exit {run.returncode}", *said, *last, sep="\n  ")
        texts[way] = {
            name: (observed / name).read_text().splitlines() if (observed / name).exists() else []
            for name in ("items", "reports")
        }
    differs = False
    for way in ways:
        for name in ("items", "reports"):
            lines = difference(texts["genuine"][name], texts[way][name], way)
            differs = differs or bool(lines)
            print(f"{name}, genuine and {way}: {len(texts[way][name])} lines, {'DIFFERENT' if lines else 'equal'}")
            for line in lines[:SHOWN]:
                print("   ", line[:400])
    return int(differs or not texts["genuine"]["items"])


if __name__ == "__main__":
    sys.exit(main())
