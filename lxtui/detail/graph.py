"""A row of numbers as a graph of block characters, legible without colours.

Role: values → lines of text. The newest value is at the right; what is not known is a hole; a limit
is a dashed line with its value beside it. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_EIGHTHS = " ▁▂▃▄▅▆▇█"
SCALE = 10
"""Columns of the scale at the left, its edge included."""
_ROOM = 1.15
"""Above a limit that is the top of the scale, so that one sees how far it is from it."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What one graph shows."""

    title: str
    values: Sequence[float | None]
    show: Callable[[float], str]
    """A number of the scale as text."""
    limit: float | None = None
    least_top: float = 1.0
    """The scale does not end below this: a graph of noise would look like one of work."""


def drawn(graph: Graph, width: int, height: int) -> list[str]:
    """The title and *height* lines, each of *width* columns at most."""
    room = max(width - SCALE, 1)
    values = [*graph.values][-room:]
    top, limit = _scale(graph, values)
    lines = [graph.title[:width]]
    at_limit = None if limit is None else min(int(limit / top * height), height - 1)
    for row in range(height - 1, -1, -1):
        cells = ["╌" if row == at_limit else " "] * (room - len(values))
        for value in values:
            eighths = 0 if value is None else round(value / top * height * 8) - row * 8
            if value is not None and value > 0 and row == 0:
                eighths = max(eighths, 1)  # a little is not nothing
            full = _EIGHTHS[min(max(eighths, 0), 8)]
            cells.append("╌" if full == " " and row == at_limit else full)
        label = ""
        if row == at_limit:
            label = graph.show(limit or 0)
        elif row == height - 1 and at_limit != height - 1:
            label = graph.show(top)
        elif row == 0:
            label = graph.show(0)
        edge = "┤" if label else "│"
        lines.append(f"{label[: SCALE - 1]:>{SCALE - 1}}{edge}{''.join(cells)}".rstrip())
    return lines


def _scale(graph: Graph, values: Sequence[float | None]) -> tuple[float, float | None]:
    """The value at the top, and the limit if it is in sight."""
    peak = max((value for value in values if value is not None), default=0.0)
    if graph.limit:
        return max(graph.limit * _ROOM, peak), graph.limit
    return max(peak, graph.least_top), None
