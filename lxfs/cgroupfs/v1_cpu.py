"""The files of v1's cpu and cpuacct controllers.

Role: what each says of a cgroup whose CPU time v2 counts and limits, and what a write means there.
Boundary: pure. Times are those of the views of /proc (``lxfs.stats``), formats and checks the
kernel's (kernel/sched/core.c, cpuacct.c).
Threading: pure functions.
"""

import errno
from collections.abc import Callable, Mapping, Sequence

from lxfs import parse, stats
from lxfs.cgroupfs.bandwidth import (
    PERIOD,
    Bandwidth,
    check,
    check_hierarchy,
    of_cpu_max,
)
from lxfs.cgroupfs.conversions import SHARES, shares_of_weight, weight_of_shares
from lxfs.cgroupfs.files import ControlFile, Group, View, Write
from lxfs.cgroupfs.rows import READ_WRITE, ask, ask_host, nearest, row, same
from lxfs.cgroupfs.texts import keyed, line, refuse, signed, unsigned
from lxfs.model import NSEC_PER_TICK, CpuTime
from lxfs.origin import Origin, keys, value

_NSEC_PER_USEC = stats.NSEC_PER_USEC


def _flat(group: Group, name: str) -> Mapping[bytes, int]:
    return ask(group, "cpu", name, parse.flat_keyed) or {}


def _bandwidth(group: Group) -> Bandwidth:
    """Return quota and period; the root cgroup has no limit and no file."""
    return ask(group, "cpu", "cpu.max", of_cpu_max) or Bandwidth(None, PERIOD)


def _burst(group: Group) -> int:
    return ask(group, "cpu", "cpu.max.burst", parse.integer) or 0


def _shares(group: Group) -> bytes:
    weight = ask(group, "cpu", "cpu.weight", parse.integer)
    return line(SHARES if weight is None else shares_of_weight(weight))


def _set_shares(_: Group, text: bytes) -> Sequence[Write]:
    return (Write("cpu", "cpu.weight", line(weight_of_shares(unsigned(text)))),)


def _limited(group: Group, new: Bandwidth) -> Sequence[Write]:
    """Return the write of a limit, which in v1 may not be above that of an ancestor."""
    check(new, _burst(group))
    check_hierarchy(new, group, _bandwidth)
    return (Write("cpu", "cpu.max", new.cpu_max()),)


def _set_quota(group: Group, text: bytes) -> Sequence[Write]:
    quota = signed(text)
    return _limited(group, Bandwidth(None if quota < 0 else quota, _bandwidth(group).period))


def _set_period(group: Group, text: bytes) -> Sequence[Write]:
    return _limited(group, Bandwidth(_bandwidth(group).quota, unsigned(text)))


def _set_burst(group: Group, text: bytes) -> Sequence[Write]:
    burst = unsigned(text)
    check(_bandwidth(group), burst)
    return (Write("cpu", "cpu.max.burst", line(burst)),)


def _if_bursts(make: Callable[[Group], bytes]) -> View:
    """Return a view of a file that kernels without bursts do not have."""
    return lambda group: make(group) if group.text("cpu", "cpu.max.burst") is not None else None


def _cpu_stat(group: Group) -> bytes:
    stat = _flat(group, "cpu.stat")
    lines = {
        "nr_periods": stat.get(b"nr_periods", 0),
        "nr_throttled": stat.get(b"nr_throttled", 0),
        "throttled_time": stat.get(b"throttled_usec", 0) * _NSEC_PER_USEC,
    }
    if b"nr_bursts" in stat:
        lines["nr_bursts"] = stat[b"nr_bursts"]
        lines["burst_time"] = stat.get(b"burst_usec", 0) * _NSEC_PER_USEC
    return keyed(lines)


def _cpu_stat_local(group: Group) -> bytes | None:
    stat = ask(group, "cpu", "cpu.stat.local", parse.flat_keyed)
    if not stat:
        return None
    return keyed({"throttled_time": stat.get(b"throttled_usec", 0) * _NSEC_PER_USEC})


_IDLE, _SET_IDLE = same("cpu", "cpu.idle")

_CPU_STAT = (
    Origin(
        ("nr_periods", "nr_throttled", "nr_bursts"),
        "as counted",
        v1=(keys("cpu.stat", "nr_periods", "nr_throttled", "nr_bursts"),),
        v2=(keys("cpu.stat", "nr_periods", "nr_throttled", "nr_bursts"),),
    ),
    Origin(
        ("throttled_time", "burst_time"),
        "in nanoseconds, of v2's microseconds",
        v1=(keys("cpu.stat", "throttled_time", "burst_time"),),
        v2=(keys("cpu.stat", "throttled_usec", "burst_usec"),),
    ),
)

CPU: tuple[ControlFile, ...] = (
    row(
        "cpu.shares",
        1,
        "cpu",
        _shares,
        _set_shares,
        formula="weight * 1024 / 100, to the nearest, from 2 to 262144",
        of=(value("cpu.weight"),),
    ),
    row(
        "cpu.idle",
        1,
        "cpu",
        _IDLE,
        _SET_IDLE,
        formula="the same file",
        of=(value("cpu.idle"),),
    ),
    row(
        "cpu.cfs_quota_us",
        1,
        "cpu",
        lambda group: line(-1 if (quota := _bandwidth(group).quota) is None else quota),
        _set_quota,
        formula="the first number; max is -1",
        of=(value("cpu.max"),),
    ),
    row(
        "cpu.cfs_period_us",
        1,
        "cpu",
        lambda group: line(_bandwidth(group).period),
        _set_period,
        formula="the second number",
        of=(value("cpu.max"),),
    ),
    row(
        "cpu.cfs_burst_us",
        1,
        "cpu",
        _if_bursts(lambda group: line(_burst(group))),
        _set_burst,
        formula="as it is",
        of=(value("cpu.max.burst"),),
    ),
    row("cpu.stat", 1, "cpu", _cpu_stat, formula="", lines=_CPU_STAT),
    row(
        "cpu.stat.local",
        1,
        "cpu",
        _cpu_stat_local,
        formula="throttled_time in nanoseconds, of v2's microseconds",
        of=(keys("cpu.stat.local", "throttled_usec"),),
    ),
)


def _time(group: Group) -> CpuTime | None:
    """Return the CPU time; every v2 cgroup has it, whether or not it has the controller."""
    return ask(group, "", "cpu.stat", stats.v2_cpu)


def _user(time: CpuTime) -> int:
    return time.user + time.nice


def _usage(group: Group) -> int:
    stat = ask(group, "", "cpu.stat", parse.flat_keyed) or {}
    return stat.get(b"usage_usec", 0) * _NSEC_PER_USEC


def _of_time(make: Callable[[CpuTime], bytes]) -> View:
    return lambda group: None if (time := _time(group)) is None else make(time)


def _each(group: Group, amounts: Sequence[int]) -> list[tuple[int, ...]]:
    """Return amounts of time as rows of each possible CPU, shared out evenly among those allowed.

    v2 does not tell on which CPUs the time was used. The sum is right; odd nanoseconds are the
    first one's.
    """
    possible = ask_host(group, "sys/devices/system/cpu/possible", parse.cpulist) or (0,)
    online = ask_host(group, "sys/devices/system/cpu/online", parse.cpulist)
    allowed = nearest(group, "cpuset", ("cpuset.cpus.effective",), parse.cpulist) or online
    allowed = [cpu for cpu in allowed if cpu in possible] or possible
    columns = []
    for amount in amounts:
        share, odd = divmod(amount, len(allowed))
        shares = {cpu: share + (index < odd) for index, cpu in enumerate(allowed)}
        columns.append([shares.get(cpu, 0) for cpu in possible])
    return list(zip(possible, *columns, strict=True))


def _percpu(amount: Callable[[Group], int]) -> View:
    def view(group: Group) -> bytes | None:
        if _time(group) is None:
            return None
        return "".join([f"{share} " for _, share in _each(group, [amount(group)])]).encode() + b"\n"

    return view


def _usage_all(group: Group) -> bytes | None:
    if (time := _time(group)) is None:
        return None
    rows = _each(group, [_user(time), time.system])
    return "".join(
        ["cpu user system\n", *(f"{cpu} {user} {system}\n" for cpu, user, system in rows)]
    ).encode()


def _must(group: Group) -> CpuTime:
    return _time(group) or CpuTime(0, 0)


def _reset(_: Group, text: bytes) -> Sequence[Write]:
    """Refuse: v1 can be told to count from 0 anew, v2 cannot."""
    refuse(errno.EINVAL if unsigned(text) else errno.EOPNOTSUPP)


def _has_cpuacct(group: Group) -> bool:
    return group.version("cpuacct") == 1


_TIMES = (keys("cpu.stat", "user_usec", "system_usec"),)

CPUACCT: tuple[ControlFile, ...] = (
    row(
        "cpuacct.usage",
        1,
        "cpuacct",
        lambda group: None if _time(group) is None else line(_usage(group)),
        _reset,
        mode=READ_WRITE,
        formula="in nanoseconds, of v2's microseconds",
        of=(keys("cpu.stat", "usage_usec"),),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_user",
        1,
        "cpuacct",
        _of_time(lambda time: line(_user(time))),
        formula="in nanoseconds, of v2's microseconds",
        of=(keys("cpu.stat", "user_usec"),),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_sys",
        1,
        "cpuacct",
        _of_time(lambda time: line(time.system)),
        formula="in nanoseconds, of v2's microseconds",
        of=(keys("cpu.stat", "system_usec"),),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_percpu",
        1,
        "cpuacct",
        _percpu(_usage),
        formula="the sum shared out evenly among the CPUs it may run on: v2 does not say where",
        of=(keys("cpu.stat", "usage_usec"), value("cpuset.cpus.effective")),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_percpu_user",
        1,
        "cpuacct",
        _percpu(lambda group: _user(_must(group))),
        formula="the same of the time in user mode",
        of=(keys("cpu.stat", "user_usec"), value("cpuset.cpus.effective")),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_percpu_sys",
        1,
        "cpuacct",
        _percpu(lambda group: _must(group).system),
        formula="the same of the time in the kernel",
        of=(keys("cpu.stat", "system_usec"), value("cpuset.cpus.effective")),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.usage_all",
        1,
        "cpuacct",
        _usage_all,
        formula="both of them, a line for each CPU",
        of=(*_TIMES, value("cpuset.cpus.effective")),
        is_own=_has_cpuacct,
    ),
    row(
        "cpuacct.stat",
        1,
        "cpuacct",
        _of_time(
            lambda time: keyed(
                {
                    "user": _user(time) // NSEC_PER_TICK,
                    "system": time.system // NSEC_PER_TICK,
                }
            )
        ),
        formula="in ticks of 10 ms, rounded down",
        of=_TIMES,
        is_own=_has_cpuacct,
    ),
)
