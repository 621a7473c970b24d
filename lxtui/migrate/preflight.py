"""Everything that could make a move fail, found before anything is touched.

Role: facts about both hosts → findings. Boundary: pure; the facts are gathered by mover.gather.
Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lxtui.commands import CLI
from lxtui.migrate import MARK
from lxtui.migrate.options import MoveOptions
from lxtui.model import Devices, Host, Instance, Placement, Ref

_HOST_BOUND = frozenset(
    {"unix-char", "unix-block", "unix-hotplug", "usb", "gpu", "pci", "infiniband", "tpm"}
)


class Level(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    BLOCKER = "blocker"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and what to do about it."""

    level: Level
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What is known about both ends."""

    instance: Instance
    source: Host
    target: Host
    placement: Placement
    options: MoveOptions = field(default_factory=MoveOptions)

    @property
    def destination(self) -> Ref:
        """What the instance will be called."""
        here = self.instance.ref
        asked = self.options
        return Ref(self.target.name, asked.project or here.project, asked.name or here.name)

    @property
    def kept_as(self) -> Ref:
        """What a source that is kept will be called."""
        return kept_name(self.instance.ref)


def kept_name(ref: Ref) -> Ref:
    """The name of a source that is kept: a host name, so at most 63 characters."""
    ending = "-moved"
    return ref._replace(name=ref.name[: 63 - len(ending)] + ending)


def own_devices(facts: MoveFacts) -> Devices:
    """The instance's own devices, its root disk in the pool that was asked for."""
    devices = dict(facts.instance.devices)
    if facts.options.pool:
        inherited = target_devices_of(facts, devices)
        name = next((name for name, one in inherited.items() if _is_root(one)), "root")
        before = inherited.get(name, {"type": "disk", "path": "/"})
        devices[name] = {**before, "pool": facts.options.pool}
    return devices


def check(facts: MoveFacts) -> tuple[Finding, ...]:
    """All findings, blockers first."""
    findings = [
        *_instance(facts),
        *_connection(facts),
        *_place(facts),
        *_devices(facts),
    ]
    return tuple(sorted(findings, key=lambda one: one.level is not Level.BLOCKER))


def target_devices(facts: MoveFacts) -> Devices:
    """The devices that the instance will have: the target's profiles, then its own."""
    return target_devices_of(facts, own_devices(facts))


def target_devices_of(facts: MoveFacts, own: Devices) -> Devices:
    """The same for other devices of its own."""
    merged: dict[str, Mapping[str, str]] = {}
    for profile in facts.instance.profiles:
        merged |= facts.placement.profiles.get(profile, {})
    return merged | dict(own)


def _blocker(text: str, remedy: str = "") -> Finding:
    return Finding(Level.BLOCKER, text, remedy)


def _instance(facts: MoveFacts) -> Iterator[Finding]:
    instance, cli = facts.instance, CLI[facts.source.kind]
    if instance.type != "container":
        yield _blocker(
            f"{instance.ref} is a {instance.type.replace('-', ' ')}",
            f"only containers can be moved yet; use '{cli} move'",
        )
    if not (instance.running or instance.stopped):
        yield _blocker(
            f"{instance.ref} is {instance.status.lower() or 'in an unknown state'}",
            "bring it to running or stopped first",
        )
    if MARK in instance.config:
        yield _blocker(
            f"{instance.ref} is being moved already, or a move of it was killed",
            f"when no lxtui moves it: '{instance.ref.command(f'{cli} config unset', f' {MARK}')}'",
        )
    if odd := [one.name for one in instance.snapshots if one.name in {".", ".."}]:
        yield _blocker(
            f"{instance.ref} has a snapshot named {odd[0]!r}, with which a daemon may overwrite "
            f"the snapshots of others",
            "rename or delete it first",
        )
    if instance.ephemeral and not instance.stopped:
        yield _blocker(
            f"{instance.ref} is ephemeral: stopping it would delete it",
            f"make it permanent first ('{instance.ref.command(f'{cli} config edit')}', "
            f"ephemeral: false)",
        )


def _connection(facts: MoveFacts) -> Iterator[Finding]:
    source, target = facts.source, facts.target
    if source.name == target.name:
        yield _blocker(f"{facts.instance.ref} is on {target.name} already", "choose another host")
    if target.architectures and facts.instance.architecture not in target.architectures:
        yield _blocker(
            f"{target.name} cannot run {facts.instance.architecture}",
            f"it runs {', '.join(target.architectures)}",
        )


def _place(facts: MoveFacts) -> Iterator[Finding]:
    target, cli = facts.target, CLI[facts.target.kind]
    taken = facts.instance.ref.name in facts.placement.instance_names
    if taken and target.name != facts.source.name:
        yield _blocker(
            f"{target.name} has an instance named {facts.instance.ref.name} already",
            "rename or remove one of the two first",
        )
    for profile in facts.instance.profiles:
        if profile not in facts.placement.profiles:
            yield _blocker(
                f"{target.name} has no profile {profile!r}",
                f"create it there: '{cli} profile create {target.name}:{profile}'",
            )


def _devices(facts: MoveFacts) -> Iterator[Finding]:
    target, cli = facts.target, CLI[facts.target.kind]
    devices = target_devices(facts)
    roots = [one for one in devices.values() if one.get("type") == "disk" and _is_root(one)]
    if not roots:
        yield _blocker(
            f"on {target.name} neither the profiles nor the instance give it a root disk",
            f"add one: '{cli} profile device add {target.name}:default root disk path=/ pool=POOL'",
        )
    for name, device in devices.items():
        kind = device.get("type", "")
        pool = device.get("pool")
        if kind == "disk" and pool and pool not in facts.placement.pools:
            have = ", ".join(sorted(facts.placement.pools)) or "none"
            yield _blocker(
                f"{target.name} has no storage pool {pool!r}, which device {name!r} needs",
                f"create it there (pools it has: {have})",
            )
        elif kind == "disk" and not _is_root(device) and device.get("source"):
            yield Finding(
                Level.WARNING,
                f"device {name!r} is bound to {device['source']} of the host",
                f"its data stay behind; see that it exists on {target.name}",
            )
        network = device.get("network") or device.get("parent")
        if kind == "nic" and network and network not in facts.placement.networks:
            yield _blocker(
                f"{target.name} has no network {network!r}, which device {name!r} needs",
                f"create it there: '{cli} network create {target.name}:{network}'",
            )
        if kind in _HOST_BOUND:
            yield Finding(
                Level.WARNING,
                f"device {name!r} ({kind}) belongs to the host",
                f"it must exist on {target.name} too",
            )


def _is_root(device: Mapping[str, str]) -> bool:
    return device.get("path") == "/" and not device.get("source")
