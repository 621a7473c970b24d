"""Huge pages in meminfo, which want a pool on the host and a limit in cgroup v2's hugetlb."""

from collections.abc import Iterator

import pytest

from .machine import Machine

VIEW = "/var/lib/lxcfs/proc"
CGROUP = "/sys/fs/cgroup/lxfs-test-huge"
# Two huge pages are reserved and one is taken, then the lines about them are read.
_PROGRAM = f"""
import mmap
pages = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
pages[0] = 1
print(*(line for line in open("{VIEW}/meminfo") if "uge" in line), sep="", end="")
"""


@pytest.fixture
def pool(machine: Machine) -> Iterator[None]:
    """A pool of eight huge pages, and a cgroup that may have four."""
    machine.shell(
        "echo 8 > /proc/sys/vm/nr_hugepages; grep -qx 8 /proc/sys/vm/nr_hugepages;"
        f"cd /sys/fs/cgroup; echo '+hugetlb +memory' > cgroup.subtree_control; mkdir {CGROUP};"
        f"echo 8M > {CGROUP}/hugetlb.2MB.max"
    )
    yield
    machine.shell(f"rmdir {CGROUP}; echo 0 > /proc/sys/vm/nr_hugepages")


@pytest.mark.usefixtures("pool")
def test_huge_pages_are_those_of_the_limit(machine: Machine) -> None:
    """Of the machine's huge pages a container sees as many as its limit lets it have."""
    enter = f'echo 0 > {CGROUP}/cgroup.procs; exec unshare --pid --fork --mount-proc "$@"'
    done = machine("sh", "-c", enter, "sh", "python3", "-c", _PROGRAM)
    figures = dict(line.split(":") for line in done.stdout.splitlines())
    numbers = {name: int(value.split()[0]) for name, value in figures.items()}
    assert numbers["HugePages_Total"] == 4
    assert (numbers["HugePages_Free"], numbers["HugePages_Rsvd"]) == (3, 1)
    assert (numbers["HugePages_Surp"], numbers["Hugetlb"]) == (0, 8192)
    assert "HugePages_Total:       8" in machine.reads(f"{VIEW}/meminfo")
