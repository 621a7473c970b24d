"""LXD and Incus over their common REST API.

Role: what the protocol asks, as paths and bodies for rest.py. Boundary: JSON comes in, model values
go out (wire.py); every failure leaves as LxtuiError. Threading: methods may run on any thread.
Longer than 400 lines because it answers the whole protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from threading import Event as Flag
from typing import Any
from urllib.parse import urlsplit

from lxtui import api
from lxtui.backend import channel, events, logins, sftp, wire
from lxtui.backend.base import Download, OnProgress, Stream
from lxtui.backend.rest import Rest, quoted
from lxtui.clock import utc_now
from lxtui.errors import ConflictError, NotFoundError, NotTrustedError, OperationError
from lxtui.model import (
    Devices,
    Event,
    Host,
    Instance,
    InstanceSpec,
    Member,
    MigrationOffer,
    Operation,
    Placement,
    Pool,
    Profile,
    Ref,
    Remote,
    StateAction,
)

_EVERYWHERE = {"all-projects": "true"}
_BACKUP_LIFE = timedelta(days=1)
"""After which the daemon itself removes a backup that nobody has removed."""


class LxdBackend:
    """One LXD or Incus daemon."""

    def __init__(self, remote: Remote) -> None:
        self._rest = Rest(remote)
        self._host: Host | None = None
        self._allowed: tuple[str, ...] | None = None
        """The projects that a restricted certificate may see; None: all, or not asked yet."""
        self._asked = False

    @property
    def remote(self) -> Remote:
        """Where it is and how we log in."""
        return self._rest.remote

    def connect(self) -> Host:
        """Ask the daemon who it is; opens the session at the first call."""
        server = self._rest.server
        if server.get("auth") != "trusted":
            logins.check(self.remote.name, self.remote.kind, logins.methods_of(server))
            raise NotTrustedError(
                f"{self.remote.name}: the host does not trust our certificate; on the host, "
                f"run '{self._rest.command} config trust add' with it, or add the remote again"
            )
        resources: Mapping[str, Any] = {}
        if "resources" in server.get("api_extensions", ()):
            # A restricted certificate may not read them.
            resources = self._rest.tolerated("resources", {})
        self._host = wire.host_from(self.remote, server, resources)
        return self._host

    def close(self) -> None:
        """Let go of the connections."""
        self._rest.close()

    def instances(self) -> tuple[Instance, ...]:
        """Every instance that we may see."""
        total = self._known().memory_total
        self._look_what_is_allowed()
        found = self._each_scope("instances", {"recursion": "2"})
        return tuple(
            wire.instance_from(self.remote.name, {**scope, **entry}, total)
            for scope, entries in found
            for entry in entries
        )

    def _look_what_is_allowed(self) -> None:
        """A restricted certificate may not ask for all projects; each of its own it may.

        Asked anew each time where it is restricted: it may be allowed another one meanwhile.
        """
        if not self._asked:
            try:
                self._rest.get("instances", _EVERYWHERE)
            except NotTrustedError:
                self._allowed = ()
            self._asked = True
        if self._allowed is not None:
            names = [wire.last_part(url) for url in self._rest.tolerated("projects", {}, ())]
            self._allowed = tuple(names) or (self.remote.project,)

    def instance(self, ref: Ref) -> Instance:
        """One instance as it is now."""
        total = self._known().memory_total
        path = f"instances/{quoted(ref.name)}"
        try:
            entry = self._rest.get(path, {"recursion": "1", **_project(ref)})
        except NotFoundError as error:
            raise NotFoundError(f"there is no instance {ref}: {error}") from error
        return wire.instance_from(self.remote.name, {"project": ref.project, **entry}, total)

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """What the daemon works at, event listeners and open shells aside."""
        if project:
            found = [self._rest.get("operations", {"recursion": "1", "project": project})]
        else:
            found = [one for _, one in self._each_scope("operations", {"recursion": "1"})]
        entries = {
            entry["id"]: entry
            for grouped in found
            for group in (grouped or {}).values()
            for entry in group
        }
        return tuple(
            wire.operation_from(self.remote.name, entry)
            for entry in entries.values()
            if entry.get("class") != "token"
        )

    def listen(self, on_event: Callable[[Event], None], stop: Flag) -> None:
        """Deliver events until *stop* is set."""
        self._look_what_is_allowed()
        for event in events.stream(self.remote, projects=self._allowed, stop=stop):
            on_event(event)

    def change_state(
        self, ref: Ref, action: StateAction, *, force: bool = False, timeout: int = 30
    ) -> Operation:
        """Start, stop or restart."""
        body = {"action": action.value, "force": force, "timeout": timeout, "stateful": False}
        return self._rest.begin("put", f"instances/{quoted(ref.name)}/state", _project(ref), body)

    def create_snapshot(self, ref: Ref, name: str) -> Operation:
        """Take a snapshot of the disk."""
        path = f"instances/{quoted(ref.name)}/snapshots"
        return self._rest.begin("post", path, _project(ref), {"name": name, "stateful": False})

    def restore_snapshot(self, ref: Ref, name: str, *, stateful: bool = False) -> Operation:
        """Put the instance back to the snapshot."""
        path = f"instances/{quoted(ref.name)}"
        body = {"restore": name, **({"stateful": True} if stateful else {})}
        return self._rest.begin("put", path, _project(ref), body)

    def delete_snapshot(self, ref: Ref, name: str) -> Operation:
        """Remove one snapshot."""
        path = f"instances/{quoted(ref.name)}/snapshots/{quoted(name)}"
        return self._rest.begin("delete", path, _project(ref))

    def delete_instance(self, ref: Ref) -> Operation:
        """Remove a stopped instance and its snapshots."""
        return self._rest.begin("delete", f"instances/{quoted(ref.name)}", _project(ref))

    def rename_instance(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""
        path = f"instances/{quoted(ref.name)}"
        return self._rest.begin("post", path, _project(ref), {"name": name})

    def create_backup(self, ref: Ref, name: str) -> Operation:
        """Have the daemon write the instance with its snapshots into a tar."""
        body = {
            "name": name,
            "compression_algorithm": "none",
            "optimized_storage": False,
            "instance_only": False,
            "expires_at": (utc_now() + _BACKUP_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._rest.begin(
            "post", f"instances/{quoted(ref.name)}/backups", _project(ref), body
        )

    def export(self, ref: Ref, name: str) -> AbstractContextManager[Download]:
        """Return the bytes of a backup, until the block ends."""
        path = f"instances/{quoted(ref.name)}/backups/{quoted(name)}/export"
        return self._rest.download(path, _project(ref))

    def delete_backup(self, ref: Ref, name: str) -> Operation:
        """Remove a backup."""
        path = f"instances/{quoted(ref.name)}/backups/{quoted(name)}"
        return self._rest.begin("delete", path, _project(ref))

    def execute(self, ref: Ref, argv: Sequence[str]) -> int:
        """Run a program inside a running instance; its exit status."""
        body = {
            "command": list(argv),
            "wait-for-websocket": False,
            "interactive": False,
            "record-output": False,
        }
        operation = self._rest.begin(
            "post", f"instances/{quoted(ref.name)}/exec", _project(ref), body
        )
        last: list[Operation] = [operation]
        self.wait(operation, last.append)
        status = last[-1].metadata.get("return")
        return status if isinstance(status, int) else 255

    def set_config(self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = "") -> None:
        """Set keys of the instance's own configuration; the ETag guards against other writers."""
        self._change(ref, changes, None, unless)

    def reconfigure(self, ref: Ref, changes: Mapping[str, str | None], devices: Devices) -> None:
        """Set keys, and all of its own devices at once."""
        self._change(ref, changes, devices, "")

    def _change(
        self,
        ref: Ref,
        changes: Mapping[str, str | None],
        devices: Devices | None,
        unless: str,
    ) -> None:
        path = f"instances/{quoted(ref.name)}"
        answer = self._rest.read(path, _project(ref))
        document = answer.value
        if unless in document.get("config", {}):
            raise ConflictError(f"{ref} has {unless} set already: somebody else is at it")
        config = {**document.get("config", {}), **changes}
        writable = ("architecture", "description", "devices", "ephemeral", "profiles", "stateful")
        body = {key: document[key] for key in writable if key in document}
        body["config"] = {key: value for key, value in config.items() if value is not None}
        if devices is not None:
            body["devices"] = {name: dict(device) for name, device in devices.items()}
        self.wait(self._rest.begin("put", path, _project(ref), body, answer.etag))

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation is done."""
        self._rest.wait(operation, on_progress)

    def cancel(self, operation: Operation) -> None:
        """Ask the daemon to give the operation up."""
        self._rest.cancel(operation)

    def read(self, path: api.Path, parameters: Mapping[str, str] | None = None) -> api.Document:
        """What a path answers."""
        return self._rest.read(_joined(path), parameters or {})

    def request(self, request: api.Request) -> Operation:
        """Ask for a change."""
        path, parameters = _joined(request.path), request.parameters
        return self._rest.begin(request.method, path, parameters, request.body, request.etag)

    def download(
        self, path: api.Path, parameters: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Download]:
        """The bytes that a path answers, until the block ends."""
        return self._rest.download(_joined(path), parameters or {})

    def upload(
        self,
        path: api.Path,
        parameters: Mapping[str, str],
        data: Stream,
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        """Send bytes to a path."""
        return self._rest.upload(_joined(path), parameters, data, headers or {})

    def placement(self, project: str) -> Placement:
        """What an instance that moves here could use."""
        scope = {"recursion": "1", "project": project}
        where = f"projects/{quoted(project)}"
        projects = self._rest.tolerated("projects", {"recursion": "1"}, ())
        every = {"recursion": "1", **_EVERYWHERE}
        instances = self._rest.tolerated("instances", every, None)
        if instances is None:  # a restricted certificate may not ask for all projects
            instances = self._rest.get("instances", scope)
        return Placement(
            profiles={
                str(entry["name"]): wire.profile_from(entry)
                for entry in self._rest.get("profiles", scope)
            },
            pools={
                str(entry["name"]): self._pool(entry, project)
                for entry in self._rest.get("storage-pools", {"recursion": "1"})
            },
            networks={
                str(entry["name"]): wire.network_from(entry)
                for entry in self._rest.get("networks", scope)
            },
            instance_names=frozenset(
                str(entry["name"])
                for entry in instances
                if entry.get("project", project) == project
            ),
            project=wire.strings(
                self._rest.tolerated(f"projects/{quoted(project)}", {}).get("config")
            ),
            quotas=wire.quotas_from(self._rest.tolerated(f"{where}/state", {})),
            addresses=wire.static_addresses(instances, projects, project),
            members=self.members(),
        )

    def members(self) -> dict[str, Member]:
        """Of the cluster; a certificate that may not see them is told of none."""
        if not self._known().clustered:
            return {}
        return wire.members_from(self._rest.tolerated("cluster/members", {"recursion": "1"}, ()))

    def _pool(self, entry: Mapping[str, Any], project: str) -> Pool:
        path = f"storage-pools/{quoted(str(entry['name']))}"
        resources = self._rest.tolerated(f"{path}/resources", {})
        scope = {"project": project}
        volumes = self._rest.tolerated(f"{path}/volumes/custom", scope, None)
        roots = self._rest.tolerated(f"{path}/volumes/container", scope, ())
        return wire.pool_from(entry, resources, volumes, roots)

    def create_profile(self, project: str, name: str, profile: Profile) -> None:
        """Make a profile that is not there yet."""
        body = {
            "name": name,
            "description": profile.description,
            "config": dict(profile.config),
            "devices": {key: dict(device) for key, device in profile.devices.items()},
        }
        self._rest.begin("post", "profiles", {"project": project}, body)

    def set_profile_config(
        self, project: str, name: str, changes: Mapping[str, str | None]
    ) -> None:
        """Set keys of a profile; the ETag guards against other writers."""
        path, scope = f"profiles/{quoted(name)}", {"project": project}
        answer = self._rest.read(path, scope)
        document = answer.value
        config = {**document.get("config", {}), **changes}
        body = {
            "description": document.get("description", ""),
            "devices": document.get("devices", {}),
            "config": {key: value for key, value in config.items() if value is not None},
        }
        self._rest.begin("put", path, scope, body, answer.etag)

    def delete_profile(self, project: str, name: str) -> None:
        """Remove a profile that nothing uses."""
        self._rest.begin("delete", f"profiles/{quoted(name)}", {"project": project})

    def live_refusal(self, ref: Ref) -> str:
        """Why the daemon would not begin to move it live: both kinds look for CRIU when asked."""
        body = {"name": ref.name, "migration": True, "live": True}
        try:
            path = f"instances/{quoted(ref.name)}"
            self.cancel(self._rest.begin("post", path, _project(ref), body))
        except OperationError as error:
            return str(error)
        return ""

    def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:
        """Open the instance for one copy."""
        operation = self._migrate(ref, spec, {})
        return MigrationOffer(
            operation=operation,
            addresses=self._addresses(),
            certificate=self._known().certificate,
            secrets=wire.migration_secrets(operation),
        )

    def send(self, ref: Ref, spec: InstanceSpec, sink: MigrationOffer, url: str) -> Operation:
        """Begin to push the instance into *sink*."""
        target = {
            "operation": url,
            "certificate": sink.certificate,
            "secrets": dict(sink.secrets),
        }
        return self._migrate(ref, spec, {"target": target})

    def _migrate(self, ref: Ref, spec: InstanceSpec, more: Mapping[str, Any]) -> Operation:
        body = {
            "name": ref.name,
            "migration": True,
            "live": spec.live,
            "instance_only": spec.instance_only,
            "container_only": spec.instance_only,
            "allow_inconsistent": spec.inconsistent,
            **more,
        }
        return self._rest.begin("post", f"instances/{quoted(ref.name)}", _project(ref), body)

    def _addresses(self) -> tuple[str, ...]:
        """Where other daemons may reach this one."""
        # What we reach it by comes first: of many advertised addresses it is the one that works.
        ours = [urlsplit(self.remote.address).netloc] if not self.remote.is_socket else []
        return tuple(dict.fromkeys([*ours, *self._known().addresses]))

    def accept(self, spec: InstanceSpec, offer: MigrationOffer, url: str) -> Operation:
        """Begin to make *spec* by pulling from *url*."""
        source = {
            "mode": "pull",
            "operation": url,
            "certificate": offer.certificate,
            "secrets": dict(offer.secrets),
        }
        return self._create(spec, source)

    def receive(self, spec: InstanceSpec) -> MigrationOffer:
        """Begin to make *spec* from what will be sent."""
        operation = self._create(spec, {"mode": "push"})
        return MigrationOffer(
            operation=operation,
            addresses=self._addresses(),
            certificate=self._known().certificate,
            secrets=wire.migration_secrets(operation),
        )

    def channel(self, offer: MigrationOffer, name: str) -> AbstractContextManager[channel.Channel]:
        """One channel of this host's side of a migration."""
        path = f"/1.0/operations/{offer.operation.id}/websocket?secret={offer.secrets[name]}"
        return channel.open_channel(self.remote, path)

    def files(self, ref: Ref) -> AbstractContextManager[sftp.Files]:
        """The files of an instance, until the block ends."""
        return sftp.open_files(self.remote, ref)

    def _create(self, spec: InstanceSpec, source: Mapping[str, Any]) -> Operation:
        body = {
            "name": spec.ref.name,
            "type": spec.type,
            "architecture": spec.architecture,
            "ephemeral": spec.ephemeral,
            "description": spec.description,
            "profiles": list(spec.profiles),
            "config": dict(spec.config),
            "devices": {name: dict(device) for name, device in spec.devices.items()},
            "source": {
                "type": "migration",
                "base-image": spec.config.get("volatile.base_image", ""),
                "live": spec.live,
                "instance_only": spec.instance_only,
                "container_only": spec.instance_only,
                "refresh": spec.refresh,
                "allow_inconsistent": spec.inconsistent,
                **source,
            },
        }
        where = {"target": spec.member} if spec.member else {}
        return self._rest.begin("post", "instances", {**_project(spec.ref), **where}, body)

    def _known(self) -> Host:
        return self._host or self.connect()

    def _each_scope(
        self, path: str, parameters: Mapping[str, str]
    ) -> list[tuple[dict[str, str], Any]]:
        """The answers over all projects, or those of each allowed one, with what was asked for."""
        if self._allowed is None:
            return [({}, self._rest.get(path, {**parameters, **_EVERYWHERE}))]
        scopes = [{"project": name} for name in self._allowed]
        return [(scope, self._rest.get(path, {**parameters, **scope})) for scope in scopes]


def _project(ref: Ref) -> dict[str, str]:
    return {"project": ref.project}


def _joined(path: api.Path) -> str:
    return "/".join(map(quoted, path))
