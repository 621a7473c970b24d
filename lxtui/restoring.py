"""What restoring a snapshot would lose.

Role: documents of the instance, of the snapshot and of its pool → lines for a person, and why it
cannot be. Boundary: pure; what daemons answer may have any shape. Threading: values.

Source: doc/howto/storage_backup_volume.md of LXD ("Restore an instance snapshot") and
doc/reference/storage_zfs.md (zfs.remove_snapshots: a dataset goes back past no later snapshot).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxtui.commands import RestoreSnapshot
from lxtui.editing.documents import changes, difference, of_instance, shown
from lxtui.format import age, plain, timestamp
from lxtui.model import Instance, Snapshot

_TRUE = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Loss:
    """What a person should see before saying yes."""

    lines: tuple[str, ...]
    difference: tuple[str, ...]
    """Of the configuration, from now to then; a unified diff."""
    changed: tuple[str, ...]
    """The keys and devices in it."""
    later: tuple[str, ...]
    """Snapshots that were taken after it."""
    later_go: bool
    """Whether they go with it."""
    blocker: str = ""
    """Why it cannot be restored as things are."""


def restoring(instance: Instance, name: str, *, stateless: bool = False) -> RestoreSnapshot:
    """The command; with the running state where the snapshot has it, unless *stateless*."""
    saved = any(one.name == name and one.stateful for one in instance.snapshots)
    return RestoreSnapshot(instance.ref, name, saved and not stateless)


def loss(
    instance: Instance,
    name: str,
    document: Any,
    snapshot: Any,
    pool: Any,
    volume: Any,
    now: datetime,
    *,
    stateless: bool = False,
) -> Loss:
    """Of restoring the snapshot *name*, without its running state if *stateless*.

    Documents: of the instance, of its snapshot, of the root disk's pool, of its volume there.
    """
    what = of_instance(instance.ref)
    before, after = shown(what, document), shown(what, snapshot)
    taken = _taken(snapshot)
    later = tuple(_later(instance, name, taken))
    zfs = isinstance(pool, Mapping) and pool.get("driver") == "zfs"
    goes = zfs and later != () and _removes(pool, volume)
    blocker = ""
    if zfs and later and not goes:
        blocker = (
            f"zfs goes back past no later snapshot: delete {', '.join(later)} first, or set "
            "zfs.remove_snapshots on the volume or volume.zfs.remove_snapshots on the pool"
        )
    lines = [_when(taken, now)]
    if later:
        fate = "are deleted with it" if goes else "stay" if not blocker else "are in the way"
        lines.append(f"later snapshots {fate}: {', '.join(later)}")
    lines.append(_state(instance, snapshot, stateless=stateless))
    changed = changes(before, after)
    lines.append(
        f"configuration that goes back: {', '.join(changed)}"
        if changed
        else "its configuration is the same as then"
    )
    return Loss(
        tuple(map(plain, lines)),
        tuple(difference(before, after)) if changed else (),
        changed,
        later,
        goes,
        plain(blocker),
    )


def _taken(snapshot: Any) -> datetime | None:
    found = snapshot.get("created_at") if isinstance(snapshot, Mapping) else None
    return timestamp(str(found or ""))


def _when(taken: datetime | None, now: datetime) -> str:
    if taken is None:
        return "what was written since then is lost"
    local = taken.astimezone().strftime("%Y-%m-%d %H:%M")
    return f"what was written since {local}, {age(taken, now)} ago, is lost"


def _later(instance: Instance, name: str, taken: datetime | None) -> Iterator[str]:
    """By their times; where one is not known, by their order in the list."""
    past = False
    for one in instance.snapshots:
        if one.name == name:
            past = True
        elif _is_later(one, taken, past=past):
            yield one.name


def _is_later(one: Snapshot, taken: datetime | None, *, past: bool) -> bool:
    if taken is None or one.created_at is None:
        return past
    return one.created_at > taken


def _state(instance: Instance, snapshot: Any, *, stateless: bool) -> str:
    stateful = isinstance(snapshot, Mapping) and snapshot.get("stateful") is True
    if stateful and not stateless:
        return "it has its running state: processes go on where they were then"
    if instance.stopped:
        return "the instance is stopped and stays so"
    return "the instance runs: it is stopped, put back and started again; its processes are lost"


def _removes(pool: Mapping[str, Any], volume: Any) -> bool:
    """Whether later snapshots go by themselves: the volume's word, else the pool's."""
    own = volume.get("config") if isinstance(volume, Mapping) else None
    general = pool.get("config")
    said = own.get("zfs.remove_snapshots") if isinstance(own, Mapping) else None
    if not said and isinstance(general, Mapping):
        said = general.get("volume.zfs.remove_snapshots")
    return str(said).lower() in _TRUE
