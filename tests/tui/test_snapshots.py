"""The dialog of snapshots, and what is shown before a restore."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, SelectionList, Static

from lxtui.model import Ref
from lxtui.screens.dialogs import ConfirmDialog, NameDialog
from lxtui.screens.restore import RestoreDialog
from lxtui.screens.snapshots import NewSnapshotDialog, SnapshotsDialog
from tests.tui.conftest import Stage, until
from tests.tui.test_acting import select

DB1 = Ref("oslo", "default", "db1")


def _names(stage: Stage) -> list[str]:
    return [one.name for one in stage.demo.backend("oslo").instance(DB1).snapshots]


def _text(stage: Stage, name: str) -> str:
    return str(stage.app.screen.query_one(f"#{name}", Static).render())


async def _open(pilot: Pilot[None], stage: Stage) -> None:
    select(stage, "oslo", "db1")
    await pilot.press("S")
    await until(pilot, lambda: isinstance(stage.app.screen, SnapshotsDialog))


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_take_one_with_an_expiry(size: tuple[int, int]) -> None:
    """The command is shown; the list follows; what cannot be is said."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(stage.app.screen, NewSnapshotDialog))
        stage.app.screen.query_one("#name", Input).value = "daily0"
        await until(pilot, lambda: "exists already" in _text(stage, "trouble"))
        stage.app.screen.query_one("#name", Input).value = "before"
        stage.app.screen.query_one("#expires", Input).value = "soon"
        await until(pilot, lambda: "never, or a date" in _text(stage, "trouble"))
        stage.app.screen.query_one("#expires", Input).value = "7d"
        await until(pilot, lambda: "lxc snapshot oslo:db1 before" in _text(stage, "preview"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, SnapshotsDialog))
        await until(pilot, lambda: "before" in _names(stage))
        listed = stage.app.screen.query_one(SelectionList)
        await until(pilot, lambda: listed.option_count == 4)

    stage.run(script, size)


def test_the_first_one_has_the_cursor() -> None:
    """What was taken in an empty list can be restored by the next key."""
    stage = Stage()
    daemon = stage.demo.daemons["oslo"]
    daemon.put(replace(daemon.find(DB1), snapshots=()))

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        assert "it has none" in _text(stage, "said")
        await pilot.press("n", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, SnapshotsDialog))
        await until(pilot, lambda: len(_names(stage)) == 1)
        listed = stage.app.screen.query_one(SelectionList)
        await until(pilot, lambda: listed.option_count == 1)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))

    stage.run(script)


def test_delete_several_at_once() -> None:
    """Those that are marked, after a look at all of them."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("space", "down", "space", "d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        lines = [str(one.render()) for one in stage.app.screen.query(".detail").results(Static)]
        assert lines == ["as: lxc delete oslo:db1/daily2", "as: lxc delete oslo:db1/daily1"]
        await pilot.press("y")
        await until(pilot, lambda: _names(stage) == ["daily0"])
        listed = stage.app.screen.query_one(SelectionList)
        await until(pilot, lambda: listed.option_count == 1)

    stage.run(script)


def test_rename_and_expiry() -> None:
    """Of the one under the cursor, the latest at first."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        stage.app.screen.query_one(Input).value = "last"
        await until(pilot, lambda: "lxc rename oslo:db1/daily2" in _text(stage, "preview"))
        await pilot.press("enter")
        await until(pilot, lambda: "last" in _names(stage))
        await until(pilot, lambda: isinstance(stage.app.screen, SnapshotsDialog))
        await until(pilot, lambda: stage.app.screen.query_one(SelectionList).option_count == 3)
        shown = stage.app.screen.query_one(SelectionList)
        await until(pilot, lambda: "last" in str(shown.get_option_at_index(0).prompt))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        await pilot.press("enter")

        def expires() -> bool:
            taken = stage.demo.backend("oslo").instance(DB1).snapshots
            return taken[-1].expires_at is not None

        await until(pilot, expires)

    stage.run(script)


def test_a_restore_says_what_is_lost_before_yes() -> None:
    """Configuration that goes back is shown; yes restores."""
    stage = Stage()
    oslo = stage.demo.daemons["oslo"]
    now = oslo.instances[DB1]
    then = replace(now.snapshots[-1], config={**now.config, "limits.cpu": "1"})
    oslo.instances[DB1] = replace(now, snapshots=(*now.snapshots[:-1], then))

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))
        await until(pilot, lambda: "+  limits.cpu: '1'" in _text(stage, "found"))
        assert "goes back: config limits.cpu" in _text(stage, "found")
        assert stage.app.screen.query_one("#no", Button).has_focus
        await pilot.press("y")
        await until(pilot, lambda: any("restore" in one.title for one in stage.fleet.jobs.all))

    stage.run(script)


def test_what_is_in_the_way_takes_the_yes_away() -> None:
    """Zfs and later snapshots: neither key nor button restores; the key b asks the same way."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await pilot.press("down", "down", "b")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))
        await until(pilot, lambda: "delete daily1, daily2 first" in _text(stage, "found"))
        assert stage.app.screen.query_one("#yes", Button).disabled
        await pilot.press("y")
        assert isinstance(stage.app.screen, RestoreDialog)
        assert not stage.fleet.jobs.all
        await pilot.press("escape", "escape", "b", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))

    stage.run(script)
