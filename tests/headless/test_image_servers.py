"""What image servers say that they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lxtui.backend import streams, tls
from lxtui.errors import HostUnreachableError
from lxtui.launching.streams import choices
from tests.lab.client import make_authority, make_certificate, sign
from tests.lab.streams import StreamsServer

SPLIT = {
    "lxd.tar.xz": {"ftype": "lxd.tar.xz", "size": 1},
    "root.squashfs": {"ftype": "squashfs", "size": 700},
    "disk.qcow2": {"ftype": "disk-kvm.img", "size": 900},
}


def _product(aliases: Any, arch: Any = "amd64", items: Any = None, **more: Any) -> Any:
    versions = {"1": {"items": {}}, "2": {"items": SPLIT if items is None else items}}
    return {"aliases": aliases, "arch": arch, "os": "Debian", "versions": versions, **more}


def test_products_are_choices() -> None:
    """The shortest alias names one, its latest version counts; what fits no host is left out."""
    disk = {"disk.img": {"ftype": "disk1.img", "size": 5}, "meta": {"ftype": "lxd.tar.xz"}}
    products = {
        "a": _product("debian/12/default, debian/12", variant="default", release_title="bookworm"),
        "b": _product("debian/12", "arm64"),
        "c": _product("win", items=disk),
        "d": _product("alpine/3.20", items={"x": {"ftype": "incus_combined.tar.gz"}}),
        "e": _product("nothing", items={"x": {"ftype": "sha256"}}),
    }
    found = choices("images", [{"products": products}], ("x86_64", "i686"))
    assert [(one.name, one.vm, one.size) for one in found] == [
        ("alpine/3.20", False, None),
        ("debian/12", False, 700),
        ("win", True, 5),
    ]
    assert found[1].description == "Debian bookworm default"
    assert found[1].architecture == "x86_64"
    (other,) = choices("images", [{"products": {"b": products["b"]}}], ())
    assert other.architecture == "aarch64"


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "x",
        {"products": None},
        {"products": {"a": None, "b": []}},
        {"products": {"a": _product(None), "b": _product(7), "c": _product(" , ")}},
        {"products": {"a": {"aliases": "x"}, "b": {"aliases": "x", "versions": {"1": None}}}},
        {"products": {"a": _product("x", items=[1]), "b": _product("x", items={"i": None})}},
        {"products": {"a": _product("x", items={"i": {"ftype": ["squashfs"]}})}},
    ],
)
def test_odd_documents_have_no_images(odd: Any) -> None:
    """Nothing that a server says ends the program."""
    assert choices("images", [odd]) == ()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one that this machine trusts."""
    made = tmp_path / "authority" / "ca.crt"
    make_authority(made)
    monkeypatch.setattr(tls, "_load_authorities", lambda one: one.load_verify_locations(made))
    return made


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """What the server has."""
    folder = tmp_path / "content"
    (folder / "streams/v1").mkdir(parents=True)
    about = {"datatype": "image-downloads", "path": "streams/v1/images.json"}
    index = {"images": about, "other": {**about, "datatype": "else"}, "odd": 7}
    (folder / streams.INDEX).write_text(json.dumps({"index": index}))
    (folder / "streams/v1/images.json").write_text(json.dumps({"products": {"a": _product("x")}}))
    return folder


@pytest.fixture
def server(authority: Path, content: Path, tmp_path: Path) -> Iterator[StreamsServer]:
    """With a certificate of that authority."""
    certificate = sign(tmp_path / "server", authority)
    with closing(StreamsServer(content, "127.0.0.1", certificate)) as one:
        yield one


def test_a_server_is_asked(server: StreamsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lists are those that its index names; the environment changes nothing."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "https_proxy"):
        monkeypatch.setenv(name, "/nonexistent")
    (listed,) = streams.lists("images", server.url)
    assert [one.name for one in choices("images", [listed])] == ["x"]


def test_who_is_no_image_server_is_said(
    server: StreamsServer, content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index, no JSON, no end, a certificate that nobody vouches for, nobody there."""
    with monkeypatch.context() as patch:
        patch.setattr(streams, "_MOST_BYTES", 10)
        with pytest.raises(HostUnreachableError, match="has no end"):
            streams.lists("images", server.url)
    (content / streams.INDEX).write_text("<html>")
    with pytest.raises(HostUnreachableError, match="is no list of images"):
        streams.lists("images", server.url)
    (content / streams.INDEX).unlink()
    with pytest.raises(HostUnreachableError, match="answers 404: is it an image server"):
        streams.lists("images", server.url)
    own = make_certificate(tmp_path / "own")
    with closing(StreamsServer(content, "127.0.0.1", own)) as wrong:
        with pytest.raises(HostUnreachableError, match="no authority that this machine trusts"):
            streams.lists("images", wrong.url)
        url = wrong.url
    with pytest.raises(HostUnreachableError, match="no answer from"):
        streams.lists("images", url)
