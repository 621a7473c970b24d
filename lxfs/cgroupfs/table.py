"""The table of control files, by directory below ``cgroup/``.

Role: which directories there are, in which shape, and what is in each.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Iterable
from dataclasses import replace

from lxfs.cgroupfs import core, cpusets, hugetlb, io, pids, v1_cpu, v1_memory, v2_cpu, v2_memory
from lxfs.cgroupfs.files import ControlFile, Table
from lxfs.cgroupfs.rows import READ_WRITE, alone, write_only

HUGE_PAGE_SIZES = ("2MB", "1GB")
"""Those of x86; other machines have others, in /sys/kernel/mm/hugepages."""

UNIFIED = "unified"
"""The directory of v2's shape."""

_DEVICES = (
    alone("devices.list", 1, "devices"),
    write_only("devices.allow", 1, "devices"),
    write_only("devices.deny", 1, "devices"),
)
_V1_CPU = tuple(
    alone(name, 1, "cpu", mode=READ_WRITE)
    for name in ("cpu.rt_period_us", "cpu.rt_runtime_us", "cpu.uclamp.max", "cpu.uclamp.min")
)
_V1_CPUSET = (
    replace(alone("cpuset.memory_pressure_enabled", 1, "cpuset", mode=READ_WRITE), below_top=False),
)
_V1_IO = (
    *(
        alone(f"blkio.bfq.{name}{suffix}", 1, "io")
        for name in ("io_service_bytes", "io_serviced")
        for suffix in ("", "_recursive")
    ),
    alone("blkio.bfq.weight_device", 1, "io", mode=READ_WRITE, in_top=False),
)
_V2_ALONE = (
    alone("cgroup.pressure", 2, "", mode=READ_WRITE),
    alone("cgroup.stat.local", 2, "", in_top=False),
    alone("irq.pressure", 2, ""),
    alone("cpu.uclamp.max", 2, "cpu", mode=READ_WRITE, in_top=False),
    alone("cpu.uclamp.min", 2, "cpu", mode=READ_WRITE, in_top=False),
    alone("cpuset.cpus.exclusive", 2, "cpuset", mode=READ_WRITE, in_top=False),
    alone("cpuset.cpus.exclusive.effective", 2, "cpuset", in_top=False),
    replace(alone("cpuset.cpus.isolated", 2, "cpuset"), below_top=False),
    *(
        replace(alone(f"io.cost.{name}", 2, "io", mode=READ_WRITE), below_top=False)
        for name in ("model", "qos")
    ),
    alone("io.latency", 2, "io", mode=READ_WRITE, in_top=False),
    alone("io.prio.class", 2, "io", mode=READ_WRITE, in_top=False),
    alone("io.weight", 2, "io", mode=READ_WRITE, in_top=False),
    alone("memory.swap.peak", 2, "memory", mode=READ_WRITE, in_top=False),
    alone("memory.zswap.current", 2, "memory", in_top=False),
    alone("memory.zswap.max", 2, "memory", mode=READ_WRITE, in_top=False),
    alone("memory.zswap.writeback", 2, "memory", mode=READ_WRITE),
    alone("pids.events.local", 2, "pids", in_top=False),
)
"""Files of the kernel's that have no formula for the other shape: its own, or none."""


def _named(*files: Iterable[ControlFile]) -> dict[str, ControlFile]:
    return {file.name: file for some in files for file in some}


def table(huge_page_sizes: Iterable[str] = HUGE_PAGE_SIZES) -> Table:
    """Return the table of a host with huge pages of these sizes, as files name them (``2MB``)."""
    sizes = tuple(huge_page_sizes)
    return {
        "memory": _named(core.v1("memory"), v1_memory.FILES),
        "cpu": _named(core.v1("cpu"), v1_cpu.CPU, _V1_CPU),
        "cpuacct": _named(core.v1("cpuacct"), v1_cpu.CPUACCT),
        "cpu,cpuacct": _named(core.v1("cpu"), v1_cpu.CPU, _V1_CPU, v1_cpu.CPUACCT),
        "cpuset": _named(core.v1("cpuset"), cpusets.V1, _V1_CPUSET),
        "blkio": _named(core.v1("io"), io.V1, _V1_IO),
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
            _V2_ALONE,
            *(hugetlb.v2(size) for size in sizes),
        ),
    }


TABLE: Table = table()
"""The table of a host of x86."""
