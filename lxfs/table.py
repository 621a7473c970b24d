"""The table of what is served: path, view, mode. It is also the directory listing.

Role: which numbers go into which view. A file that is not in the table does not exist; of a
mirrored directory of the host, the view's module lists what does.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Callable, Mapping

from lxfs import parse
from lxfs.entries import File
from lxfs.mirror import Mirror
from lxfs.views import (
    cpu_sysfs,
    cpuinfo,
    diskstats,
    loadavg,
    meminfo,
    node_sysfs,
    pressure,
    slabinfo,
    stat,
    swaps,
    uptime,
    vmstat,
)
from lxfs.world import Snapshot


def _meminfo(now: Snapshot) -> bytes:
    host = now.host("proc/meminfo")
    return meminfo.render(host, now.memory, now.huge_pages(meminfo.huge_page_size(host)))


def _vmstat(now: Snapshot) -> bytes:
    return vmstat.render(
        now.host_fixed("proc/vmstat"),
        now.host("proc/meminfo"),
        now.memory,
        now.memory_events,
        diskstats.total(_disks(now), now.block_io),
        vmstat.Sizes(*now.page_sizes),
    )


def _disks(now: Snapshot) -> bytes:
    """Return the host's disks, which are not looked at for a container that has used none."""
    return now.host_records("proc/diskstats") if now.block_io else b""


def _stat(now: Snapshot) -> bytes:
    # The counters last: what they are made of is confirmed before it is remembered.
    tasks = now.tasks
    return stat.render(now.host_fixed("proc/stat"), now.counters, tasks, now.forks)


FILES: tuple[File, ...] = (
    File("proc/meminfo", _meminfo, origins=meminfo.ORIGINS),
    File(
        "proc/swaps",
        lambda now: swaps.render(now.host("proc/meminfo"), now.swap),
        origins=swaps.ORIGINS,
    ),
    File(
        "proc/cpuinfo",
        lambda now: cpuinfo.render(now.host_records("proc/cpuinfo"), now.cpus),
        origins=cpuinfo.ORIGINS,
    ),
    File(
        "proc/stat",
        _stat,
        remembers=True,
        origins=stat.ORIGINS,
    ),
    File(
        "proc/uptime",
        lambda now: uptime.render(now.age, now.counters.total.idle),
        remembers=True,
        origins=uptime.ORIGINS,
    ),
    File(
        "proc/loadavg",
        lambda now: loadavg.render(now.load),
        remembers=True,
        origins=loadavg.ORIGINS,
    ),
    File("proc/vmstat", _vmstat, origins=vmstat.ORIGINS),
    File(
        "proc/diskstats",
        lambda now: diskstats.render(_disks(now), now.block_io),
        origins=diskstats.ORIGINS,
    ),
    File("proc/slabinfo", lambda _: slabinfo.render(), mode=0o400, origins=slabinfo.ORIGINS),
    File(
        "proc/pressure/cpu",
        lambda now: pressure.render(now.pressure("cpu")),
        origins=pressure.origins("cpu"),
    ),
    File(
        "proc/pressure/memory",
        lambda now: pressure.render(now.pressure("memory")),
        origins=pressure.origins("memory"),
    ),
    File(
        "proc/pressure/io",
        lambda now: pressure.render(now.pressure("io")),
        origins=pressure.origins("io"),
    ),
)


def _of_cpus(view: cpu_sysfs.View) -> Callable[[Snapshot, str], bytes]:
    return lambda now, path: view(now.host(path), now.cpus)


_CPU_FILES: Mapping[str, Callable[[Snapshot, str], bytes] | None] = {
    shape: None if view is None else _of_cpus(view) for shape, view in cpu_sysfs.FILES.items()
}

_NODE = "sys/devices/system/node"
_NODE_FILES: Mapping[str, Callable[[Snapshot, str], bytes] | None] = {
    "online": lambda now, _: node_sysfs.listed(now.nodes.visible),
    "possible": lambda now, _: node_sysfs.listed(now.nodes.visible),
    "has_cpu": lambda now, _: node_sysfs.listed(now.nodes.cpus),
    "has_memory": lambda now, _: node_sysfs.listed(now.nodes.memory),
    "has_normal_memory": lambda now, path: node_sysfs.seen_list(now.host(path), now.nodes.memory),
    "has_high_memory": lambda now, path: node_sysfs.seen_list(now.host(path), now.nodes.memory),
    "has_generic_initiator": lambda now, path: node_sysfs.seen_list(
        now.host(path), now.nodes.visible
    ),
    "uevent": None,
    "node#/cpulist": _of_cpus(cpu_sysfs.seen_list),
    "node#/cpumap": _of_cpus(cpu_sysfs.seen_mask),
    "node#/distance": lambda now, path: node_sysfs.distance(
        now.host(path), parse.cpulist(now.host(f"{_NODE}/online")), now.nodes.visible
    ),
    "node#/meminfo": lambda now, path: node_sysfs.meminfo(
        now.host(path), _meminfo(now), now.node_memory
    ),
    "node#/numastat": lambda now, path: node_sysfs.numastat(now.host(path)),
    "node#/uevent": None,
}

MIRRORS: tuple[Mirror, ...] = (
    Mirror("sys/devices/system/cpu", _CPU_FILES, cpu_sysfs.LINKS, cpu_sysfs.ORIGINS),
    Mirror(_NODE, _NODE_FILES, node_sysfs.LINKS, node_sysfs.ORIGINS),
)
