"""Devices that a move takes along: what they need at the target.

Role: facts → findings, a part of preflight. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from lxtui.migrate.facts import (
    Finding,
    MoveFacts,
    blocker,
    is_root,
    own_devices,
    target_devices,
    warning,
)
from lxtui.model import CLI, Kind, Network, Ref

_HOST_BOUND = frozenset(
    {"unix-char", "unix-block", "unix-hotplug", "usb", "gpu", "pci", "infiniband", "tpm", "proxy"}
)
Device = Mapping[str, str]
_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def check_devices(facts: MoveFacts) -> Iterator[Finding]:
    """The findings about every device that the instance will have."""
    devices = target_devices(facts)
    if not any(map(is_root, devices.values())):
        cli, name = CLI[facts.target.kind], facts.target.name
        yield blocker(
            f"on {name} neither the profiles nor the instance give it a root disk",
            f"choose a pool with --pool, or add one: "
            f"'{cli} profile device add {name}:default root disk path=/ pool=POOL'",
        )
    lost = facts.instance.expanded_devices.keys() - devices.keys() - {"root"}
    if lost and not facts.missing_profiles:
        yield warning(
            f"on {facts.target.name} the profiles do not give it {', '.join(sorted(lost))}",
            "add the device to the instance, or to a profile there",
        )
    for name, device in devices.items():
        yield from _device(facts, name, device)
    for profile, made in facts.new_profiles.items():
        for name, device in made.devices.items():
            # One that the instance overrides must be possible all the same: daemons check it.
            if name in own_devices(facts):
                yield from _needs(facts, f"{name!r} of profile {profile!r}", device)


def _device(facts: MoveFacts, name: str, device: Device) -> Iterator[Finding]:
    target, kind = facts.target, device.get("type", "")
    yield from _needs(facts, repr(name), device)
    if kind == "nic":
        yield from _address(facts, name, device)
        beside = facts.beside and not facts.exchange
        if beside and target.kind is Kind.INCUS and device.get("hwaddr"):
            yield blocker(
                f"the MAC address {device['hwaddr']} of device {name!r} can be on "
                f"{target.name} only once",
                "unset its hwaddr first, or move it into another project",
            )
    elif kind == "disk" and not is_root(device) and device.get("source"):
        yield from _disk(facts, name, device)
    elif kind == "pci" and target.pci is not None and device.get("address") not in target.pci:
        yield blocker(
            f"{target.name} has no PCI device {device.get('address')}, which device {name!r} is",
            "remove the device from the instance, or name another",
        )
    elif kind == "gpu" and target.gpus == 0:
        yield blocker(
            f"{target.name} has no graphics card, which device {name!r} needs",
            "remove the device from the instance",
        )
    elif kind in _HOST_BOUND:
        what = device.get("source") or device.get("path") or device.get("listen", "")
        yield warning(
            f"device {name!r} ({kind}{f' {what}' if what else ''}) belongs to the host",
            f"see that {target.name} has it too, and that nobody else uses it there",
        )


def _needs(facts: MoveFacts, called: str, device: Device) -> Iterator[Finding]:
    """The pool or the network that a device names."""
    target, cli = facts.target, CLI[facts.target.kind]
    kind, pool = device.get("type"), device.get("pool")
    if kind == "disk" and pool and pool not in facts.placement.pools:
        have = ", ".join(sorted(facts.placement.pools)) or "none"
        other = "choose another with --pool, or " if is_root(device) else ""
        yield blocker(
            f"{target.name} has no storage pool {pool!r}, which device {called} needs",
            f"{other}create it there (pools it has: {have})",
        )
    network = device.get("network") or device.get("parent")
    if kind == "nic" and network and network not in facts.placement.networks:
        have = ", ".join(sorted(facts.placement.networks)) or "none"
        yield blocker(
            f"{target.name} has no network {network!r}, which device {called} needs",
            f"create it there: '{cli} network create {target.name}:{network}' "
            f"(networks it has: {have})",
        )


def _disk(facts: MoveFacts, name: str, device: Device) -> Iterator[Finding]:
    """A custom volume, or a part of the host."""
    target, cli = facts.target, CLI[facts.source.kind]
    source, pool = device["source"], device.get("pool")
    if not pool:
        yield warning(
            f"device {name!r} is bound to {source} of the host",
            f"its data stay behind; see that it exists on {target.name}",
        )
        return
    there = facts.placement.pools.get(pool)
    volumes = there.volumes if there is not None else None
    if volumes is not None and source not in volumes:
        here = facts.source.name
        yield blocker(
            f"{target.name} has no volume {source!r} in pool {pool!r}, which device {name!r} is; "
            f"volumes do not move along",
            f"copy it first: '{cli} storage volume copy {here}:{pool}/{source} "
            f"{target.name}:{pool}/{source}'",
        )
    else:
        yield warning(
            f"device {name!r} is the volume {source!r} of pool {pool!r}, which does not move along",
            f"see that the one on {target.name} has the data",
        )


def _address(facts: MoveFacts, name: str, device: Device) -> Iterator[Finding]:
    """A static address must be free, and of the target's network."""
    called = device.get("network") or device.get("parent", "")
    network = facts.placement.networks.get(called, Network())
    for family in (4, 6):
        wanted = device.get(f"ipv{family}.address", "")
        address = _interface(wanted)
        if address is None:
            continue
        what = f"the static address {wanted} of device {name!r}"
        subnets = [one for one in map(_interface, network.subnets) if one and one.version == family]
        if subnets and not any(address.ip in subnet.network for subnet in subnets):
            has = ", ".join(str(subnet.network) for subnet in subnets)
            yield blocker(
                f"{what} is not in network {called} of {facts.target.name} ({has})",
                f"give it one of there, or unset ipv{family}.address",
            )
        elif any(address.ip == subnet.ip for subnet in subnets):
            yield blocker(
                f"{what} is that of network {called} of {facts.target.name} itself",
                f"give it another of there, or unset ipv{family}.address",
            )
        for owner in _owners(facts, called, address):
            yield _taken(facts, f"{what} is that of {owner} too", owner, family)


def _owners(facts: MoveFacts, network: str, address: _Interface) -> Iterator[Ref]:
    """Who else has the address there, by its configuration."""
    for one in facts.placement.addresses:
        other = _interface(one.address)
        ref = Ref(facts.target.name, one.project, one.instance)
        # On one server a stopped original goes before anybody starts the copy.
        itself = ref == facts.destination or (
            facts.one_server
            and ref[1:] == facts.instance.ref[1:]
            and not (facts.instance.running or facts.options.copy or facts.options.keep_source)
        )
        if one.network == network and other and other.ip == address.ip and not itself:
            yield ref


def _taken(facts: MoveFacts, what: str, owner: Ref, family: int) -> Finding:
    """Daemons make such an instance, and refuse its start whether the other runs or not."""
    remedy = f"give one of the two another, or unset its ipv{family}.address"
    if facts.one_server and owner[1:] == facts.instance.ref[1:]:
        remedy = f"unset ipv{family}.address first, or stop it, move it and start it yourself"
    if facts.instance.running and not facts.options.copy:
        return blocker(f"{what}: {facts.target.name} would not start it", remedy)
    return warning(f"{what}: {facts.target.name} starts neither of the two so", remedy)


def _interface(written: str) -> _Interface | None:
    try:
        return ipaddress.ip_interface(written)
    except ValueError:
        return None
