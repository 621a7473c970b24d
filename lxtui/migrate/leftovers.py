"""Volumes that a daemon has left of a copy that was given up: known, waited for, removed.

Role: used before a copy begins and after one was ended. Boundary: one backend and the journal.
Threading: blocks its caller.

A copy to LXD 5.0.2 that ends because its source lets go is called over at once, while what
receives it still works on and takes its volume back only then, a fifth of a second later and more
(migrate_instance.go, Do: the control channel's end does not wait for the transfer's). When by then
all has arrived, the volume stays for good: it belongs to no instance, the API deletes no such
volume, and the host refuses every later copy of that name. Incus 6.0.4 waits, and leaves none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError, NotFoundError, NotTrustedError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.ends import remove_marked
from lxtui.migrate.journal import Journal
from lxtui.model import InstanceSpec, Ref

_FREE = "pools free"
"""Note in the journal: the pools in which no volume had the copy's name before the copy began (a
JSON list): one that is in them afterwards without an instance is of the copy."""
_SETTLES = 30.0
"""Seconds after which a daemon that still works on a copy that is over counts as done with it."""
_PAUSE = 0.2
_UNKNOWN = (NotTrustedError, OperationError)
"""What a host answers that does not say whether there is a volume."""


def note_free(journal: Journal, target: Backend, ref: Ref) -> None:
    """Write down, once, in which pools a volume of *ref* could only be of the copy that begins."""
    if _FREE not in journal.record.notes:
        free = [pool for pool in _pools(target) if _has(target, pool, ref) is False]
        journal.note(_FREE, json.dumps(free))


def remove_copy(journal: Journal, target: Backend, ref: Ref) -> None:
    """Remove the partial copy *ref*, if it bears the move's mark, and all that is left of it."""
    remove_marked(target, ref, journal.record.header.token)
    clear(journal, target, ref)


def clear(journal: Journal, target: Backend, ref: Ref) -> None:
    """Wait until the host has taken back the volume of a copy that is over; remove it if it does
    not.

    What was there before the copy is left alone. LxtuiError when the volume stays.
    """
    free = json.loads(journal.record.notes.get(_FREE, "[]"))
    until = time.monotonic() + _SETTLES
    while pool := stranded(target, ref, free):
        if time.monotonic() > until:
            _remove(target, ref, pool, journal.record.header.token)
            break
        time.sleep(_PAUSE)
    else:
        return
    if pool := stranded(target, ref, free):
        raise LxtuiError(
            f"{ref.host} keeps a volume container/{ref.name} in pool {pool} that belongs to no "
            f"instance"
        )


def stranded(target: Backend, ref: Ref, pools: Iterable[str]) -> str:
    """Which of the pools has a volume of *ref* while there is no such instance; empty if none."""
    for pool in pools:
        if _has(target, pool, ref):
            try:
                target.instance(ref)
            except NotFoundError:
                if _has(target, pool, ref):  # its instance may have gone between the two, and it
                    return pool
            else:
                return ""
    return ""


def _has(backend: Backend, pool: str, ref: Ref) -> bool | None:
    """Whether a pool has a volume of *ref*; None when the host does not say."""
    try:
        backend.read(
            ("storage-pools", pool, "volumes", "container", ref.name), {"project": ref.project}
        )
    except NotFoundError:
        return False
    except _UNKNOWN:
        return None
    return True


def _pools(backend: Backend) -> list[str]:
    """The storage pools' names; none for a certificate that may not see them."""
    try:
        listed = backend.read(("storage-pools",), {"recursion": "1"}).value
    except _UNKNOWN:
        return []
    return [str(one["name"]) for one in listed if one.get("status") != "Unavailable"]


def _remove(target: Backend, ref: Ref, pool: str, token: str) -> None:
    """Have the host take the volume for an instance's, and delete that instance.

    An instance that is to be received is in the host's books before its volume is there. The
    channels are held open meanwhile, since what receives waits for them; when it ends it strikes
    that name off the books once more, so its end is waited for.
    """
    root = {"type": "disk", "path": "/", "pool": pool}
    spec = InstanceSpec(
        ref=ref,
        type="container",
        architecture=target.connect().architectures[0],
        ephemeral=False,
        description="",
        profiles=(),
        config={MARK: token},
        devices={"root": root},
    )
    sink = target.receive(spec)
    try:
        with ExitStack() as channels:
            for name in sink.secrets:
                channels.enter_context(target.channel(sink, name))
            remove_marked(target, ref, token)
    finally:
        with suppress(OperationError):  # it fails, having received nothing
            target.wait(sink.operation)
