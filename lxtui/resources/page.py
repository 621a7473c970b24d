"""Everything about one entry, as sections of a page.

Role: entry → titled rows and YAML. Boundary: pure. Threading: functions. Text of the daemons is
plain when it leaves here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import yaml

from lxtui import format as words
from lxtui.columns import written
from lxtui.resources.entry import Entry
from lxtui.resources.table import Table

Rows = list[tuple[str, str]]
Section = tuple[str, Rows | list[str]]
"""A title; pairs of a name and a value, or lines."""


def sections(
    table: Table, entry: Entry, more: Iterable[tuple[str, Any]], now: datetime
) -> list[Section]:
    """What the columns say, who uses it, what else the host says, and its YAML."""
    rows = [
        (one.id.replace("-", " "), said)
        for one in table.fields
        if (said := written(one, one.value(entry, None), now)) != "-"
    ]
    found: list[Section] = [("", rows)]
    if entry.users:
        found.append(("used by", [words.plain(str(one)) for one in entry.users]))
    for title, value in more:
        found.append((title, as_yaml(value)))
    found.append(("as the daemon has it", as_yaml(entry.document)))
    return found


def as_yaml(value: Any) -> list[str]:
    """Lines of YAML, in the daemon's own order, without control characters."""
    if isinstance(value, str):
        return [words.plain(value)]
    try:
        written_out = yaml.safe_dump(_plain(value), sort_keys=False, allow_unicode=True, width=1000)
    except yaml.YAMLError:  # what is no JSON
        written_out = repr(value)
    return [words.plain(line) for line in written_out.splitlines()]


def _plain(value: Any) -> Any:
    """Ordinary dicts and lists: what is frozen is no YAML."""
    if hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
