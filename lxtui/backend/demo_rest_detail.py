"""What the demo fleet answers to the questions of the detail screens.

Role: states that move, resources, profiles, logs. Boundary: demo_rest.py's. Threading: called with
the fleet's lock held.
"""

from __future__ import annotations

import math
from typing import Any

from lxtui.backend.demo_asked import Asked, Json, instance_json, snapshot_json
from lxtui.model import Instance

_MIB = 2**20
_WAVE = 40.0
"""Seconds from one peak of the simulated work to the next."""
_BOOT = b"""systemd 257 running in system mode
Detected virtualization lxc.
Welcome to the demo fleet!
[  OK  ] Reached target network.target - Network.
[  OK  ] Reached target multi-user.target - Multi-User System.

demo login: """


def instance_state(asked: Asked) -> Json:
    """What an instance uses now."""
    return _state(asked, asked.daemon.instance(asked.ref))


def instances(asked: Asked) -> list[Json]:
    """All instances with their states."""
    return [{**instance_json(one), "state": _state(asked, one)} for one in asked.daemon.instances()]


def _state(asked: Asked, one: Instance) -> Json:
    if not one.running or one.created_at is None:
        return {"status": one.status, "processes": 0, "pid": 0}
    measured = next(two for two in asked.daemon.instances() if two.ref == one.ref)
    load = asked.daemon.load(one.ref)
    lived = (asked.daemon.now - one.created_at).total_seconds()
    # Work comes in waves; counters are the integral of what is done at each moment.
    phase = 2 * math.pi * lived / _WAVE + sum(map(ord, one.ref.name))
    done = lived - 0.8 * _WAVE / (2 * math.pi) * math.cos(phase)
    breath = 1 + 0.08 * math.sin(phase / 3)
    received, sent = int(done * load * 2 * _MIB), int(done * load * 9 * _MIB)
    interface = {
        "counters": {"bytes_received": received, "bytes_sent": sent},
        "type": "broadcast",
        "state": "up",
    }
    return {
        "status": one.status,
        "pid": 1000 + sum(map(ord, one.ref.name)),
        "processes": measured.processes,
        "cpu": {"usage": int(done * load * 1e9)},
        "memory": {
            "usage": int((measured.memory or 0) * breath),
            "total": one.memory_limit or 0,
            "swap_usage": 0,
        },
        "disk": {"root": {"usage": one.disk or 0}},
        "network": {"eth0": interface, "lo": {"counters": {}, "type": "loopback"}},
    }


def resources(asked: Asked) -> Json:
    """What the host has and uses."""
    every = asked.daemon.instances()
    used = sum(one.memory or 0 for one in every) + 3072 * _MIB
    work = sum(asked.daemon.load(one.ref) for one in every if one.running)
    return {
        "memory": {"total": 64 * 1024 * _MIB, "used": used},
        "cpu": {"total": 16, "architecture": "x86_64"},
        "load": {
            "Average1Min": round(work, 2),
            "Average5Min": round(work * 0.9, 2),
            "Average10Min": round(work * 0.8, 2),
            "Processes": 12 * len(every),
        },
    }


def snapshots(asked: Asked) -> list[Json]:
    """Those of one instance, each with what it holds alone."""
    one = asked.daemon.instance(asked.ref)
    return [
        {**snapshot_json(snapshot), "size": (at + 1) * 7 * _MIB}
        for at, snapshot in enumerate(one.snapshots)
    ]


def logs(asked: Asked) -> list[str]:
    """Their addresses."""
    name = asked.daemon.instance(asked.ref).ref.name
    return [f"/1.0/instances/{name}/logs/{file}" for file in ("lxc.conf", "lxc.log")]


def log(asked: Asked) -> bytes:
    """A log of a start in which all went well."""
    name = asked.daemon.instance(asked.ref).ref.name
    if asked.args[1] == "lxc.conf":
        return f"lxc.log.level = info\nlxc.uts.name = {name}\nlxc.arch = x86_64\n".encode()
    return f"lxc {name} 20261121000000.000 INFO start - set state to RUNNING\n".encode()


def console(asked: Asked) -> bytes:
    """What it wrote when it started, to the first who asks: the servers forget what was read."""
    one = asked.daemon.instance(asked.ref)
    read = asked.daemon.documents.setdefault(("console", one.ref.project), {})
    if not one.running or one.ref.name in read:
        return b""
    read[one.ref.name] = True
    return _BOOT


ROUTES: dict[tuple[str, tuple[str, ...]], Any] = {
    ("get", ("instances",)): instances,
    ("get", ("instances", "*", "state")): instance_state,
    ("get", ("instances", "*", "snapshots")): snapshots,
    ("get", ("instances", "*", "logs")): logs,
    ("get", ("instances", "*", "logs", "*")): log,
    ("get", ("instances", "*", "console")): console,
    ("get", ("resources",)): resources,
}
