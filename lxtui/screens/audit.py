"""The audit journal as a page: what was done from this account, the latest first.

Role: a table, and below it the whole of the line under the cursor. Boundary: gets a reader of
entries, knows no file. Threading: the file is read in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static

from lxtui import format as text
from lxtui.audit.entry import BEGUN, DONE, Entry

MOST = 1000
"""Entries that are shown; 'lxtui audit' prints all of them."""
_STYLES = {DONE: "green", BEGUN: "yellow"}


class AuditDialog(ModalScreen[None]):
    """Who did what, where, when, and what came of it."""

    BINDINGS = [("escape,q", "close", "Close")]

    class Read(Message):
        """The journal was read, or could not be."""

        def __init__(self, entries: Sequence[Entry] | OSError) -> None:
            super().__init__()
            self.entries = entries

    def __init__(self, read: Callable[[], Sequence[Entry]]) -> None:
        super().__init__()
        self._read = read
        self._entries: Sequence[Entry] = ()

    def compose(self) -> ComposeResult:
        """Lay out the table above what the cursor is on."""
        with Vertical(classes="dialog full") as box:
            box.border_title = Text("audit journal")
            box.border_subtitle = "escape closes"
            table: DataTable[Text] = DataTable(cursor_type="row", id="entries")
            yield table
            yield Static("", id="entry")

    def on_mount(self) -> None:
        """Read it."""
        table = self.query_one(DataTable)
        for label in ("WHEN", "WHO", "RESULT", "TOOK", "WHAT"):
            table.add_column(label)
        self.query_one("#entry", Static).update("reading …")

        def ask() -> None:
            try:
                found: Sequence[Entry] | OSError = self._read()
            except OSError as error:
                found = error
            self.post_message(self.Read(found))

        Thread(target=ask, name="audit", daemon=True).start()

    def on_audit_dialog_read(self, message: AuditDialog.Read) -> None:
        """Show the entries, or why there are none."""
        if isinstance(message.entries, OSError):
            said = f"the journal cannot be read: {message.entries}"
            self.query_one("#entry", Static).update(Content.styled(text.plain(said), "red"))
            return
        self._entries = message.entries[:MOST]
        table = self.query_one(DataTable)
        for one in self._entries:
            took = text.duration(one.seconds) if one.seconds is not None else "-"
            when = one.when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            result = Text(one.result, _STYLES.get(one.result, "bold red"))
            table.add_row(Text(when), Text(one.user), result, Text(took), Text(one.what))
        table.focus()
        if not self._entries:
            said = "nothing was done yet; the demo keeps no journal"
            self.query_one("#entry", Static).update(Content.styled(said, "dim"))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Say all of that one."""
        if not 0 <= event.cursor_row < len(self._entries):
            return
        one = self._entries[event.cursor_row]
        who = f"{one.user} (uid {one.uid}{f', logged in as {one.login}' if one.login else ''})"
        lines = [f"as: {one.command}", f"by: {who}"]
        if one.result == BEGUN:
            lines.append("no end was written: it runs, or was killed")
        elif one.reason:
            lines.append(one.reason)
        self.query_one("#entry", Static).update(Content("\n".join(lines)))

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)
