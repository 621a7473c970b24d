"""Exports of several instances at once, each into a file of one directory.

Role: instances, a directory and how → a Bulk of exports. Boundary: looks at the local disk, changes
nothing. Threading: functions.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxtui.actions import BY_ID, Selection
from lxtui.bulk import Bulk
from lxtui.calls.backups import COMPRESSIONS, Export
from lxtui.commands import Many
from lxtui.errors import UsageError
from lxtui.model import Host, Instance, Ref


@dataclass(frozen=True, slots=True)
class Wishes:
    """Where to and how; the words are those of Export."""

    folder: Path
    instance_only: bool = False
    optimized: bool = False
    compression: str = ""
    force: bool = False


def plan(
    wishes: Wishes,
    marked: Sequence[Instance],
    hosts: Callable[[str], Host | None],
    gone: Collection[Ref] = (),
) -> Bulk:
    """The exports of these; whose file is there already is left out.

    UsageError when the directory is none.
    """
    if not wishes.folder.is_dir():
        raise UsageError(f"{wishes.folder} is no directory")
    action = BY_ID["export"]
    left_out = dict.fromkeys(sorted(gone), "it is no longer there")
    names = _names([one.ref for one in marked], wishes.compression)
    used = Counter(names.values())
    commands, lines = list[Export](), list[str]()
    for one in marked:
        ref, host = one.ref, hosts(one.ref.host)
        file = wishes.folder / names[ref]
        reason = action.why_not(Selection(host, one))
        if not reason and used[names[ref]] > 1:
            reason = f"another one of these would be {file} too: export it by itself"
        if not reason and not wishes.force and os.path.lexists(file):
            reason = f"{file} is there already"
        if reason or host is None:
            left_out[ref] = reason or f"there is no host {ref.host}"
            continue
        command = Export(
            ref, file, wishes.instance_only, wishes.optimized, wishes.compression, wishes.force
        )
        commands.append(command)
        lines.append(f"{ref}  {command.equivalent(host.kind)}")
    many = Many(tuple(commands), f"export {len(commands)} instances")
    return Bulk(action, many, tuple(lines), left_out)


def _names(refs: Sequence[Ref], compression: str) -> dict[Ref, str]:
    """The file of each: called as the instance, with host and project where several are so called.

    No instance has an underscore in its name, so that a longer one is nobody's short one.
    """
    uses = Counter(ref.name for ref in refs)
    ending = COMPRESSIONS[compression.split(" ", maxsplit=1)[0]]
    found = {}
    for ref in refs:
        project = () if ref.project == "default" else (ref.project,)
        parts = (ref.host, *project, ref.name) if uses[ref.name] > 1 else (ref.name,)
        found[ref] = "_".join(parts).replace(os.sep, "_") + ending
    return found
