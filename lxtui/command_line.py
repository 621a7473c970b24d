"""What is typed after ``:``.

Role: a line → what it asks for. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lxtui.actions import BY_ID
from lxtui.arranging import View, check
from lxtui.errors import UsageError
from lxtui.resources.catalog import BY_ID as TABLES_BY_ID

VERBS = ("view", "save", "forget", "filter", "sort", "reverse", "group", "columns", "quit")


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that was understood: one of these."""

    view: View | None = None
    """To be shown."""
    action: str = ""
    """To be done."""
    verb: str = ""
    """``view``, ``save``, ``forget``, ``table`` or ``quit``, with *name*."""
    name: str = ""
    rest: str = ""
    """The filter of a table that is named."""


def understand(line: str, now: View) -> Typed:
    """*line* said while *now* is shown; UsageError names what could have been said."""
    verb, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    match verb:
        case "view" | "save" | "forget":
            if not rest:
                raise UsageError(f"{verb} needs the name of a view")
            return Typed(verb=verb, name=rest)
        case "q" | "quit":
            return Typed(verb="quit")
        case "filter":
            return Typed(replace(now, filter=rest))
        case "sort":
            column, _, way = rest.partition(" ")
            if way not in {"", "reverse"}:
                raise UsageError(f"sort: {way!r} is no order: say 'reverse' or nothing")
            return Typed(check(replace(now, sort=column, descending=bool(way))))
        case "group":
            return Typed(check(replace(now, group=rest)))
        case "columns" if rest:
            chosen = tuple(rest.replace(",", " ").split())
            return Typed(check(replace(now, columns=chosen)))
        case _ if verb in TABLES_BY_ID:
            return Typed(verb="table", name=verb, rest=rest)
        case _ if verb in BY_ID:
            return Typed(action=verb)
    raise UsageError(f"there is no command {verb!r}: {', '.join(VERBS)}, or an action's name")


def proposals(names: Sequence[str]) -> list[str]:
    """Lines that may be meant, for completion; *names* are of the saved views."""
    return [
        *(f"view {name}" for name in names),
        *(f"forget {name}" for name in names),
        *(f"{verb} " for verb in ("view", "save", "forget", "filter", "sort", "group", "columns")),
        "quit",
        *BY_ID,
    ]
