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


def lengths(chosen: Sequence[Column], instance: Instance) -> tuple[int, ...]:
    """How long an instance's text is in each column; -1 where it says only what is usual.

    The last one is how much its project takes behind the name. A number is as wide as its column.
    """
    project = instance.ref.project
    found = [_length(column, column.value(instance, None)) for column in chosen]
    return (*found, 0 if project == "default" else len(project) + 3)


def wanted_widths(
    chosen: Sequence[Column], measured: Sequence[tuple[int, ...]], *, marks: bool
) -> tuple[list[int | None], int]:
    """The cells that each column would like, of the ``lengths`` of all that is shown; None for one
    that says the same usual thing of every instance. And what projects take behind the names.
    """
    nothing = [-1 if column.id in _USUAL else 0 for column in chosen]
    *longest, project = map(max, zip(*measured, strict=True)) if measured else (*nothing, 0)
    widths: list[int | None] = []
    for column, length in zip(chosen, longest, strict=True):
        width = min(column.width, length)
        if column.id == "name":
            width += len(MARK) if marks else 0
        elif column.id == "state":
            width += 1  # the question mark
        widths.append(width if length >= 0 else None)
    return widths, project


def usual_width(column: Column) -> int:
    """The cells of what a column says where it says nothing."""
    return len(_USUAL.get(column.id) or "-")


def _length(column: Column, value: Value) -> int:
    if column.id in _USUAL and value == _USUAL[column.id]:
        return -1
    if column.shape.is_number:
        return column.width
    if isinstance(value, tuple):
        return sum(map(len, value)) + 2 * len(value) - 2
    return len(value) if isinstance(value, str) else 1
