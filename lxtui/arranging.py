"""Which instances are shown, in which order, below which headers.

Role: instances and a View → the lines of the table. The same for the screen and for
``lxtui list``. Boundary: pure but for the order by name that an Arranger remembers, because ten
thousand names do not change with each look. Threading: an Arranger belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lxtui import columns
from lxtui import format as text
from lxtui.columns import Column, Shape
from lxtui.errors import UsageError
from lxtui.model import Host, Instance, Ref
from lxtui.query import Query, parse

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
    """Arranges one fleet again and again."""

    def __init__(self) -> None:
        self._names: list[Ref] = []
        self._query: Query[Instance] = Query()

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
            self._query = parse(view.filter)
        query, by_name = self._query, {host.name: host for host in hosts}
        shown = self._by_name(instances)
        if query.alternatives:
            shown = [one for one in shown if query.matches(one, by_name.get(one.ref.host), now)]
        if (column := columns.find(view.sort)) is not None:
            shown = columns.sorted_by(
                column, shown, lambda one: by_name.get(one.ref.host), descending=view.descending
            )
        elif view.descending:
            shown.reverse()
        group = columns.find(view.group)
        if group is None or group.shape.is_number:
            return Arranged(shown, shown, len(instances), query)
        buckets = _buckets(shown, group, by_name.get)
        lines: list[Line] = []
        for label, members in buckets.items():
            header = _header(group.id, label, members)
            header = replace(header, folded=header.key in folded)
            lines.append(header)
            if not header.folded:
                lines += members
        ordered = [one for members in buckets.values() for one in members]
        return Arranged(lines, ordered, len(instances), query)

    def _by_name(self, instances: Sequence[Instance]) -> list[Instance]:
        """By host, then name as people count."""
        known = {one.ref: one for one in instances}
        if len(known) == len(self._names):
            try:
                return [known[ref] for ref in self._names]
            except KeyError:
                pass  # one has gone and another has come
        self._names = sorted(known, key=_order)
        return [known[ref] for ref in self._names]


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


def _order(ref: Ref) -> tuple[columns.Natural, columns.Natural, str]:
    return columns.natural(ref.host), columns.natural(ref.name), ref.project


def _buckets(
    shown: Iterable[Instance], column: Column, hosts: Callable[[str], Host | None]
) -> Mapping[str, list[Instance]]:
    """By the column's text, in natural order; those without one last."""
    found: dict[str, list[Instance]] = {}
    missing: list[Instance] = []
    for one in shown:
        value = column.value(one, hosts(one.ref.host))
        if value is None or value == "":
            missing.append(one)
        else:
            label = ", ".join(value) if column.shape is Shape.NAMES else str(value)  # type: ignore[arg-type]
            found.setdefault(label, []).append(one)
    ordered = {label: found[label] for label in sorted(found, key=columns.natural)}
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
