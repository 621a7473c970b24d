"""The files of v2's cpu controller, and the CPU time that every v2 cgroup has.

Role: what each says of a cgroup whose CPU time v1 counts and limits, and what a write means there.
Boundary: pure. Times are those of the views of /proc (``lxfs.stats``), formats and checks the
kernel's (kernel/sched/core.c, kernel/cgroup/rstat.c).
Threading: pure functions.
"""

import errno
from collections.abc import Sequence

from lxfs import parse, stats
from lxfs.cgroupfs.bandwidth import PERIOD, Bandwidth, check, written_cpu_max
from lxfs.cgroupfs.conversions import (
    MAX_NICE,
    MAX_WEIGHT,
    MIN_NICE,
    MIN_WEIGHT,
    SHARES,
    nice_of_shares,
    shares_of_nice,
    shares_of_weight,
    weight_of_shares,
)
from lxfs.cgroupfs.files import ControlFile, Group, Write
from lxfs.cgroupfs.rows import ask, need, row, same
from lxfs.cgroupfs.texts import keyed, line, refuse, signed, unsigned
from lxfs.origin import Origin, keys, value


def _shares(group: Group) -> int:
    return ask(group, "cpu", "cpu.shares", parse.integer) or SHARES


def _bandwidth(group: Group) -> Bandwidth:
    quota = ask(group, "cpu", "cpu.cfs_quota_us", parse.integer)
    period = ask(group, "cpu", "cpu.cfs_period_us", parse.integer) or PERIOD
    return Bandwidth(None if quota is None or quota < 0 else quota, period)


def _set_weight(_: Group, text: bytes) -> Sequence[Write]:
    weight = unsigned(text)
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        refuse(errno.ERANGE)
    return (Write("cpu", "cpu.shares", line(shares_of_weight(weight))),)


def _set_nice(_: Group, text: bytes) -> Sequence[Write]:
    nice = signed(text)
    if not MIN_NICE <= nice <= MAX_NICE:
        refuse(errno.ERANGE)
    return (Write("cpu", "cpu.shares", line(shares_of_nice(nice))),)


def _set_max(group: Group, text: bytes) -> Sequence[Write]:
    """Limit CPU time by v1's two files, in the order in which the first does not raise the limit.

    v1 refuses more than an ancestor has, and would so refuse the way there.
    """
    old = _bandwidth(group)
    new = written_cpu_max(text, old.period)
    check(new, ask(group, "cpu", "cpu.cfs_burst_us", parse.integer) or 0)
    quota = Write("cpu", "cpu.cfs_quota_us", line(-1 if new.quota is None else new.quota))
    period = Write("cpu", "cpu.cfs_period_us", line(new.period))
    if new.period == old.period:
        return (quota,)
    return (period, quota) if new.period > old.period else (quota, period)


def _set_burst(group: Group, text: bytes) -> Sequence[Write]:
    burst = unsigned(text)
    check(_bandwidth(group), burst)
    return (Write("cpu", "cpu.cfs_burst_us", line(burst)),)


def _burst(group: Group) -> bytes | None:
    return group.text("cpu", "cpu.cfs_burst_us")


def _cpu_stat(group: Group) -> bytes:
    """Return the time, and where the cgroup can have a limit, how that has worked.

    The division into user and system is v1's own, in ticks; the sum is exact.
    """
    time = need(group, "cpuacct", "cpuacct.stat", stats.v1_cpu)
    usage = need(group, "cpuacct", "cpuacct.usage", parse.integer)
    lines = {
        "usage_usec": usage // stats.NSEC_PER_USEC,
        "user_usec": time.user // stats.NSEC_PER_USEC,
        "system_usec": time.system // stats.NSEC_PER_USEC,
    }
    stat = ask(group, "cpu", "cpu.stat", parse.flat_keyed)
    if stat is not None and group.version("cpu") == 1:
        lines["nr_periods"] = stat.get(b"nr_periods", 0)
        lines["nr_throttled"] = stat.get(b"nr_throttled", 0)
        lines["throttled_usec"] = stat.get(b"throttled_time", 0) // stats.NSEC_PER_USEC
        if b"nr_bursts" in stat:
            lines["nr_bursts"] = stat[b"nr_bursts"]
            lines["burst_usec"] = stat.get(b"burst_time", 0) // stats.NSEC_PER_USEC
    return keyed(lines)


def _stat_local(group: Group) -> bytes | None:
    stat = ask(group, "cpu", "cpu.stat.local", parse.flat_keyed)
    if not stat:
        return None
    return keyed({"throttled_usec": stat.get(b"throttled_time", 0) // stats.NSEC_PER_USEC})


_IDLE, _SET_IDLE = same("cpu", "cpu.idle")

_CPU_STAT = (
    Origin(
        ("usage_usec",),
        "in microseconds, of v1's nanoseconds",
        v1=(value("cpuacct.usage"),),
        v2=(keys("cpu.stat", "usage_usec"),),
    ),
    Origin(
        ("user_usec", "system_usec"),
        "in microseconds, of v1's ticks of 10 ms",
        v1=(keys("cpuacct.stat", "user", "system"),),
        v2=(keys("cpu.stat", "user_usec", "system_usec"),),
    ),
    Origin(
        ("nr_periods", "nr_throttled", "nr_bursts"),
        "as counted",
        v1=(keys("cpu.stat", "nr_periods", "nr_throttled", "nr_bursts"),),
        v2=(keys("cpu.stat", "nr_periods", "nr_throttled", "nr_bursts"),),
    ),
    Origin(
        ("throttled_usec", "burst_usec"),
        "in microseconds, of v1's nanoseconds",
        v1=(keys("cpu.stat", "throttled_time", "burst_time"),),
        v2=(keys("cpu.stat", "throttled_usec", "burst_usec"),),
    ),
)

FILES: tuple[ControlFile, ...] = (
    row(
        "cpu.weight",
        2,
        "cpu",
        lambda group: line(weight_of_shares(_shares(group))),
        _set_weight,
        formula="shares * 100 / 1024, to the nearest, from 1 to 10000",
        of=(value("cpu.shares"),),
        in_top=False,
    ),
    row(
        "cpu.weight.nice",
        2,
        "cpu",
        lambda group: line(nice_of_shares(_shares(group))),
        _set_nice,
        formula="the nice value whose weight is closest to the shares",
        of=(value("cpu.shares"),),
        in_top=False,
    ),
    row(
        "cpu.idle",
        2,
        "cpu",
        _IDLE,
        _SET_IDLE,
        formula="the same file",
        of=(value("cpu.idle"),),
        in_top=False,
    ),
    row(
        "cpu.max",
        2,
        "cpu",
        lambda group: _bandwidth(group).cpu_max(),
        _set_max,
        formula="both numbers; a quota below 0 is max",
        of=(value("cpu.cfs_quota_us"), value("cpu.cfs_period_us")),
        in_top=False,
    ),
    row(
        "cpu.max.burst",
        2,
        "cpu",
        _burst,
        _set_burst,
        formula="as it is",
        of=(value("cpu.cfs_burst_us"),),
        in_top=False,
    ),
    row(
        "cpu.stat",
        2,
        "",
        _cpu_stat,
        formula="",
        lines=_CPU_STAT,
        is_own=lambda group: group.version("cpuacct") != 1,
    ),
    row(
        "cpu.stat.local",
        2,
        "cpu",
        _stat_local,
        formula="throttled_usec in microseconds, of v1's nanoseconds",
        of=(keys("cpu.stat.local", "throttled_time"),),
    ),
)
