"""Programs that know one shape of cgroups size themselves right in a container, on any host."""

import json
import os
from collections.abc import Iterator
from fractions import Fraction

import pytest

from lxfs.limits import Limits
from tests.drivers.boxes import come_from, driver  # noqa: F401 - a fixture
from tests.drivers.conftest import MIB, Mount, lxfs
from tests.drivers.inmates import Inmate, cells, inmate_in, public_mount
from tests.drivers.sizing import PROGRAMS
from tests.drivers.test_cgroupfs import HAS_V1

HOST = [
    os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    len(os.sched_getaffinity(0)),
]
BOTH = Limits(memory=256 * MIB, cpus=Fraction(1), pids=200)
CASES = [
    pytest.param(BOTH, [256 * MIB, 1], False, id="privileged"),
    pytest.param(BOTH, [256 * MIB, 1], True, id="unprivileged"),
    pytest.param(Limits(memory=192 * MIB, pids=200), [192 * MIB, HOST[1]], False, id="memory"),
    pytest.param(Limits(cpus=Fraction(1, 2), pids=200), [HOST[0], 1], True, id="cpus"),
]


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001, F811
    """A mount that containers of users can reach."""
    with public_mount() as mount:
        yield mount


def sizes(one: Inmate, shape: str) -> list[int]:
    """Return the memory in bytes and the CPUs by which a program that knows a shape goes."""
    program = ["python3", "-I", "-c", PROGRAMS[shape]]
    done = one(
        f"(lambda done: [done.stdout, done.stderr])(subprocess.run({program!r}, "
        "capture_output=True, text=True))"
    )
    assert done[1] == ""
    found: list[int] = json.loads(done[0])
    return found


@pytest.mark.parametrize(("limits", "right", "user"), CASES)
def test_a_program_of_one_shape_sizes_itself(
    view: Mount, limits: Limits, right: list[int], user: bool
) -> None:
    """Without the shape that it knows it goes by the host; with it, by the container's limits."""
    with cells(limits) as directories, inmate_in(directories, user=user) as one:
        one("subprocess.run(['umount', '-R', '-l', '/sys/fs/cgroup'])")
        for shape in PROGRAMS:
            assert sizes(one, shape) == HOST
        for shape, other in (("v1", "v2"), ("v2", "v1")):
            done = lxfs("attach", str(one.pid), "--cgroupfs", shape, *come_from(view))
            assert done.returncode == 0, done.stdout + done.stderr
            # Of v2 alone a host keeps it at the top of v1's shape.
            both = shape == "v1" and not HAS_V1
            assert {shape: sizes(one, shape), other: sizes(one, other)} == {
                shape: right,
                other: right if both else HOST,
            }
