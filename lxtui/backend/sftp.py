"""The files of an instance, running or not, through its daemon.

Role: speaks SFTP, version 3, over a connection that the daemon has turned over to its file server
(``GET /1.0/instances/NAME/sftp``). Owners are numbers inside the instance, not on the host.
Boundary: knows Remote and requests, not pylxd; every name is bytes, as the kernel has them, and
what the container chose is only ever handed on. Threading: a ``Files`` belongs to one thread at a
time.

Source: the daemons' REST API documentation for the upgrade; sftp_wire.py for the rest.
"""

from __future__ import annotations

import hashlib
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import quote, urlsplit

from lxtui import format as text
from lxtui.backend import sftp_wire as wire
from lxtui.backend.failures import unreachable
from lxtui.backend.sftp_session import (
    AHEAD,
    DATA,
    HANDLE,
    NAME,
    STATUS,
    Answer,
    Session,
)
from lxtui.backend.sftp_session import EOF as END
from lxtui.backend.tls import connected
from lxtui.errors import (
    HostUnreachableError,
    LxtuiError,
    NoSuchFileError,
    OperationError,
    ReadOnlyError,
)
from lxtui.model import FileEntry, Ref, Remote

_OPEN, _CLOSE, _READ, _WRITE, _LSTAT, _FSTAT, _SETSTAT, _FSETSTAT = 3, 4, 5, 6, 7, 8, 9, 10
_OPENDIR, _READDIR, _REMOVE, _MKDIR, _RMDIR, _STAT, _RENAME = 11, 12, 13, 14, 15, 17, 18
_READLINK, _SYMLINK, _EXTENDED = 19, 20, 200
_FOR_READING, _FOR_NEW = 1, 2 | 8 | 32
"""Flags of opening: read; write, create, fail when it is there."""
_POSIX_RENAME, _HARDLINK = b"posix-rename@openssh.com", b"hardlink@openssh.com"
_STATVFS = b"statvfs@openssh.com"
CHUNK = 32 * 1024
"""The most that the servers give in one answer."""
_SECONDS = 30.0
"""For one answer, as of the REST API: an instance that lies still for a look waits with us."""
_NEW_MODE = 0o600
_EXTENDED_REPLY = 201
_STATVFS_REPLY = struct.Struct(">5Q")
"""Block size, fragment size, blocks, free, free for those who are not root; more follows."""
_READING = struct.pack(">II", _FOR_READING, 0)


class Files:
    """The files of one instance."""

    def __init__(self, host: str, stream: socket.socket, *, read_only: bool = False) -> None:
        self._host = host
        self._read_only = read_only
        self._session = Session(host, stream)

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """Everything in *folder*, links not followed; cut short beyond *most* (0: never)."""
        session = self._session
        handle = session.handle(session.ask(_OPENDIR, wire.string(folder)), folder)
        found: list[FileEntry] = []
        while not most or len(found) <= most:
            kind, body = session.answer(session.ask(_READDIR, wire.string(handle)))
            if kind == STATUS:
                session.check(body, folder, END)
                break
            found += wire.names(body)
        session.answer(session.ask(_CLOSE, wire.string(handle)))
        return [one for one in found if one.name not in {b".", b".."} and b"/" not in one.name]

    def links(self, paths: Sequence[bytes]) -> list[bytes]:
        """Where each symbolic link points to."""
        answers = self._session.all(_READLINK, [wire.string(path) for path in paths])
        found = []
        for path, (kind, body) in zip(paths, answers, strict=True):
            if kind != NAME:
                self._session.check(body, path)
            found.append(wire.names(body, with_attributes=False)[0].name)
        return found

    def set_times(self, paths: Sequence[bytes], seconds: int) -> None:
        """Say that each was last read and written at *seconds* since 1970."""
        self._writable()
        bodies = [wire.string(path) + wire.times(seconds) for path in paths]
        for path, (_, body) in zip(paths, self._session.all(_SETSTAT, bodies), strict=True):
            self._session.check(body, path)

    def digests(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """SHA-256 of each file's content, of the size that it is said to have."""
        session = self._session
        opened = session.all(_OPEN, [wire.string(path) + _READING for path, _ in files])
        handles = [
            session.handle_of(answer, path) for (path, _), answer in zip(files, opened, strict=True)
        ]
        sums = [hashlib.sha256() for _ in files]
        waiting: deque[tuple[int, int, int, int]] = deque()

        def take() -> None:
            number, which, offset, length = waiting.popleft()
            data = session.data(number, files[which][0])
            sums[which].update(data)
            while data and len(data) < length:  # the server may give less than it was asked for
                offset, length = offset + len(data), length - len(data)
                data = session.data(self._read(handles[which], offset, length), files[which][0])
                sums[which].update(data)

        for which, (_, size) in enumerate(files):
            for offset in range(0, size, CHUNK):
                length = min(CHUNK, size - offset)
                number = self._read(handles[which], offset, length)
                waiting.append((number, which, offset, length))
                if len(waiting) >= AHEAD:
                    take()
        while waiting:
            take()
        session.all(_CLOSE, [wire.string(handle) for handle in handles])
        return [one.digest() for one in sums]

    def heads(self, paths: Sequence[bytes], most: int) -> list[bytes]:
        """The first *most* bytes (at most 32 KiB) of each; empty for what cannot be read."""
        return [body for _, body in self._firsts(paths, most)]

    def small(self, paths: Sequence[bytes]) -> list[tuple[FileEntry, bytes] | OperationError]:
        """What each regular file was when it was opened, and its first 32 KiB."""
        found: list[tuple[FileEntry, bytes] | OperationError] = []
        for path, (answer, body) in zip(
            paths, self._firsts(paths, CHUNK, attributes=True), strict=True
        ):
            try:
                found.append((self._session.attributes_of(answer, path), body))
            except OperationError as error:
                found.append(error)
        return found

    def _firsts(
        self, paths: Sequence[bytes], most: int, *, attributes: bool = False
    ) -> list[tuple[Answer, bytes]]:
        """Of each what was said of it, or why it was not opened, and its first bytes."""
        session = self._session
        opened = session.all(_OPEN, [wire.string(path) + _READING for path in paths])
        handles = [
            wire.take_string(body, 0)[0] if kind == HANDLE else None for kind, body in opened
        ]
        there = [wire.string(one) for one in handles if one is not None]
        stats = iter(session.all(_FSTAT, there) if attributes else opened)
        asked = wire.LONG.pack(0) + wire.NUMBER.pack(min(most, CHUNK))
        reads = iter(session.all(_READ, [one + asked for one in there]))
        found: list[tuple[Answer, bytes]] = []
        for answer, one in zip(opened, handles, strict=True):
            if one is None:
                found.append((answer, b""))
                continue
            kind, body = next(reads)
            data = wire.take_string(body, 0)[0][:most] if kind == DATA else b""
            found.append((next(stats), data))
        session.all(_CLOSE, there)
        return found

    def look(self, path: bytes, *, follow: bool = False) -> FileEntry | None:
        """What *path* is; None when there is nothing. Links are followed inside the instance."""
        kind = _STAT if follow else _LSTAT
        try:
            return self._session.attributes(self._session.ask(kind, wire.string(path)), path)
        except NoSuchFileError:
            return None

    @contextmanager
    def opened(self, path: bytes) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """What a file was when it was opened, and its bytes until there are no more."""
        session = self._session
        handle = session.handle(session.ask(_OPEN, wire.string(path) + _READING), path)
        try:
            entry = session.attributes(session.ask(_FSTAT, wire.string(handle)), path)
            yield entry, self._chunks(handle, path)
        finally:
            with suppress(LxtuiError):
                session.answer(session.ask(_CLOSE, wire.string(handle)))

    def _chunks(self, handle: bytes, path: bytes) -> Iterator[bytes]:
        """The content in its order; what is asked for ahead may lie beyond the end."""
        session, waiting, offset = self._session, deque[tuple[int, int]](), 0
        ahead = 1  # most files are small: ask for more as more comes
        while True:
            while len(waiting) < ahead:
                waiting.append((self._read(handle, offset, CHUNK), offset))
                offset += CHUNK
            number, begin = waiting.popleft()
            data = session.data(number, path)
            if not data:
                break
            yield data
            if len(data) < CHUNK:  # less than was asked for: the rest of it, then what comes after
                for late, _ in waiting:
                    session.answer(late)
                waiting.clear()
                offset = begin + len(data)
            ahead = min(2 * ahead, AHEAD)
        for late, _ in waiting:
            session.answer(late)

    def create(self, path: bytes, data: Iterable[bytes], mode: int, uid: int, gid: int) -> None:
        """Write a new file, which nobody else may read before it is whole.

        OperationError when there is one of that name; what was written stays when it fails.
        """
        self._writable()
        session = self._session
        how = wire.NUMBER.pack(_FOR_NEW) + wire.permissions(_NEW_MODE)
        handle = session.handle(session.ask(_OPEN, wire.string(path) + how), path)
        its = wire.string(handle)
        try:
            session.done(_FSETSTAT, its + wire.permissions(_NEW_MODE), path)
            session.done(_FSETSTAT, its + wire.owner(uid, gid), path)
            waiting, offset = deque[int](), 0
            for block in data:
                for begin in range(0, len(block), CHUNK):
                    piece = block[begin : begin + CHUNK]
                    body = its + wire.LONG.pack(offset) + wire.string(piece)
                    waiting.append(session.ask(_WRITE, body))
                    offset += len(piece)
                    if len(waiting) >= AHEAD:
                        session.check(session.answer(waiting.popleft())[1], path)
            while waiting:
                session.check(session.answer(waiting.popleft())[1], path)
            # Last: writing takes setuid away, as a new owner does.
            session.done(_FSETSTAT, its + wire.permissions(mode), path)
        except BaseException:
            with suppress(LxtuiError):
                session.answer(session.ask(_CLOSE, its))
            raise
        session.done(_CLOSE, its, path)

    def make_folder(self, path: bytes, mode: int, uid: int, gid: int) -> None:
        """Make a folder; OperationError when there is something of that name."""
        self._writable()
        its, session = wire.string(path), self._session
        session.done(_MKDIR, its + wire.permissions(mode), path)
        session.done(_SETSTAT, its + wire.owner(uid, gid), path)
        session.done(_SETSTAT, its + wire.permissions(mode), path)

    def make_link(self, path: bytes, target: bytes) -> None:
        """Make a symbolic link that says *target*."""
        self._writable()
        self._session.done(_SYMLINK, wire.string(target) + wire.string(path), path)

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        """Give *old* the name *new*; without *replace*, OperationError when there is one."""
        self._writable()
        session, both = self._session, wire.string(old) + wire.string(new)
        if replace:
            if _POSIX_RENAME in session.extensions:
                session.done(_EXTENDED, wire.string(_POSIX_RENAME) + both, new)
            else:
                session.done(_RENAME, both, new)
            return
        if _HARDLINK in session.extensions:  # which takes no name that is taken meanwhile
            with suppress(OperationError):
                session.done(_EXTENDED, wire.string(_HARDLINK) + both, new)
                session.done(_REMOVE, wire.string(old), old)
                return
        if self.look(new) is not None:
            raise OperationError(f"{self._host}: {text.path(new)} exists already")
        session.done(_RENAME, both, new)

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""
        self._writable()
        self._session.done(_REMOVE, wire.string(path), path)

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder."""
        self._writable()
        self._session.done(_RMDIR, wire.string(path), path)

    def room(self, path: bytes) -> int | None:
        """Bytes that can still be written below *path*; None where that is not told."""
        session = self._session
        if _STATVFS not in session.extensions:
            return None
        asked = wire.string(_STATVFS) + wire.string(path)
        kind, body = session.answer(session.ask(_EXTENDED, asked))
        if kind != _EXTENDED_REPLY or len(body) < _STATVFS_REPLY.size:
            return None
        _, fragment, _, _, free = _STATVFS_REPLY.unpack_from(body)
        return int(fragment * free)

    def close(self) -> None:
        """Let go of the connection, and with it of the instance's disk."""
        self._session.close()

    def _read(self, handle: bytes, offset: int, length: int) -> int:
        where = wire.LONG.pack(offset) + wire.NUMBER.pack(length)
        return self._session.ask(_READ, wire.string(handle) + where)

    def _writable(self) -> None:
        if self._read_only:
            raise ReadOnlyError(self._host)


@contextmanager
def open_files(remote: Remote, ref: Ref) -> Iterator[Files]:
    """The files of *ref*; HostUnreachableError or OperationError when there is no way to them."""
    try:
        stream = connected(remote)
    except OSError as error:
        raise unreachable(remote, str(error)) from error
    with stream:
        stream.settimeout(_SECONDS)
        try:
            _upgrade(remote, ref, stream)
        except OSError as error:
            raise HostUnreachableError(f"{remote.name}: no file server: {error}") from error
        files = Files(remote.name, stream, read_only=remote.read_only)
        yield files


def _upgrade(remote: Remote, ref: Ref, stream: socket.socket) -> None:
    """Ask the daemon to turn the connection over."""
    authority = "localhost" if remote.is_socket else urlsplit(remote.address).netloc
    path = f"/1.0/instances/{quote(ref.name, safe='')}/sftp?project={quote(ref.project, safe='')}"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: sftp\r\n\r\n"
    )
    stream.sendall(request.encode())
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)  # what follows the head is SFTP's
        if not byte or len(head) > CHUNK:
            break
        head += byte
    status = head.split(b" ", 2)[1:2]
    if status != [b"101"]:
        code = status[0].decode(errors="replace") if status else "nothing"
        raise OperationError(
            f"{remote.name}: does not let the files of {ref} be read through SFTP ({code})"
        )
