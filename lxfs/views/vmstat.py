"""/proc/vmstat of a container.

Role: the host's lines, in the host's order, each with the container's number.
Boundary: pure. Each line is one of three kinds: an amount that meminfo shows, too; an event that
the cgroup counts under the same name; or zero. Zero is what no cgroup counts (allocations by zone,
NUMA hits, compaction, migration, the balloon, kswapd's wakings...), what is a property of the
whole machine (thresholds, memory maps), and any line that this module does not know.
Threading: none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from lxfs.model import BlockIo, MemoryUse
from lxfs.origin import Origin, Reading, keys, smallest, value
from lxfs.views import meminfo
from lxfs.views.diskstats import COUNTED_V1, COUNTED_V2

# Counted by cgroup v2 in memory.stat, by v1 a few of them (mm/memcontrol.c); the rest stays 0.
_EVENTS = frozenset(
    b"""
    oom_kill pgfault pgmajfault pswpin pswpout
    pgactivate pgdeactivate pglazyfree pglazyfreed pgrefill
    pgscan_kswapd pgscan_direct pgscan_khugepaged pgscan_proactive
    pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgsteal_proactive
    workingset_refault_anon workingset_refault_file workingset_activate_anon
    workingset_activate_file workingset_restore_anon workingset_restore_file
    workingset_nodereclaim
    pgdemote_kswapd pgdemote_direct pgdemote_khugepaged pgdemote_proactive pgpromote_success
    thp_fault_alloc thp_collapse_alloc thp_swpout thp_swpout_fallback
    swpin_zero swpout_zero zswpin zswpout zswpwb
    numa_pages_migrated numa_pte_updates numa_hint_faults
    """.split()
)

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """What amounts are divided by: bytes of a page, and of a transparent huge page if any."""

    page: int
    huge: int | None


@lru_cache(maxsize=4)  # the same for every container: taken apart once per look at the host
def _layout(host: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Return the names of the host's lines, and what a file of such lines is made with."""
    names = []
    for line in host.splitlines():
        name, space, number = line.partition(b" ")
        if not (name and space and number.isdigit()):
            raise ValueError(f"expected a name and a count, found {line[:40]!r}")
        names.append(name)
    if not names:
        raise ValueError("the host's vmstat is empty")
    return tuple(names), b"".join(name.replace(b"%", b"%%") + b" %d\n" for name in names)


def _pages(host_meminfo: bytes, use: MemoryUse) -> dict[bytes, int]:
    """Return the amounts that are shown in pages, in bytes."""
    stat = use.stat
    lists = {
        b"inactive_anon": stat.inactive_anon,
        b"active_anon": stat.active_anon,
        b"inactive_file": stat.inactive_file,
        b"active_file": stat.active_file,
        b"unevictable": stat.unevictable,
    }
    return {
        **{b"nr_" + name: amount for name, amount in lists.items()},
        # A container has no zones; what is in them, it has.
        **{b"nr_zone_" + name: amount for name, amount in lists.items()},
        b"nr_zone_write_pending": stat.file_dirty + stat.file_writeback,
        b"nr_free_pages": meminfo.free(host_meminfo, use),
        b"nr_anon_pages": stat.anon,
        b"nr_mapped": stat.file_mapped,
        # As on the host the swap cache is part of it, which a cgroup's file is without.
        b"nr_file_pages": stat.file + stat.swapcached,
        b"nr_swapcached": stat.swapcached,
        b"nr_dirty": stat.file_dirty,
        b"nr_writeback": stat.file_writeback,
        b"nr_shmem": stat.shmem,
        b"nr_slab_reclaimable": stat.slab_reclaimable or 0,
        b"nr_slab_unreclaimable": stat.slab_unreclaimable or 0,
        b"nr_page_table_pages": stat.pagetables or 0,
        b"nr_sec_page_table_pages": stat.sec_pagetables or 0,
    }


def _values(
    host_meminfo: bytes,
    use: MemoryUse,
    events: Mapping[bytes, int],
    io: BlockIo,
    sizes: Sizes,
) -> dict[bytes, int]:
    stat = use.stat
    huge = {
        b"nr_anon_transparent_hugepages": stat.anon_thp,
        b"nr_shmem_hugepages": stat.shmem_thp or 0,
        b"nr_file_hugepages": stat.file_thp or 0,
    }
    return {
        **{name: count for name, count in events.items() if name in _EVENTS},
        **{name: n // sizes.page for name, n in _pages(host_meminfo, use).items()},
        **{name: n // sizes.huge if sizes.huge else 0 for name, n in huge.items()},
        b"nr_kernel_stack": (stat.kernel_stack or 0) // _KIB,
        # Block I/O in KiB, as on the host; discards are no writing there either.
        b"pgpgin": io.rbytes // _KIB,
        b"pgpgout": io.wbytes // _KIB,
    }


def render(
    host: bytes,
    host_meminfo: bytes,
    use: MemoryUse,
    events: Mapping[bytes, int],
    io: BlockIo,
    sizes: Sizes,
) -> bytes:
    """Return the file from the host's vmstat and meminfo and the container's figures.

    Pages are rounded down; nr_free_pages is meminfo's MemFree. ``events`` are by the names of
    this file, ``io`` is that of all devices. Raises ``ValueError`` for a host's file of another
    shape.
    """
    names, template = _layout(host)
    values = _values(host_meminfo, use, events, io, sizes)
    return template % tuple([values.get(name, 0) for name in names])


def _amount(lines: str, v2: str, v1: str | None, formula: str) -> Origin:
    theirs = tuple(f"total_{name}" for name in (v1 or "").split())
    uncounted = Reading("memory.stat", "zero", ("not counted by cgroup v1",))
    return Origin(
        tuple(lines.split()),
        formula,
        v1=(keys("memory.stat", *theirs) if theirs else uncounted,),
        v2=(keys("memory.stat", *v2.split()),),
    )


def _origins() -> tuple[Origin, ...]:
    pages, huge = "in pages", "in huge pages"
    lists = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")
    return (
        Origin(
            ("nr_free_pages",),
            "meminfo's MemFree, in pages",
            v1=(value("memory.usage_in_bytes"), smallest("memory.limit_in_bytes")),
            v2=(value("memory.current"), smallest("memory.max")),
        ),
        *(_amount(f"nr_{name} nr_zone_{name}", name, name, pages) for name in lists),
        _amount(
            "nr_zone_write_pending",
            "file_dirty file_writeback",
            "dirty writeback",
            "the sum, in pages",
        ),
        _amount("nr_anon_pages", "anon", "rss", pages),
        _amount("nr_mapped", "file_mapped", "mapped_file", pages),
        _amount("nr_file_pages", "file swapcached", "cache swapcached", "the sum, in pages"),
        _amount("nr_swapcached", "swapcached", "swapcached", pages),
        _amount("nr_dirty", "file_dirty", "dirty", pages),
        _amount("nr_writeback", "file_writeback", "writeback", pages),
        _amount("nr_shmem", "shmem", "shmem", pages),
        _amount("nr_slab_reclaimable", "slab_reclaimable", None, pages),
        _amount("nr_slab_unreclaimable", "slab_unreclaimable", None, pages),
        _amount("nr_page_table_pages", "pagetables", None, pages),
        _amount("nr_sec_page_table_pages", "sec_pagetables", None, pages),
        _amount("nr_kernel_stack", "kernel_stack", None, "in KiB"),
        _amount("nr_anon_transparent_hugepages", "anon_thp", "rss_huge", huge),
        _amount("nr_shmem_hugepages", "shmem_thp", None, huge),
        _amount("nr_file_hugepages", "file_thp", None, huge),
        Origin(
            ("pgpgin", "pgpgout"),
            "KiB of block I/O, as in diskstats, of all devices that are not made of others",
            v1=COUNTED_V1,
            v2=COUNTED_V2,
        ),
        Origin(
            ("oom_kill",),
            "as counted",
            v1=(keys("memory.oom_control", "oom_kill"),),
            v2=(keys("memory.events", "oom_kill"),),
        ),
        *(
            _amount(name, name, name, "as counted; 0 where the kernel does not")
            for name in sorted(event.decode() for event in _EVENTS - {b"oom_kill"})
        ),
        Origin(("*",), "0: no cgroup counts it, or it is the whole machine's"),
    )


ORIGINS = _origins()
