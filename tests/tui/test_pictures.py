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
from tests.tui.conftest import SIZE, Script, Stage, settled, until


class SnapCompare(Protocol):
    """The fixture of pytest-textual-snapshot."""

    def __call__(
        self, app: App[None], *, terminal_size: tuple[int, int], run_before: Script
    ) -> bool:
        """Draw and compare."""


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["large", "small"])
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("main", []),
        ("help", ["question_mark"]),
        ("details", ["i"]),
        ("confirm", ["x"]),
        ("name", ["n"]),
        ("move", ["m"]),
        ("filter", ["slash", "w", "e", "b"]),
        ("move-wishes", ["m", "down", "n", "k"]),
        ("banner", []),
        ("moves", ["M"]),
        ("group", ["g", "down", "enter", "home", "enter"]),
        ("columns", ["C", "down", "space"]),
        ("marks", ["space", "space", "O"]),
        ("bulk", ["space", "space", "x"]),
        ("bulk-typed", ["ctrl+a", "d"]),
        ("many", ["space", "space", "m", "down", "down", "space"]),
        ("details-config", ["i", "2"]),
        ("details-snapshots", ["i", "4"]),
        ("details-processes", ["i", "6"]),
        ("details-logs", ["i", "7", "down"]),
        ("snapshots", ["S"]),
        ("files", ["F"]),
    ],
)
def test_picture(
    snap_compare: SnapCompare, name: str, keys: list[str], size: tuple[int, int]
) -> None:
    """Each screen looks as it did when a person last looked at it."""
    _compare(snap_compare, name, keys, size)


@pytest.mark.parametrize("size", [(120, 40), (200, 60)], ids=["usual", "wide"])
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("main", []),
        ("group", ["g", "down", "enter"]),
        ("sort", ["o", "o", "o", "o", "o"]),
        ("details", ["i"]),
    ],
)
def test_picture_with_room(
    snap_compare: SnapCompare, name: str, keys: list[str], size: tuple[int, int]
) -> None:
    """The table at the sizes of larger terminals."""
    _compare(snap_compare, name, keys, size)


_ASKING = ("page-", "plan-", "pools", "survey", "more-", "table-")
"""How the threads are named that ask for a screen."""


def _answered() -> bool:
    """Whether no page and no dialog waits for a host."""
    return not any(thread.name.startswith(_ASKING) for thread in threading.enumerate())


def _compare(snap_compare: SnapCompare, name: str, keys: list[str], size: tuple[int, int]) -> None:
    stage = Stage(still=True)
    if name in {"banner", "moves"}:
        stage.leave_a_move("claim", "stop", "copy")

    async def script(pilot: Pilot[None]) -> None:
        await settled(pilot, stage)
        main = stage.app.screen_stack[1]
        assert isinstance(main, MainScreen)
        main.query_one(FleetTable).select(Ref("oslo", "default", "web1"))
        await pilot.press(*keys)
        for field in stage.app.screen.query(Input):
            field.cursor_blink = False
        await until(pilot, _answered)
        await pilot.pause(0.3)

    assert snap_compare(stage.app, terminal_size=size, run_before=script), name
