"""The table of control files, by directory below ``cgroup/``.

Role: which directories there are, in which shape, and what is in each.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Iterable

from lxfs.cgroupfs import core, cpusets, hugetlb, io, pids, v1_cpu, v1_memory, v2_cpu, v2_memory
from lxfs.cgroupfs.files import ControlFile, Table
from lxfs.cgroupfs.rows import row, write_only

HUGE_PAGE_SIZES = ("2MB", "1GB")
"""Those of x86; other machines have others, in /sys/kernel/mm/hugepages."""

UNIFIED = "unified"
"""The directory of v2's shape."""

_DEVICES = (
    row(
        "devices.list",
        1,
        "devices",
        lambda _: None,
        formula="v1's own; on v2 a program decides, which cannot be read: no file",
    ),
    write_only("devices.allow", 1, "devices"),
    write_only("devices.deny", 1, "devices"),
)


def _named(*files: Iterable[ControlFile]) -> dict[str, ControlFile]:
    return {file.name: file for some in files for file in some}


def table(huge_page_sizes: Iterable[str] = HUGE_PAGE_SIZES) -> Table:
    """Return the table of a host with huge pages of these sizes, as files name them (``2MB``)."""
    sizes = tuple(huge_page_sizes)
    return {
        "memory": _named(core.v1("memory"), v1_memory.FILES),
        "cpu": _named(core.v1("cpu"), v1_cpu.CPU),
        "cpuacct": _named(core.v1("cpuacct"), v1_cpu.CPUACCT),
        "cpu,cpuacct": _named(core.v1("cpu"), v1_cpu.CPU, v1_cpu.CPUACCT),
        "cpuset": _named(core.v1("cpuset"), cpusets.V1),
        "blkio": _named(core.v1("io"), io.V1),
        "pids": _named(core.v1("pids"), pids.pids(1)),
        "freezer": _named(core.v1("freezer"), pids.FREEZER),
        "devices": _named(core.v1("devices"), _DEVICES),
        "hugetlb": _named(core.v1("hugetlb"), *(hugetlb.v1(size) for size in sizes)),
        "systemd": _named(core.v1("name=systemd")),
        UNIFIED: _named(
            core.v2(),
            v2_memory.FILES,
            v2_cpu.FILES,
            cpusets.V2,
            io.V2,
            pids.pids(2),
            *(hugetlb.v2(size) for size in sizes),
        ),
    }


TABLE: Table = table()
"""The table of a host of x86."""
