"""What the tools of a real container show through lxfs, under LXD and under Incus."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import referees
from .fixtures import MakeInstance
from .lab import Host, Lab
from .tools import run

LIMITS = {"limits.memory": "256MiB", "limits.cpu": "1"}
MIB = 1024 * 1024


@pytest.fixture(scope="module", params=["lxd1", "incus1"])
def host(request: pytest.FixtureRequest, lab: Lab) -> Host:
    """One LXD host and the Incus host, if the lab's containers see lxfs."""
    if not lab.view_mounted:
        pytest.skip(f"lxfs is not mounted: {'; '.join(lab.notes)}")
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Host)
    return found


@pytest.fixture(scope="module")
def tool(host: Host) -> Iterator["Tool"]:
    """Return what runs a tool in one container of 256 MiB and one CPU, shared by these tests."""
    name = f"view{os.getpid()}-{host.name}"
    host.launch(name, LIMITS)
    yield Tool(host, name)
    host.delete(name)


class Tool:
    """Runs tools in one container."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self.name = name

    def __call__(self, *argv: str) -> str:
        """Run ARGV; return what it prints."""
        return self._host.exec(self.name, argv).stdout


def test_free_shows_the_container(tool: Tool) -> None:
    """`free` in a container of 256 MiB shows 256 MiB, of which it uses a part."""
    total, used, free = map(int, tool("free", "-b").splitlines()[1].split()[1:4])
    assert total == 256 * MIB
    assert 0 < used < total
    assert 0 < free < total
    assert tool("free", "-m").splitlines()[1].split()[1] == "256"


def test_memory_in_use_is_counted(tool: Tool) -> None:
    """64 MiB that the container writes to a tmpfs appear as shared in its `free`."""
    before = int(tool("free", "-m").splitlines()[1].split()[4])
    tool("mount", "-t", "tmpfs", "tmpfs", "/srv")
    tool("dd", "if=/dev/zero", "of=/srv/fill", "bs=1M", "count=64")
    after = int(tool("free", "-m").splitlines()[1].split()[4])
    tool("umount", "/srv")
    assert 60 <= after - before <= 70


def test_processors_online(tool: Tool) -> None:
    """A container limited to one CPU has one processor online."""
    assert tool("getconf", "_NPROCESSORS_ONLN") == "1\n"
    assert tool("nproc") == "1\n"
    cpuinfo = tool("dd", "if=/proc/cpuinfo", "bs=64k")
    assert len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) == 1


def test_one_cpu_is_configured(tool: Tool) -> None:
    """LXC's hook binds the directory of CPUs: one is there, online, and the only one counted."""
    assert tool("getconf", "_NPROCESSORS_CONF") == "1\n"
    found = tool("sh", "-c", "ls -d /sys/devices/system/cpu/cpu[0-9]*").split()
    online = tool("cat", "/sys/devices/system/cpu/online").strip()
    assert found == [f"/sys/devices/system/cpu/cpu{online}"]
    for name in ("possible", "present"):
        assert tool("cat", f"/sys/devices/system/cpu/{name}").strip() == online


def test_uptime_is_the_containers(tool: Tool) -> None:
    """`uptime` counts from the start of the container, not of the machine."""
    seconds = float(tool("dd", "if=/proc/uptime").split()[0])
    assert 0 <= seconds < 120
    assert re.search(r" up\s+[01] min", tool("uptime"))


def test_top_agrees(tool: Tool) -> None:
    """`top` shows the container's memory and its few processes."""
    screen = tool("top", "-bn1")
    memory = re.search(r"MiB Mem :\s+([\d.]+) total", screen)
    assert memory
    assert float(memory[1]) == 256
    tasks = re.search(r"Tasks:\s+(\d+) total", screen)
    assert tasks
    assert int(tasks[1]) < 10


def test_every_tool_has_the_same_memory(tool: Tool) -> None:
    """free, top, vmstat and htop all have the 256 MiB, and of it about as much free."""
    totals = referees.memory_totals(tool)
    assert totals == dict.fromkeys(totals, 256 * MIB)
    free = referees.memory_free(tool).values()
    assert max(free) - min(free) <= 4 * MIB


def test_every_tool_has_the_same_processors(tool: Tool) -> None:
    """getconf, lscpu, mpstat, iostat, top and htop have the one CPU, online and configured."""
    counts = referees.processors(tool)
    assert counts == dict.fromkeys(counts, 1)
    assert referees.online(tool) == tool("cat", "/sys/devices/system/cpu/online").strip()


def test_vmstat_has_the_disks_of_diskstats(tool: Tool) -> None:
    """`vmstat -d` lists the devices that the container has used, and no other."""

    def disks() -> set[str]:
        return {line.split()[2] for line in tool("cat", "/proc/diskstats").splitlines()}

    # The first program that is not in the page cache is the first use of a disk.
    before, shown = disks(), referees.disks(tool)
    assert before <= shown <= disks()


def test_psutil_agrees(host: Host, lab: Lab, tool: Tool) -> None:
    """The referee psutil, entered into the container's pid namespace, has its figures."""
    program = referees.PSUTIL.format(procfs=f"{lab.plan.view}/proc")
    enter = ["nsenter", "--pid", "--target", str(host.init_pid(tool.name))]
    found = json.loads(run([*enter, sys.executable, "-W", "ignore", "-c", program]).stdout)
    assert (found["total"], found["cpus"], found["swap"]) == (256 * MIB, 1, 0)
    assert 0 < found["used"] < found["available"] < found["total"]


def cgroup(pid: int, controller: str) -> Path:
    """Return the cgroup of a process, on v1 or v2."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{names}{path}")
    return Path(f"/sys/fs/cgroup{path}")


def used_seconds(pid: int) -> float:
    """Return the CPU time of the cgroup of a process, as the kernel has it, in seconds."""
    if (file := cgroup(pid, "cpuacct") / "cpuacct.usage").exists():
        return int(file.read_text()) / 1e9
    stat = (cgroup(pid, "cpu") / "cpu.stat").read_text().split()
    return int(stat[stat.index("usage_usec") + 1]) / 1e6


def prefer(pid: int) -> None:
    """Give a container's cgroup the most weight, so that a busy machine does not hold it back."""
    for name, most in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
        if (file := cgroup(pid, "cpu") / name).exists():
            file.write_text(most)


def test_half_of_the_quota_reads_as_half(
    host: Host, tool: Tool, make_instance: MakeInstance
) -> None:
    """A busy loop in a container of two CPUs' quota is about 50 % busy to each tool, next door 0.

    What exactly, the kernel's count of the same seconds says.
    """
    name = make_instance(host, {"limits.cpu.allowance": "200ms/100ms"})
    burning = Tool(host, name)
    burning("sh", "-c", "while :; do :; done >/dev/null 2>&1 </dev/null &")
    pid = host.init_pid(name)
    prefer(pid)
    began, before = time.monotonic(), used_seconds(pid)
    found = referees.busy(burning)
    real = (used_seconds(pid) - before) / (time.monotonic() - began) / 2
    assert 0.3 < real < 0.6
    assert {tool: share for tool, share in found.items() if abs(share - real) > 0.1} == {}
    assert max(referees.busy(tool).values()) < 0.1


def test_pressure_and_faults_are_the_containers(tool: Tool) -> None:
    """A young container has a part of the machine's pressure and page faults behind it."""
    counts = dict(map(str.split, tool("cat", "/proc/vmstat").splitlines()))
    host = dict(map(str.split, Path("/proc/vmstat").read_text().splitlines()))
    assert counts.keys() == host.keys()
    assert 0 < int(counts["pgfault"]) < int(host["pgfault"]) // 2
    assert 0 < int(counts["nr_free_pages"]) * 4096 < 256 * MIB
    stalled = tool("cat", "/proc/pressure/cpu").split()[4]
    machine = Path("/proc/pressure/cpu").read_text().split()[4]
    assert int(stalled.removeprefix("total=")) < int(machine.removeprefix("total=")) // 2


def test_the_machines_disks_and_caches_are_not_shown(tool: Tool) -> None:
    """A container sees no disk that it has not used, and as another user's root no slabinfo."""
    assert "loop" not in tool("cat", "/proc/diskstats")
    assert "Permission denied" in tool("sh", "-c", "cat /proc/slabinfo 2>&1 || :")


@pytest.mark.parametrize("file", ["stat", "meminfo", "cpuinfo", "uptime", "loadavg", "swaps"])
def test_every_way_to_read_gives_the_file(tool: Tool, file: str) -> None:
    """`cat`, which tries sendfile(2) first, gets a file as whole as read(2) does."""
    assert tool("cat", f"/proc/{file}").splitlines()[0]
    lines = len(tool("cat", f"/proc/{file}").splitlines())
    assert lines == len(tool("dd", f"if=/proc/{file}", "bs=256k").splitlines())


def test_limits_changed_while_running_are_seen(host: Host, make_instance: MakeInstance) -> None:
    """A memory limit raised on a running container shows in its `free` at once."""
    name = make_instance(host, LIMITS)
    config = {"limits.memory": "320MiB"}
    host.api.call("PATCH", f"/1.0/instances/{name}", {"config": config})
    assert host.exec(name, ["free", "-m"]).stdout.splitlines()[1].split()[1] == "320"
