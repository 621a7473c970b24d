"""A host that we do not know yet: who it says it is, and how it comes to trust us.

Role: the first connection, whose certificate nobody has pinned; the request that makes the host
trust our certificate; the projects that it then lets us see. Boundary: HTTP through the adapter of
tls.py, no pylxd: a session is of no use before there is trust. A secret goes into the body of one
request over a connection whose certificate was confirmed, and nowhere else. Threading: functions;
they block.
"""

from __future__ import annotations

import base64
import binascii
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from cryptography import x509

from lxtui.backend import logins, tls
from lxtui.backend.failures import one_line, unreachable
from lxtui.errors import (
    CertificateError,
    HostUnreachableError,
    LxtuiError,
    NotTrustedError,
    OperationError,
    UsageError,
)
from lxtui.model import Greeting, Kind, Remote, TrustToken

NAMES = {Kind.LXD: "LXD", Kind.INCUS: "Incus"}
_TIMEOUT = (5.0, 30.0)
_PORT = 8443
_MARKS = {"dev_incus_events": Kind.INCUS, "devlxd_events": Kind.LXD}
"""API extensions that one kind of daemon has had from its beginning, and the other never."""


def address_of(written: str) -> str:
    """``HOST``, ``HOST:PORT`` or an https address as the command lines write it down."""
    text = written if "://" in written else f"https://{written}"
    if text.count(":") > 2 and "[" not in text:  # noqa: PLR2004 an IPv6 address of its own
        text = f"https://[{written}]"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise UsageError(f"{written!r} is not an address: {error}") from error
    if parts.scheme != "https" or not host or parts.path.strip("/") or parts.username:
        raise UsageError(
            f"{written!r} is not an address: write HOST, HOST:PORT or https://HOST:PORT; "
            f"daemons of this machine are found by themselves"
        )
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def token_of(secret: str) -> TrustToken | None:
    """What a trust token says of its host; None for a password."""
    try:
        document = json.loads(base64.b64decode(secret.strip(), validate=True))
        return TrustToken(
            fingerprint=str(document["fingerprint"]),
            addresses=tuple(f"https://{one}" for one in document["addresses"]),
            has_secret=bool(document["secret"]),
        )
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def greet(
    remote: Remote, said: Kind | None = None, expected: frozenset[str] = frozenset()
) -> Greeting:
    """Who answers at *remote*'s address, asked with our certificate; its own is not believed yet.

    *said* is the kind that the user says it is: UsageError when it is the other one. *expected* are
    fingerprints that the certificate must have: CertificateError before a word is said.
    """
    vouched, shown = _certificate(remote)
    if expected - {tls.fingerprint(shown)}:
        raise CertificateError(
            f"{remote.name}: {remote.address} shows the fingerprint {tls.fingerprint(shown)}, not "
            f"the expected one: it is another host, or somebody is in between; nothing was sent"
        )
    pem = ssl.DER_cert_to_PEM_cert(shown)
    with _session(remote, shown) as session:
        server = _asked(remote, session.get(f"{remote.address}/1.0", timeout=_TIMEOUT))
    marks = (_MARKS[one] for one in server.get("api_extensions") or () if one in _MARKS)
    kind = next(marks, said)
    if kind is None:
        raise UsageError(f"{remote.name}: say with --kind whether it is LXD or Incus")
    if said not in {None, kind}:
        raise UsageError(f"{remote.name}: {remote.address} is a host of {NAMES[kind]}")
    environment = server.get("environment") or {}
    return Greeting(
        address=remote.address,
        kind=kind,
        certificate=pem,
        fingerprint=tls.fingerprint(shown),
        subject=x509.load_der_x509_certificate(shown).subject.rfc4514_string(),
        vouched=vouched,
        trusted=server.get("auth") == "trusted",
        extensions=frozenset(map(str, server.get("api_extensions") or ())),
        methods=logins.methods_of(server),
        server_name=str(environment.get("server_name") or ""),
        version=str(environment.get("server_version") or ""),
    )


def ask_for_trust(remote: Remote, greeting: Greeting, secret: str) -> None:
    """Have the host trust our certificate; NotTrustedError when the secret is not the right one."""
    if greeting.kind is Kind.INCUS or "explicit_trust_token" in greeting.extensions:
        field = "trust_token" if token_of(secret) else "password"
    else:
        field = "password"  # older LXD takes tokens there too
    if greeting.kind is Kind.INCUS and field == "password":
        raise UsageError(
            f"{remote.name}: Incus knows no passwords; get a token with "
            f"'incus config trust add NAME' on the host"
        )
    body = {"type": "client", field: secret.strip() if field == "trust_token" else secret}
    with _session(remote, _der(greeting)) as session:
        address = f"{remote.address}/1.0/certificates"
        answer = session.post(address, json=body, timeout=_TIMEOUT)
        if answer.status_code in {requests.codes.forbidden, requests.codes.unauthorized}:
            raise NotTrustedError(
                f"{remote.name}: the host does not accept that secret ({_said(answer)}); tokens "
                f"are good for one use: get a new one"
            )
        if answer.status_code != requests.codes.conflict:  # it trusts our certificate already
            _asked(remote, answer)


def projects(remote: Remote, greeting: Greeting) -> list[str]:
    """The projects that the host lets us see; empty where it has none or does not say."""
    with _session(remote, _der(greeting)) as session:
        answer = session.get(f"{remote.address}/1.0/projects", timeout=_TIMEOUT)
        if answer.status_code != requests.codes.ok:
            return []
        return [str(one).rpartition("/")[2] for one in _asked(remote, answer) or ()]


def _der(greeting: Greeting) -> bytes:
    return tls.first_certificate(greeting.certificate)


def _certificate(remote: Remote) -> tuple[bool, bytes]:
    """Whether authorities vouch for the host, and its certificate; nothing else is asked."""
    try:
        with tls.connected(replace(remote, server_cert=None)) as secure:
            return True, _shown(secure)
    except ssl.SSLCertVerificationError:
        pass  # it has signed its certificate itself, as daemons do
    except (OSError, CertificateError) as error:
        raise unreachable(remote, str(error)) from error
    where = urlsplit(remote.address)
    blind = tls.context(replace(remote, server_cert=None, authority=None))
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(
                (where.hostname or "", where.port or _PORT), tls.CONNECT_SECONDS
            ) as plain,
            blind.wrap_socket(plain, server_hostname=where.hostname) as secure,
        ):
            return False, _shown(secure)
    except OSError as error:
        raise unreachable(remote, str(error)) from error


def _shown(secure: socket.socket) -> bytes:
    return (
        (secure.getpeercert(binary_form=True) or b"") if isinstance(secure, ssl.SSLSocket) else b""
    )


@contextmanager
def _session(remote: Remote, certificate: bytes) -> Iterator[requests.Session]:
    """A session to whoever shows *certificate*, and to nobody else."""
    with requests.Session() as session:
        session.trust_env = False
        session.max_redirects = 0
        session.mount("https://", tls.PinnedAdapter(remote, certificate))
        try:
            yield session
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(remote, str(error)) from error


def _asked(remote: Remote, answer: requests.Response) -> Any:
    try:
        document = answer.json()
        if answer.status_code < requests.codes.bad_request:
            return document["metadata"]
        raise OperationError(f"{remote.name}: {_said(answer)}")
    except (ValueError, KeyError, TypeError) as error:
        raise _no_daemon(remote) from error


def _said(answer: requests.Response) -> str:
    try:
        document: Mapping[str, Any] = answer.json()
        return one_line(str(document.get("error") or ""))
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"


def _no_daemon(remote: Remote) -> LxtuiError:
    return HostUnreachableError(
        f"{remote.name}: what answers at {remote.address} is neither LXD nor Incus; "
        f"is the address right?"
    )
