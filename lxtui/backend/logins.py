"""How a host lets people in.

Role: the ways that a host offers; the error when none of them is ours, with what to do instead.
Boundary: pure; what a host answers may have any shape. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lxtui.errors import UnsupportedError
from lxtui.format import plain
from lxtui.model import Kind

OURS = "tls"
TOKEN = {
    Kind.LXD: "lxc config trust add --name NAME",
    Kind.INCUS: "incus config trust add NAME",
}
"""What gives out a trust token, on the host."""
_NAMES = {"oidc": "OpenID Connect"}


def methods_of(server: Mapping[str, Any]) -> tuple[str, ...]:
    """The ways in ``GET /1.0``; empty where it does not say."""
    found = server.get("auth_methods")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def check(name: str, kind: Kind, methods: Collection[str]) -> None:
    """UnsupportedError when there are *methods*, and certificates are none of them."""
    if not methods or OURS in methods:
        return
    how = " or ".join(_NAMES.get(one, repr(plain(one))) for one in methods)
    raise UnsupportedError(
        f"{name}: logs in through {how}, which lxtui cannot do; on the host, '{TOKEN[kind]}' gives "
        f"a token, with which 'lxtui hosts add NAME ADDRESS --token -' adds it by a "
        f"certificate; ADDRESS is the daemon's own, no proxy's that ends TLS before it"
    )
