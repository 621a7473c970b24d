"""The files of an instance, running or not, through its daemon.

Role: speaks SFTP, version 3, over a connection that the daemon has turned over to its file server
(``GET /1.0/instances/NAME/sftp``). Owners are numbers inside the instance, not on the host.
Boundary: knows Remote and the wire format, not pylxd; every name is bytes, as the kernel has them,
and what the container chose is only ever compared. Threading: a ``Files`` belongs to one thread at
a time.

Source of the format: draft-ietf-secsh-filexfer-02, with the daemons' REST API documentation for
the upgrade. Requests are sent ahead of their answers, or every file would cost three round trips.
"""

from __future__ import annotations

import hashlib
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from lxtui import format as text
from lxtui.backend.failures import unreachable
from lxtui.backend.tls import connected
from lxtui.errors import HostUnreachableError, OperationError, ReadOnlyError
from lxtui.model import FileEntry, Ref, Remote

_INIT, _OPEN, _CLOSE, _READ, _SETSTAT, _OPENDIR, _READDIR, _READLINK = 1, 3, 4, 5, 9, 11, 12, 19
_STATUS, _HANDLE, _DATA, _NAME = 101, 102, 103, 104
_OK, _EOF = 0, 1
_VERSION = 3
_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 1, 2, 4, 8, 0x80000000
_READ_FLAG = 1
_CHUNK = 32 * 1024
"""The most that the servers give in one answer."""
_AHEAD = 32
"""Requests that may be on their way at once."""
_SECONDS = 30.0
"""For one answer, as of the REST API: an instance that lies still for a look waits with us."""
_LONGEST = 1024 * 1024

_NUMBER = struct.Struct(">I")
_LONG = struct.Struct(">Q")


class Files:
    """The files of one instance."""

    def __init__(self, host: str, stream: socket.socket, *, read_only: bool = False) -> None:
        self._host = host
        self._read_only = read_only
        self._stream = stream
        self._buffer = bytearray()
        self._next = 0
        self._early: dict[int, bytes] = {}
        """Answers that came before they were waited for."""
        self._send(_INIT, _NUMBER.pack(_VERSION))
        self._packet()

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """Everything in *folder*, links not followed; cut short beyond *most* (0: never)."""
        handle = self._handle(self._ask(_OPENDIR, _string(folder)), folder)
        found: list[FileEntry] = []
        while not most or len(found) <= most:
            kind, body = self._answer(self._ask(_READDIR, _string(handle)))
            if kind == _STATUS:
                self._check(body, folder, _EOF)
                break
            found += _names(body)
        self._answer(self._ask(_CLOSE, _string(handle)))
        return [one for one in found if one.name not in {b".", b".."} and b"/" not in one.name]

    def links(self, paths: Sequence[bytes]) -> list[bytes]:
        """Where each symbolic link points to."""
        answers = self._all(_READLINK, [_string(path) for path in paths])
        found = []
        for path, (kind, body) in zip(paths, answers, strict=True):
            if kind != _NAME:
                self._check(body, path)
            found.append(_names(body, attributes=False)[0].name)
        return found

    def set_times(self, paths: Sequence[bytes], seconds: int) -> None:
        """Say that each was last read and written at *seconds* since 1970."""
        if self._read_only:
            raise ReadOnlyError(self._host)
        times = _NUMBER.pack(_HAS_TIMES) + _NUMBER.pack(seconds) * 2
        answers = self._all(_SETSTAT, [_string(path) + times for path in paths])
        for path, (_, body) in zip(paths, answers, strict=True):
            self._check(body, path)

    def digests(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """SHA-256 of each file's content, of the size that it is said to have."""
        wanted = [_string(path) + struct.pack(">II", _READ_FLAG, 0) for path, _ in files]
        opened = self._all(_OPEN, wanted)
        handles = [
            self._handle_of(kind, body, path)
            for (path, _), (kind, body) in zip(files, opened, strict=True)
        ]
        sums = [hashlib.sha256() for _ in files]
        waiting: deque[tuple[int, int, int, int]] = deque()

        def take() -> None:
            number, which, offset, length = waiting.popleft()
            data = self._data(number, files[which][0])
            sums[which].update(data)
            while data and len(data) < length:  # the server may give less than it was asked for
                offset, length = offset + len(data), length - len(data)
                data = self._data(self._read(handles[which], offset, length), files[which][0])
                sums[which].update(data)

        for which, (_, size) in enumerate(files):
            for offset in range(0, size, _CHUNK):
                length = min(_CHUNK, size - offset)
                number = self._read(handles[which], offset, length)
                waiting.append((number, which, offset, length))
                if len(waiting) >= _AHEAD:
                    take()
        while waiting:
            take()
        self._all(_CLOSE, [_string(handle) for handle in handles])
        return [one.digest() for one in sums]

    def heads(self, paths: Sequence[bytes], most: int) -> list[bytes]:
        """The first *most* bytes (at most 32 KiB) of each; empty for what cannot be read."""
        wanted = [_string(path) + struct.pack(">II", _READ_FLAG, 0) for path in paths]
        opened = self._all(_OPEN, wanted)
        handles = [_take_string(body, 0)[0] if kind == _HANDLE else None for kind, body in opened]
        reads = [
            _string(one) + _LONG.pack(0) + _NUMBER.pack(min(most, _CHUNK))
            for one in handles
            if one is not None
        ]
        answers = iter(self._all(_READ, reads))
        found = []
        for one in handles:
            kind, body = (_STATUS, b"") if one is None else next(answers)
            found.append(_take_string(body, 0)[0][:most] if kind == _DATA else b"")
        self._all(_CLOSE, [_string(one) for one in handles if one is not None])
        return found

    def close(self) -> None:
        """Let go of the connection, and with it of the instance's disk."""
        self._stream.close()

    def _read(self, handle: bytes, offset: int, length: int) -> int:
        return self._ask(_READ, _string(handle) + _LONG.pack(offset) + _NUMBER.pack(length))

    def _data(self, number: int, path: bytes) -> bytes:
        kind, body = self._answer(number)
        if kind == _STATUS:
            self._check(body, path, _EOF)
            return b""
        return _take_string(body, 0)[0]

    def _all(self, kind: int, bodies: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """The answers to many requests, some of them on their way at once."""
        waiting: deque[int] = deque()
        answers: list[tuple[int, bytes]] = []
        for body in bodies:
            waiting.append(self._ask(kind, body))
            if len(waiting) >= _AHEAD:
                answers.append(self._answer(waiting.popleft()))
        answers += [self._answer(number) for number in waiting]
        return answers

    def _handle(self, number: int, path: bytes) -> bytes:
        return self._handle_of(*self._answer(number), path)

    def _handle_of(self, kind: int, body: bytes, path: bytes) -> bytes:
        if kind != _HANDLE:
            self._check(body, path)
        return _take_string(body, 0)[0]

    def _check(self, body: bytes, path: bytes, allowed: int = _OK) -> None:
        code, said = _number(body, 0), b""
        if code in {_OK, allowed}:
            return
        if len(body) > _NUMBER.size:
            said = _take_string(body, _NUMBER.size)[0]
        reason = said.decode(errors="replace") or f"status {code}"
        raise OperationError(f"{self._host}: {text.path(path)}: {reason}")

    def _ask(self, kind: int, body: bytes) -> int:
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._send(kind, _NUMBER.pack(self._next) + body)
        return self._next

    def _answer(self, number: int) -> tuple[int, bytes]:
        while number not in self._early:
            packet = self._packet()
            self._early[_number(packet, 1)] = packet
        packet = self._early.pop(number)
        return packet[0], packet[1 + _NUMBER.size :]

    def _send(self, kind: int, body: bytes) -> None:
        try:
            self._stream.sendall(_NUMBER.pack(len(body) + 1) + bytes([kind]) + body)
        except OSError as error:
            raise self._lost(error) from error

    def _packet(self) -> bytes:
        length = _number(self._exactly(_NUMBER.size), 0)
        if not 1 <= length <= _LONGEST:
            raise OperationError(f"{self._host}: its file server does not speak SFTP")
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            try:
                data = self._stream.recv(256 * 1024)
            except OSError as error:
                raise self._lost(error) from error
            if not data:
                raise self._lost("the connection was closed")
            self._buffer += data
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _lost(self, why: object) -> HostUnreachableError:
        return HostUnreachableError(f"{self._host}: its files can be read no more ({why})")


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
        if not byte or len(head) > _CHUNK:
            break
        head += byte
    status = head.split(b" ", 2)[1:2]
    if status != [b"101"]:
        code = status[0].decode(errors="replace") if status else "nothing"
        raise OperationError(
            f"{remote.name}: does not let the files of {ref} be read through SFTP ({code})"
        )


def _string(data: bytes) -> bytes:
    return _NUMBER.pack(len(data)) + data


def _number(body: bytes, at: int) -> int:
    try:
        number: int = _NUMBER.unpack_from(body, at)[0]
    except struct.error as error:
        raise OperationError("the file server's answer is cut short") from error
    return number


def _take_string(body: bytes, at: int) -> tuple[bytes, int]:
    length = _number(body, at)
    begin = at + _NUMBER.size
    if begin + length > len(body):
        raise OperationError("the file server's answer is cut short")
    return body[begin : begin + length], begin + length


def _names(body: bytes, *, attributes: bool = True) -> list[FileEntry]:
    """The entries of a NAME answer; a link's target comes as a name without attributes."""
    at = _NUMBER.size
    found = []
    for _ in range(_number(body, 0)):
        name, at = _take_string(body, at)
        _, at = _take_string(body, at)
        entry, at = _attributes(name, body, at)
        found.append(entry if attributes else FileEntry(name))
    return found


def _attributes(name: bytes, body: bytes, at: int) -> tuple[FileEntry, int]:
    flags, at = _number(body, at), at + 4
    size = uid = gid = mode = modified = 0
    if flags & _HAS_SIZE:
        size, at = _number(body, at) << 32 | _number(body, at + 4), at + 8
    if flags & _HAS_OWNER:
        uid, gid, at = _number(body, at), _number(body, at + 4), at + 8
    if flags & _HAS_MODE:
        mode, at = _number(body, at), at + 4
    if flags & _HAS_TIMES:
        modified, at = _number(body, at + 4), at + 8
    if flags & _HAS_MORE:
        count, at = _number(body, at), at + 4
        for _ in range(2 * count):
            _, at = _take_string(body, at)
    return FileEntry(name, mode, uid, gid, size, modified), at
