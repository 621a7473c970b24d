"""``lxfs run`` end to end: limits, referees, exit statuses, signals, no remains."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from lxfs import parse
from lxfs.limits import Cell, Limits
from lxfs.mounting import FSTYPE
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.table import FILES
from tests.drivers.conftest import (
    LXFS,
    cells_of,
    descendants,
    eventually,
    exists,
    lxfs,
    own_cgroups,
)

PRESSURE = Path("/proc/pressure/cpu")
BURN = "while :; do :; done & while :; do :; done & "


def run(*arguments: str, text: str = "") -> str:
    """Run a command to success under ``lxfs run`` and return what it printed."""
    done = lxfs("run", *arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start ``lxfs run`` with a command that prints a line when it is there."""
    with subprocess.Popen(
        [*LXFS, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_free_shows_the_limit() -> None:
    """The referee free finds 256 MB, most of it free."""
    fields = run("--memory", "256M", "--cpus", "1", "--", "free", "-m").splitlines()[1].split()
    assert fields[1] == "256"
    assert int(fields[3]) > 200


def test_processors_agree() -> None:
    """getconf, lscpu, cpuinfo, stat and top count the one CPU of the quota."""
    script = (
        "getconf _NPROCESSORS_ONLN; lscpu | grep On-line; grep -c ^processor /proc/cpuinfo;"
        "grep -c '^cpu[0-9]' /proc/stat; top -1 -bn1 | grep -c '^%Cpu';"
        "cat /sys/devices/system/cpu/online"
    )
    lines = run("--cpus", "1", "--", "sh", "-c", script).split()
    assert lines == ["1", "On-line", "CPU(s)", "list:", "0", "1", "1", "1", "0"]


def test_nproc_sees_the_cpuset() -> None:
    """A cpuset is seen by sched_getaffinity as by the files, under the kernel's own numbers."""
    last = Host().online_cpus()[-1]
    script = "nproc; cat /sys/devices/system/cpu/online; grep ^processor /proc/cpuinfo"
    assert run("--cpuset", str(last), "--", "sh", "-c", script).split() == [
        "1",
        str(last),
        "processor",
        ":",
        str(last),
    ]


def test_uptime_and_top_begin_with_the_run() -> None:
    """Uptime and top show a machine that has just started and that two processes are on."""
    assert re.search(r"up 0 min.*load average: 0.00, 0.00, 0.00", run("--", "uptime"))
    screen = run("--memory", "256M", "--", "top", "-bn1")
    assert "MiB Mem :    256.0 total" in screen
    assert "Tasks:   2 total" in screen


def test_vmstat_agrees() -> None:
    """The referee vmstat reads the view without complaint: free memory below the limit."""
    fields = run("--memory", "64M", "--swap", "0", "--", "vmstat").splitlines()[2].split()
    assert 0 < int(fields[3]) <= 64 * 1024
    assert fields[2] == "0"


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A file that can be made on a disk, and the disk's number as cgroups name it."""
    for directory in (tmp_path, Path("/var/tmp")):  # /tmp may be in memory
        device = directory.stat().st_dev
        node = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
        if node.exists():
            break
    else:
        pytest.skip("neither temporary directory is on a disk")
    disk = node.parent if (node / "partition").exists() else node
    file = directory / f"lxfs-test-{os.getpid()}"
    yield file, (disk / "dev").read_text().strip()
    file.unlink(missing_ok=True)


def test_block_io_is_the_runs_own(tmp_path: Path, on_disk: tuple[Path, str]) -> None:
    """What a run writes to a disk is in its diskstats and vmstat; another has written nothing."""
    file, disk = on_disk
    count = "cat /proc/diskstats; grep pgpgout /proc/vmstat; vmstat -d"
    script = (
        f"echo on; while ! [ -e {tmp_path}/go ]; do sleep 0.05; done;"
        f"dd if=/dev/zero of={file} bs=1M count=4 conv=fsync 2>/dev/null; {count}"
    )
    with running("--", "sh", "-c", script) as process:
        assert _line(process) == "on"
        for cell in cells_of(process.pid):
            if (throttle := cell / "blkio.throttle.write_bps_device").exists():
                # Without a limit cgroup v1 counts nothing on current kernels.
                throttle.write_text(f"{disk} 100000000000\n")
        (tmp_path / "go").touch()
        text, _ = process.communicate(timeout=60)
    lines = [line.split() for line in text.splitlines()]
    (own,) = [fields for fields in lines if ":".join(fields[:2]) == disk]
    name, written = own[2], int(own[9])
    assert 4 << 20 <= written * 512 < 64 << 20
    assert int(next(fields[1] for fields in lines if fields[0] == "pgpgout")) >= 4096
    assert next(fields for fields in lines if fields[0] == name)[7] == str(written)
    others = [line.split() for line in run("--", "cat", "/proc/diskstats").splitlines()]
    assert [fields[9] for fields in others if fields[2] == name] in ([], ["0"])


@pytest.mark.skipif(not PRESSURE.exists(), reason="this kernel keeps no pressure")
def test_pressure_is_the_runs_own() -> None:
    """A new run has next to no pressure behind it, whatever the machine has."""
    for resource in ("cpu", "memory", "io"):
        first = run("--", "cat", f"/proc/pressure/{resource}").splitlines()[0].split()
        assert first[0] == "some"
        assert int(first[4].removeprefix("total=")) < 10_000_000


def test_vmstat_is_the_runs_own() -> None:
    """The referee vmstat finds the run's memory, and page faults are its own."""
    used = run("--memory", "64M", "--", "vmstat", "-s").splitlines()
    assert "65536 K total memory" in used[0]
    counts = dict(map(str.split, run("--memory", "64M", "cat", "/proc/vmstat").splitlines()))
    assert 0 < int(counts["nr_free_pages"]) * os.sysconf("SC_PAGE_SIZE") <= 64 << 20
    assert 0 < int(counts["pgfault"]) < 100_000
    assert counts["numa_hit" if "numa_hit" in counts else "pgfree"] == "0"


def test_slabinfo_is_for_the_hosts_root() -> None:
    """Root reads the heading alone; another user, also as root of a user namespace, nothing."""
    assert len(run("cat", "/proc/slabinfo").splitlines()) == 2
    assert "Total Caches" in run("slabtop", "-o")
    user = ("setpriv", "--reuid", "1000", "--clear-groups")
    for command in (("cat",), ("unshare", "--user", "--map-root-user", "cat")):
        done = lxfs("run", *user, *command, "/proc/slabinfo")
        assert (done.returncode, done.stdout) == (1, "")
        assert "Permission denied" in done.stderr
    run(*user, "sh", "-c", "test -e /proc/slabinfo && ! test -r /proc/slabinfo")
    run("test", "-r", "/proc/slabinfo")


@pytest.mark.parametrize("cpus", ["0.25", "0.5"])
def test_full_use_of_the_quota_reads_as_full(cpus: str) -> None:
    """Two busy loops under a quota leave next to nothing idle in the container's own stat."""
    script = f"{BURN} sleep 0.3; head -1 /proc/stat; sleep 1.2; head -1 /proc/stat"

    def share() -> float:
        busy, idle = _used(run("--cpus", cpus, "--", "sh", "-c", script))
        return busy / (busy + idle)

    # A machine that is busy with others may not give it all of its quota: once must do.
    assert any(share() > 0.9 for _ in range(5))


def _used(text: str) -> tuple[int, int]:
    """Return busy and idle ticks between two cpu lines."""
    first, last = ([int(field) for field in line.split()[1:]] for line in text.splitlines()[:2])
    return sum(last[:3]) - sum(first[:3]), last[3] - first[3]


def test_a_neighbour_of_a_busy_run_is_idle() -> None:
    """One run's burning CPU is nothing to another's stat."""
    with running("--cpus", "0.5", "--", "sh", "-c", f"echo on; {BURN} wait") as burning:
        assert _line(burning) == "on"
        script = "head -1 /proc/stat; sleep 0.5; head -1 /proc/stat"
        busy, idle = _used(run("--", "sh", "-c", script))
    assert busy <= 5
    assert idle > 50


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill -TERM $$"], 143),
    ],
)
def test_exit_status_is_the_commands(command: list[str], status: int) -> None:
    """The status is passed on, 128+N for a signal."""
    done = lxfs("run", "--", *command)
    assert (done.returncode, done.stderr) == (status, "")


def test_command_that_cannot_run(tmp_path: Path) -> None:
    """Not found is 127 and not executable is 126, as in a shell, with one line."""
    plain = tmp_path / "plain"
    plain.write_text("text")
    missing, refused = lxfs("run", "no-such-command"), lxfs("run", str(plain))
    assert (missing.returncode, missing.stderr) == (
        127,
        "lxfs run: no-such-command: command not found\n",
    )
    assert (refused.returncode, refused.stderr) == (126, f"lxfs run: {plain}: not executable\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--memory", "25x6M", "true"], "not a size"),
        (["--memory", "-1", "true"], "--memory"),
        (["--memory", "1k", "true"], "too little"),
        (["--swap", "0", "true"], "--swap needs --memory"),
        (["--cpus", "many", "true"], "not a number of CPUs"),
        (["--cpus", "0", "true"], "at least 0.01"),
        (["--cpuset", "a-b", "true"], "not a list of CPUs"),
        (["--cpuset", "0-99999999999", "true"], "not a list of CPUs"),
        (["--cpuset", "4711", "true"], "cannot be used here: 4711; usable are"),
        (["--pids", "1", "true"], "not a limit of processes"),
        (["--memory", "64M"], "give a command"),
        (["--colour", "red", "true"], "--colour"),
    ],
)
def test_bad_usage(arguments: list[str], says: str) -> None:
    """A limit that does not parse, or cannot be, is one line and status 2."""
    done = lxfs("run", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_controller_that_is_missing() -> None:
    """A limit whose controller no hierarchy has is refused by the name of its option."""
    host = Host()
    found = Hierarchies.find(host)
    without = Hierarchies(
        {name: place for name, place in found.v1.items() if name != "pids"}, found.v2, frozenset()
    )
    with pytest.raises(Exception, match="--pids needs the pids controller"):
        Cell.make(Limits(pids=5), host, without)
    assert cells_of(os.getpid()) == []


def test_limits_are_enforced() -> None:
    """Too much memory ends the command with 137; one process too many is not forked."""
    hog = "exec python3 -c 'x = bytearray(200 << 20)'"
    assert lxfs("run", "--memory", "32M", "--swap", "0", "--", "sh", "-c", hog).returncode == 137
    forks = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"
    done = lxfs("run", "--pids", "5", "--", "sh", "-c", forks)
    assert "fork" in done.stderr


def test_the_command_is_in_its_cgroups_with_its_limits() -> None:
    """The limits asked for are those that the kernel has."""
    own = own_cgroups()
    command = ("--memory", "64M", "--cpus", "0.5", "--cpuset", "0", "--pids", "9", "sh", "-c")
    with running(*command, "echo on; sleep 60") as process:
        assert _line(process) == "on"

        def value(controller: str, name: str) -> str:
            (cell,) = own[controller].glob(f"lxfs-run-*-{process.pid}-*")
            return (cell / name).read_text().strip()

        if "memory.limit_in_bytes" in {path.name for path in own["memory"].iterdir()}:
            assert value("memory", "memory.limit_in_bytes") == str(64 << 20)
            quota = int(value("cpu", "cpu.cfs_quota_us"))
            assert Fraction(quota, int(value("cpu", "cpu.cfs_period_us"))) == Fraction(1, 2)
        else:
            assert value("memory", "memory.max") == str(64 << 20)
            assert value("cpu", "cpu.max") == "50000 100000"
        assert value("cpuset", "cpuset.cpus") == "0"
        assert value("pids", "pids.max") == "9"


def test_standard_streams_are_the_commands() -> None:
    """What is piped in is read by the command, what it prints comes out."""
    assert run("--", "tr", "a-z", "A-Z", text="quiet\n") == "QUIET\n"


def test_a_run_in_a_run_sees_the_inner_limits() -> None:
    """Runs nest: the inner one's limit counts, and the outer one's where it is the smaller."""
    for inner, seen in (("32M", 32), ("128M", 64)):
        fields = run("--memory", "64M", "--", *LXFS, "run", "--memory", inner, "--", "free", "-m")
        assert fields.splitlines()[1].split()[1] == str(seen)
    assert cells_of(os.getpid()) == []


def test_the_command_sees_only_its_own_processes() -> None:
    """In the fresh /proc there are the init and the command."""
    assert run("--", "ps", "-eo", "pid=,comm=").split() == ["1", "lxfs-init", "2", "ps"]


def test_orphans_are_reaped() -> None:
    """A process whose parent went away leaves no zombie."""
    script = "(sleep 0.1 & ); sleep 0.4; ps -eo stat="
    assert "Z" not in run("--", "sh", "-c", script)


def test_the_view_covers_proc_and_sys_only_inside() -> None:
    """The bound files are seen inside and nowhere else, and the view's own place not at all."""
    inside, outside = (
        {mount.point for mount in parse.mountinfo(text.encode()) if mount.fstype == FSTYPE}
        for text in (
            run("--", "cat", "/proc/self/mountinfo"),
            Path("/proc/self/mountinfo").read_text(),
        )
    )
    served = {f"/{file.path}" for file in FILES}
    assert served <= inside
    assert served.isdisjoint(outside)
    assert "/sys/fs/fuse/connections" not in inside


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_command_and_nothing_remains(number: signal.Signals) -> None:
    """A signal to the run is the command's; with its end cgroups and processes are gone."""
    with running("--memory", "64M", "--", "sh", "-c", "echo on; exec sleep 60") as process:
        assert _line(process) == "on"
        children = descendants(process.pid)
        assert len(children) >= 3
        assert cells_of(process.pid)
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert cells_of(process.pid) == []
        assert not any(exists(pid) for pid in children)


def test_the_command_may_handle_a_signal() -> None:
    """A command that traps SIGTERM decides itself how it ends."""
    script = "trap 'exit 9' TERM; echo on; while :; do sleep 0.05; done"
    with running("--", "sh", "-c", script) as process:
        assert _line(process) == "on"
        process.terminate()
        assert process.wait(10) == 9


def test_kill_leaves_nothing_running_and_the_next_run_sweeps() -> None:
    """SIGKILL of the run ends all it started; its empty cgroups go with the next run."""
    with running("--", "sh", "-c", "echo on; sleep 60 & sleep 60") as process:
        assert _line(process) == "on"
        children = descendants(process.pid)
        process.kill()
        process.wait()
        assert eventually(lambda: not any(exists(pid) for pid in children))
        assert cells_of(process.pid)
        run("--", "true")
        assert cells_of(process.pid) == []


def test_a_view_that_dies_stops_the_command() -> None:
    """Without its view the command would see nothing: it is stopped, and one line says why."""
    with running("--", "sh", "-c", "echo on; sleep 60") as process:
        assert _line(process) == "on"
        view = next(
            pid for pid in descendants(process.pid) if os.getsid(pid) != os.getsid(process.pid)
        )
        os.kill(view, signal.SIGKILL)
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert "the view's process ended" in process.stderr.read()
        assert cells_of(process.pid) == []


def test_cgroups_made_inside_are_removed_too() -> None:
    """Cgroups that the command makes below its own do not keep it from being removed."""
    with running("--", "sh", "-c", "echo on; read wait") as process:
        assert _line(process) == "on"
        for cell in cells_of(process.pid):
            (cell / "inner").mkdir()
        process.terminate()
        process.wait(10)
        assert cells_of(process.pid) == []
