"""What writes to control files come to, and with which errno they are refused."""

import errno
from pathlib import Path
from typing import Any

import pytest

from lxfs.cgroupfs.files import Lists, Version, Write
from lxfs.cgroupfs.table import TABLE
from tests.fixtures import HERE
from tests.fixtures.cgroups import RecordedGroup
from tests.fixtures.writes import differences, fresh, load

MIB = 1 << 20
ANSWERS = tuple(sorted(HERE.glob("linux-*/writes.json")))


@pytest.mark.parametrize("record", ANSWERS, ids=lambda path: path.parent.name)
def test_bad_texts_are_refused_as_by_the_recorded_kernel(record: Path) -> None:
    """Each of a hundred texts has, in each file, the errno that the kernel of that shape gave."""
    assert differences(load(record)) == []


def _group(version: Version, **texts: str) -> RecordedGroup:
    """Return a fresh cgroup of which these files say something else, below a fresh top."""
    said: dict[str, Any] = fresh(version).said
    level = {name: dict(files) for name, files in said["levels"][0].items()}
    for name, text in texts.items():
        name = name.replace("__", ".")  # noqa: PLW2901 - a file's name as a keyword
        controller = "" if version == 2 else name.partition(".")[0]
        level[controller][name] = text
    return RecordedGroup({**said, "levels": [level, *said["levels"]]})


def _writes(group: RecordedGroup, file: str, text: bytes) -> list[tuple[str, bytes]]:
    directory, _, name = file.rpartition("/")
    takes = TABLE[directory][name].takes
    assert takes is not None
    assert not isinstance(takes, Lists)
    return [(write.name, write.text) for write in takes(group, text)]


def _refused(group: RecordedGroup, file: str, text: bytes) -> int | None:
    try:
        _writes(group, file, text)
    except OSError as error:
        return error.errno
    return None


def _stat(**kinds: int) -> str:
    text: str = fresh(2).said["levels"][0][""]["memory.stat"]
    names = [line.split()[0] for line in text.splitlines()]
    return "".join(f"{name} {kinds.get(name, 0)}\n" for name in names)


def test_the_shape_of_the_kernel_goes_through() -> None:
    """What is written to a file that the kernel has is for the kernel to judge, byte by byte."""
    for version, file in ((2, "unified/memory.max"), (1, "memory/memory.limit_in_bytes")):
        name = file.partition("/")[2]
        group = fresh(1 if version == 1 else 2)
        assert _writes(group, file, b"gar\0bage\n") == [(name, b"gar\0bage\n")]


def test_v1_limit_below_what_cannot_be_reclaimed_is_busy() -> None:
    """A limit that v1 would refuse is not asked of v2, which would kill for it."""
    group = _group(
        2,
        memory__current=f"{64 * MIB}\n",
        memory__stat=_stat(anon=40 * MIB, file=24 * MIB, inactive_file=24 * MIB),
    )
    limit = "memory/memory.limit_in_bytes"
    assert _refused(group, limit, b"39M") == errno.EBUSY
    assert _writes(group, limit, b"40M") == [("memory.max", b"%d\n" % (40 * MIB))]


def test_v1_limits_of_both_stay_in_order() -> None:
    """v1's sum of both limits stays when memory's moves, and is not below it at any time."""
    group = _group(2, memory__max=f"{64 * MIB}\n", memory__swap__max=f"{16 * MIB}\n")
    limit, both = "memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes"
    up = [("memory.swap.max", b"%d\n" % (8 * MIB)), ("memory.max", b"%d\n" % (72 * MIB))]
    down = [("memory.max", b"%d\n" % (56 * MIB)), ("memory.swap.max", b"%d\n" % (24 * MIB))]
    assert _writes(group, limit, b"72M") == up
    assert _writes(group, limit, b"56M") == down
    assert _refused(group, limit, b"81M") == errno.EINVAL
    assert _refused(group, limit, b"-1") == errno.EINVAL
    assert _refused(group, both, b"63M") == errno.EINVAL
    assert _writes(group, both, b"100M") == [("memory.swap.max", b"%d\n" % (36 * MIB))]
    assert _writes(group, both, b"-1") == [("memory.swap.max", b"max\n")]


def test_v2_limit_keeps_that_of_swap() -> None:
    """v1's sum moves along with memory's limit: first of the two when it rises, else second."""
    group = _group(
        1,
        memory__limit_in_bytes=f"{64 * MIB}\n",
        memory__memsw__limit_in_bytes=f"{80 * MIB}\n",
    )
    memory = ("memory.limit_in_bytes", b"%d\n" % (96 * MIB))
    assert _writes(group, "unified/memory.max", b"96M") == [
        ("memory.memsw.limit_in_bytes", b"%d\n" % (112 * MIB)),
        memory,
    ]
    assert _writes(group, "unified/memory.max", b"32M")[1] == (
        "memory.memsw.limit_in_bytes",
        b"%d\n" % (48 * MIB),
    )
    assert _writes(group, "unified/memory.max", b"max") == [
        ("memory.memsw.limit_in_bytes", b"-1\n"),
        ("memory.limit_in_bytes", b"-1\n"),
    ]


def test_v2_quota_is_never_above_what_it_is_to_be() -> None:
    """v1's two files are written in the order in which the first write does not raise the limit."""
    group = _group(1, cpu__cfs_quota_us="50000\n", cpu__cfs_period_us="100000\n")
    longer, shorter = b"150000 200000", b"30000 50000"
    names = [name for name, _ in _writes(group, "unified/cpu.max", longer)]
    assert names == ["cpu.cfs_period_us", "cpu.cfs_quota_us"]
    names = [name for name, _ in _writes(group, "unified/cpu.max", shorter)]
    assert names == ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    assert _writes(group, "unified/cpu.max", b"max") == [("cpu.cfs_quota_us", b"-1\n")]


def test_v1_cpuset_wants_an_ancestor_s_and_some() -> None:
    """CPUs that the cgroup above lacks are EACCES, none under processes ENOSPC, as v1 has it."""
    group = _group(2, cgroup__procs="1000\n", cpuset__cpus="1\n")
    above = {**group.said["levels"][1][""], "cpuset.cpus": "0-3\n"}
    top = {**above, "cpuset.cpus.effective": "0-7\n"}
    group.said["levels"][1:] = [{"": above}, {"": top}]
    cpus = "cpuset/cpuset.cpus"
    assert _writes(group, cpus, b"0-3") == [("cpuset.cpus", b"0-3")]
    assert _refused(group, cpus, b"0-4") == errno.EACCES
    assert _writes(group, cpus, b"9999") == [("cpuset.cpus", b"9999")]
    assert _refused(group, cpus, b"\n") == errno.ENOSPC


def test_v2_cpuset_of_none_is_the_parent_s() -> None:
    """No CPUs mean the parent's in v2, which v1 is told by name."""
    group = _group(1, cpuset__cpus="1\n")
    group.said["levels"][1]["cpuset"] = {"cpuset.effective_cpus": "0-3\n"}
    assert _writes(group, "unified/cpuset.cpus", b"\n") == [("cpuset.cpus", b"0-3\n")]


@pytest.mark.parametrize(
    ("version", "file", "text", "expected"),
    [
        (1, "unified/cpu.weight", b"250\n", [("cpu.shares", b"2560\n")]),
        (1, "unified/cpu.weight.nice", b"-20", [("cpu.shares", b"88761\n")]),
        (2, "cpu/cpu.shares", b"512", [("cpu.weight", b"50\n")]),
        (2, "cpu/cpu.shares", b"1", [("cpu.weight", b"1\n")]),
        (2, "freezer/freezer.state", b"FROZEN\n", [("cgroup.freeze", b"1\n")]),
        (1, "unified/cgroup.freeze", b"0\n", [("freezer.state", b"THAWED\n")]),
        (2, "pids/pids.max", b"max", [("pids.max", b"max")]),
        (2, "memory/memory.soft_limit_in_bytes", b"8M", [("memory.low", b"8388608\n")]),
        (2, "memory/memory.soft_limit_in_bytes", b"-1", [("memory.low", b"0\n")]),
        (1, "unified/memory.low", b"0", [("memory.soft_limit_in_bytes", b"-1\n")]),
        (2, "hugetlb/hugetlb.2MB.limit_in_bytes", b"-1", [("hugetlb.2MB.max", b"max\n")]),
        (2, "hugetlb/hugetlb.2MB.limit_in_bytes", b"4M", [("hugetlb.2MB.max", b"4194304\n")]),
        (1, "unified/hugetlb.2MB.max", b"max", [("hugetlb.2MB.limit_in_bytes", b"-1\n")]),
        (2, "blkio/blkio.throttle.read_bps_device", b"8:0 5", [("io.max", b"8:0 rbps=5\n")]),
        (2, "blkio/blkio.throttle.write_iops_device", b"8:0 0", [("io.max", b"8:0 wiops=max\n")]),
        (
            1,
            "unified/io.max",
            b"8:0 rbps=5 wiops=max",
            [
                ("blkio.throttle.read_bps_device", b"8:0 5\n"),
                ("blkio.throttle.write_iops_device", b"8:0 0\n"),
            ],
        ),
        (1, "unified/cgroup.subtree_control", b"+memory +cpu", []),
        (2, "memory/memory.swappiness", b"60", []),
    ],
)
def test_meanings(
    version: Version, file: str, text: bytes, expected: list[tuple[str, bytes]]
) -> None:
    """A write to a file of one shape comes to these writes to the kernel's of the other."""
    assert _writes(fresh(version), file, text) == expected


def test_writes_say_whose_file_it_is() -> None:
    """A write names the controller in whose hierarchy the kernel's file is."""
    takes = TABLE["unified"]["io.max"].takes
    assert takes is not None
    assert not isinstance(takes, Lists)
    group = fresh(1)
    wanted = Write("io", "blkio.throttle.read_bps_device", b"8:0 5\n")
    assert tuple(takes(group, b"8:0 rbps=5")) == (wanted,)
