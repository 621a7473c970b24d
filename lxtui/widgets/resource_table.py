"""The lines of one table of things that are not instances.

Role: draws entries under the columns of a View, keeps the cursor on its entry, owns the marks.
Boundary: gets values, sends messages. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from rich.text import Text
from textual.message import Message

from lxtui.arranging import View
from lxtui.columns import Field, Value, written
from lxtui.fitting import fitting
from lxtui.model import Host
from lxtui.resources.arranging import Shown, chosen
from lxtui.resources.entry import Entry
from lxtui.resources.links import Link
from lxtui.resources.table import Table
from lxtui.widgets.line_table import LineTable, Look, Slot
from lxtui.widgets.table_cells import MARK, Cell

_ARROWS = {False: "↑", True: "↓"}
_MEASURED = 500
"""So many lines are measured; further ones are cut where they are longer."""
_FULL, _TIGHT = 95.0, 80.0
"""Percents from which a share is red, and yellow."""
_COLOURS = {
    "high": "bold red",
    "moderate": "yellow",
    "low": "dim",
    "new": "bold",
    "acknowledged": "dim",
    "resolved": "dim",
    "Created": "green",
    "Online": "green",
    "online": "green",
    "Offline": "bold red",
    "offline": "bold red",
    "untrusted": "bold red",
    "unsupported": "dim",
    "connecting": "yellow",
    "Evacuated": "yellow",
    "Errored": "bold red",
    "Failure": "bold red",
    "Running": "green",
    "Stopped": "dim",
}
_USUAL = {"project": "default"}
"""What says nothing as long as all entries have it."""


class ResourceTable(LineTable):
    """One line for each entry."""

    class Activated(Message):
        """Enter, or a second click, on an entry."""

    def __init__(self, table: Table) -> None:
        super().__init__(id="entries")
        self._table = table
        self._shown = Shown()
        self._view = View(columns=table.default)
        self._hosts: Mapping[str, Host] = {}
        self._stale: Collection[str] = ()
        self._now = datetime.min.replace(tzinfo=UTC)
        self._fields: list[Field[Entry]] = []
        self._marked: set[tuple[str, ...]] = set()
        self._wanted: Link | None = None
        """Where the cursor shall be as soon as that is there."""

    @property
    def row_count(self) -> int:
        """How many lines there are."""
        return len(self._shown.lines)

    @property
    def entry(self) -> Entry | None:
        """What the cursor is on."""
        return self._shown.lines[self.cursor_row] if self.cursor_row < self.row_count else None

    @property
    def marked(self) -> list[Entry]:
        """The marked entries that are shown."""
        return [one for one in self._shown.lines if one.key in self._marked]

    def want(self, link: Link) -> None:
        """Put the cursor on that entry, now or when it appears."""
        self._wanted = link
        self._find_wanted()

    def show(
        self,
        shown: Shown,
        view: View,
        hosts: Mapping[str, Host],
        stale: Collection[str],
        now: datetime,
    ) -> None:
        """Show these; the cursor stays on its entry."""
        before, row = self.entry, self.cursor_row
        self._shown, self._view, self._hosts, self._stale, self._now = (
            shown,
            view,
            hosts,
            stale,
            now,
        )
        self._measure()
        if before is not None:
            places = (at for at, one in enumerate(shown.lines) if one.ref == before.ref)
            row = next((at for at in places if shown.lines[at].key == before.key), row)
        self.move(row)
        self._find_wanted()
        self.post_message(self.Highlighted())
        self.border_title = Text(f"{self._table.id} ({self._count})")
        self.border_subtitle = Text("; ".join(shown.query.problems))

    def mark(self) -> None:
        """Mark the entry under the cursor, or no longer; go on to the next."""
        if (entry := self.entry) is not None:
            self._marked ^= {entry.key}
            self._measure()
            self.move(self.cursor_row + 1)

    def mark_shown(self, *, invert: bool = False) -> None:
        """Mark all that match the filter, or turn their marks over; others keep theirs."""
        shown = {one.key for one in self._shown.lines}
        self._marked = self._marked ^ shown if invert else self._marked | shown
        self._measure()
        self.redraw()

    def unmark_all(self) -> None:
        """Take all marks off."""
        self._marked.clear()
        self._measure()
        self.redraw()

    def look(self, row: int) -> Look:
        """The cells of an entry; what a silent host has said before is dim."""
        entry = self._shown.lines[row]
        host = self._hosts.get(entry.ref.host)
        faint = " dim" if entry.ref.host in self._stale and self._table.source is not None else ""
        cells: list[Cell] = []
        for at, field in enumerate(self._fields):
            value = field.value(entry, host)
            said, style = written(field, value, self._now), _style(at, field.id, value)
            if at == 0 and entry.key in self._marked:
                said, style = MARK + said, "bold reverse"
            cells.append((said, f"{style}{faint}".strip()))
        return Look(tuple(cells), "odd" if row % 2 else "")

    def activate(self, *, again: bool) -> None:
        """Open an entry."""
        if again and self.entry is not None:
            self.post_message(self.Activated())

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._measure()
        super().on_resize()

    @property
    def _count(self) -> str:
        total, lines = self._shown.total, self.row_count
        return str(total) if total == lines else f"{lines} of {total}"

    def _find_wanted(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        # A project without its own has those of another one.
        for loose in (False, True):
            for row, one in enumerate(self._shown.lines):
                same = one.ref[::2] == wanted.ref[::2] if loose else one.ref == wanted.ref
                if same:
                    self._wanted = None
                    self.move(row)
                    return

    def _measure(self) -> None:
        if not self.room:
            return
        view, sample = self._view, self._shown.lines[:_MEASURED]
        fields = chosen(self._table, view)
        own = view.columns != self._table.default
        if not own:
            fields = [one for at, one in enumerate(fields) if not at or _tells(one, sample)]
        labels = {one.id: one.label for one in fields}
        if view.sort in labels:
            labels[view.sort] += _ARROWS[view.descending]
        widths = []
        for at, one in enumerate(fields):
            width = one.width
            if not one.shape.is_number:
                said = (written(one, one.value(entry, None), self._now) for entry in sample)
                width = min(width, max(map(len, said), default=0))
                width += len(MARK) if at == 0 and self._marked else 0
            widths.append(max(width, len(labels[one.id])))
        room = fitting(fields, widths, self.room, in_order=own)
        self._fields = [one for one in fields if one.id in room]
        self.lay_out(
            [
                Slot(one.id, labels[one.id], room[one.id], one.shape.is_number)
                for one in self._fields
            ]
        )


def _tells(field: Field[Entry], lines: Collection[Entry]) -> bool:
    """Whether the column says anything of these, besides what is usual."""
    usual = _USUAL.get(field.id)
    return not lines or any(field.value(one, None) not in (None, usual) for one in lines)


def _style(at: int, column: str, value: Value) -> str:
    if at == 0:
        return "bold"
    if column.endswith("%") and isinstance(value, float):
        return "bold red" if value >= _FULL else "yellow" if value >= _TIGHT else ""
    if column in {"state", "severity"}:
        return _COLOURS.get(str(value), "")
    return ""
