"""What of a read is the tree's own: without FUSE, and how much of that is the kernel's files.

Run as root: ``python -m benchmarks.tree_reads``, or as a part of ``make bench-lxfs``.

Role: opens, reads and closes each file through the tree in this process, as a caller in a
container; notes which system calls that makes and makes the same ones again, alone. The
difference is what lxfs adds to what the kernel takes to say it.
Boundary: prints the fastest of many short series, which is what a quiet machine would take.
Threading: one thread.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.containers import containers
from lxfs.drivers.rules import Rules, make_world
from lxfs.limits import Limits
from lxfs.tree import Tree

_SERIES, _READS = 80, 40
_CALLS = ("pread", "readlink", "stat", "lstat", "fstat", "open", "close")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one open, read and close: microseconds in all and in the kernel, and system calls."""

    whole: float
    kernel: float
    calls: int


def _fastest(work: Callable[[], object]) -> float:
    """Return the microseconds of one in the fastest series."""
    best = float("inf")
    for _ in range(_SERIES):
        start = time.perf_counter_ns()
        for _ in range(_READS):
            work()
        best = min(best, time.perf_counter_ns() - start)
    return best / _READS / 1000


@contextlib.contextmanager
def _noted() -> Iterator[list[tuple[str, tuple[Any, ...], Any]]]:
    """Note the system calls that are made through ``os``: name, arguments, result."""
    calls: list[tuple[str, tuple[Any, ...], Any]] = []
    own = {name: getattr(os, name) for name in _CALLS}

    def noting(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            result = own[name](*arguments)
            calls.append((name, arguments, result))
            return result

        return call

    try:
        for name in _CALLS:
            setattr(os, name, noting(name))
        yield calls
    finally:
        for name, function in own.items():
            setattr(os, name, function)


def _again(calls: list[tuple[str, tuple[Any, ...], Any]]) -> None:
    """Make the same calls; what was opened among them is opened again."""
    opened: dict[int, int] = {}
    for name, arguments, result in calls:
        first = opened.get(arguments[0], arguments[0])
        again = getattr(os, name)(first, *arguments[1:])
        if name == "open":
            opened[result] = again


def measure(tree: Tree, pid: int, files: tuple[str, ...]) -> dict[str, Cost]:
    """Return what each file costs for a caller."""

    def read(path: str) -> None:
        handle = tree.open(path, os.O_RDONLY, pid, 0)
        length = len(tree.read(handle, 1 << 17, 0))
        tree.read(handle, 1 << 17, length)
        tree.release(handle)

    found = {}
    for file in files:
        path = f"/{file}"
        whole = _fastest(lambda path=path: read(path))  # type: ignore[misc]
        with _noted() as calls:
            read(path)
        try:
            kernel = _fastest(lambda calls=calls: _again(calls))  # type: ignore[misc]
        except OSError:  # a descriptor's second was over in between
            read(path)
            with _noted() as calls:
                read(path)
            kernel = _fastest(lambda calls=calls: _again(calls))  # type: ignore[misc]
        found[file] = Cost(whole, kernel, len(calls))
    return found


def costs(limits: Limits, files: tuple[str, ...]) -> dict[str, Cost]:
    """Return what each file costs for the init of a new container."""
    tree = Tree(make_world(Rules()))
    try:
        with containers(limits, 1) as (container,):
            return measure(tree, container.ask("pid"), files)
    finally:
        tree.close()


def main() -> None:
    """Measure and print."""
    from benchmarks.lxfs_reads import FILES, LIMITS  # noqa: PLC0415 - it imports us

    if os.geteuid() != 0:
        sys.exit("must be root: it makes cgroups")
    for file, cost in costs(LIMITS, FILES).items():
        print(f"{file:32} {cost.whole:6.1f} µs, {cost.kernel:6.1f} in {cost.calls} system calls")


if __name__ == "__main__":
    main()
