"""One cgroup's directory: its files, its ancestors, its descendants.

Role: walking a hierarchy, which v1 and v2 do alike; what a file says is known by cgroup1 and
cgroup2.
Boundary: never leaves the mount it was made for.
Threading: immutable.
"""

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

from lxfs import parse
from lxfs.model import SourceError
from lxfs.sources.files import PLAIN, Files
from lxfs.sources.host import read_as

# Bounds for what a container can make us walk: it may nest and fork as it pleases.
_MAX_ANCESTORS = 64
_MAX_DEPTH = 8
_MAX_DIRECTORIES = 512

_T = TypeVar("_T")
_L = TypeVar("_L", int, Fraction)


@dataclass(frozen=True)
class Place:
    """A cgroup at ``path`` (absolute, within the hierarchy) under a mount at ``point``.

    ``root`` is the cgroup that the mount shows at its top, as our own cgroup namespace calls it.
    ``namespaced`` says that this namespace's ``/`` is not the root cgroup but one below it.
    """

    point: str
    root: str = "/"
    path: str = ""
    files: Files = field(default=PLAIN, compare=False, repr=False)
    namespaced: bool = False

    @property
    def depth(self) -> int:
        """How many levels below the top of the mount."""
        return self.path.count("/") if self.path != "/" else 0

    def below(self, path: str) -> "Place":
        """Return the cgroup that /proc/PID/cgroup calls ``path``.

        Raises ``SourceError`` (EXDEV) for one that the mount does not show.
        """
        return _below(self, path)

    @cached_property
    def _paths(self) -> dict[str, str]:
        return {}

    def file(self, name: str) -> str:
        """Return the path of one of the cgroup's files."""
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = f"{self.point}{self.path}/{name}"
        return path

    def inode(self) -> int:
        """Return the inode of its directory, which no later cgroup of this path will have.

        kernfs gives numbers out in turn, with a generation in their upper half. Raises
        ``SourceError`` for a cgroup that is gone.
        """
        directory = f"{self.point}{self.path}"
        try:
            return os.stat(directory).st_ino  # noqa: PTH116 - on the way of every open
        except OSError as error:
            raise SourceError(error.errno, error.strerror, directory) from error

    @cached_property
    def ancestry(self) -> tuple["Place", ...]:
        """This cgroup and then each ancestor up to the top of the mount."""
        levels = [self]
        path = self.path
        while path and path != "/":
            path = path.rpartition("/")[0]
            levels.append(Place(self.point, self.root, path, self.files, self.namespaced))
        return tuple(levels)

    @cached_property
    def limiting(self) -> tuple["Place", ...]:
        """The levels that can have limits: all but the top of a hierarchy.

        There the kernel refuses limits (v1) or has no files for them (v2). The top of a mount in
        a cgroup namespace is an ordinary cgroup.
        """
        return tuple(level for level in self.ancestry if not level.is_top)

    @property
    def is_top(self) -> bool:
        """Whether this is the root cgroup, whose counters are the machine's."""
        return not self.path and self.root == "/" and not self.namespaced

    def read(self, name: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``shape`` makes of one of the cgroup's files."""
        return self.files.value(self.file(name), shape)

    def read_if_any(self, name: str, shape: Callable[[bytes], _T]) -> _T | None:
        """Return the same, or ``None`` where an existing cgroup has no such file.

        The top of a hierarchy lacks the files of limits, and a kernel those of what it was built
        without. A cgroup that is itself gone is still an error: no limit must never be read into
        a container's death.
        """
        try:
            return self.files.value(self.file(name), shape)
        except SourceError as error:
            if error.errno == errno.ENOENT and Path(f"{self.point}{self.path}").is_dir():
                return None
            raise

    def limits(self, name: str, shape: Callable[[bytes], _L | None]) -> list[tuple["Place", _L]]:
        """Return the limits in one file of the cgroup and its ancestors, with whose they are."""
        return [
            (level, limit)
            for level in self.limiting
            if (limit := level.read_if_any(name, shape)) is not None
        ]

    def smallest(self, name: str, shape: Callable[[bytes], _L | None]) -> _L | None:
        """Return the smallest of these limits."""
        return min([limit for _, limit in self.limits(name, shape)], default=None)

    def populated(self) -> bool:
        """Return whether there is any process in this cgroup or below it.

        cgroup v2 says so in cgroup.events; of v1 the lists have to be looked at.
        """
        events = self.read_if_any("cgroup.events", parse.flat_keyed)
        if events is not None:
            return events.get(b"populated", 0) != 0
        return bool(self.tree_of_integers("tasks"))

    def _is_leaf(self) -> bool:
        """Return whether there is no cgroup in this one; kernfs counts them, others may not."""
        try:
            return os.stat(f"{self.point}{self.path}").st_nlink == 2  # noqa: PTH116, PLR2004
        except OSError:
            return False

    def tree_of_integers(self, name: str) -> Sequence[int]:
        """Return the integers in one file of this cgroup and of its descendants.

        Bounded in depth and breadth. Descendants that vanish or refuse (a threaded v2 cgroup
        does) meanwhile are passed over.
        """

        def listed(place: Place) -> Sequence[int]:
            # A list of many records, which one read does not give whole.
            return read_as(place.file(name), _integers)

        # v1 goes on showing the list that it has made for an open file (kernel/cgroup/cgroup-v1.c).
        is_live = name.startswith("cgroup.")
        numbers = self.files.records(self.file(name), _integers) if is_live else listed(self)
        if self._is_leaf():
            return numbers
        numbers = list(numbers)
        level = [self.path]
        seen = 1
        for _ in range(_MAX_DEPTH):
            below: list[str] = []
            for path in level:
                try:
                    with os.scandir(f"{self.point}{path}") as entries:
                        below += [f"{path}/{entry.name}" for entry in entries if entry.is_dir()]
                except OSError:
                    continue
            level = below[: _MAX_DIRECTORIES - seen]
            seen += len(level)
            for path in level:
                try:
                    numbers += listed(Place(self.point, self.root, path))
                except SourceError:
                    continue
        return numbers


def _integers(text: bytes) -> Sequence[int]:
    return tuple([parse.integer(line) for line in text.split()])


@lru_cache(maxsize=1024)  # few cgroups are asked about again and again
def _below(place: Place, path: str) -> Place:
    if ".." in path.split("/"):
        raise SourceError(errno.EXDEV, f"cgroup {path} is outside our cgroup namespace")
    root = place.root.rstrip("/")
    if path != root and not path.startswith(root + "/"):
        raise SourceError(errno.EXDEV, f"cgroup {path} is not below the mount of {place.root}")
    inner = path[len(root) :].rstrip("/")
    if inner.count("/") > _MAX_ANCESTORS:
        raise SourceError(errno.ELOOP, f"cgroup {path[:80]}... is nested too deeply")
    return Place(place.point, place.root, inner, place.files, place.namespaced)
