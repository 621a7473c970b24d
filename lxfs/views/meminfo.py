"""/proc/meminfo of a container.

Role: the host's lines, in the host's order, each with the container's number.
Boundary: pure. What a cgroup cannot say is derived or zero, never the host's; docs/lxfs.md gives
the reason for each line. A line that this module does not know is zero.
Threading: none. Longer than 400 lines because each line of the file has its formula here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from lxfs import parse
from lxfs.model import HugePages, MemoryStat, MemoryUse, SwapUse
from lxfs.origin import Origin, Reading, keys, smallest, value


class _Sizes(NamedTuple):
    """The numbers of one rendering that several lines share, in bytes."""

    total: int
    free: int
    available: int
    swap_total: int
    swap_used: int


_HOSTS = frozenset(
    b"""
    MemTotal MemAvailable SwapTotal CommitLimit VmallocTotal
    Hugepagesize HugePages_Total HugePages_Free HugePages_Rsvd
    """.split()
)
"""The figures of the host that any line is made of."""


@dataclass(frozen=True, eq=False)
class _Layout:
    """The lines of a host's file: what finds its figures, and what a file of them is made with.

    ``columns`` are, line by line, the name and what a number of bytes is divided by.
    """

    lines: re.Pattern[bytes]
    figures: tuple[tuple[bytes, int], ...]
    template: bytes
    columns: tuple[tuple[bytes, int], ...]

    @classmethod
    def of(cls, host: bytes) -> "_Layout":
        if b"MemTotal" not in parse.meminfo(host):
            raise ValueError("the host's meminfo has no MemTotal")
        patterns, figures, lines, columns = [], [], [], []
        for line in host.splitlines():
            name, _, rest = line.partition(b":")
            label = (name + b":").ljust(16).replace(b"%", b"%%")
            unit = b" kB" if rest.endswith(b" kB") else b""
            # The kernel's columns: numbers end in the 24th, wider ones push the unit out.
            lines.append(b"%b%%%dd%b\n" % (label, 24 - max(16, len(name) + 1), unit))
            columns.append((name, 1024 if unit else 1))
            if name in _HOSTS:
                figures.append(columns[-1])
                patterns.append(re.escape(name) + rb": *(\d+)" + unit)
            else:
                patterns.append(re.escape(name) + rb":.*")
        pattern = re.compile(rb"\n".join(patterns) + rb"\n?")
        return cls(pattern, tuple(figures), b"".join(lines), tuple(columns))

    def read(self, host: bytes) -> Mapping[bytes, int] | None:
        """Return the figures of a host's file in bytes, or ``None`` if it has other lines."""
        found = self.lines.fullmatch(host)
        if found is None:
            return None
        numbers = zip(self.figures, found.groups(), strict=True)
        return {name: int(number) * unit for (name, unit), number in numbers}


_layouts: list[_Layout] = []
"""Those that were seen lately. It is one for as long as the kernel runs."""
_MAX_LAYOUTS = 4


@lru_cache(maxsize=4)  # asked for more than once in a rendering
def _layout(host: bytes) -> tuple[_Layout, Mapping[bytes, int]]:
    """Return the lines of the host's file, and its figures in bytes."""
    for layout in _layouts:
        if (figures := layout.read(host)) is not None:
            return layout, figures
    layout = _Layout.of(host)
    figures = layout.read(host)
    if figures is None:
        raise ValueError(f"expected lines of meminfo, found {host[:40]!r}")
    _layouts[:] = [layout, *_layouts[: _MAX_LAYOUTS - 1]]
    return layout, figures


def swap_sizes(swap_total: int, use: SwapUse | None) -> tuple[int, int]:
    """Return total and used swap of a container in bytes, the used never above the total.

    ``swap_total`` is the host's. Swap that the kernel does not account is not shown.
    """
    if use is None:
        return 0, 0
    total = swap_total if use.limit is None else min(swap_total, use.limit)
    return total, min(use.usage, total)


def _sizes(host: Mapping[bytes, int], use: MemoryUse) -> _Sizes:
    total = host[b"MemTotal"]
    if use.limit is not None:
        total = min(total, use.limit)
    free = max(0, total - use.usage)
    available = min(total, free + use.stat.reclaimable)
    # Neighbours below a common limit, and the whole host, may have less left than our own limit
    # promises; a program that sizes itself by MemAvailable must not be lied to.
    if use.ancestor_headroom is not None:
        available = min(available, use.ancestor_headroom)
    available = min(available, host.get(b"MemAvailable", available))
    swap_total, swap_used = swap_sizes(host.get(b"SwapTotal", 0), use.swap)
    return _Sizes(total, min(free, available), available, swap_total, swap_used)


def free(host: bytes, use: MemoryUse) -> int:
    """Return MemFree of a container in bytes, from the host's file and the container's use."""
    return _sizes(_layout(host)[1], use).free


def huge_page_size(host: bytes) -> int | None:
    """Return the bytes of a huge page of the host's pool, ``None`` while the pool is empty."""
    _, figures = _layout(host)
    return figures.get(b"Hugepagesize") if figures.get(b"HugePages_Total") else None


def _huge(host: Mapping[bytes, int], use: HugePages) -> Iterable[tuple[bytes, int]]:
    """Return the lines of the pool of huge pages, in pages.

    The pool is the host's, as far as the limit lets the container have of it; what neighbours have
    taken or reserved is not free. What of it is surplus no cgroup knows.
    """
    size = host.get(b"Hugepagesize", 0)
    if not size:
        return ()
    total = host.get(b"HugePages_Total", 0)
    if use.limit is not None:
        total = min(total, use.limit // size)
    used = (use.usage or 0) // size
    # The kernel counts a reservation until it is given back, taken or not; this line does not.
    reserved = max(0, min(use.reserved // size - used, host.get(b"HugePages_Rsvd", 0)))
    left = host.get(b"HugePages_Free", 0) - host.get(b"HugePages_Rsvd", 0) + reserved
    available = max(0, min(total - used, left))
    return (
        (b"HugePages_Total", total),
        (b"HugePages_Free", available),
        (b"HugePages_Rsvd", min(reserved, available)),
        (b"Hugetlb", total * size),
    )


def _kb(amount: int) -> int:
    """Return an amount rounded down to kB, so that a sum of such is the sum of what is printed."""
    return amount & ~1023


def _commit_limit(host: Mapping[bytes, int], sizes: _Sizes) -> int:
    """Scale the host's rule (a share of memory, plus swap) to the container's sizes.

    Documentation/mm/overcommit-accounting.rst; the share is found from the host's own figures, as
    the ratio itself is not ours to read.
    """
    share = max(0, host.get(b"CommitLimit", 0) - host.get(b"SwapTotal", 0))
    return sizes.total * share // max(1, host[b"MemTotal"]) + sizes.swap_total


def swap_total(host: bytes) -> int:
    """Return the host's swap in bytes."""
    return _layout(host)[1].get(b"SwapTotal", 0)


def _values(sizes: _Sizes, stat: MemoryStat) -> dict[bytes, int]:
    return {
        b"MemTotal": sizes.total,
        b"MemFree": sizes.free,
        b"MemAvailable": sizes.available,
        # Without the swap cache, which the kernel counts into the host's page cache alone.
        b"Cached": stat.file,
        b"SwapCached": stat.swapcached,
        b"Active": _kb(stat.active_anon) + _kb(stat.active_file),
        b"Inactive": _kb(stat.inactive_anon) + _kb(stat.inactive_file),
        b"Active(anon)": stat.active_anon,
        b"Inactive(anon)": stat.inactive_anon,
        b"Active(file)": stat.active_file,
        b"Inactive(file)": stat.inactive_file,
        b"Unevictable": stat.unevictable,
        b"SwapTotal": sizes.swap_total,
        b"SwapFree": sizes.swap_total - sizes.swap_used,
        b"Zswap": stat.zswap or 0,
        b"Zswapped": stat.zswapped or 0,
        b"Dirty": stat.file_dirty,
        b"Writeback": stat.file_writeback,
        b"AnonPages": stat.anon,
        b"Mapped": stat.file_mapped,
        b"Shmem": stat.shmem,
        b"KReclaimable": stat.slab_reclaimable or 0,
        b"Slab": _kb(stat.slab_reclaimable or 0) + _kb(stat.slab_unreclaimable or 0),
        b"SReclaimable": stat.slab_reclaimable or 0,
        b"SUnreclaim": stat.slab_unreclaimable or 0,
        b"KernelStack": stat.kernel_stack or 0,
        b"PageTables": stat.pagetables or 0,
        b"SecPageTables": stat.sec_pagetables or 0,
        # What was promised is not counted per cgroup; what of it was touched is.
        b"Committed_AS": stat.anon + stat.shmem + sizes.swap_used,
        b"VmallocUsed": stat.vmalloc or 0,
        b"Percpu": stat.percpu or 0,
        b"AnonHugePages": stat.anon_thp,
        b"ShmemHugePages": stat.shmem_thp or 0,
        b"FileHugePages": stat.file_thp or 0,
    }


# Of an idle container nothing changes but what the host has left, which seldom is its bound.
@lru_cache(maxsize=256)
def _text(
    layout: _Layout, sizes: _Sizes, stat: MemoryStat, others: tuple[tuple[bytes, int], ...]
) -> bytes:
    values = {**_values(sizes, stat), **dict(others)}
    return layout.template % tuple(
        [values.get(name, 0) // divisor for name, divisor in layout.columns]
    )


def render(host: bytes, use: MemoryUse, huge: HugePages | None = None) -> bytes:
    """Return the file for a container from the host's file and the container's use.

    In kB, rounded down. ``huge`` is wanted where the host has huge pages (``huge_page_size``);
    without it the container has none. For any input nothing is negative, Free <= Available <= Total
    and SwapFree <= SwapTotal. Raises ``ValueError`` when the host's file has no MemTotal or is not
    of meminfo's shape. Formulas: Documentation/filesystems/proc.rst.
    """
    layout, figures = _layout(host)
    sizes = _sizes(figures, use)
    others = [
        (b"CommitLimit", _commit_limit(figures, sizes)),
        # Properties of the processor, the same for everybody on it.
        (b"VmallocTotal", figures.get(b"VmallocTotal", 0)),
        (b"Hugepagesize", figures.get(b"Hugepagesize", 0)),
    ]
    if huge is not None:
        others += _huge(figures, huge)
    return _text(layout, sizes, use.stat, tuple(others))


_V1_LIMIT, _V2_LIMIT = smallest("memory.limit_in_bytes"), smallest("memory.max")
_V1_USAGE, _V2_USAGE = value("memory.usage_in_bytes"), value("memory.current")
_V1_LEFT = Reading("memory.limit_in_bytes", "headroom", ("memory.usage_in_bytes", "memory.stat"))
_V2_LEFT = Reading("memory.max", "headroom", ("memory.current", "memory.stat"))
_V1_HUGE, _V2_HUGE = smallest("hugetlb.SIZE.limit_in_bytes"), smallest("hugetlb.SIZE.max")
_V1_UNCOUNTED = Reading("memory.stat", "zero", ("not counted by cgroup v1",))


def _of_host(*names: str) -> tuple[Reading, ...]:
    return (keys("/proc/meminfo", *names),)


def _counted(line: str, v2: str, v1: str | None = None) -> Origin:
    """Return the origin of a line that is one line of memory.stat, or the sum of several."""
    v1_names = () if v1 is None else tuple(f"total_{name}" for name in v1.split())
    return Origin(
        (line,),
        "the sum of both in kB" if " " in v2 else "as counted",
        v1=(keys("memory.stat", *v1_names) if v1_names else _V1_UNCOUNTED,),
        v2=(keys("memory.stat", *v2.split()),),
    )


def _zero(lines: str, reason: str) -> Origin:
    return Origin(tuple(lines.split()), f"0: {reason}")


ORIGINS = (
    Origin(
        ("MemTotal",),
        "min(limit, the host's)",
        v1=(_V1_LIMIT,),
        v2=(_V2_LIMIT,),
        host=_of_host("MemTotal"),
    ),
    Origin(
        ("MemFree",),
        "MemTotal less usage, not below 0, not above MemAvailable",
        v1=(_V1_USAGE,),
        v2=(_V2_USAGE,),
    ),
    Origin(
        ("MemAvailable",),
        "MemTotal less usage, and what can be reclaimed: active_file + inactive_file +"
        " slab_reclaimable; at most MemTotal, what each limited ancestor has left (its limit less"
        " its usage, and what it can reclaim), and the host's MemAvailable",
        v1=(
            _V1_USAGE,
            keys("memory.stat", "total_active_file", "total_inactive_file"),
            _V1_LEFT,
        ),
        v2=(
            _V2_USAGE,
            keys("memory.stat", "active_file", "inactive_file", "slab_reclaimable"),
            _V2_LEFT,
        ),
        host=_of_host("MemAvailable"),
    ),
    _zero("Buffers", "a cgroup's page cache is all in Cached"),
    _counted("Cached", "file", "cache"),
    _counted("SwapCached", "swapcached", "swapcached"),
    _counted("Active", "active_anon active_file", "active_anon active_file"),
    _counted("Inactive", "inactive_anon inactive_file", "inactive_anon inactive_file"),
    _counted("Active(anon)", "active_anon", "active_anon"),
    _counted("Inactive(anon)", "inactive_anon", "inactive_anon"),
    _counted("Active(file)", "active_file", "active_file"),
    _counted("Inactive(file)", "inactive_file", "inactive_file"),
    _counted("Unevictable", "unevictable", "unevictable"),
    _zero("Mlocked", "not counted per cgroup; it is part of Unevictable"),
    Origin(
        ("SwapTotal",),
        "min(limit, the host's); 0 where swap is not accounted. v1 limits memory and swap as one"
        " sum: the limit is what that allows beyond memory, and with swappiness 0 what is swapped",
        v1=(smallest("memory.memsw.limit_in_bytes"), _V1_LIMIT, value("memory.swappiness")),
        v2=(smallest("memory.swap.max"),),
        host=_of_host("SwapTotal"),
    ),
    Origin(
        ("SwapFree",),
        "SwapTotal less what is swapped (v1: the sum less memory's part), not below 0",
        v1=(value("memory.memsw.usage_in_bytes"), _V1_USAGE),
        v2=(value("memory.swap.current"),),
    ),
    _counted("Zswap", "zswap"),
    _counted("Zswapped", "zswapped"),
    _counted("Dirty", "file_dirty", "dirty"),
    _counted("Writeback", "file_writeback", "writeback"),
    _counted("AnonPages", "anon", "rss"),
    _counted("Mapped", "file_mapped", "mapped_file"),
    _counted("Shmem", "shmem", "shmem"),
    _counted("KReclaimable", "slab_reclaimable"),
    _counted("Slab", "slab_reclaimable slab_unreclaimable"),
    _counted("SReclaimable", "slab_reclaimable"),
    _counted("SUnreclaim", "slab_unreclaimable"),
    _counted("KernelStack", "kernel_stack"),
    _counted("PageTables", "pagetables"),
    _counted("SecPageTables", "sec_pagetables"),
    _zero("NFS_Unstable Bounce WritebackTmp", "not counted per cgroup"),
    Origin(
        ("CommitLimit",),
        "SwapTotal + MemTotal times the host's own share: its CommitLimit less its SwapTotal, of"
        " its MemTotal",
        host=_of_host("CommitLimit", "SwapTotal", "MemTotal"),
    ),
    Origin(
        ("Committed_AS",),
        "AnonPages + Shmem + SwapTotal less SwapFree: what was touched of the promises, which"
        " themselves are not counted per cgroup",
    ),
    *(
        Origin((name,), "the host's: a property of the processor", host=_of_host(name))
        for name in ("VmallocTotal", "Hugepagesize")
    ),
    _counted("VmallocUsed", "vmalloc"),
    _zero("VmallocChunk", "the kernel's own answer since 4.4"),
    _counted("Percpu", "percpu"),
    _zero("HardwareCorrupted Balloon Unaccepted", "the machine's, and no container's"),
    _counted("AnonHugePages", "anon_thp", "rss_huge"),
    _counted("ShmemHugePages", "shmem_thp"),
    _counted("FileHugePages", "file_thp"),
    _zero("ShmemPmdMapped FilePmdMapped CmaTotal CmaFree", "not counted per cgroup"),
    Origin(
        ("HugePages_Total",),
        "min(limit, the host's); while the host has none, nothing is read",
        v1=(_V1_HUGE,),
        v2=(_V2_HUGE,),
        host=_of_host("HugePages_Total"),
    ),
    Origin(
        ("HugePages_Free",),
        "HugePages_Total less use, at most what the host has free and has promised to nobody else",
        v1=(value("hugetlb.SIZE.usage_in_bytes"),),
        v2=(value("hugetlb.SIZE.current"),),
        host=_of_host("HugePages_Free", "HugePages_Rsvd"),
    ),
    Origin(
        ("HugePages_Rsvd",),
        "what is reserved and not taken yet, at most the host's and HugePages_Free",
        v1=(value("hugetlb.SIZE.rsvd.usage_in_bytes"), value("hugetlb.SIZE.usage_in_bytes")),
        v2=(value("hugetlb.SIZE.rsvd.current"), value("hugetlb.SIZE.current")),
        host=_of_host("HugePages_Rsvd"),
    ),
    _zero("HugePages_Surp", "what of the pool is surplus is not known per cgroup"),
    Origin(("Hugetlb",), "HugePages_Total times Hugepagesize"),
    _zero("DirectMap*", "they add up to the host's memory"),
    _zero("*", "no cgroup counts it, and the host's figure would tell of the neighbours"),
)
"""Line by line; what a kernel adds later is the last."""
