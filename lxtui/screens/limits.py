"""The form of an instance's limits.

Role: one field for each limit, beside what the profiles give; what would be sent, before it is.
Boundary: gets what it needs to reach the fleet as a Wiring of functions. Threading: the screen's;
hosts are asked in threads and jobs.
"""

from __future__ import annotations

from threading import Thread

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from lxtui import format as text
from lxtui.api import Document
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import Editable, changes
from lxtui.errors import ConflictError, LxtuiError, UsageError
from lxtui.limits import FIELDS, Limits, Setting
from lxtui.limits_read import read_limits
from lxtui.model import Kind
from lxtui.screens.asking import Wiring


class LimitsDialog(ModalScreen[None]):
    """Change, see what it means, send."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("down", "app.focus_next", "Next"),
        ("up", "app.focus_previous", "Previous"),
    ]

    class Looked(Message):
        """The limits are known, or cannot be had."""

        def __init__(self, found: tuple[Limits, Document] | LxtuiError) -> None:
            super().__init__()
            self.found = found

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
        self._limits: Limits | None = None
        self._document = Document(None)
        self._sent = False

    def compose(self) -> ComposeResult:
        """Lay out the fields above what they mean."""
        with Vertical(classes="dialog full limits") as box:
            box.border_title = Text(text.plain(f"limits of {self._what.ref}"))
            box.border_subtitle = "enter sends · escape closes · empty: as the profiles say"
            with VerticalScroll(id="fields"):
                for field in FIELDS:
                    with Horizontal(classes="row"):
                        yield Label(field.label)
                        yield Input(
                            id=field.id, compact=True, disabled=True, placeholder=field.help
                        )
                        yield Label("", id=f"{field.id}-from", classes="from")
            yield Label("asking …", id="said", classes="trouble")
            with VerticalScroll(id="preview"):
                yield Static("", id="lines")

    def on_mount(self) -> None:
        """Ask for them."""
        self._look()

    def on_limits_dialog_looked(self, message: LimitsDialog.Looked) -> None:
        """Fill the form; what was typed stays."""
        if isinstance(message.found, LxtuiError):
            self._say(str(message.found))
            return
        typed = self._typed if self._limits is not None else {}
        self._limits, self._document = message.found
        for setting in self._limits.settings:
            field = self.query_one(f"#{setting.field.id}", Input)
            with field.prevent(Input.Changed):
                field.value = typed.get(setting.field.id, setting.own)
            field.disabled = bool(setting.unavailable)
            where = self.query_one(f"#{setting.field.id}-from", Label)
            where.update(Content(text.plain(_origin(setting))))
        self._say("somebody else has changed it meanwhile: look again" if typed else "")
        if not typed:
            self.query_one(f"#{FIELDS[0].id}", Input).focus()
        self._preview()

    def on_input_changed(self) -> None:
        """Say what that means."""
        if not self._sent:
            self._say("")
            self._preview()

    def on_input_submitted(self) -> None:
        """Send it, if it means something."""
        command = self._preview()
        if command is None or self._sent:
            self.app.bell()
            return
        self._sent = True
        self._say("sending …")
        self._wiring.follow(command, lambda error: self._tell(self.Ended(error)))

    def on_limits_dialog_ended(self, message: LimitsDialog.Ended) -> None:
        """Leave when all is well; else say why."""
        self._sent = False
        if message.error is None:
            if self.is_current:
                self.dismiss(None)
        elif isinstance(message.error, ConflictError):
            self._look()
        else:
            self._say(str(message.error))

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)

    @property
    def _typed(self) -> dict[str, str]:
        """What differs from what the instance has."""
        if self._limits is None:
            return {}
        owned = {one.field.id: one.own for one in self._settings}
        now = {name: self.query_one(f"#{name}", Input).value.strip() for name in owned}
        return {name: value for name, value in now.items() if value != owned[name]}

    @property
    def _settings(self) -> tuple[Setting, ...]:
        return self._limits.settings if self._limits is not None else ()

    def _preview(self) -> PutDocument | None:
        """Show what would be sent; None when nothing can be."""
        lines = self.query_one("#lines", Static)
        lines.update("")
        if self._limits is None:
            return None
        try:
            after = self._limits.changed(self._typed)
        except UsageError as error:
            self._say(str(error))
            return None
        changed = changes(self._limits.before, after)
        if not changed:
            return None
        command = PutDocument(self._what, self._document, after)
        shown = [f"PUT /1.0/{'/'.join(self._what.path)}: {', '.join(changed)}"]
        shown += [f"as: {line}" for line in command.lines(self._kind)]
        lines.update(Content("\n").join(Content.styled(text.plain(one), "dim") for one in shown))
        return command

    def _look(self) -> None:
        what, read = self._what, self._wiring.read

        def ask() -> None:
            try:
                host = what.ref.host
                found: tuple[Limits, Document] | LxtuiError = read_limits(
                    what, lambda path, parameters: read(host, path, parameters)
                )
            except LxtuiError as error:
                found = error
            self._tell(self.Looked(found))

        Thread(target=ask, name="limits", daemon=True).start()

    def _say(self, line: str) -> None:
        self.query_one("#said", Label).update(Content(text.plain(line)))

    def _tell(self, message: Message) -> None:
        """From any thread; the dialog may be gone."""
        if self.is_attached:
            self.post_message(message)


def _origin(setting: Setting) -> str:
    if setting.unavailable:
        return setting.unavailable
    if setting.inherited:
        return f"{setting.inherited} from profile {setting.profile}"
    if setting.note:
        return setting.note
    return f"{setting.device}: no limit" if setting.device else "no limit"
