"""What may be published, and how.

Role: wishes → a Publish, or why not. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from lxtui.calls.images import Publish
from lxtui.errors import UsageError
from lxtui.format import plain
from lxtui.model import Instance
from lxtui.resources.deeds import alias_trouble

COMPRESSIONS = ("none", "gzip", "bzip2", "lzma", "xz", "zstd")
"""Those that both daemons know; options may follow, as in ``zstd -19``."""


def publishing(
    instance: Instance,
    snapshot: str = "",
    alias: str = "",
    compression: str = "",
    *,
    public: bool = False,
) -> Publish:
    """The command; UsageError says why it cannot be."""
    names = [one.name for one in instance.snapshots]
    if snapshot and snapshot not in names:
        known = ", ".join(map(plain, names)) or "none"
        raise UsageError(f"{instance.ref} has no snapshot {plain(snapshot)!r} (it has: {known})")
    if not snapshot and not instance.stopped:
        raise UsageError(f"{instance.ref} is not stopped: stop it, or publish a snapshot of it")
    if alias and (trouble := alias_trouble(alias)):
        raise UsageError(f"{plain(alias)!r}: {trouble}")
    words = compression.split()
    if words and words[0] not in COMPRESSIONS:
        raise UsageError(f"{plain(compression)!r}: say one of {', '.join(COMPRESSIONS)}")
    return Publish(instance.ref, snapshot, alias, public, compression)
