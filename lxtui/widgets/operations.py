"""What runs: our own jobs, and the operations of the daemons.

Role: one line each, newest first, ours before theirs. Boundary: gets values. Threading: the
screen's.
"""

from __future__ import annotations

from datetime import datetime

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from lxtui import format as text
from lxtui.model import FleetSnapshot, Job, JobState, Operation

_STYLES = {JobState.RUNNING: "yellow", JobState.DONE: "green", JobState.FAILED: "bold red"}
_SHOWN = 30


class OperationsPane(DataTable[Text]):
    """The operations pane."""

    def __init__(self) -> None:
        super().__init__(id="operations", cursor_type="row")
        self._jobs: tuple[Job, ...] = ()
        self._rows: list[tuple[Text, ...]] = []
        self.border_title = "operations"

    def on_mount(self) -> None:
        """Make the columns."""
        for label in ("STATE", "WHAT", "HOW FAR", "SINCE"):
            self.add_column(label, key=label)

    @property
    def selected(self) -> Job | None:
        """The job under the cursor, if it is a job of ours."""
        row = self.cursor_row
        return self._jobs[row] if 0 <= row < len(self._jobs) else None

    def show(self, snapshot: FleetSnapshot, now: datetime) -> None:
        """Show the jobs and operations of *snapshot*."""
        self._jobs = snapshot.jobs[:_SHOWN]
        rows = [_job(job, now) for job in self._jobs]
        rows += [_operation(one, now) for one in snapshot.operations[:_SHOWN]]
        if len(rows) != len(self._rows):
            self.clear()
            for row in rows:
                self.add_row(*row)
        else:
            for index, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
                for column, (before, cell) in enumerate(zip(old, new, strict=True)):
                    if before != cell:
                        self.update_cell_at(Coordinate(index, column), cell, update_width=True)
        self._rows = rows


def _job(job: Job, now: datetime) -> tuple[Text, ...]:
    return (
        Text(job.state.value, _STYLES[job.state]),
        Text(text.plain(job.title)),
        Text(text.plain(job.progress.text)),
        Text(text.age(job.started_at, now)),
    )


def _operation(operation: Operation, now: datetime) -> tuple[Text, ...]:
    what = f"{operation.host}: {operation.description} {', '.join(operation.resources)}".rstrip()
    return (
        Text(operation.status.lower(), "dim"),
        Text(text.plain(what), "dim"),
        Text(text.plain(operation.progress), "dim"),
        Text(text.age(operation.created_at, now), "dim"),
    )
