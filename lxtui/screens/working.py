"""A few fields, what they mean, and then how far it is.

Role: the frame of dialogs whose command takes long: what is wrong and the command line while they
are filled in, progress once it runs. Closing it leaves the work going on as a job. Boundary: gets
functions; imports no backend. Threading: the screen's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Checkbox, Input, Label

from lxtui import format as text
from lxtui.commands import Command
from lxtui.errors import LxtuiError
from lxtui.files.places import local_path
from lxtui.model import FleetSnapshot, JobState, Kind


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in."""

    id: str
    label: str
    value: str = ""
    help: str = ""
    suggester: Suggester | None = None


class LocalPaths(Suggester):
    """Completes a path of this machine."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first name that begins so; a directory with its slash."""
        head, slash, begun = value.rpartition("/")
        try:
            folder = local_path(head + slash or ".")
            with os.scandir(folder) as found:
                names = sorted(
                    one.name + ("/" if one.is_dir() else "")
                    for one in found
                    if one.name.startswith(begun) and (begun or not one.name.startswith("."))
                )
        except (OSError, LxtuiError):
            return None
        return head + slash + names[0] if begun and names and names[0].isprintable() else None


class WorkDialog(ModalScreen[None]):
    """Fill in, enter begins."""

    BINDINGS = [("escape", "close", "Close"), ("c", "stop", "Cancel the work")]

    title_ = ""
    verb = ""
    """What enter does."""

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

    def fields(self) -> Sequence[Field]:
        """The lines to fill in."""
        raise NotImplementedError

    def boxes(self) -> Sequence[tuple[str, str]]:
        """The boxes to tick: id and label."""
        return ()

    def question(self) -> str:
        """What it is about."""
        raise NotImplementedError

    def command(self, said: Mapping[str, str], ticked: frozenset[str]) -> Command:
        """What is meant; LxtuiError when it cannot be."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        with Vertical(classes="dialog medium work") as box:
            box.border_title = Text(self.title_)
            box.border_subtitle = Text(f"enter {self.verb} · esc closes")
            yield Label(Content(text.plain(self.question())), classes="question")
            for field in self.fields():
                with Horizontal(classes="row"):
                    yield Label(field.label)
                    yield Input(
                        field.value,
                        id=field.id,
                        compact=True,
                        placeholder=field.help,
                        suggester=field.suggester,
                    )
            for name, label in self.boxes():
                yield Checkbox(label, id=name, compact=True)
            yield Label("", id="trouble", classes="trouble")
            yield Label("", id="preview", classes="detail")
            yield Label("", id="said")

    def on_mount(self) -> None:
        """Say what would be done."""
        self._look()

    def on_input_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_checkbox_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_input_submitted(self) -> None:
        """Begin, if it can be."""
        command = self._look()
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

    def _look(self) -> Command | None:
        said = {field.id: self.query_one(f"#{field.id}", Input).value for field in self.fields()}
        ticked = frozenset(
            name for name, _ in self.boxes() if self.query_one(f"#{name}", Checkbox).value
        )
        command, trouble = None, ""
        try:
            command = self.command(said, ticked)
        except LxtuiError as error:
            trouble = str(error)
        shown = f"as: {command.equivalent(self._kind)}" if command is not None else ""
        self.query_one("#trouble", Label).update(Content(text.plain(trouble)))
        self.query_one("#preview", Label).update(Content(text.plain(shown)))
        return command

    def _say(self, line: str) -> None:
        shown = "\n".join(map(text.plain, line.split("\n")))
        self.query_one("#said", Label).update(Content(shown))


def here() -> str:
    """The directory in which lxtui was begun, as something to go on from."""
    try:
        return f"{Path.cwd()}/"
    except OSError:  # it was removed
        return "~/"
