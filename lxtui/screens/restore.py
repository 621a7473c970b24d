"""What restoring a snapshot would lose, before it is agreed to.

Role: reads and shows it; "no" has the focus. Boundary: gets a reader; answers yes or no. Threading:
the screen's; the host is asked in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from lxtui import format as text
from lxtui.errors import LxtuiError
from lxtui.restoring import Loss

_STYLES = {"+": "green", "-": "red", "@": "dim"}


class RestoreDialog(ModalScreen[bool]):
    """Look, then yes or no; what is in the way takes the yes away."""

    BINDINGS = [("escape,n", "answer(False)", "No"), ("y", "answer(True)", "Yes")]

    class Looked(Message):
        """It is known, or cannot be."""

        def __init__(self, found: Loss | LxtuiError) -> None:
            super().__init__()
            self.found = found

    def __init__(self, question: str, command: str, look: Callable[[], Loss]) -> None:
        super().__init__()
        self._question = question
        self._command = command
        self._look = look
        self._known = False

    def compose(self) -> ComposeResult:
        """Lay out the question above what is lost."""
        with Vertical(classes="dialog page"):
            yield Label(Content(text.plain(self._question)), classes="question")
            with VerticalScroll(id="loss-scroll"):
                yield Static("asking what is lost …", id="loss")
            yield Label(Content(text.plain(f"as: {self._command}")), classes="detail")
            with Horizontal(classes="buttons"):
                yield Button("No", id="no")
                yield Button("Yes", id="yes", variant="error", disabled=True)

    def on_mount(self) -> None:
        """Begin at the harmless answer."""
        self.query_one("#no").focus()

        def ask() -> None:
            try:
                found: Loss | LxtuiError = self._look()
            except LxtuiError as error:
                found = error
            if self.is_attached:
                self.post_message(self.Looked(found))

        Thread(target=ask, name="loss", daemon=True).start()

    def on_restore_dialog_looked(self, message: RestoreDialog.Looked) -> None:
        """Show it."""
        found, said = message.found, self.query_one("#loss", Static)
        if isinstance(found, LxtuiError):
            said.update(Content.styled(text.plain(str(found)), "red"))
            return
        lines = [Content(line) for line in found.lines]
        if found.blocker:
            lines.insert(0, Content.styled(found.blocker, "bold red"))
        lines += [Content.styled(line, _STYLES.get(line[:1], "dim")) for line in found.difference]
        said.update(Content("\n").join(lines))
        self._known = not found.blocker
        self.query_one("#yes", Button).disabled = not self._known

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by mouse or enter."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by key; yes only to what was seen."""
        if answer and not self._known:
            self.app.bell()
            return
        self.dismiss(answer)
