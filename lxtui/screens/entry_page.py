"""One entry of a table, whole.

Role: shows what the columns say, what uses it, what else the host says of it, and its document as
YAML. Boundary: gets what it needs as values and functions. Threading: the screen's; what the host
is asked besides comes from a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Thread
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from lxtui.errors import LxtuiError
from lxtui.resources.deeds import named
from lxtui.resources.entry import Entry
from lxtui.resources.page import sections
from lxtui.resources.table import Table
from lxtui.screens.loading import Reach
from lxtui.widgets.key_line import KeyLine


class EntryPage(Screen[None]):
    """A page to read."""

    BINDINGS = [
        Binding("escape,q,backspace", "close", "Back"),
        Binding("u", "used_by", "Used by", id="used-by"),
        Binding("r", "again", "Refresh", id="refresh"),
        Binding("k", "line(-1)", show=False),
        Binding("j", "line(1)", show=False),
        Binding("tab", "app.focus_next", show=False),
    ]

    class Said(Message):
        """The host has said more."""

        def __init__(self, more: list[tuple[str, Any]]) -> None:
            super().__init__()
            self.more = more

    def __init__(
        self,
        table: Table,
        entry: Entry,
        reach: Reach,
        clock: Callable[[], datetime],
        used_by: Callable[[Entry], None],
    ) -> None:
        super().__init__()
        self._table = table
        self._entry = entry
        self._reach = reach
        self._clock = clock
        self._used_by = used_by
        self._more: list[tuple[str, Any]] = []

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(id="page") as page:
            page.border_title = Text(f"{named(self._entry)} on {self._entry.ref.host}")
            yield Static(id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show what is known, ask for the rest."""
        self.query_one("#page").focus()
        if self._table.more:
            self._more = [("", "asking the host for more…")]
        self._show()
        self.action_again()

    def on_entry_page_said(self, message: Said) -> None:
        """Show all."""
        self._more = message.more
        self._show()

    def action_again(self) -> None:
        """Ask the host for what is beside the entry."""
        if self._table.more:
            Thread(target=self._ask, name=f"more-{self._entry.ref.host}", daemon=True).start()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_line(self, step: int) -> None:
        """Scroll by a line."""
        self.query_one("#page").scroll_relative(y=step, animate=False)

    def action_used_by(self) -> None:
        """Show who uses it."""
        self._used_by(self._entry)

    def _ask(self) -> None:
        try:
            said = self._reach.more(self._table, self._entry)
        except LxtuiError as error:
            said = [("", str(error))]
        self.post_message(self.Said(said))

    def _show(self) -> None:
        parts = []
        for title, body in sections(self._table, self._entry, self._more, self._clock()):
            width = max((len(row[0]) for row in body if isinstance(row, tuple)), default=0)
            lines = [Content.styled(title, "bold yellow")] if title else []
            for row in body:
                if isinstance(row, tuple):
                    lines.append(Content.assemble((f"{row[0]:<{width}}  ", "dim"), row[1]))
                else:
                    lines.append(Content(row))
            parts.append(Content("\n").join(lines))
        self.query_one("#text", Static).update(Content("\n\n").join(parts))
