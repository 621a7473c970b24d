"""Debian's own Node, joblib and dask.distributed go by a container's limits; some tools cannot."""

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lxfs.limits import Limits
from tests.drivers.boxes import come_from, driver  # noqa: F401 - a fixture
from tests.drivers.conftest import MIB, Mount, lxfs
from tests.drivers.inmates import Inmate, cells, inmate_in, public_mount
from tests.packaging.roots import RootUnavailable, made

PACKAGES = ("nodejs", "python3-joblib", "python3-distributed", "cgroup-tools", "systemd")
LIMITS = Limits(memory=512 * MIB, cpus=Fraction(1), pids=200)
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
CPUS = len(os.sched_getaffinity(0))
UNLIMITED = (None, 2**63)
NODE = ("node", "-p", "JSON.stringify(process.constrainedMemory() ?? null)")
PYTHON = ("python3", "-W", "ignore", "-B", "-c")
JOBLIB = (*PYTHON, "import joblib; print(joblib.cpu_count())")
LOKY = (*PYTHON, "from joblib.externals import loky; print(loky.cpu_count())")
DISTRIBUTED = (*PYTHON, "from distributed.system import MEMORY_LIMIT; print(MEMORY_LIMIT)")
DASK = (*PYTHON, "from dask.system import CPU_COUNT; print(CPU_COUNT)")

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def root() -> Path:
    """Debian 12 with the clients."""
    try:
        return made("bookworm", *PACKAGES)
    except RootUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001, F811
    """A mount."""
    with public_mount() as mount:
        yield mount


class Debian:
    """A container of 512 MiB and one CPU that has no cgroups mounted, in Debian's root."""

    def __init__(self, init: Inmate, root: Path) -> None:
        self._init = init
        self._root = root
        self._run("umount", "-R", "-l", "/sys/fs/cgroup")
        self._bind()

    def _run(self, *command: str) -> tuple[str, str]:
        """Return what a program prints, and what it complains about."""
        out, err = self._init(
            f"(lambda done: [done.stdout, done.stderr])(subprocess.run({command!r}, "
            "capture_output=True, text=True))"
        )
        return out, err

    def _bind(self) -> None:
        for name in ("proc", "sys", "dev"):
            self._run("mount", "--rbind", f"/{name}", f"{self._root}/{name}")

    def attach(self, view: Mount, shape: str) -> None:
        """Put cgroups of a shape into it, and nothing else of the view."""
        done = lxfs("attach", str(self._init.pid), "--cgroupfs", shape, *come_from(view))
        assert done.returncode == 0, done.stdout + done.stderr
        for line in self._init("read('/proc/self/mountinfo')").splitlines():
            point = line.split()[4]
            if "fuse.lxfs" in line and point not in {"/sys/fs/cgroup", str(view.directory)}:
                self._run("umount", "-l", point)
        self._bind()

    def __call__(self, *command: str) -> tuple[str, str]:
        """Return what a program of Debian's prints, and what it complains about."""
        return self._run("chroot", str(self._root), "env", "-i", "PATH=/usr/bin:/bin", *command)

    def says(self, *command: str) -> Any:
        """Return what a program prints as JSON."""
        out, err = self(*command)
        assert err == ""
        return json.loads(out)


@pytest.fixture
def debian(root: Path) -> Iterator[Debian]:
    """A container; without anything of lxfs."""
    with cells(LIMITS) as directories, inmate_in(directories) as init:
        yield Debian(init, root)


def test_without_its_cgroups_they_go_by_the_host(debian: Debian) -> None:
    """What is said below is said of lxfs's files: without them it is the host's."""
    node, *others = (debian.says(*x) for x in (NODE, JOBLIB, LOKY, DISTRIBUTED, DASK))
    assert node in UNLIMITED
    assert others == [CPUS, CPUS, MEMORY, CPUS]


def test_v1_answers_all(debian: Debian, view: Mount) -> None:
    """Node 18's libuv 1.44 and dask's CPU count know v1 only; the others know it, too."""
    debian.attach(view, "v1")
    said = [debian.says(*x) for x in (NODE, JOBLIB, LOKY, DISTRIBUTED, DASK)]
    assert said == [512 * MIB, 1, 1, 512 * MIB, 1]


def test_v2_answers_who_knows_it(debian: Debian, view: Mount) -> None:
    """Joblib, loky and distributed take the same from memory.max and cpu.max."""
    debian.attach(view, "v2")
    said = [debian.says(*x) for x in (JOBLIB, LOKY, DISTRIBUTED)]
    assert said == [1, 1, 512 * MIB]
    assert debian.says(*NODE) in UNLIMITED
    assert debian.says(*DASK) == CPUS


@pytest.mark.parametrize("shape", ["v1", "v2"])
def test_who_asks_for_the_filesystems_type_finds_none(
    debian: Debian, view: Mount, shape: str
) -> None:
    """As docs/cgroupfs.md says of systemd-cgtop, lscgroup and cgget."""
    debian.attach(view, shape)
    assert "No medium found" in debian("systemd-cgtop", "--batch", "-n1")[1]
    for tool in (("lscgroup",), ("cgget", "-g", "memory", "/")):
        assert "Cgroup is not mounted" in "".join(debian(*tool))
