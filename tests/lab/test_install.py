"""What ``lxfs install`` puts on a host, and real daemons that pick it up."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from .fixtures import MakeInstance
from .lab import Host, Lab
from .test_attach import host, inside, lxcfs_below
from .tools import run

__all__ = ["host"]
CONFIGS = "usr/share/lxc/config/common.conf.d"


@contextlib.contextmanager
def installed(
    lab: Lab,
    host: Host,
    stage: Path,
    *,
    lxcfs: bool,
    view: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[None]:
    """Install below ``stage``, and show that to one daemon alone, in its mount namespace.

    Its own LXCFS hook, whose directory the lab has filled with lxfs, is hidden, or shows an LXCFS.
    """
    command = [sys.executable, "-m", "lxfs.cli", "install", "--root", str(stage)]
    run([*command, "--view", str(view or lab.plan.view), *options])
    inside = ["nsenter", "--mount", "--target", str(host.pid)]
    with contextlib.ExitStack() as stack:

        def cover(target: str, *command: str) -> None:
            run([*inside, *command, target])
            stack.callback(run, [*inside, "umount", "-l", target])

        layers = f"lowerdir={stage}/usr/share:/usr/share"
        cover("/usr/share", "mount", "-t", "overlay", "overlay", "-o", layers)
        if not lxcfs:
            cover(f"/{CONFIGS}", "mount", "--bind", f"{stage}/{CONFIGS}")
        yield


def shows_its_limits(host: Host, name: str) -> None:
    """Assert that a container of 256 MiB and one CPU says so, by lxfs alone."""
    assert inside(host, name, "free", "-m").stdout.splitlines()[1].split()[1] == "256"
    assert inside(host, name, "getconf", "_NPROCESSORS_CONF").stdout == "1\n"
    mounts = inside(host, name, "cat", "/proc/self/mountinfo").stdout.splitlines()
    found = [line.split() for line in mounts]
    points = [fields[4] for fields in found if "fuse.lxfs" in fields]
    for point in ("/proc/meminfo", "/proc/pressure/cpu", "/sys/devices/system/node"):
        assert points.count(point) == 1
    assert not any("fuse.lxcfs" in fields for fields in found)


LIMITS = {"limits.memory": "256MiB", "limits.cpu": "1"}


def test_new_containers_get_lxfs_by_its_own_hook(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """With nothing but what install writes, a container that starts has its limits in `free`."""
    with installed(lab, host, tmp_path, lxcfs=False):
        name = make_instance(host, LIMITS)
        shows_its_limits(host, name)


def test_beside_lxcfs_lxfs_wins(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """Where LXCFS's hook runs too, a container that starts has lxfs, and no mixture."""
    if not Path(f"/{CONFIGS}/00-lxcfs.conf").exists() or not shutil.which("lxcfs"):
        pytest.skip("LXCFS's hook is not installed")
    stage = tmp_path / "stage"
    stage.mkdir()
    with lxcfs_below(host, tmp_path / "lxcfs.pid"), installed(lab, host, stage, lxcfs=True):
        name = make_instance(host, LIMITS)
        shows_its_limits(host, name)


def test_containers_start_without_lxfs(
    lab: Lab, host: Host, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """While lxfs is not mounted the hook says so and changes nothing, and containers start."""
    said = lab.plan.view.with_name(f"said-{os.getpid()}-{host.name}")
    with installed(lab, host, tmp_path, lxcfs=False), contextlib.ExitStack() as stack:
        hook = tmp_path / "usr/share/lxfs/lxfs-hook"
        text = hook.read_text().replace(f"view={lab.plan.view}", f"view={tmp_path}/none")
        # It runs as the container's root, and this machine has no log for logger(1) to write to.
        hook.write_text(text.replace("timeout 5 logger ", f"echo >>{said} "))
        stack.callback(said.unlink)
        said.touch()
        said.chmod(0o666)
        name = make_instance(host, LIMITS)
        assert "fuse.lx" not in inside(host, name, "cat", "/proc/self/mountinfo").stdout
        assert f"{name} starts without lxfs: {tmp_path}/none does not answer" in said.read_text()
