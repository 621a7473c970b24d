"""Pictures of a cluster and of an undo, at fixed sizes, clock and data; see test_pictures.py."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from lxtui.commands import ChangeState
from lxtui.model import JobState, Ref, StateAction
from lxtui.screens.main import MainScreen
from lxtui.screens.undoing import UndoDialog
from lxtui.widgets.fleet_tree import FleetTree, NodeId
from tests.tui.conftest import SIZE, Stage, settled, until
from tests.tui.test_pictures import SnapCompare


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["large", "small"])
def test_picture_of_a_member(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """The tree with its members, the table narrowed to one, look as they did at the last look."""
    stage = Stage(still=True, cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        await settled(pilot, stage)
        main = stage.app.screen_stack[1]
        assert isinstance(main, MainScreen)
        if size != SIZE:
            await pilot.press("t")
        tree, node = main.query_one(FleetTree), NodeId("perth", member="perth1")
        await until(pilot, lambda: node in tree._shown)
        tree.focus()
        tree.move_cursor(tree._shown[node])
        await pilot.press("enter")
        await pilot.pause(0.3)

    assert snap_compare(stage.app, terminal_size=size, run_before=script), "member"


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["large", "small"])
def test_picture_of_an_undo(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """What was done and what would take it back look as they did at the last look."""
    stage = Stage(still=True)

    async def script(pilot: Pilot[None]) -> None:
        await settled(pilot, stage)
        stage.fleet.submit(ChangeState(Ref("oslo", "default", "web1"), StateAction.STOP))
        await until(pilot, lambda: stage.fleet.snapshot.jobs[0].state is JobState.DONE)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(stage.app.screen, UndoDialog))
        yes = stage.app.screen.query_one("#yes", Button)
        await until(pilot, lambda: not yes.disabled)
        await pilot.pause(0.3)

    assert snap_compare(stage.app, terminal_size=size, run_before=script), "undo"
