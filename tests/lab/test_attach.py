"""A real LXCFS that dies under real containers, and lxfs that takes its place."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .fixtures import MakeInstance
from .lab import Host, Lab
from .tools import run, wait_until

DEAD = "Transport endpoint is not connected"
LXFS = (sys.executable, "-m", "lxfs.cli")


@pytest.fixture(params=["lxd1", "incus1"])
def host(request: pytest.FixtureRequest, lab: Lab) -> Host:
    """One LXD host and the Incus host."""
    if not lab.view_mounted:
        pytest.skip(f"lxfs is not mounted: {'; '.join(lab.notes)}")
    if not shutil.which("lxcfs"):
        pytest.skip("lxcfs is not installed")
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Host)
    return found


@contextlib.contextmanager
def lxcfs_below(host: Host, pidfile: Path) -> Iterator[int]:
    """Run an LXCFS where this daemon's containers take theirs from; yield its pid."""
    inside = ["nsenter", "--mount", "--target", str(host.pid)]
    server = subprocess.Popen(
        [*inside, "lxcfs", "-f", "-p", str(pidfile), "/var/lib/lxcfs"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def mounted() -> bool:
        last = Path(f"/proc/{host.pid}/mountinfo").read_text().splitlines()[-1]
        return "fuse.lxcfs" in last

    try:
        assert wait_until(mounted, 20)
        yield server.pid
    finally:
        server.kill()
        server.wait()
        run([*inside, "umount", "-l", "/var/lib/lxcfs"])


def inside(host: Host, name: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run one of a container's own programs in its namespaces, as its root.

    Not by exec: on a busy machine Incus was seen to lose what a short command prints.
    """
    enter = ["nsenter", "--all", "--target", str(host.init_pid(name)), "--", *argv]
    return run(enter, check=False)


def lxfs(lab: Lab, *arguments: str) -> str:
    """Run lxfs on the lab's mount; return what it prints."""
    return run([*LXFS, *arguments, "--from", str(lab.plan.view)]).stdout


def test_containers_outlive_lxcfs(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """LXCFS dies, `free` fails; after `lxfs attach --all` the same container has its figures."""
    name = f"heal{os.getpid()}-{host.name}"
    with lxcfs_below(host, tmp_path / "lxcfs.pid") as server:
        make_instance(host, {"limits.memory": "256MiB", "limits.cpu": "1"}, name=name)
        assert inside(host, name, "free", "-m").stdout.splitlines()[1].split()[1] == "256"
        assert "lxcfs" in inside(host, name, "cat", "/proc/self/mountinfo").stdout
        assert lxfs(lab, "attach", "--all", name) == ""  # it answers, and is left alone
        os.kill(server, signal.SIGKILL)

        def fails() -> bool:
            return DEAD in inside(host, name, "cat", "/proc/meminfo").stderr

        assert wait_until(fails, 10)
        assert inside(host, name, "free", "-m").returncode != 0
    init = host.init_pid(name)
    said = lxfs(lab, "attach", "--all", name)
    assert said.startswith(f"{host.plan.kind}:{name} (pid {init}): ")
    assert host.init_pid(name) == init  # the same container, not started again
    assert inside(host, name, "free", "-m").stdout.splitlines()[1].split()[1] == "256"
    assert inside(host, name, "getconf", "_NPROCESSORS_ONLN").stdout == "1\n"
    mounts = inside(host, name, "cat", "/proc/self/mountinfo").stdout
    assert "lxcfs" not in mounts
    assert "MemTotal: 262144 kB" in " ".join(
        inside(host, name, "cat", "/sys/devices/system/node/node0/meminfo").stdout.split()
    )


def test_attach_under_load_shows_no_figure_of_the_host(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """While LXCFS is replaced by lxfs in a container that reads on, each read has its own limit."""
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 5):
        pytest.skip("before Linux 6.5 a mount cannot be replaced in one step")
    name = f"swap{os.getpid()}-{host.name}"
    with lxcfs_below(host, tmp_path / "lxcfs.pid"):
        make_instance(host, {"limits.memory": "256MiB"}, name=name)
        script = "while :; do grep MemTotal: /proc/meminfo >>/tmp/seen 2>&1 || :; done"
        inside(host, name, "sh", "-c", f"({script}) >/dev/null 2>&1 </dev/null &")
        assert wait_until(lambda: len(host.read_file(name, "/tmp/seen")) > 500, 20)
        lxfs(lab, "attach", "--replace", f"{host.plan.kind}:{name}")
        length = len(host.read_file(name, "/tmp/seen"))
        assert wait_until(lambda: len(host.read_file(name, "/tmp/seen")) > length + 500, 20)
    seen = {
        line.split()[1] for line in host.read_file(name, "/tmp/seen").decode().splitlines()[:-1]
    }
    assert seen == {"262144"}
