"""cgroup v1 files to values.

Role: what the files of the memory, cpu, cpuacct, cpuset, blkio and hugetlb hierarchies mean
(Documentation/admin-guide/cgroup-v1/).
Boundary: a ``Place`` in, values of the model out.
Threading: pure functions over the kernel's files.
"""

import errno
from fractions import Fraction
from mmap import PAGESIZE

from lxfs import parse, stats
from lxfs.model import (
    BlockIo,
    CpuSpread,
    CpuTime,
    HugePages,
    MemoryUse,
    SourceError,
    SwapUse,
)
from lxfs.sources.place import Place

_LIMIT = "memory.limit_in_bytes"
_SWAP_LIMIT = "memory.memsw.limit_in_bytes"


def memory(place: Place, *, with_swap: bool = True) -> MemoryUse:
    """Return use and limits of memory and swap, in bytes (cgroup-v1/memory.rst).

    v1 limits memory and swap together (memsw). Swap's own limit is what memsw allows beyond
    memory; swappiness 0 keeps a v1 cgroup from swapping at all, so the limit is then what it has
    already swapped.
    """
    usage = place.read("memory.usage_in_bytes", parse.integer)
    stat = place.read("memory.stat", stats.v1_memory)
    limits = place.limits(_LIMIT, parse.v1_limit)
    limit = min([limit for _, limit in limits], default=None)
    return MemoryUse(
        usage=usage,
        limit=limit,
        ancestor_headroom=_ancestor_headroom(place, limits),
        swap=_swap(place, usage, limit) if with_swap else None,
        stat=stat,
    )


def swap(place: Place) -> SwapUse | None:
    """Return use and limits of swap, see ``memory``."""
    usage = place.read("memory.usage_in_bytes", parse.integer)
    return _swap(place, usage, place.smallest(_LIMIT, parse.v1_limit))


def _swap(place: Place, usage: int, limit: int | None) -> SwapUse | None:
    both = place.read_if_any("memory.memsw.usage_in_bytes", parse.integer)
    if both is None:
        return None  # a kernel that does not account swap
    swapped = stats.swapped(both, usage)
    if place.read_if_any("memory.swappiness", parse.integer) == 0:
        return SwapUse(usage=swapped, limit=swapped)
    memsw = place.smallest(_SWAP_LIMIT, parse.v1_limit)
    return SwapUse(usage=swapped, limit=stats.swap_limit(memsw, limit))


def _ancestor_headroom(place: Place, limits: list[tuple[Place, int]]) -> int | None:
    headroom: int | None = None
    for ancestor, limit in limits:
        if ancestor is place:
            continue
        found = left(ancestor, limit)
        headroom = found if headroom is None else min(headroom, found)
    return headroom


def memory_events(place: Place) -> dict[bytes, int]:
    """Return what has happened to the cgroup's memory, by the names of /proc/vmstat.

    pgpgin and pgpgout of v1's memory.stat are not among them: they count pages charged and
    uncharged, not disk I/O. Kills by the OOM killer are those of the cgroup's own processes.
    """
    totals = place.read("memory.stat", parse.flat_keyed)
    prefix = b"total_"
    events = {name[len(prefix) :]: n for name, n in totals.items() if name.startswith(prefix)}
    for name in (b"pgpgin", b"pgpgout"):
        events.pop(name, None)
    oom = place.read_if_any("memory.oom_control", parse.flat_keyed) or {}
    return {**events, b"oom_kill": oom.get(b"oom_kill", 0)}


def huge_pages(place: Place, size: str) -> HugePages:
    """Return the huge pages in use, by ``size`` as in the files' names (cgroup-v1/hugetlb.rst)."""
    return HugePages(
        usage=place.read_if_any(f"hugetlb.{size}.usage_in_bytes", parse.integer),
        reserved=place.read_if_any(f"hugetlb.{size}.rsvd.usage_in_bytes", parse.integer) or 0,
        # No limit is the largest number of pages: no pool has as many.
        limit=place.smallest(f"hugetlb.{size}.limit_in_bytes", parse.integer),
    )


def block_io(place: Place) -> dict[parse.Device, BlockIo]:
    """Return the block I/O by device; the root cgroup has none of its own."""
    if place.is_top:
        return {}
    return stats.v1_block_io(lambda name: place.read_if_any(name, parse.blkio))


def left(place: Place, limit: int) -> int:
    """Return what a cgroup has left of its limit in bytes, with what it can reclaim; at least 0."""
    stat = place.read("memory.stat", stats.v1_memory)
    return max(0, limit - place.read("memory.usage_in_bytes", parse.integer) + stat.reclaimable)


def cpu_time(place: Place) -> CpuTime:
    """Return the CPU time used so far, in nanoseconds (cgroup-v1/cpuacct.rst).

    cpuacct.stat is in ticks, divides the scheduler's exact sum by the sampled shares and never
    goes back; cpuacct.usage_user and _sys are the samples alone.
    """
    return place.read("cpuacct.stat", stats.v1_cpu)


def cpu_spread(place: Place) -> CpuSpread | None:
    """Return on which CPUs the time was used; ``None`` from kernels without the file (before 4.8).

    Each CPU's line has the time that its ticks found in user mode (nice included) and in the
    kernel, as /proc/stat has for the machine.
    """
    return place.read_if_any("cpuacct.usage_all", stats.v1_cpu_spread)


def cpu_quota(place: Place) -> Fraction | None:
    """Return the smallest quota/period over the cgroup and its ancestors, in CPUs.

    (Documentation/scheduler/sched-bwc.rst.)
    """
    smallest: Fraction | None = None
    for level in place.limiting:
        quota = level.read_if_any("cpu.cfs_quota_us", bytes)
        if quota is None or quota == b"-1\n":
            continue
        path = level.file("cpu.cfs_quota_us")
        period = level.read("cpu.cfs_period_us", bytes)
        try:
            limit = parse.v1_quota(quota, period)
        except ValueError as error:
            raise SourceError(errno.EIO, str(error), path) from error
        if limit is not None and (smallest is None or limit < smallest):
            smallest = limit
    return smallest


def memory_use_by_node(place: Place) -> dict[str, dict[int, int]]:
    """Return use by kind and node, in bytes: anon, file and unevictable, by their LRU lists.

    Nothing on a kernel without NUMA (cgroup-v1/memory.rst).
    """
    prefix = "hierarchical_"
    return {
        name.removeprefix(prefix): {node: pages * PAGESIZE for node, pages in nodes.items()}
        for name, nodes in (place.read_if_any("memory.numa_stat", parse.numa_stat) or {}).items()
        if name.startswith(prefix)
    }


def memory_nodes(place: Place) -> tuple[int, ...]:
    """Return the nodes its memory may be on; none when no level says (cgroup-v1/cpusets.rst)."""
    for level in place.ancestry:
        for name in ("cpuset.effective_mems", "cpuset.mems"):
            if nodes := level.read_if_any(name, parse.cpulist):
                return nodes
    return ()


def cpuset(place: Place) -> tuple[int, ...]:
    """Return the CPUs the cgroup may run on; none when no level says (cgroup-v1/cpusets.rst)."""
    for level in place.ancestry:
        for name in ("cpuset.effective_cpus", "cpuset.cpus"):
            if cpus := level.read_if_any(name, parse.cpulist):
                return cpus
    return ()
