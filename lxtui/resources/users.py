"""Who uses what, where the document itself does not say.

Role: entries and the fleet's instances → the entries with links to those that use them. Boundary:
pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lxtui.model import Instance
from lxtui.resources.affairs import MEMBERS
from lxtui.resources.entry import Entry
from lxtui.resources.images import IMAGES
from lxtui.resources.links import INSTANCES, Link, image_users
from lxtui.resources.table import Table

ASKED = frozenset({IMAGES.id, MEMBERS.id})
"""Tables whose entries do not say who uses them."""


def with_users(
    table: Table, entries: Sequence[Entry], instances: Iterable[Instance]
) -> Sequence[Entry]:
    """Images with what was made of them, members with what is on them; others as they are."""
    if table.id not in ASKED:
        return entries
    users = image_users(instances) if table is IMAGES else _residents(instances)
    return [
        replace(one, users=tuple(sorted(found)))
        if (found := users.get((one.ref.host, one.ref.name)))
        else one
        for one in entries
    ]


def _residents(instances: Iterable[Instance]) -> dict[tuple[str, str], list[Link]]:
    """By host and member: the instances that are there."""
    found: dict[tuple[str, str], list[Link]] = {}
    for one in instances:
        if one.location:
            found.setdefault((one.ref.host, one.location), []).append(Link(INSTANCES, one.ref))
    return found
