"""Which of several hosts each of many instances goes to.

Role: needs and rooms → an arrangement that overcommits neither memory nor disk, or the reasons why
there is none. Boundary: pure. Threading: functions of values.

Best fit, the largest first: each instance goes where it leaves the least memory, so that large
rooms stay for large instances. That is not always the best of all arrangements, but a simple one
that a person can follow, and the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from lxtui import format as text
from lxtui.model import Instance, Ref

_UNKNOWN = float("inf")


@dataclass(frozen=True, slots=True)
class Room:
    """What one host has left; None: not known, which forbids nothing."""

    host: str
    memory: int | None
    """Bytes."""
    pools: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    """Storage pool → bytes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One instance at one host."""

    host: str
    pool: str = ""
    """Of its root disk there."""
    disk: int | None = None
    """Bytes that it takes there; None: not known."""
    refusal: str = ""
    """Why it cannot go there at all."""


@dataclass(frozen=True, slots=True)
class Load:
    """One instance that needs a place."""

    ref: Ref
    memory: int
    """Bytes."""
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where each goes, and why some go nowhere."""

    placed: Mapping[Ref, str]
    unplaced: Mapping[Ref, str]
    """One sentence for each, on every host."""


class Fate(StrEnum):
    """What became of one instance."""

    PLANNED = "planned"
    MOVED = "moved"
    FAILED = "failed"
    """Its move failed, and was taken back or left as the reason says."""
    NOT_BEGUN = "not-begun"
    DOES_NOT_FIT = "does-not-fit"
    STAYS = "stays"
    """It is the kept source of an earlier move."""


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of many that are to go, and what becomes of it."""

    source: Ref
    target: str = ""
    """The host that it goes to."""
    fate: Fate = Fate.PLANNED
    reason: str = ""
    memory: int = 0
    """Bytes that it may use."""
    disk: int | None = None
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    downtime_seconds: float | None = None

    @property
    def well(self) -> bool:
        """Whether nobody has to see to it."""
        return self.fate in {Fate.MOVED, Fate.PLANNED, Fate.STAYS}


def memory_need(instance: Instance) -> int:
    """Bytes that it may use: its limit, else what it uses now; nothing while it is stopped."""
    if instance.stopped:
        return 0
    return instance.memory_limit if instance.memory_limit is not None else instance.memory or 0


def memory_left(total: int | None, instances: Iterable[Instance]) -> int | None:
    """Bytes that a host has beyond what those that run there may use; never below zero."""
    if total is None:
        return None
    return max(total - sum(map(memory_need, instances)), 0)


def place(loads: Iterable[Load], rooms: Sequence[Room]) -> Arrangement:
    """Give each load the host that it fits best, the largest load first."""
    left = {room.host: room.memory for room in rooms}
    pools = {room.host: dict(room.pools) for room in rooms}
    placed: dict[Ref, str] = {}
    unplaced: dict[Ref, str] = {}
    for load in sorted(loads, key=_size, reverse=True):
        reasons: list[str] = []
        best: tuple[tuple[float, float, str], Candidate] | None = None
        for one in load.candidates:
            memory, disk = left.get(one.host), pools.get(one.host, {}).get(one.pool)
            if reason := _reason(load, one, memory, disk):
                reasons.append(reason)
                continue
            rank = (_after(memory, load.memory), _after(disk, one.disk or 0), one.host)
            if best is None or rank < best[0]:
                best = rank, one
        if best is None:
            unplaced[load.ref] = "; ".join(reasons) or "there is no host to go to"
            continue
        chosen = best[1]
        placed[load.ref] = chosen.host
        left[chosen.host] = _minus(left.get(chosen.host), load.memory)
        there = pools.setdefault(chosen.host, {})
        there[chosen.pool] = _minus(there.get(chosen.pool), chosen.disk or 0)
    return Arrangement(placed, unplaced)


def _size(load: Load) -> tuple[int, int, Ref]:
    return load.memory, max((one.disk or 0 for one in load.candidates), default=0), load.ref


def _reason(load: Load, one: Candidate, memory: int | None, disk: int | None) -> str:
    """Why it does not fit there; empty when it does."""
    if one.refusal:
        return f"{one.host}: {one.refusal}"
    if memory is not None and load.memory > memory:
        return f"{one.host}: {text.size(memory)} of memory left, {text.size(load.memory)} needed"
    if disk is not None and one.disk is not None and one.disk > disk:
        return (
            f"{one.host}: {text.size(disk)} left in pool {one.pool}, {text.size(one.disk)} needed"
        )
    return ""


def _after(room: int | None, need: int) -> float:
    """What would be left; where that is not known it counts as much."""
    return _UNKNOWN if room is None else room - need


def _minus(room: int | None, need: int) -> int | None:
    return None if room is None else room - need
