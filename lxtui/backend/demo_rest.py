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
from dataclasses import replace
from typing import Any

from lxtui.api import Document, Path, Request
from lxtui.backend import (
    demo_cluster,
    demo_rest_acts,
    demo_rest_backups,
    demo_rest_detail,
    demo_rest_launch,
    demo_tables,
)
from lxtui.backend.base import Download
from lxtui.backend.demo_asked import (
    Asked,
    Daemon,
    Json,
    Route,
    instance_json,
    snapshot_json,
    written,
)
from lxtui.errors import ConflictError, NotFoundError, OperationError
from lxtui.format import timestamp
from lxtui.model import Operation, Profile, Snapshot


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
    """Of the parts that can be written: CPU time passes, and users come, without its doing."""
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if key not in {"state", "used_by"}}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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


def _put_profile(asked: Asked) -> Operation:
    demo_tables.profile(asked, asked.args[0])  # which says when there is none
    body = asked.request.body
    asked.daemon.profiles[asked.args[0]] = Profile(
        body.get("devices", {}), body.get("config", {}), str(body.get("description", ""))
    )
    return asked.done


ROUTES: Mapping[tuple[str, Path], Route] = {
    **demo_rest_detail.ROUTES,
    **demo_tables.ROUTES,
    **demo_cluster.ROUTES,
    **demo_rest_acts.ROUTES,
    **demo_rest_backups.ROUTES,
    **demo_rest_launch.ROUTES,
    ("get", ("instances", "*")): _instance,
    ("put", ("instances", "*")): _put_instance,
    ("post", ("instances", "*")): _rename_instance,
    ("post", ("instances", "*", "snapshots")): _take_snapshot,
    ("get", ("instances", "*", "snapshots", "*")): _snapshot,
    ("post", ("instances", "*", "snapshots", "*")): _rename_snapshot,
    ("put", ("instances", "*", "snapshots", "*")): _put_snapshot,
    ("put", ("profiles", "*")): _put_profile,
}
