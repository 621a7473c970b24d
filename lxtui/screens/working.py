"""A few fields, what they mean, and then how far it is.

Role: the frame of dialogs whose command takes long: what is wrong and the command line while they
are filled in, progress once it runs. Closing it leaves the work going on as a job. Boundary: gets
functions; imports no backend. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widgets import Input, Label

from lxtui import format as text
from lxtui.commands import Command
from lxtui.model import FleetSnapshot, JobState, Kind
from lxtui.screens.forms import FormDialog


class WorkDialog(FormDialog[Command, None]):
    """Fill in, enter begins."""

    BINDINGS = [("escape", "close", "Close"), ("c", "stop", "Cancel the work")]

    def __init__(
        self,
        kind: Kind,
        submit: Callable[[Command], int],
        cancel_job: Callable[[int], None],
        begun: Callable[[int], None] = lambda _: None,
    ) -> None:
        """*begun* is told the number of the job."""
        super().__init__()
        self._kind = kind
        self._submit = submit
        self._cancel_job = cancel_job
        self._begun = begun
        self._job: int | None = None

    def shown(self, meaning: Command) -> str:
        """The command line that would do the same."""
        return f"as: {meaning.equivalent(self._kind)}"

    def on_input_submitted(self) -> None:
        """Begin, if it can be."""
        command = self.look()
        if command is None:
            self.app.bell()
            return
        self._job = self._submit(command)
        self._begun(self._job)
        self._enable(False)
        self._say("beginning…")

    def show(self, fleet: FleetSnapshot) -> None:
        """Say how far it is; close when it is done."""
        job = next((one for one in fleet.jobs if one.id == self._job), None)
        if job is None:
            return
        if job.state is JobState.RUNNING:
            self._say(f"{job.progress.text}\n(c cancels; esc closes, and it goes on)")
            return
        self._job = None
        if job.state is JobState.DONE:
            self.app.notify(text.plain(job.progress.text), markup=False)
            self.dismiss(None)
            return
        self._enable(True)
        self._say("")
        self.query_one("#trouble", Label).update(Content(text.plain(job.progress.text)))

    def action_close(self) -> None:
        """Turn away; what runs goes on."""
        if self._job is not None:
            self.app.notify("it goes on: the operations pane shows how far it is", markup=False)
        self.dismiss(None)

    def action_stop(self) -> None:
        """Cancel what runs."""
        if self._job is not None:
            self._cancel_job(self._job)
            self._say("cancelling…")

    def _enable(self, wanted: bool) -> None:
        for one in self.query("Input, Checkbox"):
            one.disabled = not wanted
        if wanted:
            self.query(Input).first().focus()

    def _say(self, line: str) -> None:
        shown = "\n".join(map(text.plain, line.split("\n")))
        self.query_one("#said", Label).update(Content(shown))
