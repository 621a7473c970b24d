"""What ``lxfs mount`` and ``lxfs umount`` refuse: one line each, and nothing half-done."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.drivers.conftest import LXFS, Mount, is_mounted, lxfs, mounted


def _refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Run lxfs and return the one line it refuses with."""
    done = lxfs(*arguments, env=env)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_bad_mountpoints(tmp_path: Path) -> None:
    """A mountpoint that is missing, a file, or not empty is one line that says what to do."""
    (tmp_path / "file").touch()
    assert "mkdir -p" in _refused("mount", str(tmp_path / "missing"))
    assert "not a directory" in _refused("mount", str(tmp_path / "file"))
    assert "not empty" in _refused("mount", str(tmp_path))


def test_mounting_twice(mount: Mount) -> None:
    """A directory on which lxfs is mounted already is refused, and the mount lives on."""
    assert "already mounted" in _refused("mount", str(mount.directory))
    assert mount.host_reads("proc/uptime")


def test_mounting_where_one_hangs(tmp_path: Path) -> None:
    """A mount that does not answer is not waited for: it is refused at once, or taken over."""
    with mounted(tmp_path / "view") as stuck, stuck.hanging():
        assert "already mounted" in _refused("mount", str(stuck.directory))


def test_busy_mountpoint(tmp_path: Path) -> None:
    """A directory on which something else is mounted is refused with the name of that."""
    command = f"mount -t tmpfs other {tmp_path} && exec {' '.join(LXFS)} mount {tmp_path}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is busy: other (tmpfs)" in done.stderr


def test_a_pid_file_that_cannot_be_written(tmp_path: Path, driver: str) -> None:
    """The daemon's own failure is the parent's one line, and nothing stays mounted."""
    mount = ["mount", "--driver", driver, str(tmp_path)]
    line = _refused(*mount, "--pidfile", "/proc/lxfs.pid")
    assert "the pid file /proc/lxfs.pid cannot be written" in line
    assert not is_mounted(tmp_path)
    line = _refused(*mount, "--pidfile", str(tmp_path / "no/such.pid"))
    assert "does not exist" in line


def test_umount_of_what_is_not_ours(tmp_path: Path) -> None:
    """Nothing mounted, or another filesystem, is refused and left alone."""
    assert "nothing is mounted" in _refused("umount", str(tmp_path))
    assert "not an lxfs mount but" in _refused("umount", "/proc")
    assert Path("/proc/self").exists()


@pytest.mark.usefixtures("driver")
def test_umount_of_a_busy_mount(tmp_path: Path) -> None:
    """A mount with an open file is refused, and goes on serving that file."""
    with mounted(tmp_path / "view") as mount, (mount.directory / "proc/swaps").open("rb") as file:
        assert "is busy" in _refused("umount", str(mount.directory))
        assert file.read() == Path("/proc/swaps").read_bytes()


def test_no_dev_fuse(tmp_path: Path) -> None:
    """Without the device there is one line that names it."""
    command = f"mount -t tmpfs none /dev && exec {' '.join(LXFS)} mount {tmp_path}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lxfs mount: /dev/fuse cannot be opened")
    assert done.stderr.count("\n") == 1


def test_no_libfuse(tmp_path: Path) -> None:
    """Without the library there is one line that names the package."""
    environment = os.environ | {"FUSE_LIBRARY_NAME": "no-such-library"}
    line = _refused("mount", "--driver", "fusepy", str(tmp_path), env=environment)
    assert "install the package fuse3" in line


def test_libfuse_is_not_needed(tmp_path: Path) -> None:
    """Our own driver mounts without the library."""
    environment = os.environ | {"FUSE_LIBRARY_NAME": "no-such-library"}
    assert lxfs("mount", str(tmp_path), env=environment).returncode == 0
    assert lxfs("umount", str(tmp_path)).returncode == 0


def test_not_root() -> None:
    """Anybody but root is told so by each verb that needs it, before anything else is tried."""
    verbs = (["mount", "/mnt"], ["umount", "/mnt"], ["upgrade", "/mnt"], ["explain", "1"])
    inside = (["attach", "1"], ["detach", "1"], ["status"], ["doctor"])
    for arguments in (*verbs, *inside, ["install"], ["uninstall"]):
        assert "must be root" in _refused_to_nobody(*arguments)


def test_a_run_that_is_not_possible_without_root() -> None:
    """A user is told all that a run lacks at once: here the device, or cgroups of his own."""
    said = _refused_to_nobody("run", "true")
    assert said.startswith("lxfs run: be root, or see to this: ")
    assert ("/dev/fuse cannot be opened" in said) == (not Path("/dev/fuse").stat().st_mode & 0o002)
    assert "cgroup" in said


def _refused_to_nobody(*arguments: str) -> str:
    """Return the one line that nobody is refused with."""
    code = textwrap.dedent("""
        import locale, os, shutil, sys  # what is imported late may not be readable to nobody
        from lxfs import attach, cli, doctor, explain, install, mounting, run, status, upgrading
        import encodings.ascii
        os.setuid(65534)
        sys.exit(cli.main(sys.argv[1:]))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr
