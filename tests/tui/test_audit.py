"""The page of the audit journal."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from lxtui.audit.journal import Audit
from lxtui.model import JobState
from lxtui.screens.audit import AuditDialog
from tests.tui.conftest import Stage, until


def test_the_page_shows_what_was_done(tmp_path: Path) -> None:
    """A stop by key is a line of the page, with its command and its user."""
    stage = Stage(audit=Audit(tmp_path / "audit.jsonl"))

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("x")
        await pilot.press("y")
        await until(pilot, lambda: bool(stage.fleet.jobs.all))
        await until(pilot, lambda: stage.fleet.jobs.all[0].state is JobState.DONE)
        await pilot.press("colon", *"audit", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, AuditDialog))
        table = stage.app.screen.query_one(DataTable)
        await until(pilot, lambda: table.row_count == 1)
        assert "done" in str(table.get_row_at(0)[2])

        def said() -> str:
            return str(stage.app.screen.query_one("#entry", Static).render())

        await until(pilot, lambda: "as: " in said())
        assert "uid" in said()
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(stage.app.screen, AuditDialog))

    stage.run(script, (80, 24))


def test_a_journal_that_cannot_be_written_is_said_and_the_stop_is_done(tmp_path: Path) -> None:
    """One notification; the work goes on."""
    (tmp_path / "file").write_text("in the way")
    stage = Stage(audit=Audit(tmp_path / "file" / "audit.jsonl"))

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("x")
        await pilot.press("y")
        await until(pilot, lambda: bool(stage.fleet.jobs.all))
        await until(pilot, lambda: stage.fleet.jobs.all[0].state is JobState.DONE)
        await until(pilot, lambda: len(stage.app._notifications) == 1)
        assert "audit journal" in next(iter(stage.app._notifications)).message

    stage.run(script)
