"""The table of what is served: path, view, mode. It is also the directory listing.

Role: which numbers go into which view. A file that is not in the table does not exist.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lxfs.views import cpu_sysfs, cpuinfo, loadavg, meminfo, stat, swaps, uptime
from lxfs.world import Snapshot


@dataclass(frozen=True, slots=True)
class File:
    """One served file: where it is, what it shows in a container, its mode.

    ``remembers`` marks a view that draws on state: it is rendered for readers, never for stat(2).
    The path is also the host's own file, which callers in the host's pid namespace are shown.
    """

    path: str
    view: Callable[[Snapshot], bytes]
    mode: int = 0o444
    remembers: bool = False


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
    File("sys/devices/system/cpu/online", lambda now: cpu_sysfs.online(now.cpus)),
)
