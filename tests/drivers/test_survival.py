"""Our own session outlives whatever dies: readers notice nothing, and what was open goes on."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lxfs as package
from lxfs import syscalls
from lxfs.drivers.native import finding
from tests.drivers.conftest import (
    Caller,
    Mount,
    descendants,
    eventually,
    exists,
    is_mounted,
    lxfs,
    mounted,
)
from tests.drivers.soaking import session, sizes, soak
from tests.fixtures import HERE

ROOT = HERE.parent.parent
MNT_FORCE = 1


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Mount]:
    """A mount of the native driver, for one test to do its worst to."""
    with mounted(tmp_path / "view") as mount:
        yield mount


def _kill(view: Mount, part: str = "server") -> int:
    """Kill the process that plays a part, wait until there is another, and return its pid."""
    found = session(view)
    assert eventually(lambda: getattr(found, part) is not None)
    before = getattr(found, part)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: getattr(found, part) not in (None, before))
    return int(getattr(found, part))


def test_readers_do_not_notice(tmp_path: Path) -> None:
    """While the server is killed at random times no read fails, none is torn, and nothing grows."""
    report = soak(tmp_path / "view", kills=25, reads=100, containers=3, pause=0.03)
    assert report.wrong == []
    assert report.kills == 25
    assert report.files >= 300
    assert report.grown() == [], report.sizes


def test_a_text_goes_on_after_a_kill(view: Mount) -> None:
    """A file of which a part was read is, over any number of servers, that one text."""
    with (view.directory / "proc/stat").open("rb", buffering=0) as file:
        parts = [file.read(1000)]
        time.sleep(0.1)  # by now it would be another text
        while parts[-1]:
            _kill(view)
            parts.append(file.read(100))
        total, *each = (
            [int(column) for column in line.split()[1:4]]
            for line in b"".join(parts).splitlines()
            if line.startswith(b"cpu")
        )
        for column, value in enumerate(total):
            assert 0 <= value - sum(cpu[column] for cpu in each) <= len(each)
        assert file.read(100) == b""
        file.seek(0)
        assert file.read(4) == b"cpu "


def test_a_descriptor_goes_on_showing_its_openers(view: Mount, caller: Caller) -> None:
    """What a container has opened is that container's after a kill, whoever reads it."""
    program = textwrap.dedent(f"""
        import os
        opened = os.open({str(view.directory)!r} + "/proc/meminfo", os.O_RDONLY)
        print(opened, flush=True)
        input()
        print(os.pread(opened, 27, 0), os.pread(opened, 10, 1 << 20), flush=True)
    """)
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", program],
        preexec_fn=caller._cell.enter,  # noqa: PLW1509 - no thread of ours is about
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        number = int(reader.stdout.readline())
        ours = syscalls.descriptor_of(os.pidfd_open(descendants(reader.pid)[0]), number)
        for _ in range(2):
            _kill(view)
            assert os.pread(ours, 27, 0) == b"MemTotal:         262144 kB"
        os.close(ours)
        said, _ = reader.communicate("\n", timeout=60)
    assert said == "b'MemTotal:         262144 kB' b''\n"


def test_what_is_open_stays_counted_and_is_let_go(view: Mount) -> None:
    """Handles that outlive a server are closed in the next one, and their records used again."""
    found = session(view)
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            file = stack.enter_context((view.directory / "proc/stat").open("rb", buffering=0))
            file.read(10)
        before = sizes(found)["shared kB"]
        _kill(view)
    for _ in range(3):
        _kill(view)
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                file = stack.enter_context((view.directory / "proc/stat").open("rb", buffering=0))
                file.read(10)
    assert sizes(found)["shared kB"] <= before + 64


@pytest.mark.parametrize("part", ["spawner", "server"])
def test_each_part_is_replaced(view: Mount, part: str) -> None:
    """Killed one after the other, spawner and server have successors, and files are served."""
    for _ in range(3):
        _kill(view, part)
        assert view.host_reads("proc/uptime")
    assert exists(view.pid)
    assert eventually(lambda: len(descendants(view.pid)) == 2)


def test_files_live_without_their_holder(view: Mount) -> None:
    """When the process of the pid file is killed files are served, also by the next server."""
    found = session(view)
    with (view.directory / "proc/stat").open("rb", buffering=0) as file:
        text = file.read(1000)
        os.kill(view.pid, signal.SIGKILL)
        assert eventually(lambda: found.holder is None)
        assert view.host_reads("proc/uptime")
        _kill(view)
        assert view.host_reads("proc/uptime")
        # The next mount takes it over, and open files with it.
        again = lxfs("mount", str(view.directory), "--pidfile", str(view.pidfile))
        assert (again.returncode, again.stderr) == (0, "")
        holder = int(view.pidfile.read_text())
        assert found.holder == holder != view.pid
        text += file.read()
        assert text.count(b"btime") == 1
    view.pid = holder
    assert Path("/proc/self/mountinfo").read_text().count(f" {view.directory} ") == 1
    _kill(view, "spawner")
    assert view.host_reads("proc/uptime")


def test_upgrade_restores_a_holder(view: Mount) -> None:
    """``lxfs upgrade`` of a mount whose holder died starts another, with its pid file and rules."""
    found = session(view)
    os.kill(view.pid, signal.SIGKILL)
    assert eventually(lambda: found.holder is None)
    done = lxfs("upgrade", str(view.directory))
    assert (done.returncode, done.stderr) == (0, "")
    view.pid = int(view.pidfile.read_text())
    assert found.holder == view.pid
    assert view.host_reads("proc/uptime")


@pytest.mark.parametrize("way", ["verb", "signal"])
def test_upgrade_under_load(view: Mount, caller: Caller, way: str) -> None:
    """New code takes over while a container reads, and no read fails."""
    found = session(view)
    program = textwrap.dedent(f"""
        import os, select, sys
        count = 0
        while not select.select([0], [], [], 0)[0]:
            for name in ("meminfo", "stat", "uptime"):
                with open({str(view.directory)!r} + "/proc/" + name, "rb", buffering=0) as file:
                    assert b"".join(iter(lambda: file.read(300), b"")).endswith(b"\\n")
                    count += 1
        print(count)
    """)
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", program],
        preexec_fn=caller._cell.enter,  # noqa: PLW1509 - no thread of ours is about
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        for _ in range(2):
            spawner, server = found.spawner, found.server
            if way == "verb":
                done = lxfs("upgrade", str(view.directory))
                version = package.__version__
                assert done.stdout == f"version {version} served; version {version} serves now\n"
            else:
                os.kill(view.pid, signal.SIGHUP)
            assert eventually(lambda old=spawner: found.spawner not in (None, old), 30)  # type: ignore[misc]
            assert eventually(lambda old=server: found.server not in (None, old))  # type: ignore[misc]
        said, errors = reader.communicate("\n", timeout=60)
    assert errors == ""
    assert int(said) > 0


def test_a_new_version_that_cannot_start_changes_nothing(tmp_path: Path) -> None:
    """Code that cannot be imported leaves the old one serving, and ``lxfs upgrade`` says why."""
    copy = tmp_path / "code"
    shutil.copytree(ROOT / "lxfs", copy / "lxfs")
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-m", "lxfs.cli"]
    directory, pidfile = tmp_path / "view", tmp_path / "pid"
    directory.mkdir()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert run("mount", str(directory), "--pidfile", str(pidfile)).returncode == 0
    try:
        view = Mount(directory, pidfile)
        found = session(view)
        before = found.spawner, found.server
        table = copy / "lxfs/table.py"
        good = table.read_text()
        table.write_text("import no_such_module\n" + good)
        done = lxfs("upgrade", str(directory))  # by the good code: it is the mount's that is bad
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "as before: " in done.stderr
        assert "no_such_module" in done.stderr
        assert (found.spawner, found.server) == before
        assert view.host_reads("proc/uptime")
        _kill(view)
        assert view.host_reads("proc/uptime")
        table.write_text(good)
        (copy / "lxfs/__init__.py").write_text('__version__ = "9.9"\n')
        assert "version 9.9 serves now" in lxfs("upgrade", str(directory)).stdout
        assert view.host_reads("proc/uptime")
    finally:
        lxfs("umount", str(directory))


def test_upgrade_of_what_cannot_be(tmp_path: Path) -> None:
    """Nothing mounted, and a mount by libfuse, are one line each."""
    done = lxfs("upgrade", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no lxfs is mounted" in done.stderr
    with mounted(tmp_path / "view", "--driver", "fusepy") as mount:
        done = lxfs("upgrade", str(mount.directory))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "cannot be upgraded" in done.stderr
        assert mount.host_reads("proc/uptime")


def test_a_stopped_server_is_replaced(view: Mount) -> None:
    """A server that answers nothing, though a request waits, is ended; the request is answered."""
    found = session(view)
    stopped = found.server
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    assert view.host_reads("proc/uptime")  # waits for the watchdog
    assert found.server != stopped
    assert not exists(stopped)


BROKEN = """
    import os, sys, time
    from functools import partial
    from lxfs.drivers import rules
    from lxfs.drivers.native import spawner, start
    from lxfs.drivers.native.memory import Memory
    from lxfs.drivers.rules import Rules
    from lxfs.table import FILES, File
    from lxfs.tree import Tree
    def hang(now):
        time.sleep(1000)
    def die(now):
        os.kill(os.getpid(), 11)
    files = (*FILES, File("proc/hanging", hang), File("proc/deadly", die))
    rules.Tree = partial(Tree, files=files)
    session = start.mounted(sys.argv[1], None)
    memory = Memory(session.memory)
    control, _writing = os.pipe()
    _reading, report = os.pipe()
    spawner.Spawner(session.device, memory, session.ledger, Rules()).run(control, report)
"""


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Path]:
    """A mount of which one file never comes and another kills its server."""
    directory = tmp_path / "broken"
    directory.mkdir()
    program = textwrap.dedent(BROKEN)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory)], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as served:
        try:
            assert eventually(lambda: is_mounted(directory), 30)
            yield directory
        finally:
            pids = descendants(served.pid)
            served.kill()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            lxfs("umount", str(directory))


@contextlib.contextmanager
def _reading(caller: Caller, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a container read a file meanwhile."""
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "cat", str(path)],
        preexec_fn=caller._cell.enter,  # noqa: PLW1509 - no thread of ours is about
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        try:
            yield reader
        finally:
            reader.kill()


def test_a_request_that_hangs_blocks_only_its_caller(broken: Path, caller: Caller) -> None:
    """While several requests never end, all others are answered."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(_reading(caller, broken / "proc/hanging")) for _ in range(3)]
        for _ in range(5):
            assert caller.reads(broken / "proc/meminfo").startswith("MemTotal:         262144 kB")
        assert all(one.poll() is None for one in readers)
        found = _session_of(broken)
        for _ in range(8):  # it is not their fault
            killed = found.server
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            assert eventually(lambda old=killed: found.server not in (None, old))  # type: ignore[misc]
            assert caller.reads(broken / "proc/uptime")
        # Begun anew, they hang again, and block nobody this time either.
        for _ in range(5):
            assert caller.reads(broken / "proc/meminfo").startswith("MemTotal:         262144 kB")
        assert all(one.poll() is None for one in readers)
        stack.callback(lambda: _end(broken))


def test_a_request_that_kills_is_eio(broken: Path, caller: Caller) -> None:
    """A request over which server after server dies is EIO in the end; others are served."""
    with _reading(caller, broken / "proc/deadly") as reader:
        _, errors = reader.communicate(timeout=60)
        assert os.strerror(errno.EIO) in errors
    assert caller.reads(broken / "proc/meminfo").startswith("MemTotal:         262144 kB")


def _session_of(directory: Path) -> finding.Found:
    mount = Mount.__new__(Mount)
    mount.directory = directory
    return session(mount)


def _end(directory: Path) -> None:
    """Let those go who wait for an answer that never comes."""
    with contextlib.suppress(OSError):  # EBUSY: it aborts what is on its way, and stays
        syscalls.umount(str(directory), MNT_FORCE)
