"""Each shape of kernel file: what it means, and what it may not be."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import parse


def test_integer_takes_one_number() -> None:
    """A single integer is read with its newline."""
    assert parse.integer(b"67878912\n") == 67878912


@pytest.mark.parametrize(("text", "value"), [(b"max\n", None), (b"0\n", 0), (b"4096\n", 4096)])
def test_max_is_no_limit(text: bytes, value: int | None) -> None:
    """Cgroup v2 writes no limit as max; zero is a limit."""
    assert parse.integer_or_max(text) == value


@pytest.mark.parametrize("page", [4096, 16384, 65536])
def test_v1_unlimited_is_no_limit_for_every_page_size(page: int) -> None:
    """Cgroup v1's largest number of whole pages is no limit, whatever the page."""
    assert parse.v1_limit(b"%d\n" % ((2**63 - 1) // page * page)) is None
    assert parse.v1_limit(b"268435456\n") == 268435456


def test_quota_is_in_cpus() -> None:
    """Quota over period is a number of CPUs in both versions, and both know no limit."""
    assert parse.v1_quota(b"150000\n", b"100000\n") == Fraction(3, 2)
    assert parse.v1_quota(b"-1\n", b"100000\n") is None
    assert parse.cpu_max(b"50000 100000\n") == Fraction(1, 2)
    assert parse.cpu_max(b"max 100000\n") is None


def test_io_stat_of_any_kernel() -> None:
    """Devices with their counts; other keys, bare devices and missing newlines do no harm."""
    text = (
        b"8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.vrate=100.00 cost.usage=7\n"
        b"7:0 8:0 rbytes=9 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
        b"254:0\n"
    )
    counts = (b"rbytes", b"wbytes", b"rios", b"wios", b"dbytes", b"dios")
    assert parse.io_stat(text) == {
        (8, 16): dict(zip(counts, (1, 2, 3, 4, 5, 6), strict=True)),
        (7, 0): {},
        (8, 0): dict(zip(counts, (9, 0, 1, 0, 0, 0), strict=True)),
        (254, 0): {},
    }
    assert parse.io_stat(b"") == {}


def test_blkio_by_device_and_operation() -> None:
    """Each line of v1's blkio is one operation of a device; the total of all is left out."""
    text = b"254:0 Read 4096\n254:0 Discard 0\n254:0 Total 4096\n8:0 Write 12\nTotal 4108\n"
    assert parse.blkio(text) == {
        (254, 0): {b"Read": 4096, b"Discard": 0, b"Total": 4096},
        (8, 0): {b"Write": 12},
    }
    assert parse.blkio(b"Total 0\n") == {}


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (parse.io_stat, b"rbytes=1\n"),
        (parse.io_stat, b"8:0 rbytes=many\n"),
        (parse.io_stat, b"sda rbytes=1\n"),
        (parse.io_stat, b"8:0 rbytes=1 nonsense\n"),
        (parse.blkio, b"8:0 Read\n"),
        (parse.blkio, b"8:0 Read much\n"),
        (parse.blkio, b"eight:0 Read 1\n"),
        (parse.blkio, b"Sum 4\n"),
    ],
)
def test_block_io_of_another_shape(shape: Callable[[bytes], object], text: bytes) -> None:
    """What is not a device with counts is an error that quotes it."""
    with pytest.raises(ValueError, match="found"):
        shape(text)


def test_flat_keyed_maps_names() -> None:
    """A flat keyed file becomes a mapping."""
    assert parse.flat_keyed(b"anon 1\nfile 22\n") == {b"anon": 1, b"file": 22}


@given(st.sets(st.integers(0, 300)))
def test_cpulist_round_trip(cpus: set[int]) -> None:
    """What is printed as a CPU list is read as the same CPUs, ascending."""
    assert parse.cpulist(parse.format_cpulist(cpus).encode()) == tuple(sorted(cpus))


def test_cpulist_prints_as_the_kernel() -> None:
    """Runs are joined, single CPUs stand alone."""
    assert parse.format_cpulist([8, 0, 1, 2, 10]) == "0-2,8,10"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        (b"3\n", {0, 1}),
        (b"fff\n", set(range(12))),
        (b"ff,00000001\n", {0, *range(32, 40)}),
        (b"00000000,0000ffff\n", set(range(16))),
        (b"00000000\n", set()),
    ],
)
def test_masks_are_the_kernels_at_any_width(text: bytes, cpus: set[int]) -> None:
    """Masks are hexadecimal in groups of 32 bits, and printed as wide as the host's."""
    assert parse.cpumask(text) == cpus
    assert parse.format_cpumask(cpus, like=text).encode() + b"\n" == text
    assert parse.format_cpumask([], like=text).strip("0,") == ""


@given(st.sets(st.integers(0, 255)), st.integers(256, 300))
def test_cpumask_round_trip(cpus: set[int], possible: int) -> None:
    """What is printed as a mask is read as the same CPUs."""
    like = b"0" * -(-possible // 4)
    text = parse.format_cpumask(cpus, like=like).encode()
    assert parse.cpumask(text) == cpus
    assert all(len(group) == 8 for group in text.split(b",")[1:])


def test_numbers_take_spaces() -> None:
    """Cpufreq lists CPUs with spaces, and may list none."""
    assert parse.numbers(b"0 2 64 \n") == {0, 2, 64}
    assert parse.numbers(b"\n") == frozenset()


def test_numa_stat_of_both_versions() -> None:
    """Kinds map to nodes; v1 says the sum as well."""
    assert parse.numa_stat(b"total=5 N0=3 N1=2\n") == {"total": {0: 3, 1: 2}}
    assert parse.numa_stat(b"anon N0=4096 N10=0\nfile N0=1\n") == {
        "anon": {0: 4096, 10: 0},
        "file": {0: 1},
    }


def test_node_size_is_in_bytes() -> None:
    """The total of a node is found by name."""
    assert parse.node_size(b"Node 1 MemFree: 1 kB\nNode 1 MemTotal:   12 kB\n") == 12288


def test_starttime_survives_names_with_parentheses() -> None:
    """The name of a process may hold spaces and parentheses."""
    stat = b"7 (a) b (c d) S " + b" ".join(b"%d" % field for field in range(4, 53))
    assert parse.process(stat).starttime == 22


def test_an_ending_process_is_known_by_its_flag() -> None:
    """Bit 2 of the flags (PF_EXITING) says that the end of a process has begun."""
    living, ending = (
        b"7 (a) R) D 1 1 1 0 -1 %d" % flags + b" 5" * 13 for flags in (0x8000, 0x8004)
    )
    assert parse.process(living) == parse.Process(5, exiting=False, state="D")
    assert parse.process(ending) == parse.Process(5, exiting=True, state="D")


@pytest.mark.parametrize("text", [b"0-99999999999", b"65537", b"0-65537"])
def test_a_cpu_list_is_bounded(text: bytes) -> None:
    """A range that no kernel can have is refused before anything is made of it."""
    with pytest.raises(ValueError, match="list of CPUs"):
        parse.cpulist(text)


def test_task_status_needs_state_and_nspid() -> None:
    """State is its letter; NSpid lists the ids from the outermost namespace in."""
    status = parse.task_status(b"Name:\tx\nState:\tD (disk sleep)\nNSpid:\t900\t12\t1\n")
    assert status == parse.TaskStatus("D", (900, 12, 1))


def test_cgroup_paths_by_controller() -> None:
    """Joined controllers share a path, a named hierarchy keeps its name, v2 has no name."""
    text = b"4:cpu,cpuacct:/a\n2:name=systemd:/b:c\n0::/d\n"
    assert parse.cgroup_paths(text) == {
        "cpu": "/a",
        "cpuacct": "/a",
        "name=systemd": "/b:c",
        "": "/d",
    }


# What Python's str.splitlines takes for the end of a line, but for \n, which no name can have.
LINE_ENDS = ("\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_cgroups_name_makes_no_line(end: str) -> None:
    """A container that names a cgroup as a line of this file is in no other's cgroup for it."""
    path = f"/lxc/mine/x{end}3:memory:/lxc/other{end}0::/"
    text = f"3:memory:{path}\n0::{path}\n".encode()
    assert parse.cgroup_paths(text) == {"memory": path, "": path}


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_directorys_name_makes_no_mount(end: str) -> None:
    """A mount point named as a line of mountinfo is one mount, and its file one line."""
    point = f"/mnt/x{end}36 35 98:0 / /cg rw - cgroup2 none rw"
    escaped = point.replace(" ", "\\040")
    line = f"36 35 98:0 / {escaped} rw - fuse user\\043s rw\n".encode()
    assert parse.mountinfo(line) == [
        parse.Mount("/", point, "fuse", "user#s", ("rw",), 36, 35, "98:0")
    ]


@pytest.mark.parametrize("name", [b"a\rState:", b"a\rNSpid:", b"a\rNSpid:\tx", b"a\rState:\tR"])
def test_a_threads_name_makes_no_line(name: bytes) -> None:
    """What a thread calls itself changes neither its state nor its ids, and breaks nothing."""
    text = b"Name:\t%b\nState:\tS (sleeping)\nNSpid:\t900\t1\n" % name
    assert parse.task_status(text) == parse.TaskStatus("S", (900, 1))


def test_mountinfo_with_optional_fields_and_escapes() -> None:
    """Of the optional fields the peer group is taken, the others skipped, and escapes undone."""
    line = rb"36 35 98:0 /r /mnt\040x rw shared:1 master:2 - cgroup2 no\134ne rw,nsdelegate" b"\n"
    assert parse.mountinfo(line) == [
        parse.Mount("/r", "/mnt x", "cgroup2", "no\\ne", ("rw", "nsdelegate"), 36, 35, "98:0", 1)
    ]


def test_meminfo_in_bytes_and_counts() -> None:
    """Sizes become bytes, HugePages counts stay counts."""
    text = b"MemTotal:       4 kB\nHugePages_Total:       3\n"
    assert parse.meminfo(text) == {b"MemTotal": 4096, b"HugePages_Total": 3}


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (parse.integer, b""),
        (parse.integer, b"12 13"),
        (parse.integer_or_max, b"maximum"),
        (parse.v1_limit, b"max"),
        (parse.cpu_max, b"100000"),
        (parse.cpu_max, b"100000 0"),
        (parse.flat_keyed, b"anon 1\nfile"),
        (parse.flat_keyed, b"anon one"),
        (parse.cpulist, b"0-"),
        (parse.cpulist, b"3-1"),
        (parse.cpulist, b"a"),
        (parse.cpumask, b""),
        (parse.cpumask, b"3,1"),
        (parse.cpumask, b"0x3"),
        (parse.numbers, b"0-3"),
        (parse.numa_stat, b"anon 12"),
        (parse.numa_stat, b"anon N0=x"),
        (parse.node_size, b"MemTotal: 12 kB"),
        (parse.meminfo, b"MemTotal 12 kB"),
        (parse.process, b"1 (init) S 0 1"),
        (parse.task_status, b"Name:\tx\nState:\tR (running)\n"),
        (parse.cgroup_paths, b"nonsense\n"),
        (parse.mountinfo, b"36 35 98:0 / /mnt rw\n"),
    ],
)
def test_malformed_text_is_quoted(shape: Callable[[bytes], object], text: bytes) -> None:
    """Text of the wrong shape is a ValueError that quotes it, never a guess."""
    with pytest.raises(ValueError, match=r"found|means nothing"):
        shape(text)


def test_columns() -> None:
    """A table of integers under its header is given by columns."""
    assert parse.columns(b"cpu user\n0 5\n2 7\n", b"cpu user") == [(0, 2), (5, 7)]


@pytest.mark.parametrize(
    "text", [b"", b"cpu user\n", b"cpu user\n0\n", b"cpu\n0 1\n", b"cpu user\n0 x\n"]
)
def test_malformed_columns(text: bytes) -> None:
    """Another header, a ragged row, no row or no number is an error that quotes the text."""
    with pytest.raises(ValueError, match="columns of cpu user"):
        parse.columns(text, b"cpu user")
