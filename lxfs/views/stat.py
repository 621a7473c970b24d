"""/proc/stat of a container.

Role: the container's CPU time on the CPUs that it sees.
Boundary: pure; the counters come from state.
Threading: none.
"""

from functools import lru_cache

from lxfs.model import NSEC_PER_TICK, CpuCounters, CpuTicks, TaskCount
from lxfs.origin import (
    ONLINE,
    START,
    THREADS_V1,
    THREADS_V2,
    VISIBLE_V1,
    VISIBLE_V2,
    Origin,
    keys,
    value,
)


def render(host: bytes, counters: CpuCounters, tasks: TaskCount, forks: int) -> bytes:
    """Return the file from the host's file, the container's counters, its threads now, and the
    highest pid seen in it so far.

    user, nice, system and idle are the container's, in ticks of 1/100 s; the other columns
    (iowait, irq, softirq, steal, guest) are the host's business and zero. ``btime`` is the host's:
    ps(1) adds to it the start times in /proc/PID/stat, which count from the host's boot. ``intr``,
    ``softirq``, ``ctxt`` and ``processes`` would tell of the neighbours and are zero, except that
    ``processes`` is the highest pid seen: so many were forked at least. Any other line is left
    out. (Documentation/filesystems/proc.rst.)
    """
    template, names = _layout(host)
    values = {
        b"cpu": b"".join([_cpu(b"cpu ", counters.total), *map(_numbered, counters.each)]),
        b"processes": forks,
        # The reader itself runs while it reads.
        b"procs_running": max(1, tasks.running),
        b"procs_blocked": tasks.blocked,
    }
    return template % tuple([values[name] for name in names])


@lru_cache(maxsize=4)  # the same until the clock is set
def _layout(host: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return what the file is made with, and the names of what goes into it."""
    lines, names = [], []
    for line in host.splitlines():
        name, _, rest = line.partition(b" ")
        if name == b"cpu":
            lines.append(b"%b")
            names.append(name)
        elif name in (b"processes", b"procs_running", b"procs_blocked"):
            lines.append(name + b" %d\n")
            names.append(name)
        elif name == b"intr":
            lines.append(b"intr 0\n")
        elif name == b"softirq":
            lines.append(name + b" 0" * len(rest.split()) + b"\n")
        elif name == b"ctxt":
            lines.append(b"ctxt 0\n")
        elif name == b"btime":
            lines.append(line.replace(b"%", b"%%") + b"\n")
    if not lines or lines[0] != b"%b":
        raise ValueError("the host's stat does not begin with a cpu line")
    return b"".join(lines), tuple(names)


def _numbered(cpu: tuple[int, CpuTicks]) -> bytes:
    return _cpu(b"cpu%d" % cpu[0], cpu[1])


def _cpu(label: bytes, ticks: CpuTicks) -> bytes:
    user, nice, system, idle = ticks
    return b"%b %d %d %d %d 0 0 0 0 0 0\n" % (
        label,
        user // NSEC_PER_TICK,
        nice // NSEC_PER_TICK,
        system // NSEC_PER_TICK,
        idle // NSEC_PER_TICK,
    )


USED_V1 = (keys("cpuacct.stat", "user", "system"),)
USED_V2 = (keys("cpu.stat", "user_usec", "nice_usec", "system_usec"),)
ORIGINS = (
    Origin(
        ("cpu",),
        "user, nice, system: what the cgroup used since the container began (v1: nice is in user;"
        " v2: user less nice). idle: wall-clock time times min(number allowed, quota) less what was"
        " used. Never going back. The other columns are the host's, not counted per cgroup, and 0",
        v1=(*USED_V1, *VISIBLE_V1),
        v2=(*USED_V2, *VISIBLE_V2),
        host=(START, ONLINE),
    ),
    Origin(
        ("cpu[0-9]*",),
        "its part of each column of cpu: v1 tells on which CPU it was used, v2 does not, which is"
        " then shown evenly; idle where there is time left",
        v1=(value("cpuacct.usage_all"),),
    ),
    Origin(
        ("intr", "ctxt", "softirq"),
        "0: the host's, not counted per cgroup",
    ),
    Origin(
        ("btime",),
        "the host's: ps(1) adds to it start times that count from the host's boot",
        host=(keys("/proc/stat", "btime"),),
    ),
    Origin(
        ("processes",),
        "the highest pid seen in the container so far: a lower bound of what was ever forked",
        v1=THREADS_V1,
        v2=THREADS_V2,
    ),
    Origin(
        ("procs_running",),
        "threads in state R in /proc/TID/status, at least the reader",
        v1=THREADS_V1,
        v2=THREADS_V2,
    ),
    Origin(
        ("procs_blocked",),
        "threads in state D in /proc/TID/status",
        v1=THREADS_V1,
        v2=THREADS_V2,
    ),
)
