"""What the demo fleet answers to publishing, and to the evacuation of a cluster member.

Role: a table of paths, as in demo_rest.py. Boundary: touches nothing outside the simulated daemon.
Threading: called with the fleet's lock held.
"""

from __future__ import annotations

import hashlib

from lxtui.backend.demo_asked import Asked
from lxtui.errors import NotFoundError, OperationError
from lxtui.model import Operation, Ref


def _member_state(asked: Asked) -> Operation:
    """Only its state: the demo's instances stay where they are."""
    daemon, path = asked.daemon, asked.request.path[:-1]
    member = daemon.documents.get(path)
    if member is None:
        raise NotFoundError(f"{daemon.name}: Cluster member not found")
    away = asked.request.body["action"] == "evacuate"
    state = ("Evacuated", "Unavailable due to maintenance") if away else ("Online", "Operational")
    daemon.documents[path] = {**member, "status": state[0], "message": state[1]}
    daemon.tell("cluster-member-updated", path, "default")
    return asked.done


def _publish(asked: Asked) -> Operation:
    """An image without content."""
    daemon, body = asked.daemon, asked.request.body
    source = str(body["source"]["name"])
    name = source.partition("/")[0]
    ref = Ref(daemon.name, asked.request.parameters.get("project", "default"), name)
    instance = daemon.instance(ref)
    if "/" not in source and not instance.stopped:
        raise OperationError(f"{daemon.name}: The container is running")
    fingerprint = hashlib.sha256(f"{daemon.name}{source}{daemon.now}".encode()).hexdigest()

    def effect() -> None:
        daemon.documents["images", fingerprint] = {
            "fingerprint": fingerprint,
            "aliases": list(body.get("aliases", [])),
            "architecture": instance.architecture,
            "type": instance.type,
            "public": bool(body.get("public")),
            "size": instance.disk or 0,
            "properties": {},
            "project": ref.project,
            "created_at": daemon.now.isoformat(),
            "uploaded_at": daemon.now.isoformat(),
        }
        daemon.tell("image-created", ("images", fingerprint), ref.project)

    return daemon.begin("Downloading image", ref, 1.0, effect)


ROUTES = {
    ("post", ("images",)): _publish,
    ("post", ("cluster", "members", "*", "state")): _member_state,
}
