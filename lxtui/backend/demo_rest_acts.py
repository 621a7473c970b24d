"""What the demo fleet answers to publishing and to copies of images.

Role: a table of paths, as in demo_rest.py. Boundary: touches nothing outside the simulated daemon.
Threading: called with the fleet's lock held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lxtui.api import Path
from lxtui.backend.demo_asked import Asked, Route
from lxtui.errors import NotFoundError, OperationError
from lxtui.model import Operation, Ref


def _post_image(asked: Asked) -> Operation:
    """An image of an instance, or one of another host."""
    return (_fetch if asked.request.body["source"]["type"] == "image" else _publish)(asked)


def _fetch(asked: Asked) -> Operation:
    """A copy of another host's image."""
    daemon, body = asked.daemon, asked.request.body
    source = body["source"]
    path = ("images", str(source["fingerprint"]))
    image = daemon.at(str(source["server"]).removeprefix("https://")).get(path)
    if image is None or not (image["public"] or source.get("secret")):
        raise NotFoundError(f"{daemon.name}: Image not found")
    copy = {**image, "aliases": list(body["aliases"]), "public": body["public"], "used_by": []}
    copy |= {"uploaded_at": daemon.now.isoformat(), "auto_update": False}
    project = asked.request.parameters.get("project", "default")

    def effect() -> None:
        daemon.documents[path] = copy
        daemon.tell("image-created", path, project)

    return daemon.begin("Downloading image", Ref(daemon.name, project, path[1]), 2.0, effect)


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


ROUTES: Mapping[tuple[str, Path], Route] = {
    ("post", ("images",)): _post_image,
}
