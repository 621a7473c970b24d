"""An instance, or a snapshot of it, as an image.

Role: asks what of it, under which alias, how compressed, for whom; shows what that means. Boundary:
answers with a command. Threading: the screen's.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Checkbox, Input, Label

from lxtui import format as text
from lxtui.calls.images import Publish
from lxtui.errors import UsageError
from lxtui.model import Instance, Kind
from lxtui.publishing import COMPRESSIONS, publishing


class PublishDialog(ModalScreen[Publish | None]):
    """Enter publishes."""

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(self, instance: Instance, kind: Kind) -> None:
        super().__init__()
        self._instance = instance
        self._kind = kind

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        names = [one.name for one in reversed(self._instance.snapshots)]
        first = "" if self._instance.stopped or not names else names[0]
        with Vertical(classes="dialog medium"):
            question = text.plain(f"Publish {self._instance.ref} as an image of its host")
            yield Label(Content(question), classes="question")
            rows = (
                ("snapshot", first, names, "empty: the instance itself"),
                ("alias", "", (), "empty: none"),
                ("compression", "", COMPRESSIONS, "empty: as the host is set; none, zstd…"),
            )
            for name, value, known, told in rows:
                with Horizontal(classes="row"):
                    yield Label(name)
                    suggester = SuggestFromList(known) if known else None
                    yield Input(value, id=name, compact=True, placeholder=told, suggester=suggester)
            yield Checkbox("public: anybody who reaches the host may have it", id="public")
            yield Label("", id="trouble", classes="trouble")
            yield Label("", id="preview", classes="detail")

    def on_mount(self) -> None:
        """Begin at the alias."""
        self.query_one("#alias").focus()
        self._look()

    def on_input_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_checkbox_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_input_submitted(self) -> None:
        """Publish, if it can be."""
        if (command := self._look()) is not None:
            self.dismiss(command)
        else:
            self.app.bell()

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _look(self) -> Publish | None:
        fields = ("snapshot", "alias", "compression")
        said = [self.query_one(f"#{name}", Input).value.strip() for name in fields]
        public, command, trouble = self.query_one(Checkbox).value, None, ""
        try:
            command = publishing(self._instance, *said, public=public)
        except UsageError as error:
            trouble = str(error)
        shown = f"as: {command.equivalent(self._kind)}" if command else ""
        self.query_one("#trouble", Label).update(Content(text.plain(trouble)))
        self.query_one("#preview", Label).update(Content(text.plain(shown)))
        return command
