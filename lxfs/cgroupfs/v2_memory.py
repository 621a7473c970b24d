"""The files of v2's memory controller.

Role: what each says of a cgroup whose memory v1 counts, and what a write to it means there.
Boundary: pure. Formulas are those of the views of /proc (``lxfs.stats``), formats the kernel's
(mm/memcontrol.c).
Threading: pure functions. Longer than 400 lines because each file has its row here.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from mmap import PAGESIZE

from lxfs import parse, stats
from lxfs.cgroupfs.conversions import low_of_soft, soft_of_low
from lxfs.cgroupfs.files import ControlFile, Group, View, Write
from lxfs.cgroupfs.rows import READ_WRITE, ask, constant, need, row, write_only
from lxfs.cgroupfs.texts import (
    keyed,
    limit,
    line,
    refuse,
    signed,
    stripped,
    v1_limit,
    v2_limit,
)
from lxfs.origin import Origin, Reading, keys, value

_LIMIT, _BOTH_LIMIT = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


def _number(group: Group, name: str) -> int:
    return need(group, "memory", name, parse.integer)


def _v1_limit(group: Group, name: str) -> int | None:
    return ask(group, "memory", name, parse.v1_limit)


def _usage(group: Group) -> int:
    return _number(group, "memory.usage_in_bytes")


def _of_swap(make: Callable[[Group], bytes]) -> View:
    """Return a view of a file that a kernel without accounting of swap does not have."""
    return lambda group: make(group) if _swapped(group) is not None else None


def _swapped(group: Group) -> int | None:
    both = ask(group, "memory", "memory.memsw.usage_in_bytes", parse.integer)
    return None if both is None else stats.swapped(both, _usage(group))


def _swap_limit(group: Group) -> int | None:
    """Return what the cgroup's own limits leave for swap.

    With swappiness 0 v1 does not swap, and what it says is as if it may: the views of /proc, which
    are of what can be had, show a limit then, and this file of what was set shows none.
    """
    return stats.swap_limit(_v1_limit(group, _BOTH_LIMIT), _v1_limit(group, _LIMIT))


def _set_max(group: Group, text: bytes) -> Sequence[Write]:
    """Limit memory and keep the limit of swap: v1's limit of both moves along.

    v1 wants the limit of both to be the larger one at any time, so a rise begins with that.
    """
    new = limit(text, b"max")
    memory = Write("memory", _LIMIT, _v1_text(new))
    old, both = _v1_limit(group, _LIMIT), _v1_limit(group, _BOTH_LIMIT)
    if both is None:
        return (memory,)
    swap = stats.swap_limit(both, old)
    moved = None if new is None or swap is None else new + swap
    sum_of_both = Write("memory", _BOTH_LIMIT, _v1_text(moved))
    if moved is None or moved > both:
        return (sum_of_both, memory)
    return (memory, sum_of_both)


def _v1_text(number: int | None) -> bytes:
    return b"-1\n" if number is None else v1_limit(number)


def _set_swap_max(group: Group, text: bytes) -> Sequence[Write]:
    """Limit swap, by v1's limit of both. Where memory has none, v1 cannot: EOPNOTSUPP."""
    swap, memory = limit(text, b"max"), _v1_limit(group, _LIMIT)
    if swap is not None and memory is None:
        refuse(errno.EOPNOTSUPP)
    both = None if swap is None or memory is None else memory + swap
    return (Write("memory", _BOTH_LIMIT, _v1_text(both)),)


def _set_low(_: Group, text: bytes) -> Sequence[Write]:
    low = limit(text, b"max")
    if low is None:
        refuse(errno.EOPNOTSUPP)  # v1's soft limit of that size protects nothing
    return (Write("memory", "memory.soft_limit_in_bytes", _v1_text(soft_of_low(low))),)


def _low(group: Group) -> bytes:
    return line(low_of_soft(_v1_limit(group, "memory.soft_limit_in_bytes")))


def _unless(unset: int | None) -> Callable[[Group, bytes], Sequence[Write]]:
    """Return the meaning of a limit that v1 does not have: it can only be left unset."""

    def meant(_: Group, text: bytes) -> Sequence[Write]:
        if limit(text, b"max") != unset:
            refuse(errno.EOPNOTSUPP)
        return ()

    return meant


def _set_oom_group(_: Group, text: bytes) -> Sequence[Write]:
    together = signed(stripped(text), bits=32)
    if together not in (0, 1):
        refuse(errno.EINVAL)
    if together:
        refuse(errno.EOPNOTSUPP)  # v1 kills one process at a time
    return ()


def _events(group: Group) -> bytes:
    oom = ask(group, "memory", "memory.oom_control", parse.flat_keyed) or {}
    return keyed(
        {
            "low": 0,
            "high": 0,
            "max": _number(group, "memory.failcnt"),
            "oom": 0,
            "oom_kill": oom.get(b"oom_kill", 0),
            "oom_group_kill": 0,
        }
    )


def _swap_events(group: Group) -> bytes:
    return keyed({"high": 0, "max": _number(group, "memory.memsw.failcnt"), "fail": 0})


_STAT_LINES = (
    *("anon", "file", "kernel", "kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock"),
    *("vmalloc", "shmem", "file_mapped", "file_dirty", "file_writeback", "swapcached"),
    *("anon_thp", "file_thp", "shmem_thp"),
    *("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"),
    *("slab_reclaimable", "slab_unreclaimable", "slab"),
    *("workingset_refault_anon", "workingset_refault_file"),
    *("workingset_activate_anon", "workingset_activate_file"),
    *("workingset_restore_anon", "workingset_restore_file", "workingset_nodereclaim"),
    *("pgscan", "pgsteal", "pgscan_kswapd", "pgscan_direct", "pgsteal_kswapd", "pgsteal_direct"),
    *("pgfault", "pgmajfault", "pgrefill", "pgactivate", "pgdeactivate", "pglazyfree"),
    *("pglazyfreed", "thp_fault_alloc", "thp_collapse_alloc"),
)
"""v2's lines in the order of Linux 6.1, without those of zswap, which a kernel may lack."""
_OF_HUGE_PAGES = ("anon_thp", "file_thp", "shmem_thp", "thp_fault_alloc", "thp_collapse_alloc")
"""Lines of a kernel with transparent huge pages, of which v1's has rss_huge."""
_NODE_LINES = (
    *("anon", "file", "kernel_stack", "pagetables", "sec_pagetables", "shmem", "file_mapped"),
    *("file_dirty", "file_writeback", "swapcached", "anon_thp", "file_thp", "shmem_thp"),
    *("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"),
    *("slab_reclaimable", "slab_unreclaimable"),
    *("workingset_refault_anon", "workingset_refault_file"),
    *("workingset_activate_anon", "workingset_activate_file"),
    *("workingset_restore_anon", "workingset_restore_file", "workingset_nodereclaim"),
)
"""Those of memory.numa_stat, in its order."""

_SAME = ("workingset_refault_anon", "workingset_refault_file", "pgfault", "pgmajfault")
"""Events that v1 counts by the same names."""
_COUNTED = {
    "anon": "total_rss",
    "file": "total_cache",
    "shmem": "total_shmem",
    "file_mapped": "total_mapped_file",
    "file_dirty": "total_dirty",
    "file_writeback": "total_writeback",
    "swapcached": "total_swapcached",
    "anon_thp": "total_rss_huge",
    **{
        name: f"total_{name}"
        for name in (
            *("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"),
            *_SAME,
        )
    },
}
"""v2's lines that v1 has, and by which name."""
_KERNEL = {"kernel": "memory.kmem.usage_in_bytes", "sock": "memory.kmem.tcp.usage_in_bytes"}
"""v2's lines for which v1 has files of their own."""


def _stat_values(group: Group) -> Mapping[str, int]:
    """Return all lines; what v1 does not count is 0, as in the views of /proc."""
    kinds = need(group, "memory", "memory.stat", stats.v1_memory)
    totals = need(group, "memory", "memory.stat", parse.flat_keyed)
    found = {name: getattr(kinds, name, None) or 0 for name in _STAT_LINES}
    for name in _SAME:
        found[name] = totals.get(b"total_" + name.encode(), 0)
    for name, file in _KERNEL.items():
        found[name] = ask(group, "memory", file, parse.integer) or 0
    if b"total_rss_huge" not in totals:
        for name in _OF_HUGE_PAGES:
            del found[name]
    return found


def _stat(group: Group) -> bytes:
    return keyed(_stat_values(group))


def _numa_stat(group: Group) -> bytes | None:
    """Return what is on each node: with one node all, with several what v1 counts by node."""
    nodes = ask(group, "memory", "memory.numa_stat", parse.numa_stat)
    if nodes is None:
        return None
    hierarchical = {
        name: nodes[f"hierarchical_{name}"]
        for name in _V1_NODE_KINDS
        if f"hierarchical_{name}" in nodes
    }
    numbers = sorted({node for each in hierarchical.values() for node in each})
    if len(numbers) == 1:
        values = _stat_values(group)
        table = {name: {numbers[0]: values[name]} for name in _NODE_LINES if name in values}
    else:
        table = {
            name: {node: pages * PAGESIZE for node, pages in each.items()}
            for name, each in hierarchical.items()
        }
    return "".join(
        [
            f"{name}{''.join([f' N{node}={amount}' for node, amount in each.items()])}\n"
            for name, each in table.items()
        ]
    ).encode()


_V1_NODE_KINDS = ("anon", "file", "unevictable")


def _stat_origins() -> tuple[Origin, ...]:
    own = {name: (keys("memory.stat", name),) for name in _STAT_LINES}
    found = [
        Origin((name,), "as counted", v1=(keys("memory.stat", source),), v2=own[name])
        for name, source in _COUNTED.items()
    ]
    for name, file in _KERNEL.items():
        found.append(Origin((name,), "as counted", v1=(value(file),), v2=own[name]))
    rest = [name for name in _STAT_LINES if name not in _COUNTED | _KERNEL]
    found.append(
        Origin(
            tuple(rest),
            "0 on v1, as in /proc/meminfo",
            v1=(Reading("memory.stat", "zero", ("not counted by cgroup v1",)),),
            v2=(keys("memory.stat", *rest),),
        )
    )
    return tuple(found)


FILES: tuple[ControlFile, ...] = (
    row(
        "memory.current",
        2,
        "memory",
        lambda group: line(_usage(group)),
        formula="as counted",
        of=(value("memory.usage_in_bytes"),),
        in_top=False,
    ),
    row(
        "memory.peak",
        2,
        "memory",
        lambda group: line(_number(group, "memory.max_usage_in_bytes")),
        mode=READ_WRITE,
        formula="the highest use, since it was last reset there",
        of=(value("memory.max_usage_in_bytes"),),
        in_top=False,
    ),
    row(
        "memory.min",
        2,
        "memory",
        constant(b"0\n"),
        _unless(0),
        formula="0: v1 has nothing like it",
        in_top=False,
    ),
    row(
        "memory.low",
        2,
        "memory",
        _low,
        _set_low,
        formula="the soft limit; 0 where that is not set",
        of=(value("memory.soft_limit_in_bytes"),),
        in_top=False,
    ),
    row(
        "memory.high",
        2,
        "memory",
        constant(b"max\n"),
        _unless(None),
        formula="max: v1 has nothing like it",
        in_top=False,
    ),
    row(
        "memory.max",
        2,
        "memory",
        lambda group: v2_limit(_v1_limit(group, _LIMIT)),
        _set_max,
        formula="the cgroup's own limit; the page-rounded maximum is max",
        of=(value(_LIMIT),),
        in_top=False,
    ),
    row(
        "memory.events",
        2,
        "memory",
        _events,
        formula="max: how often the limit was hit; oom_kill: as counted; the others are 0. Of this"
        " cgroup alone",
        of=(value("memory.failcnt"), keys("memory.oom_control", "oom_kill")),
        in_top=False,
    ),
    row(
        "memory.events.local",
        2,
        "memory",
        _events,
        formula="the same: v1 counts them of this cgroup alone",
        of=(value("memory.failcnt"), keys("memory.oom_control", "oom_kill")),
        in_top=False,
    ),
    row(
        "memory.stat",
        2,
        "memory",
        _stat,
        formula="",
        lines=_stat_origins(),
    ),
    row(
        "memory.numa_stat",
        2,
        "memory",
        _numa_stat,
        formula="with one node, the lines of memory.stat; with several, what v1 counts by node:"
        " anon and file by their LRU lists, unevictable",
        of=(keys("memory.numa_stat", *(f"hierarchical_{name}" for name in _V1_NODE_KINDS)),),
    ),
    row(
        "memory.oom.group",
        2,
        "memory",
        constant(b"0\n"),
        _set_oom_group,
        formula="0: v1 kills one process at a time",
        in_top=False,
    ),
    row(
        "memory.swap.current",
        2,
        "memory",
        _of_swap(lambda group: line(_swapped(group) or 0)),
        formula="the sum less memory's part, not below 0; no file where swap is not accounted",
        of=(value("memory.memsw.usage_in_bytes"), value("memory.usage_in_bytes")),
        in_top=False,
    ),
    row(
        "memory.swap.high",
        2,
        "memory",
        _of_swap(lambda _: b"max\n"),
        _unless(None),
        formula="max: v1 has nothing like it",
        in_top=False,
    ),
    row(
        "memory.swap.max",
        2,
        "memory",
        _of_swap(lambda group: v2_limit(_swap_limit(group))),
        _set_swap_max,
        formula="what the limit of both allows beyond memory's; max where there is none of both",
        of=(value(_BOTH_LIMIT), value(_LIMIT)),
        in_top=False,
    ),
    row(
        "memory.swap.events",
        2,
        "memory",
        _of_swap(_swap_events),
        formula="max: how often the limit of both was hit; the others are 0",
        of=(value("memory.memsw.failcnt"),),
        in_top=False,
    ),
    write_only("memory.reclaim", 2, "memory"),
)
