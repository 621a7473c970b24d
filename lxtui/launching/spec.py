"""What an instance is to be made of.

Role: the wishes as frozen values → the body of ``POST /1.0/instances``, and the same as words of
the command lines. Boundary: pure. Threading: values.

Source: doc/rest-api.yaml of LXD 5.0 and of Incus 6.0 (InstancesPost, InstanceSource);
``lxc launch --help`` and ``incus launch --help``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lxtui.model import Config, Devices, Kind, Ref

FINGERPRINT = 12
"""Digits of a fingerprint that are shown, as the command lines do."""
USER_DATA = "cloud-init.user-data"
_PROTOCOLS = {Kind.LXD: "lxd", Kind.INCUS: "incus"}
"""What each server calls its own kind of image server."""


def _none() -> MappingProxyType[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that the host has."""

    fingerprint: str
    alias: str = ""
    vm: bool = False

    def source(self, kind: Kind, secret: str) -> dict[str, str]:  # noqa: ARG002 as the others
        """The request's ``source``."""
        return {"type": "image", "fingerprint": self.fingerprint}

    def word(self, host: str) -> str:
        """As the command lines name it; *host* is where the instance will be."""
        return f"{_short(host)}:{self.alias or self.fingerprint[:FINGERPRINT]}"


@dataclass(frozen=True, slots=True)
class ServerImage:
    """An image of a server that has nothing but images; the host fetches it."""

    remote: str
    """What the command lines call the server: ``images``."""
    server: str
    """Its URL."""
    alias: str
    protocol: str = "simplestreams"
    vm: bool = False

    def source(self, kind: Kind, secret: str) -> dict[str, str]:  # noqa: ARG002 as the others
        """The request's ``source``."""
        return {
            "type": "image",
            "mode": "pull",
            "server": self.server,
            "protocol": self.protocol,
            "alias": self.alias,
        }

    def word(self, host: str) -> str:  # noqa: ARG002 as the others
        """As the command lines name it."""
        return f"{self.remote}:{self.alias}"


@dataclass(frozen=True, slots=True)
class HostImage:
    """An image of another host of the fleet; the new instance's host fetches it from there."""

    host: str
    project: str
    fingerprint: str
    alias: str = ""
    vm: bool = False
    public: bool = False
    """Anybody may fetch it; else the host has to give a secret for one time."""
    addresses: tuple[str, ...] = ()
    """``host:port`` pairs at which its daemon listens for others."""
    certificate: str = field(default="", repr=False)
    """Its daemon's, PEM."""

    @property
    def ref(self) -> Ref:
        """The image."""
        return Ref(self.host, self.project, self.fingerprint)

    def source(self, kind: Kind, secret: str) -> dict[str, str]:
        """The request's ``source``; *secret* is of a private image."""
        found = {
            "type": "image",
            "mode": "pull",
            "server": f"https://{self.addresses[0]}" if self.addresses else "",
            "protocol": _PROTOCOLS[kind],
            "certificate": self.certificate,
            "fingerprint": self.fingerprint,
        }
        return {**found, "secret": secret} if secret else found

    def word(self, host: str) -> str:  # noqa: ARG002 as the others
        """As the command lines name it."""
        return f"{_short(self.host)}:{self.alias or self.fingerprint[:FINGERPRINT]}"


Image = LocalImage | ServerImage | HostImage


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """An instance that is not there yet."""

    ref: Ref
    image: Image
    vm: bool = False
    profiles: tuple[str, ...] = ("default",)
    inherited: Devices = field(default_factory=_none)
    """What the profiles give it."""
    pool: str = ""
    """Of the root disk; empty: the profiles'."""
    size: str = ""
    """Of the root disk; empty: the profiles', or the pool's."""
    network: str = ""
    """Empty: the profiles'."""
    nic: Mapping[str, str] = field(default_factory=_none)
    """The device that joins *network*; see options.py."""
    cpu: str = ""
    memory: str = ""
    config: Config = field(default_factory=_none)
    user_data: str = field(default="", repr=False)
    """For cloud-init; it may hold passwords: it is in no line that is shown or kept."""
    user_data_name: str = ""
    """The file that it was read from, for the command line."""
    start: bool = True
    member: str = ""
    """The cluster member it is to be on; empty: the cluster chooses."""

    @property
    def devices(self) -> dict[str, dict[str, str]]:
        """Its own devices: those that are not as the profiles have them."""
        found: dict[str, dict[str, str]] = {}
        if self.pool or self.size:
            name = self.root_name
            root = {"type": "disk", "path": "/", **self.inherited.get(name, {})}
            root |= {key: one for key, one in (("pool", self.pool), ("size", self.size)) if one}
            found[name] = root
        if self.network:
            found[self.nic_name] = {"type": "nic", "name": self.nic_name, **self.nic}
        return found

    @property
    def root_name(self) -> str:
        """What the profiles call the root disk."""
        return _named(self.inherited, "disk") or "root"

    @property
    def nic_name(self) -> str:
        """What the profiles call the first network card."""
        return _named(self.inherited, "nic") or "eth0"

    @property
    def own_config(self) -> dict[str, str]:
        """Its configuration."""
        limits = {"limits.cpu": self.cpu, "limits.memory": self.memory, USER_DATA: self.user_data}
        return {**self.config, **{key: value for key, value in limits.items() if value}}

    def body(self, kind: Kind, secret: str = "") -> dict[str, Any]:
        """What is sent."""
        return {
            "name": self.ref.name,
            "type": "virtual-machine" if self.vm else "container",
            "profiles": list(self.profiles),
            "config": self.own_config,
            "devices": self.devices,
            "source": self.image.source(kind, secret),
        }

    def shown(self, kind: Kind) -> dict[str, Any]:
        """The same for people: without what is secret, and certificates shortened."""
        body = self.body(kind)
        if self.user_data:
            body["config"][USER_DATA] = f"({len(self.user_data.splitlines())} lines)"
        if "certificate" in body["source"]:
            body["source"]["certificate"] = "(its certificate)"
        if isinstance(self.image, HostImage) and not self.image.public:
            body["source"]["secret"] = "(asked for when it begins)"  # noqa: S105 is none
        return body

    def command(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        before = {Kind.LXD: ("lxc", "init"), Kind.INCUS: ("incus", "create")}[kind]
        verb = f"{before[0]} {'launch' if self.start else before[1]}"
        words = [part for pair in self._options() for part in pair]
        if self.vm:
            words.append("--vm")
        image = shlex.quote(self.image.word(self.ref.host))
        after = "".join(f" {one}" for one in words)
        return self.ref.command(f"{verb} {image}", after)

    def _options(self) -> list[tuple[str, ...]]:
        usual = self.profiles == ("default",)
        found: list[tuple[str, ...]] = [
            ("-p", shlex.quote(one)) for one in self.profiles if not usual
        ]
        if not self.profiles:
            found.append(("--no-profiles",))
        root = self.root_name
        if self.pool and root == "root":
            found.append(("-s", shlex.quote(self.pool)))
        elif self.pool:
            found.append(("-d", shlex.quote(f"{root},pool={self.pool}")))
        if self.size:
            found.append(("-d", shlex.quote(f"{root},size={self.size}")))
        if self.network:
            found.append(("-n", shlex.quote(self.network)))
        for key, value in self.own_config.items():
            if key == USER_DATA:
                # Never the text itself: this line is shown, kept in the journal, and copied.
                name = shlex.quote(self.user_data_name or "user-data.yaml")
                found.append(("-c", f'{key}="$(cat {name})"'))
            else:
                found.append(("-c", shlex.quote(f"{key}={value}")))
        if self.member:
            found.append(("--target", shlex.quote(self.member)))
        return found


def _short(host: str) -> str:
    """The command lines do not know the ``@kind`` with which we tell two remotes apart."""
    return host.partition("@")[0]


def _named(devices: Devices, kind: str) -> str:
    for name, device in sorted(devices.items()):
        if device.get("type") == kind and (kind != "disk" or device.get("path") == "/"):
            return name
    return ""
