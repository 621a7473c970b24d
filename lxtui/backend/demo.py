"""A simulated fleet inside this process: for --demo, pictures, scale tests and first looks.

Role: behaves like a few LXD and Incus daemons, with names, delays and failures, behind the same
protocol; it proves nothing about real daemons and says so in its addresses. What they keep and work
at is in demo_daemon.py. Boundary: touches nothing outside this process. Threading: one lock guards
the whole fleet. Longer than 400 lines because it answers the whole protocol.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Event as Flag
from types import MappingProxyType

from lxtui import api
from lxtui.backend import demo_cluster, demo_rest
from lxtui.backend.base import Channel, Disk, Download, OnProgress, Stream
from lxtui.backend.demo_daemon import LINK, DemoDaemon, Shared, frozen
from lxtui.backend.demo_files import DemoFiles
from lxtui.backend.demo_seat import Seat
from lxtui.clock import Clock, utc_now
from lxtui.errors import (
    ConflictError,
    LxtuiError,
    NotFoundError,
    OperationError,
)
from lxtui.format import limit_bytes
from lxtui.model import (
    Devices,
    Event,
    Host,
    HostStatus,
    Instance,
    InstanceSpec,
    Kind,
    Member,
    MigrationOffer,
    Network,
    Operation,
    Placement,
    Pool,
    Profile,
    Quota,
    Ref,
    Remote,
    Snapshot,
    StateAction,
)

_GIB = 2**30
_MIB = 2**20
_TICK = 0.05
_MANY_HOSTS = 10
"""For every so many hosts their listeners look less often: threads that wake cost others time."""
_CHANGING = 20
"""Of a running instance, this part changes between two passes of a copy."""
_DESCRIPTIONS = {
    StateAction.START: "Starting instance",
    StateAction.STOP: "Stopping instance",
    StateAction.RESTART: "Restarting instance",
    StateAction.FREEZE: "Freezing instance",
    StateAction.UNFREEZE: "Unfreezing instance",
}
_BECOMES = {StateAction.STOP: "Stopped", StateAction.FREEZE: "Frozen"}
_SECONDS = {StateAction.START: 0.6, StateAction.STOP: 1.2, StateAction.RESTART: 1.8}
_SOON = 0.2
"""Seconds that anything else takes."""
DEVICES = {
    kind: {
        "root": {"type": "disk", "path": "/", "pool": "default"},
        "eth0": {"type": "nic", "network": bridge, "name": "eth0"},
    }
    for kind, bridge in ((Kind.LXD, "lxdbr0"), (Kind.INCUS, "incusbr0"))
}
"""The devices of each demo host's default profile."""


class DemoFleet(Shared):
    """The simulated daemons, and a backend for each."""

    def __init__(self, clock: Clock = utc_now, tempo: float = 1.0) -> None:
        super().__init__(clock, tempo)

    def add_host(self, name: str, kind: Kind, version: str, *, alive: bool = True) -> None:
        """Add an empty host."""
        self.daemons[name] = DemoDaemon(
            self,
            Host(
                name=name,
                kind=kind,
                address=f"demo://{name}",
                status=HostStatus.ONLINE,
                version=version,
                server_name=name,
                addresses=(f"{name}.demo:8443",),
                architectures=("x86_64", "i686"),
                cpus=16,
                memory_total=64 * _GIB,
            ),
            profiles={"default": Profile(DEVICES[kind], description="Default profile")},
            pools={"default": Pool("zfs", 500 * _GIB, frozenset())},
            networks={DEVICES[kind]["eth0"]["network"]: Network(("10.20.30.1/24",))},
            alive=alive,
        )

    def make_cluster(self, name: str, members: Mapping[str, str]) -> None:
        """Let a host be a cluster of these members, each with its state."""
        daemon = self.daemons[name]
        daemon.host = replace(daemon.host, clustered=True)
        daemon.documents |= demo_cluster.documents(name, members)
        daemon.pools = {
            pool: replace(one, members=frozenset(members)) for pool, one in daemon.pools.items()
        }

    def add_instance(self, instance: Instance, load: float = 0.0) -> None:
        """Add an instance to its host; *load* is the share of one CPU that it uses."""
        daemon = self.daemons[instance.ref.host]
        daemon.instances[instance.ref] = instance
        daemon.load[instance.ref] = load

    def backend(self, name: str) -> DemoBackend:
        """The backend of one host."""
        return DemoBackend(self, name)

    def backends(self) -> list[DemoBackend]:
        """One backend for each host."""
        return [self.backend(name) for name in self.daemons]


class DemoBackend:
    """One simulated daemon."""

    def __init__(self, fleet: DemoFleet, name: str) -> None:
        self._fleet = fleet
        self._name = name
        self.read_only = False

    @property
    def remote(self) -> Remote:
        """Its name and kind; the address is no address."""
        host = self._fleet.daemons[self._name].host
        return Remote(self._name, host.kind, host.address, read_only=self.read_only)

    def connect(self) -> Host:
        """The host, or no answer when it plays dead."""
        with self._fleet.lock:
            daemon = self._daemon()
            return replace(daemon.host, read_only=self.read_only)

    def close(self) -> None:
        """Nothing is held."""

    def instances(self) -> tuple[Instance, ...]:
        """All instances with their CPU time as of now."""
        with self._fleet.lock:
            daemon = self._daemon()
            return tuple(map(daemon.measured, daemon.instances.values()))

    def instance(self, ref: Ref) -> Instance:
        """One instance."""
        with self._fleet.lock:
            daemon = self._daemon()
            return daemon.measured(daemon.find(ref))

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """The operations that still run."""
        with self._fleet.lock:
            daemon = self._daemon()
            return tuple(
                daemon.seen(task)
                for task in daemon.tasks.values()
                if not task.settled and project in {"", task.project}
            )

    def members(self) -> dict[str, Member]:
        """Of a host that plays a cluster."""
        with self._fleet.lock:
            daemon = self._daemon()
            return demo_cluster.members(daemon.documents)

    def listen(self, on_event: Callable[[Event], None], stop: Flag) -> None:
        """Deliver what happens from now on."""
        with self._fleet.lock:
            position = self._daemon().told
        while not stop.wait(_TICK * (1 + len(self._fleet.daemons) // _MANY_HOSTS)):
            with self._fleet.lock:
                daemon = self._daemon()
                fresh, position = daemon.since(position), daemon.told
            for event in fresh:
                on_event(event)

    def change_state(
        self, ref: Ref, action: StateAction, *, force: bool = False, timeout: int = 30
    ) -> Operation:
        """Start, stop or restart, as strict about the present state as the daemons are."""
        with self._fleet.lock:
            daemon = self._daemon()
            instance = daemon.find(ref)
            if action is StateAction.START and instance.running:
                raise OperationError(f"{self._name}: The instance is already running")
            if action is not StateAction.START and instance.stopped:
                raise OperationError(f"{self._name}: The instance is already stopped")
            thawing = action is StateAction.UNFREEZE
            if (thawing or action is StateAction.FREEZE) and instance.running is thawing:
                raise OperationError(f"{self._name}: The instance is {instance.status.lower()}")
            stubborn = instance.config.get("user.demo.stubborn") == "true" and not force
            if stubborn and action in {StateAction.STOP, StateAction.RESTART}:
                return daemon.begin(
                    _DESCRIPTIONS[action],
                    ref,
                    float(timeout),
                    lambda: _fail(
                        "Failed shutting down instance, status is Running: "
                        "context deadline exceeded"
                    ),
                )
            seconds = _SOON if force else _SECONDS.get(action, _SOON)
            status = _BECOMES.get(action, "Running")
            return daemon.begin(
                _DESCRIPTIONS[action],
                ref,
                seconds,
                lambda: daemon.set_status(ref, status),
            )

    def create_snapshot(self, ref: Ref, name: str) -> Operation:
        """Take a snapshot."""
        with self._fleet.lock:
            daemon = self._daemon()
            if any(one.name == name for one in daemon.find(ref).snapshots):
                raise ConflictError(f'{self._name}: Snapshot "{name}" already exists')
            taken = Snapshot(name, self._fleet.clock())

            def effect() -> None:
                now = daemon.find(ref)
                daemon.put(replace(now, snapshots=(*now.snapshots, taken)))

            return daemon.begin("Snapshotting instance", ref, 0.4, effect)

    def restore_snapshot(self, ref: Ref, name: str, *, stateful: bool = False) -> Operation:
        """Put the instance back."""
        with self._fleet.lock:
            daemon = self._daemon()
            daemon.find_snapshot(ref, name)
            if stateful:  # of an instance that the demo has not saved
                raise OperationError(f"{daemon.name}: CRIU isn't installed")
            return daemon.begin("Restoring snapshot", ref, 0.8, lambda: None)

    def delete_snapshot(self, ref: Ref, name: str) -> Operation:
        """Remove one snapshot."""
        with self._fleet.lock:
            daemon = self._daemon()
            daemon.find_snapshot(ref, name)

            def effect() -> None:
                now = daemon.find(ref)
                left = tuple(one for one in now.snapshots if one.name != name)
                daemon.put(replace(now, snapshots=left))

            return daemon.begin("Deleting snapshot", ref, 0.3, effect)

    def delete_instance(self, ref: Ref) -> Operation:
        """Remove a stopped instance."""
        with self._fleet.lock:
            daemon = self._daemon()
            if not daemon.find(ref).stopped:
                raise OperationError(f"{self._name}: Instance is running")

            def effect() -> None:
                daemon.instances.pop(ref, None)
                self._fleet.disks.forget(ref)
                daemon.happened("instance-deleted", ref)

            return daemon.begin("Deleting instance", ref, 0.3, effect)

    def rename_instance(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""
        with self._fleet.lock:
            return self._daemon().rename(ref, name)

    def create_backup(self, ref: Ref, name: str) -> Operation:
        """Note its name."""
        with self._fleet.lock:
            daemon = self._daemon()
            if name in daemon.find(ref).backups:
                raise ConflictError(f'{self._name}: Backup "{name}" already exists')

            def effect() -> None:
                now = daemon.find(ref)
                daemon.put(replace(now, backups=(*now.backups, name)))

            return daemon.begin("Backing up instance", ref, 0.5, effect)

    def export(self, ref: Ref, name: str) -> AbstractContextManager[Stream]:
        """A tar of an empty disk."""
        with self._fleet.lock:
            if name not in self._daemon().find(ref).backups:
                raise NotFoundError(f"{self._name}: Instance backup not found")
        root = tarfile.TarInfo("backup/container/rootfs")
        root.type = tarfile.DIRTYPE
        return nullcontext(io.BytesIO(root.tobuf() + bytes(1024)))

    def delete_backup(self, ref: Ref, name: str) -> Operation:
        """Forget its name."""
        with self._fleet.lock:
            daemon = self._daemon()
            if name not in daemon.find(ref).backups:
                raise NotFoundError(f"{self._name}: Instance backup not found")

            def effect() -> None:
                now = daemon.find(ref)
                left = tuple(one for one in now.backups if one != name)
                daemon.put(replace(now, backups=left))

            return daemon.begin("Removing instance backup", ref, 0.1, effect)

    def execute(self, ref: Ref, argv: Sequence[str]) -> int:
        """Pretend to run a program: everything succeeds but what ends in ``false``."""
        with self._fleet.lock:
            if not self._daemon().find(ref).running:
                raise OperationError(f"{self._name}: Instance is not running")
        return 1 if argv[-1].endswith("false") else 0

    def set_config(self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = "") -> None:
        """Change keys of the configuration."""
        with self._fleet.lock:
            daemon = self._daemon()
            now = daemon.find(ref)
            if unless in now.config:
                raise ConflictError(f"{ref} has {unless} set already: somebody else is at it")
            merged = {**now.config, **changes}
            config = {key: value for key, value in merged.items() if value is not None}
            daemon.put(
                replace(now, config=MappingProxyType(config), expanded_config=frozen(config))
            )
            daemon.happened("instance-updated", ref)

    def reconfigure(self, ref: Ref, changes: Mapping[str, str | None], devices: Devices) -> None:
        """Change keys of the configuration, and the devices."""
        with self._fleet.lock:
            daemon = self._daemon()
            now = daemon.find(ref)
            every = daemon.expanded(now.profiles, devices)
            daemon.put(replace(now, devices=devices, expanded_devices=every))
            self.set_config(ref, changes)

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation's time has come."""
        while not operation.finished:
            with self._fleet.lock:
                self._daemon()
                task = self._daemon().tasks.get(operation.id)
                if task is None:
                    raise OperationError(f"{self._name}: Operation not found")
                seen = self._daemon().seen(task)
            if on_progress is not None:
                on_progress(seen)
            operation = seen
            if not seen.finished:
                time.sleep(_TICK)
        if operation.status != "Success":
            raise OperationError(f"{self._name}: {operation.error or operation.status}")

    def cancel(self, operation: Operation) -> None:
        """Give the operation up."""
        with self._fleet.lock:
            self._daemon().cancel(operation.id)

    def placement(self, project: str) -> Placement:
        """What this host was given; a fresh one has one pool, one network and one profile."""
        with self._fleet.lock:
            daemon = self._daemon()
            inside = [one for ref, one in daemon.instances.items() if ref.project == project]
            return Placement(
                profiles=dict(daemon.profiles),
                pools=dict(daemon.pools),
                networks=dict(daemon.networks),
                instance_names=frozenset(one.ref.name for one in inside),
                project=dict(daemon.project),
                quotas={
                    name: Quota(limit_bytes(daemon.project.get(f"limits.{name}", ""), None), used)
                    for name, used in (
                        ("instances", len(inside)),
                        ("memory", sum(one.memory_limit or 0 for one in inside)),
                    )
                },
                members=demo_cluster.members(daemon.documents),
            )

    def create_profile(self, project: str, name: str, profile: Profile) -> None:
        """Make a profile; the demo's projects share theirs."""
        with self._fleet.lock:
            daemon = self._daemon()
            if name in daemon.profiles:
                raise ConflictError(f'{self._name}: Profile "{name}" already exists in {project}')
            daemon.profiles[name] = profile
            daemon.happened_at("profile-created", ("profiles", name), project)

    def set_profile_config(
        self, project: str, name: str, changes: Mapping[str, str | None]
    ) -> None:
        """Change keys of a profile."""
        with self._fleet.lock:
            daemon = self._daemon()
            now = self._profile(project, name)
            merged = {**now.config, **changes}
            config = {key: value for key, value in merged.items() if value is not None}
            daemon.profiles[name] = replace(now, config=config)
            daemon.happened_at("profile-updated", ("profiles", name), project)

    def delete_profile(self, project: str, name: str) -> None:
        """Remove a profile that nothing uses."""
        with self._fleet.lock:
            daemon = self._daemon()
            self._profile(project, name)
            if any(name in one.profiles for one in daemon.instances.values()):
                raise OperationError(f"{self._name}: Profile is currently in use")
            del daemon.profiles[name]
            daemon.happened_at("profile-deleted", ("profiles", name), project)

    def _profile(self, project: str, name: str) -> Profile:
        try:
            return self._daemon().profiles[name]
        except KeyError:
            raise NotFoundError(f"{self._name}: Profile not found in {project}") from None

    def read(self, path: api.Path, parameters: Mapping[str, str] | None = None) -> api.Document:
        """What a path answers."""
        with self._fleet.lock:
            return demo_rest.read(Seat(self._daemon()), api.Request("get", path, parameters or {}))

    def request(self, request: api.Request) -> Operation:
        """Ask for a change."""
        with self._fleet.lock:
            return demo_rest.request(Seat(self._daemon()), request)

    def download(
        self, path: api.Path, parameters: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Download]:
        """The bytes that a path answers."""
        with self._fleet.lock:
            request = api.Request("get", path, parameters or {})
            return nullcontext(demo_rest.download(Seat(self._daemon()), request))

    def upload(
        self,
        path: api.Path,
        parameters: Mapping[str, str],
        data: Stream,
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        """Send bytes to a path."""
        body = b"".join(iter(lambda: data.read(_MIB), b""))  # what goes to the demo is small
        with self._fleet.lock:
            request = api.Request("post", path, parameters, (body, headers or {}))
            return demo_rest.request(Seat(self._daemon()), request)

    def live_refusal(self, ref: Ref) -> str:
        """Refuse as a daemon without CRIU does, where there is none."""
        with self._fleet.lock:
            daemon = self._daemon()
            daemon.find(ref)
            able = daemon.criu
        return "" if able else f"{self._name}: CRIU isn't installed on the source server"

    def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:  # noqa: ARG002 see base
        """Open the instance for one pull."""
        with self._fleet.lock:
            daemon = self._daemon()
            daemon.find(ref)
            operation = daemon.begin("Migrating instance", ref, 3600.0, lambda: None, slow=True)
            self._fleet.offers[operation.id] = (self._name, ref)
            secrets = {"control": "demo", "fs": "demo"}
            return MigrationOffer(operation, daemon.host.addresses, "", secrets)

    def accept(self, spec: InstanceSpec, offer: MigrationOffer, url: str) -> Operation:
        """Pull from another host of the same fleet."""
        with self._fleet.lock:
            daemon = self._daemon()
            if spec.ref in daemon.instances and not spec.refresh:
                raise ConflictError(f'{self._name}: Instance "{spec.ref.name}" already exists')
            if missing := [name for name in spec.profiles if name not in daemon.profiles]:
                raise OperationError(f"{self._name}: Profile not found: {missing[0]}")
            if spec.live and not daemon.criu:
                raise OperationError(f"{self._name}: CRIU isn't installed on the target server")
            source_name, source_ref = self._fleet.offers[url.rpartition("/")[2]]
            source = self._fleet.daemons[source_name]
            original = source.instances[source_ref]
            total = original.disk or 100 * _MIB
            if spec.refresh:
                total //= _CHANGING
            left = () if spec.instance_only else original.snapshots
            member = demo_cluster.placed(
                self._name, daemon.documents, daemon.instances.values(), spec.member
            )

            def effect() -> None:
                arrived = replace(
                    original,
                    ref=spec.ref,
                    status="Running" if spec.live else "Stopped",
                    config=frozen(spec.config),
                    expanded_config=frozen(spec.config),
                    devices=spec.devices,
                    expanded_devices=daemon.expanded(spec.profiles, spec.devices),
                    profiles=spec.profiles,
                    snapshots=left,
                    location=member,
                    ipv4=(),
                    ipv6=(),
                )
                daemon.instances[spec.ref] = arrived
                self._fleet.disks.copy(source_ref, spec.ref)
                if spec.live:
                    now = source.instances[source_ref]
                    source.instances[source_ref] = replace(now, status="Stopped")
                daemon.load[spec.ref] = source.load.get(source_ref, 0.0)
                self._fleet.offers.pop(offer.operation.id, None)
                task = source.tasks[offer.operation.id]
                task.settled = True
                task.operation = replace(task.operation, status="Success")
                daemon.happened("instance-created", spec.ref)

            return daemon.begin("Creating instance", spec.ref, total / LINK, effect, total=total)

    def receive(self, spec: InstanceSpec) -> MigrationOffer:
        """Refuse: the demo's hosts always reach each other."""
        raise LxtuiError(f"{spec.ref.host}: the demo fleet has no relayed copies")

    def send(self, ref: Ref, spec: InstanceSpec, sink: MigrationOffer, url: str) -> Operation:
        """Refuse: the demo's hosts pull."""
        raise LxtuiError(
            f"{ref.host}: the demo fleet pushes no {spec.ref} to {url} for {sink.operation.id}"
        )

    def files(self, ref: Ref) -> AbstractContextManager[Disk]:
        """A few files, and its processes while it runs."""
        with self._fleet.lock:
            daemon = self._daemon()
            used = daemon.measured(daemon.find(ref)).cpu_ns
            disk = self._fleet.disks.of(ref)
        seconds = None if used is None else used / 1e9
        return nullcontext(DemoFiles(self._name, disk, seconds, read_only=self.read_only))

    def channel(self, offer: MigrationOffer, name: str) -> AbstractContextManager[Channel]:
        """Refuse: the demo's hosts always reach each other."""
        raise LxtuiError(f"{offer.operation.host}: the demo fleet has no channel {name}")

    def _daemon(self) -> DemoDaemon:
        """This host's daemon with everything that is due applied; the lock is held."""
        daemon = self._fleet.daemons[self._name]
        daemon.settle()
        return daemon


def _fail(reason: str) -> None:
    raise OperationError(reason)
