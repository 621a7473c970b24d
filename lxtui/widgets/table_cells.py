"""One line of the table as cells: texts with their styles.

Role: instance or group → cells; how wide each column wants to be. Boundary: pure. Threading:
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lxtui import format as text
from lxtui.arranging import Group
from lxtui.columns import Column, Value, written
from lxtui.model import Host, Instance

Cell = tuple[str, str]
"""A text and a style of Rich's."""

MARK = "✓ "
READ_ONLY = " ⊘"
"""Behind the name of a host on which nothing may be changed."""
_STATE_STYLES = {"Running": "green", "Stopped": "dim", "Frozen": "cyan", "Error": "bold red"}
_FULL, _TIGHT = 95.0, 80.0
"""Percents of the memory from which the number is red, and yellow."""
_USUAL = {"project": "default", "type": "container", "location": None}
"""Columns that say nothing as long as all instances have this."""
_DOTS = {True: "▸", False: "▾"}


def instance_cells(
    chosen: Sequence[Column],
    instance: Instance,
    host: Host | None,
    now: datetime,
    *,
    marked: bool,
    with_project: bool,
) -> tuple[Cell, ...]:
    """A line's cells; what its host said before it fell silent is dim and has a question mark."""
    fresh = host is not None and host.online
    cells = []
    for column in chosen:
        value = column.value(instance, host)
        cell, style = written(column, value, now), _style(column.id, value)
        if column.id == "name":
            if marked:
                cell, style = MARK + cell, "bold reverse"
            if with_project and instance.ref.project != "default":
                cell += f" ({text.plain(instance.ref.project)})"
        elif column.id == "host" and host is not None and host.read_only:
            cell += READ_ONLY
        elif column.id == "state" and not fresh:
            cell += "?"
        cells.append((cell, style if fresh else f"{style} dim".lstrip()))
    return tuple(cells)


def group_cells(group: Group) -> tuple[Cell, ...]:
    """A header is one cell."""
    return ((f"{_DOTS[group.folded]} {group.line}", "bold"),)


def _style(column: str, value: Value) -> str:
    if column == "name":
        return "bold"
    if column == "state":
        return _STATE_STYLES.get(str(value), "yellow")
    if column == "memory%" and isinstance(value, float):
        return "red" if value >= _FULL else "yellow" if value >= _TIGHT else ""
    return ""


def wanted_widths(chosen: Sequence[Column], shown: Sequence[Instance], *, marks: bool) -> list[int]:
    """The cells that each column would like for what is shown."""
    with_project = all(column.id != "project" for column in chosen)
    widths = []
    for column in chosen:
        width = column.width
        if not column.shape.is_number:
            texts = (column.value(one, None) for one in shown)
            width = min(width, max(map(_length, texts), default=0))
            if column.id == "name":
                width += len(MARK) if marks else 0
                if with_project:
                    projects = {one.ref.project for one in shown} - {"default"}
                    width += max((len(project) + 3 for project in projects), default=0)
            elif column.id == "state":
                width += 1  # the question mark
        widths.append(width)
    return widths


def _length(value: Value) -> int:
    if isinstance(value, tuple):
        return sum(map(len, value)) + 2 * len(value) - 2
    return len(value) if isinstance(value, str) else 1


def telling(chosen: Sequence[Column], shown: Sequence[Instance]) -> list[Column]:
    """Without the columns that say the same usual thing of every instance."""
    return [
        column
        for column in chosen
        if column.id not in _USUAL
        or any(column.value(one, None) != _USUAL[column.id] for one in shown)
    ]
