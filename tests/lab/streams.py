"""An image server of the simplestreams kind, with the lab's own image.

Role: what images.linuxcontainers.org is, on an address of the lab: HTTPS, an index, a list of
products, the files of two images (a split one and a unified one). Boundary: builds files below a
folder, listens on the lab's bridge. Threading: a thread of its own for each request, until `close`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import platform
import ssl
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

from . import image
from .tools import run

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SPLIT, UNIFIED = "debian/12", "alpine/3.20"
"""Aliases: of the image in two files, and of the one in a single one."""
_VERSION = "20261121_05:24"


def build(folder: Path) -> None:
    """Write all that the server has below FOLDER."""
    whole = folder / "image.tar"
    image.build(whole)
    files = folder / "images"
    files.mkdir()
    with tarfile.open(whole) as archive:
        content = archive.extractfile("metadata.yaml")
        assert content is not None
        metadata = content.read()
        archive.extractall(folder / "tree", filter="fully_trusted")  # noqa: S202 we wrote it
    root = files / "rootfs.squashfs"
    run(["mksquashfs", str(folder / "tree/rootfs"), str(root), "-comp", "gzip", "-quiet"])
    head = BytesIO()
    with tarfile.open(fileobj=head, mode="w") as archive:
        info = tarfile.TarInfo("metadata.yaml")
        info.size = len(metadata)
        archive.addfile(info, BytesIO(metadata))
    (files / "meta.tar.xz").write_bytes(lzma.compress(head.getvalue()))
    (files / "whole.tar.gz").write_bytes(gzip.compress(whole.read_bytes(), 1))
    both = hashlib.sha256((files / "meta.tar.xz").read_bytes() + root.read_bytes()).hexdigest()
    split = {
        name: {**_item(files / "meta.tar.xz", name), "combined_squashfs_sha256": both}
        for name in ("lxd.tar.xz", "incus.tar.xz")
    }
    split["root.squashfs"] = _item(root, "squashfs")
    names = ("lxd_combined.tar.gz", "incus_combined.tar.gz")
    unified = {name: _item(files / "whole.tar.gz", name) for name in names}
    arch = ARCHITECTURES.get(platform.machine(), platform.machine())
    products = {
        f"debian:bookworm:{arch}:default": _product(arch, "Debian", "bookworm", SPLIT, split),
        f"alpine:3.20:{arch}:default": _product(arch, "Alpine", "3.20", UNIFIED, unified),
    }
    streams = folder / "streams/v1"
    streams.mkdir(parents=True)
    about = {"datatype": "image-downloads", "format": "products:1.0"}
    index = {"images": {**about, "path": "streams/v1/images.json", "products": [*products]}}
    (streams / "index.json").write_text(json.dumps({"format": "index:1.0", "index": index}))
    listed = {**about, "content_id": "images", "products": products}
    (streams / "images.json").write_text(json.dumps(listed))


def _item(file: Path, kind: str) -> dict[str, Any]:
    data = file.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return {"ftype": kind, "path": f"images/{file.name}", "sha256": sha256, "size": len(data)}


def _product(arch: str, system: str, release: str, alias: str, items: Any) -> dict[str, Any]:
    return {
        "aliases": f"{alias}/default,{alias}",
        "arch": arch,
        "os": system,
        "release": release,
        "release_title": release,
        "variant": "default",
        "versions": {_VERSION: {"items": items}},
    }


class _Quiet(SimpleHTTPRequestHandler):
    """Files, without a line for each request."""

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    """Without a word about clients that turn away: some do not believe the certificate."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class StreamsServer:
    """Serves FOLDER over HTTPS at ADDRESS with CERTIFICATE, whose key lies beside it."""

    def __init__(self, folder: Path, address: str, certificate: Path) -> None:
        self._server = _Server((address, 0), partial(_Quiet, directory=str(folder)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        # The handshake is made by the thread of the request, not by the one that accepts.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://{address}:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()
