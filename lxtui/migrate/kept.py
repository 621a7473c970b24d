"""Sources that moves have kept: for how long, and which may be deleted now.

Role: what such an instance and its successor say of themselves → whether it may go, or why not; and
its deletion, after one more look. Nothing here runs by itself. Boundary: backends; shows nothing.
Threading: blocks its caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.errors import ConflictError, LxtuiError, NotFoundError
from lxtui.migrate import KEPT_STATE, KEPT_UNTIL, MARK, MOVED, MOVED_PROJECT
from lxtui.model import Instance, Ref

_OURS = "user.lxtui."
_UUID = "volatile.uuid"


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept source as it is now."""

    ref: Ref
    destination: Ref
    """The instance that it was."""
    until: datetime | None
    """When its time is over; None: never."""
    refusal: str
    """Why ``--clean`` leaves it alone; empty when it may be deleted."""


def state_of(instance: Instance) -> str:
    """A sum over what shows that somebody has used or changed it: 16 hexadecimal digits.

    What the daemon itself keeps (``volatile.``) and our own keys are left out. A file written into
    the stopped instance does not show.
    """
    config = {
        key: value
        for key, value in instance.config.items()
        if not key.startswith(("volatile.", _OURS))
    }
    seen = [
        str(instance.last_used_at),
        config,
        {name: dict(device) for name, device in instance.devices.items()},
        instance.profiles,
        instance.description,
        [(one.name, str(one.created_at)) for one in instance.snapshots],
        sorted(instance.backups),
    ]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


def destination_of(instance: Instance) -> Ref | None:
    """Where a kept source went, by what it says itself; None for anything else."""
    host, colon, name = instance.config.get(MOVED, "").rpartition(":")
    if not (host and colon and name):
        return None
    return Ref(host, instance.config.get(MOVED_PROJECT, "default"), name)


def refusal(instance: Instance, successor: Instance | None, now: datetime) -> str:
    """Why a kept source is not to be deleted; empty when it may be."""
    config = instance.config
    until = text.timestamp(config.get(KEPT_UNTIL, ""))
    if not config.get(KEPT_STATE):
        return "it does not say how it was when it was kept: look at it yourself"
    if MARK in config:
        return "a move of it is at work, or was killed"
    if not instance.stopped:
        return f"it is {instance.status.lower()}"
    if config[KEPT_STATE] != state_of(instance):
        return "it was started or changed since it was kept"
    if successor is None:
        return "the instance that it became is not there"
    if MARK in successor.config:
        return "the instance that it became is being moved"
    if config.get(_UUID) != successor.config.get(_UUID, config.get(_UUID)):
        return "the instance that it became is not there: another one has its name"
    if until is None:
        return "it is kept until somebody deletes it"
    if now < until:
        return "its time is not over"
    return ""


def survey(
    instances: Iterable[Instance], backends: Mapping[str, Backend], now: datetime
) -> list[Kept]:
    """The kept sources among *instances*, each looked at anew; the first to end comes first."""
    found = []
    for one in instances:
        destination = destination_of(one)
        if destination is None:
            continue
        try:
            found.append(_look(one.ref, destination, backends, now))
        except NotFoundError:
            continue  # somebody was quicker
        except LxtuiError as error:
            until = text.timestamp(one.config.get(KEPT_UNTIL, ""))
            found.append(Kept(one.ref, destination, until, str(error)))
    return sorted(found, key=lambda one: (one.until is None, str(one.until), one.ref))


def remove(kept: Kept, backends: Mapping[str, Backend], now: datetime) -> None:
    """Delete a kept source after another look; ConflictError when it must not go any more."""
    again = _look(kept.ref, kept.destination, backends, now)
    if again.refusal:
        raise ConflictError(f"{kept.ref} was left alone: {again.refusal}")
    backend = backends[kept.ref.host]
    backend.wait(backend.delete_instance(kept.ref))


def _look(ref: Ref, destination: Ref, backends: Mapping[str, Backend], now: datetime) -> Kept:
    instance = backends[ref.host].instance(ref)
    until = text.timestamp(instance.config.get(KEPT_UNTIL, ""))
    if destination_of(instance) != destination:
        return Kept(ref, destination, until, "it was changed since")
    if destination.host not in backends:
        why = f"no host is named {destination.host} any more"
        return Kept(ref, destination, until, why)
    try:
        successor = backends[destination.host].instance(destination)
    except NotFoundError:
        successor = None
    return Kept(ref, destination, until, refusal(instance, successor, now))
