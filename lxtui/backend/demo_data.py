"""The fleet of ``lxtui --demo``.

Role: names, limits and loads; demo.py makes them live. Boundary: data. Threading: functions.
"""

from __future__ import annotations

from datetime import timedelta

from lxtui.backend.demo import DEVICES, DemoFleet, frozen
from lxtui.backend.demo_things import furnish
from lxtui.clock import Clock, utc_now
from lxtui.model import Instance, Kind, Ref, Snapshot

_GIB = 2**30
_MIB = 2**20


def demo_fleet(clock: Clock = utc_now, tempo: float = 1.0) -> DemoFleet:
    """The fleet of ``lxtui --demo``: two LXD hosts, one Incus host and one that does not answer."""
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
    furnish(fleet)
    return fleet
