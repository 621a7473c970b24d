"""Where each setting of an instance comes from.

Role: what the instance sets and what its profiles set → each effective key with its origin and what
it overrides. Boundary: pure. Threading: functions.

Source: doc/profiles.md of LXD and Incus: profiles apply in their order, the last one wins, and the
instance wins over all; a device is taken whole, never merged with one of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

INSTANCE = "instance"
"""The origin of what the instance sets itself."""
UNKNOWN = ""
"""The origin of what nobody who could be asked has set."""
VOLATILE = "volatile."
"""The daemon's own notes begin with this."""

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|credential|private|(?:api|access|auth)[-_.]?key", re.IGNORECASE
)
_DOCUMENT = re.compile(r"^(?:cloud-init|user)\.(?:user-data|vendor-data|meta-data)$")
"""Documents of cloud-init: they hold passwords and keys more often than not."""
_SECRET_VALUE = re.compile(r"://[^/\s:@]*:[^/\s@]+@|PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One effective key."""

    key: str
    value: T
    origin: str
    """``instance``, or the profile's name; empty where it is not known."""
    overrides: tuple[tuple[str, T], ...] = ()
    """Profiles that set it otherwise or alike and lost, the strongest first."""


def layered(
    effective: Mapping[str, T],
    own: Mapping[str, T],
    profiles: Sequence[tuple[str, Mapping[str, T] | None]],
) -> tuple[Setting[T], ...]:
    """Every effective key by name; *profiles* in the instance's order, None for an unreadable one.

    An origin whose value is not the effective one is not believed: the daemon has changed between
    two looks, or a profile that could not be read has set it.
    """
    layers = [(name, values) for name, values in profiles if values is not None]
    layers.append((INSTANCE, own))
    found = []
    for key in sorted(effective):
        setters = [(name, values[key]) for name, values in reversed(layers) if key in values]
        value = effective[key]
        if setters and setters[0][1] == value:
            found.append(Setting(key, value, setters[0][0], tuple(setters[1:])))
        else:
            found.append(Setting(key, value, UNKNOWN))
    return tuple(found)


def looks_secret(key: str, value: str) -> bool:
    """Whether a value should not be seen by who looks over a shoulder, by its key or its text."""
    if _DOCUMENT.match(key) or _SECRET_VALUE.search(value):
        return True
    return bool(_SECRET_KEY.search(key)) and value not in {"", "true", "false"}
