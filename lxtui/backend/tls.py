"""TLS to a daemon: the pinned certificate decides, nothing of the environment does.

Role: the one place where a connection's peer is checked; REST, websockets and SFTP all take their
TLS from here. Boundary: reads the certificates that a Remote names, and the system's authorities
for a remote without a pin; no variable of the environment is looked at (SSL_CERT_FILE, proxies,
CA bundles, ~/.netrc). Threading: functions; a session's adapter is thread-safe as requests' own.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

from lxtui.errors import CertificateError
from lxtui.model import Remote

CHANGED = (
    "the host shows another certificate than the pinned one; if it was reinstalled, "
    "remove the remote and add it again, else somebody is in between"
)
CONNECT_SECONDS = 5.0
PORT = 443
"""Of an address without one: the command lines write 8443 down when they add a remote."""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the authorities in one file, as Go's crypto/x509 looks for them too."""


class PinnedAdapter(HTTPAdapter):
    """requests' transport to one remote; the peer is checked before a request is sent."""

    def __init__(self, remote: Remote, certificate: bytes | None = None) -> None:
        """Pin *certificate* (DER), else what *remote* has pinned, else ask its authorities."""
        if certificate is None and remote.server_cert:
            certificate = pinned(remote)
        self._context = context(remote)
        if certificate is not None:
            self._context.check_hostname = False
        self._pin = fingerprint(certificate) if certificate is not None else None
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Give every connection our context and the pin."""
        options |= {"ssl_context": self._context, "assert_fingerprint": self._pin}
        super().init_poolmanager(*arguments, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Leave the authorities to the context: requests would add its own bundle."""
        conn.cert_reqs = "CERT_NONE" if self._pin else "CERT_REQUIRED"


def connected(remote: Remote) -> socket.socket:
    """A connected socket whose peer is the daemon that we pinned; OSError or CertificateError."""
    if remote.is_socket:
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(CONNECT_SECONDS)
            plain.connect(remote.address)
            plain.settimeout(None)
        except BaseException:
            plain.close()
            raise
        return plain
    checks = context(remote)
    where = urlsplit(remote.address)
    host = where.hostname or ""
    plain = socket.create_connection((host, where.port or PORT), timeout=CONNECT_SECONDS)
    try:
        secure = checks.wrap_socket(plain, server_hostname=host)
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


def reachable(remote: Remote) -> Remote:
    """*remote* with the first of its addresses that leads to the daemon, the others after it.

    OSError or CertificateError of the first one when none does.
    """
    if not remote.others:
        return remote
    every = (remote.address, *remote.others)
    errors: list[OSError | CertificateError] = []
    for address in every:
        there = replace(
            remote, address=address, others=tuple(one for one in every if one != address)
        )
        try:
            connected(there).close()
        except (OSError, CertificateError) as error:
            errors.append(error)
        else:
            return there
    # Somebody in between is worse news than nobody there.
    raise next((one for one in errors if isinstance(one, CertificateError)), errors[0])


def context(remote: Remote) -> ssl.SSLContext:
    """What a connection to *remote* asks of its peer, and the certificate that it shows there."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if remote.server_cert:
        # The pin replaces authorities and names: daemons sign their own certificates.
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif remote.authority:
        made.load_verify_locations(cafile=remote.authority)
    else:
        _load_authorities(made)
    if remote.client_cert and remote.client_key:
        # Without a password OpenSSL would ask for one, on the terminal.
        made.load_cert_chain(remote.client_cert, remote.client_key, password="")
    return made


def pinned(remote: Remote) -> bytes:
    """The pinned certificate, DER; CertificateError when its file holds none."""
    path = Path(remote.server_cert or "")
    try:
        return first_certificate(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"{remote.name}: {path} is not a certificate ({error}); "
            f"remove the remote and add it again"
        ) from error


def first_certificate(pem: str) -> bytes:
    """The first certificate of a PEM text, DER; ValueError when there is none."""
    match = _PEM.search(pem)
    if match is None:
        raise ValueError("no PEM certificate in it")
    der = ssl.PEM_cert_to_DER_cert(match[0] + "\n")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    return der


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a DER certificate, as the daemons and their command lines write it."""
    return hashlib.sha256(certificate).hexdigest()


def _load_authorities(made: ssl.SSLContext) -> None:
    """The system's, from where OpenSSL was built to look and not from where variables say."""
    paths = ssl.get_default_verify_paths()
    for place in (paths.openssl_cafile, paths.openssl_capath, *_BUNDLES):
        if Path(place).is_file():
            made.load_verify_locations(cafile=place)
            return
        if Path(place).is_dir():
            made.load_verify_locations(capath=place)


def _check_pin(remote: Remote, secure: ssl.SSLSocket) -> None:
    if not remote.server_cert:
        return  # the context has asked the system's authorities
    shown = secure.getpeercert(binary_form=True) or b""
    if fingerprint(shown) != fingerprint(pinned(remote)):
        raise CertificateError(f"{remote.name}: {CHANGED}")
