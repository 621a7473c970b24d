"""One cgroup in all hierarchies at once, held by descriptors while a request is answered.

Role: the ``Group`` of the machine's own cgroups: where its directories are, and what its files say.
Boundary: a directory is walked to name by name from its hierarchy's mount, no link and no other
mount is followed, and what was found is used by its descriptor: whoever renames or removes cgroups
meanwhile leads nobody elsewhere. Reads; what changes anything is in changes.py.
Threading: an object belongs to one request.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import PurePosixPath
from typing import Self

from lxfs import parse
from lxfs.cgroupfs.files import Version
from lxfs.cgroupfs.layout import V2, Branch, hierarchy_of, is_within, parts
from lxfs.model import SourceError
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.sources.place import Place

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ALWAYS = frozenset({V2, "cpuacct", "freezer", "name=systemd"})


def open_below(directory: int, names: Sequence[str]) -> int:
    """Return a descriptor of a directory below another, on the same filesystem, without links.

    Raises ``OSError``; ENOENT for what is of another filesystem.
    """
    device = os.fstat(directory).st_dev
    current = os.open(".", _OPEN, dir_fd=directory)
    try:
        for name in names:
            below = os.open(name, _OPEN, dir_fd=current)
            os.close(current)
            current = below
            if os.fstat(current).st_dev != device:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    except OSError:
        os.close(current)
        raise
    return current


def _read(directory: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        chunks = []
        while chunk := os.read(descriptor, 1 << 16):
            chunks.append(chunk)
    finally:
        os.close(descriptor)
    return b"".join(chunks)


class Machine:
    """What all cgroups of one request have in common: the hierarchies, the host, descriptors."""

    def __init__(self, mounted: Hierarchies, host: Host) -> None:
        self.mounted = mounted
        self._host = host
        self._stack = ExitStack()
        self._texts: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def place(self, hierarchy: str) -> Place:
        """Return the top of a hierarchy's mount."""
        place = self.mounted.v1[hierarchy] if hierarchy else self.mounted.v2
        if place is None:
            raise SourceError(errno.ENODEV, f"no cgroup hierarchy {hierarchy!r}")
        return place

    def open(self, hierarchy: str, path: str) -> int:
        """Return a descriptor of a cgroup, which is closed with this object. Raises ``OSError``."""
        place = self.place(hierarchy)
        inner = place.below(path).path
        top = os.open(place.point, _OPEN & ~os.O_NOFOLLOW)
        try:
            found = open_below(top, parts(inner))
        finally:
            os.close(top)
        self._stack.callback(os.close, found)
        return found

    def host(self, path: str) -> bytes:
        """Return a file of the host."""
        if path not in self._texts:
            self._texts[path] = self._host.read(path)
        return self._texts[path]


class Here:
    """The ``Group`` at one path in each hierarchy. ``paths`` are the host's.

    A v1 hierarchy need not have a cgroup at the path that the primary one has: there the processes
    in this one are counted and limited by the nearest above. It is not looked for above ``tops``.
    """

    def __init__(
        self, machine: Machine, primary: str, paths: Mapping[str, str], tops: Mapping[str, str]
    ) -> None:
        self._machine = machine
        self.primary = primary
        self.paths = paths
        self._tops = tops
        self._directories: dict[str, int | None] = {}
        self._above: dict[str, tuple[str, int] | None] = {}
        self._texts: dict[tuple[str, str], bytes | None] = {}

    @classmethod
    def below(
        cls,
        machine: Machine,
        branch: Branch,
        tops: Mapping[str, str],
        shared: frozenset[str],
        names: Sequence[str],
    ) -> "Here":
        """Return a cgroup of a branch by the names that lead to it from the caller's own."""
        below = "".join(f"/{name}" for name in names)
        paths = {
            hierarchy: f"{top.rstrip('/')}{below}" if below else top
            for hierarchy, top in tops.items()
            if not below or hierarchy not in shared
        }
        return cls(machine, branch.primary, paths, tops)

    def hierarchy(self, controller: str) -> str | None:
        """Return the hierarchy that has a controller; ``""`` is the core of the primary one."""
        if controller == V2:
            return self.primary
        return hierarchy_of(controller, self._machine.mounted, self.paths)

    def directory(self, hierarchy: str) -> int | None:
        """Return a descriptor of this cgroup in a hierarchy, ``None`` where it is not there."""
        if hierarchy not in self._directories:
            found = None
            if hierarchy in self.paths:
                with suppress(FileNotFoundError, NotADirectoryError):
                    found = self._machine.open(hierarchy, self.paths[hierarchy])
            self._directories[hierarchy] = found
        return self._directories[hierarchy]

    def counted_at(self, hierarchy: str) -> str | None:
        """Return the path at which a hierarchy counts this cgroup: its own, or of one above."""
        found = self._counted(hierarchy)
        return None if found is None else found[0]

    def _counted(self, hierarchy: str) -> tuple[str, int] | None:
        path = self.paths.get(hierarchy)
        if path is None:
            return None
        if (own := self.directory(hierarchy)) is not None:
            return path, own
        if hierarchy not in self._above:
            self._above[hierarchy] = self._nearest(hierarchy, path)
        return self._above[hierarchy]

    def _nearest(self, hierarchy: str, path: str) -> tuple[str, int] | None:
        """Return the nearest cgroup above a path in a v1 hierarchy, but not the root of all."""
        top = self._tops[hierarchy]
        if hierarchy == V2 or not is_within(path, top) or self.directory(self.primary) is None:
            return None
        root = self._machine.place(hierarchy).root
        while path != top:
            path = str(PurePosixPath(path).parent)
            if path == root:
                return None
            with suppress(FileNotFoundError):
                return path, self._machine.open(hierarchy, path)
        return None

    def at(self, hierarchy: str, path: str) -> int:
        """Return a descriptor of another cgroup of a hierarchy. Raises ``OSError``."""
        return self._machine.open(hierarchy, path)

    @property
    def opened(self) -> int:
        """In how many hierarchies it was looked for so far."""
        return len(self._directories) + len(self._above)

    def of(self, controller: str) -> int | None:
        """Return a descriptor of the cgroup that a controller counts this one by."""
        hierarchy = self.hierarchy(controller)
        found = None if hierarchy is None else self._counted(hierarchy)
        return None if found is None else found[1]

    def is_counted_above(self, controller: str) -> bool:
        """Return whether that is not this cgroup itself: its files are not this one's to change."""
        hierarchy = self.hierarchy(controller)
        return hierarchy is not None and self.of(controller) != self.directory(hierarchy)

    @property
    def inode(self) -> int | None:
        """The number of its directory, which no later cgroup has; ``None`` for none there."""
        directory = self.directory(self.primary)
        return None if directory is None else os.fstat(directory).st_ino

    @property
    def is_top(self) -> bool:
        """Whether this is the root cgroup of its primary hierarchy."""
        return self._machine.place(self.primary).below(self.paths[self.primary]).is_top

    def version(self, controller: str) -> Version | None:
        """Return which version has a controller here, ``None`` when this cgroup lacks it."""
        hierarchy = self.hierarchy(controller)
        if hierarchy is None or self._counted(hierarchy) is None:
            return None
        if hierarchy != V2:
            return 1
        if controller in _ALWAYS:
            return 2
        has = self.text(V2, "cgroup.controllers") if self.primary == V2 else self._controllers()
        return 2 if controller.encode() in (has or b"").split() else None

    def _controllers(self) -> bytes | None:
        directory = self.directory(V2)
        return None if directory is None else self._file(directory, "cgroup.controllers")

    def text(self, controller: str, name: str) -> bytes | None:
        """Return the kernel's text of a control file here, ``None`` where there is no such file."""
        key = controller, name
        if key not in self._texts:
            directory = self.of(controller)
            self._texts[key] = None if directory is None else self._file(directory, name)
        return self._texts[key]

    def _file(self, directory: int, name: str) -> bytes | None:
        try:
            return _read(directory, name)
        except FileNotFoundError:
            # A cgroup that is gone lacks all files: it must not be taken for one without limits.
            if not _is_alive(directory):
                raise SourceError(errno.ENODEV, os.strerror(errno.ENODEV), name) from None
            return None
        except OSError as error:
            raise SourceError(error.errno, error.strerror, name) from error

    def up(self) -> "Here | None":
        """Return the cgroup above, in each hierarchy where there is one."""
        paths = {
            hierarchy: str(PurePosixPath(path).parent)
            for hierarchy, path in self.paths.items()
            if path != self._machine.place(hierarchy).root
        }
        if self.primary not in paths and not any(name in paths for name in self.paths):
            return None
        return Here(self._machine, self.primary, paths, self._tops)

    def populated(self) -> bool:
        """Return whether there is any process in this cgroup or below it."""
        if self.primary == V2 and (events := self.text(V2, "cgroup.events")) is not None:
            return parse.flat_keyed(events).get(b"populated", 0) != 0
        return self._machine.place(self.primary).below(self.paths[self.primary]).populated()

    def host(self, path: str) -> bytes:
        """Return a file of the host."""
        return self._machine.host(path)


def _is_alive(directory: int) -> bool:
    try:
        os.stat("cgroup.procs", dir_fd=directory)
    except OSError:
        return False
    return True
