"""Why lxfs shows something else than LXCFS, by file and field.

Role: the reasons for the table of ``benchmarks.compare_lxcfs``.
Boundary: text and patterns; nothing is measured here.
Threading: none.
"""

import re
from dataclasses import dataclass

UNEXPLAINED = "UNEXPLAINED"


@dataclass(frozen=True, slots=True)
class Reason:
    """File and field are regular expressions, matched whole; ``version`` is that of cgroups."""

    file: str
    field: str
    why: str
    version: int | None = None


_HOST = "LXCFS passes the host's figure on; "
_CPU = "sys/devices/system/cpu"

REASONS = (
    Reason(
        "proc/meminfo",
        "MemAvailable",
        "LXCFS counts all of the page cache as available, tmpfs in it included, which cannot be"
        " dropped; lxfs counts the file lists and reclaimable slab",
        1,
    ),
    Reason(
        "proc/meminfo",
        "MemAvailable",
        "lxfs adds no more than what the host and the ancestors have left",
        2,
    ),
    Reason("proc/meminfo", "Mlocked|Buffers|(Shmem|File)PmdMapped", _HOST + "no cgroup counts it"),
    Reason("proc/meminfo", "KReclaimable", _HOST + "lxfs shows what SReclaimable does"),
    Reason(
        "proc/meminfo",
        "KernelStack|PageTables|SecPageTables|VmallocUsed|Percpu|(Shmem|File)HugePages",
        _HOST + "cgroup v1 does not count it",
        1,
    ),
    Reason(
        "proc/meminfo",
        "KernelStack|PageTables|SecPageTables|VmallocUsed|Percpu|(Shmem|File)HugePages",
        _HOST + "lxfs reads memory.stat",
        2,
    ),
    Reason(
        "proc/meminfo",
        "Mapped|Dirty|Writeback|AnonHugePages",
        "LXCFS does not read the field of memory.stat and shows 0; lxfs does",
        2,
    ),
    Reason(
        "proc/meminfo", "CommitLimit", _HOST + "lxfs applies the host's rule to the container's"
    ),
    Reason("proc/meminfo", "Committed_AS", _HOST + "lxfs shows what the container has touched"),
    Reason("proc/meminfo", "DirectMap.*", _HOST + "the parts add up to the host's memory"),
    Reason("proc/meminfo", "HugePages_.*|Hugetlb", _HOST + "lxfs reads the hugetlb controller"),
    Reason(
        "proc/meminfo",
        "AnonPages",
        "LXCFS: active_anon + inactive_anon - shmem; lxfs: the kernel's own count",
    ),
    Reason("proc/loadavg", "running/threads", "LXCFS samples every 5 s; lxfs counts at the read"),
    Reason("proc/loadavg", "last_pid", "LXCFS shows the host's; lxfs a pid of the container"),
    Reason("proc/loadavg", ".*min", "the two sample at different moments"),
    Reason("proc/stat", "intr|ctxt|softirq", _HOST + "no cgroup counts it"),
    Reason("proc/stat", "processes", _HOST + "lxfs shows the highest pid seen in the container"),
    Reason("proc/stat", "procs_(running|blocked)", _HOST + "lxfs counts the container's threads"),
    Reason(
        "proc/stat",
        "cpu (user|nice|system|idle|iowait|irq|softirq|steal)",
        _HOST + "lxfs shows the container's time from cpu.stat",
        2,
    ),
    Reason(
        "proc/stat",
        "cpu (user|system|idle)",
        "LXCFS counts from its first look at the container, lxfs from the container's start",
        1,
    ),
    Reason(
        "proc/stat",
        "busy in the last 2 s",
        "LXCFS shows the host's CPUs; in brackets: what the container itself counted (times(2))",
        2,
    ),
    Reason("proc/uptime", "idle", "LXCFS shows the age without the use; lxfs what the CPUs idled"),
    Reason(
        "proc/diskstats",
        ".*",
        _HOST + "lxfs reads blkio.throttle.*; merges and times are not counted per cgroup: 0",
        1,
    ),
    Reason(
        "proc/diskstats",
        ".*",
        _HOST + "lxfs reads io.stat; merges and times are not counted per cgroup: 0",
        2,
    ),
    Reason("proc/slabinfo", ".*", _HOST + "to everybody, though the kernel keeps it for root"),
    Reason("proc/(vmstat|pressure/.*)", ".*", "not in this version of LXCFS"),
    Reason(
        f"{_CPU}/(possible|present|offline|online|isolated|nohz_full)|{_CPU}/cpuN/online",
        ".*",
        _HOST + "lxfs has one CPU model for all files",
    ),
    Reason(
        f"{_CPU}/(cpuN/)?(cpuidle|hotplug|power|crash_.*|thermal_throttle|microcode)(/.*)?|{_CPU}/.*uevent",
        "",
        _HOST + "it tells of the neighbours, or is a switch of the host: not served",
    ),
    Reason(
        f"{_CPU}/cpuN/(topology|cache)/.*|{_CPU}/cpufreq/.*",
        ".*",
        _HOST + "lxfs names the visible CPUs only",
    ),
    Reason(
        f"{_CPU}/cpuN/nodeN",
        "",
        "LXCFS follows a link out of what it serves, which leads nowhere; lxfs serves the node",
    ),
    Reason(
        f"{_CPU}/cpuN/(driver|firmware_node)",
        "",
        "LXCFS serves links of the host that lead out of what it serves; lxfs does not",
    ),
    Reason("sys/devices/system/node/.*", "", "LXCFS does not serve it"),
)


def why(file: str, field: str, version: int) -> str:
    """Return the reason of a difference, or ``UNEXPLAINED``."""
    for reason in REASONS:
        if (
            reason.version in (None, version)
            and re.fullmatch(reason.file, file)
            and re.fullmatch(reason.field, field)
        ):
            return reason.why
    return UNEXPLAINED
