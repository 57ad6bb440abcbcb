"""How much of the workers' time goes into tests, on sleeping tests of skewed lengths: rpytest's first and second run beside
pytest-xdist's `load` and `worksteal`.

Printed are the seconds of the whole command, and the least that any schedule could take (the sum over the workers, or the longest
test) over them, of which 1 is the most; of rpytest also that of the run alone, by `--timing`. Sleeping costs no processor, so
that more workers than processors are measured fairly. Medians of `--runs` turns.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import statistics
import tempfile
import time

import compare
import setting


def main() -> None:
    parser = setting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--daemon", action="store_true", help="let second runs begin from a daemon")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rpytest-efficiency-") as directory:
        work = pathlib.Path(directory)
        suite = work / "suite"
        suite.mkdir()
        compare.skewed(suite)
        slept = [
            float(seconds)
            for file in suite.glob("test_*.py")
            for seconds in re.findall(r"sleep\(([\d.]+)\)", file.read_text())
        ]
        environment = setting.environment(options.venv, work)
        if not options.daemon:
            environment["RPYTEST_NO_DAEMON"] = "1"
        rpytest = str(options.rpytest.resolve())
        for workers in options.workers:
            bound = max(sum(slept) / workers, max(slept))
            count = ("-n", str(workers), "-q")
            ways = {
                "xdist load": ("pytest", *count, "--dist=load"),
                "xdist worksteal": ("pytest", *count, "--dist=worksteal"),
                "rpytest, first run": (rpytest, *count, "--timing"),
                "rpytest, second run": (rpytest, *count, "--timing"),
            }
            walls: dict[str, list[float]] = {way: [] for way in ways}
            runs: dict[str, list[float]] = {way: [] for way in ways}
            # A turn before those that count writes the bytecode.
            for turn in range(options.runs + 1):
                for way, command in ways.items():
                    if way.endswith("first run"):
                        shutil.rmtree(suite / ".pytest_cache", ignore_errors=True)
                    begun = time.perf_counter()
                    result = setting.run(command, suite, environment)
                    wall = time.perf_counter() - begun
                    if turn > 0:
                        walls[way].append(wall)
                        found = re.search(r"Execution +([\d.]+) s", result.stderr)
                        if found:
                            runs[way].append(float(found[1]))
            print(f"\n-n {workers}, {len(slept)} tests, the bound is {bound:.2f} s")
            for way in ways:
                wall = statistics.median(walls[way])
                line = f"  {way:<20} {wall:>7.2f} s {bound / wall:>7.3f}"
                if runs[way]:
                    line += f"   the run alone {bound / statistics.median(runs[way]):.3f}"
                print(line, flush=True)
        if options.daemon:
            stop = (rpytest, "--daemon-stop")
            setting.run(stop, suite, environment)


if __name__ == "__main__":
    main()
