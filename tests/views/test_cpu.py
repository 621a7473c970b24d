"""The files about CPUs and time: cpuinfo, stat, online, uptime, loadavg."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import parse
from lxfs.model import (
    NSEC_PER_TICK,
    CpuCounters,
    CpuLimit,
    Cpus,
    CpuTicks,
    LoadAverage,
    TaskCount,
)
from lxfs.views import cpu_sysfs, cpuinfo, loadavg, stat, uptime
from tests.fixtures import HYBRID, V2

TICK = NSEC_PER_TICK
TASKS = TaskCount(running=2, blocked=1, total=7, last_pid=42)
FORKS = 50


def _cpus(*numbers: int) -> Cpus:
    return Cpus(numbers, Fraction(len(numbers)))


def test_cpuinfo_keeps_the_visible_blocks() -> None:
    """The blocks of visible CPUs stay byte for byte, the others go."""
    host = (HYBRID / "proc/cpuinfo").read_bytes()
    first, second, end = host.split(b"\n\n")
    assert end == b""
    assert cpuinfo.render(host, _cpus(0, 1)) == host
    assert cpuinfo.render(host, _cpus(1)) == second + b"\n\n"
    assert cpuinfo.render(host, _cpus(0)) == first + b"\n\n"


def test_cpuinfo_keeps_machine_lines() -> None:
    """Lines of the machine that belong to no CPU stay, as on arm."""
    host = b"processor\t: 0\nBogoMIPS\t: 38\n\nprocessor\t: 1\n\nHardware\t: Board\n"
    assert cpuinfo.render(host, _cpus(1)) == b"processor\t: 1\n\nHardware\t: Board\n"


S390 = b"""\
vendor_id       : IBM/S390
# processors    : 3
bogomips per cpu: 3033.00
features\t: esan3 zarch
processor 0: version = FF,  identification = 0123C8,  machine = 2964
processor 1: version = FF,  identification = 0123C8,  machine = 2964
processor 10: version = FF,  identification = 0123C8,  machine = 2964
"""


def test_cpuinfo_of_s390() -> None:
    """There the CPUs are counted and listed in the first block, which old kernels end with."""
    blocks = b"".join(b"\ncpu number      : %d\nversion         : FF\n" % n for n in (0, 1, 10))
    for host in (S390, S390 + blocks):
        assert cpuinfo.render(host, _cpus(0, 1, 10)) == host
        shown = cpuinfo.render(host, _cpus(1, 10))
        assert b"# processors    : 2\nbogomips" in shown
        numbers = [line.split(b":")[0] for line in shown.splitlines() if line.startswith(b"proc")]
        assert numbers == [b"processor 1", b"processor 10"]
        assert shown.count(b"cpu number") == host.count(b"cpu number") * 2 // 3
        assert b"cpu number      : 0\n" not in shown
        with pytest.raises(ValueError, match="none of the CPUs"):
            cpuinfo.render(host, _cpus(2))


def test_cpuinfo_without_the_visible_cpus_is_an_error() -> None:
    """A file in which no visible CPU is found is not served."""
    with pytest.raises(ValueError, match="none of the CPUs"):
        cpuinfo.render((V2 / "proc/cpuinfo").read_bytes(), _cpus(64))
    with pytest.raises(ValueError, match="none of the CPUs"):
        cpuinfo.render(b"", _cpus(0))


STAT_TEXT = b"""\
cpu  1200 40 300 5000 0 0 0 0 0 0
cpu1 700 40 100 2000 0 0 0 0 0 0
cpu3 500 0 200 3000 0 0 0 0 0 0
intr 0
ctxt 0
btime 1795000000
processes 50
procs_running 2
procs_blocked 1
softirq 0 0 0 0 0 0 0 0 0 0 0
"""


def test_stat_bytes() -> None:
    """The container's ticks on its CPUs, the host's btime, nothing else of the host."""
    counters = CpuCounters(
        total=CpuTicks(1200 * TICK, 40 * TICK, 300 * TICK, 5000 * TICK),
        each=(
            (1, CpuTicks(700 * TICK, 40 * TICK, 100 * TICK, 2000 * TICK)),
            (3, CpuTicks(500 * TICK, 0, 200 * TICK, 3000 * TICK + TICK - 1)),
        ),
    )
    assert stat.render((V2 / "proc/stat").read_bytes(), counters, TASKS, FORKS) == STAT_TEXT


def test_stat_of_the_recorded_host_has_its_lines() -> None:
    """The lines of the recorded 6.18 file come in its order, with one CPU instead of two."""
    host = (HYBRID / "proc/stat").read_bytes()
    text = stat.render(host, CpuCounters(CpuTicks(), ((1, CpuTicks()),)), TASKS, FORKS)
    names = [line.split()[0] for line in host.splitlines()]
    assert [line.split()[0] for line in text.splitlines()] == [n for n in names if n != b"cpu0"]


def test_stat_of_another_shape_is_an_error() -> None:
    """A host file that is not /proc/stat is not served."""
    with pytest.raises(ValueError, match="cpu line"):
        stat.render(b"btime 12\n", CpuCounters(CpuTicks(), ()), TASKS, FORKS)
    with pytest.raises(ValueError, match="cpu line"):
        stat.render(b"", CpuCounters(CpuTicks(), ()), TASKS, FORKS)


def test_online_bytes() -> None:
    """The list is the kernel's, with a newline."""
    assert cpu_sysfs.visible(b"", _cpus(0, 1, 2, 5)) == b"0-2,5\n"
    assert cpu_sysfs.visible(b"", _cpus(0)) == b"0\n"


def test_uptime_bytes() -> None:
    """Seconds with two digits, rounded down."""
    assert uptime.render(1_239_999_999, 50_000_000_000) == b"1.23 50.00\n"
    assert uptime.render(0, 0) == b"0.00 0.00\n"


def test_uptime_is_never_negative() -> None:
    """A negative time is a mistake of ours and not served."""
    with pytest.raises(ValueError, match="means nothing"):
        uptime.render(-1, 0)


def test_loadavg_bytes() -> None:
    """Averages are rounded to hundredths as the kernel rounds them."""
    load = LoadAverage(2048, 1024 + 10, 2048 * 12 + 2047, TASKS)
    assert loadavg.render(load) == b"1.00 0.50 13.00 2/7 42\n"


def test_loadavg_counts_its_reader() -> None:
    """Whoever reads the file runs, even when the count just missed it."""
    idle = TaskCount(running=0, blocked=0, total=0, last_pid=1)
    assert loadavg.render(LoadAverage(0, 0, 0, idle)) == b"0.00 0.00 0.00 1/1 1\n"


@pytest.mark.parametrize(
    ("allowed", "quota", "visible", "capacity"),
    [
        ((0, 1, 2, 3), None, (0, 1, 2, 3), Fraction(4)),
        ((0, 1, 2, 3), Fraction(3, 2), (0, 1), Fraction(3, 2)),
        ((2, 3), Fraction(3), (2, 3), Fraction(2)),
        ((1, 5), Fraction(1, 10), (1,), Fraction(1, 10)),
        ((0, 1), Fraction(1), (0,), Fraction(1)),
    ],
)
def test_the_one_cpu_model(
    allowed: tuple[int, ...],
    quota: Fraction | None,
    visible: tuple[int, ...],
    capacity: Fraction,
) -> None:
    """As many CPUs as the quota can keep busy, out of the cpuset, at least one."""
    limit = CpuLimit(allowed, quota)
    assert limit.seen(by_quota=True) == Cpus(visible, capacity)
    assert limit.seen(by_quota=False) == Cpus(allowed, capacity)


@given(
    allowed=st.sets(st.integers(0, 3), min_size=1),
    quota=st.none() | st.fractions(Fraction(1, 100), 8),
)
def test_all_files_count_the_same_cpus(allowed: set[int], quota: Fraction | None) -> None:
    """The files cpuinfo, stat and online name the same CPUs, whatever the limits."""
    cpus = CpuLimit(tuple(sorted(allowed)), quota).seen(by_quota=True)
    counters = CpuCounters(CpuTicks(), tuple((number, CpuTicks()) for number in cpus.visible))
    info = cpuinfo.render((V2 / "proc/cpuinfo").read_bytes(), cpus)
    lines = stat.render((V2 / "proc/stat").read_bytes(), counters, TASKS, FORKS).splitlines()
    in_info = [int(line.split()[2]) for line in info.splitlines() if line[:9] == b"processor"]
    in_stat = [int(line.split()[0][3:]) for line in lines[1:] if line.startswith(b"cpu")]
    assert tuple(in_info) == tuple(in_stat) == parse.cpulist(cpu_sysfs.visible(b"", cpus))
    assert set(in_info) <= allowed
