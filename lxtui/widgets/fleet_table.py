"""Every instance of every host in one table.

Role: shows instances, keeps the cursor where it is while they change. Boundary: gets values, sends
DataTable's own messages. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text
from textual.widgets import DataTable
from textual.widgets.data_table import RowDoesNotExist

from lxtui import format as text
from lxtui.model import Host, Instance, Ref

_COLUMNS = (
    ("name", "NAME"),
    ("host", "HOST"),
    ("state", "STATE"),
    ("cpu", "CPU"),
    ("memory", "MEMORY / LIMIT"),
    ("ipv4", "IPV4"),
    ("snapshots", "SNAPS"),
    ("age", "AGE"),
)
_STATE_STYLES = {"Running": "green", "Stopped": "dim", "Frozen": "cyan", "Error": "bold red"}
_MARK = "✓ "
_MANY = 20
_FULL, _TIGHT = 0.95, 0.8
"""Shares of the memory limit from which the number is red, and yellow."""


class FleetTable(DataTable[Text]):
    """One row for each instance, keyed by its reference."""

    def __init__(self) -> None:
        super().__init__(id="instances", cursor_type="row", zebra_stripes=True)
        self._refs: dict[str, Ref] = {}
        self._marked: set[Ref] = set()
        self._waiting: tuple[Ref, Ref] | None = None
        """An instance that has gone from its host, and where the cursor was left instead."""

    def on_mount(self) -> None:
        """Make the columns."""
        for key, label in _COLUMNS:
            self.add_column(label, key=key)

    @property
    def selected(self) -> Ref | None:
        """The instance under the cursor."""
        if not self.row_count:
            return None
        key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value
        return self._refs.get(key or "")

    @property
    def marked(self) -> frozenset[Ref]:
        """The instances that are marked."""
        return frozenset(self._marked)

    def mark(self, ref: Ref) -> None:
        """Mark an instance, or no longer; the next ``show`` shows it."""
        self._marked ^= {ref}

    def unmark_all(self) -> None:
        """Take all marks off; the next ``show`` shows it."""
        self._marked.clear()

    def select(self, ref: Ref) -> None:
        """Put the cursor on an instance that is shown."""
        for row in self.ordered_rows:
            if self._refs.get(row.key.value or "") == ref:
                self.move_cursor(row=self.get_row_index(row.key))
                return

    def show(self, instances: Iterable[Instance], hosts: Iterable[Host], now: datetime) -> None:
        """Show these instances; rows that stay are changed in place."""
        online = {host.name for host in hosts if host.online}
        wanted = {_key(one.ref): one for one in instances}
        before = self.selected
        gone = self._refs.keys() - wanted.keys()
        if len(gone) > _MANY:  # rows are removed one by one only where that is quicker
            self.clear()
            self._refs.clear()
        else:
            for key in gone:
                self.remove_row(key)
                del self._refs[key]
        added = False
        for key, instance in wanted.items():
            cells = _cells(
                instance,
                now,
                fresh=instance.ref.host in online,
                marked=instance.ref in self._marked,
            )
            if key in self._refs:
                self._update(key, cells)
            else:
                self.add_row(*cells, key=key)
                self._refs[key] = instance.ref
                added = True
        if added:
            self.sort("host", "name", key=_order)
        self._follow(before, [one.ref for one in wanted.values()], added=added)

    def _follow(self, before: Ref | None, shown: list[Ref], *, added: bool) -> None:
        """Keep the cursor where it was; it goes along with an instance that moved.

        The old host may be listed without it before the new host is listed with it: until the
        cursor is moved by hand, it waits for the instance to appear.
        """
        if before is None:
            return
        target = before
        if self._waiting is not None and self._waiting[1] == before:
            target = self._waiting[0]
        same = [ref for ref in shown if ref[1:] == target[1:]]
        if target not in same and same:
            target = same[0]
        if added or target != before or target not in same:
            self.select(target if same else before)
        now = self.selected
        self._waiting = (target, now) if not same and now is not None else None

    def _update(self, key: str, cells: tuple[Text, ...]) -> None:
        try:
            shown = self.get_row(key)
        except RowDoesNotExist:
            return
        for (column, _), old, new in zip(_COLUMNS, shown, cells, strict=True):
            if old != new or old.style != new.style:
                self.update_cell(key, column, new, update_width=True)


def _order(cells: Iterable[Text]) -> tuple[str, ...]:
    return tuple(cell.plain.removeprefix(_MARK) for cell in cells)


def _key(ref: Ref) -> str:
    return "\0".join(ref)


def _cells(instance: Instance, now: datetime, *, fresh: bool, marked: bool) -> tuple[Text, ...]:
    name = text.plain(instance.ref.name)
    if marked:
        name = _MARK + name
    if instance.ref.project != "default":
        name += f" ({text.plain(instance.ref.project)})"
    state = text.plain(instance.status) if fresh else f"{text.plain(instance.status)}?"
    cells = (
        Text(name, "bold reverse" if marked else "bold"),
        Text(instance.ref.host),
        Text(state, _STATE_STYLES.get(instance.status, "yellow")),
        Text(text.percent(instance.cpu_percent), justify="right"),
        _memory(instance),
        Text(instance.ipv4[0] if instance.ipv4 else "-"),
        Text(str(len(instance.snapshots)), justify="right"),
        Text(text.age(instance.created_at, now), justify="right"),
    )
    if not fresh:
        for cell in cells:
            cell.stylize("dim")  # last known, not current
    return cells


def _memory(instance: Instance) -> Text:
    used, limit = instance.memory, instance.memory_limit
    line = text.size(used)
    if limit is None:
        return Text(line, justify="right")
    share = (used or 0) / limit if limit else 0.0
    style = "red" if share >= _FULL else "yellow" if share >= _TIGHT else ""
    return Text(f"{line} / {text.size(limit)}", style, justify="right")
