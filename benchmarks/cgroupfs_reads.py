"""How fast control files are read, beside the kernel's own; and whether /proc is slower by them.

Run as root: ``python -m benchmarks.cgroupfs_reads``, or as a part of ``make bench-lxfs``.

Role: one lxfs with ``--cgroupfs ro`` and one with ``off``; one container reads by turns from both
and from the kernel's cgroupfs.
Boundary: asserts nothing about time; removes mounts, cgroups and processes.
Threading: one file is read at a time.
"""

import contextlib
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.containers import Container, containers
from benchmarks.peers import LXFS, Server, confine, place, served
from lxfs.limits import Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

_PROC = ("proc/meminfo", "proc/stat", "proc/uptime", "proc/loadavg")
_PAIRS = (
    ("memory", "memory/memory.limit_in_bytes", "unified/memory.max"),
    ("memory", "memory/memory.stat", "unified/memory.stat"),
    ("cpu", "cpu/cpu.shares", "unified/cpu.weight"),
    ("pids", "pids/pids.current", "unified/pids.current"),
)
"""By controller, the file of v1's shape and the one of v2's: the kernel has one of them."""


@dataclass(frozen=True, slots=True)
class _File:
    """A control file in the view, how it is made, and the kernel's that it is made of."""

    name: str
    how: str
    path: Path
    kernels: Path


def _files(view: Path, pid: int) -> list[_File]:
    """Return the files that are there to be read for a container without a cgroup namespace."""
    host = Host()
    mounted = Hierarchies.find(host)
    paths = host.cgroup_paths(pid)
    found = []
    for controller, *names in _PAIRS:
        at = mounted.place(controller, paths)
        if at is None:
            continue
        own, version = at
        kernels = Path(own.file(names[version - 1].partition("/")[2]))
        for shape, name in enumerate(names, 1):
            directory, _, file = name.partition("/")
            line = paths.get("" if directory == "unified" else directory, paths.get("", ""))
            path = Path(f"{view}/cgroup/{directory}{line}/{file}")
            how = "as it is" if shape == version else "made"
            if path.exists():
                found.append(_File(name, how, path, kernels))
    return found


def _turns(
    reader: Container, paths: Sequence[Path], turns: int, reads: int
) -> Mapping[Path, float]:
    """Return the medians of a read in microseconds, of turns that each begin with another file."""
    took: dict[Path, list[float]] = {path: [] for path in paths}
    for turn in range(-1, turns):  # the first is not counted
        at = turn % len(paths)
        for path in (*paths[at:], *paths[:at]):
            time = reader.ask("repeat", str(path), reads) / reads / 1000
            if turn >= 0:
                took[path].append(time)
    return {path: statistics.median(times) for path, times in took.items()}


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def measure(limits: Limits, turns: int, reads: int) -> list[str]:
    """Return the lines of two tables in Markdown: of control files, and of /proc."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(place())
        views: dict[str, Server] = {
            how: stack.enter_context(served([*LXFS, "--cgroupfs", how], top / how))
            for how in ("ro", "off")
        }
        (reader,) = stack.enter_context(containers(limits, 1))
        first = {min(os.sched_getaffinity(0))}
        for pid in (reader.pid, *(view.pid for view in views.values())):
            confine(pid, first)
        files = _files(views["ro"].directory, reader.ask("pid"))
        proc = {how: [view.directory / name for name in _PROC] for how, view in views.items()}
        both = dict.fromkeys(path for file in files for path in (file.path, file.kernels))
        took = _turns(reader, [*both, *proc["ro"], *proc["off"]], turns, reads)
    lines = [
        (
            f"Control files with `--cgroupfs ro` by the native driver, medians of {turns} turns of"
            f" {reads} reads each, server and reader on one CPU; the kernel's own is that of its"
            " cgroupfs which the figure is in:"
        ),
        "",
        _row("file", "text", "µs", "the kernel's own, µs", "ratio"),
        _row(*["---"] * 5),
    ]
    for file in files:
        own = took[file.kernels]
        ratio = f"{took[file.path] / own:.1f}"
        lines.append(_row(file.name, file.how, f"{took[file.path]:.1f}", f"{own:.1f}", ratio))
    lines += ["", "The same reader, and what is served beside them:", ""]
    lines += [_row("file", "off, µs", "ro, µs", "ro per off"), _row(*["---"] * 4)]
    for name, without, with_them in zip(_PROC, proc["off"], proc["ro"], strict=True):
        ratio = f"{took[with_them] / took[without]:.2f}"
        lines.append(_row(name, f"{took[without]:.1f}", f"{took[with_them]:.1f}", ratio))
    return lines


def main() -> None:
    """Measure and print."""
    from benchmarks.lxfs_reads import LIMITS, QUICK  # noqa: PLC0415 - it imports us

    if os.geteuid() != 0:
        sys.exit("must be root: it mounts")
    print("\n".join(measure(LIMITS, QUICK.turns, QUICK.reads)))


if __name__ == "__main__":
    main()
