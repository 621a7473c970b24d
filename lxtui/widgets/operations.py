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
        self._shown: dict[str, tuple[Text, ...]] = {}
        self.border_title = "operations"

    def on_mount(self) -> None:
        """Make the columns."""
        for label in ("STATE", "WHAT", "HOW FAR", "SINCE"):
            self.add_column(label, key=label)

    @property
    def job(self) -> Job | None:
        """The job under the cursor while the pane has the focus, else the newest that runs."""
        if self.has_focus:
            row = self.cursor_row
            return self._jobs[row] if 0 <= row < len(self._jobs) else None
        return next((job for job in self._jobs if job.state is JobState.RUNNING), None)

    def show(self, snapshot: FleetSnapshot, now: datetime) -> None:
        """Show the jobs and operations of *snapshot*; the cursor stays with its row."""
        self._jobs = snapshot.jobs[:_SHOWN]
        rows = {f"job {job.id}": _job(job, now) for job in self._jobs}
        rows |= {
            f"{one.host} {one.id}": _operation(one, now) for one in snapshot.operations[:_SHOWN]
        }
        if list(rows) == list(self._shown):
            for index, (key, cells) in enumerate(rows.items()):
                for column, (before, cell) in enumerate(zip(self._shown[key], cells, strict=True)):
                    if before != cell:
                        self.update_cell_at(Coordinate(index, column), cell, update_width=True)
        else:
            keys, row = list(self._shown), self.cursor_row
            at = keys[row] if 0 <= row < len(keys) else ""
            self.clear()
            for key, cells in rows.items():
                self.add_row(*cells, key=key)
            if at in rows:
                self.move_cursor(row=list(rows).index(at))
        self._shown = rows


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
