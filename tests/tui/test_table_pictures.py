"""Pictures of the tables at fixed sizes, clock and data; see test_pictures.py."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from lxtui.screens.entry_page import EntryPage
from lxtui.screens.tables import TableScreen
from lxtui.widgets.resource_table import ResourceTable
from tests.tui.conftest import Stage, settled, until
from tests.tui.test_pictures import SIZES, SnapCompare

ROWS = {"images": 13, "warnings": 6, "entry": 9}
"""By the name of a picture how many rows its table has."""

pytestmark = pytest.mark.usefixtures("one_look")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ROWS)
def test_picture_of_a_table(snap_compare: SnapCompare, name: str, size: tuple[int, int]) -> None:
    """A table looks as it did when a person last looked at it, and so does a page of it."""
    stage = Stage(still=True)

    async def script(pilot: Pilot[None]) -> None:
        await settled(pilot, stage)
        await pilot.press("colon", *("networks" if name == "entry" else name), "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, TableScreen))
        shown = stage.app.screen.query_one(ResourceTable)
        await until(pilot, lambda: shown.row_count == ROWS[name])
        await pilot.press("down")
        if name == "entry":
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(stage.app.screen, EntryPage))
            text = stage.app.screen.query_one("#text")
            await until(pilot, lambda: "mtu: 1500" in str(text.render()))
        await pilot.pause(0.3)

    try:
        assert snap_compare(stage.app, terminal_size=size, run_before=script), name
    finally:
        stage.close()
