"""Keys that come together, as from a slow line or somebody who types ahead."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from lxtui.model import Ref
from lxtui.screens.dialogs import ConfirmDialog
from lxtui.screens.launch import LaunchDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.tables import TableScreen
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import Stage, until

KEYS = {"/": "slash", ":": "colon", "-": "minus", "\r": "enter", "\x1b": "escape", "^": "home"}


def _at_once(stage: Stage, words: str) -> None:
    """As the driver hands over what it has read in one piece."""
    for letter in words:
        shown = letter if letter.isprintable() and letter != "^" else None
        stage.app.post_message(events.Key(KEYS.get(letter, letter), shown))


def test_a_filter_typed_ahead_is_a_filter() -> None:
    """Its letters are no keys of the table: ``e`` edits, ``s`` starts, ``x`` stops."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _at_once(stage, "/webxes\r")
        field = stage.app.screen.query_one("#filter", Input)
        await until(pilot, lambda: field.value == "webxes")
        assert isinstance(stage.app.screen, MainScreen)
        assert not stage.fleet.jobs.all

    stage.run(script)


@pytest.mark.parametrize(
    ("words", "kind"), [(":images\r", TableScreen), (":stop\r", ConfirmDialog)]
)
def test_a_command_typed_ahead_is_carried_out(words: str, kind: type) -> None:
    """All its letters reach the line that the first one opens, and enter comes behind them."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = stage.app.screen.query_one(FleetTable)
        table.select(Ref("oslo", "default", "web1"))
        await pilot.pause()
        _at_once(stage, words)
        await until(pilot, lambda: isinstance(stage.app.screen, kind))

    stage.run(script)


def test_keys_go_on_behind_a_dialog_that_closes() -> None:
    """Escape closes it, and what follows is for what is below, where nobody stops a key either."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = stage.app.screen.query_one(FleetTable)
        _at_once(stage, "G")
        await until(pilot, lambda: table.cursor_row > 1)
        _at_once(stage, ":\x1b^jjN")
        await until(pilot, lambda: isinstance(stage.app.screen, LaunchDialog))
        assert table.cursor_row == 2
        stage.app.post_message(events.Paste("edge"))
        _at_once(stage, "-1")
        image = stage.app.screen.query_one("#image", Input)
        await until(pilot, lambda: image.value == "edge-1")

    stage.run(script)
