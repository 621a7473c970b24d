"""Every instance of every host in one table.

Role: shows the lines of a View, owns the marks and what is folded, keeps the cursor where it is
while the lines change. Boundary: gets values, sends messages. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from lxtui import columns
from lxtui import format as text
from lxtui.arranging import Arranged, Arranger, Group, Line, Scope, View, shown_columns
from lxtui.columns import Column
from lxtui.fitting import fitting
from lxtui.model import Host, Instance, Ref
from lxtui.remembered import Remembered
from lxtui.widgets.line_table import LineTable, Look, Slot
from lxtui.widgets.table_cells import (
    group_cells,
    instance_cells,
    lengths,
    usual_width,
    wanted_widths,
)

_ARROWS = {False: "↑", True: "↓"}
_MEASURED = 500
"""Up to that many lines are measured at each look; more, only when there are others."""


class FleetTable(LineTable):
    """One line for each instance, and one for each group."""

    BINDINGS = [
        Binding("left,h", "fold(True)", show=False),
        Binding("right,l", "fold(False)", show=False),
    ]

    class Activated(Message):
        """Enter, or a second click, on an instance."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    def __init__(self) -> None:
        super().__init__(id="instances")
        self.view = View()
        self.arranged = Arranged()
        self.left_out: tuple[Column, ...] = ()
        """Columns of the view for which there is no room."""
        self.scope: Scope | None = None
        """The part of the fleet to which it is narrowed."""
        self._every: Sequence[Instance] = ()
        self._folded: set[tuple[str, str]] = set()
        self._marked: set[Ref] = set()
        self._arranger = Arranger()
        self._instances: Sequence[Instance] = ()
        self._hosts: dict[str, Host] = {}
        self._now = datetime.min.replace(tzinfo=UTC)
        self._columns: list[Column] = []
        self._measured: object = None
        self._wanted: tuple[list[int | None], int] = ([], 0)
        self._wanted_of: object = None
        """What these widths were measured of."""
        self._lengths: Remembered[Instance, tuple[int, ...]] = Remembered()
        self._subtitled = ""
        self._waiting: tuple[Ref, Ref] | None = None
        """An instance that has gone from its host, and where the cursor was left instead."""

    @property
    def row_count(self) -> int:
        """How many lines there are, headers of groups among them."""
        return len(self.arranged.lines)

    @property
    def selected(self) -> Ref | None:
        """The instance under the cursor."""
        line = self._line
        return line.ref if isinstance(line, Instance) else None

    @property
    def instance(self) -> Instance | None:
        """The same as a value."""
        line = self._line
        return line if isinstance(line, Instance) else None

    @property
    def group(self) -> Group | None:
        """The header under the cursor."""
        line = self._line
        return line if isinstance(line, Group) else None

    @property
    def marked(self) -> frozenset[Ref]:
        """The instances that are marked, shown or not."""
        return frozenset(self._marked)

    def look(self, row: int) -> Look:
        """The cells of an instance, or the header of a group."""
        line = self.arranged.lines[row]
        if isinstance(line, Group):
            return Look(group_cells(line), "group", whole=True)
        cells = instance_cells(
            self._columns,
            line,
            self._hosts.get(line.ref.host),
            self._now,
            marked=line.ref in self._marked,
            with_project=self._with_project,
        )
        return Look(cells, "odd" if row % 2 else "")

    def show(self, instances: Sequence[Instance], hosts: Iterable[Host], now: datetime) -> None:
        """Show these; the cursor stays on its line, wherever that now is."""
        self._every, self._now = instances, now
        self._hosts = {host.name: host for host in hosts}
        self.narrow(self.scope)

    def narrow(self, scope: Scope | None) -> None:
        """Show only what is there; None: everything, as when it is there no more."""
        scope = scope if scope is not None and scope.host in self._hosts else None
        self.scope = scope
        self._instances = [one for one in self._every if scope.has(one)] if scope else self._every
        title = text.plain(f"instances of {scope}" if scope else "instances")
        if str(self.border_title) != title:  # each time it is set, all is drawn anew
            self.border_title = Text(title)
        self._show()

    def set_view(self, view: View) -> None:
        """Show the same fleet another way."""
        if view.group != self.view.group:
            self._folded.clear()
        self.view = view
        self._show()

    def expect_filter(self) -> None:
        """The first letter of a filter is about to be typed."""
        self._arranger.expect_filter(self._instances)

    def sort_by(self, column: str) -> None:
        """By that column; the second time the other way round, the third by host and name."""
        first = columns.named(column).shape in columns.LARGEST_FIRST
        if self.view.sort != column:
            self.set_view(replace(self.view, sort=column, descending=first))
        elif self.view.descending is first:
            self.set_view(replace(self.view, descending=not first))
        else:
            self.set_view(replace(self.view, sort="", descending=False))

    def mark(self, ref: Ref) -> None:
        """Mark an instance, or no longer."""
        self._marked ^= {ref}
        self._remark()

    def mark_shown(self, *, invert: bool = False) -> None:
        """Mark all that match the filter, or turn their marks over; others keep theirs."""
        shown = {one.ref for one in self.arranged.shown}
        self._marked = self._marked ^ shown if invert else self._marked | shown
        self._remark()

    def set_marks(self, marks: Iterable[Ref]) -> None:
        """Mark these and no others."""
        self._marked = set(marks)
        self._remark()

    def unmark_all(self) -> None:
        """Take all marks off."""
        self._marked.clear()
        self._remark()

    def select(self, ref: Ref) -> None:
        """Put the cursor on an instance that is shown."""
        row = self._row_of(ref)
        if row is not None:
            self.move(row)

    def toggle_folds(self) -> None:
        """Fold all groups, or unfold them if all are folded."""
        groups = {line.key for line in self.arranged.lines if isinstance(line, Group)}
        self._folded = set() if groups <= self._folded else self._folded | groups
        self._show()

    def activate(self, *, again: bool) -> None:
        """Fold or unfold a group; open an instance."""
        line = self._line
        if isinstance(line, Group):
            self.action_fold(not line.folded)
        elif line is not None and again:
            self.post_message(self.Activated(line.ref))

    def action_fold(self, fold: bool) -> None:
        """Fold or unfold the group of the line under the cursor."""
        above = self.arranged.lines[: self.cursor_row + 1]
        header = next((line for line in reversed(above) if isinstance(line, Group)), None)
        if header is not None and header.folded is not fold:
            (self._folded.add if fold else self._folded.discard)(header.key)
            self.move(self._row_of(header.key) or 0)
            self._show()

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._measured = self._wanted_of = None
        self._measure()
        super().on_resize()

    @property
    def subtitle(self) -> str:
        """What is not to be seen from the lines themselves."""
        arranged, view = self.arranged, self.view
        parts = []
        if view.filter:
            parts.append(f"{len(arranged.shown)} of {arranged.total} match")
        parts += arranged.query.problems
        if view.group:
            parts.append(f"by {view.group}")
        if self.left_out and view.columns != columns.DEFAULT:
            parts.append(f"no room for {', '.join(column.id for column in self.left_out)}")
        return "; ".join(parts)

    @property
    def _line(self) -> Line | None:
        lines = self.arranged.lines
        return lines[self.cursor_row] if self.cursor_row < len(lines) else None

    @property
    def _with_project(self) -> bool:
        return all(column.id != "project" for column in self._columns)

    def _remark(self) -> None:
        self._measure()
        self.redraw()

    def _show(self) -> None:
        before = self._line
        self.arranged = self._arranger.arrange(
            self._instances, self._hosts.values(), self.view, self._now, self._folded
        )
        self._measure()
        row = self.cursor_row
        if isinstance(before, Group):
            row = self._row_of(before.key) or 0
        elif before is not None:
            row = self._follow(before.ref)
        self.move(row)
        self.post_message(self.Highlighted())  # the line under the cursor may say something else
        if (subtitle := self.subtitle) != self._subtitled:  # each one draws the whole table anew
            self._subtitled = subtitle
            self.border_subtitle = Text(subtitle)  # a str would be read as markup

    def _follow(self, before: Ref) -> int:
        """Where the cursor belongs: where it was; it goes along with an instance that moved.

        The old host may be listed without it before the new host is listed with it: until the
        cursor is moved by hand, it waits for the instance to appear.
        """
        target = before
        if self._waiting is not None and self._waiting[1] == before:
            target = self._waiting[0]
        self._waiting = None
        line = self._line
        if isinstance(line, Instance) and line.ref == target:
            return self.cursor_row
        if (row := self._row_of(target)) is not None:
            return row
        for row, one in enumerate(self.arranged.lines):
            if isinstance(one, Instance) and one.ref[1:] == target[1:]:
                return row
        row = self._row_of(before)
        row = min(self.cursor_row, max(self.row_count - 1, 0)) if row is None else row
        instead = self.arranged.lines[row] if row < self.row_count else None
        if isinstance(instead, Instance):
            self._waiting = (target, instead.ref)
        return row

    def _row_of(self, key: tuple[str, ...]) -> int | None:
        """The line of that instance, or of the group of that key."""
        for row, line in enumerate(self.arranged.lines):
            if (line.ref if isinstance(line, Instance) else line.key) == key:
                return row
        return None

    def _wanted_widths(self, chosen: Sequence[Column]) -> tuple[list[int | None], int]:
        """Of what is shown; of many, not measured anew for another order or other groups."""
        shown, view, marks = self.arranged.shown, self.view, bool(self._marked)
        state = (view.filter, view.columns, self.scope, len(shown), marks)
        if state != self._wanted_of or len(shown) <= _MEASURED:
            every = self._lengths.all(self._instances, partial(lengths, chosen), view.columns)
            length_of = dict(zip(map(id, self._instances), every, strict=True))
            measured = [length_of[id(one)] for one in shown]
            self._wanted_of, self._wanted = state, wanted_widths(chosen, measured, marks=marks)
        return self._wanted

    def _measure(self) -> None:
        """Decide which columns there is room for, and how wide each is."""
        shown, view = self.arranged.shown, self.view
        state = (self.room, view, len(shown), bool(self._marked))
        if not self.room or (state == self._measured and len(shown) > _MEASURED):
            return
        self._measured = state
        chosen = shown_columns(view)
        own = view.columns != columns.DEFAULT  # who has chosen an order has said what matters
        wanted, project = self._wanted_widths(chosen)
        labels = {column.id: column.label for column in chosen}
        if (sort := columns.find(view.sort)) is not None and sort.id in labels:
            labels[sort.id] += _ARROWS[view.descending]
        told = {
            column: max(width or 0, usual_width(column), len(labels[column.id]))
            for column, width in zip(chosen, wanted, strict=True)
            if own or width is not None
        }
        room = fitting(list(told), list(told.values()), self.room, in_order=own)
        if project and "project" not in room:  # it then stands behind the names
            told = {
                column: width + project * (column.id == "name")
                for column, width in told.items()
                if column.id != "project"
            }
            room = fitting(list(told), list(told.values()), self.room, in_order=own)
        chosen = list(told)
        self._columns = [column for column in chosen if column.id in room]
        self.left_out = tuple(column for column in chosen if column.id not in room)
        self.lay_out(
            [
                Slot(one.id, labels[one.id], room[one.id], one.shape.is_number)
                for one in self._columns
            ]
        )
