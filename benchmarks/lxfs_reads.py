"""How long a container takes to open, read and close each served file: lxfs beside LXCFS.

Run as root: ``make bench``, or ``python -m benchmarks.lxfs_reads [--rounds N] [--loops N]``.

Role: mounts lxfs from this checkout and the installed LXCFS on temporary directories, starts one
reader in a pid namespace and a limited cgroup, and lets it take turns between the two and the
kernel's own file. Prints the median of each and the ratio of the two medians: absolute times
depend on the machine and on what else runs on it, the ratio much less.
Boundary: prints and asserts nothing about time; removes the mounts, the cgroup and the processes.
Threading: one reader at a time, as many turns as asked for.
"""

import argparse
import json
import os
import statistics
import sys
from fractions import Fraction
from pathlib import Path

from benchmarks.peers import in_container, side_by_side
from lxfs.limits import Limits

FILES = ("meminfo", "swaps", "stat", "cpuinfo", "uptime", "loadavg")
LIMITS = Limits(memory=256 << 20, cpus=Fraction(1), pids=200)

# What the container runs: rounds of a loop per file and view, microseconds of each read as JSON.
_READER = """
import json, os, sys, time
views, files, rounds, loops = json.loads(sys.argv[1])
def once(path):
    start = time.perf_counter_ns()
    descriptor = os.open(path, os.O_RDONLY)
    while os.read(descriptor, 65536):
        pass
    os.close(descriptor)
    return time.perf_counter_ns() - start
times = {view: {file: [] for file in files} for view in views}
first = {view: once(f"{directory}/{files[0]}") / 1000 for view, directory in views.items()}
for _ in range(rounds):
    for file in files:
        for view, directory in views.items():
            times[view][file] += [once(f"{directory}/{file}") / 1000 for _ in range(loops)]
print(json.dumps([first, times]))
"""


def _measure(views: dict[str, Path], rounds: int, loops: int) -> None:
    task = json.dumps([{name: str(path) for name, path in views.items()}, FILES, rounds, loops])
    first, times = json.loads(in_container(LIMITS, _READER, task))
    _report(first, times, rounds * loops)


def _report(first: dict[str, float], times: dict[str, dict[str, list[float]]], count: int) -> None:
    names = list(times)
    print(f"open + read + close in a container, microseconds, median (p99) of {count}")
    print(f"{'file':<10}" + "".join(f"{name:>18}" for name in names) + f"{'lxfs/lxcfs':>12}")
    for file in FILES:
        medians = {name: statistics.median(times[name][file]) for name in names}
        cells = "".join(
            f"{medians[name]:>10.1f} ({sorted(times[name][file])[int(count * 0.99)]:>5.0f})"
            for name in names
        )
        ratio = f"{medians['lxfs'] / medians['lxcfs']:>12.2f}" if "lxcfs" in names else ""
        print(f"{file:<10}{cells}{ratio}")
    said = ", ".join(f"{name} {value:.0f}" for name, value in first.items())
    print(f"first read of a new container ({FILES[0]}): {said}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=20, help="turns of each view (20)")
    parser.add_argument("--loops", type=int, default=100, help="reads in each turn (100)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("must be root: it mounts")
    with side_by_side() as mounts:
        if "lxcfs" not in mounts:
            print("lxcfs is not installed: lxfs alone")
        views = {name: directory / "proc" for name, directory in mounts.items()}
        _measure({"kernel": Path("/proc"), **views}, arguments.rounds, arguments.loops)


if __name__ == "__main__":
    main()
