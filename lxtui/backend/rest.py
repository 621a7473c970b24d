"""One daemon's REST API: the session, the requests, what failures mean.

Role: the only importer of pylxd, which gives the session (unix sockets, TLS with the pinned
certificate) and the API nodes; its model classes are left aside: they lose state on recursion, act
forcefully by default, and delete a migration's source before the copy has ended. Boundary: paths
and JSON; every failure leaves as LxtuiError. Threading: methods may run on any thread; they share
one requests session, whose connection pools are thread-safe.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

import pylxd
import requests
import urllib3
from pylxd import exceptions
from pylxd.client import get_session_for_url

from lxtui.api import Document
from lxtui.backend import logins, wire
from lxtui.backend.base import Download, OnProgress, Stream
from lxtui.backend.failures import one_line, unreachable
from lxtui.backend.tls import PinnedAdapter, context, pinned, reachable
from lxtui.errors import (
    ConflictError,
    HostUnreachableError,
    LxtuiError,
    NotFoundError,
    NotTrustedError,
    OperationError,
    OperationLostError,
    ReadOnlyError,
)
from lxtui.model import Kind, Operation, Remote

# pylxd warns about every field that it does not know, on a screen that we own.
os.environ.setdefault("PYLXD_WARNINGS", "none")

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and to wait for an answer: a dead host must not hold a worker."""
_UPLOAD_TIMEOUT = (5.0, 600.0)
"""After the last byte the daemon writes to its disk before it answers."""
_PIECE = 2**18
_NOTHING: Mapping[str, Any] = {}
_WAIT_SECONDS = 1
"""How long one wait request may hang: the daemon answers at once when the operation ends, and
with its progress when the time is over."""
_LOST_AFTER = 20.0
_BEGUN_AFTER = 0.2
"""By then an operation of LXD has long begun; see ``cancel``."""
"""Seconds without an answer after which an operation's end counts as unknown."""


class Rest:
    """The API of one LXD or Incus daemon."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._client: Any = None
        self._opening = Lock()

    @property
    def server(self) -> Any:
        """What the daemon says of itself, the root of its API."""
        with self.translated():
            return self._session_client().api.get(timeout=TIMEOUT).json()["metadata"]

    def close(self) -> None:
        """Let go of the connections; the next request opens them again."""
        with self._opening:
            if self._client is not None:
                self._client.api.session.close()
                self._client = None

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation is done.

        A daemon that stops answering for a while does not end the wait; one that has forgotten the
        operation, or is gone for longer, leaves its end unknown, and that is an error.
        """
        heard = time.monotonic()
        while not operation.finished:
            try:
                entry = self._look(operation)
            except HostUnreachableError:
                if time.monotonic() - heard > _LOST_AFTER:
                    raise
                time.sleep(_WAIT_SECONDS)
                continue
            except NotFoundError as error:
                raise OperationLostError(
                    f"{self.remote.name}: lost track of {operation.description!r}: "
                    f"the daemon no longer knows it"
                ) from error
            heard = time.monotonic()
            operation = wire.operation_from(self.remote.name, entry)
            if on_progress is not None:
                on_progress(operation)
        if operation.status != "Success":
            reason = operation.error or operation.status
            raise OperationError(f"{self.remote.name}: {one_line(reason)}")

    def _look(self, operation: Operation) -> Any:
        """The operation after at most _WAIT_SECONDS, sooner when it ends."""
        path = f"operations/{quoted(operation.id)}"
        try:
            return self.get(f"{path}/wait", {"timeout": str(_WAIT_SECONDS)})
        except OperationError:
            # LXD answers with the operation when the time is over, Incus with an error.
            return self.get(path, {})

    def cancel(self, operation: Operation) -> None:
        """Ask the daemon to give the operation up.

        LXD 5.0.2 dies of a cancel that comes before the operation's own thread of work has begun
        (operations.go, Start: it calls what the cancel has set to nil), so it is given a moment.
        """
        if self.remote.kind is Kind.LXD:
            time.sleep(_BEGUN_AFTER)
        try:
            with self.translated():
                self.node(f"operations/{quoted(operation.id)}").delete(timeout=TIMEOUT)
        except (NotFoundError, OperationError):
            return  # it has ended by itself, or is of a kind that the daemon sees through

    def tolerated(self, path: str, parameters: Mapping[str, str], instead: Any = _NOTHING) -> Any:
        """What may be refused: to a restricted certificate, or by an older daemon."""
        try:
            return self.get(path, parameters)
        except (NotFoundError, NotTrustedError, OperationError):
            return instead

    @property
    def command(self) -> str:
        """The host's own command line."""
        return "lxc" if self.remote.kind is Kind.LXD else "incus"

    def get(self, path: str, parameters: Mapping[str, str]) -> Any:
        """What a path answers."""
        with self.translated():
            answer = self.node(path).get(params=dict(parameters), timeout=TIMEOUT)
            return answer.json()["metadata"]

    def read(self, path: str, parameters: Mapping[str, str]) -> Document:
        """What a path answers, with the ETag of what can be written back."""
        with self.translated():
            answer = self.node(path).get(params=dict(parameters), timeout=TIMEOUT)
            return Document(answer.json()["metadata"], answer.headers.get("ETag", ""))

    def begin(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: Any = None,
        etag: str = "",
    ) -> Operation:
        """Ask for a change; what the daemon has done at once is an operation that has ended.

        With an *etag*, ConflictError when what it was read from has changed since.
        """
        headers = {"If-Match": etag} if etag else {}
        with self.translated():
            call = getattr(self.node(path), method)
            answer = call(params=dict(parameters), json=body, headers=headers, timeout=TIMEOUT)
            return self._operation(answer.json())

    @contextmanager
    def download(self, path: str, parameters: Mapping[str, str]) -> Iterator[Download]:
        """The bytes that a path answers, until the block ends."""
        with self.translated():
            answer = self.node(path).get(
                params=dict(parameters), timeout=TIMEOUT, stream=True, is_api=False
            )
        try:
            yield Download(_Body(answer.raw, self.translated), _length(answer), answer.headers)
        finally:
            answer.close()

    def upload(
        self, path: str, parameters: Mapping[str, str], data: Stream, headers: Mapping[str, str]
    ) -> Operation:
        """Send bytes as they come; the daemon may need minutes to say what it made of them."""
        sent = {"Content-Type": "application/octet-stream", **headers}
        with self.translated():
            answer = self.node(path).post(
                params=dict(parameters), data=_pieces(data), headers=sent, timeout=_UPLOAD_TIMEOUT
            )
            return self._operation(answer.json())

    def _operation(self, answer: Mapping[str, Any]) -> Operation:
        if answer.get("type") == "async":
            return wire.operation_from(self.remote.name, answer["metadata"])
        return Operation("", self.remote.name, "", status="Success")

    def node(self, path: str) -> Any:
        """The node of a path whose parts are quoted already."""
        node = self._session_client().api
        for part in path.split("/"):
            node = node[part]
        return node

    def _session_client(self) -> Any:
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> Any:
        remote = self.remote
        logins.check(remote.name, remote.kind, (remote.auth_type,))
        _check_files(remote)
        self.remote = remote = reachable(remote)
        if remote.is_socket:
            endpoint = remote.address
            url = f"http+unix://{quote(endpoint, safe='')}"
        else:
            endpoint = url = remote.address
            if not (remote.client_cert and remote.client_key):
                raise NotTrustedError(
                    f"{remote.name}: no client certificate; run '{self.command} remote list' "
                    f"once to make one, then add the host again"
                )
        session = get_session_for_url(url)
        if not remote.is_socket:
            session.mount("https://", PinnedAdapter(remote))
        # REQUESTS_CA_BUNDLE would override the pin, a proxy would sit in between.
        session.trust_env = False
        session.max_redirects = 0
        if remote.read_only:
            session.auth = _ReadOnly(remote.name)
        try:
            return pylxd.Client(endpoint=endpoint, session=session, timeout=TIMEOUT)
        except BaseException:
            session.close()
            raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Whatever pylxd, requests or the daemon raise, as one sentence of ours."""
        name = self.remote.name
        try:
            yield
        except exceptions.NotFound as error:
            raise NotFoundError(f"{name}: {one_line(str(error))}") from error
        except exceptions.Conflict as error:
            raise ConflictError(f"{name}: {one_line(str(error))}") from error
        except exceptions.LXDAPIException as error:
            raise self._refused(error) from error
        except (
            exceptions.ClientConnectionFailed,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            if self.remote.others:
                self.close()  # the next request looks which address answers now
            raise unreachable(self.remote, str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise HostUnreachableError(
                f"{name}: answers with something that is not the LXD or Incus API "
                f"({type(error).__name__}: {one_line(str(error))}); is the address right?"
            ) from error

    def _refused(self, error: exceptions.LXDAPIException) -> LxtuiError:
        name, status = self.remote.name, error.response.status_code
        said = one_line(str(error))
        if status in {requests.codes.forbidden, requests.codes.unauthorized}:
            return NotTrustedError(f"{name}: the host refuses our certificate: {said}")
        if status == requests.codes.unavailable:  # it is starting, or shutting down
            return HostUnreachableError(f"{name}: {said}")
        if status == requests.codes.precondition_failed:
            return ConflictError(f"{name}: somebody else changed it meanwhile; try again")
        return OperationError(f"{name}: {said}")


class _ReadOnly(requests.auth.AuthBase):
    """The last line before a read-only host: requests shows it each request before it is sent."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if request.method not in {"GET", "HEAD"}:
            raise ReadOnlyError(self._host)
        return request


def _check_files(remote: Remote) -> None:
    """Name the file that cannot be used: requests would only say that the connection failed."""
    if remote.server_cert:
        pinned(remote)
    if remote.client_cert and remote.client_key:
        try:
            context(remote)
        except (OSError, ssl.SSLError) as error:
            raise NotTrustedError(f"{remote.name}: {_key_trouble(remote, error)}") from error


def _key_trouble(remote: Remote, error: OSError) -> str:
    """What is wrong with the client's certificate or key, and what to do."""
    key = Path(remote.client_key or "")
    try:
        text = key.read_text("ascii", errors="replace")
    except OSError:
        text = ""
    if "OPENSSH" in text:
        return f"{key} is in OpenSSH's format; 'ssh-keygen -p -m PKCS8 -f {key}' converts it"
    if "ENCRYPTED" in text:
        return (
            f"{key} is encrypted, and lxtui asks for no passwords; take the password off with "
            f"'openssl pkey -in {key} -out {key}.open && mv {key}.open {key}', keeping it 0600"
        )
    return f"{remote.client_cert} and {remote.client_key} cannot be used ({error})"


class _Body:
    """The body of an answer, whose breaking off is an error of ours."""

    def __init__(self, raw: Any, translated: Callable[[], AbstractContextManager[None]]) -> None:
        self._raw = raw
        self._translated = translated

    def read(self, size: int, /) -> bytes:
        """At most *size* bytes."""
        with self._translated():
            data: bytes = self._raw.read(size)
        return data


def _length(answer: requests.Response) -> int | None:
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None


def _pieces(data: Stream) -> Iterator[bytes]:
    while piece := data.read(_PIECE):
        yield piece


def quoted(part: str) -> str:
    """One part of a path, in which nothing is a separator."""
    return quote(part, safe="")
