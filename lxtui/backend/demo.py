"""A simulated fleet inside this process: for --demo, pictures, scale tests and first looks.

Role: behaves like a few LXD and Incus daemons, with names, delays and failures, behind the same
protocol; it proves nothing about real daemons and says so in its addresses. Boundary: touches
nothing outside this process. Threading: one lock guards the whole fleet; what an operation changes
is applied by whoever looks first after its time has come, so there are no threads here. Longer than
400 lines because it answers the whole protocol.
"""

from __future__ import annotations

import io
import itertools
import tarfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from threading import Event as Flag
from threading import RLock
from types import MappingProxyType
from typing import Any

from lxtui import api
from lxtui.backend import demo_cluster, demo_rest
from lxtui.backend.base import Channel, Disk, Download, OnProgress, Stream
from lxtui.backend.demo_files import DemoFiles, Disks
from lxtui.clock import Clock, utc_now
from lxtui.errors import (
    ConflictError,
    HostUnreachableError,
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
_REMEMBERED = 1000
"""Events of a host that a listener can still be told of."""
_ENDED = 50
"""Operations that a host still knows after their end."""
_LINK = 80 * _MIB
"""Simulated bytes a second between hosts."""
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


@dataclass
class _Task:
    """An operation with the moment at which it ends, and what it then does."""

    operation: Operation
    project: str
    started: datetime
    seconds: float
    effect: Callable[[], None]
    total: int | None = None
    settled: bool = False


@dataclass
class _Daemon:
    host: Host
    instances: dict[Ref, Instance] = field(default_factory=dict)
    tasks: dict[str, _Task] = field(default_factory=dict)
    load: dict[Ref, float] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    told: int = 0
    """How many events there were in all."""
    profiles: dict[str, Profile] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    project: dict[str, str] = field(default_factory=dict)
    """The configuration of every project: its limits and restrictions."""
    documents: dict[api.Path, dict[str, Any]] = field(default_factory=dict)
    """What requests have written that nothing else here knows of."""
    alive: bool = True
    criu: bool = False
    """Whether it can save and bring back running state."""

    def tell(self, event: Event) -> None:
        """Let the listeners have it."""
        self.events.append(event)
        self.told += 1

    def since(self, position: int) -> list[Event]:
        """The events after the first *position*, as far as they are remembered."""
        return list(islice(reversed(self.events), self.told - position))[::-1]


class DemoFleet:
    """The simulated daemons; ``tempo`` scales every delay (0: all at once)."""

    def __init__(self, clock: Clock = utc_now, tempo: float = 1.0) -> None:
        self.clock = clock
        self.tempo = tempo
        self.lock = RLock()
        self.daemons: dict[str, _Daemon] = {}
        self.offers: dict[str, tuple[str, Ref]] = {}
        self.numbers = itertools.count(1)
        self.disks = Disks()
        self.life: Callable[[str], None] = lambda _: None
        """Lets happen on a host what happens there by itself."""

    def add_host(self, name: str, kind: Kind, version: str, *, alive: bool = True) -> None:
        """Add an empty host."""
        self.daemons[name] = _Daemon(
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
            return replace(self._daemon().host, read_only=self.read_only)

    def close(self) -> None:
        """Nothing is held."""

    def instances(self) -> tuple[Instance, ...]:
        """All instances with their CPU time as of now."""
        with self._fleet.lock:
            daemon = self._daemon()
            return tuple(self._measured(daemon, one) for one in daemon.instances.values())

    def instance(self, ref: Ref) -> Instance:
        """One instance."""
        with self._fleet.lock:
            return self._measured(self._daemon(), self._find(ref))

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """The operations that still run."""
        with self._fleet.lock:
            return tuple(
                self._seen(task)
                for task in self._daemon().tasks.values()
                if not task.settled and project in {"", task.project}
            )

    def members(self) -> dict[str, Member]:
        """Of a host that plays a cluster."""
        with self._fleet.lock:
            return demo_cluster.members(self._daemon().documents)

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
            instance = self._find(ref)
            if action is StateAction.START and instance.running:
                raise OperationError(f"{self._name}: The instance is already running")
            if action is not StateAction.START and instance.stopped:
                raise OperationError(f"{self._name}: The instance is already stopped")
            thawing = action is StateAction.UNFREEZE
            if (thawing or action is StateAction.FREEZE) and instance.running is thawing:
                raise OperationError(f"{self._name}: The instance is {instance.status.lower()}")
            stubborn = instance.config.get("user.demo.stubborn") == "true" and not force
            if stubborn and action in {StateAction.STOP, StateAction.RESTART}:
                return self._begin(
                    _DESCRIPTIONS[action],
                    ref,
                    float(timeout),
                    lambda: self._fail(
                        "Failed shutting down instance, status is Running: "
                        "context deadline exceeded"
                    ),
                )
            seconds = _SOON if force else _SECONDS.get(action, _SOON)
            status = _BECOMES.get(action, "Running")
            return self._begin(
                _DESCRIPTIONS[action],
                ref,
                seconds,
                lambda: self._set_status(ref, status),
            )

    def create_snapshot(self, ref: Ref, name: str) -> Operation:
        """Take a snapshot."""
        with self._fleet.lock:
            if any(one.name == name for one in self._find(ref).snapshots):
                raise ConflictError(f'{self._name}: Snapshot "{name}" already exists')
            taken = Snapshot(name, self._fleet.clock())

            def effect() -> None:
                now = self._find(ref)
                self._put(replace(now, snapshots=(*now.snapshots, taken)))

            return self._begin("Snapshotting instance", ref, 0.4, effect)

    def restore_snapshot(self, ref: Ref, name: str) -> Operation:
        """Put the instance back."""
        with self._fleet.lock:
            self._find_snapshot(ref, name)
            return self._begin("Restoring snapshot", ref, 0.8, lambda: None)

    def delete_snapshot(self, ref: Ref, name: str) -> Operation:
        """Remove one snapshot."""
        with self._fleet.lock:
            self._find_snapshot(ref, name)

            def effect() -> None:
                now = self._find(ref)
                left = tuple(one for one in now.snapshots if one.name != name)
                self._put(replace(now, snapshots=left))

            return self._begin("Deleting snapshot", ref, 0.3, effect)

    def delete_instance(self, ref: Ref) -> Operation:
        """Remove a stopped instance."""
        with self._fleet.lock:
            if not self._find(ref).stopped:
                raise OperationError(f"{self._name}: Instance is running")

            def effect() -> None:
                self._daemon().instances.pop(ref, None)
                self._fleet.disks.forget(ref)
                self._tell("instance-deleted", ref)

            return self._begin("Deleting instance", ref, 0.3, effect)

    def rename_instance(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""
        with self._fleet.lock:
            if not self._find(ref).stopped:
                raise OperationError(f"{self._name}: Instance is running")
            renamed = ref._replace(name=name)

            def effect() -> None:
                if renamed in self._daemon().instances:
                    raise OperationError(f'{self._name}: Instance "{name}" already exists')
                now = self._daemon().instances.pop(ref)
                self._fleet.disks.copy(ref, renamed)
                self._fleet.disks.forget(ref)
                self._put(replace(now, ref=renamed, config=frozen(_renamed(now.config))))

            return self._begin("Renaming instance", ref, 0.2, effect)

    def create_backup(self, ref: Ref, name: str) -> Operation:
        """Note its name."""
        with self._fleet.lock:
            if name in self._find(ref).backups:
                raise ConflictError(f'{self._name}: Backup "{name}" already exists')

            def effect() -> None:
                now = self._find(ref)
                self._put(replace(now, backups=(*now.backups, name)))

            return self._begin("Backing up instance", ref, 0.5, effect)

    def export(self, ref: Ref, name: str) -> AbstractContextManager[Stream]:
        """A tar of an empty disk."""
        with self._fleet.lock:
            if name not in self._find(ref).backups:
                raise NotFoundError(f"{self._name}: Instance backup not found")
        root = tarfile.TarInfo("backup/container/rootfs")
        root.type = tarfile.DIRTYPE
        return nullcontext(io.BytesIO(root.tobuf() + bytes(1024)))

    def delete_backup(self, ref: Ref, name: str) -> Operation:
        """Forget its name."""
        with self._fleet.lock:
            if name not in self._find(ref).backups:
                raise NotFoundError(f"{self._name}: Instance backup not found")

            def effect() -> None:
                now = self._find(ref)
                left = tuple(one for one in now.backups if one != name)
                self._put(replace(now, backups=left))

            return self._begin("Removing instance backup", ref, 0.1, effect)

    def execute(self, ref: Ref, argv: Sequence[str]) -> int:
        """Pretend to run a program: everything succeeds but what ends in ``false``."""
        with self._fleet.lock:
            if not self._find(ref).running:
                raise OperationError(f"{self._name}: Instance is not running")
        return 1 if argv[-1].endswith("false") else 0

    def set_config(self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = "") -> None:
        """Change keys of the configuration."""
        with self._fleet.lock:
            now = self._find(ref)
            if unless in now.config:
                raise ConflictError(f"{ref} has {unless} set already: somebody else is at it")
            merged = {**now.config, **changes}
            config = {key: value for key, value in merged.items() if value is not None}
            self._put(replace(now, config=MappingProxyType(config), expanded_config=frozen(config)))
            self._tell("instance-updated", ref)

    def reconfigure(self, ref: Ref, changes: Mapping[str, str | None], devices: Devices) -> None:
        """Change keys of the configuration, and the devices."""
        with self._fleet.lock:
            daemon, now = self._daemon(), self._find(ref)
            every = _expanded(daemon, now.profiles, devices)
            self._put(replace(now, devices=devices, expanded_devices=every))
            self.set_config(ref, changes)

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation's time has come."""
        while not operation.finished:
            with self._fleet.lock:
                self._daemon()
                task = self._daemon().tasks.get(operation.id)
                if task is None:
                    raise OperationError(f"{self._name}: Operation not found")
                seen = self._seen(task)
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
            task = self._daemon().tasks.get(operation.id)
            if task is not None and not task.settled:
                task.settled = True
                task.operation = replace(task.operation, status="Cancelled")
                self._fleet.offers.pop(operation.id, None)

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
            if name in self._daemon().profiles:
                raise ConflictError(f'{self._name}: Profile "{name}" already exists in {project}')
            self._daemon().profiles[name] = profile
            self._tell_of("profile-created", ("profiles", name), project)

    def set_profile_config(
        self, project: str, name: str, changes: Mapping[str, str | None]
    ) -> None:
        """Change keys of a profile."""
        with self._fleet.lock:
            now = self._profile(project, name)
            merged = {**now.config, **changes}
            config = {key: value for key, value in merged.items() if value is not None}
            self._daemon().profiles[name] = replace(now, config=config)
            self._tell_of("profile-updated", ("profiles", name), project)

    def delete_profile(self, project: str, name: str) -> None:
        """Remove a profile that nothing uses."""
        with self._fleet.lock:
            self._profile(project, name)
            if any(name in one.profiles for one in self._daemon().instances.values()):
                raise OperationError(f"{self._name}: Profile is currently in use")
            del self._daemon().profiles[name]
            self._tell_of("profile-deleted", ("profiles", name), project)

    def _profile(self, project: str, name: str) -> Profile:
        try:
            return self._daemon().profiles[name]
        except KeyError:
            raise NotFoundError(f"{self._name}: Profile not found in {project}") from None

    def read(self, path: api.Path, parameters: Mapping[str, str] | None = None) -> api.Document:
        """What a path answers."""
        with self._fleet.lock:
            return demo_rest.read(_Asked(self), api.Request("get", path, parameters or {}))

    def request(self, request: api.Request) -> Operation:
        """Ask for a change."""
        with self._fleet.lock:
            return demo_rest.request(_Asked(self), request)

    def download(
        self, path: api.Path, parameters: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Download]:
        """The bytes that a path answers."""
        with self._fleet.lock:
            request = api.Request("get", path, parameters or {})
            return nullcontext(demo_rest.download(_Asked(self), request))

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
            return demo_rest.request(_Asked(self), request)

    def live_refusal(self, ref: Ref) -> str:
        """Refuse as a daemon without CRIU does, where there is none."""
        with self._fleet.lock:
            self._find(ref)
            able = self._daemon().criu
        return "" if able else f"{self._name}: CRIU isn't installed on the source server"

    def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:  # noqa: ARG002 see base
        """Open the instance for one pull."""
        with self._fleet.lock:
            self._find(ref)
            operation = self._begin("Migrating instance", ref, 3600.0, lambda: None, slow=True)
            self._fleet.offers[operation.id] = (self._name, ref)
            secrets = {"control": "demo", "fs": "demo"}
            return MigrationOffer(operation, self._daemon().host.addresses, "", secrets)

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
                    expanded_devices=_expanded(daemon, spec.profiles, spec.devices),
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
                self._tell("instance-created", spec.ref)

            return self._begin("Creating instance", spec.ref, total / _LINK, effect, total=total)

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
            used = self._measured(self._daemon(), self._find(ref)).cpu_ns
            disk = self._fleet.disks.of(ref)
        seconds = None if used is None else used / 1e9
        return nullcontext(DemoFiles(self._name, disk, seconds, read_only=self.read_only))

    def channel(self, offer: MigrationOffer, name: str) -> AbstractContextManager[Channel]:
        """Refuse: the demo's hosts always reach each other."""
        raise LxtuiError(f"{offer.operation.host}: the demo fleet has no channel {name}")

    def _daemon(self) -> _Daemon:
        """This host's daemon with everything that is due applied; the lock is held."""
        daemon = self._fleet.daemons[self._name]
        if not daemon.alive:
            raise HostUnreachableError(f"{self._name}: no answer (this demo host plays dead)")
        self._fleet.life(self._name)
        now = self._fleet.clock()
        for task in list(daemon.tasks.values()):
            if not task.settled and (now - task.started).total_seconds() >= task.seconds:
                task.settled = True
                try:
                    task.effect()
                except OperationError as error:
                    task.operation = replace(task.operation, status="Failure", error=str(error))
                else:
                    task.operation = replace(task.operation, status="Success")
        return daemon

    def _begin(
        self,
        description: str,
        ref: Ref,
        seconds: float,
        effect: Callable[[], None],
        *,
        total: int | None = None,
        slow: bool = False,
    ) -> Operation:
        operation = Operation(
            id=f"demo-{next(self._fleet.numbers)}",
            host=self._name,
            description=description,
            created_at=self._fleet.clock(),
            resources=(ref.name,),
        )
        task = _Task(
            operation,
            ref.project,
            self._fleet.clock(),
            seconds if slow else seconds * self._fleet.tempo,
            effect,
            total,
        )
        tasks = self._fleet.daemons[self._name].tasks
        for old in [number for number, one in tasks.items() if one.settled][:-_ENDED]:
            del tasks[old]
        tasks[operation.id] = task
        return operation

    def _seen(self, task: _Task) -> Operation:
        if task.total is None or task.settled:
            return task.operation
        share = (self._fleet.clock() - task.started).total_seconds() / (task.seconds or 1)
        done = int(task.total * min(share, 1.0))
        return replace(task.operation, processed=done, rate=_LINK, percent=int(share * 100))

    def _measured(self, daemon: _Daemon, instance: Instance) -> Instance:
        if not instance.running or instance.created_at is None:
            return replace(instance, cpu_ns=None, memory=None, processes=None)
        lived = self._fleet.clock() - instance.created_at
        used = lived.total_seconds() * daemon.load.get(instance.ref, 0.0)
        limit = instance.memory_limit or 2 * _GIB
        memory = int(limit * min(0.2 + 0.6 * daemon.load.get(instance.ref, 0.0), 0.95))
        return replace(instance, cpu_ns=int(used * 1e9), memory=memory, processes=12)

    def _find(self, ref: Ref) -> Instance:
        instance = self._daemon().instances.get(ref)
        if instance is None:
            raise NotFoundError(f"there is no instance {ref}")
        demo_cluster.need_member(self._name, self._daemon().documents, instance)
        return instance

    def _find_snapshot(self, ref: Ref, name: str) -> None:
        if not any(one.name == name for one in self._find(ref).snapshots):
            raise NotFoundError(f"{self._name}: Snapshot not found: {ref.name}/{name}")

    def _put(self, instance: Instance) -> None:
        self._fleet.daemons[self._name].instances[instance.ref] = instance
        self._tell("instance-updated", instance.ref)

    def _set_status(self, ref: Ref, status: str) -> None:
        instance = self._fleet.daemons[self._name].instances[ref]
        number = sum(map(ord, ref.name)) % 250 + 2
        address = (f"10.20.30.{number}",) if status == "Running" else ()
        starts = status == "Running" and not instance.frozen
        used = self._fleet.clock() if starts else instance.last_used_at
        self._put(replace(instance, status=status, ipv4=address, last_used_at=used))

    def _fail(self, reason: str) -> None:
        raise OperationError(reason)

    def _tell(self, action: str, ref: Ref) -> None:
        self._tell_of(action, ("instances", ref.name), ref.project)

    def _tell_of(self, action: str, path: api.Path, project: str) -> None:
        """Tell the listeners what happened to what is at *path*."""
        source = "/1.0/" + "/".join(path)
        event = Event(self._name, "lifecycle", action, source, project)
        self._fleet.daemons[self._name].tell(event)


class _Asked:
    """A simulated daemon as demo_rest sees it; the lock is held."""

    def __init__(self, backend: DemoBackend) -> None:
        self._backend = backend
        self._daemon = backend._daemon()
        self.name = backend._name
        self.now = backend._fleet.clock()
        self.profiles = self._daemon.profiles
        self.pools = self._daemon.pools
        self.documents = self._daemon.documents
        self.kind = self._daemon.host.kind
        self.networks = self._daemon.networks

    def operations(self) -> tuple[tuple[str, Operation], ...]:
        """What it works at, each with its project."""
        tasks = [one for one in self._daemon.tasks.values() if not one.settled]
        return tuple((one.project, self._backend._seen(one)) for one in tasks)

    def cancel(self, operation: str) -> None:
        """Give an operation up."""
        self._backend.cancel(Operation(operation, self.name))

    def tell(self, action: str, path: api.Path, project: str) -> None:
        """Tell the listeners."""
        self._backend._tell_of(action, path, project)

    def at(self, address: str) -> Mapping[api.Path, dict[str, Any]]:
        """What another daemon of the fleet keeps."""
        others = self._backend._fleet.daemons.values()
        found = (one for one in others if address in one.host.addresses and one.alive)
        return next((one.documents for one in found), {})

    def instance(self, ref: Ref) -> Instance:
        """One of its instances."""
        return self._backend._find(ref)

    def instances(self) -> tuple[Instance, ...]:
        """All of them, measured now."""
        every = self._daemon.instances.values()
        return tuple(self._backend._measured(self._daemon, one) for one in every)

    def load(self, ref: Ref) -> float:
        """The share of one CPU that it uses."""
        return self._daemon.load.get(ref, 0.0)

    def put(self, instance: Instance) -> None:
        """Keep it as it is now."""
        self._backend._put(instance)

    def rename(self, ref: Ref, name: str) -> Operation:
        """Give one of its instances another name."""
        return self._backend.rename_instance(ref, name)

    def begin(
        self, description: str, ref: Ref, seconds: float, effect: Callable[[], None]
    ) -> Operation:
        """An operation that takes a while."""
        return self._backend._begin(description, ref, seconds, effect)


def _expanded(daemon: _Daemon, profiles: Sequence[str], own: Devices) -> Devices:
    devices: dict[str, Mapping[str, str]] = {}
    for name in profiles:
        devices |= daemon.profiles[name].devices
    return devices | dict(own)


def _renamed(config: Mapping[str, str]) -> dict[str, str]:
    """What a daemon makes of the configuration, so that cloud-init and templates see the name."""
    known = "volatile.cloud-init.instance-id"
    fresh = {known: f"{config[known]}-renamed"} if known in config else {}
    return {**config, **fresh}


def frozen(config: Mapping[str, str]) -> Mapping[str, str]:
    """*config* as a value of the model."""
    return MappingProxyType(dict(config))
