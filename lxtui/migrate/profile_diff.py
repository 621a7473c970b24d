"""How two profiles of one name differ, without what may be secret.

Role: a part of preflight. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lxtui.migrate import MARK
from lxtui.model import Profile

_SHOWN = 4
"""Differences that are named one by one."""
_OPEN_PREFIXES = ("limits.", "boot.", "security.", "snapshots.")
_OPEN_PROPERTIES = frozenset(
    {"type", "pool", "network", "parent", "nictype", "path", "size", "name", "mtu", "vlan"}
)
"""What is shown with its values; any other may hold a secret (user data, environments, keys)."""


def difference(here: Profile, there: Profile) -> str:
    """What differs between two profiles of one name, in a line; empty when nothing does."""
    found = list(_differences(here, there))
    shown = ", ".join(islice(found, _SHOWN))
    more = len(found) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _differences(here: Profile, there: Profile) -> Iterator[str]:
    for key in sorted(here.config.keys() | there.config.keys()):
        old, new = here.config.get(key), there.config.get(key)
        if old != new and key != MARK:
            yield _change(key, old, new, shown=key.startswith(_OPEN_PREFIXES))
    for name in sorted(here.devices.keys() | there.devices.keys()):
        mine, theirs = here.devices.get(name), there.devices.get(name)
        if mine is None or theirs is None:
            yield f"{'+' if mine is None else '-'}device {name}"
            continue
        for key in sorted(mine.keys() | theirs.keys()):
            old, new = mine.get(key), theirs.get(key)
            if old != new:
                yield _change(f"{name}.{key}", old, new, shown=key in _OPEN_PROPERTIES)


def _change(what: str, old: str | None, new: str | None, *, shown: bool) -> str:
    if old is None:
        return f"+{what} {new}" if shown else f"+{what}"
    if new is None:
        return f"-{what}"
    return f"{what} {old} → {new}" if shown else f"{what} (another value)"
