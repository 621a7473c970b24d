"""Kernel files that are read again and again: descriptors kept open, nothing parsed twice.

Role: opening a file costs several times what reading it does, and parsing it more than comparing
it. A file of procfs, sysfs or a cgroup is rendered anew for each read at offset 0, so one
descriptor serves many reads; what was made of its bytes is kept for as long as they are the same.
Boundary: paths in, bytes or values out; what they mean is known elsewhere. Whatever is returned
was read from the kernel during the call. Never more than a fixed number of descriptors, each for a
second at most. A descriptor of a process or cgroup that is gone reads ESRCH or ENODEV; the path
then decides. That is so on procfs and kernfs alone: recorded files elsewhere are to be read with
``keep`` off.
Threading: any number of threads. A descriptor is closed when its last reader lets go of it, never
under one that still reads: its number may by then be another file's.
"""

import errno
import os
import resource
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from lxfs.model import SourceError

_T = TypeVar("_T")

_MAX_HELD = 4096
"""Descriptors held at most, and as many pinned; of a process that may have few open, a quarter."""
_HELD_SECONDS = 1.0
_WHOLE = 1 << 14
"""Bytes read at once. A longer file is not held: its parts would be of several moments."""


def read_bytes(path: str) -> bytes:
    """Return a whole kernel file. Raises ``SourceError`` with the kernel's errno.

    One open, and reads until the end: a /proc file is one snapshot per descriptor, and the
    buffering of Python's own file objects costs more than the read itself.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _to_the_end(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(error.errno, error.strerror, path) from error


def _to_the_end(descriptor: int) -> bytes:
    text = os.pread(descriptor, 1 << 16, 0)
    chunks, length = [text], len(text)
    while chunk := os.pread(descriptor, 1 << 16, length):
        chunks.append(chunk)
        length += len(chunk)
    return b"".join(chunks)  # of one chunk: the chunk itself


def _at_once(descriptor: int) -> bytes | None:
    text = os.pread(descriptor, _WHOLE, 0)
    return text if len(text) < _WHOLE else None


def shaped(path: str, text: bytes, shape: Callable[[bytes], _T]) -> _T:
    """Return what ``shape`` makes of a file's bytes; its ``ValueError`` is an EIO of the file."""
    try:
        return shape(text)
    except ValueError as error:
        raise SourceError(errno.EIO, str(error), path) from error


class _Held:
    """An open file, until when it may be used, and what was last made of it.

    ``made`` is by shape: the bytes, and the value that they gave. The file is closed with the last
    reference.
    """

    __slots__ = ("__weakref__", "descriptor", "made", "until")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.until = time.monotonic() + _HELD_SECONDS
        self.made: dict[Callable[[bytes], Any], tuple[bytes, Any]] = {}

    def __del__(self, close=os.close) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        if self.descriptor >= 0:
            close(self.descriptor)


_NEVER = _Held(-1)
_NEVER.until = 0.0
_NO_FILE = weakref.ref(_NEVER)
"""Stands for a file that cannot be read again in the same way."""


def _made(held: _Held, path: str, text: bytes, shape: Callable[[bytes], _T]) -> _T:
    if held is _NEVER:
        return shaped(path, text, shape)
    last = held.made.get(shape)
    if last is not None and last[0] == text:
        return last[1]  # type: ignore[no-any-return]  # what the shape returned
    value = shaped(path, text, shape)
    held.made[shape] = text, value
    return value


_Read = tuple[weakref.ref[_Held], bytes]
"""What was read, and from what; to remember a file is not to hold it open."""


class _Log(threading.local):
    """The files that this thread has read, and what they said, while it is asked to note them."""

    reads: list[_Read] | None = None


class Pin:
    """A file that stays open: what it is of (a process, a namespace) cannot become another's.

    For procfs: the descriptor goes on reading ESRCH when the process has gone, whoever gets its
    pid; and while a namespace is open, no other gets its inode.
    """

    __slots__ = ("_descriptor", "_path", "_pins")

    def __init__(self, path: str, pins: list[None]) -> None:
        self._descriptor = -1
        self._path = path
        self._pins = pins
        pins.append(None)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self, close=os.close) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self._pins.pop()
        if self._descriptor >= 0:
            close(self._descriptor)

    def read(self) -> bytes:
        """Return what the file says now. Raises ``SourceError`` with the kernel's errno."""
        try:
            return os.pread(self._descriptor, _WHOLE, 0)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, self._path) from error

    def inode(self) -> int:
        """Return the file's inode."""
        return os.fstat(self._descriptor).st_ino


class Files:
    """Readers of files that one read gives whole (``single_open`` and kernfs).

    Those of many records (cpuinfo, mountinfo, lists of threads) are for ``text`` or
    ``read_bytes``.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._most = min(_MAX_HELD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._pins: list[None] = []  # one for each: counted by append and pop, which are atomic
        self._log = _Log()

    def read(self, path: str) -> bytes:
        """Return what a file says now. Raises ``SourceError`` with the kernel's errno."""
        return self.value(path, bytes)

    def value(self, path: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``shape`` makes of what a file says now.

        It is asked again only when the file says something else than before, so nobody may change
        what it returned. Raises as ``read`` does, and EIO for a file of another shape.
        """
        held = self._held.get(path)
        text = None
        if held is not None and time.monotonic() < held.until:
            try:
                text = os.pread(held.descriptor, _WHOLE, 0)
            except OSError:
                text = None  # gone; there may be another by its name
        if held is None or text is None or len(text) == _WHOLE:
            held, text = self._open(path, _at_once)
        if (reads := self._log.reads) is not None:
            reads.append((weakref.ref(held), text))
        return _made(held, path, text, shape)

    def text(self, path: str) -> bytes:
        """Return what a file of any shape and length says now.

        The same object as long as it says the same, which makes it a cheap key for what is derived
        from it.
        """
        return self.records(path, bytes)

    def records(self, path: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``value`` does, of a file of any length."""
        held = self._held.get(path)
        text = None
        if held is not None and time.monotonic() < held.until:
            try:
                text = _to_the_end(held.descriptor)
            except OSError:
                text = None
        if held is None or text is None:
            held, text = self._open(path, _to_the_end)
        if (reads := self._log.reads) is not None:
            reads.append((_NO_FILE, text))  # one read does not tell whether it says the same
        return _made(held, path, text, shape)

    def noted(self, compute: Callable[[], _T]) -> tuple[_T, tuple[_Read, ...]]:
        """Return what a function returns, and what it has read meanwhile."""
        outer = self._log.reads
        reads = self._log.reads = list[_Read]()
        try:
            value = compute()
        finally:
            self._log.reads = outer
        if outer is not None:
            outer += reads
        return value, tuple(reads)

    def _open(self, path: str, read: Callable[[int], bytes | None]) -> tuple[_Held, bytes]:
        """Return what a file says now, read from a new descriptor, and that if it is to be held."""
        before = self._held.get(path)
        try:
            if not self._keep:
                return _NEVER, read_bytes(path)
            held = _Held(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            text = read(held.descriptor)
        except OSError as error:
            with self._lock:
                self._held.pop(path, None)
            if (reads := self._log.reads) is not None:
                reads.append((_NO_FILE, b""))  # it may be there the next time
            raise SourceError(error.errno, error.strerror, path) from error
        if text is None:
            return _NEVER, read_bytes(path)
        if before is not None:
            held.made = before.made  # true of the same bytes, wherever they come from
        with self._lock:
            self._held.pop(path, None)  # the new one goes to the end: first in, first out
            while len(self._held) >= self._most:
                del self._held[next(iter(self._held))]
            self._held[path] = held
        return held, text

    def pin(self, path: str) -> Pin | None:
        """Return a file opened for good; ``None`` where nothing is kept, or too much already.

        Raises ``SourceError`` with the kernel's errno.
        """
        if not self._keep or len(self._pins) >= self._most:
            return None
        try:
            return Pin(path, self._pins)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def sweep(self) -> None:
        """Close what has not been opened anew for a while."""
        now = time.monotonic()
        with self._lock:
            self._held = {path: held for path, held in self._held.items() if now < held.until}


class Derived(Generic[_T]):
    """What is made of several files, made again only when one of them says something else.

    They are all read each time, in the same order: what is returned is as fresh as if it were made.
    """

    __slots__ = ("_compute", "_files", "_last")

    def __init__(self, files: Files, compute: Callable[[], _T]) -> None:
        self._files = files
        self._compute = compute
        self._last: tuple[_T, tuple[_Read, ...]] | None = None

    def get(self) -> _T:
        """Return it. Raises what the function that makes it does."""
        last = self._last
        if last is not None and last[1] and _still_says(last[1]):
            return last[0]
        self._last = made = self._files.noted(self._compute)
        return made[0]


def _still_says(reads: tuple[_Read, ...]) -> bool:
    now = time.monotonic()
    try:
        for file, text in reads:
            held = file()
            if held is None or now >= held.until or os.pread(held.descriptor, _WHOLE, 0) != text:
                return False
    except OSError:
        return False  # gone; there may be another by its name
    return True


class Moment(Files):
    """Reads each file once: whatever is made of it is made of the same bytes."""

    def __init__(self) -> None:
        super().__init__(keep=False)
        self._texts: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """Return what a file said when it was first asked for."""
        if path not in self._texts:
            self._texts[path] = read_bytes(path)
        return self._texts[path]

    text = read

    def records(self, path: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``shape`` makes of it."""
        return self.value(path, shape)

    def value(self, path: str, shape: Callable[[bytes], _T]) -> _T:
        """Return what ``shape`` makes of it."""
        return shaped(path, self.read(path), shape)


PLAIN = Files(keep=False)
"""Keeps nothing: each read opens its path."""
