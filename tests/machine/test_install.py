"""``lxfs install`` under a real systemd: unit, hook and Incus, from boot to the last file."""

import time
from collections.abc import Iterator

import pytest

from .incus import Container, Incus
from .machine import Machine

# What is tried is systemd's and Incus's doing.
pytestmark = [pytest.mark.newest_kernel, pytest.mark.long]
THEIRS = "/usr/share/lxc/config/common.conf.d/00-lxcfs.conf"
PROGRAM = '#!/bin/sh\nexport PYTHONPATH=/checkout\nexec python3 -m lxfs.cli "$@"\n'
FILES = (
    "/etc/systemd/system/lxfs.service /usr/share/lxfs /var/lib/lxfs"
    " /usr/share/lxc/config/common.conf.d/99-lxfs.conf /usr/share/containers"
)


@pytest.fixture(scope="module")
def installed(machine: Machine) -> Iterator[None]:
    """The machine with lxfs installed and started, and LXCFS's hook, whose place it takes, away."""
    machine.shell(f"printf %s '{PROGRAM}' > /usr/bin/lxfs; chmod 755 /usr/bin/lxfs")
    machine.shell(f"mv {THEIRS} /root/")
    machine("lxfs", "install")
    machine("systemctl", "enable", "--now", "lxfs", timeout=120)
    yield
    machine.shell(
        "systemctl stop lxfs; lxfs uninstall; umount -l /var/lib/lxfs; rm -f /usr/bin/lxfs",
        check=False,
        timeout=120,
    )
    machine.shell(f"mv /root/00-lxcfs.conf {THEIRS}")


@pytest.fixture(scope="module")
def container(installed: None, incus: Incus) -> Iterator[Container]:  # noqa: ARG001 - in this order
    """A container of 128 MiB that has its view by the installed hook."""
    with incus.container("hooked", memory="128MiB") as made:
        yield made


def total(container: Container) -> str:
    """Return the megabytes that `free` shows."""
    return container("free", "-m").splitlines()[1].split()[1]


def _main(machine: Machine) -> str:
    return machine("systemctl", "show", "-P", "MainPID", "lxfs").stdout.strip()


def _is_active(machine: Machine) -> bool:
    return machine("systemctl", "is-active", "lxfs", check=False).stdout == "active\n"


@pytest.mark.usefixtures("installed")
def test_the_unit_serves(machine: Machine) -> None:
    """Systemd has the service active, told so by it, and the view is where the hook looks."""
    assert _is_active(machine)
    assert machine("systemctl", "is-enabled", "lxfs").stdout == "enabled\n"
    assert "MemTotal" in machine.reads("/var/lib/lxfs/proc/meminfo")


def test_a_container_that_starts_has_it(container: Container) -> None:
    """Incus takes the hook from LXC's directory: nodes, which LXCFS's does not know, are there."""
    assert total(container) == "128"
    points = [line.split()[1] for line in container("cat", "/proc/mounts").splitlines()]
    assert points.count("/sys/devices/system/node") == 1
    assert points.count("/proc/meminfo") == 1


def test_a_restart_leaves_containers_served(machine: Machine, container: Container) -> None:
    """After a reload, and after the main process was killed, the same files have the figures."""
    machine("systemctl", "reload", "lxfs", timeout=120)
    assert total(container) == "128"
    pid = _main(machine)
    machine("kill", "-9", pid)
    until = time.monotonic() + 300
    while _main(machine) in ("0", pid) or not _is_active(machine):
        assert time.monotonic() < until, machine.shell("systemctl status lxfs; true")
        time.sleep(1)
    assert total(container) == "128"


def test_detach_and_attach_in_it(machine: Machine, container: Container) -> None:
    """The view is taken out of a container of Incus on cgroup v2, and put back, by its name."""
    machine("lxfs", "detach", "incus:hooked", timeout=120)
    assert int(total(container)) > 1000
    machine("lxfs", "attach", "hooked", "--from", "/var/lib/lxfs", timeout=120)
    assert total(container) == "128"


@pytest.mark.usefixtures("container")
def test_doctor_finds_nothing_wrong(machine: Machine) -> None:
    """On this host, where all is installed and runs, there is no problem."""
    done = machine("lxfs", "doctor", timeout=120)
    assert done.status == 0
    assert "ok       unit: /etc/systemd/system/lxfs.service" in done.stdout
    assert "ok       lxc hook: " in done.stdout
    assert "ok       mount: lxfs on /var/lib/lxfs answers" in done.stdout


@pytest.mark.usefixtures("installed")
def test_uninstall_leaves_nothing(machine: Machine) -> None:
    """After stop and uninstall neither files nor the unit are there."""
    machine("systemctl", "stop", "lxfs", timeout=120)
    machine("lxfs", "uninstall", timeout=60)
    assert machine.shell(f"ls -d {FILES} 2>/dev/null", check=False) == ""
    assert machine("systemctl", "cat", "lxfs", check=False).status != 0
    assert " /var/lib/lxfs " not in machine.reads("/proc/mounts")
