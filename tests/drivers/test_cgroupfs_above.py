"""Cgroups of the v2 tree alone, where v1 counts: whose limits their processes have, they show."""

import contextlib
import errno
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.boxes import driver  # noqa: F401 - a fixture
from tests.drivers.conftest import LIMITS, MIB, Mount
from tests.drivers.inmates import Inmate, cells, inmate_in, public_mount
from tests.drivers.test_cgroupfs import KINDS, MEMORY_IS_V1, Case, child, own

pytestmark = pytest.mark.skipif(not MEMORY_IS_V1, reason="v2 counts memory here itself")
SHOWN = {"memory.max": f"{256 * MIB}\n", "cpu.max": "100000 100000\n", "pids.max": "200\n"}


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001, F811
    """A mount in which cgroups can be written to."""
    with public_mount("--cgroupfs", "rw") as mount:
        yield mount


@pytest.fixture(scope="module")
def directories() -> Iterator[list[Path]]:
    """Cgroups of 256 MiB, one CPU and 200 tasks in each hierarchy."""
    with cells(LIMITS) as made:
        yield made


@pytest.fixture(params=KINDS, ids=["namespaced", "plain", "unprivileged"])
def one(
    request: pytest.FixtureRequest,
    directories: list[Path],
    view: Mount,  # noqa: ARG001 - before it, so that it is mounted for it too
) -> Iterator[Inmate]:
    """A container of each kind."""
    kind: Case = request.param
    with inmate_in(directories, user=kind.user, cgroup=kind.cgroup) as inmate:
        yield inmate


@pytest.fixture
def apart(one: Inmate) -> Iterator[Path]:
    """A cgroup in the v2 tree alone, as LXD and Incus make for what they execute; on the host."""
    made = one.cgroup("") / ".lxc"
    made.mkdir()
    try:
        yield made
    finally:
        made.rmdir()


@contextlib.contextmanager
def _moved(one: Inmate, apart: Path) -> Iterator[int]:
    """Have a process of the container in such a cgroup; yield its number in the container."""
    number = one("(p := subprocess.Popen(['sleep', '100'])).pid")
    try:
        outside = next(
            pid
            for pid in map(int, (one.cgroup("") / "cgroup.procs").read_text().split())
            if Path(f"/proc/{pid}/status").read_text().split("NSpid:")[1].split()[1:][:1]
            == [str(number)]
        )
        (apart / "cgroup.procs").write_text(str(outside))
        yield int(number)
    finally:
        one("p.kill() or p.wait()")


def test_it_shows_the_limits_that_hold(one: Inmate, view: Mount, apart: Path) -> None:
    """At the path in its /proc/PID/cgroup a process in it finds the limits of the cgroup above."""
    path = f"{own(one, view, 'unified')}/{apart.name}"
    with _moved(one, apart) as number:
        line = next(x for x in one(f"read('/proc/{number}/cgroup')").splitlines() if "0::" in x)
        assert path.endswith(line.removeprefix("0::"))
        assert one(f"read('{path}/cgroup.procs')") == f"{number}\n"
        assert {name: one(f"read('{path}/{name}')") for name in SHOWN} == SHOWN
        assert SHOWN.keys() <= set(one(f"os.listdir('{path}')"))
        controllers = one(f"read('{path}/cgroup.controllers')").split()
        assert {"memory", "cpu", "pids"} <= set(controllers)


def test_it_changes_nothing_above(one: Inmate, view: Mount, apart: Path) -> None:
    """What it shows of the cgroup above is not to be written to through it, or given away."""
    path = f"{own(one, view, 'unified')}/{apart.name}"
    before = (one.cgroup("memory") / "memory.limit_in_bytes").stat()
    file = f"{path}/memory.max"
    assert stat.S_IMODE(one(f"os.stat('{file}').st_mode")) & 0o222 == 0
    for text in (
        f"write('{file}', '1')",
        f"os.chown('{file}', 5, 5)",
        f"os.chmod('{file}', 0o777)",
    ):
        assert one.errno(text) in (errno.EPERM, errno.EACCES), text
    after = (one.cgroup("memory") / "memory.limit_in_bytes").stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    assert one(f"read('{file}')") == SHOWN["memory.max"]


def test_a_cgroup_that_v1_limits_shows_its_own(one: Inmate, view: Mount) -> None:
    """Where v1 has a cgroup of that path too, it is that one's limit, and not the one above."""
    path = own(one, view, "unified")
    with child(one, path) as made:
        one(f"write('{made}/memory.max', '{64 * MIB}')")
        (one.cgroup("") / "x/y").mkdir()
        assert one(f"read('{made}/y/memory.max')") == f"{64 * MIB}\n"
        assert one.errno(f"write('{made}/y/memory.max', '{32 * MIB}')") in (
            errno.EPERM,
            errno.EACCES,
        )
        assert one(f"read('{made}/memory.max')") == f"{64 * MIB}\n"
