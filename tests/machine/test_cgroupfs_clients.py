"""A Debian container on a host of cgroup v2 alone runs a program that knows cgroup v1 alone."""

import json
from collections.abc import Iterator

import pytest

from tests.drivers.sizing import V1_ONLY, V2_ONLY

from .incus import Container, Incus
from .machine import Machine

MIB = 1 << 20
VIEW = "/var/lib/lxcfs"


@pytest.fixture
def debian(machine: Machine, incus: Incus) -> Iterator[Container]:
    """A container of 256 MiB and one CPU's quota, with Debian's programs: the machine's own."""
    with incus.container("debian", memory="256MiB", cpu_allowance="100ms/100ms") as made:
        usr = ("disk", "source=/usr", "path=/usr", "readonly=true")
        machine("incus", "config", "device", "add", made.name, "usr", *usr)
        yield made


def sizes(debian: Container, program: str = V1_ONLY) -> list[int]:
    """Return the memory in bytes and the CPUs by which a program goes."""
    found: list[int] = json.loads(debian("/usr/bin/python3", "-I", "-c", program))
    return found


@pytest.mark.newest_kernel
def test_a_program_of_v1_sizes_itself_under_v2(machine: Machine, debian: Container) -> None:
    """It goes by the host until lxfs shows it v1's files, then by limits, also by new ones.

    A program that knows v2 alone has its limits before and after.
    """
    assert "ID=debian\n" in debian("cat", "/usr/lib/os-release")
    memory, cpus = sizes(debian)
    assert memory > 1024 * MIB
    assert cpus == 2
    assert sizes(debian, V2_ONLY) == [256 * MIB, 1]
    attach = ("attach", debian.init(), "--cgroupfs", "v1", "--from", VIEW)
    machine("python3", "-m", "lxfs.cli", *attach)
    assert sizes(debian) == [256 * MIB, 1]
    assert sizes(debian, V2_ONLY) == [256 * MIB, 1]
    debian.set("limits.memory", "192MiB")
    debian.set("limits.cpu.allowance", "150ms/100ms")
    assert sizes(debian) == [192 * MIB, 2]
