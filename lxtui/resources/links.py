"""What uses what, as references that can be followed.

Role: the addresses of ``used_by`` → links, and the links of an instance to what it is made of.
Boundary: pure; an address of an unknown shape is a link that leads nowhere, and is shown as it is.
Threading: values and functions. Source: the ``used_by`` of profiles, networks, pools, volumes and
projects in doc/rest-api.yaml of LXD and of Incus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from lxtui.model import Instance, Ref

INSTANCES = "instances"
"""The one table that is not described here: the main screen's."""
_PLAIN = ("images", "networks", "profiles", "projects")
_INSTANCE_PATHS = (INSTANCES, "containers", "virtual-machines")


class Link(NamedTuple):
    """Leads to one line of a table."""

    table: str
    """The table's id, ``instances``, or empty: it leads nowhere."""
    ref: Ref
    """A volume's name is ``pool/type/name``."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.table.removesuffix('s')} {self.ref}" if self.table else self.ref.name


def link_from(host: str, address: object) -> Link:
    """One address of ``used_by``; a snapshot or backup leads to what it was made of."""
    split = urlsplit(str(address))
    parts = [unquote(part) for part in split.path.split("/") if part][1:]
    project = parse_qs(split.query).get("project", ["default"])[0]

    def to(table: str, name: str) -> Link:
        return Link(table, Ref(host, project, name))

    match parts:
        case [kind, name, *_] if kind in _INSTANCE_PATHS:
            return to(INSTANCES, name)
        case [kind, name] if kind in _PLAIN:
            return to(kind, name)
        case ["storage-pools", pool]:
            return to("pools", pool)
        case ["storage-pools", pool, "volumes", kind, name, *_]:
            return to("volumes", f"{pool}/{kind}/{name}")
    return to("", str(address))


def links_from(host: str, document: Mapping[str, Any]) -> tuple[Link, ...]:
    """All of a document's ``used_by``, each once, in natural order of what they lead to."""
    found = document.get("used_by")
    addresses: Iterable[object] = found if isinstance(found, list) else ()
    return tuple(sorted({link_from(host, one) for one in addresses}))


def links_of(instance: Instance) -> tuple[Link, ...]:
    """What an instance is made of: its profiles, image, networks, pools and volumes."""
    ref = instance.ref
    found: dict[Link, None] = {}

    def add(table: str, name: str) -> None:
        if name:
            found[Link(table, ref._replace(name=name))] = None

    for profile in instance.profiles:
        add("profiles", profile)
    add("images", instance.expanded_config.get("volatile.base_image", ""))
    for device in instance.expanded_devices.values():
        if device.get("type") == "nic":
            add("networks", device.get("network") or device.get("parent", ""))
        elif device.get("type") == "disk" and (pool := device.get("pool", "")):
            add("pools", pool)
            source = device.get("source", "")
            if source and not source.startswith("/"):
                add("volumes", f"{pool}/custom/{source.partition('/')[0]}")
    if ref.project != "default":
        add("projects", ref.project)
    return tuple(found)


def image_users(instances: Iterable[Instance]) -> dict[tuple[str, str], list[Link]]:
    """By host and fingerprint: the instances that were made from an image."""
    users: dict[tuple[str, str], list[Link]] = {}
    for one in instances:
        if base := one.expanded_config.get("volatile.base_image"):
            users.setdefault((one.ref.host, base), []).append(Link(INSTANCES, one.ref))
    return users
