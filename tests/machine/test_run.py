"""``lxfs run`` on a kernel that has cgroup v2 alone: the tools agree with the limits."""

import re

import pytest

from .machine import Machine

LXFS = ("python3", "-m", "lxfs.cli")
RUN = (*LXFS, "run", "--memory", "256M", "--cpus", "1", "--pids", "50", "--")


def test_the_kernel_has_cgroup_v2_alone(machine: Machine) -> None:
    """Every controller is in the one hierarchy of v2, and no v1 hierarchy is mounted."""
    mounts = [line.split()[2] for line in machine.reads("/proc/mounts").splitlines()]
    assert mounts.count("cgroup2") == 1
    assert "cgroup" not in mounts
    controllers = set(machine.reads("/sys/fs/cgroup/cgroup.controllers").split())
    assert {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} <= controllers
    assert machine.reads("/proc/self/cgroup").startswith("0::/")


def test_the_older_kernel_does_not_name_the_init(machine: Machine) -> None:
    """Linux 6.1 knows no request for a namespace's init: all that passes on it looked for NSpid."""
    ask = "import fcntl; fcntl.ioctl(open('/proc/self/ns/pid'), 0x8004B707, 1)"
    refused = "Inappropriate ioctl" in machine("python3", "-c", ask, check=False).stderr
    assert refused == machine.shell("uname -r").startswith("6.1.")


def test_there_is_no_network(machine: Machine) -> None:
    """The machine has its loopback and no other device of the network."""
    assert machine.shell("ls /sys/class/net").split() == ["lo"]


def test_every_unit_came_up(machine: Machine) -> None:
    """Systemd reports a system that is running, with no unit failed."""
    assert machine("systemctl", "is-system-running", "--wait").stdout == "running\n"


def test_free_shows_the_limit(machine: Machine) -> None:
    """`free` in a run of 256 MiB has 256 MiB, of which little is used; the host has its own."""
    total, used = map(int, machine(*RUN, "free", "-b").stdout.splitlines()[1].split()[1:3])
    assert total == 256 << 20
    assert 0 <= used < 16 << 20
    assert int(machine("free", "-m").stdout.splitlines()[1].split()[1]) > 1024


def test_one_processor_is_online(machine: Machine) -> None:
    """The quota of one CPU makes one processor online for getconf and top, of the host's two."""
    assert machine(*RUN, "getconf", "_NPROCESSORS_ONLN").stdout == "1\n"
    assert machine("getconf", "_NPROCESSORS_ONLN").stdout == "2\n"
    screen = machine(*RUN, "top", "-bn1").stdout
    assert "MiB Mem :    256.0 total" in screen
    assert re.search(r"Tasks:\s+2 total", screen)


def test_uptime_and_load_begin_with_the_run(machine: Machine) -> None:
    """`uptime` and loadavg are those of a machine that has just started."""
    assert re.search(r"up 0 min.*load average: 0.00, 0.00, 0.00", machine(*RUN, "uptime").stdout)
    assert machine(*RUN, "cat", "/proc/loadavg").stdout.startswith("0.00 0.00 0.00 1/")


@pytest.mark.parametrize(
    ("name", "value"),
    [("memory.max", str(256 << 20)), ("cpu.max", "100000 100000"), ("pids.max", "50")],
)
def test_the_limits_are_in_force(machine: Machine, name: str, value: str) -> None:
    """What was asked for is what the kernel has in the run's cgroup, seen from outside of it."""
    inside = (*RUN, "sh", "-c", "cat /sys/fs/cgroup$(sed s/0:://p -n /proc/self/cgroup)/$0", name)
    assert machine(*inside).stdout == f"{value}\n"


def test_nothing_is_left(machine: Machine) -> None:
    """A run leaves no cgroup, no mount and no process."""
    what = "cat /proc/mounts; pgrep -f 'lxfs[.]'"
    before = machine.shell(what)
    machine(*RUN, "true")
    assert machine.shell(what) == before
    assert machine.shell("find /sys/fs/cgroup -name 'lxfs-run-*'") == ""
