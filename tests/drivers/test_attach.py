"""``lxfs attach`` and ``lxfs detach`` on processes with namespaces of their own."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from lxfs import syscalls
from lxfs.attach import attach
from lxfs.table import FILES
from tests.drivers.boxes import LIMITS, Box, MakeBox, box, come_from, driver
from tests.drivers.conftest import LXFS, MIB, Mount, descendants, eventually, lxfs, mounted

__all__ = ["box", "driver"]
DEAD = "Transport endpoint is not connected"


def test_attach_and_detach_while_it_runs(mount: Mount, box: MakeBox) -> None:
    """A running process is shown its own limit, by a process that it had before, and then not."""
    with box() as there:
        before, machine = there.mounts(), there.total()
        assert machine > LIMITS.memory  # type: ignore[operator]
        done = there.attach(*come_from(mount))
        assert "14 mounted" in done.stdout or "13 mounted" in done.stdout
        assert there.total() == 256 * MIB
        for file in FILES:
            if not file.path.startswith("proc/pressure"):
                assert there("cat", f"/{file.path}").returncode == 0
        assert there("cat", "/sys/devices/system/cpu/online").returncode == 0
        done = lxfs("detach", str(there.pid))
        assert (done.returncode, done.stderr) == (0, "")
        assert there.mounts() == before
        assert there.total() == machine


def test_attaching_twice_mounts_once(mount: Mount, box: MakeBox) -> None:
    """Where the view is already, nothing is mounted again."""
    with box() as there:
        there.attach(*come_from(mount))
        before = there.mounts()
        assert "nothing to do" in there.attach(*come_from(mount)).stdout
        assert there.mounts() == before


def test_a_dead_view_is_healed(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """After kill -9 of its server reads fail; ``attach --all`` brings them back, and only those."""
    with mounted(tmp_path / "dying") as dying, box() as there, box() as well, box() as bare:
        there.attach(*come_from(dying))
        well.attach(*come_from(mount))
        dying.kill()
        assert eventually(lambda: DEAD in there("cat", "/proc/meminfo").stderr)
        before = (well.mounts(), bare.mounts())
        pids = [str(one.pid) for one in (there, well, bare)]
        done = lxfs("attach", "--all", *pids, *come_from(mount))
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(r"[^\n]* 1[34] mounted; 1[34] taken off\n", done.stdout)
        assert there.total() == 256 * MIB
        assert _views(there) == _views(well)
        assert there.mounts().count("fuse.lxfs") == well.mounts().count("fuse.lxfs")
        assert (well.mounts(), bare.mounts()) == before


def test_dead_views_in_layers_are_all_taken_off(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """Two dead views, one on the other, and with LXC's whole directory of pressure, all go."""
    with (
        mounted(tmp_path / "first") as first,
        mounted(tmp_path / "second") as second,
        box(
            f"mount --bind {tmp_path}/first/proc/pressure /proc/pressure\n"
            f"mount --bind {tmp_path}/first/proc/meminfo /proc/meminfo\n"
            f"mount --bind {tmp_path}/second/proc/meminfo /proc/meminfo\n"
            f"umount {tmp_path}/first {tmp_path}/second"
        ) as there,
    ):
        for one in (first, second):
            one.kill()
        assert eventually(lambda: DEAD in there("cat", "/proc/meminfo").stderr)
        there.attach(*come_from(mount))
        assert there.total() == 256 * MIB
        assert len(_views(there)) == 1
        assert there("cat", "/proc/pressure/cpu").returncode == 0
        lxfs("detach", str(there.pid))
        assert not _views(there)


def _views(there: Box) -> set[str]:
    """Return which filesystems of lxfs it has over its /proc and /sys."""
    fields = [line.split() for line in there.mounts().splitlines() if "fuse.lxfs" in line]
    return {field[2] for field in fields if field[4].startswith(("/proc/", "/sys/"))}


def test_detach_takes_off_the_dead_below(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """Below our view lies one that died: detach leaves the process's own /proc."""
    with (
        mounted(tmp_path / "dying") as dying,
        box(f"mount --bind {tmp_path}/dying/proc/stat /proc/stat") as there,
    ):
        there.attach("--replace", *come_from(mount))
        assert there.mounts().count(" /proc/stat ") == 1  # replaced, not covered
        dying.kill()
        assert lxfs("detach", str(there.pid)).returncode == 0
        assert " /proc/stat " not in there.mounts()


def test_a_view_that_answers_is_left(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """Another lxfs that answers is neither covered nor mixed with, until it is to be replaced."""
    with mounted(tmp_path / "other") as other, box() as there:
        there.attach(*come_from(other))
        before = there.mounts()
        done = lxfs("attach", str(there.pid), *come_from(mount))
        assert done.returncode == 1
        assert "which answers; 'lxfs attach --replace' takes it off" in done.stderr
        assert there.mounts() == before
        assert lxfs("detach", str(there.pid), *come_from(mount)).stdout.endswith("nothing to do\n")
        assert there.mounts() == before
        there.attach("--replace", *come_from(mount))
        assert there.total() == 256 * MIB
        assert there.mounts().count(" /proc/meminfo ") == 1


def test_a_user_namespace_of_its_own(mount: Mount, box: MakeBox) -> None:
    """A container that is root in a user namespace alone is served, and read by its own root."""
    with box(user=True) as there:
        there.attach(*come_from(mount))
        inside = subprocess.run(
            ["nsenter", "--target", str(there.pid), "--all", "cat", "/proc/meminfo"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "MemTotal:         262144 kB" in inside.stdout
        assert lxfs("detach", str(there.pid)).returncode == 0
        assert "/proc/meminfo" not in there.mounts()


def test_a_view_of_the_containers_own(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """What a container mounted itself, by whatever name, is not read from and not taken off."""
    own = tmp_path / "own"
    own.mkdir()
    setup = f"{' '.join(LXFS)} mount {own} && mount --bind {own}/proc/meminfo /proc/meminfo"
    with box(setup, user=True) as there:
        done = there.attach(*come_from(mount))
        assert "left, as lxfs (fuse.lxfs) is on it and refused: /proc/meminfo" in done.stdout
        assert there("head", "-1", "/proc/stat").returncode == 0
        there.attach("--replace", *come_from(mount))
        assert there.mounts().count(" /proc/meminfo ") == 1
        assert lxfs("detach", str(there.pid)).returncode == 0
        assert there.mounts().count(" /proc/meminfo ") == 1
        assert " /proc/stat " not in there.mounts()


def test_two_at_once_mount_once(mount: Mount, box: MakeBox) -> None:
    """Of several that attach at the same moment each goes well, and each file has one mount."""
    with box() as there:
        command = [*LXFS, "attach", str(there.pid), *come_from(mount)]
        several = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
        assert [one.wait(60) for one in several] == [0] * 4
        for file in FILES:
            assert there.mounts().count(f" /{file.path} ") == 1


def test_the_hosts_own_mount_in_a_copy_of_its_tree(
    mount: Mount, tmp_path: Path, box: MakeBox
) -> None:
    """A process with the host's root has the host's /var/lib/lxfs: it is no view over its files."""
    with (
        mounted(tmp_path / "other") as other,
        box(
            "mount -t tmpfs lib /var/lib; mkdir /var/lib/lxfs;"
            f" mount --bind {other.directory} /var/lib/lxfs"
        ) as there,
    ):
        before = there.mounts()
        there.attach(*come_from(mount))
        assert there.total() == 256 * MIB
        assert lxfs("detach", str(there.pid)).returncode == 0
        assert there.mounts() == before


def test_shared_mounts_are_refused(mount: Mount) -> None:
    """Where /proc is one mount with ours, shared, nothing is mounted: it would be on the host."""
    inner = f"{' '.join(LXFS)} attach $(cat /proc/$!/task/$!/children) {' '.join(come_from(mount))}"
    script = f"""
        mount --make-rshared /
        unshare --pid --fork --kill-child --mount --propagation unchanged sleep infinity &
        while [ -z "$(cat /proc/$!/task/$!/children)" ]; do sleep 0.01; done
        {inner}; echo $?
        grep -c ' /proc/meminfo ' /proc/self/mountinfo
        kill -9 $!
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "1\n0\n"
    assert "shares the mounts on /proc with the host" in done.stderr


def test_a_process_without_a_mount_namespace_is_refused(mount: Mount) -> None:
    """What has only a pid namespace of its own has our mounts, and is refused."""
    child = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "infinity"])
    try:
        assert eventually(lambda: bool(descendants(child.pid)))
        done = lxfs("attach", str(descendants(child.pid)[0]), *come_from(mount))
    finally:
        child.kill()
        child.wait()
    assert done.returncode == 1
    assert "is in our own mount namespace" in done.stderr
    assert " /proc/meminfo " not in Path("/proc/self/mountinfo").read_text()


def test_ourselves_and_nobody_are_refused(mount: Mount) -> None:
    """The host's own processes and numbers of none are one line each."""
    for wanted, why in (
        (str(os.getpid()), "host's own pid namespace"),
        ("0", "0 is not a process"),
        ("4194305", "there is no process"),
        ("no-such-box", "no running container is called"),
    ):
        done = lxfs("attach", wanted, *come_from(mount))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert why in done.stderr
    assert lxfs("attach").returncode == 2


ROOT = """
    mkdir -p {root}
    mount -t tmpfs root {root}
    mkdir {root}/proc {root}/sys {root}/real {root}/bin {root}/usr {root}/old
    ln -s ../bin {root}/usr/bin
    cp /bin/busybox {root}/bin/busybox
    for tool in sh sleep cat umount; do ln -s busybox {root}/bin/$tool; done
    {more}
    cd {root}
    pivot_root . old
    PATH=/bin
    umount -l /old
"""


def test_a_root_without_anything_of_ours(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """A container with another root, without Python and its libraries, is entered all the same."""
    root = tmp_path / "root"
    setup = ROOT.format(root=root, more=f"mount -t proc p {root}/proc")
    with box(setup, proc=":") as there:
        done = there.attach(*come_from(mount))
        assert (
            "not there: /sys/devices/system/cpu" in done.stdout or "on root (tmpfs)" in done.stdout
        )
        assert there.total() == 256 * MIB


def test_no_code_of_the_containers_is_run(mount: Mount, box: MakeBox) -> None:
    """Where Python's library would be, the container has its own: none of it is looked for."""
    library = sysconfig.get_path("stdlib")
    with box(f"mount -t tmpfs trap {library}") as there:
        assert there("sh", "-c", f"ls -A {library}").stdout == ""
        there.attach(*come_from(mount))
        assert there.total() == 256 * MIB


@pytest.mark.parametrize("link", ["real", "/real", "../../../proc"])
def test_a_link_for_proc_is_not_followed(
    mount: Mount, tmp_path: Path, link: str, box: MakeBox
) -> None:
    """A /proc that is a link, wherever to, is refused, and nothing is mounted behind it."""
    root = tmp_path / "root"
    more = f"rmdir {root}/proc; mount -t proc p {root}/real; ln -s {link} {root}/proc"
    with box(ROOT.format(root=root, more=more), proc=":") as there:
        before = there.mounts()
        done = lxfs("attach", str(there.pid), *come_from(mount))
        assert done.returncode == 1
        assert "nothing could be mounted: it is on root (tmpfs), not on proc" in done.stderr
        assert there.mounts() == before


def test_what_is_mounted_on_a_file_stays(mount: Mount, box: MakeBox) -> None:
    """A file that the container has covered itself is left and named; the others get the view."""
    with box("mount -t tmpfs mine /sys/devices/system/cpu") as there:
        done = there.attach(*come_from(mount))
        assert "left, as mine (tmpfs) is on it: /sys/devices/system/cpu" in done.stdout
        assert there.total() == 256 * MIB
        assert there("ls", "/sys/devices/system/cpu").stdout == ""


def test_a_proc_mounted_anew(mount: Mount, box: MakeBox) -> None:
    """A /proc that the container mounted over its first one is what gets the view."""
    with box() as there:
        there.attach(*come_from(mount))
        assert there("mount", "-t", "proc", "p", "/proc").returncode == 0
        assert there.total() > 256 * MIB
        there.attach(*come_from(mount))
        assert there.total() == 256 * MIB


def test_without_mounts_beneath_others(
    mount: Mount, tmp_path: Path, box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.5 the old view is taken off first, and ours comes all the same."""
    monkeypatch.setattr(syscalls, "MOVE_MOUNT_BENEATH", 1 << 31)  # which no kernel knows
    with mounted(tmp_path / "old") as old, box() as there:
        there.attach(*come_from(old))
        lines = attach(
            [str(there.pid)], everyone=False, replace=True, directory=str(mount.directory)
        )
        assert [well for _, well in lines] == [True]
        assert there.total() == 256 * MIB
        assert there.mounts().count(" /proc/meminfo ") == 1
        assert lxfs("detach", str(there.pid), *come_from(mount)).returncode == 0
        assert " /proc/meminfo " not in there.mounts()


def test_a_server_that_hangs_holds_up_nobody(mount: Mount, tmp_path: Path, box: MakeBox) -> None:
    """Files of a stopped server are left, with that reason, within seconds."""
    with mounted(tmp_path / "stopped") as stopped, box() as there:
        there.attach(*come_from(stopped))
        with stopped.hanging():
            done = lxfs("attach", str(there.pid), *come_from(mount))
            assert done.returncode == 1
            assert "which hangs" in done.stderr
            done = lxfs("attach", str(there.pid), *come_from(stopped))
            assert "hangs" in done.stderr
            there.attach("--replace", *come_from(mount))
            assert there.total() == 256 * MIB
        assert eventually(lambda: stopped.host_reads("proc/uptime") != b"")


def test_a_dead_source_is_said(tmp_path: Path, box: MakeBox) -> None:
    """A view whose own server is dead cannot be attached, and the line says how to mend it."""
    with mounted(tmp_path / "dead") as dead, box() as there:
        dead.kill()
        assert eventually(lambda: _is_dead(dead))
        done = lxfs("attach", str(there.pid), *come_from(dead))
        assert done.returncode == 1
        assert "is dead: 'lxfs umount" in done.stderr


def _is_dead(mount: Mount) -> bool:
    try:
        mount.host_reads("proc/uptime")
    except OSError:
        return True
    return False
