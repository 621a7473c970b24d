"""Processes with namespaces of their own, as containers are, for the tests of this rung.

Role: fixtures. Boundary: they and their cgroup are gone at the end, whatever happens.
Threading: none.
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import MIB, Mount, descendants, lxfs

LIMITS = Limits(memory=256 * MIB)


class Box:
    """A process with pid and mount namespaces and a cgroup of its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, to its end."""
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--pid", "--mount", "--", *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def total(self) -> int:
        """Return MemTotal as it is shown in it, in bytes."""
        done = self("cat", "/proc/meminfo")
        assert done.returncode == 0, done.stderr
        found = re.search(r"MemTotal: +(\d+) kB", done.stdout)
        assert found
        return int(found[1]) * 1024

    def mounts(self) -> str:
        """Return its mountinfo."""
        return Path(f"/proc/{self.pid}/mountinfo").read_text()

    def attach(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Attach to it, which has to go well."""
        done = lxfs("attach", str(self.pid), *options)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done


class MakeBox(Protocol):
    """Runs a process in namespaces of its own, after a shell has run ``setup`` in them.

    With ``user`` it has a user namespace of its own as well, in which it is root.
    """

    def __call__(
        self, setup: str = ":", proc: str = "mount -t proc p /proc", *, user: bool = False
    ) -> contextlib.AbstractContextManager[Box]:
        """Start it; it ends with the block."""


@pytest.fixture(scope="module")
def driver() -> str:
    """The default driver alone, in place of each: what is tested is beside the mount."""
    return "native"


@pytest.fixture(scope="module")
def box() -> Iterator[MakeBox]:
    """What makes processes with namespaces of their own in one cgroup of 256 MiB."""
    host = Host()
    cell = Cell.make(LIMITS, host, Hierarchies.find(host))

    @contextlib.contextmanager
    def make(
        setup: str = ":", proc: str = "mount -t proc p /proc", *, user: bool = False
    ) -> Iterator[Box]:
        script = f"set -e\n{proc}\n{setup}\necho ready\nexec sleep infinity"
        child = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--kill-child"]
            + (["--user", "--map-root-user"] if user else [])
            + ["sh", "-c", script],
            preexec_fn=cell.enter,  # noqa: PLW1509 - this program has one thread
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        try:
            assert child.stdout.readline() == "ready\n"
            yield Box(descendants(child.pid)[0])
        finally:
            child.kill()  # and the kernel its children, by --kill-child
            child.wait()
            child.stdout.close()

    try:
        yield make
    finally:
        cell.remove()


def come_from(mount: Mount) -> tuple[str, str]:
    """Return the options that name a mount."""
    return ("--from", str(mount.directory))
