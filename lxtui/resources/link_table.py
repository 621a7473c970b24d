"""The table of what uses something, or of what something is made of.

Role: links and the fleet → lines. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxtui.model import FleetSnapshot, Ref
from lxtui.resources.entry import HOST, PROJECT, Entry, said, told
from lxtui.resources.links import INSTANCES, Link
from lxtui.resources.table import Table

LINKS = Table(
    id="links",
    noun="",
    help="What uses it, or what it is made of",
    fields=(
        told("name", "NAME", "Its name", said("name"), 60, 0, (), 12),
        told("kind", "KIND", "What it is", said("kind"), 12, 1, (), 8),
        HOST,
        PROJECT,
        told("state", "STATE", "Of an instance", said("state"), 9, 2, ("status",), 7),
    ),
    default=("name", "kind", "host", "project", "state"),
    name=lambda one: str(one.get("name", "")),
    source=None,
    path=lambda _: (),
    families=frozenset(),
    empty="nothing uses it",
)


def link_entries(links: Iterable[Link], fleet: FleetSnapshot) -> tuple[Entry, ...]:
    """Links as lines; each line has its link as its only user."""
    wanted = list(links)
    refs = {one.ref for one in wanted if one.table == INSTANCES}
    states: dict[Ref, str] = {one.ref: one.status for one in fleet.instances if one.ref in refs}
    return tuple(
        Entry(
            LINKS.id,
            one.ref._replace(name=f"{one.table}/{one.ref.name}"),
            {
                "name": one.ref.name,
                "kind": one.table.removesuffix("s") or "other",
                "state": states.get(one.ref),
            },
            users=(one,),
        )
        for one in wanted
    )
