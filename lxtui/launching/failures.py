"""Why a host could not have an image of an image server.

Role: the daemon's words, which are those of Go's libraries → whose fault it is and what to do, with
those words in brackets. Boundary: pure. Threading: functions.

Source: what LXD 5.0.2 and Incus 6.0.4 said (tests/headless/test_launch_failures.py has it).
"""

from __future__ import annotations

from lxtui.launching.spec import ServerImage
from lxtui.model import CLI, Kind

_ABSENT = ("couldn't be found", "image not found")
_UNBELIEVED = ("x509:", "tls: ")
_OUT_OF_REACH = (
    *("dial tcp", "dial udp", "lookup ", "no such host", "unreachable", "timeout", "timed out"),
    *("proxyconnect", "connection refused", "connection reset"),
)


def from_server(host: str, kind: Kind, image: ServerImage, said: str) -> str:
    """What to tell of *said* by *host*, which was to fetch *image*."""
    lower = said.lower()

    def any_of(words: tuple[str, ...]) -> bool:
        return any(one in lower for one in words)

    if any_of(_ABSENT):
        return (
            f"{image.remote} has no image {image.alias!r} for {host} ({said}): "
            f"'{CLI[kind]} image list {image.remote}:' lists what it has"
        )
    if any_of(_UNBELIEVED):
        return (
            f"{host} does not believe the certificate of {image.server} ({said}): its authority "
            f"has to be among those that its system trusts, and the daemon started anew after that"
        )
    if any_of(_OUT_OF_REACH):
        return (
            f"{host} does not reach {image.server} ({said}): it fetches images itself; where it "
            f"needs a proxy, its core.proxy_https says which"
        )
    return f"{host} could not fetch {image.word(host)} from {image.server}: {said}"
