"""Directories of the host of which a part is served: which part, and to whom.

Role: names go by a white list, and names that end in a number also by who sees that number: what
is not listed, or is not the caller's, does not exist.
Boundary: a path below the directory and a caller's ``Snapshot`` in, what is there out; the host
decides what exists. Knows no pids and no FUSE.
Threading: immutable.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from lxfs import parse
from lxfs.entries import Directory, File, Link
from lxfs.origin import Origin
from lxfs.sources.host import Host
from lxfs.world import Snapshot

_NUMBERED = re.compile(r"(cpu|node|policy|index)(0|[1-9][0-9]{0,6})")
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_SIZE = 4096
"""What the kernel's own sysfs states for every file, whatever is in it."""


@dataclass(frozen=True)
class Mirror:
    """A directory of the host by white list.

    ``files`` are the served files by shape: the path below the directory with ``#`` for the number
    in cpuN, nodeN, policyN and indexN, or with ``*`` for any last name. Their view takes the
    snapshot and the path of the host's file; ``None`` shows the host's bytes to everybody.
    ``links`` are the shapes of the served links. Directories follow from both. ``origins`` say
    by shape where the lines of the files come from.
    """

    path: str
    files: Mapping[str, Callable[[Snapshot, str], bytes] | None]
    links: frozenset[str]
    origins: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)

    @cached_property
    def _directories(self) -> frozenset[str]:
        shapes = [*self.files, *self.links]
        return frozenset(
            "/".join(parts[:depth])
            for parts in (shape.split("/") for shape in shapes)
            for depth in range(len(parts))
        )

    def find(self, host: Host, relative: str, now: Snapshot | None) -> File | Link | Directory:
        """Return what is at a path below the directory (``""`` is itself) for a caller.

        ``now`` is ``None`` for the host's own callers, who see every number. Raises ENOENT, and
        ``SourceError`` or ``ValueError`` when it cannot be told whether the caller sees it.
        """
        parts = relative.split("/") if relative else []
        shape = self._shape(parts)
        if shape is None:
            raise _no_such(relative)
        path = "/".join([self.path, *parts])
        mode = host.mode(path)
        if mode is None or not self._is_served(shape, mode):
            raise _no_such(relative)
        if not all(_is_seen(part, now) for part in parts):
            raise _no_such(relative)
        if stat.S_ISDIR(mode):
            return Directory()
        if stat.S_ISLNK(mode):
            return Link(host.link(path))
        view = self.files[shape]
        return File(
            path,
            (lambda now: now.host(path)) if view is None else (lambda now: view(now, path)),
            mode=stat.S_IMODE(mode) & 0o444,
            size=_SIZE,
            origins=self.origins.get(shape, ()),
        )

    def names(self, host: Host, relative: str, now: Snapshot | None) -> dict[str, int]:
        """Return the names in such a directory, sorted, each with the type bits of its mode.

        Raises ENOTDIR, and as ``find`` does.
        """
        if not isinstance(self.find(host, relative, now), Directory):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), relative)
        parts = relative.split("/") if relative else []
        path = "/".join([self.path, *parts])
        names = {}
        for name in sorted(host.names(path)):
            shape = self._shape([*parts, name])
            if shape is None or not _is_seen(name, now):
                continue
            mode = host.mode(f"{path}/{name}")
            if mode is not None and self._is_served(shape, mode):
                names[name] = stat.S_IFMT(mode)
        return names

    def _shape(self, parts: list[str]) -> str | None:
        """Return the listed shape of a path, if it has one."""
        generic = [f"{m[1]}#" if (m := _NUMBERED.fullmatch(part)) else part for part in parts]
        shape = "/".join(generic)
        if shape in self.files or shape in self.links or shape in self._directories:
            return shape
        if parts and _PLAIN.fullmatch(parts[-1]):
            shape = "/".join([*generic[:-1], "*"])
            return shape if shape in self.files else None
        return None

    def _is_served(self, shape: str, mode: int) -> bool:
        if stat.S_ISDIR(mode):
            return shape in self._directories
        if stat.S_ISLNK(mode):
            return shape in self.links
        # The driver leaves nobody but us to look at permissions: what is not for all is for none.
        return stat.S_ISREG(mode) and shape in self.files and bool(mode & stat.S_IROTH)


def _is_seen(name: str, now: Snapshot | None) -> bool:
    """Return whether a caller sees the CPU, the node or the group of CPUs that a name is of."""
    match = _NUMBERED.fullmatch(name)
    if match is None or now is None:
        return True
    number = int(match[2])
    if match[1] == "cpu":
        return number in now.cpus.visible
    if match[1] == "node":
        return number in now.nodes.visible
    if match[1] == "policy":
        related = parse.numbers(now.host(f"sys/devices/system/cpu/cpufreq/{name}/related_cpus"))
        return not related.isdisjoint(now.cpus.visible)
    return True


def _no_such(relative: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), relative)
