"""A container's cgroups over its /sys/fs/cgroup: put there, taken off, healed."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.boxes import MakeBox, box, come_from, driver  # noqa: F401 - fixtures
from tests.drivers.conftest import MIB, Mount, eventually, lxfs, mounted

SYS = "umount -R -l /sys/fs/cgroup"
CGROUP2 = f"{SYS}; mount -t cgroup2 c /sys/fs/cgroup"
SHAPES = [
    ("v1", "memory/{0}/memory.limit_in_bytes"),
    ("v2", "{0}/memory.max"),
]


@pytest.fixture
def view(driver: str, tmp_path: Path) -> Iterator[Mount]:  # noqa: ARG001, F811
    """A mount."""
    with mounted(tmp_path / "view") as mount:
        yield mount


def _limit(box: MakeBox, pid: int, pattern: str) -> str:  # noqa: F811
    del box
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    wanted = "memory" if pattern.startswith("memory") else ""
    path = next((path for _, names, path in lines if wanted in names.split(",")), lines[-1][2])
    return "/sys/fs/cgroup/" + pattern.format(path.lstrip("/")).replace("//", "/")


@pytest.mark.parametrize(("shape", "pattern"), SHAPES)
@pytest.mark.parametrize("setup", [SYS, CGROUP2], ids=["bare", "cgroup2"])
def test_attach_and_detach(
    box: MakeBox,  # noqa: F811
    view: Mount,
    shape: str,
    pattern: str,
    setup: str,
) -> None:
    """A running container gets cgroups of a shape over its own, and its own back."""
    with box(setup) as one:
        before = one("stat", "-f", "-c", "%T", "/sys/fs/cgroup").stdout
        one.attach("--cgroupfs", shape, *come_from(view))
        shown = one("cat", _limit(box, one.pid, pattern))
        assert shown.stdout == f"{256 * MIB}\n", shown.stderr
        (status,) = [
            each for each in json.loads(lxfs("status", "--json").stdout) if each["pid"] == one.pid
        ]
        assert status["files"]["/sys/fs/cgroup"]["mount"] == str(view.directory)
        again = one.attach("--cgroupfs", shape, *come_from(view))
        assert "nothing to do" in again.stdout
        assert lxfs("detach", str(one.pid)).returncode == 0
        assert one("stat", "-f", "-c", "%T", "/sys/fs/cgroup").stdout == before
        covered = [line.split()[4] for line in one.mounts().splitlines() if "fuse.lxfs" in line]
        assert not [path for path in covered if path.startswith(("/sys/", "/proc/"))]


def test_the_other_shape_takes_its_place(box: MakeBox, view: Mount) -> None:  # noqa: F811
    """Asked for the other shape, the one that is there goes."""
    with box(CGROUP2) as one:
        one.attach("--cgroupfs", "v1", *come_from(view))
        one.attach("--cgroupfs", "v2", *come_from(view))
        assert one("cat", _limit(box, one.pid, SHAPES[1][1])).stdout == f"{256 * MIB}\n"
        assert sum("/sys/fs/cgroup " in line for line in one.mounts().splitlines()) == 2


@pytest.mark.parametrize(("shape", "pattern"), SHAPES)
def test_a_successor_serves_what_is_mounted(
    box: MakeBox,  # noqa: F811
    view: Mount,
    shape: str,
    pattern: str,
) -> None:
    """A container's mount of a part of the view outlives the server that it was mounted from."""
    with box(SYS) as one:
        one.attach("--cgroupfs", shape, *come_from(view))
        path = _limit(box, one.pid, pattern)
        before = view.server
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: view.server != before)
        shown = one("cat", path)
        assert shown.stdout == f"{256 * MIB}\n", shown.stderr


def test_a_dead_one_is_healed_in_its_shape(box: MakeBox, tmp_path: Path) -> None:  # noqa: F811
    """What a dead lxfs left over /sys/fs/cgroup is replaced by the same of one that lives."""
    with mounted(tmp_path / "first") as first, box(CGROUP2) as one:
        one.attach("--cgroupfs", "v1", *come_from(first))
        first.kill()
        with mounted(tmp_path / "second") as second:
            one.attach(*come_from(second))
            path = _limit(box, one.pid, SHAPES[0][1])
            assert one("cat", path).stdout == f"{256 * MIB}\n"


def test_a_mount_without_cgroups_says_so(box: MakeBox, tmp_path: Path) -> None:  # noqa: F811
    """Where the view serves none, attach names the option that would."""
    with mounted(tmp_path / "view", "--cgroupfs", "off") as mount, box(SYS) as one:
        done = lxfs("attach", str(one.pid), "--cgroupfs", "v2", *come_from(mount))
        assert done.returncode == 1
        assert "mount it with --cgroupfs ro" in done.stderr
