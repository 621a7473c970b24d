"""lxfs and the installed LXCFS, mounted side by side, and a container to read both from.

Role: what the benchmarks and the comparison share.
Boundary: everything is made below a temporary directory and in cgroups of its own, and removed
whatever happens in between.
Threading: none.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

_SECONDS = 10.0


@contextlib.contextmanager
def side_by_side() -> Iterator[dict[str, Path]]:
    """Yield the mountpoints of ``lxfs`` (this checkout) and, where installed, of ``lxcfs``.

    LXCFS gets the options that make it show what lxfs shows: load averages, CPU quotas.
    """
    with contextlib.ExitStack() as stack:
        top = Path(tempfile.mkdtemp(prefix="lxfs-peers-"))
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        command = [sys.executable, "-m", "lxfs.cli", "mount", "-f"]
        views = {"lxfs": stack.enter_context(_served(command, top / "lxfs"))}
        if (lxcfs := shutil.which("lxcfs")) is not None:
            options = [lxcfs, "-f", "-l", "--enable-cfs", "--enable-pidfd", "-p", f"{top}/pid"]
            views["lxcfs"] = stack.enter_context(_served(options, top / "lxcfs"))
        yield views


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
        yield directory
    finally:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_SECONDS)
        server.kill()
        server.wait()
        with contextlib.suppress(OSError):
            syscalls.umount(str(directory), syscalls.MNT_DETACH)
