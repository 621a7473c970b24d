"""The form of limits."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, Static

from lxtui.model import Ref
from lxtui.screens.limits import LimitsDialog
from lxtui.screens.main import MainScreen
from tests.tui.conftest import Stage, until
from tests.tui.test_acting import select

WEB1 = Ref("oslo", "default", "web1")


def _field(stage: Stage, name: str) -> Input:
    return stage.app.screen.query_one(f"#{name}", Input)


def _text(stage: Stage, name: str) -> str:
    return str(stage.app.screen.query_one(f"#{name}", Static).render())


async def _open(pilot: Pilot[None], stage: Stage) -> None:
    select(stage, "oslo", "web1")
    await pilot.press("L")
    await until(pilot, lambda: isinstance(stage.app.screen, LimitsDialog))
    await until(pilot, lambda: _field(stage, "memory").value == "512MiB")


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_typed_previewed_sent(size: tuple[int, int]) -> None:
    """What it means is said while it is typed; enter sends that and nothing else."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("2")
        await until(pilot, lambda: "limits.cpu=2" in _text(stage, "lines"))
        assert "PUT /1.0/instances/web1: config limits.cpu" in _text(stage, "lines")
        _field(stage, "disk").value = "5GiB"
        await until(pilot, lambda: "override oslo:web1 root size=5GiB" in _text(stage, "lines"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        now = stage.demo.backend("oslo").instance(WEB1)
        assert (now.config["limits.cpu"], now.devices["root"]["size"]) == ("2", "5GiB")
        assert now.config["limits.memory"] == "512MiB"

    stage.run(script, size)


def test_what_cannot_be_is_said_and_not_sent() -> None:
    """With the field's name; the form stays open."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        _field(stage, "memory").value = "much"
        await until(pilot, lambda: "memory: 'much'" in _text(stage, "said"))
        await pilot.press("enter")
        assert isinstance(stage.app.screen, LimitsDialog)
        assert not stage.fleet.jobs.all

    stage.run(script)


def test_somebody_elses_change_is_seen_before_ours_is_sent() -> None:
    """The form shows what is there now and keeps what was typed."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("2")
        stage.demo.backend("oslo").set_config(WEB1, {"limits.processes": "77"})
        await pilot.press("enter")
        await until(pilot, lambda: "look again" in str(_said(stage).render()))
        assert (_field(stage, "cpu").value, _field(stage, "processes").value) == ("2", "77")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        now = stage.demo.backend("oslo").instance(WEB1).config
        assert (now["limits.cpu"], now["limits.processes"]) == ("2", "77")

    stage.run(script)


def _said(stage: Stage) -> Label:
    return stage.app.screen.query_one("#said", Label)
