"""Real mounts and real callers for the tests of this rung, removed whatever happens.

Role: fixtures. Boundary: processes and cgroups are the test's own, and ended by pid.
Threading: none.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from lxfs import syscalls
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import CONTROLLERS, Hierarchies
from lxfs.sources.host import Host

LXFS = (sys.executable, "-m", "lxfs.cli")
MIB = 1 << 20
LIMITS = Limits(memory=256 * MIB, cpus=Fraction(1), pids=200)


_driver = "native"


@pytest.fixture(scope="module", params=["native", "fusepy"])
def driver(request: pytest.FixtureRequest) -> Iterator[str]:
    """The driver of all mounts of a module; its tests run once with each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "_driver", request.param)
        yield request.param


def mounting(*arguments: str) -> list[str]:
    """Return the command that mounts by the present driver."""
    return [*LXFS, "mount", "--driver", _driver, *arguments]


def _why_not() -> str | None:
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "needs /dev/fuse"
    try:
        import lxfs.drivers.fusepy  # noqa: F401
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        return str(error)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where nothing can be mounted."""
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    reason = _why_not() if own else None
    for item in own:
        item.add_marker(pytest.mark.fuse)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def lxfs(
    *arguments: str, env: dict[str, str] | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the lxfs command to its end, with ``text`` to read, and return what it said."""
    return subprocess.run(
        [*LXFS, *arguments],
        env=env,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Return whether a condition comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_mounted(directory: Path) -> bool:
    """Return whether something is mounted on a directory."""
    return f" {directory} " in Path("/proc/self/mountinfo").read_text()


def exists(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


class Mount:
    """A daemon's mount and its pid."""

    def __init__(self, directory: Path, pidfile: Path) -> None:
        self.directory = directory
        self.pidfile = pidfile
        self.pid = int(pidfile.read_text())

    @property
    def server(self) -> int:
        """The process that answers: of the native driver the holder's grandchild."""
        return [self.pid, *descendants(self.pid)][-1]

    def kill(self) -> None:
        """Kill all that there is of the daemon."""
        pids = [self.pid, *descendants(self.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not any(map(exists, pids)))

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop all that there is of the daemon: of one alone the others would take the place."""
        pids = [self.pid, *descendants(self.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def host_reads(self, path: str) -> bytes:
        """Return a file as the host's own processes see it."""
        return (self.directory / path).read_bytes()


@contextlib.contextmanager
def mounted(directory: Path, *options: str) -> Iterator[Mount]:
    """Mount by the command, as a daemon; take everything away at the end."""
    directory.mkdir(exist_ok=True)
    pidfile = directory.with_suffix(".pid")
    command = mounting(str(directory), "--pidfile", str(pidfile), *options)
    done = lxfs(*command[len(LXFS) :])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    mount = Mount(directory, pidfile)
    try:
        yield mount
    finally:
        pids = descendants(mount.pid) if exists(mount.pid) else []
        with contextlib.suppress(OSError):
            syscalls.umount(str(directory), syscalls.MNT_DETACH)
        pids.append(mount.pid)
        if not eventually(lambda: not any(map(exists, pids)), 5):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def mount(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:  # noqa: ARG001
    """A mount shared by the tests of a module that only read."""
    with mounted(tmp_path_factory.mktemp("lxfs") / "view") as mount:
        yield mount


class Caller:
    """Runs commands in a new pid namespace and a cgroup of 256 MiB, one CPU, 200 tasks."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as that container would."""
        return subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command],
            preexec_fn=self._cell.enter,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def reads(self, path: Path) -> str:
        """Return a file as that container sees it."""
        done = self(["cat", str(path)])
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    """A container-like caller."""
    host = Host()
    cell = Cell.make(LIMITS, host, Hierarchies.find(host))
    try:
        yield Caller(cell)
    finally:
        cell.remove()


def own_cgroups() -> dict[str, Path]:
    """Return our own directory in each hierarchy: where runs make theirs."""
    host = Host()
    hierarchies, paths = Hierarchies.find(host), host.cgroup_paths(os.getpid())
    found = {name: hierarchies.place(name, paths) for name in CONTROLLERS}
    own = {name: Path(f[0].point + f[0].path) for name, f in found.items() if f is not None}
    if (unified := hierarchies.unified(paths)) is not None:
        own[""] = Path(unified.point + unified.path)
    return own


def cells_of(pid: int) -> list[Path]:
    """Return what is left of the cgroups of a run."""
    owns = set(own_cgroups().values())  # in v2 all controllers share one
    return [path for own in owns for path in own.glob(f"lxfs-run-*-{pid}-*")]


def descendants(pid: int) -> list[int]:
    """Return the pids of all processes below one."""
    found = []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        found += [child, *descendants(child)]
    return found
