"""Old snapshots of several instances.

Role: instances and what was asked for → a Bulk of deletions. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from lxtui.actions import BY_ID, Selection
from lxtui.bulk import Bulk
from lxtui.commands import DeleteSnapshot, Many
from lxtui.model import Host, Instance, Ref, Snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which snapshots of an instance."""

    names: str = "*"
    """As a shell matches them."""
    older_than: timedelta | None = None
    keep: int = 0
    """So many of those that are meant stay, the latest."""

    def chosen(self, snapshots: Iterable[Snapshot], now: datetime) -> list[Snapshot]:
        """Those of *snapshots*, the oldest first; one of unknown age is not older than anything."""
        named = [one for one in snapshots if fnmatchcase(one.name, self.names)]
        named.sort(key=lambda one: (one.created_at or now, one.name))
        named = named[: len(named) - self.keep] if self.keep else named
        if self.older_than is None:
            return named
        limit = now - self.older_than
        return [one for one in named if one.created_at is not None and one.created_at < limit]


def plan(
    wanted: Wanted,
    instances: Iterable[Instance],
    hosts: Callable[[str], Host | None],
    now: datetime,
) -> Bulk:
    """What would be deleted; instances of which nothing would be are not named."""
    action = BY_ID["delete-snapshot"]
    commands: list[DeleteSnapshot] = []
    lines: list[str] = []
    left_out: dict[Ref, str] = {}
    for one in instances:
        chosen, host = wanted.chosen(one.snapshots, now), hosts(one.ref.host)
        if not chosen:
            continue
        reason = action.why_not(Selection(host, one))
        if reason or host is None:
            left_out[one.ref] = reason or f"there is no host {one.ref.host}"
            continue
        for snapshot in chosen:
            command = DeleteSnapshot(one.ref, snapshot.name)
            commands.append(command)
            taken = f"{snapshot.created_at:%Y-%m-%d %H:%M}" if snapshot.created_at else "?"
            lines.append(f"{one.ref}  {taken}  {command.equivalent(host.kind)}")
    many = Many(tuple(commands), f"delete {len(commands)} snapshots")
    return Bulk(action, many, tuple(lines), left_out, noun="snapshot")
