"""One action on many instances: what would be done to each, and who is left out.

Role: the marked instances and an action of the table → a Bulk that a person can look at. The same
reasons count as for one instance. Boundary: pure. Threading: values and functions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lxtui.actions import Action, Ask, Selection
from lxtui.commands import CreateSnapshot, Many, RestoreSnapshot, Single
from lxtui.model import Host, Instance, Ref
from lxtui.restoring import restoring

IRREVERSIBLE = frozenset({"delete", "delete-snapshot", "entry-delete", "restore"})
"""Actions whose confirmation is typed when they are on many."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """An action with all that it means."""

    action: Action
    command: Many
    lines: tuple[str, ...]
    """One for each command: the instance, and the equivalent command line."""
    left_out: Mapping[Ref, str]
    """Why nothing is done to these."""
    warnings: tuple[str, ...] = ()
    noun: str = "instance"
    """What one of them is."""

    @property
    def typed(self) -> str:
        """What has to be typed to agree; empty where a key is enough."""
        return str(len(self.command.commands)) if self.action.id in IRREVERSIBLE else ""

    @property
    def question(self) -> str:
        """What is asked."""
        count = len(self.command.commands)
        left = f" {len(self.left_out)} left out." if self.left_out else ""
        return f"{self.action.label} {count} {self.noun}{'s' if count != 1 else ''}?{left}"


def plan(
    action: Action,
    marked: Iterable[Instance],
    hosts: Callable[[str], Host | None],
    gone: Collection[Ref] = (),
    answer: str = "",
) -> Bulk:
    """What *action* would do to each of these; *gone* are marked, but no longer there.

    *answer* is what was asked for once, for all: the name of a snapshot.
    """
    left_out = dict.fromkeys(sorted(gone), "it is no longer there")
    commands: list[Single] = []
    lines: list[str] = []
    warnings: list[str] = []
    for one in marked:
        host = hosts(one.ref.host)
        selection = Selection(host, one)
        reason = action.why_not(selection) or _snapshot_trouble(action, one, answer)
        if reason or action.build is None or host is None:
            left_out[one.ref] = reason or f"there is no host {one.ref.host}"
            continue
        command = action.build(one.ref, answer)
        if isinstance(command, RestoreSnapshot):
            command = restoring(one, command.name)
        if not isinstance(command, Single):
            raise TypeError(f"{action.id} is made for many by itself")
        commands.append(command)
        lines.append(f"{one.ref}  {command.equivalent(host.kind)}")
        if warning := action.warning(selection):
            warnings.append(f"{one.ref}: {warning}")
    many = Many(tuple(commands), f"{action.label.lower()} {len(commands)} instances")
    return Bulk(action, many, tuple(lines), left_out, tuple(warnings))


def common_snapshots(marked: Sequence[Instance]) -> list[tuple[str, int]]:
    """Every snapshot's name, with how many of these have it; the latest first."""
    latest: dict[str, tuple[float, int]] = {}
    for one in marked:
        for snapshot in one.snapshots:
            moment = snapshot.created_at.timestamp() if snapshot.created_at else 0.0
            before, count = latest.get(snapshot.name, (0.0, 0))
            latest[snapshot.name] = (max(moment, before), count + 1)
    ordered = sorted(latest, key=lambda name: (-latest[name][0], name))
    return [(name, latest[name][1]) for name in ordered]


def _snapshot_trouble(action: Action, one: Instance, name: str) -> str:
    taken = any(snapshot.name == name for snapshot in one.snapshots)
    if action.ask is Ask.SNAPSHOT and not taken:
        return f"{one.ref} has no snapshot {name!r}"
    if action.build is CreateSnapshot and taken:
        return f"{one.ref} has a snapshot {name!r} already"
    return ""
