"""A container that does its worst to its cgroups' files: nothing else is touched or revealed."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs.drivers.native.changing import MAX_WRITING
from lxfs.drivers.native.memory import SLOTS
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import (
    LIMITS,
    MIB,
    Mount,
    descendants,
    eventually,
    exists,
    is_mounted,
    lxfs,
)
from tests.drivers.inmate import NAMES
from tests.drivers.inmates import cells, inmate_in, public_mount
from tests.drivers.test_cgroupfs import divided, make_room

LONG = 100_000 if os.environ.get("LXTUI_LONG") else 10_000
COUNT = int(os.environ.get("LXTUI_OPERATIONS", LONG))
"""Fewer where an emulated CPU would take all its time for them."""
BENIGN = {
    *("done", "ENOENT", "EACCES", "EPERM", "EEXIST", "ENOTDIR", "EISDIR", "EINVAL", "EBUSY"),
    *("ENAMETOOLONG", "EROFS", "EBADF", "ENODEV", "ESRCH", "E2BIG", "EOPNOTSUPP", "ELOOP"),
    *("ERANGE", "EXDEV", "ENOSPC", "ENOTEMPTY", "EAGAIN", "ENFILE", "ESTALE", "ENOTSUP"),
}
"""What a kernel's own tree could answer. EIO, ENOTCONN, ENOSYS and EINTR are not in it."""


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001
    """A mount in which cgroups can be written to."""
    with public_mount("--cgroupfs", "rw") as mount:
        yield mount


@pytest.fixture(scope="module")
def directories() -> Iterator[list[Path]]:
    """Cgroups of 256 MiB in each hierarchy."""
    with cells(LIMITS) as made:
        yield made


@pytest.fixture
def bystander(directories: list[Path]) -> Iterator[list[Path]]:
    """A sibling of each of the container's cgroups, with a cgroup of a known name in it."""
    made: list[Path] = []
    try:
        for directory in directories:
            for path in (sibling := directory.parent / f"{directory.name}-by", sibling / "a"):
                path.mkdir()
                made.append(path)
        yield made[::2]
    finally:
        for path in reversed(made):
            path.rmdir()


@pytest.fixture(autouse=True)
def _taken_back(directories: list[Path]) -> Iterator[None]:
    """Hand down no controllers: v2 lets no process into a cgroup that does (cgroup-v2)."""
    yield
    for directory in directories:
        for path, _, names in os.walk(directory, topdown=False):
            if "cgroup.subtree_control" in names:
                control = Path(path, "cgroup.subtree_control")
                if handed := control.read_text().split():
                    control.write_text(" ".join(f"-{name}" for name in handed))


def _state(directory: Path) -> dict[str, bytes | int]:
    """Return what is set in a cgroup and who owns it."""
    found: dict[str, bytes | int] = {}
    for name in ("", "memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us"):
        path = directory / name
        if path.exists():
            found[f"{name} owner"] = path.stat().st_uid
            found[f"{name} mode"] = path.stat().st_mode
            if path.is_file():  # v1's names are free in v2, an abuser makes cgroups of them
                found[name] = path.read_bytes()
    for name in ("cgroup.procs", "cpuset.cpus", "cpu.max"):
        if (directory / name).exists():
            found[name] = (directory / name).read_bytes()
    return found


def _beside(paths: list[Path]) -> list[set[str]]:
    """Return which names that an abuser uses there are beside cgroups and in them."""
    return [
        {below.name for above in (path.parent, path) for below in above.iterdir()} & {*NAMES}
        for path in paths
    ]


def _killer(mount: Mount, over: threading.Event) -> None:
    while not over.wait(0.7):
        try:
            os.kill(mount.server, signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError, IndexError):
            continue
        # Until the next one answers, the last of its processes is what holds the mount.
        mount.host_reads("proc/meminfo")


@pytest.mark.parametrize("user", [True, False], ids=["unprivileged", "privileged"])
def test_random_paths_and_operations(
    view: Mount, driver: str, directories: list[Path], bystander: list[Path], *, user: bool
) -> None:
    """Thousands of random operations, kills of the server in between: nobody else is affected."""
    others = [path.name for path in (*bystander, *directories)]
    own_before = [_state(directory) for directory in directories]
    before = [_state(path) for path in bystander]
    names = _beside(bystander)
    is_native = driver == "native"
    with inmate_in(directories, user=user, cgroup=user) as one:
        over = threading.Event()
        killer = threading.Thread(target=_killer, args=(view, over))
        if is_native:
            killer.start()
        try:
            work = f"lambda: abuse('/cgroup', {sorted(set(others))!r}, 7, {COUNT})"
            said = one(f"confined('{view.directory}', {work})")
        finally:
            over.set()
            if is_native:
                killer.join()
        assert "failed" not in said, said
        own = {path.name for path in directories} if not user else set()
        leaks = [leak for leak in said["leaks"] if leak.rpartition(": ")[2] not in own]
        assert leaks == []
        assert set(said["came"]) <= BENIGN, said["came"]
        assert said["came"]["done"] > COUNT / 50
        assert [_state(path) for path in bystander] == before
        assert _beside(bystander) == names
        limits = [
            {name: value for name, value in _state(directory).items() if "." in name}
            for directory in directories
        ]
        for found, was in zip(limits, own_before, strict=True):
            for name in ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us"):
                assert found.get(name) == was.get(name)
        assert one(f"read('{view.directory}/proc/meminfo')").startswith("MemTotal:")
    assert exists(view.pid)


def test_a_directory_held_open_over_a_kill(
    view: Mount, driver: str, directories: list[Path]
) -> None:
    """By an open directory a container goes on after its server was killed, and by an open file."""
    with divided(directories) as parts, inmate_in(parts, user=True) as one:
        make_room(one, view)
        top = f"{view.directory}/cgroup/memory"
        one(f"os.mkdir('{top}/kept')")
        try:
            one(f"held = os.open('{top}/kept', os.O_RDONLY)")
            one(f"limit = os.open('{top}/kept/memory.limit_in_bytes', os.O_RDWR)")
            one(f"os.chdir('{top}/kept')")
            if driver == "native":
                server = view.server
                os.kill(server, signal.SIGKILL)
                assert eventually(lambda: view.server != server)
            assert one(f"os.pwrite(limit, b'{64 * MIB}', 0)")
            assert one("os.pread(limit, 100, 0).decode()") == f"{64 * MIB}\n"
            inside = "os.read(os.open('memory.limit_in_bytes', os.O_RDONLY{}), 100).decode()"
            assert one(inside.format(", dir_fd=held")) == f"{64 * MIB}\n"
            assert one(inside.format("")) == f"{64 * MIB}\n"
            assert "tasks" in one("os.listdir(held)")
            one("os.mkdir('below', dir_fd=held) or os.rmdir('below', dir_fd=held)")
            one("os.close(held) or os.close(limit) or os.chdir('/')")
        finally:
            one.errno(f"os.rmdir('{top}/kept')")


SERVER = """
    import os, sys, time
    from lxfs.drivers import rules
    from lxfs.drivers.native import spawner, start
    from lxfs.drivers.native.memory import Memory
    from lxfs.tree import Tree
{change}
    asked = rules.Rules(cgroupfs="rw")
    session = start.mounted(sys.argv[1], None, writable=True)
    memory = Memory(session.memory)
    control, _writing = os.pipe()
    _reading, report = os.pipe()
    spawner.Spawner(session.device, memory, session.ledger, asked).run(control, report)
"""
DEADLY = """
    class Deadly(Tree):
        def _once(self, name, done):
            if not os.path.exists(f"{sys.argv[2]}/{name}"):
                open(f"{sys.argv[2]}/{name}", "w").close()
                os.kill(os.getpid(), 9)
            return done
        def make(self, *args, **options):
            return self._once("make", super().make(*args, **options))
        def remove(self, *args, **options):
            return self._once("remove", super().remove(*args, **options))
        def change(self, *args, **options):
            return self._once("change", super().change(*args, **options))
        def write(self, *args, **options):
            return self._once("write", super().write(*args, **options))
    rules.Tree = Deadly
"""
STUCK = """
    from lxfs.cgroupfs.serving import OpenFile
    write = OpenFile.write
    def stuck(*args):
        open(f"{sys.argv[2]}/{os.getpid()}", "w").close()
        while not os.path.exists(f"{sys.argv[2]}/go"):
            time.sleep(0.05)
        return write(*args)
    OpenFile.write = stuck
"""


@contextlib.contextmanager
def changed(change: str, path: Path) -> Iterator[tuple[Path, Path]]:
    """Mount by a server that is changed, and yield where, with a directory for what it marks."""
    directory, marks = path / "changed", path / "marks"
    directory.mkdir()
    marks.mkdir()
    program = textwrap.dedent(SERVER.format(change=change))
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory), str(marks)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
    ) as served:
        try:
            assert eventually(lambda: is_mounted(directory), 30)
            yield directory, marks
        finally:
            pids = descendants(served.pid)
            served.kill()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            lxfs("umount", str(directory))


@pytest.fixture
def deadly(driver: str, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A mount whose server dies once over each kind of change: when it has made it."""
    if driver != "native":
        pytest.skip("of libfuse's loop nothing goes on after a kill")
    with changed(DEADLY, tmp_path) as mount:
        yield mount


def test_what_a_killed_server_has_done_is_done(
    deadly: tuple[Path, Path], directories: list[Path]
) -> None:
    """A change that was made, and not yet answered when the server was killed, succeeds."""
    view, marks = deadly
    found = Hierarchies.find(Host()).v1.get("memory") or Hierarchies.find(Host()).v2
    assert found is not None
    cell = next(made for made in directories if made.is_relative_to(found.point))
    there = view / "cgroup/memory" / cell.relative_to(found.point)
    (there / "x").mkdir()
    with pytest.raises(FileExistsError):
        (there / "x").mkdir()
    os.chown(there / "x", 5, 5)
    assert (cell / "x").stat().st_uid == 5
    (there / "x/cgroup.procs").write_text("0")
    try:
        assert str(os.getpid()) in (cell / "x/cgroup.procs").read_text().split()
    finally:
        home = Path(found.point) / str(cell.relative_to(found.point).parent)
        (home / "cgroup.procs").write_text("0")
    (there / "x").rmdir()
    assert not (cell / "x").exists()
    with pytest.raises(FileNotFoundError):
        (there / "x").rmdir()
    assert {mark.name for mark in marks.iterdir()} == {"make", "change", "write", "remove"}


def test_writes_that_last_hold_up_nobody_else(
    driver: str, tmp_path: Path, directories: list[Path]
) -> None:
    """While writes go on and on, their files and all others are read; too many are EAGAIN."""
    if driver != "native":
        pytest.skip("libfuse's loop has its own bounds")
    found = Hierarchies.find(Host()).v1.get("memory") or Hierarchies.find(Host()).v2
    assert found is not None
    cell = next(made for made in directories if made.is_relative_to(found.point))
    count = 2 * SLOTS
    came: list[int | None] = []

    def write(descriptor: int) -> None:
        try:
            os.write(descriptor, b"0")
        except OSError as error:
            came.append(error.errno)
        else:
            came.append(None)

    with changed(STUCK, tmp_path) as (view, marks), contextlib.ExitStack() as stack:
        there = view / "cgroup/memory" / cell.relative_to(found.point)
        files = []
        for number in range(count):  # of one file the kernel passes on one write at a time
            (there / f"x{number}").mkdir()
            stack.callback((there / f"x{number}").rmdir)
            files.append(os.open(there / f"x{number}/notify_on_release", os.O_RDWR))
            stack.callback(os.close, files[-1])
        writers = [threading.Thread(target=write, args=(file,)) for file in files]
        for writer in writers:
            writer.start()
        try:
            assert eventually(lambda: came == [errno.EAGAIN] * (count - MAX_WRITING), 30)
            readers = [threading.Thread(target=os.pread, args=(file, 10, 0)) for file in files]
            for reader in readers:
                reader.daemon = True  # or it would wait for them, should it fail
                reader.start()
            assert eventually(lambda: not any(map(threading.Thread.is_alive, readers)), 30)
            assert (view / "proc/meminfo").read_bytes().startswith(b"MemTotal:")
            # A server of which nobody reads any more is replaced, and its successor does the same.
            assert len(list(marks.iterdir())) == 1
        finally:
            (marks / "go").touch()
            for writer in writers:
                writer.join()
        assert came.count(None) == MAX_WRITING
