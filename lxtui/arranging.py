"""Which instances are shown, in which order, below which headers.

Role: instances and a View → the lines of the table. The same for the screen and for
``lxtui list``. Boundary: pure but for what an Arranger remembers of its last look, because of ten
thousand instances an event changes one. Threading: an Arranger belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from operator import is_not
from typing import Any, TypeAlias

from lxtui import columns
from lxtui import format as text
from lxtui.columns import Column, Shape
from lxtui.errors import UsageError
from lxtui.model import Host, Instance, Ref
from lxtui.query import Query, haystack, parse
from lxtui.remembered import Remembered

_Name: TypeAlias = tuple[str, str, str]
GROUPS = ("host", "project", "profiles", "location", "state", "type")
"""Columns that are offered to group by, besides the labels (``user.*``) that there are."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown how. The defaults show everything, by host and name."""

    filter: str = ""
    columns: tuple[str, ...] = columns.DEFAULT
    sort: str = ""
    """A column; empty for host and name."""
    descending: bool = False
    group: str = ""
    """A column of texts; empty for none."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the fleet that was chosen in the tree: a host, or a member of a cluster."""

    host: str
    member: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"{self.host} · {self.member}" if self.member else self.host

    def has(self, one: Instance) -> bool:
        """Whether an instance is there."""
        return one.ref.host == self.host and self.member in {"", one.location}


@dataclass(frozen=True, slots=True)
class Group:
    """The header of a group, with sums over what is shown of it, whether folded or not."""

    column: str
    label: str
    count: int = 0
    running: int = 0
    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    folded: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same while its instances change."""
        return self.column, self.label

    @property
    def line(self) -> str:
        """The header in words."""
        sums = (
            f"{self.count} instance{'s' if self.count != 1 else ''}",
            f"{self.running} running",
            f"cpu {text.percent(self.cpu)}" if self.cpu is not None else "",
            f"memory {text.size(self.memory)}" if self.memory is not None else "",
            f"disk {text.size(self.disk)}" if self.disk is not None else "",
        )
        return f"{text.plain(self.label)}  {' · '.join(filter(None, sums))}"


Line = Instance | Group


@dataclass(frozen=True, slots=True)
class Arranged:
    """The table as it shall look."""

    lines: Sequence[Line] = ()
    shown: Sequence[Instance] = ()
    """What matches the filter, folded or not, in the order of the table."""
    total: int = 0
    query: Query[Instance] = field(default_factory=Query)


class Arranger:
    """Arranges one fleet again and again; what an event did not change is not looked at anew."""

    def __init__(self) -> None:
        self._query: Query[Instance] = Query()
        self._haystacks: Remembered[Instance, str] = Remembered()
        self._haystack_of: dict[int, str] = {}
        """By the id of an instance that ``_haystacks`` keeps alive."""
        self._names: Remembered[Instance, _Name] = Remembered()
        self._matching: Remembered[Instance, bool] = Remembered()
        self._keys: Remembered[Instance, Any] = Remembered()
        self._labels: Remembered[Instance, str | None] = Remembered()
        self._by_name: tuple[list[_Name], list[int]] = ([], [])
        """The names, and the order of the instances by them."""
        self._sorted: tuple[object, list[int]] = (None, [])
        """What the last order was made of, and that order."""

    def arrange(
        self,
        instances: Sequence[Instance],
        hosts: Iterable[Host],
        view: View,
        now: datetime,
        folded: Collection[tuple[str, str]] = (),
    ) -> Arranged:
        """The lines of the table; an unknown column or group is as if it were not there."""
        if view.filter != self._query.text:
            self._query = parse(view.filter, self._words)
            if self._query.alternatives:  # each letter of a filter looks at every instance
                self.expect_filter(instances)
        # When a host was seen last is nothing to sort by, and changes with each look.
        known = {host.name: replace(host, seen_at=None) for host in hosts}
        order = self._order(instances, known, view)
        if self._query.alternatives:
            matching = self._matches(instances, known, now)
            order = list(compress(order, map(matching.__getitem__, order)))
        shown = list(map(instances.__getitem__, order))
        group = columns.find(view.group)
        if group is None or group.shape.is_number:
            return Arranged(shown, shown, len(instances), self._query)
        labels = self._labels.all(
            instances, lambda one: _label(group, one, known.get(one.ref.host)), (group.id, known)
        )
        buckets = _buckets(zip(map(labels.__getitem__, order), shown, strict=True), group)
        lines: list[Line] = []
        for label, members in buckets.items():
            header = _header(group.id, label, members)
            header = replace(header, folded=header.key in folded)
            lines.append(header)
            if not header.folded:
                lines += members
        ordered = [one for members in buckets.values() for one in members]
        return Arranged(lines, ordered, len(instances), self._query)

    def expect_filter(self, instances: Sequence[Instance]) -> None:
        """Put together what words are looked for in: before the first letter, nobody waits."""
        haystacks = self._haystacks.all(instances, haystack)
        self._haystack_of = dict(zip(map(id, instances), haystacks, strict=True))

    def _words(self, one: Instance) -> str:
        known = self._haystack_of.get(id(one))
        return haystack(one) if known is None else known

    def _matches(
        self, instances: Sequence[Instance], hosts: Mapping[str, Host], now: datetime
    ) -> list[bool]:
        """Of each instance whether it is shown."""
        query = self._query
        return self._matching.all(
            instances,
            lambda one: query.matches(one, hosts.get(one.ref.host), now),
            (query.text, hosts, now if query.timed else None),
        )

    def _order(
        self, instances: Sequence[Instance], hosts: Mapping[str, Host], view: View
    ) -> list[int]:
        """The places of all instances in the order of *view*, filtered or not."""
        by_name = self._order_by_name(instances)
        column = columns.find(view.sort)
        if column is None:
            return by_name[::-1] if view.descending else by_name
        keys = self._keys.all(
            instances,
            lambda one: columns.order(column.value(one, hosts.get(one.ref.host))),
            (column.id, hosts),
        )
        before, order = self._sorted
        made_of = (by_name, keys, view.descending)
        # Lists that are the same objects as before were not changed since.
        if not isinstance(before, tuple) or any(map(is_not, before, made_of)):
            order = columns.ordered(keys, by_name, descending=view.descending)
            self._sorted = (made_of, order)
        return order

    def _order_by_name(self, instances: Sequence[Instance]) -> list[int]:
        """By host, then name as people count."""
        names = self._names.all(instances, lambda one: _name(one.ref))
        before, order = self._by_name
        if names is not before:
            order = sorted(range(len(names)), key=names.__getitem__)
            self._by_name = (names, order)
        return order


def check(view: View) -> View:
    """*view*, if all its columns are known; UsageError names the first that is not."""
    for name in filter(None, (*view.columns, view.sort, view.group)):
        columns.named(name)
    if not view.columns:
        raise UsageError("at least one column must be shown")
    if view.group and columns.named(view.group).shape.is_number:
        raise UsageError(
            f"{view.group!r} is a number: group by {', '.join(GROUPS)} or a user.* key"
        )
    return view


def shown_columns(view: View) -> list[Column]:
    """The columns of *view* that there are, each once; never none."""
    found = {one.id: one for name in view.columns if (one := columns.find(name)) is not None}
    return list(found.values()) or [columns.BY_ID["name"]]


def _name(ref: Ref) -> _Name:
    return columns.natural(ref.host), columns.natural(ref.name), ref.project


def _label(column: Column, one: Instance, host: Host | None) -> str | None:
    """The group that an instance belongs to; None for those without one."""
    value = column.value(one, host)
    if value is None or value == "":
        return None
    return ", ".join(value) if column.shape is Shape.NAMES else str(value)  # type: ignore[arg-type]


def _buckets(
    shown: Iterable[tuple[str | None, Instance]], column: Column
) -> Mapping[str, list[Instance]]:
    """By their labels, in natural order; those without one last."""
    found: dict[str | None, list[Instance]] = {}
    for label, one in shown:
        found.setdefault(label, []).append(one)
    missing = found.pop(None, [])
    ordered = {label: found[label] for label in sorted(filter(None, found), key=columns.natural)}
    if missing:
        ordered.setdefault(f"no {column.label.lower()}", []).extend(missing)
    return ordered


def _header(column: str, label: str, members: Sequence[Instance]) -> Group:
    cpu = [one.cpu_percent for one in members if one.cpu_percent is not None]
    memory = [one.memory for one in members if one.memory is not None]
    disk = [one.disk for one in members if one.disk is not None]
    return Group(
        column,
        label,
        len(members),
        sum(one.status == "Running" for one in members),
        sum(cpu) if cpu else None,
        sum(memory) if memory else None,
        sum(disk) if disk else None,
    )
