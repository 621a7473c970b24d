"""Editing in the user's own editor, from the screen.

Role: reads the document, hands the screen to the editor, shows the difference, sends it, and begins
anew on top of what somebody else has written meanwhile. Made for any object that can be edited.
Boundary: gets what it needs to reach the fleet as a Wiring of functions. Threading: the screen's;
hosts are asked in threads and jobs.
"""

from __future__ import annotations

from threading import Thread

from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from lxtui import format as text
from lxtui.api import Document
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import Editable, difference, shown
from lxtui.editing.session import Session
from lxtui.errors import ConflictError, LxtuiError, UsageError
from lxtui.model import Kind
from lxtui.screens.asking import Wiring

_STYLES = {"+": "green", "-": "red", "@": "dim"}


class EditDialog(ModalScreen[None]):
    """What has changed; enter sends it, e edits it again."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("enter,y", "send", "Send"),
        ("e", "edit", "Edit again"),
    ]

    class Looked(Message):
        """The document is here, or cannot be had."""

        def __init__(self, document: Document | LxtuiError, *, anew: bool) -> None:
            super().__init__()
            self.document = document
            self.anew = anew

    class Ended(Message):
        """What was sent has been taken, or refused."""

        def __init__(self, error: LxtuiError | None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, what: Editable, kind: Kind, wiring: Wiring) -> None:
        super().__init__()
        self._what = what
        self._kind = kind
        self._wiring = wiring
        self._session: Session | None = None
        self._command: PutDocument | None = None
        self._sent = False

    def compose(self) -> ComposeResult:
        """Lay out the difference above what is said of it."""
        with Vertical(classes="dialog full") as box:
            box.border_title = Text(text.plain(f"edit {self._what.title}"))
            box.border_subtitle = "enter sends · e edits again · escape closes"
            with VerticalScroll(id="entries"):
                yield Static("asking …", id="difference")
            yield Label("", id="said", classes="trouble")

    def on_mount(self) -> None:
        """Ask for the document."""
        self._look(anew=False)

    def on_edit_dialog_looked(self, message: EditDialog.Looked) -> None:
        """Begin with it, or go on on top of it."""
        if isinstance(message.document, LxtuiError):
            self._say(str(message.document))
            return
        try:
            if self._session is None:
                self._session = Session(self._what, message.document, self._wiring.edits)
                self._edit(self._session)
            else:
                both = self._session.take_up(message.document)
                self._show(self._session)
                said = "somebody else has changed it meanwhile: your changes are on top of that now"
                lost = f"; both have changed {', '.join(both)}" if both else ""
                self._say(f"{said}{lost}; look again")
        except LxtuiError as error:
            self._say(str(error))

    def on_edit_dialog_ended(self, message: EditDialog.Ended) -> None:
        """Leave when all is well; else say why, and keep the text."""
        self._sent = False
        if message.error is None:
            self._leave()
        elif isinstance(message.error, ConflictError):
            self._say(f"{message.error} …")
            self._look(anew=True)
        elif self._session is not None:
            self._session.note(str(message.error))
            self._say(f"{message.error}; your text is in {self._session.file}")

    def action_edit(self) -> None:
        """Once more."""
        if self._session is not None and not self._sent:
            self._edit(self._session)

    def action_send(self) -> None:
        """Send what is shown."""
        if self._command is None or self._sent:
            return
        self._sent = True
        self._say("sending …")
        self._wiring.follow(self._command, lambda error: self._tell(self.Ended(error)))

    def action_close(self) -> None:
        """Give it up; what was sent is seen through, and its text kept until then."""
        if self._session is not None and not self._sent:
            self._session.over()
        self.dismiss(None)

    def _leave(self) -> None:
        if self._session is not None:
            self._session.over()
        if self.is_current:
            self.dismiss(None)

    def _look(self, *, anew: bool) -> None:
        what, read = self._what, self._wiring.read

        def ask() -> None:
            try:
                found: Document | LxtuiError = read(what.ref.host, what.path, what.parameters)
            except LxtuiError as error:
                found = error
            self._tell(self.Looked(found, anew=anew))

        Thread(target=ask, name="edit", daemon=True).start()

    def _edit(self, session: Session) -> None:
        """Let the user edit until the text means something."""
        while True:
            if trouble := self._wiring.run_editor(session.file):
                self._say(trouble)
                return
            try:
                self._show(session)
            except UsageError as error:
                if not session.touched:  # left as it is, with the remark: given up for now
                    self._say(f"{error}; e edits it again")
                    return
                session.note(str(error))
                continue
            if self._command is None:
                self.app.notify("nothing was changed", markup=False)
                self._leave()
            return

    def _show(self, session: Session) -> None:
        self._command = None
        self._command = command = session.command
        if command is None:
            return
        before = shown(self._what, command.before.value)
        lines = [
            Content.styled(line, _STYLES.get(line[:1], ""))
            for line in difference(before, command.after)
        ]
        lines.append(Content(""))
        lines += [
            Content.styled(text.plain(f"as: {line}"), "dim") for line in command.lines(self._kind)
        ]
        self.query_one("#difference", Static).update(Content("\n").join(lines))
        self._say("")

    def _say(self, line: str) -> None:
        self.query_one("#said", Label).update(Content(text.plain(line)))

    def _tell(self, message: Message) -> None:
        """From any thread; the dialog may be gone."""
        if self.is_attached:
            self.post_message(message)


def edit(app: App[None], what: Editable, kind: Kind, wiring: Wiring) -> None:
    """Edit *what*, of a host of that kind."""
    app.push_screen(EditDialog(what, kind, wiring))
