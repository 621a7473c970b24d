"""The REST API of a daemon over its unix socket.

Role: requests, and operations waited for. Boundary: JSON in and out, no knowledge of the lab; the
packages under test have their own client, and the lab must not rest on what it is there to test.
Threading: one connection per request, so any thread may call.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .errors import ApiError


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """One daemon's API."""

    def __init__(self, path: Path, timeout: float = 120) -> None:
        self._path = path
        self._timeout = timeout

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send one request; return the HTTP status and the body, whatever they are."""
        connection = _UnixConnection(self._path, self._timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send BODY as JSON (or DATA as it is), wait for the operation if there is one.

        Returns the metadata of the answer or of the finished operation. Raises ApiError.
        """
        if data is None and body is not None:
            data = json.dumps(body).encode()
        status, content = self.raw(method, path, data, headers)
        answer = json.loads(content)
        if answer["type"] == "error":
            raise ApiError(answer.get("error_code", status), answer["error"])
        if answer["type"] != "async":
            return answer["metadata"]
        status, content = self.raw("GET", f"{answer['operation']}/wait")
        operation = json.loads(content)
        if operation["type"] == "error":
            raise ApiError(operation.get("error_code", status), operation["error"])
        metadata = operation["metadata"]
        if metadata["status_code"] >= 400:
            raise ApiError(metadata["status_code"], metadata["err"])
        return metadata

    def get(self, path: str) -> Any:
        """GET PATH."""
        return self.call("GET", path)


def instance(name: str, *more: str) -> str:
    """Return the path of an instance, or of something below it."""
    return "/".join(("/1.0/instances", quote(name, safe=""), *more))
