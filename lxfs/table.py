"""The table of what is served: path, view, mode. It is also the directory listing.

Role: which numbers go into which view. A file that is not in the table does not exist; of a
mirrored directory of the host, the view's module lists what does.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Callable, Mapping

from lxfs.entries import File
from lxfs.mirror import Mirror
from lxfs.views import cpu_sysfs, cpuinfo, loadavg, meminfo, stat, swaps, uptime
from lxfs.world import Snapshot

FILES: tuple[File, ...] = (
    File("proc/meminfo", lambda now: meminfo.render(now.host("proc/meminfo"), now.memory)),
    File("proc/swaps", lambda now: swaps.render(now.host("proc/meminfo"), now.memory)),
    File("proc/cpuinfo", lambda now: cpuinfo.render(now.host("proc/cpuinfo"), now.cpus)),
    File(
        "proc/stat",
        lambda now: stat.render(now.host("proc/stat"), now.counters, now.tasks),
        remembers=True,
    ),
    File(
        "proc/uptime", lambda now: uptime.render(now.age, now.counters.total.idle), remembers=True
    ),
    File("proc/loadavg", lambda now: loadavg.render(now.load), remembers=True),
)


def _of_cpus(view: cpu_sysfs.View) -> Callable[[Snapshot, str], bytes]:
    return lambda now, path: view(now.host(path), now.cpus)


_CPU_FILES: Mapping[str, Callable[[Snapshot, str], bytes] | None] = {
    shape: None if view is None else _of_cpus(view) for shape, view in cpu_sysfs.FILES.items()
}

MIRRORS: tuple[Mirror, ...] = (Mirror("sys/devices/system/cpu", _CPU_FILES, cpu_sysfs.LINKS),)
