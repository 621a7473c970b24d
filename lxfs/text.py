"""Text for terminals.

Role: what a container named is made harmless, rows are made columns.
Boundary: pure.
Threading: none.
"""

from collections.abc import Sequence


def plain(text: str) -> str:
    """Escape what a terminal would act on: containers name themselves as they please."""
    return "".join(
        char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below their heads, in columns."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def some(names: Sequence[str], most: int = 5) -> str:
    """Return names as a list, and of those beyond so many their number."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
