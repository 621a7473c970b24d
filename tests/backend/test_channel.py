"""A websocket of ours against one of the library's own servers, over a socket pair.

The daemons say "success" and leave at once: what they said last must arrive.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from lxtui.backend.base import ChannelEndedError
from lxtui.backend.channel import Channel, open_channel
from lxtui.errors import HostUnreachableError
from lxtui.model import Kind, Remote

Serve = Callable[[socket.socket, ServerProtocol], None]


def _talk(tmp_path: Path, serve: Serve) -> tuple[Remote, Thread]:
    """A daemon's socket behind which *serve* speaks to one client after the handshake."""
    listener = socket.socket(socket.AF_UNIX)
    path = str(tmp_path / "unix.socket")
    listener.bind(path)
    listener.listen(1)

    def run() -> None:
        with listener:
            client, _ = listener.accept()
        with client:
            protocol = ServerProtocol()
            while protocol.state is not OPEN:
                protocol.receive_data(client.recv(65536))
                for event in protocol.events_received():
                    protocol.send_response(protocol.accept(event))  # type: ignore[arg-type]
                _flush(client, protocol)
            serve(client, protocol)

    thread = Thread(target=run)
    thread.start()
    return Remote("h", Kind.LXD, path), thread


def _flush(client: socket.socket, protocol: ServerProtocol) -> None:
    client.sendall(b"".join(protocol.data_to_send()))


def _messages(channel: Channel) -> tuple[list[str | bytes], bool]:
    found: list[str | bytes] = []
    try:
        while True:
            found.append(channel.receive(5))
    except ChannelEndedError as end:
        return found, end.clean


def test_what_comes_with_the_close_frame_is_not_lost(tmp_path: Path) -> None:
    """A message, a close frame and the end of the connection in one go: the message arrives."""

    def serve(client: socket.socket, protocol: ServerProtocol) -> None:
        protocol.send_binary(b"success")
        protocol.send_close(1000)
        _flush(client, protocol)

    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        remote, thread = _talk(folder, serve)
        with open_channel(remote, "/") as channel:
            assert _messages(channel) == ([b"success"], True)
        thread.join()


def test_an_end_without_a_close_frame_is_not_clean(tmp_path: Path) -> None:
    """A connection that just ends hands out its messages, and says that it was not closed."""

    def serve(client: socket.socket, protocol: ServerProtocol) -> None:
        protocol.send_text(b"")
        protocol.send_binary(b"x" * 300_000)
        _flush(client, protocol)

    remote, thread = _talk(tmp_path, serve)
    with open_channel(remote, "/") as channel:
        assert _messages(channel) == (["", b"x" * 300_000], False)
    thread.join()


def test_fragments_are_one_message(tmp_path: Path) -> None:
    """A message in several frames arrives whole, of the first frame's kind."""

    def serve(client: socket.socket, protocol: ServerProtocol) -> None:
        protocol.send_text(b"one ", fin=False)
        protocol.send_continuation(b"two", fin=True)
        _flush(client, protocol)

    remote, thread = _talk(tmp_path, serve)
    with open_channel(remote, "/") as channel:
        assert channel.receive(5) == "one two"
    thread.join()


def test_nothing_for_a_while_is_a_timeout(tmp_path: Path) -> None:
    """A silent daemon raises TimeoutError, and what it says later still arrives."""

    def serve(client: socket.socket, protocol: ServerProtocol) -> None:
        client.recv(100)
        protocol.send_text(b"late")
        _flush(client, protocol)

    remote, thread = _talk(tmp_path, serve)
    with open_channel(remote, "/") as channel:
        with pytest.raises(TimeoutError):
            channel.receive(0.05)
        channel.send("now")
        assert channel.receive(5) == "late"
    thread.join()


def test_a_refusal_is_said(tmp_path: Path) -> None:
    """A daemon that answers the handshake with an error gives HostUnreachableError."""
    listener = socket.socket(socket.AF_UNIX)
    path = str(tmp_path / "unix.socket")
    listener.bind(path)
    listener.listen(1)

    def refuse() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = Thread(target=refuse)
    thread.start()
    with (
        pytest.raises(HostUnreachableError, match="403"),
        open_channel(Remote("h", Kind.LXD, path), "/"),
    ):
        pytest.fail("there is no channel")
    thread.join()
    listener.close()
