"""Node ids that mean the same in every process and in every version.

Role: a path's id is a hash of it, so that a successor knows the nodes that the kernel has from its
predecessors without being told, and nobody has to count look-ups and forgets.
What is each caller's own (cgroups) is without number: of that the ids are known that the kernel has
asked for and not forgotten, and a successor looks for others among what the caller sees.
Boundary: paths and numbers; asks the tree which paths there are when it meets an id that it does
not know.
Threading: any number of threads; what is added is the same whoever adds it. The counts of look-ups
are behind a lock.
"""

import errno
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b
from pathlib import PurePosixPath

from lxfs.drivers.native.protocol import ROOT
from lxfs.tree import Tree

_MAX_DEPTH = 12
_PAUSE = 1.0
"""Seconds between two searches for ids that are not known: of what is gone there may be many."""
_MAX_OWN = 1 << 16
"""Paths of callers' own that are kept; the kernel looks up anew what is not found any more."""
_MAX_SEARCHED = 512
"""Directories that are looked through for the id of one caller's own path."""
_MAX_CALLERS = 8
"""Callers of whom it is kept what was found then."""


class Nodes:
    """The paths that were asked for, by id."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._paths = {ROOT: "/"}
        self._ids = {"/": ROOT}
        self._again = 0.0
        self._lock = threading.Lock()
        # Of callers' own paths: path and how often the kernel was told of it, the latest last.
        self._own: OrderedDict[int, tuple[str, int]] = OrderedDict()
        # By caller, what was found when it was searched for, and when.
        self._found: OrderedDict[Hashable, tuple[float, dict[int, str]]] = OrderedDict()

    def id(self, path: str) -> int:
        """Return the id of a path that exists, or did. Raises EIO when another has the same."""
        known = self._ids.get(path)
        if known is not None:
            return known
        number = _hash(path)
        if self._tree.is_each_callers(path):
            return number
        if self._paths.setdefault(number, path) != path or number <= ROOT:
            raise OSError(errno.EIO, f"node {number:#x} is {self._paths.get(number)} already", path)
        self._ids[path] = number
        return number

    def told(self, path: str) -> int:
        """Return the same for a look-up that the kernel will take back by ``forget``."""
        number = self.id(path)
        if path not in self._ids:
            with self._lock:
                there, count = self._own.pop(number, (path, 0))
                if there != path or number in self._paths or number <= ROOT:
                    raise OSError(errno.EIO, f"node {number:#x} is {there} already", path)
                self._own[number] = path, count + 1
                if len(self._own) > _MAX_OWN:
                    self._own.popitem(last=False)
        return number

    def forget(self, number: int, count: int) -> None:
        """Take back so many look-ups: those that a predecessor was asked for were not counted."""
        if number in self._own:
            with self._lock:
                path, told = self._own.get(number, ("", 0))
                if told > count:
                    self._own[number] = path, told - count
                else:
                    self._own.pop(number, None)

    def own_path(self, number: int) -> bytes | None:
        """Return a caller's own path by its id, if it is one, for ``recall`` in another process."""
        known = self._own.get(number)
        return None if known is None else os.fsencode(known[0])

    def recall(self, number: int, path: bytes) -> None:
        """Take up a path that a predecessor knew, if it is that of the id."""
        text = os.fsdecode(path)
        if self._tree.is_each_callers(text) and _hash(text) == number:
            self.told(text)

    @property
    def own(self) -> int:
        """How many paths of callers' own are known."""
        return len(self._own)

    def path(self, number: int, pid: int = 0) -> str:
        """Return the path of an id. Raises ESTALE for one that nothing here has any more.

        The kernel then begins the walk anew, and learns what became of it. A caller's own path is
        looked for among what that caller sees: it may hold a directory open.
        """
        path = self._paths.get(number)
        if path is None and (own := self._own.get(number)) is not None:
            return own[0]
        if path is None and time.monotonic() >= self._again:
            self._enumerate("/", 0)
            self._again = time.monotonic() + _PAUSE
            path = self._paths.get(number)
        if path is None and pid:
            path = self._search(number, pid)
        if path is None:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), f"node {number:#x}")
        return path

    def child(self, parent: int, name: str, pid: int = 0) -> str:
        """Return the path of a name in a directory; of the root itself for ``..`` there."""
        above = self.path(parent, pid)
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
            if stat.S_ISDIR(mode) and depth < _MAX_DEPTH and not self._tree.has_callers_own(path):
                self._enumerate(path, depth + 1)

    def _search(self, number: int, pid: int) -> str | None:
        """Return which path of a caller's own has an id, if the caller sees one that has.

        Somebody may have come in by a directory that it has held open since before our time.
        """
        whose = self._tree.caller(pid)
        if whose is None:
            return None  # the host sees all cgroups of the machine
        made, paths = self._found.get(whose, (-_PAUSE, {}))
        if number not in paths and time.monotonic() - made >= _PAUSE:
            paths = {_hash(path): path for path in self._tree.callers_own(pid, _MAX_SEARCHED)}
            with self._lock:
                self._found.pop(whose, None)
                self._found[whose] = time.monotonic(), paths
                while len(self._found) > _MAX_CALLERS:
                    self._found.popitem(last=False)
        path = paths.get(number)
        if path is not None:
            self.told(path)
        return path


def _hash(path: str) -> int:
    text = path.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
