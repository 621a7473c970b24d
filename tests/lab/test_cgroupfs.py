"""Real containers that start with cgroups over /sys/fs/cgroup, by the hook of lxfs install."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lxfs import parse
from lxfs.drivers.native import finding

from .fixtures import MakeInstance
from .lab import Host, Lab
from .test_attach import host
from .test_install import installed
from .tools import run, wait_until

__all__ = ["host"]

MIB = 1 << 20
LIMITS = {"limits.memory": "256MiB", "limits.cpu.allowance": "100ms/100ms"}
# What a program finds that knows one shape, at the fixed path and at that of its own cgroup.
PROGRAMS = {
    "v1": """
own() { sed -n "s/^[0-9]*:$1://p" /proc/self/cgroup; }
cd /sys/fs/cgroup/memory && cat memory.limit_in_bytes "./$(own memory)/memory.limit_in_bytes"
cd /sys/fs/cgroup/cpu && cat cpu.cfs_quota_us "./$(own cpu)/cpu.cfs_quota_us"
""",
    "v2": """
own=./$(sed -n 's/^0:://p' /proc/self/cgroup)
cd /sys/fs/cgroup && cat memory.max "$own/memory.max" cpu.max "$own/cpu.max"
""",
}
SEEN = {
    "v1": f"{256 * MIB}\n{256 * MIB}\n100000\n100000\n",
    "v2": f"{256 * MIB}\n{256 * MIB}\n100000 100000\n100000 100000\n",
}


@dataclass
class View:
    """An lxfs of a test's own, mounted where one daemon sees it."""

    directory: Path
    inside: list[str]

    def lxfs(self, verb: str) -> None:
        """Mount it, or what is left of it, or take it off."""
        run([*self.inside, sys.executable, "-m", "lxfs.cli", verb, str(self.directory)])

    def session(self) -> finding.Found:
        """Return who serves it."""
        text = run([*self.inside, "cat", "/proc/self/mountinfo"]).stdout.encode()
        mounts = [one for one in parse.mountinfo(text) if one.point == str(self.directory)]
        found = finding.find(mounts[-1].device)
        assert found is not None
        return found

    def kill(self) -> None:
        """End all that serves it: what it has mounted is dead."""
        there = self.session()
        pids = [pid for pid in (there.holder, there.spawner, there.server) if pid is not None]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none of them takes another's place
            for pid in pids:
                os.kill(pid, number)
        assert wait_until(lambda: not any(Path(f"/proc/{pid}/mem").exists() for pid in pids), 10)


@contextlib.contextmanager
def mounted(lab: Lab, host: Host) -> Iterator[View]:
    """Mount an lxfs of our own in the mount namespace of a daemon.

    It is beside the lab's: hooks are run by a container's root, who cannot get to a test's files.
    """
    directory = lab.plan.view.with_name(f"own-{os.getpid()}-{host.name}")
    directory.mkdir()
    view = View(directory, ["nsenter", "--mount", "--target", str(host.pid)])
    try:
        view.lxfs("mount")
        yield view
    finally:
        run([*view.inside, "umount", "-l", str(directory)], check=False)
        directory.rmdir()


def sees(host: Host, name: str, shape: str) -> str:
    """Return what the program says, executed as LXD and Incus execute it, and its errors."""
    done = host.exec(name, ["sh", "-c", PROGRAMS[shape]], check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("shape", PROGRAMS)
def test_containers_start_with_their_cgroups(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path, shape: str
) -> None:
    """A program that knows one shape sees its limits, after restarts of lxfs and container too.

    While lxfs is dead the container starts as well, without them.
    """
    options = ("--cgroupfs", shape)
    with (
        mounted(lab, host) as view,
        installed(lab, host, tmp_path, lxcfs=False, view=view.directory, options=options),
    ):
        name = make_instance(host, LIMITS)
        assert sees(host, name, shape) == SEEN[shape]
        other = "v2" if shape == "v1" else "v1"
        assert str(256 * MIB) not in sees(host, name, other)
        session = view.session()
        assert session.holder is not None
        os.kill(session.holder, signal.SIGKILL)
        assert wait_until(lambda: session.holder is None, 10)
        view.lxfs("mount")
        assert sees(host, name, shape) == SEEN[shape]
        view.kill()
        assert "not connected" in host.exec(name, ["cat", "/proc/stat"], check=False).stderr
        host.set_state(name, "restart")
        assert "fuse.lx" not in host.exec(name, ["cat", "/proc/self/mountinfo"]).stdout
        assert str(256 * MIB) not in sees(host, name, shape)
        run([*view.inside, "umount", "-l", str(view.directory)])
        view.lxfs("mount")
        host.set_state(name, "restart")
        assert sees(host, name, shape) == SEEN[shape]
