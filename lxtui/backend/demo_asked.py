"""A request to the demo fleet, and what its routes share.

Role: the simulated daemon as a route sees it, the request, an instance and a snapshot as the API
writes them. Boundary: touches nothing outside the simulated daemon; knows no route. Threading:
called with the fleet's lock held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from lxtui.api import Path, Request
from lxtui.errors import OperationError
from lxtui.format import limit_bytes
from lxtui.model import Instance, Kind, Network, Operation, Pool, Profile, Ref, Snapshot

Json = dict[str, Any]
_MEMORY = 64 * 2**30
"""Of each host."""


class Daemon(Protocol):
    """What a route may do with the simulated daemon."""

    @property
    def name(self) -> str:
        """The host's."""

    @property
    def now(self) -> datetime:
        """The fleet's time."""

    @property
    def profiles(self) -> dict[str, Profile]:
        """All projects share them."""

    @property
    def kind(self) -> Kind:
        """Of the daemon."""

    @property
    def pools(self) -> Mapping[str, Pool]:
        """Its storage pools."""

    @property
    def networks(self) -> Mapping[str, Network]:
        """Its managed networks."""

    def operations(self) -> tuple[tuple[str, Operation], ...]:
        """What it works at, each with its project."""

    def cancel(self, operation: str) -> None:
        """Give an operation up."""

    def tell(self, action: str, path: Path, project: str) -> None:
        """Tell the listeners what happened to what is at *path*."""

    @property
    def documents(self) -> dict[Path, Json]:
        """What is kept as it was written, by its path."""

    def at(self, address: str) -> Mapping[Path, Json]:
        """What the daemon at that ``host:port`` keeps; nothing where there is none."""

    def instance(self, ref: Ref) -> Instance:
        """NotFoundError when there is none."""

    def instances(self) -> tuple[Instance, ...]:
        """All of them, measured now."""

    def load(self, ref: Ref) -> float:
        """The share of one CPU that it uses."""

    def put(self, instance: Instance) -> None:
        """Keep it as it is now, and tell the listeners."""

    def rename(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""

    def begin(
        self, description: str, ref: Ref, seconds: float, effect: Callable[[], None]
    ) -> Operation:
        """An operation that takes a while."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, on the daemon that it is for."""

    daemon: Daemon
    request: Request
    args: Path = field(default=())
    """The parts of the path where its route has a ``*``."""

    @property
    def ref(self) -> Ref:
        """The instance that the first of the arguments names."""
        project = self.request.parameters.get("project", "default")
        return Ref(self.daemon.name, project, self.args[0])

    @property
    def done(self) -> Operation:
        """The answer to what is done at once."""
        return Operation("", self.daemon.name, "", status="Success")


Route = Callable[[Asked], Any]
"""Returns the document for ``get``, a Download for what is streamed, an Operation for the rest."""


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else "0001-01-01T00:00:00Z"


def instance_json(one: Instance) -> Json:
    """An instance as the API writes it."""
    return {
        "name": one.ref.name,
        "project": one.ref.project,
        "type": one.type,
        "status": one.status,
        "architecture": one.architecture,
        "description": one.description,
        "ephemeral": one.ephemeral,
        "stateful": False,
        "location": one.location,
        "profiles": list(one.profiles),
        "created_at": _iso(one.created_at),
        "last_used_at": _iso(one.last_used_at),
        "config": dict(one.config),
        "devices": {name: dict(device) for name, device in one.devices.items()},
        "expanded_config": dict(one.expanded_config),
        "expanded_devices": {name: dict(two) for name, two in one.expanded_devices.items()},
        "snapshots": [snapshot_json(snapshot) for snapshot in one.snapshots],
    }


def snapshot_json(one: Snapshot) -> Json:
    """A snapshot as the API writes it."""
    return {
        "name": one.name,
        "created_at": _iso(one.created_at),
        "expires_at": _iso(one.expires_at),
        "stateful": one.stateful,
    }


def written(daemon: Daemon, now: Instance, body: Mapping[str, Any]) -> Instance:
    """An instance as *body* has it."""
    profiles = tuple(body.get("profiles", now.profiles))
    config: dict[str, str] = {}
    devices: dict[str, Mapping[str, str]] = {}
    for name in profiles:
        if name not in daemon.profiles:
            raise OperationError(f'{daemon.name}: Profile "{name}" not found')
        config |= daemon.profiles[name].config
        devices |= daemon.profiles[name].devices
    own, attached = dict(body.get("config", {})), dict(body.get("devices", {}))
    return replace(
        now,
        description=str(body.get("description", "")),
        ephemeral=bool(body.get("ephemeral", now.ephemeral)),
        profiles=profiles,
        config=own,
        expanded_config=config | own,
        devices=attached,
        expanded_devices=devices | attached,
        memory_limit=limit_bytes((config | own).get("limits.memory", ""), _MEMORY),
    )
