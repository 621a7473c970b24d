"""The dialog that adds a host.

Role: asks for name, address and secret, shows who answers there, has it confirmed, adds it.
Boundary: gets a function that looks, which gives a value that can be added; knows no backend. The
secret is shown as dots and goes with the dialog. Threading: the screen's; looking and adding ask
hosts, so they run in threads of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Protocol

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from lxtui import format as text
from lxtui.errors import LxtuiError
from lxtui.screens.dialogs import ConfirmDialog


class Newcomer(Protocol):
    """A host that was seen, and is not ours yet."""

    @property
    def lines(self) -> list[str]:
        """What a person has to look at before it is believed."""

    def add(self, secret: str) -> str:
        """Make it one of ours; its name. LxtuiError when that fails."""


Look = Callable[[str, str, str], Newcomer]
"""Name, address, secret → who is there; LxtuiError when nobody is, or somebody else."""


class AddHostDialog(ModalScreen[str | None]):
    """Asks who and where; answers with the name of the host that was added."""

    BINDINGS = [("escape", "close", "Close")]

    class Looked(Message):
        """Somebody was seen, or nobody."""

        def __init__(self, seen: Newcomer | LxtuiError) -> None:
            super().__init__()
            self.seen = seen

    class Added(Message):
        """It is one of ours, or could not become it."""

        def __init__(self, name: str | LxtuiError) -> None:
            super().__init__()
            self.name = name

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._busy = False

    def compose(self) -> ComposeResult:
        """Lay out the three fields."""
        with Vertical(classes="dialog") as box:
            box.border_title = "add a host"
            box.border_subtitle = "enter looks who is there · escape closes"
            yield Label("Name", classes="detail")
            yield Input(id="name")
            yield Label("Address: HOST or HOST:PORT; empty: those in the token", classes="detail")
            yield Input(id="address")
            yield Label("Token or trust password; empty: it trusts us already", classes="detail")
            yield Input(id="secret", password=True)
            yield Label("", id="trouble", classes="trouble")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the first empty field below, then look."""
        event.stop()
        if self._busy:
            return
        if event.input.id == "name":
            self.query_one("#address").focus()
        elif event.input.id == "address":
            self.query_one("#secret").focus()
        else:
            self._begin("looking who is there…", self._ask)

    def on_add_host_dialog_looked(self, message: AddHostDialog.Looked) -> None:
        """Show who it is, and ask."""
        self._busy = False
        seen = message.seen
        if isinstance(seen, LxtuiError):
            self._say(str(seen))
            return
        self._say("")

        def go(yes: bool | None) -> None:
            if yes:
                self._begin("asking it to trust us…", lambda: self._add(seen))

        question = f"Add {self._value('name')}? Look whether this is its fingerprint:"
        self.app.push_screen(ConfirmDialog(question, [text.plain(line) for line in seen.lines]), go)

    def on_add_host_dialog_added(self, message: AddHostDialog.Added) -> None:
        """Done, or say why not."""
        self._busy = False
        if isinstance(message.name, LxtuiError):
            self._say(str(message.name))
        else:
            self.dismiss(message.name)

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _begin(self, line: str, work: Callable[[], None]) -> None:
        self._busy = True
        self._say(line)
        Thread(target=work, name="add-host", daemon=True).start()

    def _ask(self) -> None:
        seen: Newcomer | LxtuiError
        try:
            seen = self._look(self._value("name"), self._value("address"), self._value("secret"))
        except LxtuiError as error:
            seen = error
        self.post_message(self.Looked(seen))

    def _add(self, seen: Newcomer) -> None:
        name: str | LxtuiError
        try:
            name = seen.add(self._value("secret"))
        except LxtuiError as error:
            name = error
        self.post_message(self.Added(name))

    def _value(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    def _say(self, line: str) -> None:
        self.query_one("#trouble", Label).update(Content(text.plain(line)))
