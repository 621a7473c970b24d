"""The tree below ``cgroup/``: what each of its operations comes to.

Role: the part of the served tree that differs from caller to caller, and can be written to.
Boundary: paths and callers in, values and ``OSError`` out; knows no FUSE. Who sees what is known in
looking.py, who may change what in changes.py.
Threading: any number of threads; an open file is used under its handle's lock.
"""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from lxfs.cgroupfs import changes
from lxfs.cgroupfs.changes import Change, refused
from lxfs.cgroupfs.files import ControlFile, Table
from lxfs.cgroupfs.layout import DIRECTORIES, TOP
from lxfs.cgroupfs.looking import Caller, Found, Looking, no_such
from lxfs.cgroupfs.rendering import render
from lxfs.cgroupfs.rights import Rights, needs_none
from lxfs.entries import Directory, File
from lxfs.model import Container
from lxfs.world import World

SIZE = 4096
"""What every control file states. The kernel's state 0, which FUSE would take for an empty file."""

_READS = (os.O_RDONLY, os.O_RDWR)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """What stat(2) tells of a directory or a file."""

    mode: int
    size: int
    uid: int
    gid: int


def _entry(found: Found, looking: Looking) -> Entry:
    status = looking.attributes(found)
    size = SIZE if stat.S_ISREG(status.st_mode) else 0
    return Entry(status.st_mode, size, status.st_uid, status.st_gid)


class OpenFile:
    """An open control file: of which cgroup was settled when it was opened, and by whom.

    ``rights`` are those of who opened it for writing; ``None``: for reading only.
    """

    __slots__ = ("_cgroups", "caller", "inode", "path", "rights")

    def __init__(
        self, cgroups: "Cgroups", path: str, caller: Caller, inode: int, rights: Rights | None
    ) -> None:
        self._cgroups = cgroups
        self.path = path
        self.caller = caller
        self.inode = inode
        self.rights = rights

    def text(self) -> bytes:
        """Return what the file says now. Raises ENODEV when its cgroup is gone."""
        return self._cgroups.text(self)

    def write(self, data: bytes, pid: int) -> int:
        """Write to it for a process, which may be another than who opened it."""
        return self._cgroups.write(self, data, pid)

    def record(self) -> bytes:
        """Return what another process needs to go on with it; see ``Cgroups.adopted``."""
        rights = None if self.rights is None else self.rights.dump()
        said = [self.path, self.inode, dict(self.caller.roots), rights]
        return json.dumps(said).encode()


class Cgroups:
    """All that is below ``cgroup/``."""

    def __init__(self, world: World, table: Table, *, writable: bool) -> None:
        self._world = world
        self._table = table
        self._writable = writable
        self._looking = Looking(world, table)
        self.names = tuple(sorted(DIRECTORIES))

    def forget(self) -> None:
        """Let go of what is remembered of callers."""
        self._looking.forget()

    def find(self, path: str, pid: int) -> File | Directory:
        """Return what a path is for a caller. Raises ENOENT, ESRCH."""

        def question(found: Found) -> File | Directory:
            control = self._need(found)
            if control is None:
                return Directory()
            status = self._looking.attributes(found)
            mode = stat.S_IMODE(status.st_mode)
            return File(path[1:], lambda _: b"", mode=mode, size=SIZE)

        return self._ask(path, pid, question)

    def listing(self, path: str, pid: int) -> Mapping[str, int]:
        """Return the names in a directory with the type bits of modes. Raises as ``find``."""

        def question(found: Found) -> Mapping[str, int]:
            if self._need(found) is not None:
                raise refused(errno.ENOTDIR, path)
            return self._looking.names(found)

        return self._ask(path, pid, question, whole=True)

    def top(self, pid: int) -> Mapping[str, int]:
        """Return what a caller sees in ``cgroup/`` itself, as ``listing`` does; never fails."""
        listed: dict[str, int] = {}
        if self._looking.has_v2_on_top:
            with suppress(OSError):
                listed.update(self.listing(TOP, pid))
        return dict(sorted((listed | dict.fromkeys(self.names, stat.S_IFDIR)).items()))

    def attributes(self, path: str, pid: int) -> Entry:
        """Return what stat(2) tells a caller of a path. Raises as ``find``."""

        def question(found: Found) -> Entry:
            self._need(found)
            return _entry(found, self._looking)

        return self._ask(path, pid, question)

    def access(self, path: str, wanted: int, pid: int, uid: int | None) -> None:
        """Raise EACCES, or EROFS, where a caller may not what R_OK, W_OK and X_OK stand for."""

        def question(found: Found) -> None:
            control = self._need(found)
            if wanted & os.W_OK and not self._writable:
                raise refused(errno.EROFS, path)
            if control is not None and wanted & os.X_OK:
                raise refused(errno.EACCES, path)
            self._check(found, wanted, pid, uid)

        self._ask(path, pid, question)

    def opened(self, path: str, flags: int, pid: int, uid: int | None) -> tuple[OpenFile, Caller]:
        """Open a control file. Raises EISDIR, EACCES, EROFS, and as ``find``."""
        caller = self._looking.caller(pid)

        def question(found: Found) -> OpenFile:
            control = self._need(found)
            if control is None:
                raise refused(errno.EISDIR, path)
            mode = flags & os.O_ACCMODE
            wanted = (os.R_OK if mode in _READS else 0) | (os.W_OK if mode != os.O_RDONLY else 0)
            if wanted & os.W_OK and not self._writable:
                raise refused(errno.EROFS, path)
            rights = self._check(found, wanted, pid, uid)
            given = rights if wanted & os.W_OK else None
            return OpenFile(self, path, caller, found.group().inode or 0, given)

        return self._looking.ask(path, caller, question), caller

    def adopted(self, record: bytes, container: Container | None) -> OpenFile:
        """Return the open file that another process had, of what it put on record.

        Raises ``ValueError`` and ``TypeError`` for a record of another shape.
        """
        path, inode, roots, rights = json.loads(record)
        caller = Caller(0, container, {str(name): str(root) for name, root in roots.items()})
        given = None if rights is None else Rights.load(rights)
        return OpenFile(self, str(path), caller, int(inode), given)

    def text(self, file: OpenFile) -> bytes:
        """Return what an open file says now."""
        host = self._world.host
        return self._of(file, file.caller, lambda found: render(found, host))

    def write(self, file: OpenFile, data: bytes, pid: int) -> int:
        """Write to an open file."""
        rights = file.rights
        if rights is None:
            raise refused(errno.EBADF, file.path)
        if not self._writable:
            raise refused(errno.EROFS, file.path)
        # Whose numbers are written, and who is "0": the writer's; what may be, is the opener's.
        caller = Caller(pid, file.caller.container, file.caller.roots)
        host = self._world.host
        return self._of(
            file, caller, lambda found: changes.write(host, found, rights, data), whole=True
        )

    def _of(
        self,
        file: OpenFile,
        caller: Caller,
        question: Callable[[Found], _T],
        *,
        whole: bool = False,
    ) -> _T:
        is_there = False

        def asked(found: Found) -> _T:
            nonlocal is_there
            if found.control is None or found.group().inode != file.inode:
                raise refused(errno.ENODEV, file.path)
            is_there = True
            return question(found)

        try:
            return self._looking.ask(file.path, caller, asked, whole=whole)
        except FileNotFoundError as error:
            if is_there:
                raise  # the kernel's answer to what was written
            raise refused(errno.ENODEV, file.path) from error

    def make(self, path: str, mode: int, pid: int, uid: int | None, *, again: bool) -> Entry:
        """Make a cgroup and return what stat(2) tells of it. ``again``: it may be made already."""
        if not path.startswith(f"{TOP}/"):
            raise refused(errno.EROFS, path)
        above, _, name = path.rpartition("/")
        if above == TOP and name in DIRECTORIES:
            raise refused(errno.EEXIST, path)
        if above == TOP and not self._looking.has_v2_on_top:
            raise refused(errno.EACCES, path)
        caller = self._looking.caller(pid)

        def question(found: Found) -> None:
            if found.leads is not None:
                raise refused(errno.EEXIST, path) if name == found.leads else no_such(path)
            if self._need(found) is not None:
                raise refused(errno.ENOTDIR, path)
            if name in self._table.get(found.branch.name, {}):
                raise refused(errno.EEXIST, path)
            self._check_writable(path)
            changes.make(found, name, mode, self._looking.rights(pid, uid), again=again)

        self._looking.ask(above, caller, question, whole=True)
        return self.attributes(path, pid)

    def remove(self, path: str, pid: int, uid: int | None, *, again: bool) -> None:
        """Remove a cgroup. ``again``: it may be gone already."""

        def question(found: Found) -> None:
            if self._need(found) is not None:
                raise refused(errno.ENOTDIR, path)
            self._check_writable(path)
            changes.remove(found, self._looking.rights(pid, uid), again=again)

        try:
            self._ask(path, pid, question, whole=True)
        except FileNotFoundError:
            if not again:
                raise

    def change(self, path: str, wanted: Change, pid: int, uid: int | None) -> Entry:
        """Change owner and mode, and return what stat(2) tells then."""

        def question(found: Found) -> Entry:
            self._need(found)
            self._check_writable(path)
            if wanted != Change():
                rights = self._looking.rights(pid, uid)
                changes.change(found, rights, wanted, self._looking.kernels)
            return _entry(found, self._looking)

        return self._ask(path, pid, question, whole=True)

    def own_paths(self, pid: int, most: int) -> Iterator[str]:
        """Return the paths of all that a caller sees in so many directories, the nearest first.

        Also of files that a cgroup of that kind might have.
        """
        with suppress(OSError):
            caller = self._looking.caller(pid)
            left = [f"{TOP}/{name}" for name in self.names]
            left += [TOP] if self._looking.has_v2_on_top else []
            for path in left:
                with suppress(OSError):
                    below, files = self._looking.ask(
                        path,
                        caller,
                        lambda found: (
                            self._looking.below(found),
                            self._table.get(found.branch.name, {}),
                        ),
                    )
                    yield from (f"{path}/{name}" for name in (*below, *files))
                    left += [f"{path}/{name}" for name in below][: most - len(left)]

    def refuse(self, path: str, pid: int, number: int) -> OSError:
        """Return why something that no cgroup can do is not done in a directory of a caller's.

        ENOENT where the caller sees no such directory, else ``number``.
        """

        def question(found: Found) -> None:
            self._need(found)
            if found.leads is not None:
                raise no_such(path)

        try:
            self._ask(path, pid, question)
        except OSError as error:
            return error
        return refused(number if self._writable else errno.EROFS, path)

    def _ask(
        self, path: str, pid: int, question: Callable[[Found], _T], *, whole: bool = False
    ) -> _T:
        return self._looking.ask(path, self._looking.caller(pid), question, whole=whole)

    def _need(self, found: Found) -> ControlFile | None:
        """Return the control file that was found, if it is one. Raises ENOENT for one not there."""
        control = found.control
        if control is not None and not self._looking.exists(found, control):
            raise no_such(found.path)
        return control

    def _check(self, found: Found, wanted: int, pid: int, uid: int | None) -> Rights | None:
        """Raise EACCES where a caller may not; return its rights, unless nobody needs any."""
        if found.control is not None and found.control.takes is None and wanted & os.W_OK:
            raise refused(errno.EACCES, found.path)
        status = self._looking.attributes(found)
        if not wanted & os.W_OK and needs_none(wanted, status.st_mode):
            return None
        rights = self._looking.rights(pid, uid)
        if not rights.may(wanted, status):
            raise refused(errno.EACCES, found.path)
        return rights

    def _check_writable(self, path: str) -> None:
        if not self._writable:
            raise refused(errno.EROFS, path)
