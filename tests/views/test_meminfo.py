"""/proc/meminfo and /proc/swaps of a container, byte for byte and for any numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import parse
from lxfs.model import HugePages, MemoryStat, MemoryUse, SwapUse
from lxfs.views import meminfo, swaps
from tests.fixtures import HYBRID, V2

MIB = 1 << 20

# The recorded container: 48 MiB anonymous, 16 MiB shared, under 256 MiB.
V1_USE = MemoryUse(
    usage=67878912,
    limit=268435456,
    ancestor_headroom=None,
    swap=SwapUse(usage=0, limit=None),
    stat=MemoryStat(
        anon=50851840,
        file=16777216,
        shmem=16777216,
        file_mapped=0,
        file_dirty=0,
        file_writeback=0,
        active_anon=16723968,
        inactive_anon=50806784,
        active_file=0,
        inactive_file=0,
        unevictable=0,
    ),
)

V2_USE = MemoryUse(
    usage=200 * MIB,
    limit=512 * MIB,
    ancestor_headroom=None,
    swap=SwapUse(usage=5 * MIB, limit=256 * MIB),
    stat=MemoryStat(
        anon=100 * MIB,
        file=80 * MIB,
        shmem=4 * MIB,
        file_mapped=20 * MIB,
        file_dirty=MIB,
        file_writeback=MIB // 2,
        active_anon=14 * MIB,
        inactive_anon=90 * MIB,
        active_file=28 * MIB,
        inactive_file=48 * MIB,
        unevictable=0,
        swapcached=MIB // 4,
        anon_thp=40 * MIB,
        file_thp=2 * MIB,
        shmem_thp=0,
        slab_reclaimable=6 * MIB,
        slab_unreclaimable=2 * MIB,
        kernel_stack=MIB,
        pagetables=2 * MIB,
        sec_pagetables=0,
        percpu=65536,
        vmalloc=131072,
        zswap=MIB,
        zswapped=4 * MIB,
    ),
)

V1_TEXT = b"""\
MemTotal:         262144 kB
MemFree:          195856 kB
MemAvailable:     195856 kB
Buffers:               0 kB
Cached:            16384 kB
SwapCached:            0 kB
Active:            16332 kB
Inactive:          49616 kB
Active(anon):      16332 kB
Inactive(anon):    49616 kB
Active(file):          0 kB
Inactive(file):        0 kB
Unevictable:           0 kB
Mlocked:               0 kB
SwapTotal:             0 kB
SwapFree:              0 kB
Zswap:                 0 kB
Zswapped:              0 kB
Dirty:                 0 kB
Writeback:             0 kB
AnonPages:         49660 kB
Mapped:                0 kB
Shmem:             16384 kB
KReclaimable:          0 kB
Slab:                  0 kB
SReclaimable:          0 kB
SUnreclaim:            0 kB
KernelStack:           0 kB
PageTables:            0 kB
SecPageTables:         0 kB
NFS_Unstable:          0 kB
Bounce:                0 kB
WritebackTmp:          0 kB
CommitLimit:      131071 kB
Committed_AS:      66044 kB
VmallocTotal:   34359738367 kB
VmallocUsed:           0 kB
VmallocChunk:          0 kB
Percpu:                0 kB
AnonHugePages:         0 kB
ShmemHugePages:        0 kB
ShmemPmdMapped:        0 kB
FileHugePages:         0 kB
FilePmdMapped:         0 kB
Balloon:               0 kB
HugePages_Total:       0
HugePages_Free:        0
HugePages_Rsvd:        0
HugePages_Surp:        0
Hugepagesize:       2048 kB
Hugetlb:               0 kB
DirectMap4k:           0 kB
DirectMap2M:           0 kB
DirectMap1G:           0 kB
"""

V2_TEXT = b"""\
MemTotal:         524288 kB
MemFree:          319488 kB
MemAvailable:     403456 kB
Buffers:               0 kB
Cached:            81920 kB
SwapCached:          256 kB
Active:            43008 kB
Inactive:         141312 kB
SwapTotal:        262144 kB
SwapFree:         257024 kB
Zswap:              1024 kB
Zswapped:           4096 kB
Dirty:              1024 kB
AnonPages:        102400 kB
Mapped:            20480 kB
Shmem:              4096 kB
KReclaimable:       6144 kB
Slab:               8192 kB
SReclaimable:       6144 kB
SUnreclaim:         2048 kB
KernelStack:        1024 kB
PageTables:         2048 kB
SecPageTables:         0 kB
CommitLimit:      524288 kB
Committed_AS:     111616 kB
VmallocTotal:   34359738367 kB
VmallocUsed:         128 kB
VmallocChunk:          0 kB
Percpu:               64 kB
HardwareCorrupted:     0 kB
AnonHugePages:     40960 kB
FileHugePages:      2048 kB
HugePages_Total:       0
HugePages_Free:        0
HugePages_Rsvd:        0
Hugepagesize:       2048 kB
Hugetlb:               0 kB
DirectMap4k:           0 kB
"""


def test_v1_bytes() -> None:
    """On the recorded 6.18 host every line of a v1 container is as computed by hand."""
    host = (HYBRID / "proc/meminfo").read_bytes()
    assert meminfo.render(host, V1_USE) == V1_TEXT


def test_v2_bytes() -> None:
    """On the synthesised v2 host every line is as computed by hand, Mapped and Dirty too."""
    host = (V2 / "proc/meminfo").read_bytes()
    assert meminfo.render(host, V2_USE) == V2_TEXT


def test_columns_are_the_kernels() -> None:
    """A container that used what the host does would give the recorded lines back unchanged."""
    host = b"MemTotal:       24684092 kB\nMemFree:        24684092 kB\nHugePages_Total:       0\n"
    empty = MemoryStat(**dict.fromkeys(_REQUIRED, 0))
    use = MemoryUse(usage=0, limit=None, ancestor_headroom=None, swap=None, stat=empty)
    assert meminfo.render(host, use) == host


@pytest.mark.parametrize(
    ("use", "total", "free", "reserved"),
    [
        # 16 on the host, 8 of them free, 2 of these promised to somebody.
        (HugePages(), 16, 6, 0),
        (HugePages(usage=4 * MIB, reserved=6 * MIB, limit=20 * MIB), 10, 7, 1),
        (HugePages(usage=18 * MIB, reserved=0, limit=20 * MIB), 10, 1, 0),
        (HugePages(usage=24 * MIB, reserved=0, limit=20 * MIB), 10, 0, 0),
        (HugePages(usage=0, reserved=0, limit=9223372036852678656), 16, 6, 0),
        (HugePages(usage=None, reserved=0, limit=0), 0, 0, 0),
    ],
)
def test_huge_pages(use: HugePages, total: int, free: int, reserved: int) -> None:
    """The pool is what the limit lets have of the host's, less what anybody has taken of it."""
    host = (V2 / "proc/meminfo").read_bytes()
    figures = parse.meminfo(meminfo.render(host, V2_USE, use))
    assert figures[b"HugePages_Total"] == total
    assert figures[b"HugePages_Free"] == free
    assert figures[b"HugePages_Rsvd"] == reserved
    assert figures[b"Hugetlb"] == total * 2 * MIB


def test_huge_pages_are_asked_for_where_there_are_any() -> None:
    """The size of the pages of a pool that is not empty, and nothing else to look for."""
    assert meminfo.huge_page_size((V2 / "proc/meminfo").read_bytes()) == 2 * MIB
    assert meminfo.huge_page_size((HYBRID / "proc/meminfo").read_bytes()) is None


def test_a_line_nobody_knows_is_zero() -> None:
    """A line that a future kernel adds shows nothing of the host."""
    host = b"MemTotal:        1000000 kB\nSecretPool:        12345 kB\nSecretCount:          7\n"
    text = meminfo.render(host, V2_USE)
    assert b"SecretPool:            0 kB\nSecretCount:           0\n" in text


def test_neighbours_bound_what_is_available() -> None:
    """What a limited ancestor has left bounds MemAvailable and with it MemFree."""
    host = (V2 / "proc/meminfo").read_bytes()
    text = meminfo.render(host, replace(V2_USE, ancestor_headroom=100 * MIB))
    assert b"MemFree:          102400 kB\nMemAvailable:     102400 kB\n" in text


def test_host_bounds_what_is_available() -> None:
    """A container without a limit is not offered more than the host has left."""
    host = (V2 / "proc/meminfo").read_bytes()
    figures = parse.meminfo(meminfo.render(host, replace(V2_USE, limit=None)))
    assert figures[b"MemTotal"] == 8388608 * 1024
    assert figures[b"MemAvailable"] == 6291456 * 1024


def test_malformed_host_file() -> None:
    """A host file without MemTotal, or of another shape, is an error and not a guess."""
    with pytest.raises(ValueError, match="no MemTotal"):
        meminfo.render(b"MemFree: 12 kB\n", V2_USE)
    with pytest.raises(ValueError, match="found"):
        meminfo.render(b"not meminfo at all\n", V2_USE)


def test_swaps_bytes() -> None:
    """Swap is one line in kB under the kernel's own header, and without swap the header alone."""
    host = (V2 / "proc/meminfo").read_bytes()
    header = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    line = b"none" + b" " * 36 + b"virtual\t\t262144\t\t5120\t\t0\n"
    assert swaps.render(host, V2_USE.swap) == header + line
    assert swaps.render(host, None) == header
    assert (HYBRID / "proc/swaps").read_bytes() == header
    assert swaps.render((HYBRID / "proc/meminfo").read_bytes(), V1_USE.swap) == header


_REQUIRED = (
    "anon",
    "file",
    "shmem",
    "file_mapped",
    "file_dirty",
    "file_writeback",
    "active_anon",
    "inactive_anon",
    "active_file",
    "inactive_file",
    "unevictable",
)
_bytes = st.integers(0, 1 << 45)
_maybe = st.none() | _bytes
_stats = st.builds(
    MemoryStat,
    **dict.fromkeys(_REQUIRED, _bytes),
    swapcached=_bytes,
    slab_reclaimable=_maybe,
    slab_unreclaimable=_maybe,
)
_uses = st.builds(
    MemoryUse,
    usage=_bytes,
    limit=_maybe,
    ancestor_headroom=_maybe,
    swap=st.none() | st.builds(SwapUse, usage=_bytes, limit=_maybe),
    stat=_stats,
)
_huge = st.none() | st.builds(
    HugePages, usage=st.none() | _bytes, reserved=_bytes, limit=st.none() | _bytes
)
_hosts = st.sampled_from([HYBRID, V2])


@given(use=_uses, huge=_huge, source=_hosts)
def test_invariants(use: MemoryUse, huge: HugePages | None, source: Path) -> None:
    """For any use: the host's names in order, nothing negative, Free <= Available <= Total.

    And each sum is that of its parts as they are printed.
    """
    host = (source / "proc/meminfo").read_bytes()
    text = meminfo.render(host, use, huge)
    figures, of_host = parse.meminfo(text), parse.meminfo(host)
    assert list(figures) == list(of_host)
    assert min(figures.values()) >= 0
    assert figures[b"MemFree"] <= figures[b"MemAvailable"] <= figures[b"MemTotal"]
    assert figures[b"MemTotal"] <= of_host[b"MemTotal"]
    assert figures[b"MemAvailable"] <= of_host[b"MemAvailable"]
    assert figures[b"SwapFree"] <= figures[b"SwapTotal"] <= of_host[b"SwapTotal"]
    assert figures[b"HugePages_Free"] <= figures[b"HugePages_Total"]
    assert figures[b"HugePages_Total"] <= of_host[b"HugePages_Total"]
    assert figures[b"HugePages_Free"] <= of_host[b"HugePages_Free"]
    assert figures[b"Slab"] == figures[b"SReclaimable"] + figures[b"SUnreclaim"]
    if b"Active(anon)" in figures:
        for name in (b"Active", b"Inactive"):
            assert figures[name] == figures[name + b"(anon)"] + figures[name + b"(file)"]
    for line in swaps.render(host, use.swap).splitlines()[1:]:
        size, used = map(int, line.split()[2:4])
        assert size * 1024 == figures[b"SwapTotal"]
        assert used * 1024 == figures[b"SwapTotal"] - figures[b"SwapFree"]
