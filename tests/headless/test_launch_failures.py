"""Whose fault it is that an image server's image was not had, out of the daemons' own words."""

from __future__ import annotations

import pytest

from lxtui.launching.failures import from_server
from lxtui.launching.spec import ServerImage
from lxtui.model import Kind

URL = "https://10.0.0.1:8443"
IMAGE = ServerImage("images", URL, "debian/12")
_BEFORE = "h: Failed getting remote image info: Failed getting image: "
_GET = f'{_BEFORE}Failed parsing stream: Get "{URL}/streams/v1/index.json": '


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            f"{_BEFORE}The requested image couldn't be found",
            "images has no image 'debian/12' for h (",
        ),
        (f"{_GET}x509: certificate signed by unknown authority", "h does not believe the"),
        (
            (
                f"{_GET}tls: failed to verify certificate: x509: certificate signed by unknown "
                f"authority"
            ),
            "h does not believe the certificate of https://10.0.0.1:8443 (",
        ),
        (
            (
                f"{_GET}Unable to connect to: 10.0.0.1:8443 ([dial tcp 10.0.0.1:8443: connect: "
                f"connection refused])"
            ),
            "h does not reach https://10.0.0.1:8443 (",
        ),
        (
            (
                f"{_GET}lookup images.linuxcontainers.org on 10.255.255.53:53: dial udp "
                f"10.255.255.53:53: connect: network is unreachable"
            ),
            "h does not reach",
        ),
        (
            (
                f"{_BEFORE}Failed parsing stream: Unable to fetch {URL}/streams/v1/index.json: 404 "
                f"File not found"
            ),
            "h could not fetch images:debian/12 from https://10.0.0.1:8443: ",
        ),
        ("h: No root device could be found", "h could not fetch images:debian/12"),
    ],
    ids=["name", "lxd-tls", "incus-tls", "refused", "dns", "404", "else"],
)
def test_whose_fault_it_is(said: str, told: str) -> None:
    """Said first; the daemon's words stay, for those who know more."""
    line = from_server("h", Kind.INCUS, IMAGE, said)
    assert line.startswith(told)
    assert said in line
    if "has no image" in line:
        assert "'incus image list images:' lists what it has" in line
