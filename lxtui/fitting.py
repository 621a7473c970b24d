"""Which columns have room on a line.

Role: columns, what each would like, and the room there is → the width of each that stays. Boundary:
pure; draws nothing. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxtui.columns import Field


def fitting(
    columns: Sequence[Field[Any]], widths: Sequence[int], room: int, *, in_order: bool = False
) -> dict[str, int]:
    """Which columns have room, with the width of each; the others are left out.

    *widths* are what each would like, without the gap after it. Texts give way before a column is
    left out, down to what is of use. Left out are those of the highest rank, or *in_order* those
    furthest right; the name stays.
    """
    ranks = {
        one.id: (at if one.rank else 0) if in_order else one.rank
        for at, one in enumerate(columns, 1)
    }
    kept = list(zip(columns, widths, strict=True))
    while kept:
        least = sum(_least(column, width) + 1 for column, width in kept) - 1
        if least <= room or len(kept) == 1:
            break
        # Of one rank, the last of them: `max` keeps the first.
        kept.remove(max(reversed(kept), key=lambda pair: ranks[pair[0].id]))
    left = room - sum(_least(column, width) + 1 for column, width in kept) + 1
    shares = {column.id: _least(column, width) for column, width in kept}
    for column, width in sorted(kept, key=lambda pair: ranks[pair[0].id]):
        more = min(max(left, 0), width - shares[column.id])
        shares[column.id] += more
        left -= more
    return {column.id: shares[column.id] for column, _ in kept}


def _least(column: Field[Any], width: int) -> int:
    return min(width, column.narrow) if column.narrow else width
