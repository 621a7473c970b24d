"""The REST API's JSON as model values, and back.

Role: pure conversion; what is missing or of another shape becomes "not known", because daemons of
many versions answer, and what a container chose (names, descriptions) is only ever text. Boundary:
no I/O. Threading: functions. Source: the daemons' REST API documentation (instances, operations).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from lxtui.format import limit_bytes, timestamp
from lxtui.model import (
    Host,
    HostStatus,
    Instance,
    Member,
    Network,
    Operation,
    Pool,
    Profile,
    Quota,
    Ref,
    Remote,
    Snapshot,
    StaticAddress,
)

Json = Mapping[str, Any]

_PROGRESS = re.compile(
    r"(?P<done>[\d.]+)\s*(?P<unit>[kMGTPE]?i?B)\b(?:.*?\((?P<rate>[\d.]+)\s*(?P<per>[kMGTPE]?i?B)/s\))?"
)
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15, "EB": 10**18}
_MIGRATION_FIELDS = frozenset({"control", "fs", "criu", "state"})


def host_from(remote: Remote, server: Json, resources: Json) -> Host:
    """``GET /1.0`` and ``GET /1.0/resources`` as a Host that is online."""
    environment = _mapping(server.get("environment"))
    memory = _mapping(resources.get("memory"))
    cpu = _mapping(resources.get("cpu"))
    return Host(
        name=remote.name,
        kind=remote.kind,
        address=remote.address,
        read_only=remote.read_only,
        status=HostStatus.ONLINE,
        version=str(environment.get("server_version", "")),
        project=remote.project,
        server_name=str(environment.get("server_name", "")),
        addresses=tuple(str(one) for one in _list(environment.get("addresses"))),
        certificate=str(environment.get("certificate", "")),
        api_extensions=frozenset(map(str, _list(server.get("api_extensions")))),
        architectures=tuple(map(str, _list(environment.get("architectures")))),
        cpus=_count(cpu.get("total")),
        memory_total=_count(memory.get("total")),
        clustered=bool(environment.get("server_clustered")),
        gpus=_cards(resources),
        pci=_pci_addresses(resources),
    )


def instance_from(host: str, entry: Json, memory_total: int | None) -> Instance:
    """One element of ``GET /1.0/instances?recursion=2``."""
    state = _mapping(entry.get("state"))
    expanded = _strings(entry.get("expanded_config"))
    addresses = list(_addresses(_mapping(state.get("network"))))
    memory = _mapping(state.get("memory"))
    disks = [_count(_mapping(disk).get("usage")) for disk in _mapping(state.get("disk")).values()]
    status = str(entry.get("status", ""))
    alive = status not in {"Stopped", "Error", ""}
    return Instance(
        ref=Ref(host, str(entry.get("project") or "default"), str(entry["name"])),
        status=status,
        type=str(entry.get("type") or "container"),
        architecture=str(entry.get("architecture", "")),
        created_at=timestamp(str(entry.get("created_at", ""))),
        last_used_at=timestamp(str(entry.get("last_used_at", ""))),
        description=str(entry.get("description", "")),
        ephemeral=bool(entry.get("ephemeral")),
        location=str(entry.get("location") or ""),
        profiles=tuple(map(str, _list(entry.get("profiles")))),
        config=_strings(entry.get("config")),
        devices=_devices(entry.get("devices")),
        expanded_config=expanded,
        expanded_devices=_devices(entry.get("expanded_devices")),
        snapshots=tuple(snapshot_from(one) for one in _list(entry.get("snapshots"))),
        backups=tuple(
            str(_mapping(one).get("name", "")).rpartition("/")[2]
            for one in _list(entry.get("backups"))
        ),
        ipv4=tuple(address for family, address in addresses if family == "inet"),
        ipv6=tuple(address for family, address in addresses if family == "inet6"),
        processes=_count(state.get("processes")) if alive else None,
        cpu_ns=_count(_mapping(state.get("cpu")).get("usage")) if alive else None,
        memory=_count(memory.get("usage")) if alive else None,
        memory_limit=limit_bytes(expanded.get("limits.memory", ""), memory_total),
        swap=_count(memory.get("swap_usage")) if alive else None,
        disk=sum(known) if (known := [one for one in disks if one]) else None,
    )


def snapshot_from(entry: Json) -> Snapshot:
    """One snapshot; its name may come as ``instance/snapshot``."""
    return Snapshot(
        name=str(entry.get("name", "")).rpartition("/")[2],
        created_at=timestamp(str(entry.get("created_at", ""))),
        expires_at=timestamp(str(entry.get("expires_at", ""))),
        stateful=bool(entry.get("stateful")),
        size=_count(entry.get("size")) or None,
        config=_strings(entry.get("config")),
    )


def profile_from(entry: Json) -> Profile:
    """One element of ``GET /1.0/profiles?recursion=1``."""
    return Profile(
        devices=_devices(entry.get("devices")),
        config=_strings(entry.get("config")),
        description=str(entry.get("description", "")),
    )


def pool_from(
    entry: Json, resources: Json, volumes: Iterable[Any] | None, roots: Iterable[Any]
) -> Pool:
    """A storage pool, its ``resources``, and the addresses of its custom and container volumes."""
    space = _mapping(resources.get("space"))
    total, used = _count(space.get("total")), _count(space.get("used"))
    # A driver that does not know answers with zeros.
    free = max(total - used, 0) if total and used is not None else None
    names = None if volumes is None else frozenset(map(last_part, volumes))
    members = frozenset(map(str, entry.get("locations") or ()))
    containers = frozenset(map(last_part, roots))
    return Pool(str(entry.get("driver", "")), free, names, members, containers)


def members_from(entries: Any) -> dict[str, Member]:
    """``GET /1.0/cluster/members?recursion=1``, by name."""
    known = map(_mapping, _list(entries))
    found = ((str(entry.get("server_name") or ""), entry) for entry in known)
    return {
        name: Member(
            str(entry.get("status", "")),
            str(entry.get("architecture", "")),
            str(entry.get("message", "")),
            tuple(map(str, _list(entry.get("roles")))),
        )
        for name, entry in found
        if name
    }


def network_from(entry: Json) -> Network:
    """One element of ``GET /1.0/networks?recursion=1``."""
    config = _strings(entry.get("config"))
    subnets = (config.get(f"{family}.address", "") for family in ("ipv4", "ipv6"))
    return Network(tuple(subnet for subnet in subnets if "/" in subnet))


def static_addresses(
    instances: Iterable[Json], projects: Iterable[Json], project: str
) -> tuple[StaticAddress, ...]:
    """The static addresses of *instances* in the networks that *project* has.

    Projects without networks of their own (``features.networks``) have those of the default one.
    """
    own = {
        str(one.get("name"))
        for one in projects
        if _strings(one.get("config")).get("features.networks") == "true"
    }

    def home(name: str) -> str:
        return name if name in own else "default"

    return tuple(
        StaticAddress(there, str(entry.get("name")), network, device[f"{family}.address"])
        for entry in instances
        if home(there := str(entry.get("project") or project)) == home(project)
        for device in _devices(entry.get("expanded_devices")).values()
        if device.get("type") == "nic"
        and (network := device.get("network") or device.get("parent", ""))
        for family in ("ipv4", "ipv6")
        if device.get(f"{family}.address")
    )


def quotas_from(state: Json) -> dict[str, Quota]:
    """``GET /1.0/projects/NAME/state``; -1 stands for no limit."""
    return {
        str(name): Quota(_count(_mapping(entry).get("Limit")), _count(_mapping(entry).get("Usage")))
        for name, entry in _mapping(state.get("resources")).items()
    }


def strings(value: Any) -> Mapping[str, str]:
    """A JSON object of texts; empty for anything else."""
    return _strings(value)


def last_part(url: object) -> str:
    """The name at the end of an address of the API."""
    return unquote(urlsplit(str(url)).path.rpartition("/")[2])


def operation_from(host: str, entry: Json) -> Operation:
    """One operation, as the operations endpoint and the event stream write it.

    Progress comes as text (``metadata.*_progress``), from newer daemons also as numbers
    (``metadata.progress``, strings of digits). A migration's bytes are in ``fs_progress``; beside
    it the target keeps the last words about the image that it unpacked first.
    """
    metadata = _mapping(entry.get("metadata"))
    texts = {key: str(value) for key, value in metadata.items() if key.endswith("_progress")}
    copying = texts.get("fs_progress", "")
    text = copying or next(filter(None, texts.values()), "")
    done, rate = progress_numbers(copying)
    numbers = {} if copying else _mapping(metadata.get("progress"))
    resources = [
        last_part(url) for urls in _mapping(entry.get("resources")).values() for url in _list(urls)
    ]
    return Operation(
        id=str(entry["id"]),
        host=host,
        description=str(entry.get("description", "")),
        status=str(entry.get("status", "")),
        error=str(entry.get("err") or ""),
        progress=text,
        processed=done,
        rate=rate or _digits(numbers.get("speed")),
        percent=_digits(numbers.get("percent")),
        created_at=timestamp(str(entry.get("created_at", ""))),
        resources=tuple(resources),
        metadata=MappingProxyType(dict(metadata)),
    )


def progress_numbers(text: str) -> tuple[int | None, int | None]:
    """Bytes and bytes a second out of ``rootfs: 2.81GB (87.43MB/s)``; None where not said."""
    match = _PROGRESS.search(text)
    if match is None:
        return None, None
    done = int(float(match["done"]) * _UNITS.get(match["unit"], 1))
    rate = int(float(match["rate"]) * _UNITS.get(match["per"], 1)) if match["rate"] else None
    return done, rate


def migration_secrets(operation: Operation) -> dict[str, str]:
    """The secrets of a migration's websockets.

    Only the known ones: newer daemons put other strings beside them (``entity_url``).
    """
    return {
        key: value
        for key, value in operation.metadata.items()
        if key in _MIGRATION_FIELDS and isinstance(value, str)
    }


def _cards(resources: Json) -> int | None:
    gpu = resources.get("gpu")
    return len(_list(_mapping(gpu).get("cards"))) if isinstance(gpu, Mapping) else None


def _pci_addresses(resources: Json) -> frozenset[str] | None:
    pci = resources.get("pci")
    if not isinstance(pci, Mapping):
        return None
    return frozenset(str(_mapping(one).get("pci_address")) for one in _list(pci.get("devices")))


def _addresses(network: Json) -> Iterable[tuple[str, str]]:
    for name, interface in network.items():
        if name == "lo":
            continue
        for address in _list(_mapping(interface).get("addresses")):
            entry = _mapping(address)
            if entry.get("scope") == "global":
                yield str(entry.get("family")), str(entry.get("address"))


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    """A non-negative number; the daemons write -1 where they do not know."""
    return int(value) if isinstance(value, int | float) and value >= 0 else None


def _digits(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and value.isdecimal() else _count(value)


def _strings(value: Any) -> Mapping[str, str]:
    return MappingProxyType({str(key): str(one) for key, one in _mapping(value).items()})


def _devices(value: Any) -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType({str(name): _strings(one) for name, one in _mapping(value).items()})
