"""What of a copy is not as planned, and what of a source has become another.

Role: plan + an instance as it is now → differences, named without their values. Boundary: pure.
Threading: functions of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxtui.migrate import AUTOSTART, MARK
from lxtui.migrate.facts import without_addresses
from lxtui.migrate.plan import MovePlan
from lxtui.model import Devices, Instance


def differences(plan: MovePlan, arrived: Instance) -> tuple[str, ...]:
    """What of the arrived instance is not as planned; empty when all is well."""
    spec = plan.spec
    found = [
        _difference("type", spec.type, arrived.type),
        _difference("architecture", spec.architecture, arrived.architecture),
        _difference("ephemeral", spec.ephemeral, arrived.ephemeral),
        _difference("profiles", spec.profiles, arrived.profiles),
        _difference("member", spec.member, arrived.location) if spec.member else "",
        _key_difference("configuration", _fixed(spec.config), _fixed(arrived.config)),
        # Expanded: Incus writes a root disk that came from a profile into the instance itself.
        _key_difference("devices", _plain(plan.devices), _plain(arrived.expanded_devices)),
        _difference(
            "snapshots", sorted(plan.snapshots), sorted(one.name for one in arrived.snapshots)
        ),
    ]
    return tuple(one for one in found if one)


def changed(plan: MovePlan, now: Instance) -> tuple[str, ...]:
    """What of the source has become another since the plan was made; empty when nothing has."""
    then = plan.original
    names = sorted(one.name for one in now.snapshots)
    kept = _without_addresses if plan.exchange else _plain  # the copy may have them already
    same = plan.options.instance_only or names == sorted(plan.snapshots)
    seen = [
        _key_difference("configuration", _awake(then.config), _awake(now.config)),
        _key_difference("devices", kept(then.devices), kept(now.devices)),
        _difference("profiles", then.profiles, now.profiles),
        "" if same else "snapshots",
    ]
    return tuple(one for one in seen if one)


def _without_addresses(devices: Devices) -> dict[str, dict[str, str]]:
    return _plain(without_addresses(devices))


def _awake(config: Mapping[str, str]) -> dict[str, str]:
    """Without what a move itself changes in its source."""
    return {key: one for key, one in _fixed(config).items() if key not in {MARK, AUTOSTART}}


def _fixed(config: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in config.items() if not key.startswith("volatile.")}


def _plain(devices: Devices) -> dict[str, dict[str, str]]:
    return {name: dict(device) for name, device in devices.items()}


def _key_difference(what: str, planned: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The names that differ, without their values: those may be secrets."""
    names = sorted(
        key for key in planned.keys() | found.keys() if planned.get(key) != found.get(key)
    )
    return f"{what}: {', '.join(names)}" if names else ""


def _difference(what: str, planned: object, found: object) -> str:
    return "" if planned == found else f"{what}: planned {planned!r}, found {found!r}"
