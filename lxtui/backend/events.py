"""A daemon's event stream: from a checked socket to Event values.

Role: opens the websocket and reads it. The certificate is compared with the pinned one during the
TLS handshake, before any request is sent: pylxd's own websocket checks nothing. Boundary:
knows Remote and the wire format, not pylxd. Threading: one thread calls ``stream``; setting the
flag from another ends it within ``_TICK`` seconds.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from lxtui.backend.wire import operation_from
from lxtui.errors import CertificateError, HostUnreachableError
from lxtui.model import Event, Remote

_TICK = 0.5
_CONNECT_SECONDS = 5.0
_PATH = "/1.0/events?type=lifecycle,operation"
_PORT = 8443


def stream(remote: Remote, *, all_projects: bool, stop: Flag) -> Iterator[Event]:
    """Events as they come, until *stop*; HostUnreachableError when the daemon ends the stream."""
    scope = "all-projects=true" if all_projects else f"project={remote.project}"
    try:
        with (
            _open(remote) as raw,
            connect(
                f"ws://{_authority(remote)}{_PATH}&{scope}",
                sock=raw,
                proxy=None,
                compression=None,
                open_timeout=_CONNECT_SECONDS,
                close_timeout=1,
                max_size=16 * 2**20,
            ) as websocket,
        ):
            while not stop.is_set():
                with suppress(TimeoutError):
                    event = event_from(remote.name, websocket.recv(timeout=_TICK))
                    if event is not None:
                        yield event
    except ConnectionClosed as error:
        raise HostUnreachableError(f"{remote.name}: the event stream ended") from error
    except (OSError, WebSocketException) as error:
        raise HostUnreachableError(f"{remote.name}: no event stream: {error}") from error


def event_from(host: str, message: str | bytes) -> Event | None:
    """One message as an Event; None for what we do not understand (newer kinds of events)."""
    try:
        document: Any = json.loads(message)
        kind, metadata = document["type"], document["metadata"]
        if kind == "operation":
            operation = operation_from(host, metadata)
            return Event(host, kind, project=document.get("project") or "", operation=operation)
        return Event(
            host,
            kind,
            action=str(metadata.get("action", "")),
            source=str(metadata.get("source", "")),
            project=str(document.get("project") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _authority(remote: Remote) -> str:
    return "localhost" if remote.is_socket else urlsplit(remote.address).netloc


def _open(remote: Remote) -> socket.socket:
    """A connected socket whose peer is the daemon that we pinned."""
    if remote.is_socket:
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(_CONNECT_SECONDS)
            plain.connect(remote.address)
            plain.settimeout(None)
        except BaseException:
            plain.close()
            raise
        return plain
    where = urlsplit(remote.address)
    host = where.hostname or ""
    plain = socket.create_connection((host, where.port or _PORT), timeout=_CONNECT_SECONDS)
    try:
        secure = _context(remote).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    try:
        _check_pin(remote, secure)
        secure.settimeout(None)
    except BaseException:
        secure.close()
        raise
    return secure


def _context(remote: Remote) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if remote.server_cert:
        # The pin replaces authorities and names: daemons sign their own certificates.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if remote.client_cert and remote.client_key:
        context.load_cert_chain(remote.client_cert, remote.client_key)
    return context


def _check_pin(remote: Remote, secure: ssl.SSLSocket) -> None:
    if not remote.server_cert:
        return  # the context has asked the system's authorities
    pinned = ssl.PEM_cert_to_DER_cert(Path(remote.server_cert).read_text("ascii").strip() + "\n")
    shown = secure.getpeercert(binary_form=True) or b""
    if hashlib.sha256(shown).digest() != hashlib.sha256(pinned).digest():
        raise CertificateError(f"{remote.name}: {CHANGED}")


CHANGED = (
    "the host shows another certificate than the pinned one; if it was reinstalled, "
    "remove the remote and add it again, else somebody is in between"
)
