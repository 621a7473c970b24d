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
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

FILES = ("meminfo", "swaps", "stat", "cpuinfo", "uptime", "loadavg")
LIMITS = Limits(memory=256 << 20, cpus=Fraction(1), pids=200)
_SECONDS = 10.0

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


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {_SECONDS:.0f} s")
        time.sleep(0.01)


@contextlib.contextmanager
def _served(command: list[str], directory: Path) -> Iterator[Path]:
    """Serve a directory by a foreground command; unmount and end it afterwards."""
    directory.mkdir()
    server = subprocess.Popen(
        [*command, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _until((directory / "proc/meminfo").exists, f"{command[0]} serving {directory}")
        yield directory / "proc"
    finally:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_SECONDS)
        server.kill()
        server.wait()
        with contextlib.suppress(OSError):
            syscalls.umount(str(directory), syscalls.MNT_DETACH)


def _measure(views: dict[str, Path], rounds: int, loops: int) -> None:
    host = Host()
    cell = Cell.make(LIMITS, host, Hierarchies.find(host))
    task = json.dumps([{name: str(path) for name, path in views.items()}, FILES, rounds, loops])
    try:
        done = subprocess.run(
            [
                *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
                *(sys.executable, "-c", _READER, task),
            ],
            preexec_fn=cell.enter,
            stdout=subprocess.PIPE,
            check=True,
        )
    finally:
        cell.remove()
    first, times = json.loads(done.stdout)
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
    with contextlib.ExitStack() as stack:
        top = Path(tempfile.mkdtemp(prefix="lxfs-bench-"))
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        views = {"kernel": Path("/proc")}
        command = [sys.executable, "-m", "lxfs.cli", "mount", "-f"]
        views["lxfs"] = stack.enter_context(_served(command, top / "lxfs"))
        if (lxcfs := shutil.which("lxcfs")) is not None:
            # With the options that make it show what lxfs shows.
            options = [lxcfs, "-f", "-l", "--enable-cfs", "--enable-pidfd", "-p", f"{top}/pid"]
            views["lxcfs"] = stack.enter_context(_served(options, top / "lxcfs"))
        else:
            print("lxcfs is not installed: lxfs alone")
        _measure(views, arguments.rounds, arguments.loops)


if __name__ == "__main__":
    main()
