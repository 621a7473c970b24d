"""What names CPUs and nodes in /sys: exact bytes, and memory that adds up over the nodes."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import parse
from lxfs.model import Cpus, MemoryUse, NodeMemory
from lxfs.views import cpu_sysfs, meminfo, node_sysfs
from tests.fixtures import HYBRID, V2
from tests.views.test_meminfo import V1_USE, V2_USE

GIB = 1 << 30
ONE = NodeMemory(sizes={0: 64 * GIB}, use={})
"""The memory of a container on one node, of which nothing is counted."""
CPUS = Cpus((1, 2, 8, 33), Fraction(4))


@pytest.mark.parametrize(
    ("view", "host", "expected"),
    [
        (cpu_sysfs.visible, b"0-63\n", b"1-2,8,33\n"),
        (cpu_sysfs.none, b"4-5\n", b"\n"),
        (cpu_sysfs.on, b"1\n", b"1\n"),
        (cpu_sysfs.seen_list, b"0-8\n", b"1-2,8\n"),
        (cpu_sysfs.seen_list, b"\n", b"\n"),
        (cpu_sysfs.seen_mask, b"3\n", b"2\n"),
        (cpu_sysfs.seen_mask, b"fff\n", b"106\n"),
        (cpu_sysfs.seen_mask, b"00000002,0000ffff\n", b"00000002,00000106\n"),
        (cpu_sysfs.seen_mask, b"3,ffffffff\n", b"2,00000106\n"),
        (cpu_sysfs.seen_mask, b"00000000,00000001\n", b"00000000,00000000\n"),
        (cpu_sysfs.seen_numbers, b"0 1 2 3\n", b"1 2\n"),
        (cpu_sysfs.seen_numbers, b"0 \n", b"\n"),
    ],
)
def test_cpu_bytes(view: cpu_sysfs.View, host: bytes, expected: bytes) -> None:
    """Lists, masks and words are the kernel's, masks as wide as the host's."""
    assert view(host, CPUS) == expected


@pytest.mark.parametrize(
    "call",
    [
        lambda: cpu_sysfs.seen_list(b"0-\n", CPUS),
        lambda: cpu_sysfs.seen_mask(b"0-3\n", CPUS),
        lambda: cpu_sysfs.seen_mask(b"", CPUS),
        lambda: cpu_sysfs.seen_numbers(b"0-3\n", CPUS),
        lambda: node_sysfs.seen_list(b"node0\n", [0]),
        lambda: node_sysfs.distance(b"10 21\n", (0, 1, 2), [0]),
        lambda: node_sysfs.numastat(b"numa_hit\n"),
        lambda: node_sysfs.meminfo(b"MemTotal: 12 kB\n", b"MemTotal: 1 kB\nMemFree: 1 kB\n", ONE),
        lambda: node_sysfs.meminfo(b"", b"gibberish\n", ONE),
    ],
)
def test_other_shapes_are_errors(call: Callable[[], bytes]) -> None:
    """A host file of another shape is not served."""
    with pytest.raises(ValueError, match=r"."):
        call()


def test_node_bytes() -> None:
    """Lists and distances name the visible nodes, in the host's order; counters are zero."""
    assert node_sysfs.listed((0, 1, 3)) == b"0-1,3\n"
    assert node_sysfs.seen_list(b"0-3\n", (1, 2, 5)) == b"1-2\n"
    assert node_sysfs.distance(b"10 21 31 41\n", (0, 1, 4, 5), (1, 5)) == b"21 41\n"
    assert node_sysfs.distance(b"10\n", (0,), (0,)) == b"10\n"
    assert node_sysfs.numastat(b"numa_hit 7\nnuma_miss 8\n") == b"numa_hit 0\nnuma_miss 0\n"


HOST_NODE = b"""\
Node %d MemTotal:       67108864 kB
Node %d MemFree:        50000000 kB
Node %d MemUsed:        17108864 kB
Node %d SwapCached:            0 kB
Node %d Active(anon):    1234567 kB
Node %d FilePages:      123456789 kB
Node %d AnonPages:      12345678 kB
Node %d Mlocked:           17548 kB
Node %d HugePages_Total:     3
"""


def _host(node: int) -> bytes:
    return HOST_NODE % ((node,) * HOST_NODE.count(b"%d"))


WHOLE = b"""\
MemTotal:         524288 kB
MemFree:          324289 kB
Buffers:               0 kB
Cached:            80001 kB
SwapCached:            4 kB
Active(anon):      14000 kB
AnonPages:        100000 kB
Mlocked:             300 kB
HugePages_Total:       4
"""

TWO = NodeMemory(
    sizes={0: 64 * GIB, 1: 32 * GIB},
    use={
        "anon": {0: 30 << 20, 1: 10 << 20},
        "file": {0: 0, 1: 8 << 20},
        "active_anon": {0: 1, 1: 1},
        "swapcached": {0: 0, 1: 0},
    },
)


def test_meminfo_of_a_node() -> None:
    """Totals are as the nodes' sizes, lines as numa_stat says, in the kernel's columns."""
    assert node_sysfs.meminfo(_host(0), WHOLE, TWO) == (
        b"Node 0 MemTotal:         349525 kB\n"
        b"Node 0 MemFree:          224526 kB\n"
        b"Node 0 MemUsed:          124999 kB\n"
        b"Node 0 SwapCached:            3 kB\n"
        b"Node 0 Active(anon):       7000 kB\n"
        b"Node 0 FilePages:             0 kB\n"
        b"Node 0 AnonPages:         75000 kB\n"
        b"Node 0 Mlocked:             187 kB\n"
        b"Node 0 HugePages_Total:     2\n"
    )
    second = node_sysfs.meminfo(_host(1), WHOLE, TWO).splitlines()
    assert second[:3] == [
        b"Node 1 MemTotal:         174763 kB",
        b"Node 1 MemFree:           99763 kB",
        b"Node 1 MemUsed:           75000 kB",
    ]
    assert second[5] == b"Node 1 FilePages:         80005 kB"


def test_a_node_of_cpus_alone_has_no_memory() -> None:
    """A node that the container's memory may not be on is all zeros."""
    lines = node_sysfs.meminfo(_host(2), WHOLE, TWO).splitlines()
    assert {line.split()[3] for line in lines} == {b"0"}


def test_wide_numbers_push_the_unit_out() -> None:
    """A total of nine digits stands as the kernel prints it."""
    whole = b"MemTotal: 123456789 kB\nMemFree: 0 kB\n"
    line = node_sysfs.meminfo(_host(0), whole, ONE).splitlines()[0]
    assert line == b"Node 0 MemTotal:       123456789 kB"


@pytest.mark.parametrize(("source", "use"), [(HYBRID, V1_USE), (V2, V2_USE)])
def test_one_node_is_the_whole(source: Path, use: MemoryUse) -> None:
    """With one node its figures are those of /proc/meminfo."""
    whole = meminfo.render((source / "proc/meminfo").read_bytes(), use)
    figures = {name: value // 1024 for name, value in parse.meminfo(whole).items()}
    for name, value in _figures(node_sysfs.meminfo(_host(0), whole, ONE)).items():
        if name == b"MemUsed":
            assert value == figures[b"MemTotal"] - figures[b"MemFree"]
        elif name == b"FilePages":
            assert value == figures[b"Cached"] + figures[b"SwapCached"]
        elif name == b"HugePages_Total":
            assert value == parse.meminfo(whole).get(name, 0)
        else:
            assert value == figures.get(name, 0)


def _figures(text: bytes) -> dict[bytes, int]:
    fields = [line.split() for line in text.splitlines()]
    return {field[2].rstrip(b":"): int(field[3]) for field in fields}


_bytes = st.integers(0, 1 << 40)


@given(
    total=st.integers(1, 1 << 31),
    used=st.fractions(0, 1),
    sizes=st.lists(st.integers(1, 1 << 40), min_size=1, max_size=4),
    use=st.dictionaries(
        st.sampled_from(["anon", "file", "active_anon", "swapcached", "slab_reclaimable"]),
        st.dictionaries(st.integers(0, 4), _bytes),
    ),
    anon=st.integers(0, 1 << 31),
)
def test_nodes_add_up(
    total: int,
    used: Fraction,
    sizes: list[int],
    use: dict[str, dict[int, int]],
    anon: int,
) -> None:
    """For any sizes and use each line adds up to /proc/meminfo's, and none is above its node."""
    free = int(total * (1 - used))
    whole = b"MemTotal: %d kB\nMemFree: %d kB\nAnonPages: %d kB\n" % (total, free, anon)
    memory = NodeMemory(dict(enumerate(sizes)), use)
    nodes = [_figures(node_sysfs.meminfo(_host(node), whole, memory)) for node in memory.sizes]
    assert sum(node[b"MemTotal"] for node in nodes) == total
    assert sum(node[b"MemFree"] for node in nodes) == free
    assert sum(node[b"MemUsed"] for node in nodes) == total - free
    assert sum(node[b"AnonPages"] for node in nodes) == anon
    for node in nodes:
        assert 0 <= node[b"MemUsed"] <= node[b"MemTotal"]
        assert node[b"MemFree"] + node[b"MemUsed"] == node[b"MemTotal"]
        assert anon > total or 0 <= node[b"AnonPages"] <= node[b"MemTotal"]
