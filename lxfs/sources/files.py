"""Kernel files that are read again and again: descriptors kept open, and contents for a moment.

Role: opening a file costs several times what reading it does. A file of procfs or of a cgroup is
rendered anew for each read at offset 0, so one descriptor serves many reads.
Boundary: paths in, bytes out; what they mean is known elsewhere. Never more than a fixed number
of descriptors, each for a second at most. A descriptor of a process or cgroup that is gone reads
ESRCH or ENODEV; the path then decides. That is so on procfs and kernfs alone: recorded files
elsewhere are to be read with ``keep`` off.
Threading: any number of threads. A descriptor is closed when its last reader lets go of it, never
under one that still reads: its number may by then be another file's.
"""

import os
import threading
import time

from lxfs.model import SourceError

_MAX_HELD = 256
_HELD_SECONDS = 1.0
_RECENT_SECONDS = 0.005
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
            chunks = []
            while chunk := os.read(descriptor, 1 << 16):
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(error.errno, error.strerror, path) from error


class _Held:
    """An open file and until when it may be used; closed with the last reference to it."""

    __slots__ = ("descriptor", "until")

    def __init__(self, path: str) -> None:
        self.descriptor = -1  # before what may fail: __del__ looks at it
        self.until = time.monotonic() + _HELD_SECONDS
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self, close=os.close) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        if self.descriptor >= 0:
            close(self.descriptor)


class Files:
    """Readers of single-record files (``single_open`` and kernfs): those that one read gives whole.

    Files of many records (cpuinfo, mountinfo, lists of threads) are for ``read_bytes``.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._recent: dict[str, tuple[float, bytes]] = {}

    def read(self, path: str) -> bytes:
        """Return what a file says now. Raises ``SourceError`` with the kernel's errno."""
        held = self._held.get(path)
        if held is not None and time.monotonic() < held.until:
            try:
                text = os.pread(held.descriptor, _WHOLE, 0)
            except OSError:
                pass  # gone; there may be another by its name
            else:
                if len(text) < _WHOLE:
                    return text
        return self._open(path) if self._keep else read_bytes(path)

    def _open(self, path: str) -> bytes:
        try:
            held = _Held(path)
            text = os.pread(held.descriptor, _WHOLE, 0)
        except OSError as error:
            with self._lock:
                self._held.pop(path, None)
            raise SourceError(error.errno, error.strerror, path) from error
        if len(text) == _WHOLE:
            return read_bytes(path)
        with self._lock:
            self._held.pop(path, None)  # the new one goes to the end: first in, first out
            while len(self._held) >= _MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[path] = held
        return text

    def recent(self, path: str) -> bytes:
        """Return a file of any shape as it was not more than a few milliseconds ago.

        For what changes slowly or is the same for every container; the same object again and
        again, which makes it a cheap key for what is derived from it.
        """
        if not self._keep:
            return read_bytes(path)
        now = time.monotonic()
        until, text = self._recent.get(path, (0.0, b""))
        if now < until:
            return text
        text = read_bytes(path)
        self._recent[path] = (now + _RECENT_SECONDS, text)
        return text

    def sweep(self) -> None:
        """Close what has not been opened anew for a while, and drop what is not recent any more."""
        now = time.monotonic()
        with self._lock:
            self._held = {path: held for path, held in self._held.items() if now < held.until}
        self._recent = {path: kept for path, kept in list(self._recent.items()) if now < kept[0]}


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

    recent = read


PLAIN = Files(keep=False)
"""Keeps nothing: each read opens its path."""
