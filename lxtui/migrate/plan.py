"""A move as a list of steps, before any of them is taken.

Role: facts → plan: what is asked of the target, what must be true of it afterwards, which steps in
which order. Boundary: pure. Threading: functions of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from lxtui.commands import STOP_SECONDS
from lxtui.migrate import MARK
from lxtui.migrate.preflight import Finding, Level, MoveFacts, check, target_devices
from lxtui.model import Devices, Instance, InstanceSpec, Ref

_NEEDED_EXTENSIONS = {"volatile.uuid.generation": "instance_generation_id"}
"""Keys that a daemon puts into snapshots by itself, where no API call changes them, and the API
extension with which another daemon accepts them."""

_KEPT_VOLATILE = frozenset(
    {
        "volatile.base_image",
        "volatile.uuid",
        # Without it cloud-init takes the moved instance for a new one and makes new host keys.
        "volatile.cloud-init.instance-id",
    }
)


class StepKind(StrEnum):
    """The steps of a cold move, in their order."""

    STOP = "stop"
    COPY = "copy"
    VERIFY = "verify"
    START = "start"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does and how it is undone."""

    kind: StepKind
    text: str
    undo: str


@dataclass(frozen=True, slots=True)
class Route:
    """How the copy goes: the target pulls, or it is relayed through this machine, and why."""

    relayed: bool = False
    reason: str = ""
    dropped: frozenset[str] = frozenset()
    """Keys taken out of the snapshots' configuration on the way."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move that could be made, or the blockers that forbid it."""

    source: Ref
    destination: Ref
    spec: InstanceSpec
    devices: Devices
    """What it should have at the target, those of the target's profiles included."""
    snapshots: tuple[str, ...]
    was_running: bool
    stop_seconds: int
    """How long the source may take to stop by itself."""
    token: str
    route: Route
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(one for one in self.findings if one.level is Level.BLOCKER)


def plan_move(facts: MoveFacts, token: str) -> MovePlan:
    """The plan of a cold move; *token* marks the target as made by it."""
    instance, destination = facts.instance, facts.destination
    return MovePlan(
        source=instance.ref,
        destination=destination,
        spec=InstanceSpec(
            ref=destination,
            type=instance.type,
            architecture=instance.architecture,
            ephemeral=instance.ephemeral,
            description=instance.description,
            profiles=instance.profiles,
            config=MappingProxyType({**portable(instance.config), MARK: token}),
            devices=instance.devices,
        ),
        devices=target_devices(facts),
        snapshots=tuple(one.name for one in instance.snapshots),
        was_running=instance.running,
        stop_seconds=_stop_seconds(instance),
        token=token,
        route=route(facts),
        steps=_steps(facts),
        findings=check(facts),
    )


def route(facts: MoveFacts) -> Route:
    """Pull where the hosts can do it among themselves; else through this machine."""
    target = facts.target
    dropped = frozenset(
        key
        for key, extension in _NEEDED_EXTENSIONS.items()
        if extension not in target.api_extensions
        and any(key in snapshot.config for snapshot in facts.instance.snapshots)
    )
    if dropped:
        keys = ", ".join(sorted(dropped))
        reason = f"its snapshots hold {keys}, which {target.kind} {target.version} refuses"
        return Route(relayed=True, reason=reason, dropped=dropped)
    if not facts.source.addresses:
        return Route(relayed=True, reason=f"{facts.source.name} does not listen on the network")
    return Route()


def portable(config: Mapping[str, str]) -> dict[str, str]:
    """The configuration that goes along.

    Volatile keys describe the old host, except those that are the instance's identity: its MAC
    addresses (the DHCP lease follows them), its UUID and what cloud-init remembers it by.
    """
    return {
        key: value
        for key, value in config.items()
        if key != MARK
        and (
            not key.startswith("volatile.")
            or key in _KEPT_VOLATILE
            or (key.endswith(".hwaddr") and ".last_state." not in key)
        )
    }


def differences(plan: MovePlan, arrived: Instance) -> tuple[str, ...]:
    """What of the arrived instance is not as planned; empty when all is well."""
    spec = plan.spec
    found = [
        _difference("type", spec.type, arrived.type),
        _difference("architecture", spec.architecture, arrived.architecture),
        _difference("ephemeral", spec.ephemeral, arrived.ephemeral),
        _difference("profiles", spec.profiles, arrived.profiles),
        _key_difference("configuration", _fixed(spec.config), _fixed(arrived.config)),
        # Expanded: Incus writes a root disk that came from a profile into the instance itself.
        _key_difference("devices", _plain(plan.devices), _plain(arrived.expanded_devices)),
        _difference(
            "snapshots", sorted(plan.snapshots), sorted(one.name for one in arrived.snapshots)
        ),
    ]
    return tuple(one for one in found if one)


def _steps(facts: MoveFacts) -> tuple[Step, ...]:
    instance, destination = facts.instance, facts.destination
    snapshots = len(instance.snapshots)
    along = f" with {snapshots} snapshot{'s' if snapshots != 1 else ''}" if snapshots else ""
    way = route(facts)
    copy = f"{facts.target.name} pulls {instance.ref.name}{along} from {facts.source.name}"
    if way.relayed:
        copy = (
            f"{instance.ref.name}{along} is copied from {facts.source.name} to "
            f"{facts.target.name} through this machine, because {way.reason}"
        )
    steps = [
        Step(
            StepKind.COPY,
            copy,
            f"{destination} is deleted",
        ),
        Step(
            StepKind.VERIFY,
            "configuration, devices, profiles and snapshots of the copy are compared",
            "",
        ),
        Step(StepKind.DELETE, f"{instance.ref} is deleted", ""),
    ]
    if instance.running:
        stop = Step(StepKind.STOP, f"{instance.ref} is stopped", f"{instance.ref} is started again")
        start = Step(
            StepKind.START, f"{destination} is started and runs", f"{destination} is stopped"
        )
        steps = [stop, *steps[:2], start, steps[2]]
    return tuple(steps)


def _stop_seconds(instance: Instance) -> int:
    """The instance's own time to shut down, where it has one."""
    own = instance.expanded_config.get("boot.host_shutdown_timeout", "")
    return int(own) if own.isdecimal() else STOP_SECONDS


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
