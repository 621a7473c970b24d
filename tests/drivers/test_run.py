"""``lxfs run`` end to end: limits, referees, exit statuses, signals, the terminal, no remains."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from lxfs import parse
from lxfs.limits import Cell, Limits
from lxfs.mounting import FSTYPE
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.tree import FILES
from tests.drivers.conftest import LXFS, eventually, exists, lxfs

BURN = "while :; do :; done & while :; do :; done & "


def _own_cgroups() -> dict[str, Path]:
    """Return our own directory in each hierarchy: where runs make theirs."""
    host = Host()
    hierarchies, paths = Hierarchies.find(host), host.cgroup_paths(os.getpid())
    found = {name: hierarchies.place(name, paths) for name in ("memory", "cpu", "cpuset", "pids")}
    return {name: Path(f[0].point + f[0].path) for name, f in found.items() if f is not None}


def _cells(pid: int) -> list[Path]:
    """Return what is left of the cgroups of a run."""
    return [path for own in _own_cgroups().values() for path in own.glob(f"lxfs-run-*-{pid}-*")]


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


@pytest.mark.parametrize("cpus", ["0.25", "0.5"])
def test_full_use_of_the_quota_reads_as_full(cpus: str) -> None:
    """Two busy loops under a quota leave next to nothing idle in the container's own stat."""
    script = f"{BURN} sleep 0.3; head -1 /proc/stat; sleep 1.2; head -1 /proc/stat"
    busy, idle = _used(run("--cpus", cpus, "--", "sh", "-c", script))
    assert busy > 0
    assert busy / (busy + idle) > 0.9


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
    assert _cells(os.getpid()) == []


def test_limits_are_enforced() -> None:
    """Too much memory ends the command with 137; one process too many is not forked."""
    hog = "exec python3 -c 'x = bytearray(200 << 20)'"
    assert lxfs("run", "--memory", "32M", "--swap", "0", "--", "sh", "-c", hog).returncode == 137
    forks = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"
    done = lxfs("run", "--pids", "5", "--", "sh", "-c", forks)
    assert "fork" in done.stderr


def test_the_command_is_in_its_cgroups_with_its_limits() -> None:
    """The limits asked for are those that the kernel has."""
    own = _own_cgroups()
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
        children = _descendants(process.pid)
        assert len(children) >= 3
        assert _cells(process.pid)
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert _cells(process.pid) == []
        assert not any(exists(pid) for pid in children)


def test_the_command_may_handle_a_signal() -> None:
    """A command that traps SIGTERM decides itself how it ends."""
    script = "trap 'exit 9' TERM; echo on; while :; do sleep 0.05; done"
    with running("--", "sh", "-c", script) as process:
        assert _line(process) == "on"
        process.terminate()
        assert process.wait(10) == 9


def _descendants(pid: int) -> list[int]:
    found = []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        found += [child, *_descendants(child)]
    return found


def test_kill_leaves_nothing_running_and_the_next_run_sweeps() -> None:
    """SIGKILL of the run ends all it started; its empty cgroups go with the next run."""
    with running("--", "sh", "-c", "echo on; sleep 60 & sleep 60") as process:
        assert _line(process) == "on"
        children = _descendants(process.pid)
        process.kill()
        process.wait()
        assert eventually(lambda: not any(exists(pid) for pid in children))
        assert _cells(process.pid)
        run("--", "true")
        assert _cells(process.pid) == []


def test_a_view_that_dies_stops_the_command() -> None:
    """Without its view the command would see nothing: it is stopped, and one line says why."""
    with running("--", "sh", "-c", "echo on; sleep 60") as process:
        assert _line(process) == "on"
        view = next(
            pid for pid in _descendants(process.pid) if os.getsid(pid) != os.getsid(process.pid)
        )
        os.kill(view, signal.SIGKILL)
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert "the view's process ended" in process.stderr.read()
        assert _cells(process.pid) == []


def test_cgroups_made_inside_are_removed_too() -> None:
    """Cgroups that the command makes below its own do not keep it from being removed."""
    with running("--", "sh", "-c", "echo on; read wait") as process:
        assert _line(process) == "on"
        for cell in _cells(process.pid):
            (cell / "inner").mkdir()
        process.terminate()
        process.wait(10)
        assert _cells(process.pid) == []


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = {"PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "xterm"}
            shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
            os.execvpe("bash", shell, environment)  # noqa: S606 - bash itself is wanted

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def expect(self, pattern: str, seconds: float = 10) -> str:
        """Return what came up to a pattern."""
        shown, until = "", time.monotonic() + seconds
        while re.search(pattern, shown) is None:
            if not select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0]:
                pytest.fail(f"no {pattern!r} in {shown!r}")
            shown += os.read(self._fd, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        """Hang up, as closing the window would."""
        os.close(self._fd)
        if not eventually(lambda: os.waitpid(self.pid, os.WNOHANG)[0] != 0, 5):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A shell with job control, hung up at the end."""
    # pty.fork warns of other threads; the child execs at once.
    shell = Terminal()
    try:
        shell.expect(r"\$ ")
        yield shell
    finally:
        shell.close()


def test_control_c_ends_the_command(terminal: Terminal) -> None:
    """Ctrl-C goes to the command, and the run ends as a shell expects: 130."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60'\n")
    terminal.expect(r"\non\r")
    terminal.type("\x03")
    terminal.expect(r"\$ ")
    terminal.type("echo status=$?\n")
    terminal.expect("status=130")


def test_stop_and_continue(terminal: Terminal) -> None:
    """Ctrl-Z stops the run as a job of the shell, fg continues the command with the terminal."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; read line; echo got $line'\n")
    terminal.expect(r"\non\r")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.type("fg\n")
    terminal.expect("lxfs.cli")
    terminal.type("typed\n")
    terminal.expect(r"\ngot typed")


def test_a_pager_behind_a_run_gets_the_keys(terminal: Terminal) -> None:
    """In a pipeline the terminal stays with the pipeline: the reader of the run can read keys."""
    reader = "read key < /dev/tty; cat; echo key=$key"
    terminal.type(f"{' '.join(LXFS)} run echo printed | sh -c '{reader}'\n")
    terminal.expect("key < /dev/tty")
    terminal.type("pressed\n")
    terminal.expect(r"printed\r\nkey=pressed")


def test_control_c_ends_a_pipeline(terminal: Terminal) -> None:
    """In a pipeline, too, Ctrl-C ends the command; its status is that of the signal."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60' | cat\n")
    terminal.expect(r"\non\r")
    terminal.type("\x03")
    terminal.expect(r"\$ ")
    terminal.type("echo status=${PIPESTATUS[0]}\n")
    terminal.expect("status=130")


def test_a_run_from_the_background_gets_the_terminal_with_fg(terminal: Terminal) -> None:
    """A run started with & stops when it reads keys, and reads them after fg."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; read line; echo got $line' &\n")
    terminal.expect(r"[ \n]on\r")
    job = _job(terminal)
    assert eventually(lambda: ") T " in Path(f"/proc/{job}/stat").read_text())
    terminal.type("fg\n")
    terminal.expect("lxfs.cli")
    terminal.type("typed\n")
    terminal.expect(r"\ngot typed")


def test_hanging_up_ends_the_run(terminal: Terminal) -> None:
    """Closing the terminal ends the command and removes the cgroups."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60'\n")
    terminal.expect(r"\non\r")
    job = _job(terminal)
    started = [job, *_descendants(job)]
    os.kill(terminal.pid, signal.SIGHUP)
    assert eventually(lambda: not any(exists(pid) for pid in started))
    assert eventually(lambda: _cells(job) == [])


def _job(terminal: Terminal) -> int:
    """Return the pid of the one run that the shell has."""
    children = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()
    (job,) = (
        int(pid) for pid in children if b"lxfs.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return job


@pytest.mark.skipif(shutil.which("htop") is None, reason="htop is not installed")
def test_htop_agrees(terminal: Terminal) -> None:
    """The referee htop draws a machine of 64 MB with two tasks, and quits on q."""
    terminal.type(f"stty rows 24 cols 90; {' '.join(LXFS)} run --memory 64M --cpus 1 htop\n")
    shown = terminal.expect(r"/64\.0M")
    terminal.type("q")
    terminal.expect(r"\$ ")
    assert "lxfs.cli" in shown
