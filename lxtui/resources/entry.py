"""One line of a table, and how its document is read.

Role: what a daemon wrote, with what it is called and what uses it; values out of the document,
None where they are missing or of another shape, because daemons of many versions answer. Boundary:
pure. Threading: values and functions; nobody changes a document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from lxtui.columns import Field, Shape, Value
from lxtui.format import limit_bytes, timestamp
from lxtui.model import Host, Ref
from lxtui.resources.links import Link

Json = Mapping[str, Any]
Get = Callable[[Json], Value]


def _none() -> Json:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """An image, a profile, a warning or another thing of a host."""

    table: str
    ref: Ref
    """An image's name is its fingerprint, a volume's ``pool/type/name``."""
    document: Json = field(default_factory=_none, repr=False)
    """As the daemon has it."""
    beside: Json = field(default_factory=_none, repr=False)
    """What it says of the same thing elsewhere: the space of a pool."""
    users: tuple[Link, ...] = ()
    location: str = ""
    """The cluster member; empty where that says nothing."""

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same while it changes."""
        return self.table, *self.ref, self.location

    @property
    def link(self) -> Link:
        """Leads to it."""
        return Link(self.table, self.ref)


def mapping(value: Any) -> Json:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """A JSON array; empty for anything else."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    """A number that is not negative: the daemons write -1 where they do not know."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return int(value) if known else None


def moment(value: Any) -> datetime | None:
    """A time; None for never."""
    return timestamp(value) if isinstance(value, str) else None


def said(key: str) -> Get:
    """The text at *key*."""
    return lambda document: text(document.get(key))


def configured(key: str) -> Get:
    """The text of a configuration key."""
    return lambda document: text(mapping(document.get("config")).get(key))


def configured_size(key: str) -> Get:
    """The bytes of a configuration key."""
    return lambda document: limit_bytes(text(mapping(document.get("config")).get(key)) or "", None)


def when(key: str) -> Get:
    """The time at *key*."""
    return lambda document: moment(document.get(key))


def yes(key: str, word: str = "yes") -> Get:
    """*word* where *key* is true, else nothing."""
    return lambda document: word if document.get(key) is True else None


def column(
    name: str,
    label: str,
    told: str,
    shape: Shape,
    get: Get,
    width: int,
    rank: int,
    aliases: tuple[str, ...] = (),
    narrow: int = 0,
) -> Field[Entry]:
    """A column of what the document says; ``fitting`` tells what width, rank and narrow mean."""
    return Field(
        name, label, told, shape, lambda one, _: get(one.document), width, rank, aliases, narrow
    )


def told(
    name: str,
    label: str,
    what: str,
    get: Get,
    width: int,
    rank: int,
    aliases: tuple[str, ...] = (),
    narrow: int = 0,
) -> Field[Entry]:
    """The same for a text."""
    return column(name, label, what, Shape.TEXT, get, width, rank, aliases, narrow)


def names(label: str = "NAME", width: int = 40) -> Field[Entry]:
    """The name."""
    return Field(
        "name", label, "Its name", Shape.TEXT, lambda one, _: one.ref.name, width, 0, (), 10
    )


def description() -> Field[Entry]:
    """What somebody wrote about it."""
    told = "What somebody wrote about it"
    return column(
        "description", "DESCRIPTION", told, Shape.TEXT, said("description"), 40, 12, (), 8
    )


def _host(one: Entry, _: Host | None) -> Value:
    return one.ref.host


HOST: Field[Entry] = Field("host", "HOST", "The host", Shape.TEXT, _host, 20, 1, (), 6)
PROJECT: Field[Entry] = Field(
    "project", "PROJECT", "The project", Shape.TEXT, lambda one, _: one.ref.project, 16, 8, (), 7
)
USED: Field[Entry] = Field(
    "used-by",
    "USED BY",
    "How many use it",
    Shape.COUNT,
    lambda one, _: len(one.users),
    7,
    3,
    ("users", "uses"),
)
MEMBER: Field[Entry] = Field(
    "location",
    "MEMBER",
    "The cluster member",
    Shape.TEXT,
    lambda one, _: one.location or None,
    16,
    9,
    ("member",),
    6,
)
