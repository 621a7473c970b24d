"""What an instance uses at one moment, out of the daemon's JSON.

Role: ``GET /1.0/instances/NAME/state`` and ``GET /1.0/resources`` → frozen samples. Boundary: pure;
what is missing or of another shape is not known. Threading: functions.

Source: doc/rest-api.yaml of LXD and Incus (InstanceState, Resources). Counters run from the
instance's start on; which process is its init tells one life from the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Counts = Mapping[str, int]


def _none() -> Counts:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters and amounts of one instance. Bytes; nanoseconds of CPU time."""

    at: float
    """Seconds of a clock that only goes forward."""
    cpu_ns: int | None = None
    cpus: float | None = None
    """CPUs that it may use at most, where the daemon says it."""
    memory: int | None = None
    memory_total: int | None = None
    """Its limit, or the host's memory, where the daemon says it."""
    swap: int | None = None
    disk: Counts = field(default_factory=_none)
    """In use, by device."""
    received: Counts = field(default_factory=_none)
    """Since its start, by interface; the loopback is left out."""
    sent: Counts = field(default_factory=_none)
    processes: int | None = None
    init: int | None = None
    """The pid of its first process, as its host numbers it."""
    status: str = ""


@dataclass(frozen=True, slots=True)
class HostSample:
    """What a host says of itself."""

    memory_total: int | None = None
    memory_used: int | None = None
    cpus: int | None = None
    load: tuple[float, ...] = ()
    """Over 1, 5 and 10 minutes; Incus says it, LXD does not."""
    tasks: int | None = None


def sample_from(state: Any, at: float) -> Sample:
    """An instance's state document."""
    entry = _mapping(state)
    cpu, memory = _mapping(entry.get("cpu")), _mapping(entry.get("memory"))
    disks, interfaces = _mapping(entry.get("disk")), _mapping(entry.get("network"))
    counters = {
        str(name): _mapping(_mapping(one).get("counters"))
        for name, one in interfaces.items()
        if _mapping(one).get("type") != "loopback"
    }
    allocated = _count(cpu.get("allocated_time"))
    return Sample(
        at,
        cpu_ns=_count(cpu.get("usage")),
        cpus=allocated / 1e9 if allocated else None,
        memory=_count(memory.get("usage")),
        memory_total=_count(memory.get("total")) or None,
        swap=_count(memory.get("swap_usage")),
        disk=_counts({str(name): _mapping(one).get("usage") for name, one in disks.items()}),
        received=_counts({name: one.get("bytes_received") for name, one in counters.items()}),
        sent=_counts({name: one.get("bytes_sent") for name, one in counters.items()}),
        processes=_count(entry.get("processes")),
        init=_count(entry.get("pid")) or None,
        status=str(entry.get("status", "")),
    )


def host_sample_from(resources: Any) -> HostSample:
    """A host's resources document."""
    entry = _mapping(resources)
    memory, load = _mapping(entry.get("memory")), _mapping(entry.get("load"))
    averages: list[Any] = [load.get(f"Average{minutes}Min") for minutes in (1, 5, 10)]
    known = tuple(float(one) for one in averages if _number(one))
    return HostSample(
        memory_total=_count(memory.get("total")) or None,
        memory_used=_count(memory.get("used")),
        cpus=_count(_mapping(entry.get("cpu")).get("total")) or None,
        load=known if len(known) == len(averages) else (),
        tasks=_count(load.get("Processes")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> int | None:
    """A non-negative number; the daemons write -1 where they do not know."""
    return int(value) if _number(value) and 0 <= value < 2**63 else None


def _counts(values: Mapping[str, Any]) -> Counts:
    known = {name: count for name, one in values.items() if (count := _count(one)) is not None}
    return MappingProxyType(known)
