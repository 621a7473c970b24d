"""``lxfs doctor`` on this machine."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lxfs import doctor_cgroups
from lxfs.doctor_cgroups import Hook
from lxfs.findings import Level
from lxfs.sources.host import Host
from tests.drivers.boxes import Box, MakeBox, box, come_from, driver
from tests.drivers.conftest import LXFS, Mount, eventually, lxfs, mounted

__all__ = ["box", "driver"]


def _found(check: str) -> list[dict[str, Any]]:
    done = lxfs("doctor", "--json")
    assert done.stderr == ""
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    worst = any(one["level"] == "problem" for one in findings)
    assert done.returncode == int(worst)
    return [one for one in findings if one["check"] == check]


def test_the_kernel_is_asked() -> None:
    """The FUSE version is the kernel's own answer, and nothing stays mounted of the question."""
    (found,) = _found("fuse")
    assert re.match(r"/dev/fuse speaks 7\.\d\d", found["text"])
    assert found["level"] == "ok"
    assert "lxfs-doctor" not in Path("/proc/self/mountinfo").read_text()


def test_the_mount_answers(mount: Mount) -> None:
    """A mount is named with its directory and answers."""
    texts = [one["text"] for one in _found("mount")]
    assert f"lxfs on {mount.directory} answers" in texts


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("off", "no cgroup/"),
        ("ro", "cgroup/ to be read"),
        ("rw", "cgroup/ to be read and written"),
    ],
)
def test_what_a_mount_serves_of_cgroups(tmp_path: Path, asked: str, said: str) -> None:
    """Each mount is said to serve cgroups as it was asked to."""
    with mounted(tmp_path / "view", "--cgroupfs", asked) as mount:
        mounts = [one for one in Host().mounts() if one.point == str(mount.directory)]
        (found,) = doctor_cgroups.examine(mounts, [], [])
        assert found.text == f"lxfs on {mount.directory} serves {said}"


def test_hooks_that_put_what_is_not_served(tmp_path: Path) -> None:
    """Where the hooks are to put cgroups from a mount that has none, containers start without."""
    hook = Hook("LXC's", ("lxd",), "v2", str(tmp_path / "view"))
    with mounted(tmp_path / "view", "--cgroupfs", "off"):
        mounts = [one for one in Host().mounts() if one.point == str(tmp_path / "view")]
        (_, found) = doctor_cgroups.examine(mounts, [hook], [])
    assert found.level is Level.PROBLEM
    assert "with --cgroupfs ro" in found.advice


def test_a_dead_mount_and_a_dead_container(tmp_path: Path, box: MakeBox) -> None:
    """After a kill the mount and each container with it are problems, each with what to do."""
    with mounted(tmp_path / "dying") as dying, box() as there:
        there.attach(*come_from(dying))
        dying.kill()
        assert eventually(lambda: there("cat", "/proc/stat").returncode != 0)
        found = {one["text"]: one for one in _found("mount")}
        one = found[f"lxfs on {dying.directory} is dead"]
        assert one["level"] == "problem"
        assert one["advice"].startswith(f"'umount -l {dying.directory}'")
        dead = next(one for one in _found("containers") if "dead view" in one["text"])
        assert dead["level"] == "problem"
        assert "lxfs attach --all" in dead["advice"]


def test_the_text_has_advice(box: MakeBox) -> None:
    """A container without a view is a warning, with the line to mend it below."""
    with box() as there:
        done = lxfs("doctor")
        lines = done.stdout.splitlines()
        at = next(number for number, line in enumerate(lines) if "have none" in line)
        assert lines[at].startswith("warning  containers: ")
        assert lines[at + 1].startswith("         -> ")
        assert isinstance(there, Box)


def test_no_device() -> None:
    """Without /dev/fuse that is a problem, and doctor looks at the rest all the same."""
    command = 'mount -t tmpfs none /dev && exec "$@" doctor --json'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", *LXFS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    levels = {one["check"]: one["level"] for one in json.loads(done.stdout)}
    assert levels["fuse"] == "problem"
    assert "cgroups" in levels
