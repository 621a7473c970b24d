"""Websockets of a daemon, on a socket whose peer was checked.

Role: opens events and migration channels. The certificate is compared with the pinned one (tls.py)
before any request is sent: pylxd's own websocket checks nothing. Boundary: knows
Remote, not pylxd. Threading: a channel belongs to one thread at a time; ``receive`` with a timeout
lets it look elsewhere.

The protocol is that of the websockets library, without its connection: that one answers a close
frame before it hands out what came with it, and loses it when the daemon has left already. A
migration's last message, "success", comes just so.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from lxtui.backend.base import ChannelEndedError
from lxtui.backend.failures import unreachable
from lxtui.backend.tls import CONNECT_SECONDS, connected
from lxtui.errors import HostUnreachableError
from lxtui.model import Remote

_SEND_SECONDS = 60.0
"""A daemon that takes nothing for this long has stopped."""
_CLOSE_SECONDS = 5.0
_CHUNK = 256 * 1024


class Channel:
    """One websocket; text and binary messages stay what they are."""

    def __init__(self, host: str, raw: socket.socket, protocol: ClientProtocol) -> None:
        self._host = host
        self._socket = raw
        self._protocol = protocol
        self._poll = select.poll()  # select(2) ends at descriptor 1024
        self._poll.register(raw, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(raw, select.POLLOUT)
        self._out: deque[memoryview] = deque()
        self._messages: deque[str | bytes] = deque()
        self._parts: list[Frame] = []
        self._answered = False
        self._ended = False
        self._clean = False

    def fileno(self) -> int:
        """Return the socket's descriptor, for select(2); -1 when it is closed."""
        return self._socket.fileno()

    def receive(self, timeout: float | None = None) -> str | bytes:
        """Return the next message; TimeoutError when there is none for *timeout* seconds."""
        until = None if timeout is None else monotonic() + timeout
        while not self._messages:
            if self._ended:
                raise ChannelEndedError(self._host, clean=self._clean)
            self._read(None if until is None else max(until - monotonic(), 0.0))
        return self._messages.popleft()

    def send(self, message: str | bytes) -> None:
        """Send one message; blocks while the daemon takes nothing."""
        self.put(message)
        self._drain(_SEND_SECONDS)
        if self._out:
            raise ChannelEndedError(self._host, clean=False)

    def put(self, message: str | bytes) -> None:
        """Send one message, as far as the daemon takes it now; ``drain`` sends the rest."""
        if self._protocol.state is not OPEN:
            raise ChannelEndedError(self._host, clean=self._clean)
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self.drain()

    def drain(self) -> None:
        """Send more of what was put, as much as goes without waiting."""
        self._drain(0.0)

    @property
    def backlog(self) -> int:
        """Bytes that were put and are not sent yet."""
        return sum(map(len, self._out))

    def close(self, *, clean: bool = True) -> None:
        """Close it, without a close frame if not *clean*; a second time is no error."""
        if clean and self._protocol.state is OPEN and not self._out:
            self._protocol.send_close(1000)
            with suppress(ChannelEndedError):
                self._drain(_CLOSE_SECONDS)
        self._ended = True
        self._socket.close()

    def shake_hands(self) -> None:
        """Ask for the websocket; WebSocketException when the daemon refuses."""
        self._protocol.send_request(self._protocol.connect())
        self._drain(CONNECT_SECONDS)
        until = monotonic() + CONNECT_SECONDS
        while self._protocol.handshake_exc is None and not self._answered:
            if self._ended:
                raise OSError("the daemon closed the connection")
            self._read(max(until - monotonic(), 0.0))
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc

    def _read(self, timeout: float | None) -> None:
        """Take in what the socket has; TimeoutError when that is nothing."""
        waiting = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not waiting and not self._poll.poll(None if timeout is None else timeout * 1000):
            raise TimeoutError
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return  # a part of a TLS record
        except OSError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
            self._ended = True
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response):
                self._answered = True
        with suppress(ChannelEndedError):
            self._drain(0.0)  # after the messages: the daemon may have left

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._ended = self._clean = True
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._parts.append(frame)
            if frame.fin:
                content = b"".join(part.data for part in self._parts)
                text = self._parts[0].opcode is Opcode.TEXT
                self._messages.append(content.decode(errors="replace") if text else content)
                self._parts.clear()

    def _drain(self, seconds: float) -> None:
        """Send what the protocol has to say, for at most *seconds*; the rest stays."""
        self._out.extend(memoryview(data) for data in self._protocol.data_to_send() if data)
        until = monotonic() + seconds
        while self._out:
            try:
                sent = self._socket.send(self._out[0])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                left = until - monotonic()
                if left <= 0:
                    return
                self._writable.poll(left * 1000)
            except OSError as error:
                self._out.clear()
                raise ChannelEndedError(self._host, clean=False) from error
            else:
                rest = self._out.popleft()[sent:]
                if rest:
                    self._out.appendleft(rest)


@contextmanager
def open_channel(remote: Remote, path: str) -> Iterator[Channel]:
    """A websocket at *path*; HostUnreachableError or CertificateError when there is none."""
    authority = "localhost" if remote.is_socket else urlsplit(remote.address).netloc
    try:
        raw = connected(remote)
    except OSError as error:
        raise unreachable(remote, str(error)) from error
    protocol = ClientProtocol(parse_uri(f"ws://{authority}{path}"), max_size=None)
    raw.setblocking(False)
    channel = Channel(remote.name, raw, protocol)
    try:
        channel.shake_hands()
    except (OSError, ChannelEndedError, WebSocketException) as error:
        raw.close()
        raise HostUnreachableError(f"{remote.name}: no websocket: {error}") from error
    try:
        yield channel
    finally:
        channel.close()
