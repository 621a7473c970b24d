"""Containers that read what they are told: pid namespaces in limited cgroups.

Role: what the benchmarks time is timed here, inside of a container, by plain open, read to the end
and close; how its limits and namespaces are made is that of ``lxfs run``.
Boundary: makes processes and cgroups of its own and removes both, also after a failure.
Threading: one process for each container and one outside that removes its cgroups; asked over
pipes, one question at a time.
"""

import contextlib
import ctypes
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

_PR_SET_CHILD_SUBREAPER = 36
_PIECE = 1 << 16


def read_through(path: str) -> int:
    """Open a file, read it to the end and close it; return the nanoseconds that this took."""
    start = time.perf_counter_ns()
    descriptor = os.open(path, os.O_RDONLY)
    while os.read(descriptor, _PIECE):
        pass
    os.close(descriptor)
    return time.perf_counter_ns() - start


def _repeat(path: str, times: int) -> int:
    """Return the nanoseconds that so many reads took together."""
    start = time.perf_counter_ns()
    for _ in range(times):
        read_through(path)
    return time.perf_counter_ns() - start


def _in_child(work: Callable[[], object]) -> "_Child":
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run(lambda: os.write(writing, json.dumps(work()).encode()))
    os.close(writing)
    return _Child(pid, reading)


class _Child:
    """A process that has one answer."""

    def __init__(self, pid: int, reading: int) -> None:
        self._pid, self._reading = pid, reading

    def answer(self) -> Any:
        with open(self._reading, "rb") as pipe:  # noqa: PTH123 - a descriptor, not a path
            text = pipe.read()
        os.waitpid(self._pid, 0)
        return json.loads(text)


def _run(work: Callable[[], object]) -> None:
    """Do the work of a forked process, and end it without anything of its parent's."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - of a process that ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _rate(path: str, readers: int, seconds: float) -> float:
    """Return how many times in a second so many processes together read a file."""

    def read() -> tuple[int, float]:
        times, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            _repeat(path, 10)
            times += 10
        return times, elapsed

    children = [_in_child(read) for _ in range(readers)]
    return sum(times / elapsed for times, elapsed in [child.answer() for child in children])


def _first(path: str) -> int:
    """Return the nanoseconds of the first read of a new pid namespace in this cgroup."""

    def enter() -> Any:
        syscalls.unshare(syscalls.CLONE_NEWPID)
        return _in_child(lambda: read_through(path)).answer()

    return int(_in_child(enter).answer())


def _pid() -> int:
    """Return our pid as /proc has it, which is the host's."""
    return int(Path("/proc/thread-self/status").read_text().split("NSpid:")[1].split()[0])


_TASKS: dict[str, Callable[..., Any]] = {
    "read": read_through,
    "repeat": _repeat,
    "rate": _rate,
    "first": _first,
    "pid": _pid,
}


def _close_but(*kept: int) -> None:
    """Close what was inherited: an open end of another container's pipe would keep it waiting."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


class Container:
    """A pid namespace under limits, whose init answers ``ask``."""

    def __init__(self, limits: Limits) -> None:
        asks, self._asks = os.pipe()
        self._answers, answers = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _close_but(0, 1, 2, asks, answers)
            _run(lambda: _outside(limits, asks, answers))
        os.close(asks)
        os.close(answers)
        self._replies = open(self._answers, "rb")  # noqa: PTH123, SIM115 - closed by ``end``

    @property
    def pid(self) -> int:
        """The process outside, above all that are in it."""
        return self._pid

    def ask(self, task: str, *arguments: object) -> Any:
        """Return what one of the tasks above returns. Raises ``RuntimeError`` if it fails."""
        os.write(self._asks, json.dumps([task, *arguments]).encode() + b"\n")
        line = self._replies.readline()
        if not line:
            raise RuntimeError(f"the container has ended over {task} {arguments}")
        return json.loads(line)

    def end(self) -> None:
        """End it; its cgroups go with it."""
        with contextlib.suppress(OSError):
            os.close(self._asks)
        self._replies.close()

    def wait(self) -> None:
        """Return when it is gone."""
        os.waitpid(self._pid, 0)


def _outside(limits: Limits, asks: int, answers: int) -> None:
    """Make the cgroups, have the init made in them, and remove them when it has ended.

    The process between the two ends at once: the init would else not be alone in its cgroup.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    host = Host()
    _go_to_the_top(host)
    cell = Cell.make(limits, host, Hierarchies.find(host))
    try:
        pid = os.fork()
        if pid == 0:
            _run(lambda: _between(cell, asks, answers))
        os.close(asks)
        os.close(answers)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
    finally:
        cell.remove()


def _go_to_the_top(host: Host) -> None:
    """Leave our own cgroups, so that the container's are where LXC makes them: at the top."""
    hierarchies = Hierarchies.find(host)
    for top in (*hierarchies.v1.values(), hierarchies.v2):
        if top is not None:
            with contextlib.suppress(OSError):  # as where the root has controllers of v2
                Path(top.file("cgroup.procs")).write_text("0")


def _go_first() -> None:
    """Give our cgroup the largest share of the CPUs that there is: others must not be measured."""
    host = Host()
    found = Hierarchies.find(host).place("cpu", host.cgroup_paths(os.getpid()))
    if found is not None:
        place, version = found
        name, most = ("cpu.shares", 262144) if version == 1 else ("cpu.weight", 10000)
        Path(place.file(name)).write_text(str(most))


def _between(cell: Cell, asks: int, answers: int) -> None:
    cell.enter()
    _go_first()
    syscalls.unshare(syscalls.CLONE_NEWPID)
    if os.fork() == 0:
        _run(lambda: _inside(asks, answers))


def _inside(asks: int, answers: int) -> None:
    """Answer until nobody asks any more."""
    syscalls.set_name("reader")
    with open(asks, "rb") as questions:
        for line in questions:
            task, *arguments = json.loads(line)
            os.write(answers, json.dumps(_TASKS[task](*arguments)).encode() + b"\n")


@contextlib.contextmanager
def containers(limits: Limits, count: int) -> Iterator[list[Container]]:
    """Yield so many containers; none is left afterwards."""
    made: list[Container] = []
    try:
        made.extend(Container(limits) for _ in range(count))
        yield made
    finally:
        for container in made:
            container.end()
        for container in made:
            container.wait()
