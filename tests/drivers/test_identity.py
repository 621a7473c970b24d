"""Whose figures callers get from real mounts: neighbours, nested, recycled and dying containers."""

import contextlib
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs.sources.host import Host
from tests.drivers.conftest import (
    MIB,
    Mount,
    eventually,
    is_mounted,
    mounted,
    mounting,
    own_cgroups,
)

pytestmark = pytest.mark.usefixtures("driver")

HEAD = "head -n 1 {}/proc/meminfo"


def _limit(cgroup: Path, mebibytes: int) -> None:
    names = ("memory.limit_in_bytes", "memory.max")
    file = next(cgroup / name for name in names if (cgroup / name).exists())
    file.write_text(str(mebibytes * MIB))


@contextlib.contextmanager
def _cgroups(limits: dict[str, int]) -> Iterator[Path]:
    """Make cgroups for memory, uppermost first, each with its limit in MiB; 0 sets none."""
    top = own_cgroups()["memory"] / f"lxfs-identity-{os.getpid()}"
    made = [top]
    try:
        for path, limit in {"": 0, **limits}.items():
            own = top / path
            own.mkdir()
            made.append(own)
            if (control := own.parent / "cgroup.subtree_control").exists():
                control.write_text("+memory")
            if limit:
                _limit(own, limit)
        yield top
    finally:
        for own in reversed(made):
            assert eventually(lambda own=own: not own.exists() or _removed(own)), own  # type: ignore[misc]


def _removed(cgroup: Path) -> bool:
    try:
        cgroup.rmdir()
    except OSError:
        return False  # its last processes are still ending
    return True


def _as_init(cgroup: Path, *command: str) -> list[str]:
    """Return a command that runs another as the init of a pid namespace in a cgroup."""
    unshare = shlex.join(["unshare", "--pid", "--fork", "--kill-child", *command])
    return ["sh", "-c", f"echo 0 > {cgroup}/cgroup.procs; exec {unshare}"]


def _totals(cgroup: Path, script: str) -> list[int]:
    """Return each MemTotal, in MiB, that a script prints as such an init."""
    command = _as_init(cgroup, "sh", "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [int(line.split()[1]) // 1024 for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def by_cgroup(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:  # noqa: ARG001
    """A mount that tells the containers of a pid namespace apart by cgroup."""
    directory = tmp_path_factory.mktemp("lxfs") / "view"
    with mounted(directory, "--identity", "cgroup") as mount:
        yield mount


POD = {"pause": 40, "a": 32, "a/inner": 24, "b": 48, "b/inner": 0}


def _pod(top: Path, head: str) -> str:
    """Return a script whose init stays where it is while others go into each cgroup and read."""
    inside = [
        f"sh -c 'echo 0 > {top}/{name}/cgroup.procs; {head}'" for name in ("a/inner", "b/inner")
    ]
    return "; ".join([head, *inside, head])


def test_neighbours_share_a_namespace_and_not_their_limits(by_cgroup: Mount) -> None:
    """With --identity cgroup each of two cgroups beside init's has its own limit."""
    with _cgroups(POD) as top:
        script = _pod(top, HEAD.format(by_cgroup.directory))
        assert _totals(top / "pause", script) == [40, 32, 48, 40]


def test_a_cgroups_name_leads_nobody_astray(mount: Mount) -> None:
    """A container whose cgroup is called as a line of the neighbour's /proc/PID/cgroup has its own.

    The names are the container's to choose, and a vertical tab ends a line for str.splitlines.
    """
    paths = Host().cgroup_paths(os.getpid())
    hierarchy, prefix = ("7:memory:", "memory") if "memory" in paths else ("0::", "")
    neighbour = f"{paths[prefix].rstrip('/')}/lxfs-identity-{os.getpid()}/other"
    spoof = [f"mine/x\x0b{hierarchy}"]
    for name in neighbour.strip("/").split("/"):
        spoof.append(f"{spoof[-1]}/{name}")
    with _cgroups({"other": 48, "mine": 32, **dict.fromkeys(spoof, 0)}) as top:
        assert _totals(top / spoof[-1], HEAD.format(mount.directory)) == [32]


def test_neighbours_have_loads_of_their_own(by_cgroup: Mount) -> None:
    """The threads of a loadavg are those of the reader's cgroup, not of all its pid namespace."""
    with _cgroups(POD) as top:
        reader = f"echo 0 > {top}/a/inner/cgroup.procs; exec cat {by_cgroup.directory}/proc/loadavg"
        script = f"sleep 60 & sleep 60 & sh -c '{reader}'; kill $!"
        command = _as_init(top / "pause", "sh", "-c", script)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.startswith("0.00 0.00 0.00 1/1 ")


def test_a_namespace_is_one_container_by_default(mount: Mount) -> None:
    """Without it the whole pid namespace is shown its init's limit, as LXCFS does."""
    with _cgroups(POD) as top:
        script = _pod(top, HEAD.format(mount.directory))
        assert _totals(top / "pause", script) == [40, 40, 40, 40]


@pytest.mark.parametrize("view", ["mount", "by_cgroup"])
def test_nested_containers_have_their_own(view: str, request: pytest.FixtureRequest) -> None:
    """A pid namespace in a pid namespace shows its own init's cgroup, which may be the outer's."""
    head = HEAD.format(request.getfixturevalue(view).directory)
    with _cgroups({"outer": 48, "inner": 32}) as top:
        nested = f"unshare --pid --fork --kill-child {head}"
        script = f"{head}; {nested}; sh -c 'echo 0 > {top}/inner/cgroup.procs; {nested}'; {head}"
        assert _totals(top / "outer", script) == [48, 48, 32, 48]


def test_the_host_is_the_host_in_any_cgroup(by_cgroup: Mount) -> None:
    """A process of the host's pid namespace reads the host's file, whatever cgroup it is in."""
    with _cgroups({"a": 32}) as top:
        script = f"echo 0 > {top}/a/cgroup.procs; cat {by_cgroup.directory}/proc/meminfo"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[0] == Path("/proc/meminfo").read_text().splitlines()[0]


def test_the_limit_may_be_anywhere_above(mount: Mount) -> None:
    """Seven cgroups deep, the limit of the fourth is the container's."""
    limits = {"/".join("1234567"[:depth]): 64 * (depth == 4) for depth in range(1, 8)}
    with _cgroups(limits) as top:
        assert _totals(top / "1/2/3/4/5/6/7", HEAD.format(mount.directory)) == [64]


# What the programs below share: containers whose init hands over its descriptor of meminfo.
_CONTAINERS = """
    import ctypes, errno, os, pathlib, signal, socket, sys, time
    view, top = sys.argv[1], pathlib.Path(sys.argv[2])

    def container(cgroup, pid=0):
        here, there = socket.socketpair()
        parent = os.fork()
        if parent == 0:
            (top / cgroup / "cgroup.procs").write_text("0")
            assert ctypes.CDLL(None).unshare(0x20000000) == 0
            if pid:
                pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            init = os.fork()
            if init == 0:
                opened = os.open(view + "/proc/meminfo", os.O_RDONLY)
                os.pread(opened, 27, 0)
                socket.send_fds(there, [b"-"], [opened])
                there.recv(1)
                os._exit(0)
            os.write(tell, b"%d " % init)
            os.waitpid(init, 0)
            os._exit(0)
        descriptor = socket.recv_fds(here, 1, 1)[1][0]
        def end():
            os.kill(init, signal.SIGKILL)
            os.waitpid(parent, 0)
        init = int(os.read(told, 100))
        return init, descriptor, end

    def read(descriptor):
        try:
            text = os.pread(descriptor, 1 << 16, 0)
            assert text.count(b"\\n") == lines, text
            return text.split()[1].decode()
        except OSError as error:
            return errno.errorcode[error.errno]

    told, tell = os.pipe()
    lines = open("/proc/meminfo").read().count("\\n")
"""

_RECYCLE = """
    import subprocess
    served = subprocess.Popen(sys.argv[3:])
    while view not in open("/proc/self/mountinfo").read():
        time.sleep(0.01)
    one, its_file, end = container("a")
    print(read(its_file))
    end()
    time.sleep(0.05)  # start times are exact to a hundredth of a second
    two, file, end = container("b", pid=one)
    assert one == two, (one, two)
    print(read(file), read(its_file), read(file))
    end()
    print(read(file))
    served.terminate()
    served.wait()
"""


def _program(*parts: str) -> str:
    return "".join(textwrap.dedent(part) for part in parts)


@pytest.mark.parametrize("identity", ["pidns", "cgroup"])
def test_a_recycled_init_is_not_the_one_it_was(tmp_path: Path, identity: str) -> None:
    """A container whose init has a dead one's pid shows its own limit, and the dead one none.

    In a pid namespace of the test's own, where it may say which pid is next; lxfs is in it too.
    """
    view = tmp_path / "view"
    view.mkdir()
    serve = mounting("-f", "--identity", identity, str(view))
    alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with _cgroups({"a": 32, "b": 48}) as top:
        program = _program(_CONTAINERS, _RECYCLE)
        command = [*alone, sys.executable, "-c", program, str(view), str(top), *serve]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["32768", "49152", "ESRCH", "49152", "ESRCH"], done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def _logged(directory: Path, *options: str) -> Iterator[tuple[Path, Path]]:
    """Mount in the foreground; yield the directory and what the server says."""
    directory.mkdir()
    log = directory.with_suffix(".log")
    with (
        log.open("wb") as errors,
        subprocess.Popen(mounting("-f", *options, str(directory)), stderr=errors) as served,
    ):
        try:
            assert eventually(lambda: is_mounted(directory), 60)  # in an emulated machine, too
            yield directory, log
        finally:
            served.terminate()
            if not eventually(lambda: served.poll() is not None, 5):
                served.kill()


_DYING = """
    import threading
    for _ in range(30):
        init, file, end = container("a")
        killer = threading.Thread(target=end)
        killer.start()
        seen = []
        while not seen or seen[-1] == "32768":
            seen.append(read(file))
        killer.join()
        assert read(file) == seen[-1] == "ESRCH", seen
    print("done")
"""


def test_an_init_that_dies_between_reads_shows_no_host(tmp_path: Path) -> None:
    """Reads beside a dying init are whole and the container's, then ESRCH, and nothing else."""
    with _logged(tmp_path / "view") as (view, log), _cgroups({"a": 32}) as top:
        program = _program(_CONTAINERS, _DYING)
        command = [sys.executable, "-c", program, str(view), str(top)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("done\n", "")
        assert log.read_text() == ""


# Beside the init of a pid namespace in the cgroup "pause": descriptors that many threads read while
# cgroups come and go and limits change.
_STORM = """
    import concurrent.futures
    limit = next(
        name for name in ("memory.limit_in_bytes", "memory.max") if (top / "a" / name).exists()
    )
    def enter(cgroup):
        (top / cgroup / "cgroup.procs").write_text("0")

    def opened(cgroup):
        enter(cgroup)
        descriptor = os.open(view + "/proc/meminfo", os.O_RDONLY)
        enter("pause")
        return descriptor

    def reads(descriptor, until):
        seen = set()
        while until not in seen:
            seen.add(read(descriptor))
        return seen

    resident = os.fork()
    if resident == 0:
        enter("a")
        os.write(tell, b"-")
        time.sleep(60)
        os._exit(0)
    os.read(told, 1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        kept = opened("a")
        changing = [pool.submit(lambda: {read(kept) for _ in range(500)}) for _ in range(8)]
        while not all(one.done() for one in changing):
            for size in (32, 48):
                (top / "a" / limit).write_text(str(size << 20))
        print(*sorted(set().union(*[one.result() for one in changing])))
        seen = set()
        for _ in range(20):
            for again in range(2):
                (top / "gone").mkdir()
                (top / "gone" / limit).write_text(str(24 << 20))
                descriptor = opened("gone")
                reading = [pool.submit(reads, descriptor, "ESRCH") for _ in range(4)]
                (top / "gone").rmdir()
            for one in reading:
                seen |= one.result()
            os.close(descriptor)
        print(*sorted(seen - {"24576"}))
        print(read(opened("pause")))
    os.kill(resident, signal.SIGKILL)
    os.waitpid(resident, 0)
"""


def test_a_storm_of_reads_tears_nothing(tmp_path: Path) -> None:
    """While limits change and cgroups go, each read is whole and of its own container.

    Told apart by cgroup: the limit before or after a change; ESRCH once a cgroup is deserted or
    gone, also when there is another of its name; init's own limit as ever; and nothing in the log.
    """
    with (
        _logged(tmp_path / "view", "--identity", "cgroup") as (view, log),
        _cgroups({"pause": 200, "a": 48}) as top,
    ):
        program = _program(_CONTAINERS, _STORM)
        beside = ["sh", "-c", '"$@"; exit $?', "init", sys.executable, "-c", program]
        command = _as_init(top / "pause", *beside, str(view), str(top))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["32768 49152", "ESRCH", "204800"]
        assert log.read_text() == ""
