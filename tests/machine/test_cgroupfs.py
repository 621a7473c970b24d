"""Cgroups in both shapes on a host that has v2 alone: the mount tests about them, as they are."""

from collections.abc import Iterator

import pytest

from .machine import Machine
from .test_drivers import passes

CHOSEN = (
    "where_the_caller",
    "is_bare",
    "callers_own",
    "has_limits",
    "is_its_makers",
    "others_to_set",
    "outlives",
    "from_outside",
    "read_only",
    "the_host_sees",
)


def test_cgroups_of_both_shapes_on_v2(machine: Machine) -> None:
    """Containers find and change their cgroups in v1's shape and in v2's on a host without v1."""
    expression = f"not fusepy and ({' or '.join(CHOSEN)})"
    passes(machine, expression, "tests/drivers/test_cgroupfs.py", len(CHOSEN))


BESIDE = "tests/drivers/test_cgroupfs_beside.py"


@pytest.mark.newest_kernel
def test_control_files_beside_the_kernel_s_own(machine: Machine) -> None:
    """Every file of v2 says what the kernel's says, and takes and refuses what it does."""
    passes(machine, "not fusepy", BESIDE, 8)


@pytest.fixture
def huge_pages_on_v1(machine: Machine) -> Iterator[None]:
    """The controller of huge pages in a hierarchy of v1, as long as v2 hands it to nobody."""
    machine.shell("mkdir /run/hugetlb; mount -t cgroup -o hugetlb none /run/hugetlb")
    yield
    given_back = "grep -qw hugetlb /sys/fs/cgroup/cgroup.controllers"
    machine.shell(
        f"umount /run/hugetlb; rmdir /run/hugetlb; until {given_back}; do sleep 0.1; done"
    )


@pytest.mark.long
@pytest.mark.usefixtures("huge_pages_on_v1")
def test_huge_pages_of_v1_beside_the_kernel_s_own(machine: Machine) -> None:
    """Where v1 has the controller of huge pages its files are the kernel's, and so are refusals."""
    passes(machine, "not fusepy and hugetlb", BESIDE, 6)


@pytest.mark.long
@pytest.mark.newest_kernel
def test_abuse_on_v2(machine: Machine) -> None:
    """What a container does to its cgroups' files by the thousand touches nothing else on v2."""
    passes(machine, "native", "tests/drivers/test_cgroupfs_abuse.py", 5)
