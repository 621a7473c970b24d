"""One cgroup's directory: its files, its ancestors, its descendants.

Role: walking a hierarchy, which v1 and v2 do alike; what a file says is known by cgroup1 and
cgroup2.
Boundary: never leaves the mount it was made for.
Threading: immutable.
"""

import errno
import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lxfs import parse
from lxfs.model import SourceError
from lxfs.sources.host import read_as

# Bounds for what a container can make us walk: it may nest and fork as it pleases.
_MAX_DEPTH = 8
_MAX_DIRECTORIES = 512

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """A cgroup at ``path`` (absolute, within the hierarchy) under a mount at ``point``.

    ``root`` is the cgroup that the mount shows at its top: ``/`` except in a cgroup namespace.
    """

    point: str
    root: str = "/"
    path: str = ""

    @property
    def depth(self) -> int:
        """How many levels below the top of the mount."""
        return self.path.count("/") if self.path != "/" else 0

    def below(self, path: str) -> "Place":
        """Return the cgroup that /proc/PID/cgroup calls ``path``.

        Raises ``SourceError`` (EXDEV) for one that the mount does not show.
        """
        if "/.." in path:
            raise SourceError(errno.EXDEV, f"cgroup {path} is outside our cgroup namespace")
        root = self.root.rstrip("/")
        if path != root and not path.startswith(root + "/"):
            raise SourceError(errno.EXDEV, f"cgroup {path} is not below the mount of {self.root}")
        inner = path[len(root) :].rstrip("/")
        return Place(self.point, self.root, inner)

    def file(self, name: str) -> str:
        """Return the path of one of the cgroup's files."""
        return f"{self.point}{self.path}/{name}"

    def ancestry(self) -> Iterator["Place"]:
        """Yield this cgroup and then each ancestor up to the top of the mount."""
        path = self.path
        while path and path != "/":
            yield Place(self.point, self.root, path)
            path = posixpath.dirname(path).rstrip("/")
        yield Place(self.point, self.root, "")

    def read(self, name: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``shape`` makes of one of the cgroup's files."""
        return read_as(self.file(name), shape)

    def read_if_any(self, name: str, shape: Callable[[bytes], _T]) -> _T | None:
        """Return the same, or ``None`` where an existing cgroup has no such file.

        The top of a hierarchy lacks the files of limits, and a kernel those of what it was built
        without. A cgroup that is itself gone is still an error: no limit must never be read into
        a container's death.
        """
        try:
            return self.read(name, shape)
        except SourceError as error:
            if error.errno == errno.ENOENT and Path(f"{self.point}{self.path}").is_dir():
                return None
            raise

    def smallest(self, name: str, shape: Callable[[bytes], int | None]) -> int | None:
        """Return the smallest limit of one file over the cgroup and its ancestors."""
        limits = [place.read_if_any(name, shape) for place in self.ancestry()]
        return min((limit for limit in limits if limit is not None), default=None)

    def tree_of_integers(self, name: str) -> list[int]:
        """Return the integers in one file of this cgroup and of its descendants.

        Bounded in depth and breadth. Descendants that vanish or refuse (a threaded v2 cgroup
        does) meanwhile are passed over.
        """

        def listed(text: bytes) -> list[int]:
            return [parse.integer(line) for line in text.split()]

        numbers = self.read(name, listed)
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
                    numbers += Place(self.point, self.root, path).read(name, listed)
                except SourceError:
                    continue
        return numbers
