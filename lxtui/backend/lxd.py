"""LXD and Incus over their common REST API.

Role: the only importer of pylxd. pylxd gives the session (unix sockets, TLS with the pinned
certificate) and the API nodes; its model classes are left aside: they lose state on recursion, act
forcefully by default, and delete a migration's source before the copy has ended. Boundary: JSON
comes in, model values go out (wire.py); every failure leaves as LxtuiError. Threading: methods may
run on any thread; they share one requests session, whose connection pools are thread-safe. Longer
than 400 lines because it answers the whole protocol.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import pylxd
import requests
import urllib3
from pylxd import exceptions
from pylxd.client import get_session_for_url

from lxtui.backend import channel, events, sftp, wire
from lxtui.backend.base import OnProgress, Stream
from lxtui.backend.failures import one_line, unreachable
from lxtui.backend.tls import PinnedAdapter, context, pinned, reachable
from lxtui.clock import utc_now
from lxtui.errors import (
    ConflictError,
    HostUnreachableError,
    LxtuiError,
    NotFoundError,
    NotTrustedError,
    OperationError,
    OperationLostError,
    ReadOnlyError,
    UnsupportedError,
)
from lxtui.model import (
    Devices,
    Event,
    Host,
    Instance,
    InstanceSpec,
    Kind,
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

# pylxd warns about every field that it does not know, on a screen that we own.
os.environ.setdefault("PYLXD_WARNINGS", "none")

_TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and to wait for an answer: a dead host must not hold a worker."""
_NOTHING: Mapping[str, Any] = {}
_EVERYWHERE = {"all-projects": "true"}
_WAIT_SECONDS = 1
"""How long one wait request may hang: the daemon answers at once when the operation ends, and
with its progress when the time is over."""
_BACKUP_LIFE = timedelta(days=1)
"""After which the daemon itself removes a backup that nobody has removed."""
_LOST_AFTER = 20.0
"""Seconds without an answer after which an operation's end counts as unknown."""


class LxdBackend:
    """One LXD or Incus daemon."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._client: Any = None
        self._host: Host | None = None
        self._opening = Lock()
        self._allowed: tuple[str, ...] | None = None
        """The projects that a restricted certificate may see; None: all, or not asked yet."""
        self._asked = False

    @property
    def remote(self) -> Remote:
        """Where it is and how we log in."""
        return self._remote

    def connect(self) -> Host:
        """Ask the daemon who it is; opens the session at the first call."""
        with self._translated():
            client = self._session_client()
            server = client.api.get(timeout=_TIMEOUT).json()["metadata"]
            if server.get("auth") != "trusted":
                raise NotTrustedError(
                    f"{self._remote.name}: the host does not trust our certificate; on the host, "
                    f"run '{self._command} config trust add' with it, or add the remote again"
                )
            resources: dict[str, Any] = {}
            if "resources" in server.get("api_extensions", ()):
                try:
                    resources = client.api.resources.get(timeout=_TIMEOUT).json()["metadata"]
                except exceptions.LXDAPIException:
                    resources = {}  # a restricted certificate may not read them
        self._host = wire.host_from(self._remote, server, resources)
        return self._host

    def close(self) -> None:
        """Let go of the connections."""
        self._forget()

    def _forget(self) -> None:
        with self._opening:
            if self._client is not None:
                self._client.api.session.close()
                self._client = None

    def instances(self) -> tuple[Instance, ...]:
        """Every instance that we may see."""
        total = self._known().memory_total
        self._look_what_is_allowed()
        found = self._each_scope("instances", {"recursion": "2"})
        return tuple(
            wire.instance_from(self._remote.name, {**scope, **entry}, total)
            for scope, entries in found
            for entry in entries
        )

    def _look_what_is_allowed(self) -> None:
        """A restricted certificate may not ask for all projects; each of its own it may.

        Asked anew each time where it is restricted: it may be allowed another one meanwhile.
        """
        if not self._asked:
            try:
                self._get("instances", _EVERYWHERE)
            except NotTrustedError:
                self._allowed = ()
            self._asked = True
        if self._allowed is not None:
            names = [wire.last_part(url) for url in self._tolerated("projects", {}, ())]
            self._allowed = tuple(names) or (self._remote.project,)

    def instance(self, ref: Ref) -> Instance:
        """One instance as it is now."""
        total = self._known().memory_total
        path = f"instances/{_quoted(ref.name)}"
        try:
            entry = self._get(path, {"recursion": "1", **_project(ref)})
        except NotFoundError as error:
            raise NotFoundError(f"there is no instance {ref}: {error}") from error
        return wire.instance_from(self._remote.name, {"project": ref.project, **entry}, total)

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """What the daemon works at, event listeners and open shells aside."""
        if project:
            found = [self._get("operations", {"recursion": "1", "project": project})]
        else:
            found = [one for _, one in self._each_scope("operations", {"recursion": "1"})]
        entries = {
            entry["id"]: entry
            for grouped in found
            for group in (grouped or {}).values()
            for entry in group
        }
        return tuple(
            wire.operation_from(self._remote.name, entry)
            for entry in entries.values()
            if entry.get("class") != "token"
        )

    def listen(self, on_event: Callable[[Event], None], stop: Flag) -> None:
        """Deliver events until *stop* is set."""
        self._look_what_is_allowed()
        for event in events.stream(self._remote, projects=self._allowed, stop=stop):
            on_event(event)

    def change_state(
        self, ref: Ref, action: StateAction, *, force: bool = False, timeout: int = 30
    ) -> Operation:
        """Start, stop or restart."""
        body = {"action": action.value, "force": force, "timeout": timeout, "stateful": False}
        return self._begin("put", f"instances/{_quoted(ref.name)}/state", _project(ref), body)

    def create_snapshot(self, ref: Ref, name: str) -> Operation:
        """Take a snapshot of the disk."""
        path = f"instances/{_quoted(ref.name)}/snapshots"
        return self._begin("post", path, _project(ref), {"name": name, "stateful": False})

    def restore_snapshot(self, ref: Ref, name: str) -> Operation:
        """Put the instance back to the snapshot."""
        path = f"instances/{_quoted(ref.name)}"
        return self._begin("put", path, _project(ref), {"restore": name})

    def delete_snapshot(self, ref: Ref, name: str) -> Operation:
        """Remove one snapshot."""
        path = f"instances/{_quoted(ref.name)}/snapshots/{_quoted(name)}"
        return self._begin("delete", path, _project(ref))

    def delete_instance(self, ref: Ref) -> Operation:
        """Remove a stopped instance and its snapshots."""
        return self._begin("delete", f"instances/{_quoted(ref.name)}", _project(ref))

    def rename_instance(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""
        path = f"instances/{_quoted(ref.name)}"
        return self._begin("post", path, _project(ref), {"name": name})

    def create_backup(self, ref: Ref, name: str) -> Operation:
        """Have the daemon write the instance with its snapshots into a tar."""
        body = {
            "name": name,
            "compression_algorithm": "none",
            "optimized_storage": False,
            "instance_only": False,
            "expires_at": (utc_now() + _BACKUP_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._begin("post", f"instances/{_quoted(ref.name)}/backups", _project(ref), body)

    @contextmanager
    def export(self, ref: Ref, name: str) -> Iterator[Stream]:
        """Return the bytes of a backup, until the block ends."""
        path = f"instances/{_quoted(ref.name)}/backups/{_quoted(name)}/export"
        with self._translated():
            answer = self._node(path).get(
                params=_project(ref), timeout=_TIMEOUT, stream=True, is_api=False
            )
        try:
            yield _Body(answer.raw, self._translated)
        finally:
            answer.close()

    def delete_backup(self, ref: Ref, name: str) -> Operation:
        """Remove a backup."""
        path = f"instances/{_quoted(ref.name)}/backups/{_quoted(name)}"
        return self._begin("delete", path, _project(ref))

    def execute(self, ref: Ref, argv: Sequence[str]) -> int:
        """Run a program inside a running instance; its exit status."""
        body = {
            "command": list(argv),
            "wait-for-websocket": False,
            "interactive": False,
            "record-output": False,
        }
        operation = self._begin("post", f"instances/{_quoted(ref.name)}/exec", _project(ref), body)
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
        path = f"instances/{_quoted(ref.name)}"
        with self._translated():
            node = self._node(path)
            answer = node.get(params=_project(ref), timeout=_TIMEOUT)
            document = answer.json()["metadata"]
            if unless in document.get("config", {}):
                raise ConflictError(f"{ref} has {unless} set already: somebody else is at it")
            config = {**document.get("config", {}), **changes}
            writable = (
                "architecture",
                "description",
                "devices",
                "ephemeral",
                "profiles",
                "stateful",
            )
            body = {key: document[key] for key in writable if key in document}
            body["config"] = {key: value for key, value in config.items() if value is not None}
            if devices is not None:
                body["devices"] = {name: dict(device) for name, device in devices.items()}
            etag = answer.headers.get("ETag")
            headers = {"If-Match": etag} if etag else {}
            response = node.put(
                params=_project(ref), json=body, headers=headers, timeout=_TIMEOUT
            ).json()
        self.wait(wire.operation_from(self._remote.name, response["metadata"]))

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation is done.

        A daemon that stops answering for a while does not end the wait; one that has forgotten the
        operation, or is gone for longer, leaves its end unknown, and that is an error.
        """
        heard = time.monotonic()
        while not operation.finished:
            try:
                entry = self._look(operation)
            except HostUnreachableError:
                if time.monotonic() - heard > _LOST_AFTER:
                    raise
                time.sleep(_WAIT_SECONDS)
                continue
            except NotFoundError as error:
                raise OperationLostError(
                    f"{self._remote.name}: lost track of {operation.description!r}: "
                    f"the daemon no longer knows it; look at the instance before you go on"
                ) from error
            heard = time.monotonic()
            operation = wire.operation_from(self._remote.name, entry)
            if on_progress is not None:
                on_progress(operation)
        if operation.status != "Success":
            reason = operation.error or operation.status
            raise OperationError(f"{self._remote.name}: {one_line(reason)}")

    def _look(self, operation: Operation) -> Any:
        """The operation after at most _WAIT_SECONDS, sooner when it ends."""
        path = f"operations/{_quoted(operation.id)}"
        try:
            return self._get(f"{path}/wait", {"timeout": str(_WAIT_SECONDS)})
        except OperationError:
            # LXD answers with the operation when the time is over, Incus with an error.
            return self._get(path, {})

    def cancel(self, operation: Operation) -> None:
        """Ask the daemon to give the operation up."""
        try:
            with self._translated():
                self._node(f"operations/{_quoted(operation.id)}").delete(timeout=_TIMEOUT)
        except (NotFoundError, OperationError):
            return  # it has ended by itself, or is of a kind that the daemon sees through

    def placement(self, project: str) -> Placement:
        """What an instance that moves here could use."""
        scope = {"recursion": "1", "project": project}
        projects = self._tolerated("projects", {"recursion": "1"}, ())
        every = {"recursion": "1", **_EVERYWHERE}
        instances = self._tolerated("instances", every, None)
        if instances is None:  # a restricted certificate may not ask for all projects
            instances = self._get("instances", scope)
        return Placement(
            profiles={
                str(entry["name"]): wire.profile_from(entry)
                for entry in self._get("profiles", scope)
            },
            pools={
                str(entry["name"]): self._pool(entry, project)
                for entry in self._get("storage-pools", {"recursion": "1"})
            },
            networks={
                str(entry["name"]): wire.network_from(entry)
                for entry in self._get("networks", scope)
            },
            instance_names=frozenset(
                str(entry["name"])
                for entry in instances
                if entry.get("project", project) == project
            ),
            project=wire.strings(self._tolerated(f"projects/{_quoted(project)}", {}).get("config")),
            quotas=wire.quotas_from(self._tolerated(f"projects/{_quoted(project)}/state", {})),
            addresses=wire.static_addresses(instances, projects, project),
            members=self._members(),
        )

    def _members(self) -> dict[str, Member]:
        if not self._known().clustered:
            return {}
        entries = self._tolerated("cluster/members", {"recursion": "1"}, ())
        return {str(entry["server_name"]): wire.member_from(entry) for entry in entries}

    def _pool(self, entry: Mapping[str, Any], project: str) -> Pool:
        path = f"storage-pools/{_quoted(str(entry['name']))}"
        resources = self._tolerated(f"{path}/resources", {})
        volumes = self._tolerated(f"{path}/volumes/custom", {"project": project}, None)
        return wire.pool_from(entry, resources, volumes)

    def _tolerated(self, path: str, parameters: Mapping[str, str], instead: Any = _NOTHING) -> Any:
        """What may be refused: to a restricted certificate, or by an older daemon."""
        try:
            return self._get(path, parameters)
        except (NotFoundError, NotTrustedError, OperationError):
            return instead

    def create_profile(self, project: str, name: str, profile: Profile) -> None:
        """Make a profile that is not there yet."""
        body = {
            "name": name,
            "description": profile.description,
            "config": dict(profile.config),
            "devices": {key: dict(device) for key, device in profile.devices.items()},
        }
        with self._translated():
            self._node("profiles").post(params={"project": project}, json=body, timeout=_TIMEOUT)

    def set_profile_config(
        self, project: str, name: str, changes: Mapping[str, str | None]
    ) -> None:
        """Set keys of a profile; the ETag guards against other writers."""
        with self._translated():
            node, scope = self._node(f"profiles/{_quoted(name)}"), {"project": project}
            answer = node.get(params=scope, timeout=_TIMEOUT)
            document = answer.json()["metadata"]
            config = {**document.get("config", {}), **changes}
            body = {
                "description": document.get("description", ""),
                "devices": document.get("devices", {}),
                "config": {key: value for key, value in config.items() if value is not None},
            }
            etag = answer.headers.get("ETag")
            node.put(
                params=scope,
                json=body,
                headers={"If-Match": etag} if etag else {},
                timeout=_TIMEOUT,
            )

    def delete_profile(self, project: str, name: str) -> None:
        """Remove a profile that nothing uses."""
        with self._translated():
            self._node(f"profiles/{_quoted(name)}").delete(
                params={"project": project}, timeout=_TIMEOUT
            )

    def live_refusal(self, ref: Ref) -> str:
        """Why the daemon would not begin to move it live: both kinds look for CRIU when asked."""
        body = {"name": ref.name, "migration": True, "live": True}
        try:
            path = f"instances/{_quoted(ref.name)}"
            self.cancel(self._begin("post", path, _project(ref), body))
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
            "live": False,
            "instance_only": spec.instance_only,
            "container_only": spec.instance_only,
            "allow_inconsistent": spec.inconsistent,
            **more,
        }
        return self._begin("post", f"instances/{_quoted(ref.name)}", _project(ref), body)

    def _addresses(self) -> tuple[str, ...]:
        """Where other daemons may reach this one."""
        # What we reach it by comes first: of many advertised addresses it is the one that works.
        ours = [urlsplit(self._remote.address).netloc] if not self._remote.is_socket else []
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
        return channel.open_channel(self._remote, path)

    def files(self, ref: Ref) -> AbstractContextManager[sftp.Files]:
        """The files of an instance, until the block ends."""
        return sftp.open_files(self._remote, ref)

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
                "live": False,
                "instance_only": spec.instance_only,
                "container_only": spec.instance_only,
                "refresh": spec.refresh,
                "allow_inconsistent": spec.inconsistent,
                **source,
            },
        }
        where = {"target": spec.member} if spec.member else {}
        return self._begin("post", "instances", {**_project(spec.ref), **where}, body)

    @property
    def _command(self) -> str:
        return "lxc" if self._remote.kind is Kind.LXD else "incus"

    def _known(self) -> Host:
        return self._host or self.connect()

    def _each_scope(
        self, path: str, parameters: Mapping[str, str]
    ) -> list[tuple[dict[str, str], Any]]:
        """The answers over all projects, or those of each allowed one, with what was asked for."""
        if self._allowed is None:
            return [({}, self._get(path, {**parameters, **_EVERYWHERE}))]
        scopes = [{"project": name} for name in self._allowed]
        return [(scope, self._get(path, {**parameters, **scope})) for scope in scopes]

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        with self._translated():
            answer = self._node(path).get(params=dict(parameters), timeout=_TIMEOUT)
            return answer.json()["metadata"]

    def _begin(
        self, method: str, path: str, parameters: Mapping[str, str], body: Any = None
    ) -> Operation:
        with self._translated():
            call = getattr(self._node(path), method)
            answer = call(params=dict(parameters), json=body, timeout=_TIMEOUT).json()
        return wire.operation_from(self._remote.name, answer["metadata"])

    def _node(self, path: str) -> Any:
        node = self._session_client().api
        for part in path.split("/"):
            node = node[part]
        return node

    def _session_client(self) -> Any:
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> Any:
        remote = self._remote
        if remote.auth_type != "tls":
            how = {"oidc": "OpenID Connect"}.get(remote.auth_type, repr(remote.auth_type))
            raise UnsupportedError(
                f"{remote.name}: logs in through {how}, which lxtui cannot do; have our "
                f"certificate trusted on the host ('{self._command} config trust add') and add "
                f"the remote under another name with --auth-type tls"
            )
        _check_files(remote)
        self._remote = remote = reachable(remote)
        if remote.is_socket:
            endpoint = remote.address
            url = f"http+unix://{quote(endpoint, safe='')}"
        else:
            endpoint = url = remote.address
            if not (remote.client_cert and remote.client_key):
                raise NotTrustedError(
                    f"{remote.name}: no client certificate; run '{self._command} remote list' "
                    f"once to make one, then add the host again"
                )
        session = get_session_for_url(url)
        if not remote.is_socket:
            session.mount("https://", PinnedAdapter(remote))
        # REQUESTS_CA_BUNDLE would override the pin, a proxy would sit in between.
        session.trust_env = False
        session.max_redirects = 0
        if remote.read_only:
            session.auth = _ReadOnly(remote.name)
        try:
            return pylxd.Client(endpoint=endpoint, session=session, timeout=_TIMEOUT)
        except BaseException:
            session.close()
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Whatever pylxd, requests or the daemon raise, as one sentence of ours."""
        name = self._remote.name
        try:
            yield
        except exceptions.NotFound as error:
            raise NotFoundError(f"{name}: {one_line(str(error))}") from error
        except exceptions.Conflict as error:
            raise ConflictError(f"{name}: {one_line(str(error))}") from error
        except exceptions.LXDAPIException as error:
            raise self._refused(error) from error
        except (
            exceptions.ClientConnectionFailed,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            if self._remote.others:
                self._forget()  # the next request looks which address answers now
            raise unreachable(self._remote, str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise HostUnreachableError(
                f"{name}: answers with something that is not the LXD or Incus API "
                f"({type(error).__name__}: {one_line(str(error))}); is the address right?"
            ) from error

    def _refused(self, error: exceptions.LXDAPIException) -> LxtuiError:
        name, status = self._remote.name, error.response.status_code
        said = one_line(str(error))
        if status in {requests.codes.forbidden, requests.codes.unauthorized}:
            return NotTrustedError(f"{name}: the host refuses our certificate: {said}")
        if status == requests.codes.unavailable:  # it is starting, or shutting down
            return HostUnreachableError(f"{name}: {said}")
        if status == requests.codes.precondition_failed:
            return ConflictError(f"{name}: somebody else changed it meanwhile; try again")
        return OperationError(f"{name}: {said}")


class _ReadOnly(requests.auth.AuthBase):
    """The last line before a read-only host: requests shows it each request before it is sent."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if request.method not in {"GET", "HEAD"}:
            raise ReadOnlyError(self._host)
        return request


def _check_files(remote: Remote) -> None:
    """Name the file that cannot be used: requests would only say that the connection failed."""
    if remote.server_cert:
        pinned(remote)
    if remote.client_cert and remote.client_key:
        try:
            context(remote)
        except (OSError, ssl.SSLError) as error:
            raise NotTrustedError(f"{remote.name}: {_key_trouble(remote, error)}") from error


def _key_trouble(remote: Remote, error: OSError) -> str:
    """What is wrong with the client's certificate or key, and what to do."""
    key = Path(remote.client_key or "")
    try:
        text = key.read_text("ascii", errors="replace")
    except OSError:
        text = ""
    if "OPENSSH" in text:
        return f"{key} is in OpenSSH's format; 'ssh-keygen -p -m PKCS8 -f {key}' converts it"
    if "ENCRYPTED" in text:
        return (
            f"{key} is encrypted, and lxtui asks for no passwords; take the password off with "
            f"'openssl pkey -in {key} -out {key}.open && mv {key}.open {key}', keeping it 0600"
        )
    return f"{remote.client_cert} and {remote.client_key} cannot be used ({error})"


class _Body:
    """The body of an answer, whose breaking off is an error of ours."""

    def __init__(self, raw: Any, translated: Callable[[], AbstractContextManager[None]]) -> None:
        self._raw = raw
        self._translated = translated

    def read(self, size: int, /) -> bytes:
        """At most *size* bytes."""
        with self._translated():
            data: bytes = self._raw.read(size)
        return data


def _project(ref: Ref) -> dict[str, str]:
    return {"project": ref.project}


def _quoted(part: str) -> str:
    return quote(part, safe="")
