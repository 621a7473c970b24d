"""What can be shown of an instance, sorted by and filtered by: one table.

Role: column id → its label, its value, how the value is written and ordered. The screen's table,
the filter language, saved views and ``lxtui list`` all read it. Boundary: pure. Threading: values
and functions; the orders of names are remembered.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Generic, TypeAlias, TypeVar

from lxtui import format as text
from lxtui.errors import UsageError
from lxtui.model import Host, Instance

Value = str | int | float | datetime | tuple[str, ...] | None

CONFIG = "config:"
"""Before a configuration key, it makes a column of it."""


class Shape(Enum):
    """What a column's values are."""

    TEXT = "text"
    NAMES = "names"
    COUNT = "count"
    PERCENT = "percent"
    BYTES = "bytes"
    TIME = "time"

    @property
    def is_number(self) -> bool:
        """Whether it is ordered by size and stands at the right."""
        return self not in {Shape.TEXT, Shape.NAMES}


Row = TypeVar("Row")
"""What a line of a table is: an instance, or an entry of another table."""


@dataclass(frozen=True, slots=True)
class Field(Generic[Row]):
    """One column of a table. ``value`` gives None for what is not known."""

    id: str
    label: str
    help: str
    shape: Shape
    value: Callable[[Row, Host | None], Value]
    width: int
    """Of a number, characters; of a text, the most that it gets."""
    rank: int
    """Where there is little room the highest goes first; 0 stays."""
    aliases: tuple[str, ...] = ()
    narrow: int = 0
    """Of a text, the characters below which it is of no use."""


Column: TypeAlias = Field[Instance]
"""One column of the instances."""


def _last_snapshot(one: Instance, _: Host | None) -> Value:
    taken = [snapshot.created_at for snapshot in one.snapshots if snapshot.created_at is not None]
    return max(taken, default=None)


def _memory_share(one: Instance, host: Host | None) -> Value:
    total = one.memory_limit or (host.memory_total if host is not None else None)
    return one.memory / total * 100 if one.memory is not None and total else None


def _image(one: Instance, _: Host | None) -> Value:
    config = one.expanded_config
    if described := config.get("image.description"):
        return described
    return " ".join(filter(None, map(config.get, ("image.os", "image.release")))) or None


COLUMNS: tuple[Column, ...] = (
    Field("name", "NAME", "Its name", Shape.TEXT, lambda one, _: one.ref.name, 40, 0, (), 12),
    Field("host", "HOST", "The host", Shape.TEXT, lambda one, _: one.ref.host, 20, 1, (), 10),
    Field(
        "project",
        "PROJECT",
        "The project",
        Shape.TEXT,
        lambda one, _: one.ref.project,
        16,
        13,
        (),
        7,
    ),
    Field(
        "state",
        "STATE",
        "Running, Stopped, Frozen, Error; with ? as last known",
        Shape.TEXT,
        lambda one, _: one.status,
        9,
        2,
        ("status",),
        8,
    ),
    Field("type", "TYPE", "Container or VM", Shape.TEXT, lambda one, _: one.type, 15, 14, (), 9),
    Field(
        "cpu",
        "CPU",
        "Of one CPU, between the last two looks",
        Shape.PERCENT,
        lambda one, _: one.cpu_percent,
        6,
        4,
        ("cpu%",),
    ),
    Field(
        "memory",
        "MEMORY",
        "Memory in use",
        Shape.BYTES,
        lambda one, _: one.memory,
        8,
        3,
        ("mem",),
    ),
    Field(
        "memory%",
        "MEM%",
        "Of its limit, or of the host's memory",
        Shape.PERCENT,
        _memory_share,
        5,
        6,
        ("mem%",),
    ),
    Field(
        "limit",
        "LIMIT",
        "Its memory limit",
        Shape.BYTES,
        lambda one, _: one.memory_limit,
        8,
        9,
        ("memory-limit",),
    ),
    Field("swap", "SWAP", "Swap in use", Shape.BYTES, lambda one, _: one.swap, 8, 18),
    Field("disk", "DISK", "Disk in use", Shape.BYTES, lambda one, _: one.disk, 8, 10),
    Field(
        "ipv4",
        "IPV4",
        "Its addresses",
        Shape.NAMES,
        lambda one, _: one.ipv4 or None,
        15,
        5,
        ("ip", "address"),
        15,
    ),
    Field(
        "ipv6",
        "IPV6",
        "Its addresses",
        Shape.NAMES,
        lambda one, _: one.ipv6 or None,
        39,
        19,
        ("ip6",),
        12,
    ),
    Field(
        "processes",
        "PROCS",
        "How many processes it has",
        Shape.COUNT,
        lambda one, _: one.processes,
        5,
        12,
        ("procs",),
    ),
    Field(
        "snapshots",
        "SNAPS",
        "How many snapshots it has",
        Shape.COUNT,
        lambda one, _: len(one.snapshots),
        5,
        7,
        ("snaps",),
    ),
    Field(
        "last-snapshot",
        "SNAP AGE",
        "Age of its newest snapshot",
        Shape.TIME,
        _last_snapshot,
        8,
        15,
        ("snapshot-age",),
    ),
    Field(
        "profiles",
        "PROFILES",
        "Its profiles, in their order",
        Shape.NAMES,
        lambda one, _: one.profiles or None,
        24,
        16,
        ("profile",),
        8,
    ),
    Field(
        "location",
        "MEMBER",
        "The cluster member that it is on",
        Shape.TEXT,
        lambda one, _: None if one.location in {"", "none"} else one.location,
        16,
        11,
        ("member",),
        6,
    ),
    Field(
        "architecture",
        "ARCH",
        "Its architecture",
        Shape.TEXT,
        lambda one, _: one.architecture or None,
        8,
        20,
        ("arch",),
        4,
    ),
    Field(
        "created",
        "AGE",
        "Since it was made",
        Shape.TIME,
        lambda one, _: one.created_at,
        4,
        8,
        ("age",),
    ),
    Field(
        "last-used",
        "USED",
        "Since its last start",
        Shape.TIME,
        lambda one, _: one.last_used_at,
        4,
        17,
        ("used",),
    ),
    Field("image", "IMAGE", "What it was made from", Shape.TEXT, _image, 36, 21, ("os",), 10),
    Field(
        "description",
        "DESCRIPTION",
        "What somebody wrote about it",
        Shape.TEXT,
        lambda one, _: one.description or None,
        40,
        22,
        (),
        10,
    ),
)
BY_ID = {column.id: column for column in COLUMNS}
_BY_NAME = BY_ID | {alias: column for column in COLUMNS for alias in column.aliases}
DEFAULT = (
    "name",
    "host",
    "project",
    "state",
    "type",
    "cpu",
    "memory",
    "memory%",
    "disk",
    "ipv4",
    "processes",
    "snapshots",
    "location",
    "created",
    "profiles",
    "image",
)
LARGEST_FIRST = frozenset({Shape.COUNT, Shape.PERCENT, Shape.BYTES})
"""Of these a first sort shows the largest on top; of ages the youngest."""
_NUMBERS = re.compile(r"[0-9]+")


def find(name: str) -> Column | None:
    """The column of that id or alias; ``config:KEY`` and every name with a dot are of a key."""
    known = _BY_NAME.get(name.casefold())
    if known is not None:
        return known
    key = name.removeprefix(CONFIG)
    return _config_column(key) if key and (key != name or "." in key) else None


def named(name: str) -> Column:
    """The same; UsageError for an unknown name."""
    column = find(name)
    if column is None:
        raise UsageError(
            f"there is no column {name!r} (known: {', '.join(BY_ID)}, and {CONFIG}KEY)"
        )
    return column


@lru_cache(maxsize=1024)
def _config_column(key: str) -> Column:
    return Field(
        f"{CONFIG}{key}",
        key.removeprefix("user.").upper(),
        f"The configuration key {key}",
        Shape.TEXT,
        lambda one, _: one.expanded_config.get(key),
        30,
        15,
        (),
        6,
    )


def written(column: Field[Any], value: Value, now: datetime) -> str:
    """A value as people read it; ``-`` for what is not known. Never a control character."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return text.age(value, now)
    if isinstance(value, tuple):
        return text.plain(", ".join(value))
    if isinstance(value, str):
        return text.plain(value)
    if column.shape is Shape.PERCENT:
        return text.percent(value)
    return text.size(value) if column.shape is Shape.BYTES else str(value)


@lru_cache(maxsize=65_536)
def natural(name: str) -> str:
    """A key by which ``web2`` comes before ``web10``, whatever the case of the letters.

    Before each number stands how many digits it has: of two, the one with fewer is the smaller.
    That makes a text of it, of which thousands are sorted between a key and its frame.
    """
    return _NUMBERS.sub(_counted, name.casefold())


def _counted(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    length = chr(min(len(digits), sys.maxunicode))
    return f"\0{length}{digits}"  # no letter is below \0: a shorter name stays the first


def sorted_by(
    column: Field[Row],
    rows: Iterable[Row],
    host_of: Callable[[Row], Host | None],
    *,
    descending: bool = False,
) -> list[Row]:
    """By that column; equal ones keep their order, and what is not known comes last either way.

    A time column is ordered by age: the youngest first.
    """
    found = list(rows)
    keys = [order(column.value(one, host_of(one))) for one in found]
    return [found[at] for at in ordered(keys, range(len(found)), descending=descending)]


def order(value: Value) -> Any:
    """What a value is ordered by among those of its column; None for what is not known."""
    if isinstance(value, datetime):
        return -value.timestamp()
    if isinstance(value, tuple):
        return natural(" ".join(value))
    return natural(value) if isinstance(value, str) else value


def ordered(keys: Sequence[Any], places: Iterable[int], *, descending: bool) -> list[int]:
    """*places* by the key of each; equal ones keep their order, those without a key come last."""
    known: list[int] = []
    unknown: list[int] = []
    for at in places:
        (unknown if keys[at] is None else known).append(at)
    known.sort(key=keys.__getitem__, reverse=descending)
    return known + unknown


def user_keys(instances: Iterable[Instance]) -> Collection[str]:
    """The labels that there are: every ``user.*`` key, sorted."""
    return sorted({key for one in instances for key in one.expanded_config if key[:5] == "user."})
