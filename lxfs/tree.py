"""The served tree: directories, attributes, open files.

Role: who opened what, and the text that goes with it; the table says what there is.
Boundary: raises ``OSError`` and knows no FUSE; drivers translate.
Longer than others, as each operation is here once, whatever part of the tree it is on.
Threading: any number of threads at once; the handles are behind a lock, a handle behind its own.
"""

import errno
import os
import stat as stat_module
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from lxfs.cgroupfs.changes import Change
from lxfs.cgroupfs.layout import TOP
from lxfs.cgroupfs.serving import Cgroups
from lxfs.entries import Directory, File, Link, listings, may_read
from lxfs.handle import Attributes, Handle
from lxfs.mirror import Mirror
from lxfs.model import Container, GoneError, SourceError, UncountedError
from lxfs.sources.host import Host
from lxfs.table import FILES, MIRRORS
from lxfs.world import Snapshot, World

_T = TypeVar("_T")

_CGROUPS = f"{TOP}/"
_REAP_SECONDS = 30.0
_MAX_HANDLES = 4096
"""Files that the containers of one pid namespace may have open."""
_MAX_KEPT = 64 << 20
"""Bytes of texts kept between reads, for all. When they are used up by readers that stop half-way,
a file read in small pieces is rendered for each piece, and no longer one moment."""


class Tree:
    """The served tree, callable from many threads."""

    def __init__(
        self,
        world: World,
        files: tuple[File, ...] = FILES,
        mirrors: tuple[Mirror, ...] = MIRRORS,
        cgroups: Cgroups | None = None,
    ) -> None:
        self._world = world
        self._cgroups = cgroups
        self._everybodys: frozenset[str] = frozenset()
        # A mirror of what this host does not have would be empty, and hide a container's own.
        self._mirrors = {
            f"/{mirror.path}": mirror for mirror in mirrors if world.host.mode(mirror.path)
        }
        # What is the same for every caller: the files of the table, and all directories above.
        paths = {f"/{file.path}": file for file in files}
        self._listings = listings(paths, self._mirrors)
        if cgroups is not None:
            # Each has an own cgroup in each of them; what is below is for nobody the same.
            self._listings[TOP] = dict.fromkeys(cgroups.names, stat_module.S_IFDIR)
            self._everybodys = frozenset(f"{_CGROUPS}{name}" for name in cgroups.names)
            above = self._listings["/"] | {TOP[1:]: stat_module.S_IFDIR}
            self._listings["/"] = dict(sorted(above.items()))
        self._fixed: dict[str, File | Directory] = {
            **{
                path: Directory(links=2 + list(names.values()).count(stat_module.S_IFDIR))
                for path, names in self._listings.items()
            },
            **dict.fromkeys(self._mirrors, Directory()),
            **paths,
        }
        self._lock = threading.Lock()
        self._handles: dict[int, Handle] = {}
        self._open: Counter[tuple[int, int] | None] = Counter()
        self._next = 1
        self._kept = 0
        self._reaped = time.monotonic()

    def find(self, path: str, pid: int = 0) -> File | Directory | Link:
        """Return what a path is for a caller.

        The kernel keeps a name that it has looked up for one container and uses it for all: every
        operation has to ask again whether this caller sees it. Raises ENOENT, for what is not
        there and for what the caller does not see; below a mirrored directory also ESRCH (caller
        unknown or gone) and EIO.
        """
        if (fixed := self._fixed.get(path)) is not None:
            return fixed
        if (cgroups := self._of_cgroups(path)) is not None:
            return cgroups.find(path, pid)
        return self._ask(path, partial(self._container, path, pid), Mirror.find)

    def _of_cgroups(self, path: str) -> Cgroups | None:
        """Return the cgroups, for one of their directories and what is below."""
        if path in self._fixed or not path.startswith(_CGROUPS):
            return None
        return self._cgroups

    def is_each_callers(self, path: str) -> bool:
        """Return whether a path may be there for one caller and mean nothing to the next.

        What is in the table or mirrored means the same to all who see it. The directories right
        below ``cgroup/`` are there for everybody, and what a container may have mounted.
        """
        return path not in self._everybodys and self._of_cgroups(path) is not None

    def has_callers_own(self, directory: str) -> bool:
        """Return whether all that is in a directory is so."""
        return directory in self._everybodys or self.is_each_callers(directory)

    def callers_own(self, pid: int, most: int) -> Iterator[str]:
        """Return such paths, of up to so many directories of a caller's."""
        return iter(()) if self._cgroups is None else self._cgroups.own_paths(pid, most)

    def caller(self, pid: int) -> Container | None:
        """Return whose paths those are: all processes of a container see the same."""
        return self._container("", pid)

    def listing(self, path: str, pid: int = 0) -> Mapping[str, int]:
        """Return what a caller sees in a directory, sorted: names, with the type bits of modes.

        Raises ENOTDIR, and as ``find`` does.
        """
        if path == TOP and self._cgroups is not None:
            return self._cgroups.top(pid)
        if (fixed := self._listings.get(path)) is not None:
            return fixed
        if isinstance(self._fixed.get(path), File):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if (cgroups := self._of_cgroups(path)) is not None:
            return cgroups.listing(path, pid)
        return self._ask(path, partial(self._container, path, pid), Mirror.names)

    def _ask(
        self,
        path: str,
        whose: Callable[[], Container | None],
        question: Callable[[Mirror, Host, str, Snapshot | None], _T],
    ) -> _T:
        """Return what the mirror that a path belongs to answers a caller."""
        top = next((top for top in self._mirrors if f"{path}/".startswith(f"{top}/")), None)
        if top is None:
            raise _no_such(path)
        container = whose()
        now = None if container is None else Snapshot(self._world, container)
        try:
            return question(self._mirrors[top], self._world.host, path[len(top) + 1 :], now)
        except (SourceError, ValueError) as error:
            raise self._failure(container, path, error) from error

    def readlink(self, path: str, pid: int = 0) -> str:
        """Return what a symbolic link says. Raises EINVAL for anything else, and as ``find``."""
        found = self.find(path, pid)
        if not isinstance(found, Link):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return found.target

    def attributes(self, path: str, pid: int = 0, uid: int | None = None) -> Attributes:
        """Return the attributes of a file, directory or link for a caller. Raises as ``find`` does.

        The size is that of the text the caller would read now. The kernel states 0 in procfs,
        but for a FUSE file of size 0 it ends sendfile(2) before asking us, and busybox's cat with
        it. Files that remember state the length of the host's; mounting a container's files must
        not begin its history. A caller that could read nothing is told 1. Files of sysfs all state
        the same size, as the kernel's do.
        """
        if (cgroups := self._of_cgroups(path)) is not None:
            entry = cgroups.attributes(path, pid)
            return Attributes(entry.mode, entry.size, 1, entry.uid, entry.gid)
        found = self.find(path, pid)
        if isinstance(found, Directory):
            return Attributes(stat_module.S_IFDIR | 0o555, 0, found.links)
        if isinstance(found, Link):
            return Attributes(stat_module.S_IFLNK | 0o777, 0, 1)
        return Attributes(stat_module.S_IFREG | found.mode, self._size(found, pid, uid), 1)

    def access(self, path: str, wanted: int, pid: int, uid: int | None = None) -> None:
        """Raise where a caller may not what R_OK, W_OK and X_OK stand for, or does not see a path.

        EROFS for writing to anything that is no cgroup. The kernel asks for access(2) and chdir(2)
        alone, and has nobody else to ask: without this a name that it knows from one container
        would be there for all.
        """
        if (cgroups := self._of_cgroups(path)) is not None:
            return cgroups.access(path, wanted, pid, uid)
        found = self.find(path, pid)
        if wanted & os.W_OK:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        unreadable = wanted & os.R_OK and isinstance(found, File) and not may_read(found, uid)
        if unreadable or (wanted & os.X_OK and isinstance(found, File)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return None

    def make(
        self, path: str, mode: int, pid: int, uid: int | None = None, *, again: bool = False
    ) -> Attributes:
        """Make a directory, which is a cgroup, and return its attributes.

        ``again``: this very request may have been carried out already. Raises EROFS elsewhere.
        """
        if (cgroups := self._of_cgroups(path)) is None:
            raise self.refused(path, pid)
        entry = cgroups.make(path, mode, pid, uid, again=again)
        return Attributes(entry.mode, entry.size, 1, entry.uid, entry.gid)

    def remove(self, path: str, pid: int, uid: int | None = None, *, again: bool = False) -> None:
        """Remove such a directory. Raises as ``make`` does, and as rmdir(2) of a cgroup."""
        if (cgroups := self._of_cgroups(path)) is None:
            raise self.refused(path, pid)
        cgroups.remove(path, pid, uid, again=again)

    def change(self, path: str, wanted: Change, pid: int, uid: int | None = None) -> Attributes:
        """Change owner or mode, and return the attributes; of what is no cgroup's raise EROFS."""
        if (cgroups := self._of_cgroups(path)) is None:
            raise self.refused(path, pid)
        entry = cgroups.change(path, wanted, pid, uid)
        return Attributes(entry.mode, entry.size, 1, entry.uid, entry.gid)

    def write(self, handle: Handle, data: bytes, pid: int) -> int:
        """Write to an open control file, and return how much was. Raises EBADF elsewhere."""
        if handle.control is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), handle.path)
        # Not under the lock: a write may last as long as a container likes, and readers would wait.
        written = handle.control.write(data, pid)
        with handle.lock:
            self._keep(handle, None)
        return written

    def refused(self, path: str, pid: int, number: int = errno.EROFS) -> OSError:
        """Return why a change is refused that no cgroup can undergo: EROFS outside of these.

        Within them it is ``number``, and ENOENT for a caller that does not see the path.
        """
        if (cgroups := self._of_cgroups(path)) is not None:
            return cgroups.refuse(path, pid, number)
        return OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    def _size(self, file: File, pid: int, uid: int | None) -> int:
        if file.size is not None:
            return file.size
        if not may_read(file, uid):
            return 1
        try:
            container = None if file.remembers else self._world.identity.container(pid)
            return len(self._render(file, container))
        except OSError:
            return 1

    def open(self, path: str, flags: int, pid: int, uid: int | None = None) -> int:
        """Return the number of a handle that ``opened`` made. Raises as it does."""
        handle = self.opened(path, flags, pid, uid)
        with self._lock:
            number = self._next
            self._next += 1
            self._handles[number] = handle
        return number

    def read(self, number: int, size: int, offset: int) -> bytes:
        """Return what ``part`` does of the handle of a number. Raises EBADF, and as it does."""
        with self._lock:
            handle = self._handles.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.part(handle, size, offset)

    def write_to(self, number: int, data: bytes, pid: int) -> int:
        """Return what ``write`` does to the handle of a number. Raises EBADF, and as it does."""
        with self._lock:
            handle = self._handles.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.write(handle, data, pid)

    def release(self, number: int) -> None:
        """Forget the handle of a number."""
        with self._lock:
            handle = self._handles.pop(number, None)
        if handle is not None:
            self.closed(handle)

    def opened(self, path: str, flags: int, pid: int, uid: int | None = None) -> Handle:
        """Return a handle for a caller, whose container is settled here and now.

        A descriptor handed to another container goes on showing the opener's numbers, as a
        descriptor of any other file would. ``uid`` is the caller's as the host's user namespace
        numbers it. Raises ENOENT, EISDIR, EROFS (for writing), EACCES (a file that is not for this
        user), ESRCH (caller unknown), ENFILE (too many open by this container).
        """
        if (cgroups := self._of_cgroups(path)) is not None:
            control, caller = cgroups.opened(path, flags, pid, uid)
            return self._counted(Handle(path, None, caller.container, control))
        file = self.find(path, pid)
        if isinstance(file, Directory):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if isinstance(file, Link):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        if not may_read(file, uid):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return self._counted(Handle(path, file, self._container(path, pid)))

    def _counted(self, handle: Handle) -> Handle:
        """Return a handle that its container may have. Raises ENFILE."""
        with self._lock:
            if handle.owner is not None and self._open[handle.owner] >= _MAX_HANDLES:
                raise OSError(errno.ENFILE, os.strerror(errno.ENFILE), handle.path)
            self._open[handle.owner] += 1
            waited = time.monotonic() - self._reaped
            due = waited >= _REAP_SECONDS or self._world.identity.is_crowded
            if due:
                self._reaped = time.monotonic()
        if due:
            self._world.reap()
            if self._cgroups is not None:
                self._cgroups.forget()
        return handle

    def adopted(
        self,
        path: str,
        container: Container | None,
        end: int | None,
        text: bytes | None,
        control: bytes | None = None,
    ) -> Handle:
        """Return the handle that another process had made for a container, as its reads left it.

        Its ``path`` was settled there, and is not asked about again until it is read. ``control``
        is the record of an open control file. Raises ``ValueError`` and ``TypeError`` for one of
        another shape.
        """
        file = self._fixed.get(path)
        opened = None
        if control is not None and self._cgroups is not None:
            opened = self._cgroups.adopted(control, container)
            path = opened.path
        handle = Handle(path, file if isinstance(file, File) else None, container, opened)
        with self._lock:
            self._open[handle.owner] += 1
        if text is not None:
            self._keep(handle, text)
        handle.end = end
        return handle

    def part(self, handle: Handle, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``; at offset 0 the file is rendered anew.

        Later offsets come from the same text: a file read through is one snapshot. Raises EIO or
        ESRCH when the container's numbers cannot be had.
        """
        with handle.lock:
            text = handle.text
            if offset == 0 or text is None:
                if offset and handle.end is not None and offset >= handle.end:
                    return b""
                if (control := handle.control) is not None:
                    text = control.text()
                else:
                    text = self._render(self._file(handle), handle.container)
                self._keep(handle, text)
                handle.end = len(text)
            part = text[offset : offset + size]
            if not part:
                self._keep(handle, None)
            return part

    def _file(self, handle: Handle) -> File:
        if handle.file is None:
            found = self._ask(handle.path, lambda: handle.container, Mirror.find)
            if not isinstance(found, File):
                raise _no_such(handle.path)
            handle.file = found
        return handle.file

    def _keep(self, handle: Handle, text: bytes | None) -> None:
        """Keep a handle's text for its next reads, if there is room for it, or let it go."""
        with self._lock:
            self._kept -= len(handle.text or b"")
            if text is not None and self._kept + len(text) > _MAX_KEPT:
                text = None
            handle.text = text
            self._kept += len(text or b"")

    def closed(self, handle: Handle) -> None:
        """Forget a handle, which is not to be used again."""
        with self._lock:
            self._kept -= len(handle.text or b"")
            handle.text = None
            self._open[handle.owner] -= 1
            if not self._open[handle.owner]:
                del self._open[handle.owner]

    def _render(self, file: File, container: Container | None) -> bytes:
        if container is None:
            return self._world.host.read(file.path)
        path = f"/{file.path}"
        try:
            return self._world.show(container, file.view)
        except (SourceError, ValueError) as error:
            raise self._failure(container, path, error) from error

    def _container(self, path: str, pid: int) -> Container | None:
        try:
            return self._world.identity.container(pid)
        except SourceError as error:
            # Whatever failed on the way, the file is there and may be read: it is the caller who
            # cannot be placed, and ENOENT or EACCES would say otherwise.
            raise ProcessLookupError(
                errno.ESRCH, f"caller {pid}: {error.strerror}", path
            ) from error

    def _failure(
        self, container: Container | None, path: str, error: SourceError | ValueError
    ) -> OSError:
        """Return what a caller is told when the figures for a path could not be had."""
        if not isinstance(error, SourceError):
            return OSError(errno.EIO, str(error), path)
        is_gone = isinstance(error, GoneError)
        if is_gone or (container is not None and not self._world.identity.inhabited(container)):
            return ProcessLookupError(errno.ESRCH, "the container is gone", path)
        if isinstance(error, UncountedError):
            return OSError(error.errno, error.strerror, path)
        # The caller asked for a file that exists: whatever was missing below it, ENOENT or
        # EACCES would be an answer about the wrong file.
        return OSError(errno.EIO, f"{error.strerror}: {error.filename}")

    def close(self) -> None:
        """Stop what runs in the background."""
        self._world.loads.close()


def _no_such(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
