"""Limits and copies of all that are marked; images to another host."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, Log, OptionList

from lxtui.model import Ref
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, NameDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.tables import TableScreen
from lxtui.screens.together import LimitsOfManyDialog
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.resource_table import ResourceTable
from tests.tui.conftest import SIZE, Stage, until

WEB1 = Ref("oslo", "default", "web1")
WEB2 = Ref("oslo", "default", "web2")
WEB3 = Ref("kyoto", "default", "web3")


async def _mark(pilot: Pilot[None], stage: Stage, *refs: Ref) -> None:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    table = main.query_one(FleetTable)
    table.set_marks(refs)
    await pilot.pause()


def _each(stage: Stage) -> list[str]:
    """The lines of the bulk dialog."""
    return [line for line in stage.app.screen.query_one(Log).lines if line.strip()]


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["large", "small"])
def test_limits_of_all_that_are_marked(size: tuple[int, int]) -> None:
    """One form, one list of what that changes; who has it already is left out; a dash unsets."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _mark(pilot, stage, WEB1, WEB3, WEB1._replace(name="db1"))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(stage.app.screen, LimitsOfManyDialog))
        form = stage.app.screen
        form.query_one("#memory", Input).value = "a lot"
        form.query_one("#memory", Input).focus()
        await pilot.press("enter")
        said = form.query_one("#said", Label)
        await until(pilot, lambda: "write a size" in str(said.render()))
        form.query_one("#memory", Input).value = "4096MiB"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        lines = _each(stage)
        assert "kyoto:web3  incus config set kyoto:web3 limits.memory=4096MiB" in lines
        assert "oslo:db1  it has these limits already" in lines
        await pilot.press("y")
        instances = stage.demo.daemons["kyoto"].instances
        await until(pilot, lambda: instances[WEB3].config["limits.memory"] == "4096MiB")
        await until(pilot, lambda: bool(stage.fleet.jobs.done))
        await pilot.press("escape")

        await _mark(pilot, stage, WEB3)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(stage.app.screen, LimitsOfManyDialog))
        stage.app.screen.query_one("#memory", Input).value = "-"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        await pilot.press("y")
        await until(pilot, lambda: "limits.memory" not in instances[WEB3].config)

    stage.run(script, size)


def test_copies_of_all_that_are_marked() -> None:
    """A pattern makes the names; what is there already is left out; the copies are made."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        kyoto = stage.demo.daemons["kyoto"].instances
        await _mark(pilot, stage, WEB1, WEB3)
        stage.app.screen_stack[1].action_do("copy")  # type: ignore[attr-defined]
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        name = stage.app.screen.query_one(Input)
        assert name.value == "*-copy"
        name.value = "copy"
        await pilot.press("enter")
        assert isinstance(stage.app.screen, NameDialog)  # two of one name
        name.value = "*"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        hosts = stage.app.screen.query_one(OptionList)
        offered = [str(one.prompt).split()[0] for one in hosts.options]
        assert offered == ["each", "oslo", "lima", "kyoto"]  # quito does not answer
        hosts.highlighted = 3
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        lines = _each(stage)
        assert "oslo:web1  lxc copy oslo:web1 kyoto:web1" in lines
        assert "kyoto:web3  there is an instance kyoto:web3 already" in lines
        await pilot.press("y")
        await until(pilot, lambda: WEB1._replace(host="kyoto") in kyoto)
        assert WEB1 in stage.demo.daemons["oslo"].instances
        await until(pilot, lambda: bool(stage.fleet.jobs.done))
        assert "deleted: do that by its own key" in stage.fleet.jobs.done[0].reason

    stage.run(script)


def test_an_image_is_copied_to_another_host() -> None:
    """Only others are offered; afterwards it is there, with its alias if that is free."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("colon", *"images", "space", *"oslo", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, TableScreen))
        table = stage.app.screen.query_one(ResourceTable)
        await until(pilot, lambda: table.row_count == 4)
        while table.entry is None or table.entry.document["properties"]["os"] != "Ubuntu":
            await pilot.press("down")
        fingerprint = table.entry.ref.name
        await pilot.press("y")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        hosts = stage.app.screen.query_one(OptionList)
        assert [str(one.prompt).split()[0] for one in hosts.options] == ["lima", "kyoto"]
        hosts.highlighted = 1
        await pilot.press("enter")
        kyoto = stage.demo.daemons["kyoto"].documents
        await until(pilot, lambda: ("images", fingerprint) in kyoto)

    stage.run(script)


def test_views_of_a_table_are_saved_and_come_back() -> None:
    """Under a name, with the filter; columns and order are there again when it is opened anew."""
    stage = Stage()

    async def opened(pilot: Pilot[None]) -> ResourceTable:
        await pilot.press("colon", *"images", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, TableScreen))
        table = stage.app.screen.query_one(ResourceTable)
        await until(pilot, lambda: table.row_count > 0)
        return table

    async def script(pilot: Pilot[None]) -> None:
        table = await opened(pilot)
        await pilot.press("colon", *"sort size reverse", "enter")
        await pilot.press("slash", *"alpine", "enter", "V")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        await pilot.press(*"small", "enter")
        await until(pilot, lambda: stage.views.of("images").names == ["small"])
        assert stage.views.of("images").named("small").filter == "alpine"
        assert stage.views.names == []
        await pilot.press("escape", "escape")
        table = await opened(pilot)
        screen = stage.app.screen
        assert isinstance(screen, TableScreen)
        assert (screen._viewing.view.sort, screen._viewing.view.filter) == ("size", "")
        await pilot.press("v", "enter")
        await until(pilot, lambda: screen._viewing.view.filter == "alpine")
        assert all(one.document["properties"]["os"] == "Alpine" for one in table._shown.lines)

    stage.run(script)
