"""What is known about both ends before a move, and what follows from it.

Role: the input of preflight and plan, gathered by prepare.gather in one pass; findings are its
output. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lxtui.migrate.options import MoveOptions
from lxtui.model import Devices, Host, Instance, Kind, Placement, Pool, Profile, Ref


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
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


def ok(text: str) -> Finding:
    """What was looked at and is well."""
    return Finding(Level.OK, text)


def warning(text: str, remedy: str = "") -> Finding:
    """What does not forbid the move."""
    return Finding(Level.WARNING, text, remedy)


def blocker(text: str, remedy: str = "") -> Finding:
    """What must be mended first."""
    return Finding(Level.BLOCKER, text, remedy)


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What is known about both ends."""

    instance: Instance
    source: Host
    target: Host
    placement: Placement
    options: MoveOptions = field(default_factory=MoveOptions)
    origin: Placement = field(default_factory=Placement)
    """What the instance has around it where it is."""
    arriving: bool = False
    """Whether this very move has made the instance at the target already, before a crash."""
    rate: int | None = None
    """Bytes a second that earlier copies by this way have had; None: not measured."""
    replica: Instance | None = None
    """The earlier copy at the target, when it is to be refreshed."""
    live_refusal: str | None = None
    """Why the source's daemon would not begin to move it with its running state; empty when it
    would, None when it was not asked."""
    went_live: bool | None = None
    """Whether this very move, before a crash, has gone live; None when it has copied nothing."""

    @property
    def config(self) -> Mapping[str, str]:
        """Its own configuration at the target, if the target takes it all."""
        merged = {**self.instance.config, **self.options.changes}
        return {key: value for key, value in merged.items() if value is not None}

    @property
    def profiles(self) -> tuple[str, ...]:
        """Its profiles at the target."""
        asked = self.options.profiles
        return self.instance.profiles if asked is None else asked

    @property
    def one_server(self) -> bool:
        """Whether both ends are one server or cluster, perhaps under two names."""
        here, there = self.source, self.target
        same_key = bool(here.certificate) and here.certificate == there.certificate
        return here.name == there.name or same_key

    @property
    def counted(self) -> bool:
        """Whether the target counts it already: its name, its space, its place in a project."""
        return self.arriving or self.options.refresh

    @property
    def beside(self) -> bool:
        """Whether copy and original will be in one project of one server for a while."""
        return self.one_server and self.destination.project == self.instance.ref.project

    @property
    def in_place(self) -> bool:
        """Whether it shall have the same name in the same project of the same server."""
        here, asked = self.instance.ref, self.options
        return (
            self.one_server
            and (asked.project or here.project) == here.project
            and (asked.name or here.name) == here.name
        )

    @property
    def pool_here(self) -> str:
        """The pool in which its root disk is now; empty when it is not known."""
        return root_pool_name(self.instance)

    @property
    def exchange(self) -> bool:
        """Whether a copy takes the instance's place: both then exchange their names."""
        asked = self.options
        elsewhere = asked.pool not in {"", self.pool_here} or asked.member not in {
            "",
            self.instance.location,
        }
        return self.in_place and not asked.copy and elsewhere

    @property
    def destination(self) -> Ref:
        """What the instance will be called."""
        here = self.instance.ref
        asked = self.options
        if self.exchange:  # under the name of the host that it is on, if that has two
            return here
        return Ref(self.target.name, asked.project or here.project, asked.name or here.name)

    @property
    def kept_as(self) -> Ref:
        """What a source that is kept will be called."""
        return kept_name(self.instance.ref)

    @property
    def missing_profiles(self) -> tuple[str, ...]:
        """Those of its profiles that the target does not have."""
        return tuple(one for one in self.profiles if one not in self.placement.profiles)

    @property
    def new_profiles(self) -> Mapping[str, Profile]:
        """The profiles that the move makes at the target, as the source has them."""
        if not self.options.copy_profiles:
            return {}
        known = self.origin.profiles
        missing = (*self.missing_profiles, *self.missing_for_snapshots)
        return {name: known[name] for name in missing if name in known}

    @property
    def missing_for_snapshots(self) -> tuple[str, ...]:
        """Profiles that it shall not have there, and that LXD needs for its snapshots all the same.

        A snapshot goes along with the profiles that the source has: LXD 5.0.2 refuses those that it
        does not know, Incus 6.0.4 does not look at them.
        """
        snapshots = self.instance.snapshots and not self.options.instance_only
        if not snapshots or self.target.kind is not Kind.LXD:
            return ()
        known = self.placement.profiles.keys() | set(self.profiles)
        return tuple(one for one in self.instance.profiles if one not in known)

    @property
    def root_pool(self) -> tuple[str, Pool] | None:
        """The name and the pool of the root disk at the target; None when there is none."""
        roots = (one for one in target_devices(self).values() if is_root(one))
        name = next(roots, {}).get("pool", "")
        pool = self.placement.pools.get(name)
        return None if pool is None else (name, pool)

    @property
    def sent_again(self) -> bool:
        """Whether the daemons, left to themselves, send everything again at each further pass.

        Between two pools of btrfs they use ``btrfs send``, and LXD 5.0.2 knows no earlier state to
        begin from, with snapshots or without; nor does Incus 6.0.4 without snapshots.
        """
        here = self.origin.pools.get(self.pool_here)
        there = self.root_pool
        return here is not None and there is not None and here.driver == there[1].driver == "btrfs"


def root_pool_name(instance: Instance) -> str:
    """The pool in which its root disk is; empty when it is not known."""
    roots = (one for one in instance.expanded_devices.values() if is_root(one))
    return next(roots, {}).get("pool", "")


def kept_name(ref: Ref) -> Ref:
    """The name of a source that is kept: a host name, so at most 63 characters."""
    ending = "-moved"
    return ref._replace(name=ref.name[: 63 - len(ending)] + ending)


def incoming_name(ref: Ref, token: str) -> Ref:
    """The name of a copy until it takes that of its original, *ref*."""
    ending = f"-lxtui-{token[:8]}"
    return ref._replace(name=ref.name[: 63 - len(ending)] + ending)


def without_addresses(devices: Devices) -> Devices:
    """Devices that another instance of the same network may have too."""
    return {
        name: {key: one for key, one in device.items() if not is_address(device, key)}
        for name, device in devices.items()
    }


def is_address(device: Mapping[str, str], key: str) -> bool:
    """Whether the key of a device is an address, which daemons allow once in a network."""
    return (
        device.get("type") == "nic"
        and key in {"hwaddr", "ipv4.address", "ipv6.address"}
        and device[key] not in {"none", "auto"}
    )


def own_devices(facts: MoveFacts) -> Devices:
    """The instance's own devices, its root disk in the pool that was asked for."""
    devices = dict(facts.instance.devices)
    if facts.options.pool:
        inherited = _merged(facts, devices)
        name = next((name for name, one in inherited.items() if is_root(one)), "root")
        before = inherited.get(name, {"type": "disk", "path": "/"})
        devices[name] = {**before, "pool": facts.options.pool}
    return without_addresses(devices) if facts.exchange else devices


def target_devices(facts: MoveFacts) -> Devices:
    """The devices that the instance will have: the target's profiles, then its own."""
    return _merged(facts, own_devices(facts))


def target_config(facts: MoveFacts) -> Mapping[str, str]:
    """The configuration that counts there: that of the target's profiles, then its own."""
    there = {**facts.placement.profiles, **facts.new_profiles}
    merged: dict[str, str] = {}
    for name in facts.profiles:
        if name in there:
            merged |= there[name].config
    return merged | dict(facts.config)


def is_root(device: Mapping[str, str]) -> bool:
    """Whether it is the disk that an instance has its files on."""
    return device.get("type") == "disk" and device.get("path") == "/" and not device.get("source")


def _merged(facts: MoveFacts, own: Devices) -> Devices:
    there = {**facts.placement.profiles, **facts.new_profiles}
    merged: dict[str, Mapping[str, str]] = {}
    for name in facts.profiles:
        if name in there:
            merged |= there[name].devices
    return merged | dict(own)
