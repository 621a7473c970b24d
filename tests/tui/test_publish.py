"""The dialog of publishing."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from lxtui.model import JobState
from lxtui.screens.publish import PublishDialog
from tests.tui.conftest import Stage, until
from tests.tui.test_acting import command, select


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_publish_a_snapshot_of_what_runs(size: tuple[int, int]) -> None:
    """The latest snapshot is offered; without one it is said that it has to be stopped."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        select(stage, "oslo", "web1")
        await command(pilot, "publish")
        await until(pilot, lambda: isinstance(stage.app.screen, PublishDialog))

        def text(name: str) -> str:
            return str(stage.app.screen.query_one(f"#{name}", Static).render())

        await pilot.press(*"golden")
        await until(pilot, lambda: "web1/daily1 oslo: --alias golden" in text("preview"))
        stage.app.screen.query_one("#snapshot", Input).value = ""
        await until(pilot, lambda: "not stopped" in text("trouble"))
        stage.app.screen.query_one("#snapshot", Input).value = "daily0"
        await until(pilot, lambda: "web1/daily0" in text("preview"))
        await pilot.press("enter")
        await until(pilot, lambda: bool(stage.fleet.jobs.all))
        await until(pilot, lambda: stage.fleet.jobs.all[0].state is JobState.DONE)

    stage.run(script, size)
