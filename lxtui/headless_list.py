"""``lxtui list``: the table without a screen.

Role: asks the hosts once, arranges what they have, prints text or JSON. Boundary: gets backends
and a View; parses no arguments. Threading: asks many hosts at once, one thread each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from lxtui import columns, headless
from lxtui import format as text
from lxtui.arranging import Arranged, Arranger, Group, View, shown_columns
from lxtui.backend.base import Backend
from lxtui.columns import Column, Value, written
from lxtui.errors import LxtuiError
from lxtui.headless import Json
from lxtui.model import Host, Instance


def print_columns() -> None:
    """What may be chosen."""
    rows = [(one.id, ", ".join(one.aliases) or "-", one.help) for one in columns.COLUMNS]
    rows.append((f"{columns.CONFIG}KEY", "KEY, if it has a dot", "A key of the configuration"))
    print(text.table(("COLUMN", "ALSO", "WHAT"), rows))


def print_list(
    backends: Mapping[str, Backend], view: View, *, as_json: bool, with_columns: bool
) -> list[LxtuiError]:
    """Print what the hosts have; returns the errors of those that did not answer.

    What of the filter was not understood is said on standard error.
    """

    def look(backend: Backend) -> tuple[Host, tuple[Instance, ...]]:
        return backend.connect(), backend.instances()

    answers = headless.ask_all(backends, look)
    found = [answer for answer in answers.values() if not isinstance(answer, LxtuiError)]
    hosts = {host.name: host for host, _ in found}
    instances = [one for _, several in found for one in several]
    now = datetime.now(UTC)
    arranged = Arranger().arrange(instances, hosts.values(), view, now)
    for problem in arranged.query.problems:
        print(f"lxtui: filter: {problem}", file=sys.stderr)
    if as_json:
        headless.print_json(table_json(arranged, view, hosts, with_columns=with_columns))
    else:
        print_table(arranged, view, hosts, now)
    return [answer for answer in answers.values() if isinstance(answer, LxtuiError)]


def print_table(arranged: Arranged, view: View, hosts: Mapping[str, Host], now: datetime) -> None:
    """The lines of the table, numbers at the right."""
    chosen = shown_columns(view)
    rows = [
        None
        if isinstance(line, Group)
        else [written(one, one.value(line, hosts.get(line.ref.host)), now) for one in chosen]
        for line in arranged.lines
    ]
    cells = [[one.label for one in chosen], *(row for row in rows if row is not None)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(chosen))]

    def line_of(row: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if one.shape.is_number else cell.ljust(width)
            for one, cell, width in zip(chosen, row, widths, strict=True)
        )
        return "  ".join(aligned).rstrip()

    print(line_of(cells[0]))
    for line, row in zip(arranged.lines, rows, strict=True):
        print(f"-- {line.line}" if isinstance(line, Group) else line_of(row or ()))


def table_json(
    arranged: Arranged, view: View, hosts: Mapping[str, Host], *, with_columns: bool
) -> list[Json]:
    """The documented keys of each instance; with its group, and the columns that were chosen."""
    chosen = shown_columns(view)
    answer: list[Json] = []
    group: str | None = None
    for line in arranged.lines:
        if isinstance(line, Group):
            group = line.label
            continue
        entry = headless.instance_json(line)
        if view.group:
            entry["group"] = group
        if with_columns:
            entry["columns"] = {one.id: _raw(one, line, hosts.get) for one in chosen}
        answer.append(entry)
    return answer


def _raw(
    column: Column, instance: Instance, hosts: Callable[[str], Host | None]
) -> Value | list[str]:
    value = column.value(instance, hosts(instance.ref.host))
    if isinstance(value, datetime):
        return headless.iso(value)
    return list(value) if isinstance(value, tuple) else value
