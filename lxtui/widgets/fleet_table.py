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
_FULL, _TIGHT = 0.95, 0.8
"""Shares of the memory limit from which the number is red, and yellow."""


class FleetTable(DataTable[Text]):
    """One row for each instance, keyed by its reference."""

    def __init__(self) -> None:
        super().__init__(id="instances", cursor_type="row", zebra_stripes=True)
        self._refs: dict[str, Ref] = {}

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
        for gone in self._refs.keys() - wanted.keys():
            self.remove_row(gone)
            del self._refs[gone]
        added = False
        for key, instance in wanted.items():
            cells = _cells(instance, now, fresh=instance.ref.host in online)
            if key in self._refs:
                self._update(key, cells)
            else:
                self.add_row(*cells, key=key)
                self._refs[key] = instance.ref
                added = True
        if added:
            self.sort("host", "name", key=lambda cells: tuple(cell.plain for cell in cells))
        if before is not None and (added or _key(before) not in wanted):
            self.select(_follow(before, [one.ref for one in wanted.values()]))

    def _update(self, key: str, cells: tuple[Text, ...]) -> None:
        try:
            shown = self.get_row(key)
        except RowDoesNotExist:
            return
        for (column, _), old, new in zip(_COLUMNS, shown, cells, strict=True):
            if old != new or old.style != new.style:
                self.update_cell(key, column, new, update_width=True)


def _follow(before: Ref, shown: list[Ref]) -> Ref:
    """Where the cursor belongs that was on *before*: it goes along with an instance that moved."""
    same = [ref for ref in shown if ref[1:] == before[1:]]
    return before if before in same or not same else same[0]


def _key(ref: Ref) -> str:
    return "\0".join(ref)


def _cells(instance: Instance, now: datetime, *, fresh: bool) -> tuple[Text, ...]:
    name = text.plain(instance.ref.name)
    if instance.ref.project != "default":
        name += f" ({text.plain(instance.ref.project)})"
    state = text.plain(instance.status) if fresh else f"{text.plain(instance.status)}?"
    cells = (
        Text(name, "bold"),
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
