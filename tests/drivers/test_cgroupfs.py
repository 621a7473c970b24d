"""Cgroups through a real mount: who sees which, in which numbers, and what they may do there."""

import contextlib
import errno
import os
import re
import signal
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from lxfs.cgroupfs.layout import DIRECTORIES
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import LIMITS, MIB, Mount, eventually, lxfs, mounting
from tests.drivers.inmates import FIRST_ID, Inmate, cells, inmate_in, public_mount

HAS_V1 = bool(Hierarchies.find(Host()).v1)
MEMORY_IS_V1 = "memory" in Hierarchies.find(Host()).v1
LIMIT = {"memory": "memory.limit_in_bytes", "unified": "memory.max"}


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001
    """A mount in which cgroups can be written to."""
    with public_mount("--cgroupfs", "rw") as mount:
        yield mount


@pytest.fixture(scope="module")
def directories() -> Iterator[list[Path]]:
    """Cgroups of 256 MiB, one CPU and 200 tasks in each hierarchy."""
    with cells(LIMITS) as made:
        yield made


class Case(NamedTuple):
    """A kind of container."""

    user: bool
    cgroup: bool


KINDS = [Case(False, True), Case(False, False), Case(True, True)]


@pytest.fixture(
    scope="module",
    params=KINDS,
    ids=["namespaced", "plain", "unprivileged"],
)
def one(
    request: pytest.FixtureRequest,
    directories: list[Path],
    view: Mount,  # noqa: ARG001 - before it, so that it is mounted for it too
) -> Iterator[Inmate]:
    """A container of each kind: with a cgroup namespace, without, with a user namespace."""
    with inmate_in(directories, user=request.param.user, cgroup=request.param.cgroup) as inmate:
        yield inmate


def own(one: Inmate, view: Mount, name: str) -> str:
    """Return where a container finds its cgroup, by what it reads in /proc/self/cgroup."""
    controller = {"unified": "", "systemd": "name=systemd"}.get(
        name, name.split(",", maxsplit=1)[0]
    )
    for line in one("read('/proc/self/cgroup')").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            path = path.removesuffix("/init.scope")
            return f"{view.directory}/cgroup/{name}{path}".rstrip("/")
    # A shape that the host does not have is found by the v2 tree's path.
    assert name != "unified", "no line for the v2 tree"
    return own(one, view, "unified").replace("/cgroup/unified", f"/cgroup/{name}")


@pytest.mark.parametrize("name", ["memory", "unified"])
def test_a_cgroup_is_where_the_caller_reads_that_it_is(one: Inmate, view: Mount, name: str) -> None:
    """At the path in its /proc/self/cgroup a container finds its limits, in both shapes."""
    text = one(f"read('{own(one, view, name)}/{LIMIT[name]}')")
    assert text == f"{256 * MIB}\n"
    pids = one(f"read('{own(one, view, 'pids')}/pids.max')")
    assert pids == "200\n"


@pytest.mark.parametrize("name", DIRECTORIES)
def test_every_directory_is_on_every_host(one: Inmate, view: Mount, name: str) -> None:
    """Each of the names of the hybrid layout is there and can be listed as far as the caller's."""
    listed = set(one(f"os.listdir('{view.directory}/cgroup')"))
    assert listed == set(DIRECTORIES) if HAS_V1 else listed > set(DIRECTORIES)
    path = own(one, view, name)
    assert "cgroup.procs" in one(f"os.listdir('{path}')")


@pytest.mark.parametrize("name", DIRECTORIES)
def test_all_that_is_listed_is_there(one: Inmate, view: Mount, name: str) -> None:
    """Each name in a listing is found, and has the type that the listing states."""
    path = own(one, view, name)
    wrong = one(
        f"[e.name for e in os.scandir('{path}')"
        " if e.is_dir(follow_symlinks=False) != os.path.isdir(e.path)]"
    )
    assert wrong == []


def test_the_way_to_an_own_cgroup_is_bare(view: Mount, directories: list[Path]) -> None:
    """Of the cgroups above its own a container sees the names alone, one in each, and no files."""
    with inmate_in(directories, cgroup=False) as one:
        path = own(one, view, "memory")
        top = f"{view.directory}/cgroup/memory"
        names = Path(path[len(top) :]).parts[1:]
        assert names, "the test's own cgroup is the root"
        for depth in range(len(names)):
            above = "/".join([top, *names[:depth]])
            assert one(f"os.listdir('{above}')") == [names[depth]]
            status = one(f"tuple(os.stat('{above}'))[:6]")
            assert stat.S_IMODE(status[0]) == 0o555
            assert status[4:] == [0, 0]
            assert one.errno(f"os.stat('{above}/tasks')") == errno.ENOENT


OPERATIONS = [
    "os.stat({0})",
    "os.lstat({0})",
    "os.open({0}, os.O_RDONLY)",
    "os.open({0}, os.O_PATH)",
    "os.open({0}, os.O_WRONLY)",
    "os.open({0} + '/tasks', os.O_RDONLY)",
    "os.listdir({0})",
    "os.mkdir({0})",
    "os.mkdir({0} + '/below')",
    "os.rmdir({0})",
    "os.unlink({0})",
    "os.rename({0}, {0} + '2')",
    "os.rename({1}, {0})",
    "os.link({0}, {0} + '2')",
    "os.link({1} + '/cgroup.procs', {0})",
    "os.symlink('/', {0})",
    "os.mknod({0})",
    "os.open({0}, os.O_RDWR | os.O_CREAT)",
    "os.chmod({0}, 0o777)",
    "os.chown({0}, 0, 0)",
    "os.utime({0})",
    "os.truncate({0}, 0)",
    "os.access({0}, os.F_OK) or 1 / 0",
    "os.readlink({0})",
    "os.listxattr({0})",
    "os.getxattr({0}, 'user.x')",
    "os.setxattr({0}, 'user.x', b'x')",
    "os.statvfs({0})",
    "os.chdir({0})",
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_siblings_do_not_exist(view: Mount, directories: list[Path], operation: str) -> None:
    """Whatever is done to a cgroup that is not the container's is told ENOENT, as of no cgroup."""
    with inmate_in(directories, cgroup=False) as one:
        path = own(one, view, "memory")
        above = Path(path).parent
        (view.directory / Path(path).relative_to(view.directory)).stat()  # known to the kernel
        cell = _memory_cell(directories)
        sibling = cell.parent / f"{cell.name}-sibling"
        sibling.mkdir()
        try:
            assert (above / sibling.name / "tasks").read_bytes() == b""  # the host sees it
            for name in (sibling.name, f"{cell.name}-nobody"):
                text = operation.format(repr(str(above / name)), repr(path))
                if "access" in text:
                    assert one(f"os.access('{above / name}', os.F_OK)") is False
                else:
                    assert one.errno(text) == errno.ENOENT
            assert [path.name for path in cell.parent.iterdir()].count(sibling.name) == 1
        finally:
            sibling.rmdir()


@pytest.mark.parametrize("name", ["memory", "unified"])
def test_pids_are_the_callers_own(
    one: Inmate, view: Mount, name: str, directories: list[Path]
) -> None:
    """A container's processes are listed as it numbers them, and the host's are absent."""
    host = os.fork()
    if not host:
        with contextlib.suppress(BaseException):
            for directory in directories:
                (directory / "cgroup.procs").write_text("0")
            signal.pause()
        os._exit(0)
    try:
        cell = directories[0]
        assert eventually(lambda: str(host) in (cell / "cgroup.procs").read_text().split())
        one("p = subprocess.Popen(['sleep', '100'])")
        try:
            child = one("p.pid")
            listed = one(f"read('{own(one, view, name)}/cgroup.procs')").split()
            assert sorted(map(int, listed)) == [1, child]
        finally:
            one("p.kill() or p.wait()")
    finally:
        os.kill(host, signal.SIGKILL)
        os.waitpid(host, 0)


def _host_path(view: Mount, cell: Path) -> Path:
    """Return where the host finds a cgroup of the memory hierarchy in the view."""
    place = Hierarchies.find(Host()).v1.get("memory") or Hierarchies.find(Host()).v2
    assert place is not None
    return view.directory / "cgroup/memory" / cell.relative_to(place.point)


def _memory_cell(directories: list[Path]) -> Path:
    place = Hierarchies.find(Host()).v1.get("memory") or Hierarchies.find(Host()).v2
    assert place is not None
    return next(made for made in directories if made.is_relative_to(place.point))


def test_the_host_sees_all(one: Inmate, view: Mount, directories: list[Path]) -> None:
    """A process of the host finds each container's cgroup at its full path, in the host's pids."""
    there = _host_path(view, _memory_cell(directories))
    assert str(one.pid) in (there / "cgroup.procs").read_text().split()
    assert (there / "memory.limit_in_bytes").read_text() == f"{256 * MIB}\n"


@contextlib.contextmanager
def child(one: Inmate, path: str) -> Iterator[str]:
    """Make a cgroup in a container's, and remove it with all that is in it."""
    one(f"os.mkdir('{path}/x')")
    try:
        yield f"{path}/x"
    finally:
        one("[q.kill() or q.wait() for q in globals().pop('started', [])]")
        for below in (f"{path}/x/y", f"{path}/x"):
            eventually(partial(_is_removed, one, below))


def _is_removed(one: Inmate, path: str) -> bool:
    return one.errno(f"os.rmdir('{path}')") != errno.EBUSY


@pytest.mark.parametrize("kind", KINDS, ids=["namespaced", "plain", "unprivileged"])
@pytest.mark.parametrize("name", ["memory", "unified"])
def test_a_new_cgroup_has_limits_and_tasks(
    view: Mount, directories: list[Path], name: str, kind: Case
) -> None:
    """A container makes a cgroup in its own, limits it, moves a process in, and removes it."""
    with (
        divided(directories) as parts,
        inmate_in(parts, user=kind.user, cgroup=kind.cgroup) as one,
    ):
        make_room(one, view)
        _make_limit_and_move(one, own(one, view, name), name)


@contextlib.contextmanager
def divided(directories: list[Path]) -> Iterator[list[Path]]:
    """Make cgroups for a container that divides its own: on v2 one beside the others' cgroup."""
    if MEMORY_IS_V1:
        yield directories
        return
    fresh = directories[0].with_name(f"{directories[0].name}-divided")
    fresh.mkdir()
    try:
        yield [fresh]
    finally:
        with contextlib.suppress(FileNotFoundError):
            (fresh / "init.scope").rmdir()
        fresh.rmdir()


def make_room(one: Inmate, view: Mount) -> None:
    """On v2, where cgroups with processes hand nothing down, move init aside as systemd does."""
    if MEMORY_IS_V1:
        return
    path, scope = own(one, view, "unified"), one.cgroup("") / "init.scope"
    one(f"os.mkdir('{path}/init.scope')")
    one(f"write('{path}/init.scope/cgroup.procs', '1')")
    # Who started it is there too, as a manager would not be; the container does not see it.
    (scope / "cgroup.procs").write_text(str(one.starter))
    one(f"write('{path}/cgroup.subtree_control', '+memory +pids')")


def _make_limit_and_move(one: Inmate, path: str, name: str) -> None:
    with child(one, path) as made:
        assert one(f"write('{made}/{LIMIT[name]}', '{64 * MIB}')")
        assert one(f"read('{made}/{LIMIT[name]}')") == f"{64 * MIB}\n"
        one("started = [subprocess.Popen(['sleep', '100'])]")
        number = one("started[0].pid")
        assert one(f"write('{made}/cgroup.procs', '{number}\\n')")
        assert one(f"read('{made}/cgroup.procs')") == f"{number}\n"
        assert str(number) not in one(f"read('{path}/cgroup.procs')").split()
        assert "/x" in one(f"read('/proc/{number}/cgroup')")
        assert one.errno(f"os.rmdir('{made}')") == errno.EBUSY
        assert one.errno(f"os.mkdir('{made}')") == errno.EEXIST
        assert one(f"tuple(os.stat('{made}'))[4:6]") == [0, 0]
        one(f"os.chown('{made}', 33, 34) or os.chmod('{made}', 0o750)")
        one(f"os.chown('{made}/{LIMIT[name]}', 35, -1)")
        status = one(f"tuple(os.stat('{made}'))[:6]")
        assert (stat.S_IMODE(status[0]), *status[4:]) == (0o750, 33, 34)
        assert one(f"tuple(os.stat('{made}/{LIMIT[name]}'))[4:6]") == [35, 0]
        assert one.errno(f"os.chown('{made}', 70000, 0)") in (None, errno.EINVAL)
    assert one.errno(f"os.stat('{path}/x')") == errno.ENOENT


def test_a_new_cgroup_is_its_makers(view: Mount, directories: list[Path]) -> None:
    """What an unprivileged container makes belongs to the user that its root is on the host."""
    with inmate_in(directories, user=True) as one:
        path = own(one, view, "memory")
        with child(one, path):
            made = _memory_cell(directories) / "x"
            assert made.stat().st_uid == FIRST_ID
            owners = {file.stat().st_uid for file in made.iterdir()}
            assert owners == {FIRST_ID}


@pytest.mark.parametrize("name", ["memory", "unified"])
def test_own_limits_are_others_to_set(
    one: Inmate, view: Mount, name: str, directories: list[Path]
) -> None:
    """No container can change a limit of its own cgroup, whoever its root is."""
    path = own(one, view, name)
    for file, text in ((LIMIT[name], str(512 * MIB)), ("cgroup.procs", "1")):
        number = one.errno(f"write('{path}/{file}', '{text}')")
        assert number in ((errno.EPERM, errno.EACCES) if file == LIMIT[name] else (None,))
    there = _host_path(view, _memory_cell(directories))
    assert (there / "memory.limit_in_bytes").read_text() == f"{256 * MIB}\n"
    assert one.errno(f"os.rmdir('{path}')") in (errno.EBUSY, errno.EACCES)
    assert one.errno(f"os.chown('{path}', 1, 1)") == errno.EPERM
    assert one.errno(f"os.chmod('{path}', 0o777)") == errno.EPERM


REFUSALS = [
    ("os.mkdir('{0}/a\\nb')", errno.EINVAL),
    ("os.mkdir('{0}/cgroup.procs')", errno.EEXIST),
    ("os.mkdir('{0}/cgroup.procs/x')", errno.ENOTDIR),
    ("os.rmdir('{0}/nobody')", errno.ENOENT),
    ("os.rmdir('{0}/cgroup.procs')", errno.ENOTDIR),
    ("os.unlink('{0}/cgroup.procs')", errno.EPERM),
    ("os.symlink('/', '{0}/s')", errno.EPERM),
    ("os.mkfifo('{0}/n')", errno.EPERM),
    ("os.link('{0}/cgroup.procs', '{0}/l')", errno.EPERM),
    ("os.rename('{0}/cgroup.procs', '{0}/r')", errno.EPERM),
    ("os.open('{0}/new', os.O_CREAT | os.O_WRONLY)", errno.EACCES),
    ("write('{0}/cgroup.procs', 'x')", errno.EINVAL),
    ("write('{0}/cgroup.procs', '-1')", errno.EINVAL),
    ("write('{0}/cgroup.procs', '32000')", errno.ESRCH),
    ("write('{0}/cgroup.procs', '1' * 5000)", errno.E2BIG),
    ("os.setxattr('{0}/cgroup.procs', 'user.x', b'')", errno.EOPNOTSUPP),
    ("os.truncate('{0}/cgroup.procs', 0)", None),
    ("os.write(os.open('{0}/cgroup.procs', os.O_RDONLY), b'1')", errno.EBADF),
]


@pytest.mark.parametrize(("text", "expected"), REFUSALS)
def test_refusals_have_the_kernels_errno(
    one: Inmate, view: Mount, text: str, expected: int | None
) -> None:
    """What cannot be done is refused as cgroupfs refuses it."""
    path = own(one, view, "memory")
    assert one.errno(text.format(path)) == expected


def test_the_rest_stays_read_only(one: Inmate, view: Mount) -> None:
    """A mount whose cgroups can be written to refuses all other changes as a read-only one does."""
    there = view.directory
    for text in (
        f"os.open('{there}/proc/meminfo', os.O_WRONLY)",
        f"os.open('{there}/proc/new', os.O_WRONLY | os.O_CREAT)",
        f"os.mkdir('{there}/new')",
        f"os.mkdir('{there}/proc/new')",
        f"os.rmdir('{there}/proc/pressure')",
        f"os.unlink('{there}/proc/meminfo')",
        f"os.chmod('{there}/proc/meminfo', 0o666)",
        f"os.chown('{there}/cgroup', 0, 0)",
        f"os.truncate('{there}/proc/meminfo', 0)",
        f"os.utime('{there}/proc/meminfo')",
        f"os.rename('{there}/proc/meminfo', '{there}/proc/x')",
    ):
        assert one.errno(text) == errno.EROFS, text
    assert one(f"os.access('{there}/proc/meminfo', os.W_OK)") is False


def test_a_read_only_mount_changes_nothing(
    driver: str,  # noqa: ARG001
    directories: list[Path],
) -> None:
    """By default cgroups can be read and nothing can be changed: EROFS."""
    with public_mount() as mount, inmate_in(directories) as one:
        path = own(one, mount, "memory")
        assert one(f"read('{path}/memory.limit_in_bytes')") == f"{256 * MIB}\n"
        for text in ("os.mkdir('{0}/x')", "write('{0}/cgroup.procs', '1')", "os.rmdir('{0}')"):
            assert one.errno(text.format(path)) == errno.EROFS


def test_without_it_there_is_no_such_directory(driver: str) -> None:  # noqa: ARG001
    """``--cgroupfs off`` serves what was served before."""
    with public_mount("--cgroupfs", "off") as mount:
        assert sorted(path.name for path in mount.directory.iterdir()) == ["proc", "sys"]
    done = lxfs(*mounting("/nowhere", "--cgroupfs", "maybe")[3:])
    assert done.returncode == 2
    assert re.search("invalid choice: 'maybe'", done.stderr)


def test_a_descriptor_outlives_no_cgroup(view: Mount, directories: list[Path]) -> None:
    """What is read or written through a descriptor of a removed cgroup is told ENODEV."""
    with divided(directories) as parts, inmate_in(parts, user=True) as one:
        make_room(one, view)
        _keep_and_remove(one, own(one, view, "memory"))


def _keep_and_remove(one: Inmate, path: str) -> None:
    one(f"os.mkdir('{path}/gone')")
    one(f"kept = os.open('{path}/gone/memory.limit_in_bytes', os.O_RDWR)")
    assert one("os.pread(kept, 100, 0)")
    one(f"os.rmdir('{path}/gone')")
    try:
        assert one.errno("os.pread(kept, 100, 0)") == errno.ENODEV
        assert one.errno("os.pwrite(kept, b'1000000', 0)") == errno.ENODEV
        one(f"os.mkdir('{path}/gone')")  # another by its name is another
        assert one.errno("os.pread(kept, 100, 0)") == errno.ENODEV
    finally:
        one("os.close(kept)")
        one.errno(f"os.rmdir('{path}/gone')")


def test_nothing_is_moved_in_from_outside(view: Mount, directories: list[Path]) -> None:
    """A task that is not in the container's cgroups cannot be moved, though it sees its number."""
    with inmate_in(directories) as one:
        path = own(one, view, "memory")
        one("p = subprocess.Popen(['sleep', '100'])")
        child = one("p.pid")
        there = next(
            int(pid)
            for pid in (_memory_cell(directories) / "cgroup.procs").read_text().split()
            if int(pid) != one.pid
            and re.search(rf"NSpid:\t{pid}\t{child}\n", Path(f"/proc/{pid}/status").read_text())
        )
        found = Hierarchies.find(Host()).place("memory", Host().cgroup_paths(os.getpid()))
        assert found is not None
        home = Path(found[0].file("cgroup.procs")).parent
        (home / "cgroup.procs").write_text(str(there))
        try:
            assert one.errno(f"write('{path}/cgroup.procs', '{child}')") == errno.EACCES
        finally:
            one("p.kill() or p.wait()")
