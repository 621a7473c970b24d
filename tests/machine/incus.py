"""Incus inside the machine: a pool, the lab's image built in there, containers with limits.

Role: a thin layer over the incus client. Boundary: everything happens inside.
Threading: one caller.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .machine import Machine

PRESEED = """
storage_pools: [{name: default, driver: dir}]
profiles: [{name: default, devices: {root: {type: disk, path: /, pool: default}}}]
"""
BUILD = "from pathlib import Path; from tests.lab.image import build; build(Path('/tmp/tiny.tar'))"
BURN = "while :; do :; done"
_COUNTED = """
counted() { echo "$EPOCHREALTIME $(grep usage_usec /sys/fs/cgroup/cpu.stat)"; }
counted; "$0" "$@"; counted
"""


class Container:
    """A running container."""

    def __init__(self, machine: Machine, name: str) -> None:
        self._machine = machine
        self.name = name

    def __call__(self, *argv: str) -> str:
        """Run a program in it; return what it prints."""
        return self._machine("incus", "exec", self.name, "-T", "--", *argv).stdout

    def set(self, key: str, value: str) -> None:
        """Change its configuration while it runs."""
        self._machine("incus", "config", "set", self.name, f"{key}={value}")

    def cgroup(self, name: str) -> str:
        """Return a file of its cgroup, as the host sees it."""
        return self._machine.reads(f"/sys/fs/cgroup/lxc.payload.{self.name}/{name}").strip()

    def burn(self) -> None:
        """Leave a busy loop running in it; it ends with the container."""
        command = f"incus exec {self.name} -T -- sh -c '{BURN}'"
        self._machine.shell(f"setsid {command} >/dev/null 2>&1 </dev/null &")

    def init(self) -> str:
        """Return the pid of its init, as the host has it."""
        return self._machine.shell(f"incus list {self.name} -f csv -c p").strip()

    def json(self, program: str) -> Any:
        """Return what a Python program of the machine, entered into it, prints as JSON.

        The image has no Python: the program keeps the machine's files and takes the container's
        cgroup, pid namespace and view.
        """
        pid = self.init()
        script = (
            f"echo $$ > /sys/fs/cgroup/lxc.payload.{self.name}/cgroup.procs;"
            f' exec nsenter --pid --target {pid} python3 -W ignore -c "$0"'
        )
        return json.loads(self._machine("sh", "-c", script, program).stdout)


class Incus:
    """The daemon inside, ready for containers."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        machine("systemctl", "start", "incus.service", timeout=120)
        machine("incus", "admin", "waitready", "--timeout=60")
        machine("incus", "admin", "init", "--preseed", stdin=PRESEED)
        machine("python3", "-c", BUILD)
        machine("incus", "--quiet", "image", "import", "/tmp/tiny.tar", "--alias", "tiny")

    @contextmanager
    def container(self, name: str, **limits: str) -> Iterator[Container]:
        """Start a container under limits (``memory``, ``cpu``, ...); kill it at the end."""
        config = [
            f"--config=limits.{key.replace('_', '.')}={value}" for key, value in limits.items()
        ]
        self._machine("incus", "--quiet", "launch", "tiny", name, *config)
        try:
            yield Container(self._machine, name)
        finally:
            # Deleting takes seconds, and the whole machine is thrown away in the end.
            self._machine.shell(f"echo 1 > /sys/fs/cgroup/lxc.payload.{name}/cgroup.kill")


def busy_share(before: str, after: str) -> float:
    """Return which part of the time between two first lines of stat was not idle."""
    first, last = (list(map(int, line.split()[1:])) for line in (before, after))
    busy = sum(last[:3]) - sum(first[:3])
    return busy / (busy + last[3] - first[3])


def counted(container: Container, *argv: str) -> tuple[list[str], float]:
    """Run a program in it; the lines that it prints, and how many CPUs the kernel counted as used
    by the container meanwhile (cpu.stat).
    """
    first, *lines, last = container("bash", "-c", _COUNTED, *argv).splitlines()
    (began, _, before), (ended, _, after) = first.split(), last.split()
    return lines, (int(after) - int(before)) / 1e6 / (float(ended) - float(began))
