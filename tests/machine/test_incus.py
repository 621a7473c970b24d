"""What containers of Incus show on cgroup v2, with lxfs at /var/lib/lxcfs."""

import re
from collections.abc import Iterator

import pytest

from tests.lab import referees

from .incus import Container, Incus, busy_share, counted
from .machine import Machine

MIB = 1 << 20


@pytest.fixture(scope="module")
def limited(incus: Incus) -> Iterator[Container]:
    """A container of 256 MiB, one CPU's quota of the machine's two, and 100 processes."""
    with incus.container(
        "limited", memory="256MiB", cpu_allowance="100ms/100ms", processes="100"
    ) as made:
        yield made


def meminfo(text: str) -> dict[str, int]:
    """Return the lines of meminfo in bytes."""
    fields = (line.split() for line in text.splitlines())
    return {name.rstrip(":"): int(value) * 1024 for name, value, *_ in fields}


def test_lxfs_is_where_lxcfs_would_be(machine: Machine, limited: Container) -> None:
    """The container's files are bound from lxfs, put there by the hook of Debian's package."""
    mounts = [line.split() for line in limited("cat", "/proc/mounts").splitlines()]
    ours = {point for _, point, kind, *_ in mounts if kind == "fuse.lxfs"}
    assert {"/proc/meminfo", "/proc/stat", "/proc/cpuinfo", "/proc/uptime"} <= ours
    assert machine("systemctl", "is-active", "lxcfs").stdout == "active\n"


def test_free_shows_the_limit(limited: Container) -> None:
    """`free` has the 256 MiB of memory.max, of which it uses what memory.current says."""
    total, used = map(int, limited("free", "-b").splitlines()[1].split()[1:3])
    assert total == int(limited.cgroup("memory.max")) == 256 * MIB
    assert 0 < used <= 32 * MIB


def test_every_tool_has_the_same_memory(limited: Container) -> None:
    """free, top, vmstat and htop all have the 256 MiB, and of it about as much free."""
    totals = referees.memory_totals(limited)
    assert totals == dict.fromkeys(totals, 256 * MIB)
    free = referees.memory_free(limited).values()
    assert max(free) - min(free) <= 4 * MIB


def test_every_tool_has_the_same_processors(limited: Container) -> None:
    """The quota of one CPU is one processor to every tool, online and configured."""
    assert limited.cgroup("cpu.max") == "100000 100000"
    counts = referees.processors(limited)
    assert counts == dict.fromkeys(counts, 1)
    assert referees.online(limited) == "0"
    assert len(re.findall(r"^cpu\d", limited("cat", "/proc/stat"), re.MULTILINE)) == 1


@pytest.mark.newest_kernel
def test_vmstat_has_the_disks_of_diskstats(limited: Container) -> None:
    """`vmstat -d` lists the devices that io.stat of the container has, and no other."""
    lines = limited("cat", "/proc/diskstats").splitlines()
    assert referees.disks(limited) == {line.split()[2] for line in lines}
    assert len(lines) == len(limited.cgroup("io.stat").splitlines())


@pytest.mark.newest_kernel
def test_a_cpuset_keeps_the_kernels_numbers(incus: Incus) -> None:
    """A container pinned to CPU 1 sees CPU 1 and no other."""
    with incus.container("pinned", cpu="1-1") as pinned:
        assert pinned.cgroup("cpuset.cpus.effective") == "1"
        assert pinned("cat", "/sys/devices/system/cpu/online") == "1\n"
        assert re.findall(
            r"^processor\s*: (\d+)", pinned("cat", "/proc/cpuinfo"), re.MULTILINE
        ) == ["1"]
        assert re.findall(r"^cpu(\d)", pinned("cat", "/proc/stat"), re.MULTILINE) == ["1"]


@pytest.mark.newest_kernel
def test_uptime_is_the_containers(machine: Machine, incus: Incus) -> None:
    """A container that has just started is up for seconds, in a machine up for longer."""
    with incus.container("young") as young:
        mine = float(young("cat", "/proc/uptime").split()[0])
        assert 0 <= mine < 15
        assert float(machine.reads("/proc/uptime").split()[0]) > mine + 15
        assert re.search(r" up\s+0 min.*load average: 0\.\d\d", young("uptime"))


@pytest.mark.newest_kernel
def test_memory_of_its_own_is_in_each_line(limited: Container) -> None:
    """A file written to a tmpfs and one to the disk are in Shmem, Cached and Dirty, as memory.stat.

    Lines that the neighbours' memory is in on the host are the container's own.
    """
    before = meminfo(limited("cat", "/proc/meminfo"))
    limited("sh", "-c", "mount -t tmpfs tmpfs /srv; dd if=/dev/zero of=/srv/fill bs=1M count=32")
    limited("dd", "if=/dev/zero", "of=/root/fill", "bs=1M", "count=24")
    after = meminfo(limited("cat", "/proc/meminfo"))
    stat = dict(line.split() for line in limited.cgroup("memory.stat").splitlines())
    limited("sh", "-c", "rm /root/fill; umount /srv")
    assert 32 * MIB <= after["Shmem"] - before["Shmem"] <= 33 * MIB
    assert 55 * MIB <= after["Cached"] - before["Cached"] <= 58 * MIB
    for line, key in (("Mapped", "file_mapped"), ("AnonPages", "anon"), ("Shmem", "shmem")):
        assert abs(after[line] - int(stat[key])) <= 2 * MIB, line
    assert after["Dirty"] <= 25 * MIB
    assert before["MemFree"] - after["MemFree"] >= 55 * MIB
    assert after["MemFree"] <= after["MemAvailable"] <= after["MemTotal"]


@pytest.mark.newest_kernel
def test_every_line_of_the_host_is_there(machine: Machine, limited: Container) -> None:
    """The lines of meminfo are the host's, in the host's order, none above the limit."""
    inside, outside = limited("cat", "/proc/meminfo"), machine.reads("/proc/meminfo")
    assert [x.split(":")[0] for x in inside.splitlines()] == [
        x.split(":")[0] for x in outside.splitlines()
    ]
    constant = {"VmallocTotal", "HugePages_Total"}
    figures = meminfo(inside)
    assert [k for k, v in figures.items() if v > 256 * MIB and k not in constant] == []


@pytest.mark.newest_kernel
def test_limits_changed_while_running_are_seen(incus: Incus) -> None:
    """A limit of memory or CPU changed on a running container shows at the next read."""
    with incus.container("changing", memory="128MiB", cpu_allowance="50ms/100ms") as changing:
        assert changing("free", "-m").splitlines()[1].split()[1] == "128"
        assert changing("getconf", "_NPROCESSORS_ONLN") == "1\n"
        changing.set("limits.memory", "192MiB")
        changing.set("limits.cpu.allowance", "150ms/100ms")
        assert changing("free", "-m").splitlines()[1].split()[1] == "192"
        assert changing("getconf", "_NPROCESSORS_ONLN") == "2\n"


def test_half_of_the_quota_reads_as_half(incus: Incus, limited: Container) -> None:
    """A busy loop in a container of two CPUs' quota is 50 % busy to each tool, next door 0.

    What exactly, the kernel's count of the same seconds says: emulated, the tools themselves are
    not for nothing.
    """
    with incus.container("burning", cpu_allowance="200ms/100ms") as burning:
        burning.burn()
        real: list[float] = []

        def run(*argv: str) -> str:
            lines, cpus = counted(burning, *argv)
            real.append(cpus / 2)
            return "\n".join(lines)

        inside, beside = referees.busy(run, 4), referees.busy(limited, 3)
    assert 0.4 < real[0] < 0.65
    assert {tool: share for tool, share in inside.items() if abs(share - real[0]) > 0.08} == {}
    assert {tool: share for tool, share in beside.items() if share > 0.2} == {}


@pytest.mark.newest_kernel
def test_all_of_the_quota_reads_as_all(incus: Incus) -> None:
    """A busy loop that the quota throttles leaves next to nothing idle in stat and in `top`.

    What exactly, the kernel's count of the same seconds says: an emulated CPU that has to wait for
    the host's begins a period late, and what it could not use in it is lost.
    """
    with incus.container("throttled", cpu_allowance="50ms/100ms") as throttled:
        throttled.burn()
        for busy in (_busy_in_stat, _busy_in_top):
            looks: list[tuple[float, float]] = []
            for _ in range(5):
                shown, cpus = busy(throttled)
                looks.append((shown, cpus / 0.5))
                if _is_all(*looks[-1]):
                    break
            assert _is_all(*looks[-1]), f"{busy.__name__}: {looks}"


def _busy_in_stat(container: Container) -> tuple[float, float]:
    """Which part of three seconds was not idle by stat, and how many CPUs were used."""
    look = "head -n1 /proc/stat"
    lines, used = counted(container, "sh", "-c", f"{look}; sleep 3; {look}")
    return busy_share(*lines), used


def _busy_in_top(container: Container) -> tuple[float, float]:
    lines, used = counted(container, "top", "-bn2", "-d3")
    idle = re.findall(r"%Cpu\(s\):.*?([\d.]+) id", "\n".join(lines))
    return 1 - float(idle[-1]) / 100, used


def _is_all(shown: float, used: float) -> bool:
    return abs(shown - used) <= 0.06 and used > 0.8


def test_psutil_agrees(limited: Container) -> None:
    """The referee psutil, in the container's namespace and cgroup, finds its figures."""
    found = limited.json(referees.PSUTIL.format(procfs="/var/lib/lxcfs/proc"))
    assert (found["total"], found["cpus"], found["swap"]) == (256 * MIB, 1, 0)
    assert 0 < found["used"] < 64 * MIB
    assert found["available"] <= found["total"]
