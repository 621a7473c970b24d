"""The host's own files under a temporary root."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lxfs.model import SourceError
from lxfs.sources.host import Host
from tests.fixtures import HYBRID, INIT, MEMBER, STRANGER, V2, fixture_host


def test_namespaces_are_told_apart(tmp_path: Path) -> None:
    """Processes of one pid namespace have its inode, others another."""
    host = fixture_host(V2, tmp_path)
    assert host.pid_namespace(INIT) == host.pid_namespace(MEMBER)
    assert host.pid_namespace(STRANGER) == host.pid_namespace("self")
    assert host.pid_namespace(INIT) != host.pid_namespace("self")


def test_init_is_found_without_the_ioctl(tmp_path: Path) -> None:
    """Where the kernel does not know the ioctl, NSpid says who is number 1 of the namespace."""
    host = fixture_host(V2, tmp_path)
    assert host.namespace_init(MEMBER, host.pid_namespace(MEMBER)) == INIT


def test_a_namespace_without_init(tmp_path: Path) -> None:
    """A namespace whose init is gone is ESRCH, and the error names the path asked."""
    host = fixture_host(V2, tmp_path)
    (tmp_path / f"proc/{INIT}/status").unlink()
    with pytest.raises(SourceError) as caught:
        host.namespace_init(MEMBER, host.pid_namespace(MEMBER))
    assert caught.value.errno == errno.ESRCH
    assert caught.value.filename == str(tmp_path / f"proc/{MEMBER}/ns/pid")


def test_starttime_of_a_name_with_parentheses(tmp_path: Path) -> None:
    """The synthesised init is called "systemd (c1)"; its start is still field 22."""
    assert fixture_host(V2, tmp_path).starttime(INIT) == 400000


def test_age_is_never_negative(tmp_path: Path) -> None:
    """A process that starts within this tick is of age 0."""
    host = fixture_host(V2, tmp_path)
    assert host.age(400000, host.monotonic()) == 1000 * 10**9
    assert host.age(500001, host.monotonic()) == 0


def test_page_sizes(tmp_path: Path) -> None:
    """A page is the machine's; a huge one is read, and may not be there at all."""
    host = fixture_host(V2, tmp_path)
    assert host.page_sizes() == (os.sysconf("SC_PAGE_SIZE"), 2 << 20)
    path = tmp_path / "sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
    path.write_text("two\n")
    with pytest.raises(SourceError, match="hpage_pmd_size"):
        host.page_sizes()
    path.unlink()
    assert host.page_sizes()[1] is None


def test_recorded_host(tmp_path: Path) -> None:
    """The recorded host has two CPUs online, and its container's cgroups by controller."""
    host = fixture_host(HYBRID, tmp_path)
    assert host.online_cpus() == (0, 1)
    assert host.cgroup_paths(INIT)["memory"] == "/session/lxfs-run"
    assert host.task_status(INIT).nspid[1:] == (1,)


@pytest.mark.parametrize("name", ["proc/1000/stat", "proc/1000/status", "proc/1000/cgroup"])
def test_missing_and_malformed_files_are_named(tmp_path: Path, name: str) -> None:
    """Both failures carry the path: missing as ENOENT, malformed as EIO."""
    host = fixture_host(V2, tmp_path)
    readers: dict[str, Callable[[], object]] = {
        "stat": lambda: host.starttime(INIT),
        "status": lambda: host.task_status(INIT),
        "cgroup": lambda: host.cgroup_paths(INIT),
    }
    read = readers[Path(name).name]
    for text, expected in (("nonsense\n", errno.EIO), (None, errno.ENOENT)):
        if text is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(text)
        with pytest.raises(SourceError) as caught:
            read()
        assert caught.value.errno == expected
        assert caught.value.filename == str(tmp_path / name)


def test_the_kernel_agrees_about_this_very_process() -> None:
    """On the real /proc our own start lies between boot and now, in our own namespace."""
    host = Host()
    assert 0 < host.starttime(os.getpid()) * 10**7 < host.monotonic()
    assert host.pid_namespace(os.getpid()) == host.pid_namespace("self")
    assert host.task_status(os.getpid()).nspid[-1] == os.getpid()


def test_the_time_of_boot_is_read_anew_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is fixed is read once; a wall clock that was set shows another time of boot."""

    class Below(Host):
        def path(self, relative: str) -> str:
            return f"{tmp_path}/{relative}"

    host = Below()
    (tmp_path / "proc").mkdir()
    file = tmp_path / "proc/stat"
    file.write_text("btime 1\n")
    assert host.fixed("proc/stat") == b"btime 1\n"
    file.write_text("btime 3601\n")
    assert host.fixed("proc/stat") == b"btime 1\n"
    set_by = 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda was=time.time_ns: was() + set_by)
    assert host.fixed("proc/stat") == b"btime 3601\n"
