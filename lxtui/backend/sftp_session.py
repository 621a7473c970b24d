"""Requests to a file server, and their answers.

Role: numbers each request, keeps answers that come early, says what a refusal means. Boundary: a
connected socket that the daemon has turned over to its file server; every error names the host.
Threading: belongs to one thread at a time.

Requests are sent ahead of their answers, or every file would cost three round trips.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence

from lxtui import format as text
from lxtui.backend import sftp_wire as wire
from lxtui.errors import HostUnreachableError, NoSuchFileError, OperationError
from lxtui.model import FileEntry

INIT, STATUS, HANDLE, DATA, NAME, ATTRS = 1, 101, 102, 103, 104, 105
OK, EOF, NO_SUCH_FILE = 0, 1, 2
AHEAD = 32
"""Requests that may be on their way at once."""
_VERSION = 3
_LONGEST = 1024 * 1024
Answer = tuple[int, bytes]


class Session:
    """One connection to a file server."""

    def __init__(self, host: str, stream: socket.socket) -> None:
        self.host = host
        self._stream = stream
        self._buffer = bytearray()
        self._next = 0
        self._early: dict[int, bytes] = {}
        """Answers that came before they were waited for."""
        self._gone: HostUnreachableError | None = None
        """Why nothing is asked any more: what is tidied up after that must not wait again."""
        self._send(INIT, wire.NUMBER.pack(_VERSION))
        self.extensions = wire.extensions(self._packet())

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()

    def all(self, kind: int, bodies: Sequence[bytes]) -> list[Answer]:
        """The answers to many requests, some of them on their way at once."""
        waiting: deque[int] = deque()
        answers: list[Answer] = []
        for body in bodies:
            waiting.append(self.ask(kind, body))
            if len(waiting) >= AHEAD:
                answers.append(self.answer(waiting.popleft()))
        answers += [self.answer(number) for number in waiting]
        return answers

    def done(self, kind: int, body: bytes, path: bytes) -> None:
        """Ask for what has no answer but that it is done."""
        _, answer = self.answer(self.ask(kind, body))
        self.check(answer, path)

    def handle(self, number: int, path: bytes) -> bytes:
        """The handle that request *number* has opened."""
        return self.handle_of(self.answer(number), path)

    def handle_of(self, answer: Answer, path: bytes) -> bytes:
        """The handle of an answer; an error when it is another one."""
        kind, body = answer
        if kind != HANDLE:
            self.check(body, path)
        return wire.take_string(body, 0)[0]

    def data(self, number: int, path: bytes) -> bytes:
        """What request *number* has read; nothing at the end of the file."""
        kind, body = self.answer(number)
        if kind == STATUS:
            self.check(body, path, EOF)
            return b""
        return wire.take_string(body, 0)[0]

    def attributes(self, number: int, path: bytes) -> FileEntry:
        """What request *number* says of *path*."""
        return self.attributes_of(self.answer(number), path)

    def attributes_of(self, answer: Answer, path: bytes) -> FileEntry:
        """What an answer says of *path*; an error when it is another one."""
        kind, body = answer
        if kind != ATTRS:
            self.check(body, path)
            raise self.odd()
        return wire.attributes(path.rpartition(b"/")[2], body)[0]

    def check(self, body: bytes, path: bytes, allowed: int = OK) -> None:
        """An error when the server has refused something about *path*."""
        code, said = wire.number(body, 0), b""
        if code in {OK, allowed}:
            return
        if len(body) > wire.NUMBER.size:
            said = wire.take_string(body, wire.NUMBER.size)[0]
        reason = text.plain(said.decode(errors="replace")) or f"status {code}"
        kind = NoSuchFileError if code == NO_SUCH_FILE else OperationError
        raise kind(f"{self.host}: {text.path(path)}: {reason}")

    def odd(self) -> OperationError:
        """The error for an answer that is none."""
        return OperationError(f"{self.host}: its file server does not speak SFTP")

    def ask(self, kind: int, body: bytes) -> int:
        """Send a request; its number."""
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._send(kind, wire.NUMBER.pack(self._next) + body)
        return self._next

    def answer(self, number: int) -> Answer:
        """The answer to a request: its type, and what follows its number."""
        while number not in self._early:
            packet = self._packet()
            self._early[wire.number(packet, 1)] = packet
        packet = self._early.pop(number)
        return packet[0], packet[1 + wire.NUMBER.size :]

    def _send(self, kind: int, body: bytes) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._stream.sendall(wire.NUMBER.pack(len(body) + 1) + bytes([kind]) + body)
        except OSError as error:
            raise self._lost(error) from error

    def _packet(self) -> bytes:
        length = wire.number(self._exactly(wire.NUMBER.size), 0)
        if not 1 <= length <= _LONGEST:
            raise self.odd()
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            if self._gone is not None:
                raise self._gone
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
        self._gone = HostUnreachableError(f"{self.host}: its files can be read no more ({why})")
        return self._gone
