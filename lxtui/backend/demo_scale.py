"""A demo fleet of any size, in which things happen by themselves.

Role: ``lxtui --demo --hosts 50 --instances 10000 --events 100``: to try the screen with what one
does not have, and to measure it. The same numbers give the same fleet. Boundary: the demo's
daemons. Threading: what is due happens under the fleet's lock, when somebody looks at that host.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

from lxtui.backend.demo import DEVICES, DemoFleet
from lxtui.backend.demo_daemon import frozen
from lxtui.backend.demo_things import furnish_host
from lxtui.clock import Clock, utc_now
from lxtui.model import Event, Instance, Kind, Ref, Snapshot

_GIB = 2**30
_MIB = 2**20
_IMAGES_EACH = 200
_AT_ONCE = 100
"""Changes of one host that are made up for at most, after nobody has looked for long."""
_ROLES = ("web", "db", "cache", "mail", "build", "proxy", "queue", "batch", "metrics", "ldap")
_TEAMS = ("shop", "billing", "search", "infra")
_IMAGES = ("Debian bookworm amd64", "Ubuntu noble amd64", "Alpine 3.22 amd64")
_LIMITS = (256 * _MIB, 512 * _MIB, _GIB, 4 * _GIB)


def scaled_fleet(
    hosts: int, instances: int, events: float = 0.0, clock: Clock = utc_now, tempo: float = 1.0
) -> DemoFleet:
    """*instances* over *hosts*, half LXD and half Incus, with *events* a second in all."""
    fleet = DemoFleet(clock, tempo)
    random = Random(f"{hosts} {instances}")  # noqa: S311 a demonstration has no secrets
    names = [f"host{number:02}" for number in range(1, hosts + 1)]
    for at, name in enumerate(names):
        lxd = at % 2 == 0
        fleet.add_host(name, Kind.LXD if lxd else Kind.INCUS, "5.21.4" if lxd else "6.0.5")
    for number in range(instances):
        _add(fleet, names[number % hosts], number, random)
    for at, name in enumerate(names):
        furnish_host(fleet, name, at, _IMAGES_EACH)
    if events:
        fleet.life = Life(fleet, events / hosts, random)
    return fleet


class Life:
    """Lets instances of a host change, as many a second as were asked for."""

    def __init__(self, fleet: DemoFleet, per_second: float, random: Random) -> None:
        self._fleet = fleet
        self._per_second = per_second
        self._random = random
        self._began = fleet.clock()
        self._happened: Counter[str] = Counter()
        self._refs = {name: list(daemon.instances) for name, daemon in fleet.daemons.items()}

    def __call__(self, host: str) -> None:
        """Let happen what is due there; the fleet's lock is held."""
        passed = (self._fleet.clock() - self._began).total_seconds()
        due = int(passed * self._per_second) - self._happened[host]
        self._happened[host] += due
        if self._refs[host]:
            for _ in range(min(due, _AT_ONCE)):
                self._happen(host)

    def _happen(self, host: str) -> None:
        daemon, random = self._fleet.daemons[host], self._random
        ref = random.choice(self._refs[host])
        one = daemon.instances.get(ref)
        if one is None:  # deleted or moved away by hand
            return
        kind = random.random()
        if kind < 0.2:  # noqa: PLR2004 a fifth is started or stopped
            stopped = one.running
            changed = replace(
                one,
                status="Stopped" if stopped else "Running",
                ipv4=() if stopped else (_address(ref),),
            )
            action = "instance-stopped" if stopped else "instance-started"
        elif kind < 0.3:  # noqa: PLR2004 a tenth gets or loses snapshots
            fresh = Snapshot(f"auto{self._happened[host]}", self._fleet.clock())
            changed = replace(one, snapshots=(*one.snapshots[-3:], fresh))
            action = "instance-snapshot-created"
        else:
            daemon.load[ref] = random.random() ** 2
            changed, action = one, "instance-updated"
        daemon.instances[ref] = changed
        daemon.tell(Event(host, "lifecycle", action, f"/1.0/instances/{ref.name}", ref.project))


def _add(fleet: DemoFleet, host: str, number: int, random: Random) -> None:
    role, team = random.choice(_ROLES), random.choice(_TEAMS)
    ref = Ref(host, "default", f"{team}-{role}{number:05}")
    running, limit = random.random() < 0.85, random.choice(_LIMITS)  # noqa: PLR2004 most run
    born = fleet.clock() - timedelta(hours=random.randrange(20_000))
    config = frozen(
        {
            "image.description": random.choice(_IMAGES),
            "limits.memory": f"{limit // _MIB}MiB",
            "user.team": team,
            "user.role": role,
        }
    )
    instance = Instance(
        ref=ref,
        status="Running" if running else "Stopped",
        architecture="x86_64",
        created_at=born,
        last_used_at=born + timedelta(hours=1),
        profiles=("default", team) if random.random() < 0.3 else ("default",),  # noqa: PLR2004
        config=config,
        expanded_config=config,
        expanded_devices=DEVICES[fleet.daemons[host].host.kind],
        snapshots=tuple(
            Snapshot(f"daily{day}", fleet.clock() - timedelta(days=day + 1))
            for day in range(random.randrange(4))
        ),
        ipv4=(_address(ref),) if running else (),
        memory_limit=limit,
        disk=random.randrange(100, 20_000) * _MIB,
    )
    fleet.add_instance(instance, random.random() ** 2)


def _address(ref: Ref) -> str:
    number = int(ref.name[-5:])
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
