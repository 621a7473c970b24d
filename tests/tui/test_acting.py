"""Actions that open a dialog of their own: copy, rename."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, OptionList, Static

from lxtui.model import JobState, Ref
from lxtui.screens.dialogs import NameDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.move import MoveDialog
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import Stage, until


def select(stage: Stage, host: str, name: str) -> None:
    """Put the table's cursor on it."""
    stage.app.screen_stack[1].query_one(FleetTable).select(Ref(host, "default", name))


async def command(pilot: Pilot[None], name: str) -> None:
    """Type an action's name after a colon."""
    await pilot.press("colon", *(("minus" if char == "-" else char) for char in name), "enter")


def test_copy_to_another_name_on_its_own_host() -> None:
    """The move dialog with copy on offers the own host first; the original goes on running."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        select(stage, "oslo", "web1")
        await command(pilot, "copy")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        assert stage.app.screen.query_one(Input).value == "web1-copy"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        targets = stage.app.screen.query_one("#targets", OptionList)
        assert str(targets.get_option_at_index(0).prompt).startswith("oslo")

        def plan() -> str:
            return str(stage.app.screen.query_one("#plan", Static).render())

        await until(pilot, lambda: "lxc copy oslo:web1 oslo:web1-copy" in plan())
        await pilot.press("enter")
        await until(pilot, lambda: bool(stage.fleet.jobs.all))
        await until(pilot, lambda: stage.fleet.jobs.all[0].state is JobState.DONE)
        copied = Ref("oslo", "default", "web1-copy")
        await until(pilot, lambda: stage.fleet.snapshot.instance(copied) is not None)
        original = stage.fleet.snapshot.instance(Ref("oslo", "default", "web1"))
        assert original is not None
        assert original.running

    stage.run(script)


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_rename_says_what_it_does_and_what_is_wrong(size: tuple[int, int]) -> None:
    """The command is shown while the name is typed; a name that is taken or bad is not accepted."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        select(stage, "oslo", "build")
        await command(pilot, "rename")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        field = stage.app.screen.query_one(Input)
        for bad, why in (("web1", "exists already"), ("1a", "begins with a letter")):
            field.value = bad
            await pilot.press("enter")
            assert why in str(stage.app.screen.query_one("#trouble", Label).render())
        field.value = "forge"
        await pilot.pause()
        shown = str(stage.app.screen.query_one("#preview", Label).render())
        assert shown == "as: lxc rename oslo:build forge"
        await pilot.press("enter")
        renamed = Ref("oslo", "default", "forge")
        await until(pilot, lambda: stage.fleet.snapshot.instance(renamed) is not None)

    stage.run(script, size)


def test_what_is_for_one_is_refused_for_marks() -> None:
    """With two marked nothing opens, and why is said."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("space", "space")
        await command(pilot, "rename")
        await until(pilot, lambda: bool(stage.app._notifications))
        assert "for one instance" in next(iter(stage.app._notifications)).message
        assert isinstance(stage.app.screen, MainScreen)

    stage.run(script)


@pytest.mark.parametrize("name", ["shell", "console"])
def test_a_terminal_is_handed_over_or_it_is_said_why_not(name: str) -> None:
    """Where the screen cannot be given away the verb is named; a stopped instance has neither."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        select(stage, "oslo", "web1")
        await (pilot.press("E") if name == "shell" else command(pilot, name))
        await until(pilot, lambda: bool(stage.app._notifications))
        assert f"use 'lxtui {name}'" in next(iter(stage.app._notifications)).message
        stage.app.clear_notifications()
        select(stage, "oslo", "build")
        await command(pilot, name)
        await until(pilot, lambda: bool(stage.app._notifications))
        assert "does not run" in next(iter(stage.app._notifications)).message

    stage.run(script)
