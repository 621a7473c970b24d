"""Reading what the preview of a restore needs.

Role: an instance, a snapshot of it, its pool and volume, by one reader → Loss. Boundary: gets a
reader; changes nothing. Threading: waits for the host.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lxtui.editing.documents import of_instance
from lxtui.errors import LxtuiError
from lxtui.limits import root_pool
from lxtui.limits_read import Read
from lxtui.model import Instance
from lxtui.restoring import Loss, loss


def read_loss(
    instance: Instance, name: str, read: Read, now: datetime, *, stateless: bool = False
) -> Loss:
    """What restoring the snapshot would lose; LxtuiError when it cannot be read.

    A pool that may not be read is as one of a driver that keeps later snapshots.
    """
    what = of_instance(instance.ref)
    document = read(what.path, what.parameters).value
    snapshot = read((*what.path, "snapshots", name), what.parameters).value

    def tolerated(*path: str) -> Any:
        try:
            return read(path, what.parameters).value
        except LxtuiError:
            return None

    pool = root_pool(document)
    found = tolerated("storage-pools", pool) if pool else None
    kind = "virtual-machine" if instance.type == "virtual-machine" else "container"
    volume = None
    if isinstance(found, dict) and found.get("driver") == "zfs":
        volume = tolerated("storage-pools", pool, "volumes", kind, instance.ref.name)
    return loss(instance, name, document, snapshot, found, volume, now, stateless=stateless)
