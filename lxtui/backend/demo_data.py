"""The fleet of ``lxtui --demo``.

Role: names, limits and loads; demo.py makes them live. Boundary: data. Threading: functions.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lxtui.backend.demo import DEVICES, DemoFleet
from lxtui.backend.demo_daemon import frozen
from lxtui.backend.demo_things import furnish
from lxtui.clock import Clock, utc_now
from lxtui.model import Instance, Kind, Ref, Snapshot

_GIB = 2**30
_MIB = 2**20


def demo_fleet(clock: Clock = utc_now, tempo: float = 1.0, *, cluster: bool = True) -> DemoFleet:
    """The fleet of ``lxtui --demo``: hosts of both kinds, a cluster, one that does not answer.

    Without *cluster* it has single hosts alone.
    """
    fleet = DemoFleet(clock, tempo)
    fleet.add_host("oslo", Kind.LXD, "5.0.6")
    fleet.add_host("lima", Kind.LXD, "5.21.4")
    fleet.add_host("kyoto", Kind.INCUS, "6.0.5")
    fleet.add_host("quito", Kind.INCUS, "6.0.5", alive=False)
    born = clock() - timedelta(days=40)
    people = (
        ("oslo", "web1", True, 512 * _MIB, 0.34, 2),
        ("oslo", "web2", True, 512 * _MIB, 0.22, 2),
        ("oslo", "db1", True, 4 * _GIB, 0.71, 3),
        ("oslo", "build", False, None, 0.0, 0),
        ("lima", "mail", True, 1 * _GIB, 0.05, 1),
        ("lima", "cache1", True, 256 * _MIB, 0.12, 0),
        ("lima", "archive", False, None, 0.0, 4),
        ("kyoto", "web3", True, 512 * _MIB, 0.18, 1),
        ("kyoto", "metrics", True, 2 * _GIB, 0.93, 0),
        ("kyoto", "ldap", True, 256 * _MIB, 0.02, 2),
    )
    for position, (host, name, running, limit, load, snapshots) in enumerate(people):
        config = {"image.os": "Debian", "volatile.base_image": "0123456789ab"}
        if limit is not None:
            config["limits.memory"] = f"{limit // _MIB}MiB"
        created = born + timedelta(days=3 * position)
        fleet.add_instance(
            Instance(
                ref=Ref(host, "default", name),
                expanded_devices=DEVICES[fleet.daemons[host].host.kind],
                status="Running" if running else "Stopped",
                architecture="x86_64",
                created_at=created,
                profiles=("default",),
                config=frozen(config),
                expanded_config=frozen(config),
                snapshots=tuple(
                    Snapshot(f"daily{day}", created + timedelta(days=day + 1))
                    for day in range(snapshots)
                ),
                ipv4=(f"10.20.30.{11 + position}",) if running else (),
                memory_limit=limit,
                disk=(150 + 90 * position) * _MIB,
            ),
            load,
        )
    if cluster:
        _add_cluster(fleet, born)
    furnish(fleet)
    return fleet


def _add_cluster(fleet: DemoFleet, born: datetime) -> None:
    """A cluster of three members, of which one is down with what is on it."""
    members = {"perth1": "Online", "perth2": "Online", "perth3": "Offline"}
    fleet.add_host("perth", Kind.INCUS, "6.0.5")
    fleet.make_cluster("perth", members)
    people = (
        ("shop1", "perth1", "Running", 0.27, 1),
        ("shop2", "perth2", "Running", 0.31, 1),
        ("wiki", "perth1", "Stopped", 0.0, 2),
        ("queue", "perth3", "Error", 0.0, 0),
    )
    for position, (name, member, status, load, snapshots) in enumerate(people):
        config = frozen({"image.os": "Alpine", "volatile.base_image": "0123456789ab"})
        created = born + timedelta(days=2 * position)
        one = Instance(
            ref=Ref("perth", "default", name),
            expanded_devices=DEVICES[Kind.INCUS],
            status=status,
            architecture="x86_64",
            created_at=created,
            location=member,
            profiles=("default",),
            config=config,
            expanded_config=config,
            snapshots=tuple(
                Snapshot(f"daily{day}", created + timedelta(days=day + 1))
                for day in range(snapshots)
            ),
            ipv4=(f"10.20.40.{11 + position}",) if status == "Running" else (),
            disk=(210 + 70 * position) * _MIB,
        )
        fleet.add_instance(one, load)
