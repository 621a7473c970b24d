"""What an image server says that it has (simplestreams).

Role: its index and the lists that it names, as JSON. Boundary: HTTPS from this machine; the
system's authorities vouch for the server, and nothing of the environment counts, no proxy either.
Threading: functions; they block.

Source: the index and the lists of images.linuxcontainers.org and cloud-images.ubuntu.com.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests
import urllib3

from lxtui.backend.failures import unreachable
from lxtui.backend.tls import PinnedAdapter
from lxtui.errors import HostUnreachableError
from lxtui.model import Kind, Remote

INDEX = "streams/v1/index.json"
_TIMEOUT = (5.0, 20.0)
_MOST_BYTES = 64 * 2**20
"""Of one document; the largest of the public ones has a few MiB."""
_MOST_LISTS = 8
_PIECE = 256 * 1024


def lists(name: str, url: str) -> list[Any]:
    """Each list of images of the server *name* at *url*; LxtuiError when it cannot be had."""
    remote = Remote(name, Kind.LXD, url)
    with requests.Session() as session:
        session.trust_env = False
        session.max_redirects = 0
        try:
            session.mount("https://", PinnedAdapter(remote))
            paths = _paths(_document(session, remote, INDEX))
            return [_document(session, remote, path) for path in paths[:_MOST_LISTS]]
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise HostUnreachableError(
                    f"{name}: no authority that this machine trusts vouches for {url}; the hosts "
                    f"fetch images themselves, and may trust it"
                ) from error
            raise unreachable(remote, str(error)) from error


def _paths(index: Any) -> list[str]:
    entries = index.get("index") if isinstance(index, Mapping) else None
    found = entries.values() if isinstance(entries, Mapping) else ()
    return [
        one["path"]
        for one in found
        if isinstance(one, Mapping)
        and one.get("datatype") == "image-downloads"
        and isinstance(one.get("path"), str)
    ]


def _document(session: requests.Session, remote: Remote, path: str) -> Any:
    where = f"{remote.address}/{path.lstrip('/')}"
    with session.get(where, timeout=_TIMEOUT, stream=True) as answer:
        if answer.status_code != requests.codes.ok:
            raise HostUnreachableError(
                f"{remote.name}: {where} answers {answer.status_code}: is it an image server?"
            )
        data = bytearray()
        for piece in answer.iter_content(_PIECE):
            data += piece
            if len(data) > _MOST_BYTES:
                raise HostUnreachableError(f"{remote.name}: {where} has no end")
    try:
        return json.loads(data)
    except ValueError as error:
        raise HostUnreachableError(f"{remote.name}: {where} is no list of images") from error
