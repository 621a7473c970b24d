"""Pictures of a cluster, at fixed sizes, clock and data; see test_pictures.py."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_tree import FleetTree, NodeId
from tests.tui.conftest import SIZE, Stage, settled, until
from tests.tui.test_pictures import SnapCompare

pytestmark = pytest.mark.usefixtures("one_look")


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

    try:
        assert snap_compare(stage.app, terminal_size=size, run_before=script), "member"
    finally:
        stage.close()
