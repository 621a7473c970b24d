"""Containers for the tests of cgroupfs: namespaces, own cgroups, and a way to talk to them.

Role: fixtures. Boundary: all of it is gone at the end, whatever happens.
Threading: none.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers import inmate
from tests.drivers.conftest import Mount, descendants, mounted

FIRST_ID = 100_000
"""The host's id of root in an inmate's user namespace."""


_DELEGATE = Path("/sys/kernel/cgroup/delegate")
"""The kernel's list of what goes with a cgroup of v2."""


class Inmate:
    """A container's init, which does what it is told."""

    def __init__(self, process: "subprocess.Popen[str]", directories: list[Path]) -> None:
        self._process = process
        self.directories = directories
        self.starter = process.pid
        self.pid = descendants(process.pid)[0]

    def __call__(self, text: str) -> Any:
        """Return what Python comes to in it. Raises ``OSError`` as it was raised there."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        if "errno" in said:
            raise OSError(said["errno"], said["what"])
        assert "error" not in said, said["error"]
        return said["answer"]

    def errno(self, text: str) -> int | None:
        """Return the errno that something fails with in it, ``None`` where it does not."""
        try:
            self(text)
        except OSError as error:
            return error.errno
        return None

    def cgroup(self, hierarchy: str) -> Path:
        """Return its cgroup's directory in a hierarchy, on the host."""
        host = Host()
        place = Hierarchies.find(host).within(hierarchy, host.cgroup_paths(self.pid)[hierarchy])
        assert place is not None
        return Path(place.file("")).parent if place.path == "" else Path(place.file("")[:-1])


def _delegate(directory: Path, uid: int) -> None:
    """Give a cgroup to a user as managers do: the directory and the lists, not the limits."""
    os.chown(directory, uid, uid)
    for name in ("tasks", *_DELEGATE.read_text().split()):
        with contextlib.suppress(FileNotFoundError):
            os.chown(directory / name, uid, uid)


@contextlib.contextmanager
def cells(limits: Limits) -> Iterator[list[Path]]:
    """Make cgroups of these limits in every hierarchy."""
    host = Host()
    cell = Cell.make(limits, host, Hierarchies.find(host))
    try:
        yield list(map(Path, cell._directories))
    finally:
        cell.remove()


@contextlib.contextmanager
def inmate_in(
    directories: list[Path], *, user: bool = False, cgroup: bool = True
) -> Iterator[Inmate]:
    """Start a container in cgroups; with ``user`` its root is a user of the host's, who owns them.

    With ``cgroup`` it has a cgroup namespace that begins there.
    """
    flags = [kind for kind, wanted in (("user", user), ("cgroup", cgroup)) if wanted]
    if user:
        for directory in directories:
            _delegate(directory, FIRST_ID)
    process = subprocess.Popen(
        [sys.executable, "-I", str(inmate.__file__), *flags, *map(str, directories)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stdin
    assert process.stdout
    try:
        if user:
            assert process.stdout.readline() == "map\n"
            for kind in ("uid", "gid"):
                Path(f"/proc/{process.pid}/{kind}_map").write_text(f"0 {FIRST_ID} 65536")
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield Inmate(process, directories)
    finally:
        process.stdin.close()  # its init ends with what it reads
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextlib.contextmanager
def public_mount(*options: str) -> Iterator[Mount]:
    """Mount where every user can reach it."""
    with tempfile.TemporaryDirectory(dir="/run", prefix="lxfs-test-") as directory:
        Path(directory).chmod(0o755)
        with mounted(Path(directory, "view"), *options) as mount:
            yield mount
