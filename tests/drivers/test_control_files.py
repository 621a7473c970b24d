"""Writes to control files beside the running kernel's own, in cgroups that the test makes.

As root, on whatever hierarchies are mounted: v1's files are compared on a host of v1, v2's on one
of v2 (tests/machine runs this there).
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs.cgroupfs.files import Lists, Version
from lxfs.cgroupfs.table import TABLE
from lxfs.model import SourceError
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.fixtures.groups import PlacedGroup, made
from tests.fixtures.writes import answers, differences

_NAME = f"lxfs-test-{os.getpid()}"
_ANY = {"cpuset.cpus": "0", "cpuset.mems": "0"}
"""Without which nothing runs in a v1 cgroup."""


@pytest.fixture
def hierarchies() -> Hierarchies:
    """The hierarchies of this host, in which root can make cgroups."""
    if os.geteuid() != 0:
        pytest.skip("not root: no cgroups can be made")
    try:
        found = Hierarchies.find(Host())
    except SourceError as error:
        pytest.skip(f"no cgroups: {error}")
    tops = {*found.v1.values(), *([found.v2] if found.v2 else [])}
    if not all(os.access(place.file(""), os.W_OK) for place in tops):
        pytest.skip("the cgroups cannot be written to")
    if (
        found.v2 is not None
        and not found.v1
        and "0::/\n" not in Path("/proc/self/cgroup").read_text()
    ):
        pytest.skip("v2 hands controllers down to nobody while we are not in its root cgroup")
    return found


@pytest.fixture
def group(hierarchies: Hierarchies) -> Iterator[PlacedGroup]:
    """A cgroup in another, both fresh."""
    inner = f"{_NAME}/inner"
    with made(hierarchies, {_NAME: _ANY, inner: _ANY}):
        paths = dict.fromkeys((*hierarchies.v1, ""), f"/{inner}")
        yield PlacedGroup.at(Host(), hierarchies, paths)


def _write(group: PlacedGroup, file: str, text: str) -> None:
    """Write to a served file what the kernel is then to be told."""
    directory, _, name = file.rpartition("/")
    takes = TABLE[directory][name].takes
    assert takes is not None
    assert not isinstance(takes, Lists)
    for write in takes(group, text.encode()):
        place, _version = group.places[write.controller]
        descriptor = os.open(place.file(write.name), os.O_WRONLY)
        try:
            os.write(descriptor, write.text)
        finally:
            os.close(descriptor)


def _read(group: PlacedGroup, file: str) -> str:
    directory, _, name = file.rpartition("/")
    view = TABLE[directory][name].view
    assert not isinstance(view, Lists)
    text = view(group)
    assert text is not None
    return text.decode()


MIB = 1 << 20
# Writes in a row to files of a shape, and what files then say.
_STORY: dict[Version, tuple[tuple[str, str, dict[str, str]], ...]] = {
    2: (
        ("memory.max", "64M", {"memory.max": f"{64 * MIB}\n", "memory.swap.max": "max\n"}),
        ("memory.swap.max", "16M", {"memory.swap.max": f"{16 * MIB}\n"}),
        (
            "memory.max",
            "128M",
            {"memory.max": f"{128 * MIB}\n", "memory.swap.max": f"{16 * MIB}\n"},
        ),
        (
            "memory.max",
            str(32 * MIB),
            {"memory.max": f"{32 * MIB}\n", "memory.swap.max": f"{16 * MIB}\n"},
        ),
        ("memory.swap.max", "max", {"memory.swap.max": "max\n"}),
        ("memory.swap.max", "0", {"memory.swap.max": "0\n"}),
        ("memory.max", "max\n", {"memory.max": "max\n"}),
        ("memory.low", "8M", {"memory.low": f"{8 * MIB}\n"}),
        ("memory.low", "0", {"memory.low": "0\n"}),
        ("cpu.weight", "250", {"cpu.weight": "250\n"}),
        ("cpu.weight", "1", {"cpu.weight": "1\n"}),
        ("cpu.weight", "10000", {"cpu.weight": "10000\n"}),
        ("cpu.weight.nice", "-5", {"cpu.weight.nice": "-5\n"}),
        ("cpu.max", "50000 20000", {"cpu.max": "50000 20000\n"}),
        ("cpu.max", "50000 1000000", {"cpu.max": "50000 1000000\n"}),
        ("cpu.max", "10000 5000", {"cpu.max": "10000 5000\n"}),
        ("cpu.max.burst", "5000", {"cpu.max.burst": "5000\n"}),
        ("cpu.max", "max", {"cpu.max": "max 5000\n"}),
        ("cpu.idle", "1", {"cpu.idle": "1\n"}),
        ("pids.max", "33", {"pids.max": "33\n"}),
        ("pids.max", "max", {"pids.max": "max\n"}),
        ("cpuset.cpus", "", {"cpuset.cpus.effective": "0\n"}),
        ("cpuset.cpus", "\n", {"cpuset.cpus.effective": "0\n"}),
        ("cgroup.freeze", "1", {"cgroup.freeze": "1\n"}),
        ("cgroup.freeze", "0", {"cgroup.freeze": "0\n"}),
    ),
    1: (
        (
            "memory/memory.limit_in_bytes",
            "64M",
            {"memory/memory.limit_in_bytes": f"{64 * MIB}\n"},
        ),
        (
            "memory/memory.memsw.limit_in_bytes",
            "80M",
            {"memory/memory.memsw.limit_in_bytes": f"{80 * MIB}\n"},
        ),
        (
            "memory/memory.limit_in_bytes",
            "72M",
            {
                "memory/memory.limit_in_bytes": f"{72 * MIB}\n",
                "memory/memory.memsw.limit_in_bytes": f"{80 * MIB}\n",
            },
        ),
        (
            "memory/memory.limit_in_bytes",
            "16M",
            {
                "memory/memory.limit_in_bytes": f"{16 * MIB}\n",
                "memory/memory.memsw.limit_in_bytes": f"{80 * MIB}\n",
            },
        ),
        (
            "memory/memory.memsw.limit_in_bytes",
            "-1",
            {"memory/memory.memsw.limit_in_bytes": "9223372036854771712\n"},
        ),
        (
            "memory/memory.limit_in_bytes",
            "-1",
            {"memory/memory.limit_in_bytes": "9223372036854771712\n"},
        ),
        (
            "memory/memory.soft_limit_in_bytes",
            "8M",
            {"memory/memory.soft_limit_in_bytes": f"{8 * MIB}\n"},
        ),
        ("cpu/cpu.shares", "2560", {"cpu/cpu.shares": "2560\n"}),
        ("cpu/cpu.cfs_quota_us", "50000", {"cpu/cpu.cfs_quota_us": "50000\n"}),
        (
            "cpu/cpu.cfs_period_us",
            "20000",
            {"cpu/cpu.cfs_period_us": "20000\n", "cpu/cpu.cfs_quota_us": "50000\n"},
        ),
        ("cpu/cpu.cfs_burst_us", "5000", {"cpu/cpu.cfs_burst_us": "5000\n"}),
        ("cpu/cpu.cfs_quota_us", "-1", {"cpu/cpu.cfs_quota_us": "-1\n"}),
        ("cpu/cpu.idle", "1", {"cpu/cpu.idle": "1\n"}),
        ("pids/pids.max", "33", {"pids/pids.max": "33\n"}),
        ("cpuset/cpuset.cpus", "0", {"cpuset/cpuset.effective_cpus": "0\n"}),
        ("freezer/freezer.state", "FROZEN", {"freezer/freezer.state": "FROZEN\n"}),
        (
            "freezer/freezer.state",
            "THAWED\n",
            {"freezer/freezer.state": "THAWED\n", "freezer/freezer.self_freezing": "0\n"},
        ),
    ),
}


def test_what_is_written_is_what_is_read(group: PlacedGroup) -> None:
    """Limits written to files of the shape that the kernel lacks are read there, one by one."""
    shape: Version = 2 if group.version("memory") == 1 else 1
    prefix = "unified/" if shape == 2 else ""
    for file, text, said in _STORY[shape]:
        _write(group, prefix + file, text)
        found = {name: _read(group, prefix + name) for name in said}
        assert (file, text, found) == (file, text, said)


_REFUSED: dict[Version, tuple[tuple[str, str, int], ...]] = {
    2: (
        ("unified/memory.swap.max", "16M", errno.EOPNOTSUPP),
        ("unified/memory.high", "16M", errno.EOPNOTSUPP),
        ("unified/cpu.weight", "0", errno.ERANGE),
        ("unified/cpuset.cpus", "1", errno.EACCES),
        ("unified/cpuset.cpus", "9999", errno.ERANGE),
        ("unified/cgroup.subtree_control", "-memory", errno.EOPNOTSUPP),
        ("unified/cgroup.subtree_control", "+rdma", errno.ENOENT),
        ("unified/cgroup.subtree_control", "+nothing", errno.EINVAL),
    ),
    1: (
        ("memory/memory.memsw.limit_in_bytes", "16M", errno.EINVAL),
        ("memory/memory.oom_control", "1", errno.EOPNOTSUPP),
        ("cpu/cpu.cfs_quota_us", "-0x", errno.EINVAL),
        ("cpuset/cpuset.cpus", "1", errno.EACCES),
        ("cpuset/cpuset.cpus", "9999", errno.ERANGE),
        ("hugetlb/hugetlb.2MB.limit_in_bytes", "max", errno.EINVAL),
    ),
}


def test_what_cannot_be_is_refused(group: PlacedGroup) -> None:
    """What the other shape cannot say is refused, and so is what the kernel itself would refuse."""
    shape: Version = 2 if group.version("memory") == 1 else 1
    for file, text, expected in _REFUSED[shape]:
        with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is compared
            _write(group, file, text)
        assert (file, text, refused.value.errno) == (file, text, expected)


def test_more_than_an_ancestor_is_refused_as_by_v1(group: PlacedGroup) -> None:
    """A quota above that of the cgroup above is EINVAL in v1's file, whichever kernel is below."""
    above = group.up()
    assert above is not None
    _write(above, "cpu/cpu.cfs_quota_us", "50000")
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is compared
        _write(group, "cpu/cpu.cfs_quota_us", "60000")
    assert refused.value.errno == errno.EINVAL
    _write(group, "cpu/cpu.cfs_quota_us", "40000")
    assert _read(group, "unified/cpu.max") == "40000 100000\n"


@pytest.mark.usefixtures("hierarchies")
def test_bad_texts_are_refused_as_by_the_kernel() -> None:
    """Each of a hundred texts has, in each file, the errno that this machine's kernel gives."""
    kernels = answers(_NAME)
    assert len(kernels) > 10
    assert differences(kernels) == []
