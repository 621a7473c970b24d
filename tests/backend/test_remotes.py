"""The lxc and incus command lines' configuration as remotes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.errors import NotFoundError
from lxtui.model import Kind

_LXC = """
default-remote: prod
remotes:
  prod: {addr: "https://10.1.1.1:8443", auth_type: tls, project: shop, protocol: lxd, public: false}
  images: {addr: "https://images.invalid", protocol: simplestreams, public: true}
  local: {addr: "unix://", public: false}
  both: {addr: "https://10.1.1.2:8443", protocol: lxd}
  odd: {addr: "ftp://10.1.1.3", protocol: lxd}
"""
_INCUS = """
remotes:
  both: {addr: "https://10.1.1.4:8443,https://10.1.1.5:8443", protocol: incus}
  near: {addr: "unix:///srv/incus.socket", protocol: incus}
"""


def _home(tmp_path: Path) -> Path:
    lxc = tmp_path / ".config" / "lxc"
    incus = tmp_path / ".config" / "incus"
    (lxc / "servercerts").mkdir(parents=True)
    incus.mkdir(parents=True)
    (lxc / "config.yml").write_text(_LXC)
    (incus / "config.yml").write_text(_INCUS)
    (lxc / "client.crt").touch()
    (lxc / "client.key").touch()
    (lxc / "servercerts" / "prod.crt").touch()
    return tmp_path


def test_both_configurations_are_read(tmp_path: Path) -> None:
    """Hosts of both files are found with project, certificates and pin; image servers are not."""
    home = _home(tmp_path)
    known = remotes.load({}, home, root=tmp_path)
    by_name = {one.name: one for one in known.remotes}
    assert set(by_name) == {"prod", "both@lxd", "both@incus", "near"}
    prod = by_name["prod"]
    assert (prod.kind, prod.project, prod.address) == (Kind.LXD, "shop", "https://10.1.1.1:8443")
    assert prod.client_cert == str(home / ".config/lxc/client.crt")
    assert prod.server_cert == str(home / ".config/lxc/servercerts/prod.crt")
    assert by_name["both@incus"].address == "https://10.1.1.4:8443"
    assert by_name["near"].address == "/srv/incus.socket"
    assert by_name["near"].is_socket
    (problem,) = known.problems
    assert "odd" in problem


def test_a_name_of_both_is_never_guessed(tmp_path: Path) -> None:
    """A host name that both command lines use must be said with its kind."""
    known = remotes.load({}, _home(tmp_path), root=tmp_path)
    with pytest.raises(NotFoundError, match=r"both@lxd or both@incus"):
        known.named("both")
    assert known.named("both@incus").kind is Kind.INCUS
    assert known.named("prod@lxd").name == "prod"
    with pytest.raises(NotFoundError, match="known: prod"):
        known.named("nowhere")


def test_local_sockets_are_found(tmp_path: Path) -> None:
    """A daemon's socket makes a remote named local, at the place that the environment names."""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "unix.socket"))
        known = remotes.load({"LXD_DIR": str(tmp_path)}, tmp_path, root=tmp_path)
    (local,) = known.remotes
    assert (local.name, local.kind) == ("local", Kind.LXD)
    assert local.address == str(tmp_path / "unix.socket")


def test_no_configuration_is_no_error(tmp_path: Path) -> None:
    """A user without lxc and incus has no hosts and no problems."""
    assert remotes.load({}, tmp_path, root=tmp_path) == remotes.Remotes(())


def test_an_address_that_is_none_is_left_out(tmp_path: Path) -> None:
    """One broken address is a problem that names its remote; the others are found."""
    home = _home(tmp_path)
    (home / ".config/lxc/config.yml").write_text(
        'remotes: {bad: {addr: "https://[fe80"}, good: {addr: "https://10.0.0.1:8443"}}'
    )
    known = remotes.load({}, home, root=tmp_path)
    assert {one.name for one in known.remotes} == {"good", "both", "near"}
    assert any("remote bad" in problem for problem in known.problems)


@pytest.mark.parametrize("text", ["remotes: [", "\x00", "- a\n- b\n", "remotes: 7\n"])
def test_broken_files_do_not_stop_the_rest(tmp_path: Path, text: str) -> None:
    """A configuration that cannot be read is a problem that names its file, or no hosts at all."""
    home = _home(tmp_path)
    (home / ".config/lxc/config.yml").write_text(text)
    known = remotes.load({}, home, root=tmp_path)
    assert {one.name for one in known.remotes} == {"both", "near"}
    assert all("config.yml" in problem for problem in known.problems)
