"""Somebody in between: a TLS server with its own certificate, which writes down what it hears.

Role: takes TLS connections on loopback, hands every byte on to the real daemon when it has one to
speak for, else answers each request with one fixed body. Boundary: sockets; knows nothing of the
packages under test. Threading: a thread of its own for each connection, until ``close``.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

from tests.lab.client import make_certificate, sign

SERVER = {
    "auth": "trusted",
    "api_extensions": [],
    "environment": {"server_version": "1", "server_name": "small"},
}


class Impostor:
    """Listens on 127.0.0.1; ``heard`` is all that clients said after the handshake."""

    def __init__(
        self,
        folder: Path,
        upstream: tuple[str, int] | None = None,
        *,
        keep: bool = False,
        signer: Path | None = None,
        server: Mapping[str, object] = SERVER,
    ) -> None:
        """Make a certificate in *folder*; *keep* takes the one that is there, *signer* signs it.

        *server* is what it says that it is.
        """
        self._server = server
        self.certificate = folder / "client.crt"
        if signer is not None:
            sign(folder, signer)
        elif not keep:
            make_certificate(folder)
        self._upstream = upstream
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = b""
        self.connections = 0
        self._ended = 0
        self._other = make_certificate(folder / "other")
        self._open: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def turn_coat(self) -> None:
        """Close every connection, and show another certificate from now on."""
        self._context.load_cert_chain(self._other, self._other.with_suffix(".key"))
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def all_heard(self) -> bytes:
        """What was said, after the last connection has ended."""
        until = time.monotonic() + 10
        while self._ended < self.connections and time.monotonic() < until:
            time.sleep(0.01)
        assert self._ended == self.connections, "a connection was left open"
        return self.heard

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as client:
                self._open.append(client)
                if self._upstream is None:
                    self._answer(client)
                else:
                    self._relay(client, self._upstream)
        finally:
            self._ended += 1

    def _answer(self, client: ssl.SSLSocket) -> None:
        body = json.dumps({"type": "sync", "metadata": self._server}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        while data := client.recv(65536):
            self.heard += data
            client.sendall(head.encode() + body)

    def _relay(self, client: ssl.SSLSocket, upstream: tuple[str, int]) -> None:
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with blind.wrap_socket(socket.create_connection(upstream)) as server:
            while True:
                waiting = client.pending() or server.pending()
                ready = [client, server] if waiting else select.select([client, server], (), ())[0]
                for one in ready:
                    one.settimeout(0.1)
                    try:
                        data = one.recv(65536)
                    except TimeoutError:
                        continue
                    if not data:
                        return
                    if one is client:
                        self.heard += data
                    (server if one is client else client).sendall(data)
