"""cgroup v2 files to values.

Role: what the files of the unified hierarchy mean (Documentation/admin-guide/cgroup-v2.rst).
Boundary: a ``Place`` in, values of the model out.
Threading: pure functions over the kernel's files.
"""

import errno
from collections.abc import Mapping
from fractions import Fraction

from lxfs import parse, stats
from lxfs.model import (
    BlockIo,
    CpuTime,
    HugePages,
    MemoryUse,
    SourceError,
    SwapUse,
    UncountedError,
)
from lxfs.sources.place import Place


def memory(place: Place, *, with_swap: bool = True) -> MemoryUse:
    """Return use and limits of memory and swap, in bytes.

    A cgroup whose parent does not hand down the memory controller has no counters; the nearest
    ancestor that has them is then where the kernel charges its memory.
    """
    charged, usage = _charged(place)
    limits = charged.limits("memory.max", parse.integer_or_max)
    return MemoryUse(
        usage=usage,
        limit=min((limit for _, limit in limits), default=None),
        ancestor_headroom=_ancestor_headroom(charged, limits),
        swap=_swap(charged) if with_swap else None,
        stat=charged.read("memory.stat", stats.v2_memory),
    )


def _charged(place: Place) -> tuple[Place, int]:
    """Return the cgroup that a cgroup's memory is charged to, and its use in bytes.

    The root cgroup has no sum of its own.
    """
    for level in place.ancestry:
        usage = level.read_if_any("memory.current", parse.integer)
        if usage is not None:
            return level, usage
    if place.is_top:
        stat = place.read("memory.stat", stats.v2_memory)
        return place, stats.root_usage(stat)
    raise SourceError(
        errno.ENODEV, "no memory controller in it or above it", place.file("memory.current")
    )


def swap(place: Place) -> SwapUse | None:
    """Return use and limits of swap, of where memory is charged; see ``memory``."""
    return _swap(_charged(place)[0])


def _swap(place: Place) -> SwapUse | None:
    usage = place.read_if_any("memory.swap.current", parse.integer)
    if usage is None:
        return None  # a kernel that does not account swap
    return SwapUse(usage=usage, limit=place.smallest("memory.swap.max", parse.integer_or_max))


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

    memory.stat mixes these counts with amounts, whose names vmstat does not know. Kernels before
    6.0 have one count of scanned and one of reclaimed pages; reclaim at the cgroup's own limit is
    direct.
    """
    charged, _ = _charged(place)
    events = dict(charged.read("memory.stat", parse.flat_keyed))
    for kind in (b"pgscan", b"pgsteal"):
        if kind in events and kind + b"_direct" not in events:
            events[kind + b"_direct"] = events[kind]
    oom = charged.read_if_any("memory.events", parse.flat_keyed) or {}
    return {**events, b"oom_kill": oom.get(b"oom_kill", 0)}


def huge_pages(place: Place, size: str) -> HugePages:
    """Return the huge pages in use, by ``size`` as in the files' names.

    A cgroup without the controller has no count, but its ancestors' limits hold.
    """
    return HugePages(
        usage=place.read_if_any(f"hugetlb.{size}.current", parse.integer),
        reserved=place.read_if_any(f"hugetlb.{size}.rsvd.current", parse.integer) or 0,
        limit=place.smallest(f"hugetlb.{size}.max", parse.integer_or_max),
    )


def block_io(place: Place) -> dict[parse.Device, BlockIo]:
    """Return the block I/O by device, from io.stat.

    None in a cgroup without the controller: an ancestor's would be its neighbours', too. None in
    the root cgroup, which shows the machine's.
    """
    if place.is_top:
        return {}
    return place.read_if_any("io.stat", stats.v2_block_io) or {}


def pressure(place: Place, resource: str) -> bytes:
    """Return the text of the cgroup's own cpu.pressure, memory.pressure or io.pressure.

    (Documentation/accounting/psi.rst.) Raises ``UncountedError`` (EOPNOTSUPP) where the kernel
    keeps none: without PSI, with cgroup.pressure 0, and for the root cgroup, whose pressure is
    the machine's.
    """
    name = f"{resource}.pressure"
    try:
        text = None if place.is_top else place.read_if_any(name, bytes)
    except SourceError as error:
        if error.errno != errno.EOPNOTSUPP:  # PSI was turned off when the machine started
            raise
        text = None
    if text is None:
        raise UncountedError(errno.EOPNOTSUPP, "no pressure of its own", place.file(name))
    return text


def left(place: Place, limit: int) -> int:
    """Return what a cgroup has left of its limit in bytes, with what it can reclaim; at least 0."""
    stat = place.read("memory.stat", stats.v2_memory)
    return max(0, limit - place.read("memory.current", parse.integer) + stat.reclaimable)


def cpu_time(place: Place) -> CpuTime:
    """Return the CPU time used so far, in nanoseconds, from cpu.stat.

    Its user time includes nice time, which kernels before 6.10 do not tell apart.
    """
    return place.read("cpu.stat", stats.v2_cpu)


def cpu_quota(place: Place) -> Fraction | None:
    """Return the smallest quota/period over the cgroup and its ancestors, in CPUs."""
    return place.smallest("cpu.max", parse.cpu_max)


def memory_use_by_node(place: Place) -> Mapping[str, Mapping[int, int]]:
    """Return use by kind and node, in bytes, of where memory is charged; see ``memory``.

    Nothing on a kernel without NUMA.
    """
    for level in place.ancestry:
        use = level.read_if_any("memory.numa_stat", parse.numa_stat)
        if use is not None:
            return use
    return {}


def memory_nodes(place: Place) -> tuple[int, ...]:
    """Return the nodes its memory may be on; none when no level says."""
    for level in place.ancestry:
        if nodes := level.read_if_any("cpuset.mems.effective", parse.cpulist):
            return nodes
    return ()


def cpuset(place: Place) -> tuple[int, ...]:
    """Return the CPUs the cgroup may run on; none when no level says."""
    for level in place.ancestry:
        if cpus := level.read_if_any("cpuset.cpus.effective", parse.cpulist):
            return cpus
    return ()
