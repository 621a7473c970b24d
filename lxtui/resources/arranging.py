"""Which entries of a table are shown, and in which order.

Role: entries and a View → lines, by the filter language and columns of their Table. Boundary: pure.
Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxtui.arranging import View
from lxtui.columns import Field, Shape, natural, sorted_by
from lxtui.errors import UsageError
from lxtui.model import Host
from lxtui.query import Language, Query, understand
from lxtui.resources.entry import Entry, Json, mapping
from lxtui.resources.table import Table


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as it shall look."""

    lines: Sequence[Entry] = ()
    total: int = 0
    query: Query[Entry] = field(default_factory=Query)


def language(table: Table) -> Language[Entry]:
    """What can be said about the entries of *table*."""

    def words(one: Entry) -> str:
        said = (_words(one.document), *table.words(one.document), *one.ref, one.location)
        return "\n".join(said).casefold()

    return Language(lambda name: find(table, name), words, lambda one: one.ref.name)


def find(table: Table, name: str) -> Field[Entry] | None:
    """The column of that name; ``config:KEY`` and ``user.KEY`` are of a configuration key."""
    known = table.find(name)
    if known is not None:
        return known
    key = name.removeprefix("config:")
    if not key or (key == name and "." not in key):
        return None

    def get(one: Entry, _: Host | None) -> str | None:
        found = mapping(one.document.get("config")).get(key)
        return found if isinstance(found, str) else None

    return Field(f"config:{key}", key.upper(), f"The key {key}", Shape.TEXT, get, 30, 15, (), 6)


def check(table: Table, view: View) -> View:
    """*view*, if *table* has its columns; UsageError names the first that it has not."""
    for name in filter(None, (*view.columns, view.sort)):
        if find(table, name) is None:
            known = ", ".join(one.id for one in table.fields)
            raise UsageError(f"{table.id} have no column {name!r} (known: {known}, and config:KEY)")
    if not view.columns:
        raise UsageError("at least one column must be shown")
    return view


def chosen(table: Table, view: View) -> list[Field[Entry]]:
    """The columns of *view* that there are, each once; never none."""
    found = {one.id: one for name in view.columns if (one := find(table, name)) is not None}
    return list(found.values()) or [table.fields[0]]


def arrange(
    table: Table,
    entries: Iterable[Entry],
    hosts: Mapping[str, Host],
    view: View,
    now: datetime,
    query: Query[Entry] | None = None,
) -> Shown:
    """The lines of the table; an unknown column to sort by is as if it were not there."""
    known = list(entries)
    if query is None or query.text != view.filter:
        query = understand(view.filter, language(table))
    host_of: Callable[[Entry], Host | None] = lambda one: hosts.get(one.ref.host)  # noqa: E731
    lines = [one for one in known if query.matches(one, host_of(one), now)]
    lines.sort(key=_order(table, host_of))
    column = find(table, view.sort) if view.sort else None
    if column is not None:
        lines = sorted_by(column, lines, host_of, descending=view.descending)
    elif view.descending:
        lines.reverse()
    return Shown(lines, len(known), query)


def _order(table: Table, host_of: Callable[[Entry], Host | None]) -> Callable[[Entry], Any]:
    """By host, then name as people count."""
    name = table.fields[0].value

    def key(one: Entry) -> Any:
        said = str(name(one, host_of(one)) or "")
        where = natural(one.ref.host), natural(said), one.ref.project, one.ref.name, one.location
        return *table.order(one), *where

    return key


def _words(document: Json) -> str:
    texts = (document.get(key) for key in ("name", "description", "type", "status", "driver"))
    return "\n".join(str(one) for one in texts if one)
