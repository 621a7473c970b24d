"""What the demo fleet answers to exporting and importing.

Role: backups with an index and nothing else in them; an instance of such a file. Boundary:
demo_rest.py's. Threading: called with the fleet's lock held.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace

import yaml

from lxtui.backend.base import Download
from lxtui.backend.demo_asked import Asked, instance_json, written
from lxtui.errors import ConflictError, NotFoundError, OperationError
from lxtui.model import Instance, Operation, Ref

_SECONDS = 1.0
_PADDING = 4 * 1024 * 1024
"""Bytes of nothing, so that there is something to see on its way."""


def _make(asked: Asked) -> Operation:
    daemon, ref, name = asked.daemon, asked.ref, str(asked.request.body["name"])
    if name in daemon.instance(ref).backups:
        raise ConflictError(f'{daemon.name}: Backup "{name}" already exists')

    def effect() -> None:
        now = daemon.instance(ref)
        daemon.put(replace(now, backups=(*now.backups, name)))

    return daemon.begin("Backing up instance", ref, _SECONDS, effect)


def _export(asked: Asked) -> Download:
    instance = asked.daemon.instance(asked.ref)
    if asked.args[1] not in instance.backups:
        raise NotFoundError(f"{asked.daemon.name}: Instance backup not found")
    index = {"name": instance.ref.name, "config": {"container": instance_json(instance)}}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in (
            ("backup/index.yaml", yaml.safe_dump(index).encode()),
            ("backup/container/rootfs/nothing", bytes(_PADDING)),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Download(io.BytesIO(made.getvalue()), len(made.getvalue()), {})


def import_(asked: Asked, content: bytes, headers: Mapping[str, str]) -> Operation:
    """An instance of a file that was sent."""
    daemon = asked.daemon
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            member = archive.extractfile("backup/index.yaml")
            index = yaml.safe_load(member.read()) if member is not None else {}
    except (tarfile.TarError, KeyError) as error:
        raise OperationError(f"{daemon.name}: not a backup: {error}") from error
    said = {key.rpartition("-")[2].lower(): value for key, value in headers.items()}
    project = asked.request.parameters.get("project", "default")
    ref = Ref(daemon.name, project, said.get("name", str(index["name"])))
    if any(one.ref == ref for one in daemon.instances()):
        raise ConflictError(f'{daemon.name}: Instance "{ref.name}" already exists')
    born = Instance(ref, "Stopped", created_at=daemon.now)
    made = written(daemon, born, index["config"]["container"])

    def effect() -> None:
        daemon.put(made)
        daemon.tell("instance-created", ("instances", ref.name), project)

    return daemon.begin("Restoring backup", ref, _SECONDS, effect)


ROUTES = {
    ("post", ("instances", "*", "backups")): _make,
    ("get", ("instances", "*", "backups", "*", "export")): _export,
}
"""Method and path, as in demo_rest."""
