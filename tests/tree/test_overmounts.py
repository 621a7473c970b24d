"""What lies over a container's files, and what is planned about it, from lines of mountinfo."""

import pytest

from lxfs import parse
from lxfs.overmounts import Answer, Mounts, Off, Put, to_attach, to_detach

MEMINFO, PRESSURE, CPU = "proc/meminfo", "proc/pressure/cpu", "sys/devices/system/cpu"
PATHS = (MEMINFO, PRESSURE, CPU)
HERE, OTHER, LXCFS = "0:50", "0:51", "0:60"
BARE = """
10 1 0:5 / / rw - ext4 /dev/vda rw
11 10 0:6 / /proc rw - proc proc rw
12 10 0:7 / /sys rw shared:3 - sysfs sysfs rw
"""
ANSWERING = dict.fromkeys((HERE, OTHER, LXCFS), Answer.ANSWERS)
DEAD = ANSWERING | {LXCFS: Answer.DEAD}


def _mounts(more: str = "", bare: str = BARE) -> Mounts:
    return Mounts(parse.mountinfo((bare + more).strip().encode()))


def _fuse(number: int, parent: int, path: str, device: str, kind: str = "lxcfs") -> str:
    return f"{number} {parent} {device} {path} {path} rw - fuse.{kind} {kind} rw\n"


def test_a_bare_container_gets_everything() -> None:
    """On procfs and sysfs of its own, each path gets the view, on the mount that it was seen on."""
    plan = to_attach(_mounts(), PATHS, HERE, {})
    assert plan.steps == (Put(MEMINFO, 11), Put(PRESSURE, 11), Put(CPU, 12))
    assert plan.left == {}


def test_nothing_is_mounted_twice() -> None:
    """What has the view already, by itself or by its directory, is left without a word."""
    mounts = _mounts(
        _fuse(20, 11, "/proc/meminfo", HERE, "lxfs")
        + _fuse(21, 11, "/proc/pressure", HERE, "lxfs")
        + _fuse(22, 12, "/sys/devices/system/cpu", HERE, "lxfs")
    )
    plan = to_attach(mounts, PATHS, HERE, ANSWERING, replace=True)
    assert (plan.steps, plan.left) == ((), {})


def test_a_dead_view_is_replaced_in_one_step() -> None:
    """A dead mount that lies on procfs itself gives way to ours, which is put beneath it."""
    plan = to_attach(_mounts(_fuse(20, 11, "/proc/meminfo", LXCFS)), [MEMINFO], HERE, DEAD)
    assert plan.steps == (Put(MEMINFO, 11, replaces=20),)


def test_stacked_dead_views_come_off_one_by_one() -> None:
    """Of two dead mounts on a file the upper goes first, and only then is looked at the other."""
    mounts = _mounts(_fuse(20, 11, "/proc/meminfo", LXCFS) + _fuse(21, 20, "/proc/meminfo", LXCFS))
    assert to_attach(mounts, [MEMINFO], HERE, DEAD).steps == (Off(MEMINFO, 21),)


def test_a_dead_directory_goes_before_what_is_put_into_it() -> None:
    """LXC's hook binds /proc/pressure whole: it comes off, and its files come at the next look."""
    mounts = _mounts(_fuse(20, 11, "/proc/pressure", LXCFS))
    plan = to_attach(mounts, [PRESSURE], HERE, DEAD)
    assert plan.steps == (Off("proc/pressure", 20),)
    assert plan.left == {}


def test_what_answers_stays_unless_it_is_to_be_replaced() -> None:
    """An LXCFS that answers is left with the reason, and goes with ``replace``."""
    mounts = _mounts(_fuse(20, 11, "/proc/meminfo", LXCFS))
    plan = to_attach(mounts, [MEMINFO], HERE, ANSWERING)
    assert plan.steps == ()
    assert plan.left == {MEMINFO: "lxcfs (fuse.lxcfs) is on it and answers"}
    plan = to_attach(mounts, [MEMINFO], HERE, ANSWERING, replace=True)
    assert plan.steps == (Put(MEMINFO, 11, replaces=20),)


@pytest.mark.parametrize("answer", [Answer.HANGS, Answer.FOREIGN, Answer.ANSWERS])
def test_only_the_dead_are_taken_off_unasked(answer: Answer) -> None:
    """A view that hangs or refuses us is not taken for dead."""
    mounts = _mounts(_fuse(20, 11, "/proc/meminfo", LXCFS))
    assert to_attach(mounts, [MEMINFO], HERE, {LXCFS: answer}).steps == ()


def test_a_mount_of_the_containers_own_user_namespace_stays() -> None:
    """What refuses the host's root is somebody's own, also when we are to replace others."""
    mounts = _mounts(_fuse(20, 11, "/proc/meminfo", LXCFS))
    plan = to_attach(mounts, [MEMINFO], HERE, {LXCFS: Answer.FOREIGN}, replace=True)
    assert plan.steps == ()
    assert to_detach(mounts, {LXCFS: Answer.FOREIGN}).steps == ()


def test_what_is_no_procfs_is_not_mounted_on() -> None:
    """Where /proc is the container's own directory, or another filesystem, nothing is put."""
    bare = BARE.replace("- proc proc", "- tmpfs trap")
    plan = to_attach(_mounts(bare=bare), [MEMINFO], HERE, {})
    assert plan.steps == ()
    assert plan.left == {MEMINFO: "it is on trap (tmpfs), not on proc"}
    plan = to_attach(_mounts(bare=BARE.splitlines()[1]), [MEMINFO], HERE, {})
    assert plan.left == {MEMINFO: "it is on /dev/vda (ext4), not on proc"}


def test_another_file_of_procfs_is_not_the_file() -> None:
    """A bind mount of /proc/sys at /proc has no meminfo that would be the kernel's."""
    bare = BARE.replace("0:6 / /proc", "0:6 /sys /proc")
    assert to_attach(_mounts(bare=bare), [MEMINFO], HERE, {}).steps == ()


def test_parts_of_sysfs_are_sysfs() -> None:
    """systemd-nspawn binds /sys/devices alone, from inside of a sysfs: the path in it counts."""
    bare = BARE.replace("12 10 0:7 / /sys rw", "12 10 0:8 / /sys rw").replace(
        "sysfs sysfs", "tmpfs tmpfs"
    )
    mounts = _mounts("13 12 0:7 /devices /sys/devices ro - sysfs sysfs rw\n", bare)
    assert to_attach(mounts, [CPU], HERE, {}).steps == (Put(CPU, 13),)


def test_what_else_is_mounted_on_a_file_stays() -> None:
    """A file that the container or its manager covered with something else is left, and named."""
    mounts = _mounts("20 11 0:9 / /proc/meminfo rw - tmpfs mask rw\n")
    plan = to_attach(mounts, [MEMINFO], HERE, {}, replace=True)
    assert plan.steps == ()
    assert plan.left == {MEMINFO: "mask (tmpfs) is on it"}


def test_what_a_new_proc_hides_is_not_there() -> None:
    """Below a procfs that a container mounted over its first one, dead mounts are out of reach."""
    mounts = _mounts(
        _fuse(20, 11, "/proc/meminfo", LXCFS) + "30 11 0:70 / /proc rw - proc proc rw\n"
    )
    assert to_attach(mounts, [MEMINFO], HERE, DEAD).steps == (Put(MEMINFO, 30),)
    assert to_detach(mounts, DEAD).steps == ()


def test_a_mount_point_may_lie() -> None:
    """A dead view on a directory that is called proc/meminfo, and is not in /proc, is let be."""
    mounts = _mounts(_fuse(20, 10, "/srv/proc/meminfo", LXCFS))
    assert to_detach(mounts, DEAD).steps == ()
    assert to_attach(mounts, [], HERE, DEAD).steps == ()


def test_dead_views_of_other_files_come_off_too() -> None:
    """A dead mount on a file of /sys that we do not serve comes off, the deepest first."""
    online = "sys/devices/system/cpu/online"
    mounts = _mounts(_fuse(20, 12, f"/{online}", LXCFS) + _fuse(21, 11, "/proc/meminfo", LXCFS))
    plan = to_attach(mounts, [MEMINFO], HERE, DEAD)
    assert plan.steps == (Off(online, 20), Put(MEMINFO, 11, replaces=21))


def test_the_nest_of_a_container_with_containers() -> None:
    """A dead /var/lib/lxcfs in it, there for containers in it, becomes the whole view."""
    mounts = _mounts("20 10 0:60 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n")
    assert to_attach(mounts, [], HERE, DEAD).steps == (
        Put("var/lib/lxcfs", 10, replaces=20, whole=True),
    )
    assert to_attach(mounts, [], HERE, ANSWERING, replace=True).steps == ()


def test_a_nest_that_answers_stays() -> None:
    """Detach leaves the view that a container has for those in it; a dead one it takes off."""
    mounts = _mounts("20 10 0:50 / /var/lib/lxfs rw - fuse.lxfs lxfs rw\n")
    assert to_detach(mounts, ANSWERING).steps == ()
    assert to_detach(mounts, {HERE: Answer.DEAD}).steps == (Off("var/lib/lxfs", 20),)


def test_healing_alone_puts_nothing_on_bare_files() -> None:
    """With ``everywhere`` off only what was dead is replaced: an LXCFS lives beside it."""
    mounts = _mounts(
        _fuse(20, 11, "/proc/meminfo", OTHER) + _fuse(21, 12, "/sys/devices/system/cpu", LXCFS)
    )
    plan = to_attach(mounts, PATHS, HERE, DEAD, everywhere=False)
    assert plan.steps == (Put(CPU, 12, replaces=21),)


def test_detach_takes_lxfs_and_the_dead() -> None:
    """An lxfs goes, an LXCFS that answers stays, one that is dead goes."""
    mounts = _mounts(
        _fuse(20, 11, "/proc/meminfo", HERE, "lxfs")
        + _fuse(21, 11, "/proc/stat", LXCFS)
        + _fuse(22, 11, "/proc/swaps", "0:61")
    )
    answers = ANSWERING | {"0:61": Answer.DEAD}
    assert to_detach(mounts, answers).steps == (Off(MEMINFO, 20), Off("proc/swaps", 22))


def test_detach_of_one_lxfs_leaves_another() -> None:
    """Asked for the view of one mount, that of another stays while it answers."""
    mounts = _mounts(_fuse(20, 11, "/proc/meminfo", OTHER, "lxfs"))
    assert to_detach(mounts, ANSWERING, HERE).steps == ()
    assert to_detach(mounts, {OTHER: Answer.DEAD}, HERE).steps == (Off(MEMINFO, 20),)


def test_a_process_that_is_chrooted() -> None:
    """A mountinfo without a line for / is of a process whose root is no mount: the rest counts."""
    mounts = _mounts(bare="\n".join(BARE.strip().splitlines()[1:]))
    assert to_attach(mounts, [MEMINFO], HERE, {}).steps == (Put(MEMINFO, 11),)
