"""A folder of this machine into which files of an instance are written.

Role: makes folders, files and links below one folder, each under a temporary name until it is
whole. Boundary: the local disk; whatever the names say, nothing is written anywhere but below that
folder: each step is taken from the descriptor of the one above, no link is followed, nothing that
is there is overwritten unless that was asked for. Threading: one thread.

Modes are the person's business: 0600 and 0700, or what the instance has, never setuid.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lxtui import format as text
from lxtui.errors import ConflictError, LxtuiError, OperationError
from lxtui.files.paths import name_trouble
from lxtui.files.tree import Route

FILE_MODE, FOLDER_MODE = 0o600, 0o700
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
"""A file system without hard links."""
_WORTH_A_SYNC = 1024 * 1024
"""Bytes from which on a file is on the disk before it has its name; thousands of small ones would
take minutes, and are as soon pulled again."""
_OF_THE_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
"""What another file system says of a name that it cannot have."""


class BadNameError(LxtuiError):
    """This one name cannot be had here; others can."""


class Here:
    """Writes below one folder."""

    def __init__(self, folder: Path, *, replace: bool = False) -> None:
        self._folder = folder
        self._replace = replace
        self._open: list[tuple[bytes, int]] = []
        """The folders on the way to where it writes, the first is *folder* itself."""

    def __enter__(self) -> Self:
        try:
            root = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OperationError(f"{self._folder}: {error.strerror}") from error
        self._open = [(b"", root)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._open:
            os.close(self._open.pop()[1])

    def need(self, name: bytes) -> None:
        """ConflictError when *name* is there and nothing is to be replaced."""
        if trouble := name_trouble(name):
            raise OperationError(f"{text.path(name)}: {trouble}")
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=self._open[0][1], follow_symlinks=False)
            if not self._replace:
                raise ConflictError(
                    f"{self._path((name,))} is there already: choose another place, or --force "
                    f"to replace it"
                )

    def room(self, size: int) -> None:
        """OperationError when *size* bytes do not fit."""
        free = os.fstatvfs(self._open[0][1])
        left = free.f_bavail * free.f_frsize
        if size > left:
            raise OperationError(
                f"{self._folder}: {text.size(size)} do not fit, {text.size(left)} are free"
            )

    def make_folder(self, route: Route, mode: int = FOLDER_MODE) -> None:
        """Make it; one that is there is taken as it is if something may be replaced."""
        with _Explained(self._path(route)):
            above = self._at(route)
            try:
                os.mkdir(route[-1], FOLDER_MODE, dir_fd=above)
            except FileExistsError:
                if not self._replace:
                    raise
                os.close(os.open(route[-1], _FOLDER, dir_fd=above))  # not a link, not a file
                return
            if mode != FOLDER_MODE:
                self._at((*route, b""))
                os.fchmod(self._open[-1][1], mode & 0o777 | 0o700)

    def write(
        self,
        route: Route,
        pieces: Iterable[bytes],
        mode: int = FILE_MODE,
        *,
        durable: bool = False,
    ) -> None:
        """Write a file; it has its name when it is whole, and *durable* on the disk."""
        with _Explained(self._path(route)):
            above, new = self._at(route), _temporary()
            file = os.open(new, _FRESH, FILE_MODE, dir_fd=above)
            try:
                try:
                    for piece in pieces:
                        view = memoryview(piece)
                        while view:
                            view = view[os.write(file, view) :]
                    if mode != FILE_MODE:
                        os.fchmod(file, mode & 0o777)
                    if durable or os.fstat(file).st_size >= _WORTH_A_SYNC:
                        os.fsync(file)
                finally:
                    os.close(file)
                self._name(new, route[-1], above)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=above)
            if durable:
                os.fsync(above)

    def link(self, route: Route, target: bytes) -> None:
        """Make a symbolic link that says *target*; nothing here goes through it."""
        with _Explained(self._path(route)):
            above, new = self._at(route), _temporary()
            os.symlink(target, new, dir_fd=above)
            try:
                self._name(new, route[-1], above)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=above)

    def _name(self, new: bytes, name: bytes, above: int) -> None:
        """Give it its name."""
        if self._replace:
            os.replace(new, name, src_dir_fd=above, dst_dir_fd=above)
            return
        try:
            os.link(new, name, src_dir_fd=above, dst_dir_fd=above, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Take the name first: who else wants it now fails, as we would.
            os.close(os.open(name, _FRESH, FILE_MODE, dir_fd=above))
            os.replace(new, name, src_dir_fd=above, dst_dir_fd=above)

    def _at(self, route: Route) -> int:
        """The descriptor of the folder that the last name of *route* is in."""
        if trouble := next(filter(None, map(name_trouble, filter(None, route))), ""):
            raise BadNameError(f"{text.path(b'/'.join(route))}: {trouble}")
        folders = route[:-1]
        known = tuple(name for name, _ in self._open[1:])
        same = 0
        for one, other in zip(known, folders, strict=False):
            if one != other:
                break
            same += 1
        while len(self._open) > same + 1:
            os.close(self._open.pop()[1])
        for name in folders[same:]:
            self._open.append((name, os.open(name, _FOLDER, dir_fd=self._open[-1][1])))
        return self._open[-1][1]

    def _path(self, route: Route) -> str:
        return text.path(b"/".join((os.fsencode(self._folder), *route)))


class _Explained:
    """What the disk says, as one sentence of ours."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in _OF_THE_NAME:
            raise BadNameError(f"{self._path}: {error.strerror}") from error
        if isinstance(error, FileExistsError):
            raise ConflictError(f"{self._path} is there already: --force replaces it") from error
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise OperationError(
                f"{self._path}: the disk is full: make room, then again"
            ) from error
        raise OperationError(f"{self._path}: {error.strerror or error}") from error


def _temporary() -> bytes:
    return f".lxtui-{secrets.token_hex(8)}.part".encode()


def is_folder(path: Path) -> bool:
    """Whether there is a folder, or a link to one."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
