"""What can be chosen for a new instance.

Role: a host's documents → its images, profiles, pools, networks, members; what is wrong with a
wish. Boundary: pure; what daemons answer may have any shape. Threading: values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from lxtui.editing.documents import of_profile, shown
from lxtui.errors import NotFoundError
from lxtui.format import plain
from lxtui.launching.spec import FINGERPRINT, USER_DATA, HostImage, LaunchSpec, ServerImage
from lxtui.limits import FIELDS
from lxtui.model import Devices, Kind
from lxtui.names import instance_name_trouble

_LIMITS = {one.id: one.trouble for one in FIELDS}
_LISTED = 8
"""Names that an error lists."""
_KEY = re.compile(r"[A-Za-z0-9_.:/-]+")


@dataclass(frozen=True, slots=True)
class Choice:
    """One image of a host."""

    host: str
    project: str
    fingerprint: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    architecture: str = ""
    vm: bool = False
    public: bool = False
    size: int | None = None
    """Bytes."""

    @property
    def name(self) -> str:
        """Its first alias, else the beginning of its fingerprint."""
        return self.aliases[0] if self.aliases else self.fingerprint[:FINGERPRINT]


@dataclass(frozen=True, slots=True)
class Options:
    """What one host has, in one project; empty where it may not be seen."""

    host: str
    project: str
    kind: Kind
    images: tuple[Choice, ...] = ()
    profiles: Mapping[str, Devices] = field(default_factory=dict)
    pools: tuple[str, ...] = ()
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    projects: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    """Empty: no cluster."""
    instances: frozenset[str] = frozenset()
    """Names that are taken."""

    def inherited(self, profiles: Collection[str]) -> dict[str, Mapping[str, str]]:
        """What these give an instance; the last one counts."""
        found: dict[str, Mapping[str, str]] = {}
        for name in profiles:
            found |= self.profiles.get(name, {})
        return found

    def nic(self, network: str) -> dict[str, str]:
        """The device that joins it, as the command lines make it.

        A managed network is named by itself; a bridge or a card of the machine by its kind.
        """
        known = self.networks.get(network)
        if known is None or known.get("managed", True):
            return {"network": network}
        kind = "bridged" if known.get("type") == "bridge" else "macvlan"
        return {"nictype": kind, "parent": network}


def choices(host: str, project: str, value: Any) -> tuple[Choice, ...]:
    """The images of ``GET /1.0/images?recursion=1``, by name."""
    found = [one for entry in _items(value) if (one := _choice(host, project, entry)) is not None]
    return tuple(sorted(found, key=lambda one: (not one.aliases, one.name)))


def find(images: Collection[Choice], wanted: str) -> Choice:
    """The image of that alias, or whose fingerprint begins so; NotFoundError names some others."""
    for one in images:
        if wanted in one.aliases:
            return one
    found = [one for one in images if wanted and one.fingerprint.startswith(wanted.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(f"several images begin with {wanted!r}: write more of the fingerprint")
    names = [one.name for one in images]
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    has = plain(", ".join(names[:_LISTED]) + more) or "none"
    raise NotFoundError(f"there is no image {plain(wanted)!r} (it has: {has})")


def profiles_of(value: Any) -> dict[str, Devices]:
    """The devices of each profile of ``GET /1.0/profiles?recursion=1``."""
    return {
        str(entry["name"]): shown(of_profile("", "", ""), entry)["devices"]
        for entry in _items(value)
        if entry.get("name")
    }


def networks_of(value: Any) -> dict[str, Mapping[str, Any]]:
    """The networks of ``GET /1.0/networks?recursion=1`` that an instance can join."""
    return {
        str(entry["name"]): entry
        for entry in _items(value)
        if entry.get("name") and entry.get("type") not in {"loopback", "unknown"}
    }


def names_of(value: Any, key: str = "name") -> tuple[str, ...]:
    """The names in a list of documents, or of their addresses."""
    found = value if isinstance(value, list) else []
    urls = [unquote(urlsplit(one).path.rpartition("/")[2]) for one in found if isinstance(one, str)]
    return tuple(sorted({*urls, *(str(one[key]) for one in _items(value) if one.get(key))}))


def completed(spec: LaunchSpec, options: Options) -> LaunchSpec:
    """With what follows from the host: its profiles' devices, the network's kind, the image's."""
    return replace(
        spec,
        vm=spec.vm or spec.image.vm,
        inherited=options.inherited(spec.profiles),
        nic=options.nic(spec.network) if spec.network else {},
    )


def user_data_trouble(text: str) -> str:
    """Why cloud-init would not take this; never with a word of it, as it may hold passwords.

    Source: cloud-init's documentation, "User-data formats".
    """
    first = text.lstrip().partition("\n")[0].strip()
    if first.startswith("#cloud-config"):
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (line {mark.line + 1})" if mark is not None else ""
            return f"it is no YAML{where}"
        return "" if found is None or isinstance(found, dict) else "it is no mapping of YAML"
    if first.startswith(("#", "Content-Type:", "MIME-Version:")):
        return ""
    return "it begins neither with #cloud-config nor with #!"


def troubles(spec: LaunchSpec, options: Options) -> dict[str, str]:
    """What is wrong, by the field that it is wrong in; empty when it can be sent."""
    found = {
        "name": _name_trouble(spec.ref.name, options),
        "image": _image_trouble(spec),
        "profiles": _missing(spec.profiles, options.profiles, "profile"),
        "pool": _missing((spec.pool,) if spec.pool else (), options.pools, "pool")
        or _root_trouble(spec),
        "network": _missing((spec.network,) if spec.network else (), options.networks, "network"),
        "project": _missing((spec.ref.project,), options.projects, "project"),
        "member": _member_trouble(spec.member, options),
        "cloud-init": user_data_trouble(spec.user_data) if spec.user_data else "",
        "config": next(filter(None, map(_key_trouble, spec.config)), ""),
    }
    for name, value in (("cpu", spec.cpu), ("memory", spec.memory), ("size", spec.size)):
        found[name] = _LIMITS["disk" if name == "size" else name](value) if value else ""
    return {name: why for name, why in found.items() if why}


def _name_trouble(name: str, options: Options) -> str:
    if trouble := instance_name_trouble(name, options.kind):
        return trouble
    return f"{name} exists already" if name in options.instances else ""


def _image_trouble(spec: LaunchSpec) -> str:
    image = spec.image
    if isinstance(image, HostImage) and not image.addresses:
        return f"{image.host} does not listen on the network: {spec.ref.host} cannot fetch from it"
    if spec.vm and not image.vm and not isinstance(image, ServerImage):
        return "this image is of a container"
    return ""


def _root_trouble(spec: LaunchSpec) -> str:
    if spec.pool or any(
        one.get("type") == "disk" and one.get("path") == "/" for one in spec.inherited.values()
    ):
        return ""
    return "no profile gives a root disk: name a pool"


def _missing(wanted: Collection[str], known: Collection[str], what: str) -> str:
    """Nothing is wrong where we may not see what there is."""
    absent = [one for one in wanted if known and one not in known]
    return f"there is no {what} {plain(absent[0])!r}" if absent else ""


def _member_trouble(member: str, options: Options) -> str:
    if member and not options.members:
        return f"{options.host} is no cluster"
    return _missing((member,) if member else (), options.members, "member")


def _key_trouble(key: str) -> str:
    if key == USER_DATA:
        return "cloud-init has a field of its own"
    return "" if _KEY.fullmatch(key) else f"{plain(key)!r} is no key"


def _choice(host: str, project: str, entry: Mapping[str, Any]) -> Choice | None:
    fingerprint = entry.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        return None
    properties = entry.get("properties")
    told = properties.get("description") if isinstance(properties, Mapping) else ""
    size = entry.get("size")
    return Choice(
        host,
        project,
        fingerprint,
        tuple(sorted(str(one["name"]) for one in _items(entry.get("aliases")) if one.get("name"))),
        str(told or ""),
        str(entry.get("architecture") or ""),
        entry.get("type") == "virtual-machine",
        entry.get("public") is True,
        size if isinstance(size, int) else None,
    )


def _items(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, Mapping)]
