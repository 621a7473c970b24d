"""A question whose yes has to wait for what a host says of it.

Role: asks in a thread, shows the answer, enables the yes if the answer allows it; "no" has the
focus. Boundary: gets a reader; what is made of its answer is the dialog's own. Threading: the
screen's; the host is asked in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from lxtui import format as text
from lxtui.errors import LxtuiError

_Found = TypeVar("_Found")


class LookingDialog(ModalScreen[_Found | None], Generic[_Found]):
    """Look, then yes or no: ends with what was seen and agreed to, or with nothing."""

    BINDINGS = [("escape,n", "answer(False)", "No"), ("y", "answer(True)", "Yes")]
    title_: ClassVar[str] = ""
    looks: ClassVar[str] = ""
    """What is said until the answer is there."""
    classes_: ClassVar[str] = "dialog page"

    class Looked(Message):
        """It is known, or cannot be."""

        def __init__(self, found: object) -> None:
            super().__init__()
            self.found = found

    def __init__(
        self, question: Sequence[str], look: Callable[[], _Found], below: str = ""
    ) -> None:
        super().__init__()
        self._question = question
        self._look = look
        self._below = below
        self._found: _Found | None = None

    def shown(self, found: _Found) -> Content:
        """Return what is said of it."""
        raise NotImplementedError

    def allows(self, found: _Found) -> bool:
        """Return whether the question can be answered with yes."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the question above what is known of it."""
        with Vertical(classes=self.classes_) as box:
            box.border_title = self.title_
            for line in self._question:
                yield Label(Content(text.plain(line)), classes="question")
            with VerticalScroll(id="found-scroll"):
                yield Static(self.looks, id="found")
            if self._below:
                yield Label(Content(text.plain(self._below)), classes="detail")
            with Horizontal(classes="buttons"):
                yield Button("No", id="no")
                yield Button("Yes", id="yes", variant="error", disabled=True)

    def on_mount(self) -> None:
        """Ask, and begin at the harmless answer."""
        self.query_one("#no").focus()

        def ask() -> None:
            try:
                found: _Found | LxtuiError = self._look()
            except LxtuiError as error:
                found = error
            if self.is_attached:
                self.post_message(self.Looked(found))

        Thread(target=ask, name="plan-look", daemon=True).start()

    def on_looking_dialog_looked(self, message: Looked) -> None:
        """Show it."""
        found, said = message.found, self.query_one("#found", Static)
        if isinstance(found, LxtuiError):
            said.update(Content.styled(text.plain(str(found)), "red"))
            return
        seen: _Found = found  # type: ignore[assignment]  # a message carries no type
        said.update(self.shown(seen))
        if self.allows(seen):
            self._found = seen
            self.query_one("#yes", Button).disabled = False

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by mouse or enter."""
        self.action_answer(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by key; yes only to what was seen."""
        if answer and self._found is None:
            self.app.bell()
        else:
            self.dismiss(self._found if answer else None)
