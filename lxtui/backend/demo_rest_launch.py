"""What the demo fleet answers when an instance is made of an image.

Role: an image's secret, the new instance. Boundary: demo_rest.py's.
Threading: called with the fleet's lock held.
"""

from __future__ import annotations

from lxtui.backend import demo_cluster
from lxtui.backend.demo_asked import Asked, written
from lxtui.backend.demo_rest_backups import import_
from lxtui.backend.demo_tables import within
from lxtui.errors import ConflictError, NotFoundError, OperationError
from lxtui.model import Instance, Operation, Ref

_SECONDS = 3.0
"""To fetch and unpack an image."""


def lend(asked: Asked) -> Operation:
    """A secret for one image."""
    if not any(one["fingerprint"] == asked.args[0] for one in within(asked.daemon, "images")):
        raise NotFoundError(f"{asked.daemon.name}: Image not found")
    secret = {"secret": f"secret-of-{asked.args[0][:12]}"}
    return Operation("", asked.daemon.name, "Image download token", "Running", metadata=secret)


def create(asked: Asked) -> Operation:
    """An instance of an image of its own, or of one that is fetched."""
    daemon, body = asked.daemon, asked.request.body
    if isinstance(body, tuple):  # a file was sent
        return import_(asked, *body)
    project = asked.request.parameters.get("project", "default")
    ref, source = Ref(daemon.name, project, str(body["name"])), body["source"]
    if any(one.ref == ref for one in daemon.instances()):
        raise ConflictError(f'{daemon.name}: Instance "{ref.name}" already exists')
    here = [one["fingerprint"] for one in within(daemon, "images")]
    if "server" not in source and source.get("fingerprint") not in here:
        raise NotFoundError(f"{daemon.name}: Image not found")
    born = Instance(
        ref,
        "Stopped",
        type=str(body["type"]),
        architecture="x86_64",
        created_at=daemon.now,
        location=demo_cluster.placed(
            daemon.name,
            daemon.documents,
            daemon.instances(),
            asked.request.parameters.get("target", ""),
        ),
    )
    made = written(daemon, born, body)
    if not any(one.get("path") == "/" for one in made.expanded_devices.values()):
        raise OperationError(f"{daemon.name}: No root device could be found")

    def effect() -> None:
        daemon.put(made)
        daemon.tell("instance-created", ("instances", ref.name), project)

    return daemon.begin("Creating instance", ref, _SECONDS, effect)


ROUTES = {
    ("post", ("instances",)): create,
    ("post", ("images", "*", "secret")): lend,
}
"""Method and path, as in demo_rest."""
