"""The form of a new instance."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, OptionList, Static

from lxtui.app import LxtuiApp
from lxtui.config import Settings
from lxtui.errors import LxtuiError
from lxtui.launching.options import Choice, Options
from lxtui.launching.picking import picks, replaced
from lxtui.model import Kind, Ref
from lxtui.screens.dialogs import ChoiceDialog
from lxtui.screens.launch import LaunchDialog
from lxtui.screens.main import MainScreen
from tests.tui.conftest import Stage, until
from tests.tui.test_acting import select


def _field(stage: Stage, name: str) -> Input:
    return stage.app.screen.query_one(f"#{name}", Input)


def _text(stage: Stage, name: str) -> str:
    return str(stage.app.screen.query_one(f"#{name}", Static).render())


def _beside(stage: Stage, name: str) -> str:
    return str(stage.app.screen.query_one(f"#{name}-from", Label).render())


def _says(stage: Stage, name: str, what: str) -> bool:
    return what in _beside(stage, name)


async def _open(pilot: Pilot[None], stage: Stage) -> None:
    select(stage, "oslo", "web1")
    await pilot.press("N")
    await until(pilot, lambda: isinstance(stage.app.screen, LaunchDialog))
    await until(pilot, lambda: _field(stage, "name").value != "")


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_filled_in_previewed_launched(size: tuple[int, int]) -> None:
    """The cursor's host and a free name are there already; an image is all that is missing."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        assert _field(stage, "host").value == "oslo"
        assert "image is required" in _beside(stage, "image")
        name = _field(stage, "name").value
        await pilot.press(*"debian/12")
        await until(
            pilot, lambda: f"lxc launch oslo:debian/12 oslo:{name}" in _text(stage, "lines")
        )
        _field(stage, "memory").value = "1GiB"
        _field(stage, "config").value = "user.a='b c'"
        await until(pilot, lambda: "limits.memory=1GiB" in _text(stage, "lines"))
        assert "POST /1.0/instances" in _text(stage, "lines")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        now = stage.demo.backend("oslo").instance(Ref("oslo", "default", name))
        assert now.running
        assert (now.config["limits.memory"], now.config["user.a"]) == ("1GiB", "b c")

    stage.run(script, size)


def test_what_is_wrong_is_said_beside_its_field_and_not_sent() -> None:
    """All of it at once; the form stays open."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        for name, value in (("image", "gone"), ("cpu", "many"), ("pool", "gone"), ("name", "web1")):
            _field(stage, name).value = value
        _field(stage, "cloud-init").value = "/nonexistent"
        await until(pilot, lambda: "no such file" in _beside(stage, "cloud-init"))
        assert "there is no image" in _beside(stage, "image")
        assert "number of CPUs" in _beside(stage, "cpu")
        assert "no pool" in _beside(stage, "pool")
        assert "exists already" in _beside(stage, "name")
        await pilot.press("enter")
        assert isinstance(stage.app.screen, LaunchDialog)
        assert not stage.fleet.jobs.all
        await pilot.press("f5")
        await until(pilot, lambda: _beside(stage, "name") == "")

    stage.run(script)


def test_an_image_of_another_host_is_chosen_from_a_list() -> None:
    """By its name on that host; the host is asked while the form is open."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "kyoto" in _screen(stage)._images)
        await pilot.press("f2")
        await until(pilot, lambda: not isinstance(stage.app.screen, LaunchDialog))
        options = stage.app.screen.query_one(OptionList)
        lines = [str(option.prompt) for option in options.options]
        at = next(at for at, line in enumerate(lines) if line.startswith("kyoto:"))
        assert not lines[0].startswith("kyoto:")  # its own are first
        options.highlighted = at
        await pilot.press("enter")
        await until(pilot, lambda: _field(stage, "image").value.startswith("kyoto:"))
        name = _field(stage, "name").value
        await until(pilot, lambda: "https://kyoto.demo:8443" in _text(stage, "lines"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert stage.demo.backend("oslo").instance(Ref("oslo", "default", name)).running

    stage.run(script)


def _screen(stage: Stage) -> LaunchDialog:
    assert isinstance(stage.app.screen, LaunchDialog)
    return stage.app.screen


def test_a_host_that_does_not_answer_or_may_not_be_changed_is_said() -> None:
    """Beside the host, and nothing is sent; another host is asked what it has."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        _field(stage, "image").value = "images:debian/12"
        dead = next(one.name for one in stage.fleet.snapshot.hosts if not one.online)
        for host, said in (("nowhere", "no such host"), (dead, "does not answer")):
            _field(stage, "host").value = host
            await until(pilot, partial(_says, stage, "host", said))
            await pilot.press("enter")
            assert not stage.fleet.jobs.all
        _field(stage, "host").value = "kyoto"
        await until(pilot, lambda: "images:debian/12 kyoto:" in _text(stage, "lines"))
        assert _text(stage, "lines").startswith("as: incus launch")

    stage.run(script)


def test_cloud_init_data_is_read_and_not_shown(tmp_path: Path) -> None:
    """The number of its lines is."""
    stage = Stage()
    file = tmp_path / "data.yaml"
    file.write_text("#cloud-config\npassword: hunter2\n")

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        _field(stage, "image").value = "debian/12"
        _field(stage, "cloud-init").value = str(file)
        await until(pilot, lambda: "(2 lines)" in _text(stage, "lines"))
        assert "hunter2" not in _text(stage, "lines")

    stage.run(script)


def test_what_the_host_refuses_is_said_and_what_was_written_stays() -> None:
    """So that it can be put right."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        _field(stage, "image").value = "debian/12"
        await until(pilot, lambda: "debian/12" in _text(stage, "lines"))
        stage.demo.daemons["oslo"].profiles.pop("default")
        await pilot.press("enter")
        await until(pilot, lambda: "not found" in _text(stage, "said"))
        assert _field(stage, "image").value == "debian/12"

    stage.run(script)


def test_choices() -> None:
    """Profiles are several; an image that the host has is not offered a second time."""
    assert replaced("profiles", "default", "web") == "default, web"
    assert replaced("profiles", "default, web", "default") == "web"
    assert replaced("pool", "a", "b") == "b"
    mine = Choice("oslo", "default", "a" * 64, ("x",))
    theirs = (Choice("kyoto", "default", "a" * 64, ("x",)), Choice("kyoto", "default", "b" * 64))
    options = Options("oslo", "default", Kind.LXD, pools=("default",))
    images: dict[str, tuple[Choice, ...] | LxtuiError] = {
        "kyoto": theirs,
        "oslo": (mine,),
        "rome": LxtuiError("gone"),
    }
    assert [one for one, _ in picks("image", options, images, ())] == ["x", f"kyoto:{'b' * 12}"]
    assert [one for one, _ in picks("pool", options, images, ())] == ["default"]
    assert picks("pool", None, images, ()) == []
    assert picks("size", options, images, ()) == []


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_an_image_server_is_asked_when_it_is_chosen(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not before; what is written narrows the list; what goes wrong is said, and can be mended."""
    for name in ("LXD_CONF", "LXD_GLOBAL_CONF", "INCUS_CONF", "INCUS_GLOBAL_CONF"):
        monkeypatch.setenv(name, str(tmp_path))
    items = {"x": {"ftype": "lxd_combined.tar.gz", "size": 2048}}
    products = {
        alias: {
            "aliases": alias,
            "arch": "amd64",
            "os": "Some",
            "versions": {"1": {"items": items}},
        }
        for alias in ("debian/12", "debian/13", "alpine/3.20", "bad[red]/1")
    }
    asked: list[str] = []

    def lists(name: str, url: str) -> list[object]:
        asked.append(url)
        if name == "ubuntu":
            raise LxtuiError("ubuntu: no answer [b]")
        return [{"products": products}]

    stage = Stage()
    stage.app = LxtuiApp(stage.fleet, Settings(), stage.demo.clock, server_lists=lists)

    def offered() -> list[str]:
        options = stage.app.screen.query_one(OptionList).options
        return [str(one.prompt).split()[0] for one in options]

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        assert offered()[-3:] == ["images:", "ubuntu:", "ubuntu-daily:"]
        assert asked == []
        await pilot.press("end", "up", "enter")
        await until(pilot, lambda: "ubuntu: no answer [b]" in _text(stage, "said"))
        await pilot.press("f2", "end", "up", "up", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        assert offered() == [f"images:{one}" for one in sorted(products)]
        await pilot.press("escape", *"images:deb", "f2")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        assert offered() == ["images:debian/12", "images:debian/13"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: _field(stage, "image").value == "images:debian/13")
        await until(pilot, lambda: "lxc launch images:debian/13" in _text(stage, "lines"))
        assert (
            asked
            == ["https://cloud-images.ubuntu.com/releases"]
            + ["https://images.linuxcontainers.org"] * 2
        )

    stage.run(script, size)
