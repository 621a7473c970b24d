"""Copies of several instances at once, named by a pattern.

Role: instances, a pattern and a target → a Bulk of copies. Boundary: pure; what hinders a single
copy is found when it is made, as for one. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from lxtui.actions import BY_ID, Selection
from lxtui.bulk import Bulk
from lxtui.commands import Many, Move
from lxtui.errors import READ_ONLY
from lxtui.migrate.options import MoveOptions
from lxtui.model import Host, Instance, Ref
from lxtui.names import instance_name_trouble

NAME = "*"
"""In a pattern: the instance's own name."""


def pattern_trouble(pattern: str) -> str:
    """Why names cannot be made by it; empty when they can."""
    if pattern.count(NAME) != 1:
        return f"write {NAME} once: it stands for the instance's own name"
    return instance_name_trouble(pattern.replace(NAME, "a"))


def plan(
    pattern: str,
    target: str,
    marked: Sequence[Instance],
    hosts: Callable[[str], Host | None],
    known: Iterable[Ref],
    gone: Collection[Ref] = (),
    options: MoveOptions | None = None,
) -> Bulk:
    """The copies of these on *target*, or each on its own host where that is empty.

    *known* are the instances that there are: no name is taken twice.
    """
    action, wishes = BY_ID["copy"], options or MoveOptions()
    left_out = dict.fromkeys(sorted(gone), "it is no longer there")
    taken, commands, lines = set(known), list[Move](), list[str]()
    for one in marked:
        ref = one.ref
        host, there = hosts(ref.host), hosts(target or ref.host)
        name = pattern.replace(NAME, ref.name)
        copy = Ref(target or ref.host, wishes.project or ref.project, name)
        reason = (
            action.why_not(Selection(host, one))
            or _closed(copy.host, there)
            or instance_name_trouble(name)
            or (f"there is an instance {copy} already" if copy in taken else "")
        )
        if reason or host is None:
            left_out[ref] = reason or f"there is no host {ref.host}"
            continue
        taken.add(copy)
        same = name == ref.name
        move = Move(ref, copy.host, replace(wishes, copy=True, name="" if same else name))
        commands.append(move)
        lines.append(f"{ref}  {move.equivalent(host.kind)}")
    many = Many(tuple(commands), f"copy {len(commands)} instances")
    return Bulk(action, many, tuple(lines), left_out)


def _closed(name: str, host: Host | None) -> str:
    if host is None:
        return f"there is no host {name}"
    if host.read_only:
        return f"{host.name} {READ_ONLY}"
    return "" if host.online else f"{host.name} does not answer"
