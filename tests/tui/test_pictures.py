"""Pictures of the screens at fixed sizes, clock and data.

A picture changes only with a look at it: `make pictures` draws them anew, then read the diff's
report, which a failing run names.
"""

from __future__ import annotations

import threading
from typing import Protocol

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from lxtui.model import Ref
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import Script, Stage, settled, until

pytestmark = pytest.mark.usefixtures("one_look")


class SnapCompare(Protocol):
    """The fixture of pytest-textual-snapshot."""

    def __call__(
        self, app: App[None], *, terminal_size: tuple[int, int], run_before: Script
    ) -> bool:
        """Draw and compare."""


_ASKING = ("page-", "plan-", "pools", "survey", "more-", "table-")
"""How the threads are named that ask for a screen."""


def _answered() -> bool:
    """Whether no page and no dialog waits for a host."""
    return not any(thread.name.startswith(_ASKING) for thread in threading.enumerate())


SIZES = [(80, 24), (120, 40), (200, 60)]
SCREENS: dict[str, list[str]] = {
    "main": [],
    "help": ["question_mark"],
    "confirm": ["x"],
    "name": ["n"],
    "filter": ["slash", "w", "e", "b"],
    "sort": ["o", "o", "o", "o", "o"],
    "group": ["g", "down", "enter", "home", "enter"],
    "columns": ["C", "down", "space"],
    "marks": ["space", "space", "O"],
    "bulk": ["space", "space", "x"],
    "bulk-typed": ["ctrl+a", "d"],
    "cluster": [],
    "move": ["m"],
    "move-wishes": ["m", "down", "n", "k"],
    "many": ["space", "space", "m", "down", "down", "space"],
    "banner": [],
    "moves": ["M"],
    "details": ["i"],
    "details-config": ["i", "2"],
    "details-devices": ["i", "3"],
    "details-snapshots": ["i", "4"],
    "details-processes": ["i", "6"],
    "details-logs": ["i", "7", "down"],
    "snapshots": ["S"],
    "files": ["F"],
    "limits": ["L"],
    "launch": ["N"],
    "tables": ["T"],
    "add-host": ["a"],
}
"""By the name of a picture the keys that lead from the table to what is on it."""


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", SCREENS)
def test_picture(snap_compare: SnapCompare, name: str, size: tuple[int, int]) -> None:
    """Each screen looks as it did when a person last looked at it."""
    stage = Stage(still=True, cluster=name == "cluster")
    if name in {"banner", "moves"}:
        stage.leave_a_move("claim", "stop", "copy")

    async def script(pilot: Pilot[None]) -> None:
        await settled(pilot, stage)
        main = stage.app.screen_stack[1]
        assert isinstance(main, MainScreen)
        main.query_one(FleetTable).select(Ref("oslo", "default", "web1"))
        await pilot.press(*SCREENS[name])
        for field in stage.app.screen.query(Input):
            field.cursor_blink = False
        await until(pilot, _answered)
        await pilot.pause(0.3)

    try:
        assert snap_compare(stage.app, terminal_size=size, run_before=script), name
    finally:
        stage.close()
