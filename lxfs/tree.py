"""The served tree: directories, attributes, open files.

Role: who opened what, and the text that goes with it; the table says what there is.
Boundary: raises ``OSError`` and knows no FUSE; drivers translate.
Threading: any number of threads at once; the handles are behind a lock, a handle behind its own.
"""

import errno
import os
import stat as stat_module
import threading
import time
from collections import Counter
from dataclasses import dataclass

from lxfs.model import Container, SourceError
from lxfs.table import FILES, File
from lxfs.world import Snapshot, World

_REAP_SECONDS = 30.0
_MAX_HANDLES = 4096
"""Files that the containers of one pid namespace may have open."""
_MAX_KEPT = 64 << 20
"""Bytes of texts kept between reads, for all. When they are used up by readers that stop half-way,
a file read in small pieces is rendered for each piece, and no longer one moment."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of stat(2): type and permissions, size, links."""

    mode: int
    size: int
    links: int


class _Handle:
    """An open file: whose it is, and the text that its reads are served from.

    The text is let go at its end, where most readers stop; ``end`` is then where that was.
    """

    def __init__(self, file: File, container: Container | None) -> None:
        self.file = file
        self.container = container
        # Whom it counts for: cgroups are a container's to make, its pid namespace is not.
        self.owner = None if container is None else (container.namespace, container.starttime)
        self.lock = threading.Lock()
        self.text: bytes | None = None
        self.end: int | None = None


class Tree:
    """The served tree, callable from many threads."""

    def __init__(self, world: World, files: tuple[File, ...] = FILES) -> None:
        self._world = world
        self._files = {f"/{file.path}": file for file in files}
        self._listings: dict[str, set[str]] = {"/": set()}
        for path in self._files:
            parts = path.split("/")[1:]
            for depth, name in enumerate(parts):
                self._listings.setdefault("/" + "/".join(parts[:depth]), set()).add(name)
        self._lock = threading.Lock()
        self._handles: dict[int, _Handle] = {}
        self._open: Counter[tuple[int, int] | None] = Counter()
        self._next = 1
        self._kept = 0
        self._reaped = time.monotonic()

    def listing(self, path: str) -> list[str]:
        """Return the names in a directory, sorted. Raises ENOENT, ENOTDIR."""
        if path in self._files:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        try:
            return sorted(self._listings[path])
        except KeyError:
            raise _no_such(path) from None

    def attributes(self, path: str, pid: int = 0) -> Attributes:
        """Return the attributes of a file or directory for a caller. Raises ENOENT.

        The size is that of the text the caller would read now. The kernel states 0 in procfs,
        but for a FUSE file of size 0 it ends sendfile(2) before asking us, and busybox's cat with
        it. Files that remember state the length of the host's; mounting a container's files must
        not begin its history. A caller that could read nothing is told 1.
        """
        if (file := self._files.get(path)) is not None:
            return Attributes(stat_module.S_IFREG | file.mode, self._size(file, pid), 1)
        if (names := self._listings.get(path)) is not None:
            inner = sum(f"{path.rstrip('/')}/{name}" in self._listings for name in names)
            return Attributes(stat_module.S_IFDIR | 0o555, 0, 2 + inner)
        raise _no_such(path)

    def _size(self, file: File, pid: int) -> int:
        try:
            container = None if file.remembers else self._world.identity.container(pid)
            return len(self._render(file, container))
        except OSError:
            return 1

    def open(self, path: str, flags: int, pid: int) -> int:
        """Return a handle for a caller, whose container is settled here and now.

        A descriptor handed to another container goes on showing the opener's numbers, as a
        descriptor of any other file would. Raises ENOENT, EISDIR, EACCES (for writing), ESRCH
        (caller unknown), ENFILE (too many open by this container).
        """
        file = self._files.get(path)
        if file is None:
            if path in self._listings:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            raise _no_such(path)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        try:
            handle = _Handle(file, self._world.identity.container(pid))
        except SourceError as error:
            # Whatever failed on the way, the file is there and may be read: it is the caller who
            # cannot be placed, and ENOENT or EACCES would say otherwise.
            raise ProcessLookupError(
                errno.ESRCH, f"caller {pid}: {error.strerror}", path
            ) from error
        with self._lock:
            if handle.owner is not None and self._open[handle.owner] >= _MAX_HANDLES:
                raise OSError(errno.ENFILE, os.strerror(errno.ENFILE), path)
            self._open[handle.owner] += 1
            number = self._next
            self._next += 1
            self._handles[number] = handle
            due = time.monotonic() - self._reaped >= _REAP_SECONDS
            if due:
                self._reaped = time.monotonic()
        if due:
            self._world.reap()
        return number

    def read(self, number: int, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``; at offset 0 the file is rendered anew.

        Later offsets come from the same text: a file read through is one snapshot. Raises EBADF,
        and EIO or ESRCH when the container's numbers cannot be had.
        """
        with self._lock:
            handle = self._handles.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with handle.lock:
            text = handle.text
            if offset == 0 or text is None:
                if offset and handle.end is not None and offset >= handle.end:
                    return b""
                text = self._render(handle.file, handle.container)
                self._keep(handle, text)
            part = text[offset : offset + size]
            if not part:
                self._keep(handle, None)
                handle.end = len(text)
            return part

    def _keep(self, handle: _Handle, text: bytes | None) -> None:
        """Keep a handle's text for its next reads, if there is room for it, or let it go."""
        with self._lock:
            self._kept -= len(handle.text or b"")
            if text is not None and self._kept + len(text) > _MAX_KEPT:
                text = None
            handle.text, handle.end = text, None
            self._kept += len(text or b"")

    def release(self, number: int) -> None:
        """Forget a handle."""
        with self._lock:
            handle = self._handles.pop(number, None)
            if handle is None:
                return
            self._kept -= len(handle.text or b"")
            handle.text = None
            self._open[handle.owner] -= 1
            if not self._open[handle.owner]:
                del self._open[handle.owner]

    def _render(self, file: File, container: Container | None) -> bytes:
        if container is None:
            return self._world.host.read(file.path)
        try:
            text = file.view(Snapshot(self._world, container))
        except SourceError as error:
            if not self._world.identity.alive(container):
                raise ProcessLookupError(
                    errno.ESRCH, "the container is gone", f"/{file.path}"
                ) from error
            # The caller asked for a file that exists: whatever was missing below it, ENOENT or
            # EACCES would be an answer about the wrong file.
            raise OSError(errno.EIO, f"{error.strerror}: {error.filename}") from error
        except ValueError as error:
            raise OSError(errno.EIO, str(error), f"/{file.path}") from error
        return text

    def close(self) -> None:
        """Stop what runs in the background."""
        self._world.loads.close()


def _no_such(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
