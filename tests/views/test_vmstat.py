"""/proc/vmstat of a container, byte for byte and for any numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs.model import BlockIo, MemoryUse
from lxfs.views import vmstat
from lxfs.views.vmstat import Sizes
from tests.fixtures import HYBRID, V2
from tests.views.test_meminfo import MIB, V1_USE, V2_USE, _uses

SIZES = Sizes(page=4096, huge=2 * MIB)
IO = BlockIo(rbytes=104857600, wbytes=52428800, rios=800, wios=600)
EVENTS = {
    b"oom_kill": 2,
    b"pgfault": 123456,
    b"pgmajfault": 78,
    b"pswpin": 11,
    b"pswpout": 22,
    b"pgscan_direct": 44,
    b"pgsteal_direct": 40,
    b"pgscan": 47,
    b"workingset_refault_file": 33,
    b"thp_fault_alloc": 5,
    b"zswpin": 6,
    b"anon": 104857600,
    b"nr_some_new_line": 1,
}

V2_TEXT = b"""\
nr_free_pages 79872
nr_zone_inactive_anon 23040
nr_zone_active_file 7168
nr_zone_write_pending 384
nr_mlock 0
numa_hit 0
nr_inactive_anon 23040
nr_active_anon 3584
nr_inactive_file 12288
nr_active_file 7168
nr_unevictable 0
nr_slab_reclaimable 1536
nr_slab_unreclaimable 512
workingset_nodes 0
workingset_refault_anon 0
workingset_refault_file 33
workingset_activate_file 0
nr_anon_pages 25600
nr_mapped 5120
nr_file_pages 20544
nr_dirty 256
nr_writeback 128
nr_shmem 1024
nr_shmem_hugepages 0
nr_file_hugepages 1
nr_anon_transparent_hugepages 20
nr_dirtied 0
nr_kernel_stack 1024
nr_page_table_pages 512
nr_sec_page_table_pages 0
nr_swapcached 64
nr_dirty_threshold 0
pgpgin 102400
pgpgout 51200
pswpin 11
pswpout 22
pgalloc_normal 0
pgfree 0
pgactivate 0
pgfault 123456
pgmajfault 78
pgrefill 0
pgsteal_kswapd 0
pgsteal_direct 40
pgscan_kswapd 0
pgscan_direct 44
pgscan_anon 0
oom_kill 2
thp_fault_alloc 5
zswpin 6
zswpout 0
nr_some_new_line 0
"""


def _render(source: Path, use: MemoryUse, sizes: Sizes = SIZES) -> bytes:
    host = (source / "proc/vmstat").read_bytes()
    return vmstat.render(host, (source / "proc/meminfo").read_bytes(), use, EVENTS, IO, sizes)


def _counts(text: bytes) -> dict[bytes, int]:
    return {name: int(count) for name, count in map(bytes.split, text.splitlines())}


def test_v2_bytes() -> None:
    """On the synthesised host every line is as computed by hand; what nobody knows is zero."""
    assert _render(V2, V2_USE) == V2_TEXT


def test_units() -> None:
    """Amounts are in pages of the machine, stacks in KiB, huge pages by their own size."""
    counts = _counts(_render(V2, V2_USE, Sizes(page=65536, huge=512 * MIB)))
    assert counts[b"nr_anon_pages"] == 1600
    assert counts[b"nr_kernel_stack"] == 1024
    assert counts[b"nr_anon_transparent_hugepages"] == 0
    assert counts[b"pgpgin"] == 102400
    assert _counts(_render(V2, V2_USE, Sizes(4096, None)))[b"nr_anon_transparent_hugepages"] == 0


def test_v1_of_the_recorded_host() -> None:
    """A v1 container has the lines of the recorded 6.18 host, with what v1 counts in them."""
    text = _render(HYBRID, V1_USE)
    host = (HYBRID / "proc/vmstat").read_bytes()
    assert [x.split()[0] for x in text.splitlines()] == [x.split()[0] for x in host.splitlines()]
    counts = _counts(text)
    assert counts[b"nr_free_pages"] == 195856 // 4
    assert counts[b"nr_anon_pages"] == 49660 // 4
    assert counts[b"nr_slab_reclaimable"] == 0


def test_free_pages_are_meminfos() -> None:
    """What bounds MemFree bounds nr_free_pages."""
    counts = _counts(_render(V2, replace(V2_USE, ancestor_headroom=100 * MIB)))
    assert counts[b"nr_free_pages"] == 100 * MIB // 4096


@pytest.mark.parametrize("host", [b"", b"nr_free_pages\n", b"nr_free_pages many\n", b" 12\n"])
def test_a_host_of_another_shape(host: bytes) -> None:
    """A host's file that is not names and counts is an error."""
    meminfo = (V2 / "proc/meminfo").read_bytes()
    with pytest.raises(ValueError, match=r"vmstat|found"):
        vmstat.render(host, meminfo, V2_USE, EVENTS, IO, SIZES)


@given(use=_uses, source=st.sampled_from([HYBRID, V2]))
def test_invariants(use: MemoryUse, source: Path) -> None:
    """For any use: the host's names in order, nothing negative, no figure of the host's."""
    text = _render(source, use)
    host = (source / "proc/vmstat").read_bytes()
    assert [x.split()[0] for x in text.splitlines()] == [x.split()[0] for x in host.splitlines()]
    assert min(_counts(text).values()) >= 0
    assert {_counts(text).get(name, 0) for name in (b"numa_hit", b"nr_dirtied", b"pgfree")} == {0}
