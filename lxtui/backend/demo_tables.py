"""What the demo fleet has beside its instances.

Role: the answers about images, profiles, networks, pools, volumes, projects, warnings and
operations, out of what the simulated daemon knows and the documents that it was given. Boundary:
touches nothing outside the simulated daemon. Threading: called with the fleet's lock held. Longer
than 400 lines because it has eight kinds of things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from lxtui.api import Path
from lxtui.backend.demo_asked import Asked, Daemon, Json
from lxtui.errors import ConflictError, NotFoundError, OperationError
from lxtui.model import Instance, Kind, Operation

_NAMES = {Kind.LXD: "LXD", Kind.INCUS: "Incus"}


def within(daemon: Daemon, *path: str) -> list[Json]:
    """The documents right below *path*."""
    return [one for at, one in daemon.documents.items() if at[:-1] == path]


def _here(asked: Asked, found: Iterable[Json]) -> list[Json]:
    """Those of the project that was asked for."""
    if asked.request.parameters.get("all-projects") == "true":
        return list(found)
    wanted = _project(asked)
    return [one for one in found if one.get("project", "default") == wanted]


def _profiles(asked: Asked) -> list[Json]:
    """Those of the default project, and one of every project that has its own."""
    found = [profile(asked, one) for one in asked.daemon.profiles]
    for one in within(asked.daemon, "projects"):
        if one["config"].get("features.profiles") == "true":
            described = f"Default profile of {one['name']}"
            own = {"name": "default", "project": one["name"], "description": described}
            found.append({**own, "config": {}, "devices": {}, "used_by": []})
    return _here(asked, found)


def _at(asked: Asked) -> Json:
    path: Path = asked.request.path
    try:
        found: Json = asked.daemon.documents[path]
    except KeyError:
        raise NotFoundError(f"{asked.daemon.name}: {path[0]}: not found") from None
    return found


def _address(one: Instance) -> str:
    project = "" if one.ref.project == "default" else f"?project={quote(one.ref.project)}"
    return f"/1.0/instances/{quote(one.ref.name)}{project}"


def _users(instances: Iterable[Instance], key: str, name: str) -> list[str]:
    """The instances with a device whose *key* is *name*."""
    return [
        _address(one)
        for one in instances
        if any(device.get(key) == name for device in one.expanded_devices.values())
    ]


def profile(asked: Asked, name: str) -> Json:
    """One profile; NotFoundError when there is none of that name."""
    daemon = asked.daemon
    try:
        found = daemon.profiles[name]
    except KeyError:
        raise NotFoundError(f"{daemon.name}: Profile not found") from None
    return {
        "name": name,
        "description": found.description,
        "project": "default",
        "config": dict(found.config),
        "devices": {key: dict(device) for key, device in found.devices.items()},
        "used_by": [_address(one) for one in daemon.instances() if name in one.profiles],
    }


def _network(asked: Asked, name: str) -> Json:
    daemon = asked.daemon
    if name not in daemon.networks:
        return _at(asked)
    subnets = daemon.networks[name].subnets
    family = {":": "ipv6.address", ".": "ipv4.address"}
    config = {family[":" if ":" in subnet else "."]: subnet for subnet in subnets}
    profiles = [
        f"/1.0/profiles/{one}"
        for one, profile in daemon.profiles.items()
        if any(device.get("network") == name for device in profile.devices.values())
    ]
    return {
        "name": name,
        "type": "bridge",
        "managed": True,
        "status": "Created",
        "description": "",
        "project": "default",
        "config": {**config, "ipv4.nat": "true"},
        "used_by": [*profiles, *_users(daemon.instances(), "network", name)],
        "locations": ["none"],
        **daemon.documents.get(("edited", "networks", name), {}),
    }


def _leases(asked: Asked) -> list[Json]:
    """The addresses of the instances that run on the network."""
    name = asked.args[0]
    return [
        {"hostname": one.ref.name, "address": address, "type": "dynamic", "location": "none"}
        for one in asked.daemon.instances()
        if any(device.get("network") == name for device in one.expanded_devices.values())
        for address in one.ipv4
    ]


def _pool(asked: Asked, name: str) -> Json:
    daemon = asked.daemon
    try:
        pool = daemon.pools[name]
    except KeyError:
        raise NotFoundError(f"{daemon.name}: Storage pool not found") from None
    profiles = [
        f"/1.0/profiles/{one}"
        for one, profile in daemon.profiles.items()
        if any(device.get("pool") == name for device in profile.devices.values())
    ]
    volumes = [
        f"/1.0/storage-pools/{name}/volumes/custom/{one['name']}"
        for one in within(daemon, "storage-pools", name, "volumes", "custom")
    ]
    return {
        "name": name,
        "driver": pool.driver,
        "description": "",
        "status": "Created",
        "config": {"source": f"/dev/disk/by-id/{name}"},
        "used_by": [*profiles, *_users(daemon.instances(), "pool", name), *volumes],
        "locations": ["none"],
    }


def _resources(asked: Asked) -> Json:
    """The pool's space: what is free is known, the rest was given or made up."""
    daemon, name = asked.daemon, asked.args[0]
    given = daemon.documents.get(asked.request.path)
    if given is not None:
        return dict(given)
    free = daemon.pools[name].free or 0
    total = free * 2
    return {
        "space": {"used": total - free, "total": total},
        "inodes": {"used": 180_000, "total": 16_000_000},
    }


def _volumes(asked: Asked) -> list[Json]:
    """Of the instances and of people."""
    daemon, pool = asked.daemon, asked.args[0]
    theirs: list[Json] = [
        {
            "name": one.ref.name,
            "type": "virtual-machine" if one.type == "virtual-machine" else "container",
            "content_type": "block" if one.type == "virtual-machine" else "filesystem",
            "description": "",
            "project": one.ref.project,
            "location": one.location or "none",
            "created_at": one.created_at.isoformat() if one.created_at else "",
            "config": {},
            "used_by": [_address(one)],
        }
        for one in daemon.instances()
        if one.expanded_devices.get("root", {}).get("pool") == pool
    ]
    snapshots = [
        {**theirs[at], "name": f"{one.ref.name}/{snapshot.name}"}
        for at, one in enumerate(
            one
            for one in daemon.instances()
            if one.expanded_devices.get("root", {}).get("pool") == pool
        )
        for snapshot in one.snapshots
    ]
    custom = within(daemon, "storage-pools", pool, "volumes", "custom")
    return _here(asked, [*custom, *theirs, *snapshots])


def _default_project(asked: Asked) -> Json:
    daemon = asked.daemon
    features = ("images", "networks", "profiles", "storage.volumes")
    used = [_address(one) for one in daemon.instances() if one.ref.project == "default"]
    return {
        "name": "default",
        "description": f"Default {_NAMES[daemon.kind]} project",
        "config": {f"features.{one}": "true" for one in features},
        "used_by": [*used, *(f"/1.0/profiles/{one}" for one in daemon.profiles)],
    }


def _projects(asked: Asked) -> list[Json]:
    given = within(asked.daemon, "projects")
    return [_default_project(asked), *given]


def _project_state(asked: Asked) -> Json:
    daemon, name = asked.daemon, asked.args[0]
    inside = [one for one in daemon.instances() if one.ref.project == name]
    used = sum(one.memory_limit or 0 for one in inside)
    return {
        "resources": {
            "instances": {"Limit": -1, "Usage": len(inside)},
            "memory": {"Limit": -1, "Usage": used},
        }
    }


def _operation(project: str, one: Operation) -> Json:
    name = one.resources[0] if one.resources else ""
    where = "" if project == "default" else f"?project={quote(project)}"
    progress = f"{one.percent}%" if one.percent is not None else ""
    return {
        "id": one.id,
        "class": "task",
        "description": one.description,
        "status": one.status,
        "created_at": one.created_at.isoformat() if one.created_at else "",
        "may_cancel": one.processed is not None,
        "resources": {"instances": [f"/1.0/instances/{quote(name)}{where}"]} if name else {},
        "metadata": {"fs_progress": progress} if progress else None,
        "err": one.error,
        "location": "none",
    }


def _operations(asked: Asked) -> Json:
    running = [
        {**_operation(project, one), "project": project}
        for project, one in asked.daemon.operations()
    ]
    found = _here(asked, [*running, *within(asked.daemon, "operations")])
    return {"running": [{**one, "project": ""} for one in found]}


def _cancel(asked: Asked) -> Operation:
    daemon, name = asked.daemon, asked.args[0]
    running = {one.id: _operation(project, one) for project, one in daemon.operations()}
    running |= {one["id"]: one for one in within(daemon, "operations")}
    if name not in running:
        raise NotFoundError(f"{daemon.name}: Operation not found")
    if not running[name]["may_cancel"]:
        raise OperationError(f"{daemon.name}: This operation can't be cancelled")
    daemon.documents.pop(("operations", name), None)
    daemon.cancel(name)
    daemon.tell("operation-cancelled", ("operations", name), "default")
    return asked.done


def _delete(asked: Asked) -> Operation:
    """Forget a document that nothing uses."""
    daemon, path = asked.daemon, asked.request.path
    if _at(asked).get("used_by"):
        raise OperationError(f"{daemon.name}: It is currently in use")
    del daemon.documents[path]
    noun = {"storage-pools": "storage-volume"}.get(path[0], path[0].removesuffix("s"))
    daemon.tell(f"{noun}-deleted", path, _project(asked))
    return asked.done


def _create_volume(asked: Asked) -> Operation:
    """A custom volume that nothing uses yet."""
    daemon, body, path = asked.daemon, asked.request.body, asked.request.path
    where = (*path, body["name"])
    if where in daemon.documents:
        raise ConflictError(f"{daemon.name}: Volume by that name already exists")
    daemon.documents[where] = {
        "name": body["name"],
        "type": "custom",
        "content_type": body.get("content_type", "filesystem"),
        "description": body.get("description", ""),
        "config": dict(body.get("config", {})),
        "project": _project(asked),
        "location": "none",
        "created_at": daemon.now.isoformat(),
        "used_by": [],
    }
    daemon.tell("storage-volume-created", where, _project(asked))
    return asked.done


def _put_network(asked: Asked) -> Operation:
    """What was written replaces what the daemon has made up."""
    before, body = _network(asked, asked.args[0]), asked.request.body
    asked.daemon.documents["edited", *asked.request.path] = {
        "description": str(body.get("description", before["description"])),
        "config": dict(body.get("config", {})),
    }
    asked.daemon.tell("network-updated", asked.request.path, _project(asked))
    return asked.done


def _delete_profile(asked: Asked) -> Operation:
    name = asked.args[0]
    if profile(asked, name)["used_by"] or name == "default":
        raise OperationError(f"{asked.daemon.name}: Profile is currently in use")
    del asked.daemon.profiles[name]
    asked.daemon.tell("profile-deleted", asked.request.path, _project(asked))
    return asked.done


def _refresh(asked: Asked) -> Operation:
    path: Path = asked.request.path[:-1]
    if not asked.daemon.documents.get(path, {}).get("update_source"):
        raise OperationError(f"{asked.daemon.name}: Image has no update source")
    asked.daemon.tell("image-refreshed", path, _project(asked))
    return asked.done


def _add_alias(asked: Asked) -> Operation:
    daemon, body = asked.daemon, asked.request.body
    images: Mapping[str, Json] = {one["fingerprint"]: one for one in within(daemon, "images")}
    if any(one["name"] == body["name"] for image in images.values() for one in image["aliases"]):
        raise ConflictError(f'{daemon.name}: Alias "{body["name"]}" already exists')
    if body["target"] not in images:
        raise NotFoundError(f"{daemon.name}: Image not found")
    image = images[body["target"]]
    added = {"name": body["name"], "description": body.get("description", "")}
    daemon.documents["images", body["target"]] = {**image, "aliases": [*image["aliases"], added]}
    daemon.tell("image-alias-created", ("images", "aliases", body["name"]), _project(asked))
    return asked.done


def _aliases(asked: Asked) -> list[Json]:
    images = within(asked.daemon, "images")
    return [{**alias, "target": one["fingerprint"]} for one in images for alias in one["aliases"]]


def _remove_alias(asked: Asked) -> Operation:
    daemon, name = asked.daemon, asked.args[0]
    for image in within(daemon, "images"):
        left = [one for one in image["aliases"] if one["name"] != name]
        if len(left) != len(image["aliases"]):
            daemon.documents["images", image["fingerprint"]] = {**image, "aliases": left}
            daemon.tell("image-alias-deleted", ("images", "aliases", name), _project(asked))
            return asked.done
    raise NotFoundError(f"{daemon.name}: Image alias not found")


def _acknowledge(asked: Asked) -> Operation:
    path = asked.request.path
    state = asked.request.body["status"]
    asked.daemon.documents[path] = {**_at(asked), "status": state}
    asked.daemon.tell("warning-acknowledged", path, "default")
    return asked.done


def _project(asked: Asked) -> str:
    return str(asked.request.parameters.get("project", "default"))


ROUTES: Mapping[tuple[str, Path], Any] = {
    ("get", ("images",)): lambda asked: _here(asked, within(asked.daemon, "images")),
    ("get", ("images", "aliases")): _aliases,
    ("get", ("images", "*")): _at,
    ("delete", ("images", "*")): _delete,
    ("post", ("images", "*", "refresh")): _refresh,
    ("post", ("images", "aliases")): _add_alias,
    ("delete", ("images", "aliases", "*")): _remove_alias,
    ("get", ("profiles",)): _profiles,
    ("get", ("profiles", "*")): lambda asked: profile(asked, asked.args[0]),
    ("delete", ("profiles", "*")): _delete_profile,
    ("get", ("networks",)): lambda asked: _here(
        asked,
        [
            *(_network(asked, one) for one in asked.daemon.networks),
            *within(asked.daemon, "networks"),
        ],
    ),
    ("get", ("networks", "*")): lambda asked: _network(asked, asked.args[0]),
    ("get", ("networks", "*", "state")): lambda _: {
        "mtu": 1500,
        "state": "up",
        "type": "broadcast",
    },
    ("get", ("networks", "*", "leases")): _leases,
    ("put", ("networks", "*")): _put_network,
    ("delete", ("networks", "*")): _delete,
    ("get", ("storage-pools",)): lambda asked: [_pool(asked, one) for one in asked.daemon.pools],
    ("get", ("storage-pools", "*")): lambda asked: _pool(asked, asked.args[0]),
    ("get", ("storage-pools", "*", "resources")): _resources,
    ("get", ("storage-pools", "*", "volumes")): _volumes,
    ("get", ("storage-pools", "*", "volumes", "*", "*")): _at,
    ("post", ("storage-pools", "*", "volumes", "custom")): _create_volume,
    ("delete", ("storage-pools", "*", "volumes", "custom", "*")): _delete,
    ("get", ("projects",)): _projects,
    ("get", ("projects", "*", "state")): _project_state,
    ("get", ("warnings",)): lambda asked: within(asked.daemon, "warnings"),
    ("get", ("warnings", "*")): _at,
    ("put", ("warnings", "*")): _acknowledge,
    ("delete", ("warnings", "*")): _delete,
    ("get", ("operations",)): _operations,
    ("delete", ("operations", "*")): _cancel,
}
"""Method and path, as in demo_rest."""
