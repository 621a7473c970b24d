"""Launching from an image server of the simplestreams kind, on LXD and on Incus."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from textual.widgets import Input, OptionList

from lxtui import cli, remotes
from lxtui.app import LxtuiApp
from lxtui.backend import tls
from lxtui.backend.lxd import LxdBackend
from lxtui.backend.streams import lists
from lxtui.config import Settings
from lxtui.fleet import Fleet as Hosts
from lxtui.model import JobState
from lxtui.screens.dialogs import ChoiceDialog
from lxtui.screens.launch import LaunchDialog
from lxtui.screens.main import MainScreen
from tests.lab.client import make_authority, sign
from tests.lab.lab import Host, Lab
from tests.lab.streams import SPLIT, UNIFIED, StreamsServer, build
from tests.lab.tools import SYSTEM_PATH
from tests.tui.conftest import until

HOSTS = ["lxd1", "incus1"]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an image server."""
    folder = tmp_path_factory.mktemp("streams")
    build(folder)
    return folder


@dataclass(frozen=True)
class Fleet:
    """The lab's hosts, for a user whose command lines know image servers."""

    lab: Lab
    conf: Path
    made: list[tuple[Host, str]]

    def serve(self, name: str, url: str) -> None:
        """Have both command lines know it."""
        for file in self.conf.glob("*/config.yml"):
            known = yaml.safe_load(file.read_text())
            known["remotes"][name] = {"addr": url, "protocol": "simplestreams", "public": True}
            file.write_text(yaml.safe_dump(known))

    def name(self, host: str, stem: str) -> str:
        """Of an instance that is removed afterwards."""
        self.made.append((self.lab.host(host), f"{stem}-{os.getpid()}"))
        return self.made[-1][1]


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Configurations of our own, with the lab's hosts in them."""
    for name, folder in lab.environment.items():
        shutil.copytree(folder, tmp_path / "conf" / name)
        monkeypatch.setenv(name, str(tmp_path / "conf" / name))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    found = Fleet(lab, tmp_path / "conf", [])
    yield found
    for host, name in found.made:
        host.delete(name)
        _forget(host)


def _forget(host: Host) -> None:
    """Remove the images that the host has fetched."""
    for one in host.api.get("/1.0/images?recursion=1"):
        if one.get("update_source"):
            host.api.call("DELETE", f"/1.0/images/{one['fingerprint']}")


@pytest.fixture
def server(lab: Lab, content: Path, tmp_path: Path) -> Iterator[StreamsServer]:
    """On the lab's bridge, with a certificate of the authority that the daemons believe."""
    address = lab.plan.gateway.partition("/")[0]
    certificate = sign(tmp_path / "server", lab.plan.authority, address)
    with closing(StreamsServer(content, address, certificate)) as one:
        yield one


def _launch(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    status = cli.main(["launch", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("alias", [SPLIT, UNIFIED])
def test_an_image_of_a_server(
    fleet: Fleet,
    server: StreamsServer,
    host: str,
    alias: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The instance runs, is of that server's image, and is what the shown command line makes."""
    fleet.serve("images", server.url)
    name, theirs = fleet.name(host, "ours"), fleet.name(host, "theirs")
    status, said = _launch(capsys, f"images:{alias}", f"{host}:{name}")
    assert (status, said["result"]) == (0, "done"), said
    there = fleet.lab.host(host)
    assert there.status(name) == "Running"
    assert there.exec(name, ["cat", "/etc/hosts"]).stdout == "127.0.0.1 localhost\n"
    made = there.api.get(f"/1.0/instances/{name}")["config"]["volatile.base_image"]
    fetched = {one["fingerprint"]: one for one in there.api.get("/1.0/images?recursion=1")}
    source = fetched[made]["update_source"]
    assert (source["server"], source["alias"]) == (server.url, alias)
    _, shown = _launch(capsys, f"images:{alias}", f"{host}:{theirs}", "--dry-run")
    subprocess.run(
        ["sh", "-c", shown["equivalent"]],
        env={
            "PATH": SYSTEM_PATH,
            "HOME": str(fleet.conf),
            "SSL_CERT_FILE": str(fleet.lab.plan.authority),
            **{one: os.environ[one] for one in fleet.lab.environment},
        },
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert there.api.get(f"/1.0/instances/{theirs}")["config"]["volatile.base_image"] == made


@pytest.mark.parametrize("host", HOSTS)
def test_what_a_server_has_not(
    fleet: Fleet, server: StreamsServer, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alias that it does not know is said, with how to look; there is no instance."""
    fleet.serve("images", server.url)
    name = fleet.name(host, "none")
    status, said = _launch(capsys, "images:debian/99", f"{host}:{name}")
    assert status == 1
    tool = "lxc" if host == "lxd1" else "incus"
    assert f"images has no image 'debian/99' for {host}" in said["error"]
    assert f"'{tool} image list images:' lists what it has" in said["error"]
    assert fleet.lab.host(host).status(name) is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_server_that_nobody_vouches_for(
    fleet: Fleet,
    lab: Lab,
    content: Path,
    host: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its certificate is refused by the host, which is said as that; nothing is made."""
    address = lab.plan.gateway.partition("/")[0]
    name = fleet.name(host, "none")
    other = tmp_path / "other" / "ca.crt"
    make_authority(other)
    certificate = sign(tmp_path / "server", other, address)
    with closing(StreamsServer(content, address, certificate)) as wrong:
        fleet.serve("images", wrong.url)
        status, said = _launch(capsys, f"images:{SPLIT}", f"{host}:{name}")
    assert status == 1
    assert f"{host} does not believe the certificate of {wrong.url}" in said["error"]
    assert "has to be among those that its system trusts" in said["error"]
    assert fleet.lab.host(host).status(name) is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_server_that_is_not_there(
    fleet: Fleet, lab: Lab, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """That it is the host that cannot reach it is said, and which key tells it of a proxy."""
    address = lab.plan.gateway.partition("/")[0]
    with closing(socket.create_server((address, 0))) as unused:
        url = f"https://{address}:{unused.getsockname()[1]}"
    fleet.serve("images", url)
    name = fleet.name(host, "none")
    status, said = _launch(capsys, f"images:{SPLIT}", f"{host}:{name}")
    assert status == 1
    assert f"{host} does not reach {url}" in said["error"]
    assert "core.proxy_https" in said["error"]
    assert fleet.lab.host(host).status(name) is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_server_that_is_something_else(
    fleet: Fleet, lab: Lab, host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An HTTPS server without images is said, with the daemon's words."""
    address = lab.plan.gateway.partition("/")[0]
    certificate = sign(tmp_path / "server", lab.plan.authority, address)
    (tmp_path / "empty").mkdir()
    name = fleet.name(host, "none")
    with closing(StreamsServer(tmp_path / "empty", address, certificate)) as other:
        fleet.serve("images", other.url)
        status, said = _launch(capsys, f"images:{SPLIT}", f"{host}:{name}")
    assert status == 1
    assert f"{host} could not fetch images:{SPLIT} from {other.url}" in said["error"]
    assert fleet.lab.host(host).status(name) is None


@pytest.mark.parametrize("host", HOSTS)
def test_the_form_launches_from_a_server(
    fleet: Fleet,
    server: StreamsServer,
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the screen: the server is asked what it has, one of that is chosen, the instance runs."""
    authority = fleet.lab.plan.authority
    monkeypatch.setattr(tls, "_load_authorities", lambda one: one.load_verify_locations(authority))
    fleet.serve("images", server.url)
    name = fleet.name(host, "form")
    known = remotes.load(os.environ, Path("/nonexistent"))
    hosts = Hosts([LxdBackend(known.named(host))], poll_seconds=2, moves=tmp_path / "moves")
    app = LxtuiApp(hosts, Settings(), server_lists=lists)

    async def play() -> None:
        async with app.run_test(size=(120, 40)) as pilot:

            async def comes(kind: type) -> None:
                await until(pilot, lambda: isinstance(app.screen, kind), 60)

            await comes(MainScreen)
            await until(pilot, lambda: bool(hosts.snapshot.instances))
            await pilot.press("N")
            await comes(LaunchDialog)
            form = app.screen
            await until(pilot, lambda: form.query_one("#name", Input).value != "")
            form.query_one("#name", Input).value = name
            await pilot.press(*"images:", "f2")
            await comes(ChoiceDialog)
            offered = [str(one.prompt) for one in app.screen.query_one(OptionList).options]
            assert [one.split()[0] for one in offered] == [f"images:{UNIFIED}", f"images:{SPLIT}"]
            await pilot.press("down", "enter")
            await until(pilot, lambda: form.query_one("#image", Input).value == f"images:{SPLIT}")
            await pilot.press("enter")
            await until(pilot, lambda: bool(hosts.jobs.all))
            await until(pilot, lambda: hosts.jobs.all[0].state is not JobState.RUNNING, 120)
            await comes(MainScreen)

    try:
        asyncio.run(play())
    finally:
        hosts.close()
    assert hosts.jobs.all[0].state is JobState.DONE, hosts.jobs.all[0].progress.text
    assert fleet.lab.host(host).status(name) == "Running"
