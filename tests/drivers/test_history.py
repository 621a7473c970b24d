"""CPU time as top, mpstat and stat show it, and counters that outlive the server."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import LXFS, eventually, exists, lxfs, mounted, mounting

# Uses a share of one CPU as the kernel counts it for the whole cgroup, whatever else runs in it;
# with a referee to run, ends with it and says last what the share came to meanwhile.
BURN = textwrap.dedent("""
    import os, subprocess, sys, time
    share, *referee = float(sys.argv[1]), *sys.argv[2:]
    for line in open("/proc/self/cgroup"):
        _, names, path = line.strip().split(":", 2)
        file, unit = f"/sys/fs/cgroup{path}/cpu.stat", 1e6
        if "cpuacct" in names.split(","):
            file, unit = f"/sys/fs/cgroup/{names}{path}/cpuacct.usage", 1e9
            break
    counted = open(file, "rb", buffering=0)
    def used():
        return int(os.pread(counted.fileno(), 4096, 0).split()[1 if unit == 1e6 else 0]) / unit
    def burn(until):
        start, begin = used(), time.monotonic()
        while not until():
            if used() - start < share * (time.monotonic() - begin):
                end = time.monotonic() + 0.001
                while time.monotonic() < end:
                    pass
            else:
                time.sleep(0.001)
        return (used() - start) / (time.monotonic() - begin)
    warm = time.monotonic() + 0.5
    burn(lambda: referee and time.monotonic() > warm)
    running = subprocess.Popen(referee)
    print(burn(lambda: running.poll() is not None))
""")


def _under_load(cpus: str, share: float, *referee: str) -> tuple[list[str], float]:
    """Return the lines of a referee in a run of so many CPUs, and what share of them was used."""
    burner = ("python3", "-c", BURN, str(share * float(cpus)))
    done = lxfs("run", "--cpus", cpus, "--", *burner, *referee)
    assert done.returncode == 0, done.stderr
    *lines, used = done.stdout.splitlines()
    return lines, float(used) / float(cpus)


def _top(cpus: str, share: float) -> tuple[float, float]:
    """Return the percentage that the second screen of top calls busy, and the kernel's."""
    lines, used = _under_load(cpus, share, "top", "-b", "-n2", "-d2")
    idle = re.search(r"([\d.]+) id", [line for line in lines if line.startswith("%Cpu")][1])
    assert idle is not None
    return 100 - float(idle[1]), 100 * used


def _agree(shown: float, used: float, most: float) -> bool:
    # Of a machine that is busy with others it may not get all that it asks for.
    return abs(shown - used) <= 6 and most / 5 <= used <= most + 6


@pytest.mark.parametrize("cpus", ["0.5", "1", "1.5"])
def test_top_shows_half_of_a_quota_as_half(cpus: str) -> None:
    """A container that uses half of its quota reads 50 % busy in its own top."""
    assert any(_agree(*_top(cpus, 0.5), 50) for _ in range(5))


def test_top_shows_a_full_quota_as_full() -> None:
    """A container that uses all of half a CPU reads 100 % busy in its own top."""
    assert any(_agree(*_top("0.5", 2), 100) for _ in range(5))


@pytest.mark.skipif(shutil.which("mpstat") is None, reason="mpstat (sysstat) is not installed")
def test_mpstat_shows_half_of_a_quota_as_half() -> None:
    """The referee mpstat finds half of a quota of one and a half idle."""

    def shown() -> tuple[float, float]:
        lines, used = _under_load("1.5", 0.5, "env", "LC_ALL=C", "mpstat", "2", "1")
        idle = next(line for line in lines if "Average" in line).split()[-1]
        return 100 - float(idle), 100 * used

    assert any(_agree(*shown(), 50) for _ in range(5))


# Without a process of its own, which would be in the figures.
LOOK = "while read -r line; do case $line in cpu*) echo $line;; esac; done < /proc/stat"


def _between(text: str) -> dict[str, list[int]]:
    """Return by line what was added between the two looks in a text."""
    found: dict[str, list[list[int]]] = {}
    for line in text.splitlines():
        name, *columns = line.split()
        found.setdefault(name, []).append([int(column) for column in columns])
    return {
        name: [new - old for old, new in zip(*looks, strict=True)] for name, looks in found.items()
    }


# Twice at once and once later: what a look costs, and what there is besides.
NEIGHBOUR = textwrap.dedent("""
    import os, time
    stat = os.open("/proc/stat", os.O_RDONLY)
    looks = []
    for seconds in (0, 0, 2):
        time.sleep(seconds)
        looks.append([int(field) for field in os.pread(stat, 4096, 0).split()[1:5]])
    for then, now in zip(looks, looks[1:]):
        print(*(new - old for old, new in zip(then, now)))
""")


def test_an_idle_neighbour_reads_idle() -> None:
    """While one container uses all it may, its idle neighbour reads 2 % at most."""
    burner = ("sh", "-c", 'exec python3 -c "$0" 9', BURN)
    with subprocess.Popen([*LXFS, "run", "--cpus", "0.5", "--", *burner]) as burning:
        try:
            text = lxfs("run", "--cpus", "1", "--", "python3", "-c", NEIGHBOUR).stdout
        finally:
            burning.terminate()
    first, second = ([int(field) for field in line.split()] for line in text.splitlines())
    assert sum(second[:3]) - sum(first[:3]) <= 0.02 * sum(second)
    assert 190 <= second[3] <= 300


def test_a_busy_cpu_is_the_one_that_is_busy() -> None:
    """One thread pinned to the second of two CPUs is on that CPU and not on the other."""
    host = Host()
    if "cpuacct" not in Hierarchies.find(host).v1:
        pytest.skip("cgroup v2 does not say on which CPU time was used")
    first, second = host.online_cpus()[:2]
    burn = f"taskset -c {second} sh -c 'while :; do :; done' & burner=$!; sleep 0.2"
    text = lxfs("run", "--", "sh", "-c", f"{burn}; {LOOK}; sleep 2; {LOOK}; kill $burner").stdout
    added = _between(text)
    busy = [sum(added[f"cpu{cpu}"][:3]) for cpu in (first, second)]
    assert busy[1] > 50
    assert busy[0] <= 0.05 * busy[1]


def test_threads_of_threaded_and_deep_cgroups_are_counted() -> None:
    """Threads are found in threaded cgroups of v2, which refuse cgroup.procs, seven levels deep."""
    tree = Hierarchies.find(Host()).v2
    if tree is None:
        pytest.skip("no cgroup v2 tree is mounted")
    top = tree.below(f"/lxfs-test-{os.getpid()}")
    deepest = Path(f"{top.point}{top.path}", *"abcdefg")
    code = (
        "import threading, time\n"
        "for _ in range(3): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            deepest.mkdir(parents=True)
            assert process.stdout is not None
            process.stdout.readline()
            threads = sorted(int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir())
            parent = deepest.parent
            (parent / "cgroup.procs").write_text(str(process.pid))
            (deepest / "cgroup.type").write_text("threaded")
            (deepest / "cgroup.threads").write_text(str(threads[-1]))
            with pytest.raises(OSError, match="not supported"):
                (deepest / "cgroup.procs").read_text()
            assert sorted(top.tree_of_integers("cgroup.threads")) == threads
        finally:
            process.kill()
            process.wait()
            for directory in (deepest, *deepest.parents)[:8]:
                directory.rmdir()


class Watched:
    """A container that lives as long as the test and reads when it is told."""

    def __init__(self, process: subprocess.Popen[str], quota: Path) -> None:
        self._process = process
        self._quota = quota

    def reads(self) -> list[int]:
        """Return all that must not go back, of stat and of uptime's idle time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("look", file=self._process.stdin, flush=True)
        lines = iter(self._process.stdout.readline, ".\n")
        values: list[int] = []
        for line in lines:
            name, *columns = line.split()
            if name in ("cpu", "cpu0", "processes"):
                values += [int(column) for column in columns]
            elif not name[0].isalpha():
                values.append(int(float(columns[0]) * 100))
        return values

    def cut(self) -> None:
        """Cut its quota to a tenth of a CPU."""
        self._quota.write_text("10000 100000" if self._quota.name == "cpu.max" else "10000")


@contextmanager
def _watched(view: Path) -> Iterator[Watched]:
    host = Host()
    cell = Cell.make(Limits(cpus=Fraction(1)), host, Hierarchies.find(host))
    try:
        names = ("cpu.max", "cpu.cfs_quota_us")
        files = [Path(directory, name) for directory in cell._directories for name in names]
        quota = next(file for file in files if file.exists())
        script = f"while read word; do cat {view}/proc/stat {view}/proc/uptime; echo .; done"
        with subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script],
            preexec_fn=cell.enter,  # noqa: PLW1509 - no thread of ours is about
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Watched(process, quota)
            finally:
                process.kill()
    finally:
        cell.remove()


@pytest.mark.usefixtures("driver")
def test_counters_outlive_a_killed_server(tmp_path: Path) -> None:
    """After kill -9 and a new mount with the same state file nothing has gone back."""
    view, state = tmp_path / "view", tmp_path / "state"
    with _watched(view) as container:
        with mounted(view, "--state", str(state)) as mount:
            eventually(lambda: container.reads()[3] >= 100)  # a second of idle time
            before = container.reads()
            os.kill(mount.pid, signal.SIGKILL)
            assert eventually(lambda: not exists(mount.pid))
            syscalls.umount(str(view), syscalls.MNT_DETACH)
        container.cut()  # from here on its age alone would explain a tenth of the idle time
        with mounted(view, "--state", str(state)):
            after = container.reads()
    assert len(before) == len(after) == 22
    assert all(new >= old for old, new in zip(before, after, strict=True)), (before, after)
    assert state.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("driver")
def test_two_servers_do_not_share_a_state_file(tmp_path: Path) -> None:
    """A second server with the file of the first is refused and leaves nothing behind."""
    (tmp_path / "other").mkdir()
    with mounted(tmp_path / "view", "--state", str(tmp_path / "state")):
        command = mounting(str(tmp_path / "other"), "--state", str(tmp_path / "state"))
        done = lxfs(*command[len(LXFS) :])
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "state is another lxfs's: name another" in done.stderr
