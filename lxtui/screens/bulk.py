"""The dialog for an action on many: what will happen to each, then how far each is.

Role: one confirmation for all, typed where nothing can be taken back; closing it does not end the
work. Boundary: gets a Bulk and a starter, knows no backend. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Log

from lxtui import format as text
from lxtui.bulk import Bulk
from lxtui.commands import Many
from lxtui.model import FleetSnapshot, JobState
from lxtui.screens.move import Submit


class BulkDialog(ModalScreen[None]):
    """Look, agree, watch; "no" has the focus."""

    BINDINGS = [
        Binding("escape,n", "close", "No"),
        Binding("y", "agree", "Yes"),
        Binding("c", "cancel_job", "Cancel the rest"),
    ]

    def __init__(
        self, bulk: Bulk, submit: Submit, cancel: Callable[[int], None], begun: Callable[[], None]
    ) -> None:
        """*begun* is told when the work begins."""
        super().__init__()
        self._bulk = bulk
        self._submit = submit
        self._cancel = cancel
        self._begun = begun
        self._job: int | None = None
        self._details: tuple[str, ...] = ()

    @property
    def command(self) -> Many:
        """What is asked about."""
        return self._bulk.command

    def compose(self) -> ComposeResult:
        """Lay out the question, what it means, and the answers."""
        bulk = self._bulk
        with Vertical(classes="dialog wide bulk") as box:
            box.border_title = bulk.action.label.lower()
            yield Label(Content(bulk.question), classes="question", id="question")
            yield Log(id="each", auto_scroll=False)
            if bulk.typed and bulk.command.commands:
                yield Input(
                    placeholder=f"this cannot be undone: type {bulk.typed} to agree", id="typed"
                )
            with Horizontal(classes="buttons"):
                yield Button("No", id="no")
                if not bulk.typed:
                    yield Button("Yes", id="yes", variant="error", disabled=not bulk.lines)

    def on_mount(self) -> None:
        """Show what will happen; begin at the harmless answer."""
        bulk = self._bulk
        lines = [*bulk.lines]
        if bulk.warnings:
            lines += [" ", *bulk.warnings]
        if bulk.left_out:
            lines += [" ", f"left out: {len(bulk.left_out)}"]
            lines += [f"{ref}  {why}" for ref, why in bulk.left_out.items()]
        self._write(lines)
        self.query_one("#typed" if self.query("#typed") else "#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by mouse or enter."""
        if event.button.id == "yes":
            self.action_agree()
        else:
            self.action_close()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Agree, if that is what was typed."""
        if event.value.strip() == self._bulk.typed:
            self._go()
        else:
            self.app.bell()
            event.input.value = ""

    def action_agree(self) -> None:
        """Begin, where a key is enough."""
        if not self._bulk.typed and self._bulk.command.commands:
            self._go()

    def action_cancel_job(self) -> None:
        """Begin no more of them."""
        if self._job is not None:
            self._cancel(self._job)

    def action_close(self) -> None:
        """Turn away, or leave the work alone."""
        self.dismiss(None)

    def show(self, snapshot: FleetSnapshot) -> None:
        """Follow the work in the fleet's jobs."""
        job = next((job for job in snapshot.jobs if job.id == self._job), None)
        if job is None:
            return
        if job.progress.details != self._details:
            self._details = job.progress.details
            self._write(self._details)
        style = {JobState.DONE: "green", JobState.FAILED: "bold red"}.get(job.state, "")
        said = Content.styled(text.plain(job.progress.text), style)
        self.query_one("#question", Label).update(said)
        self.query_one(Vertical).border_subtitle = (
            "escape hides, the work goes on · c begins no more"
            if job.state is JobState.RUNNING
            else "escape closes"
        )

    def _go(self) -> None:
        if self._job is None:
            self._job = self._submit(self._bulk.command)
            self._begun()
            for widget in self.query("#typed, .buttons"):
                widget.display = False
            self.query_one(Log).focus()

    def _write(self, lines: tuple[str, ...] | list[str]) -> None:
        log = self.query_one(Log)
        at = log.scroll_offset.y
        log.clear()
        log.write_lines([text.plain(line) for line in lines])
        log.scroll_to(y=at, animate=False)
