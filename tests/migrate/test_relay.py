"""A relay carries both directions at once, and a copy that stands still fails."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from lxtui.backend.base import ChannelEndedError
from lxtui.backend.channel import Channel
from lxtui.errors import OperationError
from lxtui.migrate import copying
from lxtui.migrate.copying import Watch
from lxtui.migrate.relay import _Joint
from lxtui.migrate.throttle import Throttle
from lxtui.model import Operation


def _channel(name: str) -> tuple[Channel, socket.socket]:
    """A channel, and the socket of the daemon at its other end, their handshake done."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        protocol = ServerProtocol()
        while protocol.state is not OPEN:
            protocol.receive_data(theirs.recv(65536))
            for event in protocol.events_received():
                assert isinstance(event, Request)
                protocol.send_response(protocol.accept(event))
            theirs.sendall(b"".join(protocol.data_to_send()))

    daemon = threading.Thread(target=answer)
    daemon.start()
    ours.setblocking(False)
    channel = Channel(name, ours, ClientProtocol(parse_uri("ws://localhost/"), max_size=None))
    channel.shake_hands()
    daemon.join()
    return channel, theirs


def _frames(content: bytes, count: int) -> bytes:
    protocol = ServerProtocol()
    protocol.state = OPEN  # its frames without a handshake
    for _ in range(count):
        protocol.send_binary(content)
    return b"".join(protocol.data_to_send())


def test_two_daemons_that_both_talk_first_do_not_wait_for_each_other() -> None:
    """Each sends megabytes before it listens; all of it arrives on both sides."""
    (source, source_daemon), (target, target_daemon) = _channel("source"), _channel("target")
    size, count = 64 * 1024, 200
    got: dict[str, int] = {}

    def talk_then_listen(name: str, daemon: socket.socket) -> None:
        writer = threading.Thread(target=daemon.sendall, args=(_frames(b"x" * size, count),))
        writer.start()
        if name == "target":
            writer.join()  # this one hears nothing before it has said everything
        received = 0
        while received < size * count:
            received += len(daemon.recv(1 << 20))
        got[name] = received
        writer.join()

    daemons = [
        threading.Thread(target=talk_then_listen, args=pair)
        for pair in (("source", source_daemon), ("target", target_daemon))
    ]
    joint = _Joint(source, target, None, Throttle(0))
    joint.__enter__()
    try:
        for thread in daemons:
            thread.start()
        for thread in daemons:
            thread.join(20)
        assert set(got) == {"source", "target"}
        assert joint.moved == 2 * size * count
    finally:
        joint.__exit__()
        for end in (source, target):
            end.close(clean=False)
        for daemon in (source_daemon, target_daemon):
            daemon.close()


def test_what_was_said_before_the_end_is_heard() -> None:
    """The last words of one side reach the other before the channel ends as that side left it."""
    (source, source_daemon), (target, target_daemon) = _channel("source"), _channel("target")
    source_daemon.sendall(_frames(b"success", 1))
    source_daemon.close()
    joint = _Joint(source, target, None, Throttle(0))
    joint.__enter__()
    target_daemon.settimeout(5)
    heard = b""
    while data := target_daemon.recv(1024):
        heard += data
    joint.__exit__()
    assert len(heard) == 2 + 4 + len(b"success")  # one masked frame, and no close frame
    with pytest.raises(ChannelEndedError):
        target.receive(0)
    target_daemon.close()


def test_a_copy_that_stands_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that shows nothing new for too long is an error; one that moves is none."""
    monkeypatch.setattr(copying, "STALLED", 0.05)
    still = Watch(lambda _: None)
    still(Operation("1", "a", progress="1 MB"))
    time.sleep(0.1)
    with pytest.raises(OperationError, match="stands still"):
        still(Operation("1", "a", progress="1 MB"))
    moved = iter(range(10))
    moving = Watch(lambda _: None, lambda: next(moved))
    for _ in range(3):
        moving(Operation("1", "a"))
        time.sleep(0.1)
