"""Tables of images, profiles and the rest on the demo fleet: open, filter, follow, change."""

from __future__ import annotations

from threading import Event as Flag
from unittest.mock import patch

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Footer, Input, Static

from lxtui.backend.demo import DemoBackend
from lxtui.config import Settings
from lxtui.errors import HostUnreachableError, NotTrustedError
from lxtui.model import Ref
from lxtui.resources.arranging import arrange
from lxtui.resources.catalog import TABLES
from lxtui.screens import tables
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, ConfirmDialog, NameDialog
from lxtui.screens.entry_page import EntryPage
from lxtui.screens.main import MainScreen
from lxtui.screens.tables import TableScreen
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.resource_table import ResourceTable
from tests.tui.conftest import Stage, until


def table(stage: Stage) -> ResourceTable:
    """The table on the screen."""
    return stage.app.screen.query_one(ResourceTable)


def names(stage: Stage, column: str = "name") -> list[str]:
    """A column of it, from top to bottom."""
    shown = table(stage)
    at = [slot.id for slot in shown.slots].index(column)
    return [shown.cells(row)[at] for row in range(shown.row_count)]


def said(stage: Stage, where: str) -> str:
    """A line of the screen."""
    return str(stage.app.screen.query_one(where, Static).render())


async def command(pilot: Pilot[None], line: str) -> None:
    """Type a line after a colon."""
    keys = {" ": "space", "-": "minus", ":": "colon", "/": "slash"}
    await pilot.press("colon", *(keys.get(char, char) for char in line), "enter")


async def opened(pilot: Pilot[None], stage: Stage, name: str, rows: int) -> None:
    """Open a table and wait until it has so many lines."""
    await command(pilot, name)
    await until(pilot, lambda: _is(stage, name.partition(" ")[0]))
    await until(pilot, lambda: table(stage).row_count == rows)


def _is(stage: Stage, name: str) -> bool:
    screen = stage.app.screen
    return isinstance(screen, TableScreen) and screen.table.id == name


@pytest.mark.parametrize("size", [(80, 24), (130, 38)], ids=["small", "large"])
def test_every_table_opens_and_leads_back(size: tuple[int, int]) -> None:
    """Each opens by its name, shows lines or says why not, and escape goes back to the fleet."""
    stage = Stage()

    async def look(pilot: Pilot[None], name: str) -> None:
        await command(pilot, name)
        await until(pilot, lambda: _is(stage, name))
        if name == "members":
            await until(pilot, lambda: "no host is part of a" in said(stage, "#hollow"))
        else:
            await until(pilot, lambda: table(stage).row_count > 0)
            shown = table(stage)
            assert shown.slots[0].id == "name"
            assert sum(slot.width + 1 for slot in shown.slots) <= shown.size.width + 1
            assert not stage.app.screen.query_one("#hollow").display
        if name != "hosts":
            assert "quito" in said(stage, "#notes")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))

    async def script(pilot: Pilot[None]) -> None:
        for one in TABLES:
            await look(pilot, one.id)

    stage.run(script, size)


def test_a_table_is_chosen_from_the_list() -> None:
    """Key T offers all tables, from the fleet and from another table; escape goes back."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("T")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: _is(stage, "profiles"))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: _is(stage, "images"))
        await pilot.press("escape")
        await until(pilot, lambda: _is(stage, "profiles"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))

    stage.run(script)


def test_filter_and_order() -> None:
    """``/`` filters while it is typed, escape clears, ``O`` turns round; ``:images WORDS``."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "images alpine", 3)
        assert stage.app.screen.query_one(Input).value == "alpine"
        await pilot.press("escape")
        assert table(stage).row_count == 13
        await pilot.press("slash", *"size")
        await pilot.press("greater_than_sign", *"100M", "enter")
        assert set(names(stage, "host")) == {"kyoto", "lima", "oslo"}
        assert table(stage).row_count == 5
        await pilot.press("escape")
        await command(pilot, "sort size")
        await pilot.press("O")
        assert names(stage, "size")[0] == "134 MiB"
        await command(pilot, "sort nonsense")
        assert "there is no" in said(stage, "#trouble") or "no column" in said(stage, "#trouble")

    stage.run(script)


def test_letters_that_came_together_are_one_filter() -> None:
    """Of keys that wait each is not a look at every entry, and the last one counts."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "images", 13)
        await pilot.press("slash")
        with patch.object(tables, "arrange", side_effect=arrange) as looks:
            for letter in "ubuntu" * 3:
                stage.app.post_message(Key(letter, letter))
            await until(pilot, lambda: table(stage).row_count == 0)
            await until(pilot, lambda: stage.app.screen.query_one(Input).value == "ubuntu" * 3)
        assert looks.call_count < 9

    stage.run(script)


def test_who_uses_a_profile_and_back() -> None:
    """Key u lists what uses it, enter opens an instance, escape leads back step by step."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "profiles oslo", 3)
        await pilot.press("u")
        await until(pilot, lambda: _is(stage, "links"))
        assert names(stage) == ["build", "db1", "web1", "web2"]
        assert names(stage, "state") == ["Stopped", "Running", "Running", "Running"]
        links = stage.app.screen
        await pilot.press("down", "enter")
        await until(pilot, lambda: stage.app.screen is not links)
        await pilot.press("escape")
        await until(pilot, lambda: stage.app.screen is links)
        assert table(stage).cursor_row == 1
        await pilot.press("escape")
        await until(pilot, lambda: _is(stage, "profiles"))

    stage.run(script)


def test_what_an_instance_is_made_of() -> None:
    """Key U on an instance lists its profile, image, pool and network; enter goes to the line."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        stage.app.screen.query_one(FleetTable).select(Ref("lima", "default", "mail"))
        await pilot.press("U")
        await until(pilot, lambda: _is(stage, "links"))
        kinds = names(stage, "kind")
        assert sorted(kinds) == ["image", "network", "pool", "profile"]
        await pilot.press(*["down"] * kinds.index("network"), "enter")
        await until(pilot, lambda: _is(stage, "networks"))
        await until(pilot, lambda: table(stage).row_count == 9)
        entry = table(stage).entry
        assert entry is not None
        assert entry.ref == Ref("lima", "default", "lxdbr0")

    stage.run(script)


def test_details_show_everything() -> None:
    """Enter shows the fields, the users and the YAML; a pool also its space."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "pools oslo", 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, EntryPage))
        await until(pilot, lambda: "total: 1073741824000" in said(stage, "#text"))
        page = said(stage, "#text")
        assert "94%" in page
        assert "instance oslo:web1" in page
        assert "driver: zfs" in page
        await pilot.press("escape")
        await until(pilot, lambda: _is(stage, "pools"))

    stage.run(script)


def test_a_profile_in_use_is_not_deleted_one_without_users_is() -> None:
    """The refusal says why; the confirmation has the equivalent command; then it is gone."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "profiles oslo !staging", 2)
        await pilot.press("d")
        await pilot.pause()
        (notification,) = stage.app._notifications
        assert "every host has one" in notification.message
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        details = [str(one.render()) for one in stage.app.screen.query(".detail").results(Static)]
        assert details == ["as: lxc profile delete oslo:small"]
        await pilot.press("y")
        await until(pilot, lambda: _is(stage, "profiles") and table(stage).row_count == 1)
        assert "small" not in stage.demo.daemons["oslo"].profiles

    stage.run(script)


def test_aliases_come_and_go() -> None:
    """Key a asks for an alias and refuses an odd one; A offers those that there are."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "images oslo trixie", 1)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        stage.app.screen.query_one(Input).value = "-x"
        await pilot.press("enter")
        assert "dash" in str(stage.app.screen.query_one("#trouble", Static).render())
        stage.app.screen.query_one(Input).value = "newest"
        await pilot.press("enter")
        await until(pilot, lambda: names(stage) == ["debian/13, newest"])
        await pilot.press("A")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: names(stage) == ["newest"])

    stage.run(script)


def test_marked_warnings_are_acknowledged_together() -> None:
    """Marks, one look at what will happen to each, then all are; those that were are left out."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "warnings kyoto", 2)
        await pilot.press("space", "space", "a")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        question = str(stage.app.screen.query_one("#question", Static).render())
        assert question == "Acknowledge 1 warning? 1 left out."
        await pilot.press("y")
        await until(pilot, lambda: "1 done" in said(stage, "#question"))
        await pilot.press("escape")
        await until(pilot, lambda: _is(stage, "warnings"))
        await until(pilot, lambda: set(names(stage, "state")) == {"acknowledged"})

    stage.run(script)


def test_all_that_match_are_marked() -> None:
    """ctrl+a marks what the filter leaves, * turns that over, escape takes all off; it is said."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "images used-by=0", 10)
        await pilot.press("ctrl+a")
        await pilot.pause()
        assert "marked 10" in said(stage, "#summary")
        await pilot.press("space", "asterisk")
        await pilot.pause()
        assert "marked 1" in said(stage, "#summary").split("  ")
        await pilot.press("escape")  # shows everything again; the mark stays
        await until(pilot, lambda: table(stage).row_count > 10)
        assert len(table(stage).marked) == 1
        await pilot.press("escape")
        await pilot.pause()
        assert table(stage).marked == []
        assert "marked" not in said(stage, "#summary")

    stage.run(script)


def test_an_operation_is_cancelled() -> None:
    """Key c asks, and the operation is gone."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "operations", 1)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: _is(stage, "operations") and table(stage).row_count == 0)
        assert said(stage, "#hollow").strip() == "no host works at anything"

    stage.run(script)


def test_nothing_changes_on_a_read_only_host() -> None:
    """Every deed of every table says that the host is read-only, before anything is asked."""
    stage = Stage()
    backend = stage.fleet.backends["oslo"]
    assert isinstance(backend, DemoBackend)
    backend.read_only = True

    async def script(pilot: Pilot[None]) -> None:
        for line, rows, keys in (
            ("images oslo", 4, ("d", "R", "a", "A")),
            ("profiles oslo small", 1, ("d",)),
            ("warnings oslo", 2, ("d", "a")),
            ("operations", 1, ("c",)),
        ):
            await opened(pilot, stage, line, rows)
            for key in keys:
                before = {one.identity for one in stage.app._notifications}
                await pilot.press(key)
                await pilot.pause()
                assert isinstance(stage.app.screen, TableScreen), (line, key)
                said = {one.identity for one in stage.app._notifications} - before
                assert len(said) == 1, (line, key)  # older ones may have gone
            assert all("read-only" in one.message for one in stage.app._notifications)
        assert stage.fleet.snapshot.jobs == ()

    stage.run(script)


def test_a_slow_host_delays_nobody_and_a_refusing_one_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows of the quick hosts are there while another has not answered; a refusal is a line."""
    stage = Stage()
    go = Flag()
    plain = DemoBackend.read

    def read(self: DemoBackend, *arguments: object) -> object:
        if self.remote.name == "oslo":
            go.wait(20)
        if self.remote.name == "lima":
            raise NotTrustedError("lima: the host refuses our certificate")
        return plain(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DemoBackend, "read", read)

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "networks", 3)
        assert set(names(stage, "host")) == {"kyoto"}
        await until(pilot, lambda: "may not see networks" in said(stage, "#notes"))
        assert "asking 1" in said(stage, "#summary")
        go.set()
        await until(pilot, lambda: table(stage).row_count == 6)

    stage.run(script)


def test_what_a_host_said_last_stays_with_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that fails at the next look keeps its lines; r asks it again, and it is back."""
    stage = Stage()
    plain = DemoBackend.read
    dead: list[str] = []

    def read(self: DemoBackend, *arguments: object) -> object:
        if self.remote.name in dead:
            raise HostUnreachableError(f"{self.remote.name}: no answer")
        return plain(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DemoBackend, "read", read)

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "networks", 9)
        dead.append("oslo")
        await pilot.press("r")
        await until(pilot, lambda: "oslo: no answer; as it was" in said(stage, "#notes"))
        assert table(stage).row_count == 9
        dead.clear()
        await pilot.press("r")
        await until(pilot, lambda: "oslo" not in said(stage, "#notes"))

    stage.run(script)


def test_events_bring_the_table_up_to_date() -> None:
    """A profile that somebody else deletes goes from the screen without a key."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "profiles oslo", 3)
        stage.fleet.backends["oslo"].delete_profile("default", "small")
        await until(pilot, lambda: table(stage).row_count == 2)

    stage.run(script)


def test_deeds_are_in_the_footer_of_their_tables_only() -> None:
    """The footer of networks has no aliases; remapped keys count here too."""
    stage = Stage(Settings(keys={"entry-delete": "f8"}))

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "networks", 9)
        shown = {one.description for one in stage.app.screen.query_one(Footer).query("FooterKey")}  # type: ignore[attr-defined]
        assert "Delete" in shown
        assert "Add alias" not in shown
        await pilot.press("f8")
        await pilot.pause()
        assert len(stage.app._notifications) == 1

    stage.run(script)


def test_columns_can_be_chosen() -> None:
    """The dialog of columns has those of this table."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "networks", 9)
        await command(pilot, "columns name,host,config:ipv4.nat")
        assert [slot.id for slot in table(stage).slots] == ["name", "host", "config:ipv4.nat"]
        await pilot.press("C", "down", "space", "enter")
        assert [slot.id for slot in table(stage).slots] == ["name", "config:ipv4.nat"]

    stage.run(script)


def test_edit_opens_the_editor_of_what_can_be_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key e edits a network that the daemon looks after; the host's own says why not."""
    stage = Stage()
    asked: list[object] = []
    monkeypatch.setattr("lxtui.screens.main.edit", lambda _a, what, _k, _w: asked.append(what))

    async def script(pilot: Pilot[None]) -> None:
        await opened(pilot, stage, "networks lima", 3)
        await pilot.press("e")
        await pilot.pause()
        assert asked == []
        assert len(stage.app._notifications) == 1
        await pilot.press("end", "e")
        await pilot.pause()
        (what,) = asked
        assert getattr(what, "path", ()) == ("networks", "lxdbr0")

    stage.run(script)
