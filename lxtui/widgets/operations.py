"""What runs: our own jobs, and the operations of the daemons.

Role: one line each, newest first, ours before theirs. Boundary: gets values. Threading: the
screen's.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.cells import cell_len
from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from lxtui import format as text
from lxtui.model import FleetSnapshot, Job, JobState, Operation

_STYLES = {
    JobState.RUNNING: "yellow",
    JobState.DONE: "green",
    JobState.FAILED: "bold red",
    JobState.CANCELLED: "bold",
}
_SHOWN = 30
_LABELS = ("STATE", "WHAT", "HOW FAR", "SINCE")
_AROUND = 8
"""Columns of the four cells' own margins."""
_AT_LEAST = 12
"""Of WHAT and HOW FAR, however little room there is."""


class OperationsPane(DataTable[Text]):
    """The operations pane."""

    def __init__(self) -> None:
        super().__init__(id="operations", cursor_type="row")
        self._jobs: tuple[Job, ...] = ()
        self._operations: tuple[Operation, ...] = ()
        self._shown: dict[str, tuple[Text, ...]] = {}
        self._now = datetime.min.replace(tzinfo=UTC)
        self.border_title = "operations"

    def on_mount(self) -> None:
        """Make the columns."""
        for label in _LABELS:
            self.add_column(label, key=label)

    @property
    def job(self) -> Job | None:
        """The job under the cursor while the pane has the focus, else the newest that runs."""
        if self.has_focus:
            row = self.cursor_row
            return self._jobs[row] if 0 <= row < len(self._jobs) else None
        return next((job for job in self._jobs if job.state is JobState.RUNNING), None)

    @property
    def chosen(self) -> Job | Operation | None:
        """What the cursor is on."""
        lines: tuple[Job | Operation, ...] = (*self._jobs, *self._operations)
        return lines[self.cursor_row] if 0 <= self.cursor_row < len(lines) else None

    def on_resize(self) -> None:
        """Cut the lines anew."""
        if self._jobs or self._operations:
            self._draw()

    def show(self, snapshot: FleetSnapshot, now: datetime) -> None:
        """Show the jobs and operations of *snapshot*; the cursor stays with its row."""
        self._jobs = snapshot.jobs[:_SHOWN]
        self._operations = snapshot.operations[:_SHOWN]
        self._now = now
        self._draw()

    def _draw(self) -> None:
        now = self._now
        rows = {f"job {job.id}": _job(job, now) for job in self._jobs}
        rows |= {f"{one.host} {one.id}": _operation(one, now) for one in self._operations}
        rows = _fitted(rows, self.size.width - _AROUND)
        if list(rows) == list(self._shown):
            for index, (key, cells) in enumerate(rows.items()):
                for column, (before, cell) in enumerate(zip(self._shown[key], cells, strict=True)):
                    if before != cell:
                        self.update_cell_at(Coordinate(index, column), cell, update_width=True)
        else:
            keys, row = list(self._shown), self.cursor_row
            at = keys[row] if 0 <= row < len(keys) else ""
            self.clear()
            for one in self.columns.values():  # which else stay as wide as they once were
                one.content_width = one.label.cell_len
            for key, cells in rows.items():
                self.add_row(*cells, key=key)
            if at in rows:
                self.move_cursor(row=list(rows).index(at))
        self._shown = rows


def _fitted(rows: dict[str, tuple[Text, ...]], width: int) -> dict[str, tuple[Text, ...]]:
    """The same with WHAT and HOW FAR cut so that SINCE stays on the screen; enter shows it all."""
    widest = [
        max([len(label), *(row[at].cell_len for row in rows.values())])
        for at, label in enumerate(_LABELS)
    ]
    room = width - widest[0] - widest[3]
    what = min(widest[1], max(room - min(widest[2], room // 2), _AT_LEAST))
    how_far = max(room - what, _AT_LEAST)
    for row in rows.values():
        row[1].truncate(what, overflow="ellipsis")
        if row[0].plain == JobState.RUNNING:
            _keep_end(row[2], how_far)
        else:
            row[2].truncate(how_far, overflow="ellipsis")
    return rows


def _keep_end(cell: Text, width: int) -> None:
    """Cut what runs in front: rate and time left stand at the end."""
    if cell.cell_len > width:
        shown = cell.plain[-width:]  # no letter is narrower than a cell
        while cell_len(shown) >= width:
            shown = shown[1:]
        cell.plain = f"…{shown}"


def _how_far(job: Job) -> str:
    """Its own words; the command line where they only repeat the title."""
    said = job.progress.text
    if job.state is JobState.DONE and said == f"{job.title}: done" and len(job.commands) == 1:
        return f"as: {job.commands[0]}"
    return said


def _job(job: Job, now: datetime) -> tuple[Text, ...]:
    return (
        Text(job.state.value, _STYLES[job.state]),
        Text(text.plain(job.title)),
        Text(text.plain(_how_far(job))),
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
