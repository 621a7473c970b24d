"""lxfs and the installed LXCFS, mounted side by side, and a container to read both from.

Role: what the benchmarks and the comparison share.
Boundary: everything is made below a temporary directory and in cgroups of its own, and removed
whatever happens in between.
Threading: none.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

_SECONDS = 10.0
_CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Server:
    """A mounted view and the process that was started to serve it."""

    directory: Path
    pid: int

    def processes(self) -> list[int]:
        """Return the pids of all that serve it."""
        return _family(self.pid)

    def cpu(self) -> int:
        """Return the CPU time that they have used, user and system, in nanoseconds."""
        # The clock of another process's CPU time, see clock_getcpuclockid(3).
        return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in self.processes())

    def memory(self) -> dict[str, int]:
        """Return ``Rss`` and ``Pss`` of all of them together, in KiB."""
        sums = {"Rss": 0, "Pss": 0}
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, value = line.split()[:2]
                if name[:-1] in sums:
                    sums[name[:-1]] += int(value)
        return sums


def _family(pid: int) -> list[int]:
    """Return a process and all below it."""
    found, level = [], [pid]
    while level:
        found += level
        children = []
        for one in level:
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{one}/task").iterdir():
                    children += map(int, (task / "children").read_text().split())
        level = children
    return found


def confine(pid: int, cpus: set[int]) -> None:
    """Let a process, all below it, and all their threads run on these CPUs only."""
    for one in _family(pid):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                os.sched_setaffinity(int(task.name), cpus)


def lxcfs_command(pidfile: Path) -> list[str] | None:
    """Return how LXCFS is started, or ``None`` where it is not installed.

    With the options that make it show what lxfs shows: load averages, CPU quotas.
    """
    lxcfs = shutil.which("lxcfs")
    if lxcfs is None:
        return None
    return [lxcfs, "-f", "-l", "--enable-cfs", "--enable-pidfd", "-p", str(pidfile)]


LXFS = (sys.executable, "-m", "lxfs.cli", "mount", "-f")
"""How this checkout's lxfs is started."""


@contextlib.contextmanager
def side_by_side() -> Iterator[dict[str, Path]]:
    """Yield the mountpoints of ``lxfs`` (this checkout) and, where installed, of ``lxcfs``."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(place())
        views = {"lxfs": stack.enter_context(served(LXFS, top / "lxfs")).directory}
        if (command := lxcfs_command(top / "pid")) is not None:
            views["lxcfs"] = stack.enter_context(served(command, top / "lxcfs")).directory
        yield views


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Yield a temporary directory to mount in."""
    top = Path(tempfile.mkdtemp(prefix="lxfs-peers-"))
    try:
        yield top
    finally:
        shutil.rmtree(top, ignore_errors=True)


def in_container(limits: Limits, program: str, *arguments: str) -> str:
    """Run a Python program as the init of a pid namespace under limits; return what it prints."""
    host = Host()
    cell = Cell.make(limits, host, Hierarchies.find(host))
    try:
        done = subprocess.run(
            [
                *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
                *(sys.executable, "-c", program, *arguments),
            ],
            preexec_fn=cell.enter,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        cell.remove()
    return done.stdout


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {_SECONDS:.0f} s")
        time.sleep(0.01)


@contextlib.contextmanager
def served(command: Sequence[str], directory: Path) -> Iterator[Server]:
    """Serve a directory by a foreground command; unmount and end it afterwards."""
    directory.mkdir()
    process = subprocess.Popen(
        [*command, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _until((directory / "proc/meminfo").exists, f"{' '.join(command)} serving {directory}")
        yield Server(directory, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS)
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            syscalls.umount(str(directory), syscalls.MNT_DETACH)


@contextlib.contextmanager
def over_a_containers(server: Server, names: Iterable[str], directory: Path) -> Iterator[Server]:
    """Yield the server with its files where a container has them: each of proc a mount of its own,
    and the directory of CPUs one. The way to a file there asks the server for no name but a CPU's.
    """
    with contextlib.ExitStack() as stack:
        for name in {_CPUS if name.startswith(_CPUS) else name for name in names}:
            source, target = server.directory / name, directory / name
            if not source.exists():
                continue
            (target if source.is_dir() else target.parent).mkdir(parents=True, exist_ok=True)
            if not source.is_dir():
                target.touch()
            syscalls.mount(str(source), str(target), flags=syscalls.MS_BIND)
            stack.callback(syscalls.umount, str(target), syscalls.MNT_DETACH)
        yield Server(directory, server.pid)
