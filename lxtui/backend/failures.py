"""Why a host could not be asked, out of what three layers of libraries say about it.

Role: requests', urllib3's and ssl's words → one sentence with what to do next. Boundary: pure; only
texts come in, because those libraries wrap each other's exceptions in ways that change. Threading:
functions.
"""

from __future__ import annotations

from lxtui.backend.tls import CHANGED
from lxtui.errors import CertificateError, HostUnreachableError, LxtuiError, NotTrustedError
from lxtui.model import CLI, Kind, Remote

_GROUPS = {Kind.LXD: "lxd", Kind.INCUS: "incus-admin"}
_CAUSES = ("Connection refused", "No such file or directory", "No route to host")


def unreachable(remote: Remote, said: str) -> LxtuiError:
    """The error for a connection to *remote* that failed with *said*."""
    name = remote.name
    if "Fingerprints did not match" in said:
        return CertificateError(f"{name}: {CHANGED}")
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return CertificateError(
            f"{name}: no certificate is pinned for this host and no authority vouches for it; "
            f"add the remote again with '{CLI[remote.kind]} remote add'"
        )
    if "PermissionError" in said or "Permission denied" in said:
        return NotTrustedError(
            f"{name}: {remote.address}: permission denied; join the group {_GROUPS[remote.kind]}"
        )
    return HostUnreachableError(
        f"{name}: no answer from {remote.address} ({_cause(said)}); "
        f"is the daemon running and the address right?"
    )


def one_line(text: str) -> str:
    """*text* without line breaks; never empty."""
    return " ".join(text.split()) or "no reason given"


def _cause(said: str) -> str:
    """The words that matter, where they are known."""
    if "timed out" in said:
        return "timed out"
    known = (cause.lower() for cause in _CAUSES if cause in said)
    return next(known, one_line(said))
