"""The files of both ends: made to be looked into again, and compared.

Role: what the daemons' own copy leaves open. They copy by rsync, whose quick check takes a file of
the same size and the same second of last change for unchanged. Boundary: reads and dates files
through two backends; decides nothing. Threading: blocks its caller; while it compares, one thread
for each end.
"""

from __future__ import annotations

import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from lxtui import format as text
from lxtui.backend.base import Files
from lxtui.errors import LxtuiError
from lxtui.model import FileEntry

UNSETTLED = 60
"""Seconds for which a file that is mapped into memory may change after its time of last change:
until the kernel has written the page out (vm.dirty_expire_centisecs, 30 s, and some more)."""
SECOND = 2
"""A time of last change says the second, and the daemon's clock is read a moment early or late."""
_NEVER = 1
"""The time given to a file that the next pass has to look into."""
_BATCH_FILES = 64
_BATCH_BYTES = 16 * 1024 * 1024
_SHOWN = 5
_MOST = 1000
"""Names in a folder beyond which a look of limited time leaves it out."""
_PERMISSIONS = 0o7777

Check = Callable[[], None]
"""Called often; may raise to end the work."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since 1970, by the source's clock; *end* is None when it is still open."""

    begin: float
    end: float | None = None

    def __contains__(self, second: int) -> bool:
        return self.begin <= second and (self.end is None or second <= self.end)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What the next pass has to look into."""

    files: int = 0
    settling: int = 0
    """Bytes of those that were last changed before *since*: they would be left out later."""


def doubt(files: Files, windows: Sequence[Window], check: Check, since: float = 0.0) -> Doubt:
    """Have the next pass look into every file of a copy that changed within *windows*.

    A pass may have read such a file before its last change and still have given it the time of that
    change. The copy's time is set to one that the original does not have; the next pass then
    compares the content block by block, and sets the time right.
    """
    count = settling = 0
    for folder, entries in _folders(files):
        check()
        found = [
            one
            for one in entries
            if stat.S_ISREG(one.mode) and any(one.modified in window for window in windows)
        ]
        files.set_times([_join(folder, one.name) for one in found], _NEVER)
        count += len(found)
        settling += sum(one.size for one in found if one.modified < since)
    return Doubt(count, settling)


class Comparison:
    """Every file of two instances that lie still: type, mode, owner, content, a link's target."""

    def __init__(
        self,
        check: Check,
        tell: Callable[[int, int], None],
        *,
        content: bool = True,
        seconds: float | None = None,
    ) -> None:
        """Without *content* no file is read: its size has to be enough.

        In *seconds* it looks at what is nearest to the root, and leaves out what has no end.
        """
        self._seconds = seconds
        self._check = check
        self._content = content
        self._tell = tell
        """Told of the files and bytes compared so far."""
        self._pool: ThreadPoolExecutor | None = None
        self._files = 0
        self._bytes = 0
        self._found: list[str] = []

    def run(self, source: Files, target: Files) -> tuple[str, ...]:
        """What differs, by path and at most a few; empty when all is equal."""
        with ThreadPoolExecutor(2) as self._pool:
            folders = deque([b"/"])
            until = time.monotonic() + (self._seconds or 0)
            most = _MOST if self._seconds else 0
            while folders and len(self._found) < _SHOWN:
                if self._seconds and time.monotonic() > until:
                    break
                self._check()
                folder = folders.popleft() if self._seconds else folders.pop()
                here, there = self._both(
                    partial(_listed, folder, most),
                    source,
                    target,
                )
                if most and max(len(here), len(there)) > most:
                    continue
                self._compare(folder, here, there, source, target)
                folders.extend(
                    _join(folder, one.name)
                    for one in sorted(
                        here.values(), key=lambda one: one.name, reverse=not self._seconds
                    )
                    if stat.S_ISDIR(one.mode) and one.name in there
                )
        return tuple(self._found[:_SHOWN])

    def _compare(
        self,
        folder: bytes,
        here: dict[bytes, FileEntry],
        there: dict[bytes, FileEntry],
        source: Files,
        target: Files,
    ) -> None:
        regular: list[tuple[bytes, int]] = []
        links: list[bytes] = []
        for name in sorted(here.keys() | there.keys()):
            path = _join(folder, name)
            one, other = here.get(name), there.get(name)
            if one is None or other is None:
                self._differs(path, "is only on the " + ("target" if one is None else "source"))
            elif what := _difference(one, other):
                self._differs(path, what)
            elif stat.S_ISREG(one.mode):
                if self._content:
                    regular.append((path, one.size))
                else:
                    self._files += 1
            elif stat.S_ISLNK(one.mode):
                links.append(path)
        pointed = self._both(lambda files: files.links(links), source, target)
        for path, one_end, other_end in zip(links, *pointed, strict=True):
            if one_end != other_end:
                self._differs(path, "points elsewhere")
        self._tell(self._files, self._bytes)
        for batch in _batches(regular):
            self._check()
            sums = self._both(partial(_digests, batch), source, target)
            for (path, size), one_sum, other_sum in zip(batch, *sums, strict=True):
                self._files += 1
                self._bytes += size
                if one_sum != other_sum:
                    self._differs(path, "has another content")
            self._tell(self._files, self._bytes)

    def _both(self, action: Callable[[Files], T], source: Files, target: Files) -> tuple[T, T]:
        if self._pool is None:
            raise LxtuiError("the comparison is over")
        ends = [self._pool.submit(action, files) for files in (source, target)]
        return ends[0].result(), ends[1].result()

    def _differs(self, path: bytes, what: str) -> None:
        self._found.append(f"{text.path(path)} {what}")


def compare(
    source: Files,
    target: Files,
    check: Check,
    say: Callable[[str], None],
    *,
    content: bool = True,
    seconds: float | None = None,
) -> tuple[str, ...]:
    """What differs between two instances that lie still; says once a second how far it is.

    *content* and *seconds* as for Comparison.
    """
    said = time.monotonic()

    def tell(files: int, size: int) -> None:
        nonlocal said
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            say(f"comparing files: {files}, {text.size(size)}")

    return Comparison(check, tell, content=content, seconds=seconds).run(source, target)


def _listed(folder: bytes, most: int, files: Files) -> dict[bytes, FileEntry]:
    return {one.name: one for one in files.entries(folder, most)}


def _digests(batch: Sequence[tuple[bytes, int]], files: Files) -> list[bytes]:
    return files.digests(batch)


def _folders(files: Files) -> Iterator[tuple[bytes, list[FileEntry]]]:
    waiting = [b"/"]
    while waiting:
        folder = waiting.pop()
        entries = files.entries(folder)
        yield folder, entries
        waiting += [_join(folder, one.name) for one in entries if stat.S_ISDIR(one.mode)]


def _join(folder: bytes, name: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/" + name


def _difference(one: FileEntry, other: FileEntry) -> str:
    if stat.S_IFMT(one.mode) != stat.S_IFMT(other.mode):
        return "is of another type"
    if one.mode & _PERMISSIONS != other.mode & _PERMISSIONS:
        return "has other permissions"
    if (one.uid, one.gid) != (other.uid, other.gid):
        return "has another owner"
    if stat.S_ISREG(one.mode) and one.size != other.size:
        return "has another size"
    return ""


def _batches(files: Iterable[tuple[bytes, int]]) -> Iterator[list[tuple[bytes, int]]]:
    batch: list[tuple[bytes, int]] = []
    total = 0
    for path, size in files:
        batch.append((path, size))
        total += size
        if len(batch) >= _BATCH_FILES or total >= _BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
