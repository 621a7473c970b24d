"""One simulated daemon: what it keeps, what it works at, what it tells.

Role: the state behind the demo's protocol and the rules that every call shares: what is due is
applied by whoever looks first after its time has come, so there are no threads here. Boundary:
touches nothing outside this process; answers no protocol, see demo.py. Threading: one lock guards
the whole fleet; every method is called with it held.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from threading import RLock
from types import MappingProxyType
from typing import Any

from lxtui import api
from lxtui.backend import demo_cluster
from lxtui.backend.demo_files import Disks
from lxtui.clock import Clock
from lxtui.errors import HostUnreachableError, NotFoundError, OperationError
from lxtui.model import (
    Devices,
    Event,
    Host,
    Instance,
    Network,
    Operation,
    Pool,
    Profile,
    Ref,
)

LINK = 80 * 2**20
"""Simulated bytes a second between hosts."""
_GIB = 2**30
_ENDED = 50
"""Operations that a host still knows after their end."""
_REMEMBERED = 1000
"""Events of a host that a listener can still be told of."""


@dataclass
class Task:
    """An operation with the moment at which it ends, and what it then does."""

    operation: Operation
    project: str
    started: datetime
    seconds: float
    effect: Callable[[], None]
    total: int | None = None
    settled: bool = False


class Shared:
    """What the daemons of a fleet share; ``tempo`` scales every delay (0: all at once)."""

    def __init__(self, clock: Clock, tempo: float) -> None:
        self.clock = clock
        self.tempo = tempo
        self.lock = RLock()
        self.daemons: dict[str, DemoDaemon] = {}
        self.offers: dict[str, tuple[str, Ref]] = {}
        self.numbers = itertools.count(1)
        self.disks = Disks()
        self.life: Callable[[str], None] = lambda _: None
        """Lets happen on a host what happens there by itself."""


@dataclass
class DemoDaemon:
    """What one daemon of the fleet has."""

    shared: Shared = field(repr=False)
    host: Host
    instances: dict[Ref, Instance] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    load: dict[Ref, float] = field(default_factory=dict)
    """The share of one CPU that an instance uses."""
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

    @property
    def name(self) -> str:
        """The host's."""
        return self.host.name

    def settle(self) -> None:
        """Apply everything that is due. HostUnreachableError when it plays dead."""
        if not self.alive:
            raise HostUnreachableError(f"{self.name}: no answer (this demo host plays dead)")
        self.shared.life(self.name)
        now = self.shared.clock()
        for task in list(self.tasks.values()):
            if not task.settled and (now - task.started).total_seconds() >= task.seconds:
                task.settled = True
                try:
                    task.effect()
                except OperationError as error:
                    task.operation = replace(task.operation, status="Failure", error=str(error))
                else:
                    task.operation = replace(task.operation, status="Success")

    def begin(
        self,
        description: str,
        ref: Ref,
        seconds: float,
        effect: Callable[[], None],
        *,
        total: int | None = None,
        slow: bool = False,
    ) -> Operation:
        """An operation that takes so long; a *slow* one is not scaled by the tempo."""
        now = self.shared.clock()
        operation = Operation(
            id=f"demo-{next(self.shared.numbers)}",
            host=self.name,
            description=description,
            created_at=now,
            resources=(ref.name,),
        )
        takes = seconds if slow else seconds * self.shared.tempo
        for old in [number for number, one in self.tasks.items() if one.settled][:-_ENDED]:
            del self.tasks[old]
        self.tasks[operation.id] = Task(operation, ref.project, now, takes, effect, total)
        return operation

    def cancel(self, operation: str) -> None:
        """Give an operation up; one that is over or unknown is left."""
        task = self.tasks.get(operation)
        if task is not None and not task.settled:
            task.settled = True
            task.operation = replace(task.operation, status="Cancelled")
            self.shared.offers.pop(operation, None)

    def seen(self, task: Task) -> Operation:
        """An operation with its progress as of now."""
        if task.total is None or task.settled:
            return task.operation
        share = (self.shared.clock() - task.started).total_seconds() / (task.seconds or 1)
        done = int(task.total * min(share, 1.0))
        return replace(task.operation, processed=done, rate=LINK, percent=int(share * 100))

    def measured(self, instance: Instance) -> Instance:
        """An instance with its use as of now."""
        if not instance.running or instance.created_at is None:
            return replace(instance, cpu_ns=None, memory=None, processes=None)
        lived = self.shared.clock() - instance.created_at
        load = self.load.get(instance.ref, 0.0)
        limit = instance.memory_limit or 2 * _GIB
        return replace(
            instance,
            cpu_ns=int(lived.total_seconds() * load * 1e9),
            memory=int(limit * min(0.2 + 0.6 * load, 0.95)),
            processes=12,
        )

    def find(self, ref: Ref) -> Instance:
        """An instance. NotFoundError; OperationError when its member is not there."""
        self.settle()
        instance = self.instances.get(ref)
        if instance is None:
            raise NotFoundError(f"there is no instance {ref}")
        demo_cluster.need_member(self.name, self.documents, instance)
        return instance

    def find_snapshot(self, ref: Ref, name: str) -> None:
        """NotFoundError when an instance has no such snapshot."""
        if not any(one.name == name for one in self.find(ref).snapshots):
            raise NotFoundError(f"{self.name}: Snapshot not found: {ref.name}/{name}")

    def put(self, instance: Instance) -> None:
        """Keep an instance as it is now, and tell the listeners."""
        self.instances[instance.ref] = instance
        self.happened("instance-updated", instance.ref)

    def set_status(self, ref: Ref, status: str) -> None:
        """Let an instance be in a state, and have an address while it runs."""
        number = sum(map(ord, ref.name)) % 250 + 2
        address = (f"10.20.30.{number}",) if status == "Running" else ()
        now = self.instances[ref]
        starts = status == "Running" and not now.frozen
        used = self.shared.clock() if starts else now.last_used_at
        self.put(replace(now, status=status, ipv4=address, last_used_at=used))

    def rename(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""
        if not self.find(ref).stopped:
            raise OperationError(f"{self.name}: Instance is running")
        renamed = ref._replace(name=name)

        def effect() -> None:
            if renamed in self.instances:
                raise OperationError(f'{self.name}: Instance "{name}" already exists')
            now = self.instances.pop(ref)
            self.shared.disks.copy(ref, renamed)
            self.shared.disks.forget(ref)
            self.put(replace(now, ref=renamed, config=frozen(_renamed(now.config))))

        return self.begin("Renaming instance", ref, 0.2, effect)

    def expanded(self, profiles: Sequence[str], own: Devices) -> Devices:
        """The devices of profiles, and over them those of an instance's own."""
        devices: dict[str, Mapping[str, str]] = {}
        for name in profiles:
            devices |= self.profiles[name].devices
        return devices | dict(own)

    def happened(self, action: str, ref: Ref) -> None:
        """Tell the listeners what happened to an instance."""
        self.happened_at(action, ("instances", ref.name), ref.project)

    def happened_at(self, action: str, path: api.Path, project: str) -> None:
        """Tell the listeners what happened to what is at *path*."""
        source = "/1.0/" + "/".join(path)
        self.tell(Event(self.name, "lifecycle", action, source, project))

    def tell(self, event: Event) -> None:
        """Let the listeners have it."""
        self.events.append(event)
        self.told += 1

    def since(self, position: int) -> list[Event]:
        """The events after the first *position*, as far as they are remembered."""
        return list(islice(reversed(self.events), self.told - position))[::-1]


def _renamed(config: Mapping[str, str]) -> dict[str, str]:
    """What a daemon makes of the configuration, so that cloud-init and templates see the name."""
    known = "volatile.cloud-init.instance-id"
    fresh = {known: f"{config[known]}-renamed"} if known in config else {}
    return {**config, **fresh}


def frozen(config: Mapping[str, str]) -> Mapping[str, str]:
    """*config* as a value of the model."""
    return MappingProxyType(dict(config))
