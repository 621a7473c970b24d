"""What the demo fleet answers to plain requests.

Role: the paths of the API with what stands behind them; a feature that reads documents and sends
requests adds its paths to ROUTES here, and nothing to the protocol. Boundary: touches nothing
outside the simulated daemon. Threading: called with the fleet's lock held.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from lxtui.api import Document, Path, Request
from lxtui.backend import demo_rest_acts, demo_rest_detail, demo_rest_launch, demo_tables
from lxtui.backend.base import Download
from lxtui.errors import ConflictError, NotFoundError, OperationError
from lxtui.format import limit_bytes, timestamp
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


def read(daemon: Daemon, request: Request) -> Document:
    """The answer to a ``get``, with an ETag made of what it says."""
    value = _routed(daemon, request)
    return Document(value, _etag(value))


def request(daemon: Daemon, request: Request) -> Operation:
    """The answer to anything else."""
    if request.etag and request.method in {"put", "patch"}:
        now = _routed(daemon, Request("get", request.path, request.parameters))
        if _etag(now) != request.etag:
            raise ConflictError(f"{daemon.name}: somebody else changed it meanwhile; try again")
    answer: Operation = _routed(daemon, request)
    return answer


def download(daemon: Daemon, request: Request) -> Download:
    """What is streamed."""
    answer = _routed(daemon, request)
    if isinstance(answer, Download):
        return answer
    body = answer if isinstance(answer, bytes) else json.dumps({"metadata": answer}).encode()
    return Download(io.BytesIO(body), len(body), {})


def _routed(daemon: Daemon, request: Request) -> Any:
    for (method, pattern), route in ROUTES.items():
        args = _matched(pattern, request.path) if method == request.method else None
        if args is not None:
            return route(Asked(daemon, request, args))
    path = "/".join(request.path)
    raise NotFoundError(f"{daemon.name}: the demo fleet does not answer {request.method} {path}")


def _matched(pattern: Path, path: Path) -> Path | None:
    if len(pattern) != len(path):
        return None
    if any(one not in {"*", part} for one, part in zip(pattern, path, strict=True)):
        return None
    return tuple(part for one, part in zip(pattern, path, strict=True) if one == "*")


def _etag(value: Any) -> str:
    """Of the parts that can be written: CPU time passes without anybody's doing."""
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if key != "state"}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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


def _instance(asked: Asked) -> Json:
    return instance_json(asked.daemon.instance(asked.ref))


def _rename_instance(asked: Asked) -> Operation:
    return asked.daemon.rename(asked.ref, str(asked.request.body["name"]))


def _put_instance(asked: Asked) -> Operation:
    """Replace what can be written of an instance."""
    daemon, ref, body = asked.daemon, asked.ref, asked.request.body
    daemon.instance(ref)

    def effect() -> None:
        daemon.put(written(daemon, daemon.instance(ref), body))

    return daemon.begin("Updating instance", ref, 0.2, effect)


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


def _snapshot_of(asked: Asked) -> Snapshot:
    found = asked.daemon.instance(asked.ref).snapshots
    try:
        return next(one for one in found if one.name == asked.args[1])
    except StopIteration:
        raise NotFoundError(f"{asked.daemon.name}: Snapshot not found") from None


def _snapshot(asked: Asked) -> Json:
    """With the configuration that it was taken with; the demo's first ones have today's."""
    one, instance = _snapshot_of(asked), asked.daemon.instance(asked.ref)
    return {
        **instance_json(replace(instance, config=one.config or instance.config)),
        **snapshot_json(one),
    }


def _take_snapshot(asked: Asked) -> Operation:
    daemon, ref, body = asked.daemon, asked.ref, asked.request.body
    instance = daemon.instance(ref)
    if any(one.name == body["name"] for one in instance.snapshots):
        raise ConflictError(f'{daemon.name}: Snapshot "{body["name"]}" already exists')
    if body.get("stateful"):
        raise OperationError(
            f"{daemon.name}: Unable to create a stateful snapshot. CRIU isn't installed"
        )
    expires = timestamp(str(body.get("expires_at", "")))
    taken = Snapshot(str(body["name"]), daemon.now, expires, config=dict(instance.config))

    def effect() -> None:
        now = daemon.instance(ref)
        daemon.put(replace(now, snapshots=(*now.snapshots, taken)))

    return daemon.begin("Snapshotting instance", ref, 0.4, effect)


def _change_snapshot(asked: Asked, change: Callable[[Snapshot], Snapshot]) -> Operation:
    daemon, ref, old = asked.daemon, asked.ref, _snapshot_of(asked)

    def effect() -> None:
        now = daemon.instance(ref)
        changed = (change(one) if one.name == old.name else one for one in now.snapshots)
        daemon.put(replace(now, snapshots=tuple(changed)))

    return daemon.begin("Updating snapshot", ref, 0.1, effect)


def _rename_snapshot(asked: Asked) -> Operation:
    name = str(asked.request.body["name"])
    return _change_snapshot(asked, lambda one: replace(one, name=name))


def _put_snapshot(asked: Asked) -> Operation:
    expires = timestamp(str(asked.request.body.get("expires_at", "")))
    return _change_snapshot(asked, lambda one: replace(one, expires_at=expires))


def _profile(asked: Asked) -> Json:
    name = asked.args[0]
    if name not in asked.daemon.profiles:
        raise NotFoundError(f"{asked.daemon.name}: Profile not found")
    one = asked.daemon.profiles[name]
    return {
        "name": name,
        "description": one.description,
        "config": dict(one.config),
        "devices": {key: dict(device) for key, device in one.devices.items()},
    }


def _put_profile(asked: Asked) -> Operation:
    _profile(asked)
    body = asked.request.body
    asked.daemon.profiles[asked.args[0]] = Profile(
        body.get("devices", {}), body.get("config", {}), str(body.get("description", ""))
    )
    return asked.done


ROUTES: Mapping[tuple[str, Path], Route] = {
    **demo_rest_detail.ROUTES,
    **demo_tables.ROUTES,
    **demo_rest_acts.ROUTES,
    **demo_rest_launch.ROUTES,
    ("get", ("instances", "*")): _instance,
    ("put", ("instances", "*")): _put_instance,
    ("post", ("instances", "*")): _rename_instance,
    ("post", ("instances", "*", "snapshots")): _take_snapshot,
    ("get", ("instances", "*", "snapshots", "*")): _snapshot,
    ("post", ("instances", "*", "snapshots", "*")): _rename_snapshot,
    ("put", ("instances", "*", "snapshots", "*")): _put_snapshot,
    ("get", ("profiles", "*")): _profile,
    ("put", ("profiles", "*")): _put_profile,
}
