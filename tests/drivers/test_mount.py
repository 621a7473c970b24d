"""``lxfs mount`` and ``lxfs umount`` on real mounts: readers, the daemon, failures."""

import contextlib
import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs import parse, syscalls
from lxfs.drivers.native.memory import SLOTS
from lxfs.table import FILES
from tests.drivers.conftest import (
    LIMITS,
    LXFS,
    MIB,
    Caller,
    Mount,
    eventually,
    exists,
    is_mounted,
    lxfs,
    mounted,
    mounting,
    own_cgroups,
)
from tests.fixtures import HERE

HOOK = Path("/usr/share/lxcfs/lxc.mount.hook")
ROOT = HERE.parent.parent
pytestmark = pytest.mark.usefixtures("driver")


def test_options_reach_the_kernel(mount: Mount) -> None:
    """The mount is read-only, without set-uid, devices and programs, and open to all users."""
    line = next(
        line
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if f" {mount.directory} " in line
    )
    before, after = line.split(" - ")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(before.split()[5].split(","))
    assert after.split()[:2] == ["fuse.lxfs", "lxfs"]
    assert "allow_other" in after.split()[2].split(",")


@pytest.mark.parametrize("path", ["proc/swaps", "sys/devices/system/cpu/online"])
def test_the_host_sees_its_own_files(mount: Mount, path: str) -> None:
    """Outside of containers the files are the host's, byte for byte."""
    assert mount.host_reads(path) == Path(f"/{path}").read_bytes()


def test_a_container_sees_its_limits(mount: Mount, caller: Caller) -> None:
    """A caller in a pid namespace and a limited cgroup sees those limits in every file."""
    view = mount.directory
    figures = parse.meminfo(caller.reads(view / "proc/meminfo").encode())
    assert figures[b"MemTotal"] == LIMITS.memory
    assert 0 < figures[b"MemTotal"] - figures[b"MemFree"] < 64 * MIB
    assert caller.reads(view / "sys/devices/system/cpu/online") == "0\n"
    assert caller.reads(view / "proc/cpuinfo").count("processor\t") == 1
    stat = caller.reads(view / "proc/stat")
    assert [line.split()[0] for line in stat.splitlines()[:3]] == ["cpu", "cpu0", "intr"]
    assert 0 <= float(caller.reads(view / "proc/uptime").split()[0]) < 5
    averages, tasks, last = caller.reads(view / "proc/loadavg").rsplit(" ", 2)
    assert averages == "0.00 0.00 0.00"
    assert (tasks, last) == ("1/1", "1\n")


def test_psutil_agrees(mount: Mount, caller: Caller) -> None:
    """The referee psutil, aimed at the mount from inside, finds the container's figures."""
    program = textwrap.dedent(f"""
        import json, psutil
        psutil.PROCFS_PATH = {str(mount.directory / "proc")!r}
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        times = psutil.cpu_times(percpu=True)
        print(json.dumps({{
            "total": memory.total, "available": memory.available, "used": memory.used,
            "swap": swap.total, "cpus": len(times), "idle": times[0].idle,
            "boot": psutil.boot_time(), "load": psutil.cpu_stats().ctx_switches,
        }}))
    """)
    done = caller([sys.executable, "-W", "error", "-c", program])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["total"] == LIMITS.memory
    assert 0 < found["used"] < 128 * MIB
    assert found["available"] <= found["total"]
    assert (found["swap"], found["cpus"], found["load"]) == (0, 1, 0)
    btime = next(x for x in Path("/proc/stat").read_text().splitlines() if "btime" in x)
    assert found["boot"] == float(btime.split()[1])


def test_cpuset_mode_ignores_the_quota(tmp_path: Path, caller: Caller) -> None:
    """With --cpus cpuset a container of one CPU's quota sees all CPUs it may run on."""
    with mounted(tmp_path / "view", "--cpus", "cpuset") as mount:
        online = Path("/sys/devices/system/cpu/online").read_text()
        assert caller.reads(mount.directory / "sys/devices/system/cpu/online") == online


@pytest.mark.parametrize("path", ["proc/uptime", "proc/pressure/memory"])
def test_poll_does_not_wait(mount: Mount, path: str) -> None:
    """Polling a served file returns at once, so that nothing holds up a suspend of the host.

    Who waits for a pressure trigger waits in the kernel: other readers are answered meanwhile.
    """
    with (mount.directory / path).open("rb") as file:
        poll = select.poll()
        poll.register(file, select.POLLIN)
        assert poll.poll(5000)[0][1] & select.POLLIN
        trigger = select.poll()
        trigger.register(file, select.POLLPRI)
        waiting = threading.Thread(target=trigger.poll, args=(1000,))
        waiting.start()
        assert all(mount.host_reads("proc/uptime") for _ in range(100))
        assert waiting.is_alive()
        waiting.join()


def test_what_shares_the_page_cache_is_refused(mount: Mount, caller: Caller) -> None:
    """Programs of sendfile(2) are sent to read(2), as its pages would be any container's."""
    program = textwrap.dedent(f"""
        import errno, os, shutil, sys
        source = os.open({str(mount.directory / "proc/meminfo")!r}, os.O_RDONLY)
        try:
            os.sendfile(1, source, None, 4096)
        except OSError as error:
            print(errno.errorcode[error.errno], flush=True)
        sys.stdout.buffer.write(os.read(source, 27) + b"\\n")
    """)
    done = caller([sys.executable, "-c", program])
    assert done.stdout == "EINVAL\nMemTotal:         262144 kB\n", done.stderr


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
def test_busybox_cat_and_tail_get_the_file(mount: Mount, caller: Caller) -> None:
    """Busybox's cat (by sendfile), and the tails that look for the end, print what cat prints."""
    path = str(mount.directory / "proc/meminfo")
    names = [line.split(":")[0] for line in caller.reads(Path(path)).splitlines()]
    for command in (["busybox", "cat", path], ["cp", path, "/dev/stdout"]):
        lines = caller(command).stdout.splitlines()
        assert [line.split(":")[0] for line in lines] == names
    for command in (["tail", "-n", "2", path], ["busybox", "tail", "-n", "2", path]):
        lines = caller(command).stdout.splitlines()
        assert [line.split(":")[0] for line in lines] == names[-2:]


def test_writing_is_refused(mount: Mount) -> None:
    """Nobody writes, creates or removes anything; a pressure trigger cannot be set."""
    view = mount.directory
    with pytest.raises(OSError, match="Read-only") as caught:
        (view / "proc/uptime").write_bytes(b"0\n")
    assert caught.value.errno == errno.EROFS
    with pytest.raises(OSError, match="Read-only"):
        (view / "new").touch()
    with pytest.raises(OSError, match="Read-only"):
        os.open(view / "proc/pressure/memory", os.O_RDWR)


def test_small_reads_make_up_one_snapshot(mount: Mount) -> None:
    """Reading stat byte by byte gives one moment; rewinding gives a later one."""
    with (mount.directory / "proc/stat").open("rb", buffering=0) as file:
        text = b"".join(iter(lambda: file.read(1), b""))
        total = [int(column) for column in text.split(b"\n")[0].split()[1:]]
        each = [
            [int(column) for column in line.split()[1:]]
            for line in text.splitlines()[1:]
            if line.startswith(b"cpu")
        ]
        for column, value in enumerate(total[:3]):
            # The kernel rounds each CPU's ticks down by itself.
            assert 0 <= value - sum(cpu[column] for cpu in each) <= len(each)
        file.seek(0)
        assert file.read(4) == b"cpu "


def test_parallel_readers_get_whole_files(mount: Mount, caller: Caller) -> None:
    """Thousands of parallel reads from a container and the host are all whole and their own."""
    program = textwrap.dedent(f"""
        import concurrent.futures, pathlib
        view = pathlib.Path({str(mount.directory)!r})
        def read(number):
            text = (view / "proc/meminfo").read_text()
            return text.startswith("MemTotal:         262144 kB") and text.count("\\n")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            print(set(pool.map(read, range(2000))))
    """)
    inside = caller([sys.executable, "-c", program])
    lines = Path("/proc/meminfo").read_text().count("\n")
    assert inside.stdout == f"{{{lines}}}\n", inside.stderr


def test_many_containers_at_once_see_their_own(mount: Mount) -> None:
    """Containers that read at the same time are never shown each other's limits."""
    script = f"cat {mount.directory}/proc/meminfo; cat {mount.directory}/proc/meminfo"
    with contextlib.ExitStack() as stack:
        runs = {
            size: stack.enter_context(
                subprocess.Popen(
                    [*LXFS, "run", "--memory", f"{size}M", "--", "sh", "-c", script],
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for size in range(32, 40)
        }
        for size, run in runs.items():
            lines = run.communicate(timeout=60)[0].splitlines()
            totals = [line.split()[1] for line in lines if line.startswith("MemTotal")]
            assert totals == [str(size * 1024)] * 2


def test_a_dead_container_never_shows_the_host(mount: Mount, caller: Caller) -> None:
    """A descriptor from a nested namespace whose init is a zombie is ESRCH.

    cgroup v1 puts a process that is ending into the root of each hierarchy, which is the host's.
    """
    program = textwrap.dedent(f"""
        import ctypes, errno, os, socket
        here, there = socket.socketpair()
        told, tell = os.pipe()
        if os.fork() == 0:
            assert ctypes.CDLL(None).unshare({syscalls.CLONE_NEWPID}) == 0
            if os.fork() == 0:
                opened = [os.open({str(mount.directory)!r} + "/proc/" + name, os.O_RDONLY)
                          for name in ("meminfo", "cpuinfo", "stat", "uptime", "loadavg")]
                assert os.pread(opened[0], 27, 0) == b"MemTotal:         262144 kB"
                socket.send_fds(there, [b"-"], opened)
                os._exit(0)
            os.read(told, 1)  # the init is not waited for until we are told
            os._exit(0)
        opened = socket.recv_fds(here, 1, 5)[1]
        stat = ""
        while ") Z " not in stat:
            child = open("/proc/self/task/%d/children" % os.getpid()).read().split()[0]
            init = open(f"/proc/{{child}}/task/{{child}}/children").read().split()[0]
            stat = open(f"/proc/{{init}}/stat").read()
        for descriptor in opened:
            try:
                print(os.pread(descriptor, 100, 0))
            except OSError as error:
                print(errno.errorcode[error.errno])
        os.write(tell, b"-")
    """)
    done = caller([sys.executable, "-c", program])
    assert done.stdout.split() == ["ESRCH"] * 5, done.stderr


@contextlib.contextmanager
def _memory_cgroup() -> Iterator[tuple[Path, Path]]:
    """Make a cgroup; yield its list of processes and its limit of memory."""
    own = own_cgroups()["memory"] / "lxfs-test"
    own.mkdir()
    try:
        names = ("memory.limit_in_bytes", "memory.max")
        yield own / "cgroup.procs", next(own / name for name in names if (own / name).exists())
    finally:
        assert eventually(lambda: not (own / "cgroup.procs").read_text())
        own.rmdir()


def _totals(procs: Path, script: str) -> list[int]:
    """Return MemTotal in MiB of what a script, run as a container of that cgroup, prints."""
    enter = f"echo 0 > {procs}; exec unshare --pid --fork --kill-child sh -c '{script}'"
    done = subprocess.run(["sh", "-c", enter], capture_output=True, text=True, check=True)
    return [int(line.split()[1]) // 1024 for line in done.stdout.splitlines()]


def test_a_container_made_anew_is_read_anew(mount: Mount) -> None:
    """A cgroup of the same name as one that was just removed shows its own limit."""
    for size in (32, 48, 64):
        with _memory_cgroup() as (procs, limit):
            limit.write_text(str(size * MIB))
            assert _totals(procs, f"head -n 1 {mount.directory}/proc/meminfo") == [size]


def test_a_changed_limit_is_seen_at_once(mount: Mount) -> None:
    """The next read after a limit has changed shows the new one."""
    with _memory_cgroup() as (procs, limit):
        script = (
            "for limit in 64 32 48; do"
            f"  echo $((limit << 20)) > {limit}; head -n 1 {mount.directory}/proc/meminfo;"
            "done"
        )
        assert _totals(procs, script) == [64, 32, 48]


def test_thousands_of_reads_cost_no_descriptors_threads_or_handles(
    mount: Mount, caller: Caller, driver: str
) -> None:
    """However much is read by however many, descriptors and threads stay within their bounds."""
    program = textwrap.dedent(f"""
        import concurrent.futures, pathlib
        proc = pathlib.Path({str(mount.directory)!r}, "proc")
        paths = [path for path in proc.iterdir() if path.is_file()]
        def read(number):
            return len(paths[number % len(paths)].read_bytes())
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(read, range(3000))) > 0
    """)
    process = Path(f"/proc/{mount.server}")
    caller([sys.executable, "-c", program])
    before = len(list((process / "fd").iterdir()))
    done = caller([sys.executable, "-c", program])
    assert done.returncode == 0, done.stderr
    assert len(list((process / "fd").iterdir())) <= before + 20
    # libfuse's two workers, its main thread and the sampler of load averages; or as many of our
    # workers as were ever busy at the same time, whom another thread looks after
    most = 4 if driver == "fusepy" else SLOTS + 3
    assert len(list((process / "task").iterdir())) <= most


@pytest.mark.skipif(not HOOK.exists(), reason="Debian's lxcfs package is not installed")
def test_debians_mount_hook_takes_the_tree(mount: Mount, tmp_path: Path) -> None:
    """Debian's LXC hook, unchanged, binds each file of /proc and the whole directory of CPUs."""
    script = textwrap.dedent(f"""
        set -e
        mkdir -p /var/lib/lxcfs {tmp_path}/root/proc {tmp_path}/root/sys
        mount --bind {mount.directory} /var/lib/lxcfs
        mount -t proc proc {tmp_path}/root/proc
        mount --rbind /sys {tmp_path}/root/sys
        LXC_ROOTFS_MOUNT={tmp_path}/root LXC_CGNS_AWARE=1 sh {HOOK}
        grep {tmp_path}/root /proc/self/mountinfo
        cat {tmp_path}/root/proc/pressure/cpu >&2 || :
    """)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    bound = {
        line.split()[4].removeprefix(f"{tmp_path}/root/")
        for line in done.stdout.splitlines()
        if "fuse.lxfs" in line
    }
    entries = {"/".join(file.path.split("/")[:2]) for file in FILES if "proc/" in file.path}
    there = {entry for entry in entries if Path(f"/{entry}").exists()}
    assert {"proc/meminfo", "proc/diskstats", "proc/vmstat"} <= there
    assert bound == there | {"sys/devices/system/cpu"}
    # The directory was bound as one; this reader is of the host.
    assert ("some avg10=" in done.stderr) == ("proc/pressure" in there)


def test_the_daemon_is_on_its_own(mount: Mount) -> None:
    """The daemon has its own session, no inherited stdio, / as directory."""
    process = Path(f"/proc/{mount.pid}")
    assert [str((process / f"fd/{n}").readlink()) for n in range(3)] == ["/dev/null"] * 3
    assert (process / "cwd").readlink() == Path("/")
    assert os.getsid(mount.pid) not in (os.getsid(0), mount.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_unmount(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the daemon, its mount and its pid file."""
    with mounted(tmp_path / "view") as mount:
        mount.host_reads("proc/uptime")
        os.kill(mount.pid, number)
        assert eventually(lambda: not exists(mount.pid))
        assert not is_mounted(mount.directory)
        assert not mount.pidfile.exists()


def test_signals_unmount_while_loads_are_sampled(tmp_path: Path, caller: Caller) -> None:
    """A running load sampler does not keep the daemon from ending."""
    with mounted(tmp_path / "view") as mount:
        caller.reads(mount.directory / "proc/loadavg")
        os.kill(mount.pid, signal.SIGTERM)
        assert eventually(lambda: not exists(mount.pid), 4)


def test_umount_ends_the_daemon(tmp_path: Path) -> None:
    """After ``lxfs umount`` there is no mount, no process and no pid file."""
    with mounted(tmp_path / "view") as mount:
        done = lxfs("umount", str(mount.directory))
        assert (done.returncode, done.stderr) == (0, "")
        assert not is_mounted(mount.directory)
        assert eventually(lambda: not exists(mount.pid) and not mount.pidfile.exists())


def test_the_pid_file_of_a_successor_stays(tmp_path: Path) -> None:
    """A daemon that ends leaves a pid file alone that is another's by then."""
    with mounted(tmp_path / "view") as mount:
        mount.pidfile.write_text("4711\n")
        assert lxfs("umount", str(mount.directory)).returncode == 0
        assert eventually(lambda: not exists(mount.pid))
        assert mount.pidfile.read_text() == "4711\n"


def test_of_many_who_mount_at_once_one_does(tmp_path: Path) -> None:
    """Mounting on one directory several times at once ends with one mount and refusals."""
    with contextlib.ExitStack() as stack:
        stack.callback(lxfs, "umount", str(tmp_path))
        tries = [
            stack.enter_context(
                subprocess.Popen(mounting(str(tmp_path)), stderr=subprocess.PIPE, text=True)
            )
            for _ in range(4)
        ]
        said = [one.communicate(timeout=60)[1] for one in tries]
        assert sorted(one.returncode for one in tries) == [0, 1, 1, 1]
        assert sorted(text.count("\n") for text in said) == [0, 1, 1, 1]
        assert Path("/proc/self/mountinfo").read_text().count(f" {tmp_path} ") == 1


def test_foreground_serves_until_it_is_told(tmp_path: Path) -> None:
    """With -f the command itself serves, and SIGINT ends it with status 0."""
    with subprocess.Popen(mounting("-f", str(tmp_path)), stderr=subprocess.PIPE) as served:
        try:
            assert eventually(lambda: is_mounted(tmp_path))
            assert float((tmp_path / "proc/uptime").read_text().split()[0]) > 0
            served.send_signal(signal.SIGINT)
            assert served.wait(10) == 0
            assert not is_mounted(tmp_path)
        finally:
            served.kill()


def test_a_killed_daemon_can_be_cleared_away(tmp_path: Path) -> None:
    """What kill -9 of all of it leaves is recognised as ours, and ``lxfs umount`` removes it."""
    with mounted(tmp_path / "view") as mount:
        mount.kill()
        with pytest.raises(OSError, match=r".") as caught:
            mount.host_reads("proc/uptime")
        assert caught.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
        again = lxfs("mount", str(mount.directory))
        assert again.returncode == 1
        assert f"'lxfs umount {mount.directory}'" in again.stderr
        assert lxfs("umount", str(mount.directory)).returncode == 0
        assert not is_mounted(mount.directory)


@pytest.fixture
def broken_view(driver: str, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A mount one of whose views raises what nobody expects, and the server's log."""
    program = textwrap.dedent(f"""
        import logging
        from lxfs.drivers.{"native.session" if driver == "native" else driver} import serve
        from lxfs.sources.host import Host
        from lxfs.table import FILES, File
        from lxfs.tree import Tree
        from lxfs.world import World
        logging.basicConfig()
        def view(now):
            raise ZeroDivisionError("a mistake")
        serve(Tree(World.of(Host()), (*FILES, File("proc/broken", view))), {str(tmp_path / "v")!r},
              lambda: None)
    """)
    (tmp_path / "v").mkdir()
    log = tmp_path / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen([sys.executable, "-c", program], stderr=errors, cwd=ROOT) as served,
    ):
        try:
            assert eventually(lambda: is_mounted(tmp_path / "v"))
            yield tmp_path / "v", log
        finally:
            served.terminate()
            if not eventually(lambda: served.poll() is not None, 5):
                served.kill()


def test_an_unexpected_exception_is_eio(broken_view: tuple[Path, Path], caller: Caller) -> None:
    """A mistake in a view is EIO to its reader and one entry in the log; the mount lives on."""
    view, log = broken_view
    for _ in range(3):
        done = caller(["cat", str(view / "proc/broken")])
        assert "Input/output error" in done.stderr
    assert caller.reads(view / "proc/meminfo").startswith("MemTotal:         262144 kB")
    assert log.read_text().count("Traceback") == 1
    assert "a mistake" in log.read_text()
