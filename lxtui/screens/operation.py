"""One line of the operations pane, whole.

Role: a job of ours or an operation of a daemon: all that is said of it, and the command lines that
would have done the same. Boundary: gets values. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from lxtui import format as text
from lxtui.clock import Clock
from lxtui.model import FleetSnapshot, Job, JobState, Operation
from lxtui.screens.copying import hint


class OperationDialog(ModalScreen[None]):
    """All of it, as long as it is known; then as it was last."""

    BINDINGS = [("escape,q", "close", "Close"), ("c", "cancel_job", "Cancel the job")]

    def __init__(
        self, of: Job | Operation, clock: Clock, cancel_job: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._of = of
        self._clock = clock
        self._cancel_job = cancel_job

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="dialog page") as page:
            page.border_title = Text("operation")
            yield Static(id="operation")

    def on_mount(self) -> None:
        """Say what is known."""
        self._draw()

    def show(self, fleet: FleetSnapshot) -> None:
        """Follow it."""
        known: tuple[Job | Operation, ...] = (*fleet.jobs, *fleet.operations)
        self._of = next((one for one in known if same(one, self._of)), self._of)
        self._draw()

    def action_cancel_job(self) -> None:
        """Ask it to stop and to put everything back."""
        if isinstance(self._of, Job) and self._of.state is JobState.RUNNING:
            self._cancel_job(self._of.id)

    def action_close(self) -> None:
        """Turn away; what runs goes on."""
        self.dismiss(None)

    def _draw(self) -> None:
        of, now = self._of, self._clock()
        running = isinstance(of, Job) and of.state is JobState.RUNNING
        hints = ["c cancels"] if running else []
        lines = _job(of, now) if isinstance(of, Job) else _operation(of, now)
        hints += [hint(self.app, map(str, lines)), "escape closes"]
        self.query_one(VerticalScroll).border_subtitle = " · ".join(filter(None, hints))
        self.query_one("#operation", Static).update(Content("\n").join(lines))


def same(one: Job | Operation, other: Job | Operation) -> bool:
    """Whether they are the same thing, at whatever time."""
    if isinstance(one, Operation) and isinstance(other, Operation):
        return (one.host, one.id) == (other.host, other.id)
    return type(one) is type(other) and one.id == other.id


def _job(job: Job, now: datetime) -> list[Content]:
    took = ((job.ended_at or now) - job.started_at).total_seconds()
    when = f"{job.state}, begun {_moment(job.started_at)}, {text.duration(took)}"
    lines = [
        Content.styled(text.plain(job.title), "bold"),
        Content.styled(when, "dim"),
        Content(text.plain(job.progress.text)),
        *(Content(text.plain(line)) for line in job.progress.details),
        Content(""),
    ]
    return lines + [Content.styled(f"as: {text.plain(line)}", "dim") for line in job.commands]


def _operation(operation: Operation, now: datetime) -> list[Content]:
    """Of its metadata nothing: they hold what opens its websockets."""
    about = [
        f"on {operation.host}",
        operation.status.lower(),
        f"begun {_moment(operation.created_at)}" if operation.created_at else "",
        f"{text.age(operation.created_at, now)} ago" if operation.created_at else "",
    ]
    lines = [
        operation.description,
        ", ".join(filter(None, about)),
        ", ".join(operation.resources),
        operation.progress,
        operation.error,
        f"id {operation.id}",
    ]
    return [Content(text.plain(line)) for line in lines if line]


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
