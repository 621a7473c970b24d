"""The files of one directory of an instance.

Role: draws a listing, keeps the cursor on its name and the marks. Boundary: gets values, sends
messages; names are made printable by the listing. Threading: the screen's.
"""

from __future__ import annotations

from textual.message import Message

from lxtui import format as text
from lxtui.files.listing import Line, Listing
from lxtui.files.paths import Kind
from lxtui.widgets.line_table import LineTable, Look, Slot
from lxtui.widgets.table_cells import MARK, Cell

_STYLES = {Kind.FOLDER: "bold", Kind.LINK: "italic", Kind.FILE: ""}
_FIXED = (
    Slot("mode", "MODE", 10),
    Slot("owner", "OWNER", 10),
    Slot("size", "SIZE", 9, right=True),
    Slot("modified", "MODIFIED", 16),
)
_EMPTY = Listing(b"/", (), False, {})


class FileTable(LineTable):
    """One line for each name."""

    class Activated(Message):
        """Enter, or a second click, on a line."""

    def __init__(self) -> None:
        super().__init__(id="files-table")
        self._listing = _EMPTY
        self._marked: set[bytes] = set()

    @property
    def row_count(self) -> int:
        """How many lines there are."""
        return len(self._listing.lines)

    @property
    def line(self) -> Line | None:
        """What the cursor is on."""
        rows = self._listing.lines
        return rows[self.cursor_row] if self.cursor_row < len(rows) else None

    @property
    def marked(self) -> list[Line]:
        """The marked ones."""
        return [one for one in self._listing.lines if one.entry.name in self._marked]

    def show(self, listing: Listing, cursor: bytes = b"") -> None:
        """Show another directory, or the same again; the cursor goes to the name *cursor*."""
        same = listing.path == self._listing.path
        at = self.line.entry.name if same and self.line is not None else cursor
        names = [one.entry.name for one in listing.lines]
        self._listing = listing
        self._marked = self._marked & set(names) if same else set()
        row = names.index(at) if at in names else self.cursor_row if same else 0
        self._lay_out()
        self.move(row)
        if not names:
            self.say_instead(("it is empty",))

    def mark(self) -> None:
        """Mark the line under the cursor, or no longer, and go on to the next."""
        if (line := self.line) is not None:
            self._marked ^= {line.entry.name}
            self.action_cursor(1)
            self.redraw()

    def look(self, row: int) -> Look:
        """What a line shows."""
        line = self._listing.lines[row]
        entry, style = line.entry, _STYLES.get(line.kind, "dim")
        name = line.name + ("/" if line.kind is Kind.FOLDER else "")
        if line.target:
            name += f" → {text.path(line.target)}"
        if entry.name in self._marked:
            name, style = MARK + name, "bold reverse"
        modified = f"{line.modified:%Y-%m-%d %H:%M}" if line.modified is not None else "-"
        cells: tuple[Cell, ...] = (
            (line.mode, "dim"),
            (self._listing.owner(line), ""),
            (line.size, ""),
            (modified, "dim"),
            (name, style),
        )
        return Look(cells, "odd" if row % 2 else "")

    def activate(self, *, again: bool) -> None:
        """Open it, if the cursor was there before."""
        if again:
            self.post_message(self.Activated())

    def on_resize(self) -> None:
        """Give the names what is left."""
        self._lay_out()
        super().on_resize()

    def _lay_out(self) -> None:
        taken = sum(slot.width + 1 for slot in _FIXED)
        self.lay_out([*_FIXED, Slot("name", "NAME", max(self.room - taken, 12))])
