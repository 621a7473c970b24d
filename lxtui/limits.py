"""An instance's limits: what it has itself, what its profiles give it, what a form makes of them.

Role: documents of the instance and of its profiles → settings; wishes → an edited document.
Boundary: pure; what daemons answer may have any shape. Threading: values.

Source: doc/reference/instance_options.md (limits.*), devices_disk.md (size), devices_nic.md
(limits.ingress, limits.egress) of LXD 5.0 and of Incus 6.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxtui.editing.documents import Editable, Json, of_profile, shown
from lxtui.errors import UsageError
from lxtui.format import limit_bytes, plain
from lxtui.model import Devices

_RANGES = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_SHARE = re.compile(r"(100|[1-9]\d?)%")
_TIME = re.compile(r"[1-9]\d*ms/[1-9]\d*ms")
_UNLIMITED = {"macvlan", "sriov", "physical", "ipvlan"}
"""Kinds of network cards that have no limits."""
_RATE = re.compile(r"[1-9]\d*([kMGTPE]?bit|[KMGTPE]i?bit)?")


def _cpu(value: str) -> str:
    if value == "0" or not _RANGES.fullmatch(value):
        return "write a number of CPUs (2) or which (0-3,6)"
    for one in value.split(","):
        low, dash, high = one.partition("-")
        if dash and int(low) > int(high):
            return f"{one} goes backwards"
    return ""


def _allowance(value: str) -> str:
    well = _SHARE.fullmatch(value) or _TIME.fullmatch(value)
    return "" if well else "write a share (50%), or time in time (25ms/100ms)"


def _bytes(value: str) -> str:
    return "" if limit_bytes(value, None) else "write a size, such as 512MiB or 10GiB"


def _memory(value: str) -> str:
    return "" if _SHARE.fullmatch(value) else _bytes(value)


def _swap(value: str) -> str:
    return "" if value in {"true", "false"} else "write true or false"


def _enforce(value: str) -> str:
    return "" if value in {"hard", "soft"} else "write hard or soft"


def _count(value: str) -> str:
    return "" if value.isdecimal() and int(value) else "write a number"


def _rate(value: str) -> str:
    return "" if _RATE.fullmatch(value) else "write bits a second, such as 100Mbit"


@dataclass(frozen=True, slots=True)
class Field:
    """One limit."""

    id: str
    label: str
    key: str
    """Of the configuration, or of the device."""
    help: str
    trouble: Callable[[str], str]
    """Why it cannot be that; empty when it can."""
    device: str = ""
    """``disk`` for the root disk, ``nic`` for the first network card."""


FIELDS = (
    Field("cpu", "CPUs", "limits.cpu", "how many, or which: 2, 0-3,6", _cpu),
    Field("allowance", "CPU time", "limits.cpu.allowance", "50%, 25ms/100ms", _allowance),
    Field("memory", "memory", "limits.memory", "512MiB, 2GiB, 25%", _memory),
    Field("swap", "swap", "limits.memory.swap", "whether it may swap: true, false", _swap),
    Field("enforce", "enforce", "limits.memory.enforce", "hard, soft: may borrow", _enforce),
    Field("processes", "processes", "limits.processes", "how many", _count),
    Field("disk", "root disk", "size", "10GiB", _bytes, "disk"),
    Field("ingress", "net in", "limits.ingress", "bits a second: 100Mbit", _rate, "nic"),
    Field("egress", "net out", "limits.egress", "bits a second: 100Mbit", _rate, "nic"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One limit of one instance."""

    field: Field
    own: str = ""
    """What the instance itself has; empty: nothing."""
    inherited: str = ""
    profile: str = ""
    """Which gives it that; the last one that does."""
    device: str = ""
    note: str = ""
    """What one should know before setting it."""
    unavailable: str = ""
    """Why it cannot be set; empty when it can."""

    @property
    def effective(self) -> str:
        """What counts."""
        return self.own or self.inherited


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one instance, as they were read."""

    what: Editable
    before: Json
    """What can be edited of the instance."""
    inherited: Devices
    settings: tuple[Setting, ...]

    def changed(self, wishes: Mapping[str, str]) -> Json:
        """The document with *wishes*, by the fields' ids; an empty one leaves it to the profiles.

        UsageError names the first that cannot be.
        """
        after: Json = {
            **self.before,
            "config": dict(self.before["config"]),
            "devices": {name: dict(one) for name, one in self.before["devices"].items()},
        }
        for setting in self.settings:
            value = wishes.get(setting.field.id, setting.own).strip()
            if value == setting.own:
                continue
            if trouble := self._trouble(setting, value):
                raise UsageError(f"{setting.field.label}: {plain(value)!r}: {trouble}")
            if not setting.field.device:
                _put(after["config"], setting.field.key, value)
            else:
                self._put_device(after["devices"], setting, value)
        return after

    def _trouble(self, setting: Setting, value: str) -> str:
        if setting.unavailable:
            return setting.unavailable
        return setting.field.trouble(value) if value else ""

    def _put_device(self, devices: dict[str, dict[str, str]], setting: Setting, value: str) -> None:
        name, key = setting.device, setting.field.key
        origin = self.inherited.get(name, {})
        device = devices.setdefault(name, dict(origin))
        if value or key not in origin:
            _put(device, key, value)
        else:
            device[key] = origin[key]
        if device == dict(origin):  # nothing of its own is left
            del devices[name]


def limits_of(
    what: Editable, document: Any, profiles: Sequence[tuple[str, Any]], driver: str = ""
) -> Limits:
    """Of an instance's document, and those of its profiles in their order; ``None``: not known.

    *driver* is that of the root disk's pool, where it is known.
    """
    before = shown(what, document)
    known = [(name, shown(of_profile("", "", name), one)) for name, one in profiles]
    inherited: dict[str, Mapping[str, str]] = {}
    for _, profile in known:
        inherited |= profile["devices"]
    every = {**inherited, **before["devices"]}
    settings = tuple(_setting(field, before, known, every, driver) for field in FIELDS)
    return Limits(what, before, inherited, settings)


def root_pool(document: Any) -> str:
    """The pool of the root disk; empty when it is not known."""
    found = document.get("expanded_devices") if isinstance(document, Mapping) else None
    devices = shown(of_profile("", "", ""), {"devices": found})["devices"]
    name = _device("disk", devices)
    pool: str = devices[name].get("pool", "") if name else ""
    return pool


def _setting(
    field: Field,
    before: Json,
    profiles: Sequence[tuple[str, Json]],
    devices: Mapping[str, Mapping[str, str]],
    driver: str,
) -> Setting:
    if not field.device:
        configs = [(name, one["config"]) for name, one in profiles]
        given = [(name, one[field.key]) for name, one in configs if field.key in one]
        profile, inherited = given[-1] if given else ("", "")
        return Setting(field, before["config"].get(field.key, ""), inherited, profile)
    name = _device(field.device, devices)
    if not name:
        kind = {"disk": "root disk", "nic": "network card"}[field.device]
        return Setting(field, unavailable=f"it has no {kind}")
    if field.device == "nic" and (reason := _fixed(devices[name])):
        return Setting(field, device=name, unavailable=reason)
    makers = [(one, two["devices"][name]) for one, two in profiles if name in two["devices"]]
    profile, origin = makers[-1] if makers else ("", {})
    inherited = origin.get(field.key, "")
    own = before["devices"].get(name, {}).get(field.key, "")
    if own == inherited:  # an override repeats what it does not change
        own = ""
    note = ""
    if field.device == "disk" and driver == "dir":
        note = "pool of driver dir: counts only with project quotas on its file system"
    return Setting(field, own, inherited, profile if inherited else "", name, note)


def _fixed(card: Mapping[str, str]) -> str:
    """Why neither direction of a network card can be limited; empty when both can."""
    kind, both = card.get("nictype", ""), card.get("limits.max", "")
    if kind in _UNLIMITED:
        return f"a card of kind {kind} has no limits"
    return f"limits.max of the card, {plain(both)}, counts for both ways: unset it" if both else ""


def _device(kind: str, devices: Mapping[str, Mapping[str, str]]) -> str:
    for name, device in sorted(devices.items()):
        if device.get("type") == kind and (kind != "disk" or device.get("path") == "/"):
            return name
    return ""


def _put(mapping: dict[str, str], key: str, value: str) -> None:
    if value:
        mapping[key] = value
    else:
        mapping.pop(key, None)
