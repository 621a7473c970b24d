"""CPU counters of containers that never go back, and the idle time between them.

Role: /proc/stat is a history, cgroups give only sums. What has to be remembered of a container's
CPU time between two looks is remembered here, and in the ledger if there is one.
Boundary: numbers in, numbers out. Under the lock there is arithmetic, the write of one record, and
a stat(2) of the cgroup when a container is new or was moved.
Threading: one lock for all containers.
"""

import heapq
import struct
import threading
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lxfs.ledger import Entry, Ledger
from lxfs.model import (
    NSEC_PER_SEC,
    NSEC_PER_TICK,
    CpuCounters,
    Cpus,
    CpuSpread,
    CpuTicks,
    CpuTime,
)

KIND = 1
"""The kind of our records in the ledger."""

_DEBT = NSEC_PER_SEC
_LATE = 2 * NSEC_PER_TICK
"""How far a CPU's time may lie beside the wall clock: use is told in whole ticks."""
_MAX_LEFT = 1024
_NOTHING = CpuTime(0, 0)
_INODES = (1 << 63) - 1


class Look(NamedTuple):
    """What is known of one container's CPU time at one moment.

    ``now`` and ``age`` (of the container) are nanoseconds of the same clock. ``source`` is the
    directory of the cgroup that ``used`` and ``spread`` are of, ``cgroup`` returns its inode.
    ``online`` is the number of the host's CPUs.
    """

    now: int
    age: int
    source: str
    cgroup: Callable[[], int]
    used: CpuTime
    spread: CpuSpread | None
    cpus: Cpus
    online: int


@dataclass(slots=True)
class _Cpu:
    """One CPU's counters; ``room`` is the wall-clock time that they have not accounted for yet."""

    user: int = 0
    nice: int = 0
    system: int = 0
    idle: int = 0
    room: int = 0

    def add(self, kind: str, amount: int) -> None:
        setattr(self, kind, getattr(self, kind) + amount)
        self.room -= amount


@dataclass(slots=True)
class _Clock:
    """One container's CPU history.

    ``cgroup`` is the inode of the cgroup that it is counted from, ``source`` where that was seen.
    ``before`` is what that cgroup had used before the container was in it. ``debt`` is what was
    used beyond what was due. ``seen`` is the spread at the last increment of a kind. ``shown`` are
    the CPUs that were visible at the last look, of all ``cpus`` that ever were.
    """

    at: int
    cgroup: int
    before: CpuTime
    source: str = ""
    debt: int = 0
    forks: int = 0
    used: CpuTime = _NOTHING
    idle: int = 0
    cpus: dict[int, _Cpu] = field(default_factory=dict)
    shown: tuple[tuple[int, ...], dict[int, _Cpu]] = ((), {})
    seen: dict[str, Sequence[int]] = field(default_factory=dict)
    entry: Entry | None = None


class CpuClocks:
    """Per container: time used, and the idle time that its limits would still have allowed."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._clocks: dict[Hashable, _Clock] = {}
        # By cgroup: its sum when it was last looked at, and for whom, for one that comes after.
        self._left: dict[int, tuple[Hashable, CpuTime]] = {}
        for payload in ledger.found(KIND) if ledger else ():
            if (clock := _unpack(payload)) is not None:
                self._leave(None, clock.cgroup, clock.before.plus(clock.used))

    def advance(self, key: Hashable, look: Look) -> CpuCounters:
        """Return the container's counters as of this look.

        What is idle is capacity times wall-clock time less what was used: with a quota of 1.5 CPUs
        full use of it leaves nothing idle, so that top reads 100 %. Use is put on the CPUs where
        the kernel says it was, as far as they are visible, and otherwise evenly. No counter ever
        decreases, whatever the limits, the visible CPUs or the kernel's own sums do meanwhile,
        and with a ledger not over a restart either: what is returned is on file.
        """
        with self._lock:
            clock = self._clocks.get(key)
            if clock is None:
                clock = self._clocks[key] = self._begin(key, look)
            own = look.used.since(clock.before)
            if clock.source != look.source or own.total < clock.used.total:
                own = _settle(clock, look)
            self._leave(key, clock.cgroup, look.used)
            _advance(clock, look, own)
            if clock.entry is not None:
                clock.entry.write(_pack(clock))
            used = clock.used
            each = [
                (number, CpuTicks(cpu.user, cpu.nice, cpu.system, cpu.idle))
                for number, cpu in clock.shown[1].items()
            ]
            total = CpuTicks(used.user, used.nice, used.system, clock.idle)
            return CpuCounters(total, tuple(each))

    def forks(self, key: Hashable, last_pid: int) -> int:
        """Return the highest pid seen in a container so far, for which ``advance`` was called."""
        with self._lock:
            clock = self._clocks.get(key)
            if clock is None:
                return last_pid
            if last_pid > clock.forks:
                clock.forks = last_pid
                if clock.entry is not None:
                    clock.entry.write(_pack(clock))
            return clock.forks

    def forget(self, key: Hashable) -> None:
        """Drop a container that is gone. Its record stays on file until the slot is needed."""
        with self._lock:
            clock = self._clocks.pop(key, None)
        if clock is not None and clock.entry is not None:
            clock.entry.give_up()

    def _begin(self, key: Hashable, look: Look) -> _Clock:
        entry = self._ledger.entry(KIND, key) if self._ledger else None
        payload = entry.read() if entry else None
        clock = _unpack(payload) if payload is not None else None
        if clock is None:
            # A cgroup in which we have seen another container is counted from where it was then,
            # any other from its beginning; unless that is more than all CPUs could have given
            # since the start of this one (the cgroup is older, or the whole machine's): then from
            # here. What is not the container's own is not shown.
            cgroup = look.cgroup() & _INODES
            other, left = self._left.get(cgroup, (key, _NOTHING))
            before = left if other != key else _NOTHING
            own = look.used.since(before).total
            if not 0 <= own <= look.age * look.online:
                before = look.used
            clock = _Clock(look.now - look.age, cgroup, before, look.source)
            if before is not _NOTHING:
                clock.seen = _columns(look.spread)
            # What was used before we looked may exceed today's limit.
            own = look.used.since(before).total
            clock.debt = min(0, int(look.age * look.cpus.capacity) - own)
        clock.entry = entry
        return clock

    def _leave(self, key: Hashable, cgroup: int, used: CpuTime) -> None:
        self._left.pop(cgroup, None)
        self._left[cgroup] = key, used
        if len(self._left) > _MAX_LEFT:
            del self._left[next(iter(self._left))]


def _settle(clock: _Clock, look: Look) -> CpuTime:
    """Return the container's own use, after a move to another cgroup or what looks like one.

    A cgroup may be renamed, and a look may arrive after a later one; neither is a move.
    """
    cgroup = look.cgroup() & _INODES
    if clock.cgroup != cgroup:
        # Its sum began elsewhere: go on from where we are.
        clock.cgroup, clock.before = cgroup, look.used.since(clock.used)
        clock.seen = _columns(look.spread)
    clock.source = look.source
    return look.used.since(clock.before)


def _columns(spread: CpuSpread | None) -> dict[str, Sequence[int]]:
    return {"user": spread.user, "system": spread.system} if spread is not None else {}


def _advance(clock: _Clock, look: Look, own: CpuTime) -> None:
    elapsed = max(0, look.now - clock.at)
    clock.at += elapsed
    if clock.shown[0] != look.cpus.visible:
        clock.shown = (
            look.cpus.visible,
            {number: clock.cpus.setdefault(number, _Cpu()) for number in look.cpus.visible},
        )
    visible = clock.shown[1]
    for cpu in visible.values():
        cpu.room += elapsed
    used = 0
    if own != clock.used:
        for kind in ("user", "nice", "system"):
            more = getattr(own, kind) - getattr(clock.used, kind)
            if more > 0:
                _place(visible, kind, more, _weights(clock, kind, look.spread), look.spread)
                used += more
        clock.used = CpuTime(
            user=max(clock.used.user, own.user),
            system=max(clock.used.system, own.system),
            nice=max(clock.used.nice, own.nice),
        )
    capacity = look.cpus.capacity
    spare = elapsed * capacity.numerator // capacity.denominator - used - clock.debt
    # A quota is enforced per period: between two reads more may be used than was due. The debt is
    # worked off before anything counts as idle, but not for longer than a second, or a container
    # that once had more CPUs would stand still for hours.
    clock.debt = min(max(0, -spare), _DEBT * len(visible))
    if spare > 0:
        clock.idle += spare
        _rest(visible.values(), spare)
    for cpu in visible.values():
        if not -_DEBT <= cpu.room <= _LATE:
            cpu.room = max(-_DEBT, min(cpu.room, _LATE))


def _weights(clock: _Clock, kind: str, spread: CpuSpread | None) -> Sequence[int]:
    """Return how the increment of a kind is divided among the CPUs of ``spread``; none: evenly.

    As it was since the last increment of that kind. The kernel samples these at its ticks: of a
    load that was never seen at one, the sums since the beginning tell where it usually is.
    """
    if spread is None or kind == "nice":
        return ()
    column: Sequence[int] = getattr(spread, kind)
    before = clock.seen.get(kind, ())
    clock.seen[kind] = column
    if len(before) != len(column):
        before = (0,) * len(column)
    deltas = [max(0, new - old) for new, old in zip(column, before, strict=True)]
    if any(deltas):
        return deltas
    sums = [user + system for user, system in zip(spread.user, spread.system, strict=True)]
    return sums if any(sums) else ()


def _place(
    visible: dict[int, _Cpu],
    kind: str,
    amount: int,
    weights: Sequence[int],
    spread: CpuSpread | None,
) -> None:
    """Put an increment on the CPUs where it was used.

    What was used on a CPU that is not visible, or is more than a CPU can have had, goes to that
    with most room; what no CPU has room for is shared evenly.
    """
    cpus = list(visible.values())
    if spread is None or not weights or len(cpus) == 1:
        _share(cpus, kind, amount)
        return
    left, of = amount, sum(weights)
    homeless = []
    for number, weight in zip(spread.cpus, weights, strict=True):
        if not weight:
            continue
        share = left * weight // of
        left, of = left - share, of - weight
        if (cpu := visible.get(number)) is not None:
            fits = min(share, max(0, cpu.room + _LATE))
            cpu.add(kind, fits)
            share -= fits
        if share:
            homeless.append(share)
    if not homeless:
        return
    # The largest first: two busy CPUs that are not visible become two visible ones.
    roomy = [(-cpu.room, index) for index, cpu in enumerate(cpus)]
    heapq.heapify(roomy)
    nowhere = 0
    for share in sorted(homeless, reverse=True):
        while share > 0 and roomy[0][0] < 0:
            room, index = -roomy[0][0], roomy[0][1]
            fits = min(share, room)
            cpus[index].add(kind, fits)
            heapq.heapreplace(roomy, (fits - room, index))
            share -= fits  # noqa: PLW2901 - what is left of it
        nowhere += share
    _share(cpus, kind, nowhere)


def _share(cpus: Collection[_Cpu], kind: str, amount: int) -> None:
    """Share an increment evenly; the odd nanoseconds go to the first."""
    share, odd = divmod(amount, len(cpus))
    for index, cpu in enumerate(cpus):
        cpu.add(kind, share + (index < odd))


def _rest(cpus: Collection[_Cpu], idle: int) -> None:
    """Divide idle time by the room that the CPUs have; what none has room for evenly."""
    of = sum([cpu.room for cpu in cpus if cpu.room > 0])
    left = min(idle, of)
    for cpu in cpus:
        if (room := cpu.room) > 0:
            share = left * room // of
            cpu.idle += share
            cpu.room = room - share
            left, of = left - share, of - room
            idle -= share
    if idle:
        _share(cpus, "idle", idle)


# at, cgroup, before (user, system, nice, each as seconds and nanoseconds: on a large machine the
# root's sums outgrow 64 bits), debt, forks
_FIXED = struct.Struct("<10q")
# number, user, nice, system, idle, room
_EACH = struct.Struct("<6q")


def _pack(clock: _Clock) -> bytes:
    """Return what a successor needs to go on; the sums are those of the CPUs."""
    before = clock.before
    return _FIXED.pack(
        clock.at,
        clock.cgroup,
        *divmod(before.user, NSEC_PER_SEC),
        *divmod(before.system, NSEC_PER_SEC),
        *divmod(before.nice, NSEC_PER_SEC),
        clock.debt,
        clock.forks,
    ) + b"".join(
        _EACH.pack(number, cpu.user, cpu.nice, cpu.system, cpu.idle, cpu.room)
        for number, cpu in clock.cpus.items()
    )


def _unpack(payload: bytes) -> _Clock | None:
    """Return the clock of a record, or ``None`` for bytes that are none."""
    fixed, each = payload[: _FIXED.size], payload[_FIXED.size :]
    if len(fixed) < _FIXED.size or len(each) % _EACH.size:
        return None
    at, cgroup, user, user_ns, system, system_ns, nice, nice_ns, debt, forks = _FIXED.unpack(fixed)
    before = CpuTime(
        user * NSEC_PER_SEC + user_ns,
        system * NSEC_PER_SEC + system_ns,
        nice * NSEC_PER_SEC + nice_ns,
    )
    cpus = {number: _Cpu(*fields) for number, *fields in _EACH.iter_unpack(each)}
    clock = _Clock(at, cgroup, before, debt=debt, forks=forks, cpus=cpus)
    clock.used = CpuTime(
        user=sum(cpu.user for cpu in cpus.values()),
        system=sum(cpu.system for cpu in cpus.values()),
        nice=sum(cpu.nice for cpu in cpus.values()),
    )
    clock.idle = sum(cpu.idle for cpu in cpus.values())
    return clock
