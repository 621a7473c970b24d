"""Node ids that mean the same in every process and in every version.

Role: a path's id is a hash of it, so that a successor knows the nodes that the kernel has from its
predecessors without being told, and nobody has to count look-ups and forgets.
Boundary: paths and numbers; asks the tree which paths there are when it meets an id that it does
not know.
Threading: any number of threads; what is added is the same whoever adds it.
"""

import errno
import os
import stat
import time
from hashlib import blake2b
from pathlib import PurePosixPath

from lxfs.drivers.native.protocol import ROOT
from lxfs.tree import Tree

_MAX_DEPTH = 12
_PAUSE = 1.0
"""Seconds between two searches for ids that are not known: of what is gone there may be many."""


class Nodes:
    """The paths that were asked for, by id."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._paths = {ROOT: "/"}
        self._ids = {"/": ROOT}
        self._again = 0.0

    def id(self, path: str) -> int:
        """Return the id of a path that exists, or did. Raises EIO when another has the same."""
        known = self._ids.get(path)
        if known is not None:
            return known
        number = int.from_bytes(
            blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little"
        )
        if self._paths.setdefault(number, path) != path or number <= ROOT:
            raise OSError(errno.EIO, f"node {number:#x} is {self._paths.get(number)} already", path)
        self._ids[path] = number
        return number

    def path(self, number: int) -> str:
        """Return the path of an id. Raises ENOENT for one that nothing here has any more."""
        path = self._paths.get(number)
        if path is None and time.monotonic() >= self._again:
            self._enumerate("/", 0)
            self._again = time.monotonic() + _PAUSE
            path = self._paths.get(number)
        if path is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"node {number:#x}")
        return path

    def child(self, parent: int, name: str) -> str:
        """Return the path of a name in a directory; of the root itself for ``..`` there."""
        above = self.path(parent)
        if name == ".":
            return above
        if name == "..":
            return str(PurePosixPath(above).parent)
        return f"/{name}" if above == "/" else f"{above}/{name}"

    def _enumerate(self, directory: str, depth: int) -> None:
        """Give ids to all that the host itself sees: a predecessor may have shown any of it."""
        for name, mode in self._tree.listing(directory, os.getpid()).items():
            path = f"{directory.rstrip('/')}/{name}"
            self.id(path)
            if stat.S_ISDIR(mode) and depth < _MAX_DEPTH:
                self._enumerate(path, depth + 1)
