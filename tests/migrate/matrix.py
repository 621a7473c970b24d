"""The fault matrix: which moves are broken, at which moments, and the table of what came of them.

Role: routes, modes, moments and faults to cells; results to a table. Boundary: pure.
Threading: values only.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.migrate.faults import FAULTS
from tests.migrate.scene import OTHER_POOL, Cell

WHOLE = "whole"
"""Chooses every cell."""
WITHIN = (("lxd1", "lxd1"), ("incus1", "incus1"))
"""Moves to another pool of the same server, in which name and project stay."""
ROUTES = (("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2"))
MOMENTS = {
    "cold": ("claim", "stop", "copy", "copy+", "verify", "start", "delete", "finish"),
    "near-live": (
        *("claim", "copy", "copy+", "refresh", "refresh+", "stop", "final", "final+"),
        *("verify", "start", "delete", "finish"),
    ),
}
"""Steps as the journal calls them, at their begin; with ``+`` when a copy of theirs is at work."""


WITHIN_MOMENTS = (
    *("claim", "stop", "copy", "copy+", "verify", "yield", "assume", "start", "delete", "finish"),
)
WITHIN_FAULTS = {
    "lxtui-killed": frozenset(WITHIN_MOMENTS),
    # A daemon that dies in the middle of its own rename may not know the instance any more.
    "source-killed": frozenset(WITHIN_MOMENTS) - {"yield", "assume"},
    "link-cut": frozenset({"yield", "assume", "start", "delete"}),
    "untrusted": frozenset({"copy+", "yield", "assume", "start", "delete"}),
    "source-started": frozenset({"verify", "yield"}),
    "source-changed": frozenset({"verify", "yield"}),
}
"""What is broken there, and when; the rest needs two hosts."""


def possible(cell: Cell) -> bool:
    """Whether the fault can be at that moment of that mode."""
    if cell.moment not in MOMENTS[cell.mode]:
        return False
    moments = FAULTS[cell.fault].moments
    if moments is not None and cell.moment not in moments:
        return False
    # A source that still runs cannot be started.
    running = cell.mode == "near-live" and cell.moment in {"copy", "copy+"}
    return not (cell.fault == "source-started" and running)


def cells() -> list[Cell]:
    """The whole matrix; the two ways to recover take turns."""
    found: list[Cell] = []
    for source, target in ROUTES:
        for mode, moments in MOMENTS.items():
            for fault in FAULTS:
                for moment in moments:
                    turn = "undo" if (len(found) + len(moment)) % 2 else "resume"
                    verbs = FAULTS[fault].recoveries or (turn,)
                    found += [Cell(fault, moment, source, target, mode, one) for one in verbs]
    return [cell for cell in found if possible(cell)] + _within()


def _within() -> list[Cell]:
    found: list[Cell] = []
    for source, target in WITHIN:
        for fault, moments in WITHIN_FAULTS.items():
            for number, moment in enumerate(one for one in WITHIN_MOMENTS if one in moments):
                verbs = FAULTS[fault].recoveries or (("resume", "undo")[number % 2],)
                found += [Cell(fault, moment, source, target, OTHER_POOL, one) for one in verbs]
    return found


def chosen(words: str, part: str = "0/1") -> list[Cell]:
    """The cells whose names hold all of the words, which blanks separate; of these, one part.

    Parts are as alike as can be: ``1/3`` has the second of every three cells. Each begins at
    another place: or all would wait at one time, and want the processor at another.
    """
    found = [
        cell
        for cell in cells()
        if words == WHOLE or all(word in str(cell) for word in words.split())
    ]
    number, parts = map(int, part.split("/"))
    mine = found[number::parts]
    begin = len(mine) * number // parts
    return mine[begin:] + mine[:begin]


def table(results: Mapping[Cell, str]) -> str:
    """Rows of fault and moment, columns of route and mode; each field says what came of it."""
    columns = [(f"{source}→{target}", mode) for source, target in ROUTES for mode in MOMENTS]
    columns += [(f"{source}→{target}", OTHER_POOL) for source, target in WITHIN]
    lines = [
        "| fault | at | " + " | ".join(f"{route} {mode}" for route, mode in columns) + " |",
        "|" + "---|" * (len(columns) + 2),
    ]
    order = [*MOMENTS["near-live"]]
    after = order.index("verify") + 1
    order[after:after] = ["yield", "assume"]
    rows = sorted(
        {cell.row for cell in results},
        key=lambda row: (list(FAULTS).index(row[0]), order.index(row[1])),
    )
    for row in rows:
        fields = []
        for column in columns:
            found = [
                results[cell].partition(" (")[0]
                for cell in results
                if cell.row == row and cell.column == column
            ]
            fields.append(", ".join(dict.fromkeys(found)))
        lines.append("| " + " | ".join((*row, *fields)) + " |")
    return "\n".join(lines)
