"""Images, volumes, projects, warnings and the rest of the demo fleet.

Role: gives each simulated daemon documents, the same every time. Boundary: data; touches nothing
outside the simulated daemons. Threading: functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lxtui.backend.demo import DemoFleet
from lxtui.model import Profile

Json = dict[str, Any]
_MIB = 2**20
_GIB = 2**30
_IMAGES = (
    ("debian/12", "Debian", "bookworm", 96, 12),
    ("debian/13", "Debian", "trixie", 104, 3),
    ("ubuntu/24.04", "Ubuntu", "noble", 132, 9),
    ("alpine/3.22", "Alpine", "3.22", 4, 30),
    ("", "Debian", "bookworm", 95, 75),
    ("rocky/9", "Rocky Linux", "9", 118, 21),
)
_WARNINGS = (
    ("low", "new", "AppArmor support has been disabled", "No kernel support", 1),
    ("moderate", "new", "Unable to update cluster heartbeat", "context deadline exceeded", 14),
    ("high", "new", "Storage pool unavailable", "zpool status: DEGRADED", 3),
    ("low", "acknowledged", "Couldn't find the CGroup blkio.weight", "It is ignored", 1),
    ("moderate", "resolved", "Instance autostart failure", "Failed after 3 tries", 3),
)


def furnish(fleet: DemoFleet) -> None:
    """Give every host of the small demo fleet what it has beside its instances."""
    for at, name in enumerate(fleet.daemons):
        furnish_host(fleet, name, at, 3 + at % 2)


def furnish_host(fleet: DemoFleet, name: str, at: int, images: int) -> None:
    """Give one host *images*, and those that its instances were made of, and all the rest."""
    now, daemon = fleet.clock(), fleet.daemons[name]
    documents = daemon.documents
    base = {
        one.expanded_config["volatile.base_image"]
        for one in daemon.instances.values()
        if "volatile.base_image" in one.expanded_config
    }
    for number, fingerprint in enumerate(sorted(base)):
        one = image(name, number, now, at + number)
        documents["images", fingerprint] = {**one, "fingerprint": fingerprint}
    for number in range(1, images + 1):
        one = image(name, number + at if images < len(_IMAGES) else number, now, number)
        documents["images", one["fingerprint"]] = one
    daemon.profiles["small"] = Profile(
        config={"limits.cpu": "1", "limits.memory": "512MiB"}, description="One CPU, 512 MiB"
    )
    for one in interfaces():
        documents["networks", one["name"]] = one
    for one in volumes(sorted(ref.name for ref in daemon.instances), now):
        documents["storage-pools", "default", "volumes", "custom", one["name"]] = one
    documents["projects", "staging"] = project("staging", "Before it goes live")
    for one in warnings(name, now, _WARNINGS[at % 4 : at % 4 + 2]):
        documents["warnings", one["uuid"]] = one
    used = (94, 61, 42, 10)[at % 4]
    documents["storage-pools", "default", "resources"] = {
        "space": {"used": used * 10 * _GIB, "total": 1000 * _GIB},
        "inodes": {"used": used * 20_000, "total": 16_000_000},
    }
    if at == 0:
        documents["operations", uuid(f"{name} refresh")] = running(name, now)


def uuid(words: str) -> str:
    """An id as the daemons make them."""
    digits = hashlib.sha256(words.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def image(host: str, number: int, now: datetime, seed: int) -> Json:
    """The *number*-th of the images that there are, as *host* has it."""
    alias, system, release, size, days = _IMAGES[number % len(_IMAGES)]
    alias = alias if number < len(_IMAGES) * 2 else ""
    fingerprint = hashlib.sha256(f"{host} {alias} {release} {number}".encode()).hexdigest()
    made = now - timedelta(days=days + seed % 3)
    vm = number % 6 == 2  # noqa: PLR2004 one of them
    source = {"alias": alias, "server": "https://images.example", "protocol": "simplestreams"}
    return {
        "fingerprint": fingerprint,
        "aliases": [{"name": alias, "description": ""}] if alias else [],
        "architecture": "x86_64",
        "auto_update": bool(alias),
        "cached": not alias,
        "public": number % 6 == 3,  # noqa: PLR2004 one of them
        "type": "virtual-machine" if vm else "container",
        "size": (size + seed) * _MIB,
        "properties": {
            "description": f"{system} {release} amd64",
            "os": system,
            "release": release,
            "architecture": "amd64",
        },
        "profiles": ["default"],
        "project": "default",
        "created_at": made.isoformat(),
        "uploaded_at": (made + timedelta(hours=9)).isoformat(),
        "last_used_at": (now - timedelta(hours=5 * number + 1)).isoformat(),
        "expires_at": "0001-01-01T00:00:00Z",
        **({"update_source": source} if alias else {}),
    }


def interfaces() -> list[Json]:
    """What the host itself has."""
    return [
        {
            "name": name,
            "type": kind,
            "managed": False,
            "status": "",
            "description": "",
            "project": "default",
            "config": {},
            "used_by": [],
        }
        for name, kind in (("eno1", "physical"), ("lo", "loopback"))
    ]


def volumes(instances: Sequence[str], now: datetime) -> list[Json]:
    """Two custom volumes: one that an instance uses, one that nothing does."""
    users = [f"/1.0/instances/{name}" for name in instances[:1]]
    return [
        {
            "name": name,
            "type": "custom",
            "content_type": "filesystem",
            "description": described,
            "project": "default",
            "location": "none",
            "created_at": (now - timedelta(days=days)).isoformat(),
            "config": {"size": size},
            "used_by": used,
        }
        for name, described, days, size, used in (
            ("uploads", "What people send us", 200, "50GiB", users),
            ("scratch", "", 12, "10GiB", []),
        )
    ]


def project(name: str, described: str) -> Json:
    """A project with limits, and with profiles of its own."""
    return {
        "name": name,
        "description": described,
        "config": {
            "features.images": "false",
            "features.networks": "false",
            "features.profiles": "true",
            "features.storage.volumes": "true",
            "limits.instances": "10",
            "limits.memory": "16GiB",
            "restricted": "true",
        },
        "used_by": [f"/1.0/profiles/default?project={name}"],
    }


def warnings(
    host: str, now: datetime, which: Sequence[tuple[str, str, str, str, int]]
) -> list[Json]:
    """Some of the warnings that there are."""
    return [
        {
            "uuid": uuid(f"{host} {kind}"),
            "severity": severity,
            "status": state,
            "type": kind,
            "last_message": message,
            "count": count,
            "project": "",
            "location": "none",
            "entity_url": "/1.0/storage-pools/default" if kind.startswith("Storage") else "",
            "first_seen_at": (now - timedelta(days=6, hours=number)).isoformat(),
            "last_seen_at": (now - timedelta(hours=2 + number)).isoformat(),
        }
        for number, (severity, state, kind, message, count) in enumerate(which)
    ]


def running(host: str, now: datetime) -> Json:
    """An operation that goes on until somebody cancels it."""
    return {
        "id": uuid(f"{host} refresh"),
        "class": "task",
        "description": "Downloading image",
        "status": "Running",
        "created_at": (now - timedelta(minutes=4)).isoformat(),
        "updated_at": (now - timedelta(seconds=3)).isoformat(),
        "may_cancel": True,
        "resources": {},
        "metadata": {"download_progress": "rootfs: 62% (11.42MB/s)"},
        "err": "",
        "location": "none",
    }
