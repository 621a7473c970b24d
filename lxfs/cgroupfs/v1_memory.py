"""The files of v1's memory controller.

Role: what each says of a cgroup whose memory v2 counts, and what a write to it means there.
Boundary: pure. Formulas are those of the views of /proc (``lxfs.stats``), formats the kernel's
(mm/memcontrol-v1.c).
Threading: pure functions. Longer than 400 lines because each file has its row here.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from mmap import PAGESIZE

from lxfs import parse, stats
from lxfs.cgroupfs.conversions import both_limit, low_of_soft, soft_of_low
from lxfs.cgroupfs.files import ControlFile, Group, Write
from lxfs.cgroupfs.rows import (
    READ_WRITE,
    ask,
    ask_host,
    constant,
    levels,
    need,
    only,
    row,
    smallest,
    write_only,
)
from lxfs.cgroupfs.texts import keyed, limit, line, refuse, unsigned, v1_limit, v2_limit
from lxfs.model import MemoryStat
from lxfs.origin import Origin, Reading, keys, value

_MAX_SWAPPINESS = 200


def _number(group: Group, name: str) -> int | None:
    return ask(group, "memory", name, parse.integer)


def _limit(group: Group, name: str) -> int | None:
    return ask(group, "memory", name, parse.integer_or_max)


def _stat(group: Group) -> MemoryStat:
    return need(group, "memory", "memory.stat", stats.v2_memory)


def _flat(group: Group, name: str) -> Mapping[bytes, int]:
    return ask(group, "memory", name, parse.flat_keyed) or {}


def usage(group: Group) -> int:
    """Return the memory in use, in bytes; see ``stats.root_usage`` for the root cgroup."""
    current = _number(group, "memory.current")
    return stats.root_usage(_stat(group)) if current is None else current


def _peak(group: Group) -> int:
    """Return the highest use; without memory.peak, all that is known is the present one."""
    now = usage(group)
    return max(now, _number(group, "memory.peak") or 0)


def _swap(group: Group) -> int | None:
    return _number(group, "memory.swap.current")


def _counts_swap(group: Group) -> bool:
    """Return whether the kernel accounts swap here; the root cgroup has no file of its own for it.

    Then the cgroups below it would say; v1's root has its files of swap where any has.
    """
    return _swap(group) is not None


def _both_limit(group: Group) -> int | None:
    return both_limit(_limit(group, "memory.max"), _limit(group, "memory.swap.max"))


def _of_both(
    make: Callable[[Group], bytes],
) -> Callable[[Group], bytes | None]:
    """Return a view of a file that a kernel without accounting of swap does not have."""
    return lambda group: make(group) if _counts_swap(group) else None


def _both(group: Group) -> int:
    return usage(group) + (_swap(group) or 0)


def _reachable(group: Group) -> int:
    """Return down to what the kernel can bring the use without swapping, in bytes."""
    return usage(group) - _stat(group).reclaimable


def _set_limit(group: Group, text: bytes) -> Sequence[Write]:
    """Limit memory; v1 keeps its limit of memory and swap, so that of swap moves the other way.

    v1 gives EINVAL for a limit above that, and EBUSY where it cannot reclaim down to a limit; v2
    would kill, so what is certain to be out of reach is not asked of it.
    """
    new = limit(text, b"-1")
    old, swap = _limit(group, "memory.max"), _limit(group, "memory.swap.max")
    both = both_limit(old, swap)
    if both is not None and (new is None or new > both):
        refuse(errno.EINVAL)
    if new is not None and new < _reachable(group):
        refuse(errno.EBUSY)
    writes = [Write("memory", "memory.max", v2_limit(new))]
    if both is not None and new is not None:
        writes.append(Write("memory", "memory.swap.max", line(both - new)))
        if old is not None and new > old:
            writes.reverse()  # the sum of the two is never above what it was
    return writes


def _set_both(group: Group, text: bytes) -> Sequence[Write]:
    """Limit memory and swap together: v2's limit of swap is what is left of it beyond memory's."""
    if not _counts_swap(group):
        refuse(errno.EOPNOTSUPP)
    both, memory = limit(text, b"-1"), _limit(group, "memory.max")
    if both is None:
        return (Write("memory", "memory.swap.max", b"max\n"),)
    if memory is None or both < memory:
        refuse(errno.EINVAL)
    if both < _reachable(group):
        refuse(errno.EBUSY)
    return (Write("memory", "memory.swap.max", line(both - memory)),)


def _set_soft_limit(_: Group, text: bytes) -> Sequence[Write]:
    return (Write("memory", "memory.low", line(low_of_soft(limit(text, b"-1")))),)


def _soft_limit(group: Group) -> bytes:
    return v1_limit(soft_of_low(_limit(group, "memory.low") or 0))


def _swappiness(group: Group) -> bytes:
    return line(ask_host(group, "proc/sys/vm/swappiness", parse.integer))


def _set_swappiness(group: Group, text: bytes) -> Sequence[Write]:
    wanted = unsigned(text)
    if wanted > _MAX_SWAPPINESS:
        refuse(errno.EINVAL)
    if line(wanted) != _swappiness(group):
        refuse(errno.EOPNOTSUPP)
    return ()


def _set_oom_control(_: Group, text: bytes) -> Sequence[Write]:
    disable = unsigned(text)
    if disable > 1:
        refuse(errno.EINVAL)
    if disable:
        refuse(errno.EOPNOTSUPP)  # v2 always kills
    return ()


def _ignored_limit(_: Group, text: bytes) -> Sequence[Write]:
    limit(text, b"-1")  # Linux 6.18, too, checks it and does nothing
    return ()


def _unlimited_only(_: Group, text: bytes) -> Sequence[Write]:
    if limit(text, b"-1") is not None:
        refuse(errno.EOPNOTSUPP)
    return ()


def _failures(group: Group) -> bytes:
    """Return how often the limit was hit, an event in v2, which .local has of this cgroup alone."""
    events = _flat(group, "memory.events.local") or _flat(group, "memory.events")
    return line(events.get(b"max", 0))


def _oom_control(group: Group) -> bytes:
    events = _flat(group, "memory.events.local") or _flat(group, "memory.events")
    killed = events.get(b"oom_kill", 0)
    return keyed({"oom_kill_disable": 0, "under_oom": 0, "oom_kill": killed})


_KERNEL_KINDS = (b"slab", b"kernel_stack", b"pagetables", b"sec_pagetables", b"percpu", b"vmalloc")


def _kernel(group: Group) -> int:
    """Return the kernel's memory; older kernels do not tell the sum, but its parts."""
    stat = _flat(group, "memory.stat")
    return stat.get(b"kernel", sum(stat.get(kind, 0) for kind in _KERNEL_KINDS))


def _sock(group: Group) -> bytes:
    return line(_flat(group, "memory.stat").get(b"sock", 0))


_STAT_LINES = (
    ("cache", "file"),
    ("rss", "anon"),
    ("rss_huge", "anon_thp"),
    ("shmem", "shmem"),
    ("mapped_file", "file_mapped"),
    ("dirty", "file_dirty"),
    ("writeback", "file_writeback"),
    ("workingset_refault_anon", "workingset_refault_anon"),
    ("workingset_refault_file", "workingset_refault_file"),
    ("swap", "memory.swap.current"),
    ("swapcached", "swapcached"),
    ("pgpgin", ""),
    ("pgpgout", ""),
    ("pgfault", "pgfault"),
    ("pgmajfault", "pgmajfault"),
    ("inactive_anon", "inactive_anon"),
    ("active_anon", "active_anon"),
    ("inactive_file", "inactive_file"),
    ("active_file", "active_file"),
    ("unevictable", "unevictable"),
)
"""v1's lines in their order, and what v2 calls the same counter (mm/memcontrol-v1.c).

pgpgin and pgpgout count pages charged and uncharged, which v2 does not.
"""
_OF_SWAP = ("swap", "swapcached", "hierarchical_memsw_limit")
"""Lines of a kernel that accounts swap."""


def _memory_stat(group: Group) -> bytes:
    counted = dict(_flat(group, "memory.stat"))
    kinds = _stat(group)
    swap = _swap(group)
    counted |= {b"memory.swap.current": swap or 0, b"anon_thp": kinds.anon_thp}
    own = {name: counted.get(source.encode(), 0) for name, source in _STAT_LINES}
    memory = smallest(group, "memory", "memory.max", parse.integer_or_max)
    both = min(
        (b for level in levels(group) if (b := _both_limit(level)) is not None), default=None
    )
    lines = own | {
        "hierarchical_memory_limit": int(v1_limit(memory)),
        "hierarchical_memsw_limit": int(v1_limit(both)),
        **{f"total_{name}": number for name, number in own.items()},
    }
    if swap is None:
        lines = {n: v for n, v in lines.items() if n.removeprefix("total_") not in _OF_SWAP}
    return keyed(lines)


_NODE_KINDS = {
    "total": ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"),
    "file": ("inactive_file", "active_file"),
    "anon": ("inactive_anon", "active_anon"),
    "unevictable": ("unevictable",),
}
"""v1's lines of memory.numa_stat, and the lists that they sum up (``memcg_numa_stat_show``)."""


def _numa_stat(group: Group) -> bytes | None:
    nodes = ask(group, "memory", "memory.numa_stat", parse.numa_stat)
    if nodes is None:
        return None
    text = ""
    for prefix in ("", "hierarchical_"):
        for name, lists in _NODE_KINDS.items():
            each: dict[int, int] = {}
            for kind in lists:
                for node, amount in nodes.get(kind, {}).items():
                    each[node] = each.get(node, 0) + amount // PAGESIZE
            fields = "".join([f" N{node}={pages}" for node, pages in each.items()])
            text += f"{prefix}{name}={sum(each.values())}{fields}\n"
    return text.encode()


_EVENTS = keys("memory.events.local", "max")
_UNCOUNTED = Reading("memory.stat", "zero", ("not counted by cgroup v2",))


def _stat_origins() -> tuple[Origin, ...]:
    found = []
    for name, source in _STAT_LINES:
        if source == "memory.swap.current":
            reading = value(source)
        else:
            reading = keys("memory.stat", source) if source else _UNCOUNTED
        lines = (name, f"total_{name}")
        v1 = (keys("memory.stat", *lines),)
        found.append(Origin(lines, "as counted", v1=v1, v2=(reading,)))
    found.append(
        Origin(
            ("hierarchical_memory_limit",),
            "the smallest over the cgroup and its ancestors",
            v1=(keys("memory.stat", "hierarchical_memory_limit"),),
            v2=(Reading("memory.max", "smallest"),),
        )
    )
    found.append(
        Origin(
            ("hierarchical_memsw_limit",),
            "the smallest sum of both limits over the cgroup and its ancestors; this line, swap"
            " and swapcached are left out where swap is not accounted",
            v1=(keys("memory.stat", "hierarchical_memsw_limit"),),
            v2=(value("memory.max"), value("memory.swap.max")),
        )
    )
    return tuple(found)


_LIMITS = (value("memory.max"), value("memory.swap.max"))
_USES = (value("memory.current"), value("memory.swap.current"))

FILES: tuple[ControlFile, ...] = (
    row(
        "memory.usage_in_bytes",
        1,
        "memory",
        lambda group: line(usage(group)),
        formula="as counted; the root cgroup's is anon + file",
        of=(value("memory.current"),),
    ),
    row(
        "memory.max_usage_in_bytes",
        1,
        "memory",
        lambda group: line(_peak(group)),
        mode=READ_WRITE,
        formula="the highest use; the present one on kernels without the file",
        of=(value("memory.peak"), value("memory.current")),
    ),
    row(
        "memory.limit_in_bytes",
        1,
        "memory",
        lambda group: v1_limit(_limit(group, "memory.max")),
        _set_limit,
        formula="the cgroup's own limit; none is the page-rounded maximum",
        of=(value("memory.max"),),
    ),
    row(
        "memory.soft_limit_in_bytes",
        1,
        "memory",
        _soft_limit,
        _set_soft_limit,
        formula="memory.low, where that is not 0, else none",
        of=(value("memory.low"),),
    ),
    row(
        "memory.failcnt",
        1,
        "memory",
        _failures,
        mode=READ_WRITE,
        formula="how often the limit was hit; on kernels without the file, descendants', too",
        of=(_EVENTS,),
    ),
    row(
        "memory.stat",
        1,
        "memory",
        _memory_stat,
        formula="",
        lines=_stat_origins(),
    ),
    write_only("memory.force_empty", 1, "memory"),
    row(
        "memory.use_hierarchy",
        1,
        "memory",
        constant(b"1\n"),
        only(1),
        formula="1: v2 always counts descendants, as v1 itself on 6.18",
    ),
    row(
        "memory.swappiness",
        1,
        "memory",
        _swappiness,
        _set_swappiness,
        formula="the host's: v2 has none of a cgroup",
        of=(value("/proc/sys/vm/swappiness"),),
    ),
    row(
        "memory.move_charge_at_immigrate",
        1,
        "memory",
        constant(b"0\n"),
        only(0),
        formula="0: v2 moves no charges, nor does v1 on 6.18",
    ),
    row(
        "memory.oom_control",
        1,
        "memory",
        _oom_control,
        _set_oom_control,
        formula="oom_kill as counted; oom_kill_disable and under_oom are 0, as v2 always kills",
        of=(keys("memory.events.local", "oom_kill"),),
    ),
    row(
        "memory.numa_stat",
        1,
        "memory",
        _numa_stat,
        formula="pages of the LRU lists by node; total is the sum of all of them",
        of=(keys("memory.numa_stat", *_NODE_KINDS["total"]),),
    ),
    row(
        "memory.memsw.usage_in_bytes",
        1,
        "memory",
        _of_both(lambda group: line(_both(group))),
        formula="the sum; no file where swap is not accounted",
        of=_USES,
    ),
    row(
        "memory.memsw.max_usage_in_bytes",
        1,
        "memory",
        _of_both(lambda group: line(max(_peak(group), _both(group)))),
        mode=READ_WRITE,
        formula="the larger of memory's highest use and the present sum: it was at least that",
        of=(value("memory.peak"), *_USES),
    ),
    row(
        "memory.memsw.limit_in_bytes",
        1,
        "memory",
        _of_both(lambda group: v1_limit(_both_limit(group))),
        _set_both,
        formula="the sum; none where either has none",
        of=_LIMITS,
    ),
    row(
        "memory.memsw.failcnt",
        1,
        "memory",
        _of_both(
            lambda group: line(_flat(group, "memory.swap.events").get(b"max", 0)),
        ),
        mode=READ_WRITE,
        formula="how often the limit of swap was hit",
        of=(keys("memory.swap.events", "max"),),
    ),
    row(
        "memory.kmem.usage_in_bytes",
        1,
        "memory",
        lambda group: line(_kernel(group)),
        formula="the kernel's memory; the sum of its parts where the line is missing",
        of=(keys("memory.stat", "kernel"),),
    ),
    row(
        "memory.kmem.max_usage_in_bytes",
        1,
        "memory",
        lambda group: line(_kernel(group)),
        mode=READ_WRITE,
        formula="the present use: v2 does not keep the highest",
        of=(keys("memory.stat", "kernel"),),
    ),
    row(
        "memory.kmem.limit_in_bytes",
        1,
        "memory",
        constant(v1_limit(None)),
        _ignored_limit,
        formula="none: v2 has no such limit, nor has v1 on 6.18",
    ),
    row(
        "memory.kmem.failcnt",
        1,
        "memory",
        constant(b"0\n"),
        mode=READ_WRITE,
        formula="0: there is no such limit",
    ),
    row(
        "memory.kmem.tcp.usage_in_bytes",
        1,
        "memory",
        _sock,
        formula="memory of sockets, of all protocols",
        of=(keys("memory.stat", "sock"),),
    ),
    row(
        "memory.kmem.tcp.max_usage_in_bytes",
        1,
        "memory",
        _sock,
        mode=READ_WRITE,
        formula="the present use: v2 does not keep the highest",
        of=(keys("memory.stat", "sock"),),
    ),
    row(
        "memory.kmem.tcp.limit_in_bytes",
        1,
        "memory",
        constant(v1_limit(None)),
        _unlimited_only,
        formula="none: v2 has no such limit",
    ),
    row(
        "memory.kmem.tcp.failcnt",
        1,
        "memory",
        constant(b"0\n"),
        mode=READ_WRITE,
        formula="0: there is no such limit",
    ),
    row(
        "memory.kmem.slabinfo",
        1,
        "memory",
        constant(b""),
        formula="empty, as v1's own on 6.18",
    ),
)
