"""The lxc and incus command lines' configuration as remotes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.errors import NotFoundError, UsageError
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
  both: {addr: "https://10.1.1.4:8443, https://10.1.1.5:8443", protocol: incus}
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
    assert by_name["both@incus"].others == ("https://10.1.1.5:8443",)
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


# What a person may have written there, and what the command lines themselves write.
_ODD = """
default-remote: many
remotes:
  no: {addr: "https://10.0.0.1:8443"}
  1e3: {addr: "https://10.0.0.2", public: off, project: shop}
  many: {addr: "https://10.0.0.3:8443,https://10.0.0.4:8443"}
  seen: {addr: "https://a:8443,https://b:8443", last_working_address: "https://b:8443"}
  sock: {addr: "unix:/srv/daemon.socket", project: p}
  own: {addr: "unix://"}
  local: {addr: "https://elsewhere:8443", project: mine}
  images: {addr: "https://10.0.0.5", protocol: simplestreams, public: true}
  shown: {addr: "https://10.0.0.6:8443", public: yes}
  login: {addr: "https://10.0.0.7:8443", auth_type: oidc}
"""
_COMMON = """
remotes:
  many: {addr: "https://10.9.9.1:8443", project: theirs}
  everyones: {addr: "https://10.9.9.2:8443", project: theirs}
"""


def _configured(tmp_path: Path) -> dict[str, str]:
    """An environment in which both command lines have the same two files, and no socket."""
    for folder, text in (("mine", _ODD), ("common", _COMMON)):
        (tmp_path / folder / "servercerts").mkdir(parents=True)
        (tmp_path / folder / "config.yml").write_text(text)
        for name in ("many", "everyones"):
            (tmp_path / folder / "servercerts" / f"{name}.crt").touch()
    (tmp_path / "mine/client.crt").touch()
    (tmp_path / "mine/client.key").touch()
    made = {}
    for prefix in ("LXD", "INCUS"):
        made[f"{prefix}_CONF"] = str(tmp_path / "mine")
        made[f"{prefix}_GLOBAL_CONF"] = str(tmp_path / "common")
        made[f"{prefix}_DIR"] = str(tmp_path / "nothing")
    return made


@pytest.mark.parametrize("kind", list(Kind))
def test_we_show_what_the_command_line_shows(kind: Kind, tmp_path: Path) -> None:
    """`remote list` of the real command line and we agree on every host, its address and project;
    what only we leave out is the local socket where there is none.
    """
    cli = {Kind.LXD: "lxc", Kind.INCUS: "incus"}[kind]
    program = shutil.which(cli)
    if program is None:
        pytest.skip(f"{cli} is not installed")
    environ = _configured(tmp_path)
    asked = {**environ, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    listed = subprocess.run(
        [program, "remote", "list", "--format", "json"],
        env=asked,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    shown = {
        name: (entry["Addr"], entry["Project"] or "default", entry["AuthType"] or "tls")
        for name, entry in json.loads(listed.stdout).items()
        if not entry["Public"] and name not in {"local", "own"}
    }
    known = remotes.load(environ, tmp_path, root=tmp_path)
    ours = {
        one.name.partition("@")[0]: (
            "unix:" + one.address
            if one.is_socket
            else ",".join(sorted((one.address, *one.others))),
            one.project,
            one.auth_type,
        )
        for one in known.remotes
        if one.kind is kind and not one.name.startswith("own")
    }
    assert ours == shown
    assert "no" in shown
    assert "everyones" in shown
    assert known.problems == ()


def test_the_address_that_worked_last_comes_first(tmp_path: Path) -> None:
    """Of several addresses the one that incus wrote down as working is tried before the others."""
    known = remotes.load(_configured(tmp_path), tmp_path, root=tmp_path)
    seen = known.named("seen@incus")
    assert (seen.address, seen.others) == ("https://b:8443", ("https://a:8443",))


def test_everyones_remotes_have_everyones_pins(tmp_path: Path) -> None:
    """A remote of the machine's configuration has its pin there, and the user's certificate; a
    remote of the same name in the user's own configuration hides it.
    """
    known = remotes.load(_configured(tmp_path), tmp_path, root=tmp_path)
    common = known.named("everyones@lxd")
    assert common.server_cert == str(tmp_path / "common/servercerts/everyones.crt")
    assert common.client_key == str(tmp_path / "mine/client.key")
    assert known.named("many@lxd").server_cert == str(tmp_path / "mine/servercerts/many.crt")
    assert known.named("many@lxd").project == "default"


def test_the_global_configuration_is_below_etc(tmp_path: Path) -> None:
    """Without variables it is /etc/lxd and /etc/incus, also for a user without own files."""
    for folder, address in (("lxd", "https://10.0.0.1:8443"), ("incus", "https://10.0.0.2:8443")):
        (tmp_path / "etc" / folder).mkdir(parents=True)
        text = f'remotes: {{{folder}: {{addr: "{address}"}}}}'
        (tmp_path / "etc" / folder / "config.yml").write_text(text)
    known = remotes.load({}, tmp_path, root=tmp_path)
    assert {(one.name, one.kind) for one in known.remotes} == {
        ("lxd", Kind.LXD),
        ("incus", Kind.INCUS),
    }


@contextmanager
def _listening(*paths: Path) -> Iterator[None]:
    sockets = [socket.socket(socket.AF_UNIX) for _ in paths]
    try:
        for one, path in zip(sockets, paths, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            one.bind(str(path))
        yield
    finally:
        for one in sockets:
            one.close()


def test_a_remote_without_a_path_is_the_local_socket(tmp_path: Path) -> None:
    """`unix://` under another name than local is that host too; local keeps its project only."""
    environ = _configured(tmp_path)
    with _listening(tmp_path / "nothing/unix.socket"):
        known = remotes.load(environ, tmp_path, root=tmp_path)
    for name, project in (("own@incus", "default"), ("local@lxd", "mine")):
        remote = known.named(name)
        assert remote.address == str(tmp_path / "nothing/unix.socket")
        assert remote.project == project


@pytest.mark.parametrize(
    ("place", "project"),
    [
        ("var/snap/lxd/common/lxd/unix.socket", "default"),
        ("var/lib/lxd/unix.socket", "default"),
        ("var/snap/lxd/common/lxd-user/unix.socket", "user-{}"),
        ("run/incus/unix.socket", "default"),
        ("var/lib/incus/unix.socket", "default"),
        ("run/incus/unix.socket.user", "user-{}"),
        ("var/lib/incus/unix.socket.user", "user-{}"),
    ],
)
def test_each_place_of_a_socket(place: str, project: str, tmp_path: Path) -> None:
    """A socket is found wherever packages put it; the one for users has a project for each."""
    with _listening(tmp_path / place):
        (local,) = remotes.load({}, tmp_path, root=tmp_path).remotes
    assert local.address == str(tmp_path / place)
    assert local.project == project.format(os.geteuid())


def test_the_socket_that_we_may_use_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not write to the administrators' socket gets the users'; who may, gets theirs."""
    admin, user = (
        tmp_path / "var/lib/incus" / name for name in ("unix.socket", "unix.socket.user")
    )
    with _listening(admin, user):
        assert remotes.load({}, tmp_path, root=tmp_path).named("local").address == str(admin)
        monkeypatch.setattr(os, "access", lambda path, _: path == user)  # root may write to all
        assert remotes.load({}, tmp_path, root=tmp_path).named("local").address == str(user)
        monkeypatch.setattr(os, "access", lambda *_: False)
        assert remotes.load({}, tmp_path, root=tmp_path).named("local").address == str(admin)


def test_a_name_alone_is_of_the_default_remote(tmp_path: Path) -> None:
    """Without a host the one is taken that the command line would take; two are never guessed."""
    home = _home(tmp_path)
    assert remotes.load({}, home, root=tmp_path).default_for("web1").name == "prod"
    switched = {"INCUS_REMOTE": "near"}
    with pytest.raises(UsageError, match=r"near:web1 or prod:web1"):
        remotes.load(switched, home, root=tmp_path).default_for("web1")
    nowhere = {"LXC_REMOTE": "nowhere"}
    with pytest.raises(UsageError, match="host:name"):
        remotes.load(nowhere, home, root=tmp_path).default_for("web1")
    both = {"LXC_REMOTE": "both", "INCUS_REMOTE": "gone"}
    assert remotes.load(both, home, root=tmp_path).default_for("web1").name == "both@lxd"


def test_a_project_of_the_environment(tmp_path: Path) -> None:
    """INCUS_PROJECT stands for `--project` of every incus command, and for lxc nothing does."""
    known = remotes.load({"INCUS_PROJECT": "mine"}, _home(tmp_path), root=tmp_path)
    assert {one.name: one.project for one in known.remotes} == {
        "prod": "shop",
        "both@lxd": "default",
        "both@incus": "mine",
        "near": "mine",
    }


def test_an_authority_for_all_hosts(tmp_path: Path) -> None:
    """client.ca, where there is one, vouches for the hosts that have no pin."""
    environ = _configured(tmp_path)
    (tmp_path / "mine/client.ca").touch()
    for remote in remotes.load(environ, tmp_path, root=tmp_path).remotes:
        assert remote.is_socket or remote.authority == str(tmp_path / "mine/client.ca")
