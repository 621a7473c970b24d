"""Frozen values between the kernel's files and the views.

Role: the only vocabulary that cgroup v1, cgroup v2 and the views share.
Boundary: imports nothing of ours and reads nothing; ``None`` means "no limit" or "the kernel
does not count this", never -1.
Threading: everything here is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import NamedTuple

NSEC_PER_SEC = 1_000_000_000
USER_HZ = 100
"""Ticks per second of every tick the kernel shows to user space (``man 7 time``)."""
NSEC_PER_TICK = NSEC_PER_SEC // USER_HZ


class SourceError(OSError):
    """A kernel file could not be read or understood; ``filename`` says which."""


class GoneError(SourceError):
    """What was read was not the container's, or is not any more."""


class UncountedError(SourceError):
    """The kernel keeps no such figure for this container; ``errno`` is what its file would say."""


@dataclass(frozen=True, slots=True)
class MemoryStat:
    """One cgroup's memory by kind, in bytes, descendants included.

    Names are those of cgroup v2's memory.stat (Documentation/admin-guide/cgroup-v2.rst).
    A kind that the hierarchy does not count is ``None``: cgroup v1 knows no slab, stacks, page
    tables, per-CPU memory, vmalloc or zswap.
    """

    anon: int
    file: int
    shmem: int
    file_mapped: int
    file_dirty: int
    file_writeback: int
    active_anon: int
    inactive_anon: int
    active_file: int
    inactive_file: int
    unevictable: int
    swapcached: int = 0
    anon_thp: int = 0
    file_thp: int | None = None
    shmem_thp: int | None = None
    slab_reclaimable: int | None = None
    slab_unreclaimable: int | None = None
    kernel_stack: int | None = None
    pagetables: int | None = None
    sec_pagetables: int | None = None
    percpu: int | None = None
    vmalloc: int | None = None
    zswap: int | None = None
    zswapped: int | None = None

    @property
    def reclaimable(self) -> int:
        """What the kernel can take back without swapping, in bytes."""
        return self.active_file + self.inactive_file + (self.slab_reclaimable or 0)


@dataclass(frozen=True, slots=True)
class SwapUse:
    """Swap of one cgroup in bytes; ``limit`` is the smallest over the cgroup and its ancestors."""

    usage: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory of one cgroup in bytes.

    ``limit`` is the smallest over the cgroup and its ancestors. ``ancestor_headroom`` is what the
    tightest limited ancestor can still give (its limit, less its usage, plus what it can reclaim):
    neighbours may have used up what the cgroup's own limit promises. ``swap`` is ``None`` where
    the kernel does not account swap.
    """

    usage: int
    limit: int | None
    ancestor_headroom: int | None
    swap: SwapUse | None
    stat: MemoryStat


@dataclass(frozen=True, slots=True)
class HugePages:
    """Huge pages of one size that a cgroup has taken, in bytes.

    ``limit`` is the smallest over the cgroup and its ancestors. ``reserved`` includes what was
    taken of it. Where no controller counts them, ``usage`` is ``None``.
    """

    usage: int | None = None
    reserved: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class BlockIo:
    """What a cgroup has read from, written to and discarded on one device: bytes and requests.

    Names are those of cgroup v2's io.stat; descendants are included.
    """

    rbytes: int = 0
    wbytes: int = 0
    rios: int = 0
    wios: int = 0
    dbytes: int = 0
    dios: int = 0


class CpuTime(NamedTuple):
    """CPU time a cgroup has used since it was made, in nanoseconds; ``user`` excludes ``nice``."""

    user: int
    system: int
    nice: int = 0

    @property
    def total(self) -> int:
        """All of it, in nanoseconds."""
        return self.user + self.system + self.nice

    def since(self, before: "CpuTime") -> "CpuTime":
        """Return what was used after ``before``."""
        return CpuTime(
            self.user - before.user, self.system - before.system, self.nice - before.nice
        )

    def plus(self, more: "CpuTime") -> "CpuTime":
        """Return this and ``more`` together."""
        return CpuTime(self.user + more.user, self.system + more.system, self.nice + more.nice)


@dataclass(frozen=True, slots=True)
class CpuSpread:
    """On which CPUs a cgroup has used time since it was made, in nanoseconds: three columns.

    Sampled at the kernel's ticks, so they say how a sum is divided and not how large it is.
    """

    cpus: tuple[int, ...]
    user: tuple[int, ...]
    system: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cpus:
    """The CPUs a container sees and how much of them it may use.

    ``visible`` are the kernel's own CPU numbers, ascending; ``capacity`` is in CPUs (seconds of
    CPU time per second) and never exceeds their count.
    """

    visible: tuple[int, ...]
    capacity: Fraction


@dataclass(frozen=True)  # keeps what is made of it: it seldom changes
class CpuLimit:
    """Where a cgroup may run and for how long.

    ``allowed`` are the online CPUs of its cpuset, ascending, at least one. ``quota`` is the
    smallest quota/period over the cgroup and its ancestors, in CPUs.
    """

    allowed: tuple[int, ...]
    quota: Fraction | None

    def seen(self, *, by_quota: bool) -> Cpus:
        """The one CPU model behind cpuinfo, stat, online and the idle time of uptime.

        With ``by_quota`` a container sees min(size of cpuset, ceil(quota)) CPUs, the lowest
        numbers of its cpuset, so that a program which starts one worker per CPU starts as many as
        can run. Numbers are not changed: they mean the same to taskset(1) and ps(1).
        """
        return self._by_quota if by_quota else self._by_cpuset

    @cached_property
    def _by_quota(self) -> Cpus:
        count = len(self.allowed)
        if self.quota is not None:
            count = min(count, max(1, ceil(self.quota)))
        return Cpus(self.allowed[:count], self._by_cpuset.capacity)

    @cached_property
    def _by_cpuset(self) -> Cpus:
        capacity = Fraction(len(self.allowed))
        return Cpus(self.allowed, capacity if self.quota is None else min(capacity, self.quota))


@dataclass(frozen=True, slots=True)
class HostNode:
    """One NUMA node of the host: its number, its CPUs, and whether it has memory."""

    number: int
    cpus: tuple[int, ...]
    has_memory: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """The NUMA nodes that a container sees, by the kernel's own numbers, ascending.

    ``cpus`` are those of the visible CPUs, ``memory`` those that its memory may be on.
    """

    cpus: tuple[int, ...]
    memory: tuple[int, ...]

    @property
    def visible(self) -> tuple[int, ...]:
        """Both kinds."""
        return tuple(sorted({*self.cpus, *self.memory}))


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """Memory by NUMA node, in bytes.

    ``sizes`` are those of the host's nodes that the container's memory may be on. ``use`` is what
    its cgroup has on each node, by kind, as far as that is counted: by the names of ``MemoryStat``.
    """

    sizes: Mapping[int, int]
    use: Mapping[str, Mapping[int, int]]


class CpuTicks(NamedTuple):
    """One ``cpu`` line of /proc/stat, in nanoseconds."""

    user: int = 0
    nice: int = 0
    system: int = 0
    idle: int = 0


class CpuCounters(NamedTuple):
    """What a container's CPUs have done: the sum, and each visible CPU by number.

    The sum includes CPUs that were visible once and are no longer, as the kernel's own first line
    includes CPUs that went offline.
    """

    total: CpuTicks
    each: tuple[tuple[int, CpuTicks], ...]


@dataclass(frozen=True, slots=True)
class TaskCount:
    """Threads of a container at one moment; ``last_pid`` is in the container's own numbering."""

    running: int
    blocked: int
    total: int
    last_pid: int


@dataclass(frozen=True, slots=True)
class LoadAverage:
    """Load over 1, 5 and 15 minutes in the kernel's fixed point (11 fractional bits)."""

    one: int
    five: int
    fifteen: int
    tasks: TaskCount


@dataclass(frozen=True, slots=True)
class OwnCgroup:
    """A container's cgroup in one hierarchy, where it is not the init's: told apart by cgroup.

    ``hierarchy`` is named as in /proc/PID/cgroup, ``""`` is the v2 tree. The ``inode`` of the
    directory tells it from a later one of the same path.
    """

    hierarchy: str
    path: str
    inode: int


@dataclass(frozen=True, slots=True)
class Container:
    """A pid namespace with its init, as the host numbers them.

    ``namespace`` (the inode of the pid namespace) and ``starttime`` (of init, in ticks since
    boot) together name it for good: either alone is used again by the kernel. ``own`` are the
    cgroups that make it one container of several in that namespace; none means its init's.
    """

    namespace: int
    init: int
    starttime: int
    own: tuple[OwnCgroup, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What caches and counters are filed under."""
        return (self.namespace, self.starttime, self.own)
