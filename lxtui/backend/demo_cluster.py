"""A simulated host that is a cluster: its members, who is on which, evacuation.

Role: the documents of members, where an instance is placed, what becomes of those of a member that
is evacuated. Boundary: touches nothing outside the simulated daemon. Threading: called with the
fleet's lock held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lxtui.api import Path
from lxtui.backend import wire
from lxtui.backend.demo_asked import Asked, Daemon, Route
from lxtui.errors import NotFoundError, OperationError
from lxtui.model import Instance, Member, Operation, Ref

ORIGIN = "volatile.evacuate.origin"
"""Of an instance that was moved away: the member to which it belongs."""
_SECONDS = 3.0
"""That an evacuation takes."""
_MESSAGES = {
    "Online": "Fully operational",
    "Evacuated": "Unavailable due to maintenance",
    "Offline": "No heartbeat for 3h12m7.204s",
}
Documents = dict[Path, dict[str, Any]]


def documents(host: str, members: Mapping[str, str]) -> Documents:
    """Of a cluster whose members are in these states; the first leads."""
    found: Documents = {}
    for at, (name, status) in enumerate(members.items()):
        roles = ["database", *([] if at else ["database-leader"])]
        found["cluster", "members", name] = {
            "server_name": name,
            "url": f"https://{name}.{host}.demo:8443",
            "status": status,
            "message": _MESSAGES[status],
            "roles": roles,
            "architecture": "x86_64",
            "failure_domain": "default",
            "groups": ["default"],
            "description": "",
        }
    return found


def members(documents: Documents) -> dict[str, Member]:
    """Of a host with these documents; none where it is no cluster."""
    return wire.members_from([one for at, one in documents.items() if at[:-1] == _MEMBERS])


def placed(host: str, documents: Documents, instances: Iterable[Instance], wanted: str = "") -> str:
    """The member on which a new instance is: the *wanted* one, else the one with the fewest.

    Empty where there is no cluster. OperationError when it cannot be on that one, or on any.
    """
    known = members(documents)
    if wanted and wanted not in known:
        raise NotFoundError(f'{host}: Cluster member "{wanted}" not found')
    online = [name for name, one in known.items() if one.online]
    if wanted:
        if wanted not in online:
            raise OperationError(f'{host}: Cluster member "{wanted}" is not online')
        return wanted
    if known and not online:
        raise OperationError(f"{host}: No cluster member is online")
    load = Counter(one.location for one in instances)
    return min(online, key=lambda name: load[name], default="")


def need_member(host: str, documents: Documents, instance: Instance) -> None:
    """OperationError when the member that has the instance is not there."""
    member = members(documents).get(instance.location)
    if member is not None and member.status == "Offline":
        raise OperationError(f"{host}: Missing event connection with target cluster member")


def _state(asked: Asked) -> Operation:
    """Evacuate a member, or take it into use again."""
    daemon, path, name = asked.daemon, asked.request.path[:-1], asked.args[0]
    document = daemon.documents.get(path)
    if document is None:
        raise NotFoundError(f"{daemon.name}: Cluster member not found")
    away = asked.request.body["action"] == "evacuate"
    before, after = ("Online", "Evacuated") if away else ("Evacuated", "Online")
    if document["status"] != before:
        raise OperationError(f"{daemon.name}: Cluster member is {document['status'].lower()}")

    def effect() -> None:
        daemon.documents[path] = {**document, "status": after, "message": _MESSAGES[after]}
        (_leave if away else _return)(daemon, name)
        daemon.tell("cluster-member-updated", path, "default")

    what = "Evacuating cluster member" if away else "Restoring cluster member"
    return daemon.begin(what, Ref(daemon.name, "default", name), _SECONDS, effect)


def _leave(daemon: Daemon, member: str) -> None:
    """Each goes elsewhere, or is stopped, as its ``cluster.evacuate`` says."""
    for one in daemon.instances():
        if one.location != member:
            continue
        config = {**one.config, ORIGIN: member}
        if one.expanded_config.get("cluster.evacuate") == "stop":
            daemon.put(_with(replace(one, status="Stopped", ipv4=()), config))
        else:
            there = placed(daemon.name, daemon.documents, daemon.instances())
            daemon.put(_with(replace(one, location=there), config))


def _return(daemon: Daemon, member: str) -> None:
    """What was moved away comes back."""
    for one in daemon.instances():
        if one.config.get(ORIGIN) == member:
            config = {key: value for key, value in one.config.items() if key != ORIGIN}
            status = "Running" if one.location == member else one.status
            daemon.put(_with(replace(one, location=member, status=status), config))


def _with(one: Instance, config: dict[str, str]) -> Instance:
    others = {key: value for key, value in one.expanded_config.items() if key != ORIGIN}
    return replace(
        one,
        config=MappingProxyType(config),
        expanded_config=MappingProxyType(others | config),
    )


def _list(asked: Asked) -> list[dict[str, Any]]:
    found = [one for at, one in asked.daemon.documents.items() if at[:-1] == _MEMBERS]
    if not found:
        raise OperationError(f"{asked.daemon.name}: Server is not clustered")
    return found


def _one(asked: Asked) -> dict[str, Any]:
    try:
        return asked.daemon.documents[asked.request.path]
    except KeyError:
        raise NotFoundError(f"{asked.daemon.name}: Cluster member not found") from None


_MEMBERS = ("cluster", "members")
ROUTES: Mapping[tuple[str, Path], Route] = {
    ("get", _MEMBERS): _list,
    ("get", (*_MEMBERS, "*")): _one,
    ("post", (*_MEMBERS, "*", "state")): _state,
}
"""Method and path, as in demo_rest."""
