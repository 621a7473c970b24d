"""lxfs under a service manager that keeps its descriptors: everything may die at once.

The manager is a stand-in that speaks the protocol of sd_notify(3) and sd_listen_fds(3);
tests/machine/test_survival.py is the same with systemd.
"""

import array
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs import syscalls
from tests.drivers.conftest import LXFS, descendants, eventually, exists, is_mounted


class Manager:
    """Starts the service and keeps what it is given."""

    def __init__(self, directory: Path) -> None:
        self.view = directory / "view"
        self.view.mkdir()
        self._state = directory / "state"
        self._address = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))
        self.kept: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.service: subprocess.Popen[bytes] | None = None

    def _listen(self, seconds: float) -> bool:
        """Take one message in, as systemd does; return whether there was one."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return False
        text, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(64))
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data[: len(data) - len(data) % 4])
        fields = dict(line.split("=", 1) for line in text.decode().splitlines())
        name = fields.get("FDNAME", "")
        if "FDSTOREREMOVE" in fields:
            for there in [pair for pair in self.kept if pair[0] == name]:
                os.close(there[1])
                self.kept.remove(there)
        if "FDSTORE" in fields:
            self.kept += [(name, descriptor) for descriptor in descriptors]
        self.said.append(text.decode())
        return True

    def start(self) -> int:
        """Start the service, with what is kept; return its pid when it is ready."""
        # systemd lets go of a descriptor that reports an error or a hang-up.
        for pair in list(self.kept):
            poll = select.poll()
            with contextlib.suppress(OSError):
                poll.register(pair[1], 0)
                if poll.poll(0):
                    os.close(pair[1])
                    self.kept.remove(pair)
        kept = list(self.kept)
        names = ":".join(name for name, _ in kept)
        copies = [os.dup(descriptor) for _, descriptor in kept]  # above those that it gets
        moves = "".join(f" {3 + number}<&{copy}" for number, copy in enumerate(copies))
        listen = f"LISTEN_FDS={len(kept)} LISTEN_PID=$$ LISTEN_FDNAMES={names}" if kept else ""
        mount = [*LXFS, "mount", "-f", "--state", str(self._state), str(self.view)]
        script = f"exec env {listen} NOTIFY_SOCKET={self._address} {' '.join(mount)}"
        self.said = []
        self.service = subprocess.Popen(["bash", "-c", f"{script}{moves}"], pass_fds=copies)
        for copy in copies:
            os.close(copy)
        assert eventually(lambda: self._listen(0.1) and "READY=1" in self.said, 60), self.said
        return self.service.pid

    def end(self) -> None:
        """End whatever is left."""
        if self.service is not None:
            for pid in (*descendants(self.service.pid), self.service.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.service.wait()
        for _, descriptor in self.kept:
            os.close(descriptor)
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager whose service is gone at the end."""
    manager = Manager(tmp_path)
    try:
        yield manager
    finally:
        if manager.service is not None and manager.service.poll() is None:
            manager.end()
        while is_mounted(manager.view):
            syscalls.umount(str(manager.view), syscalls.MNT_DETACH)


@contextlib.contextmanager
def _read_all_the_time(path: Path) -> Iterator[list[str]]:
    """Read a file until the block ends; yield what was wrong, and a dot for each good read."""
    seen: list[str] = []
    over = threading.Event()

    def read() -> None:
        with path.open("rb", buffering=0) as held:
            while not over.is_set():
                try:
                    with path.open("rb", buffering=0) as file:
                        text = b"".join(iter(lambda: file.read(300), b""))
                    held.seek(0)
                    good = text.endswith(b"kB\n") and held.read(9) == b"MemTotal:"
                    seen.append("." if good else repr(text))
                except OSError as error:
                    seen.append(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join(30)


def _kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not any(map(exists, pids)))


def test_everything_may_die(manager: Manager) -> None:
    """All processes killed, or the holder alone: the next service goes on, and no read fails."""
    first = manager.start()
    assert sorted(name for name, _ in manager.kept) == ["device", "ledger", "memory"]
    with _read_all_the_time(manager.view / "proc/meminfo") as seen:
        assert eventually(lambda: len(seen) > 3)
        _kill(first, *descendants(first))
        manager.service.wait()  # type: ignore[union-attr]
        second = manager.start()
        count = len(seen)
        assert eventually(lambda: len(seen) > count + 3)
        _kill(second)
        manager.service.wait()  # type: ignore[union-attr]
        manager.start()
        count = len(seen)
        assert eventually(lambda: len(seen) > count + 3)
    assert set(seen) == {"."}
    assert Path("/proc/self/mountinfo").read_text().count(f" {manager.view} ") == 1
    assert sorted(name for name, _ in manager.kept) == ["device", "ledger", "memory"]


def test_a_restart_keeps_what_containers_have(manager: Manager, tmp_path: Path) -> None:
    """SIGTERM takes the mount off; the next service mounts it again, as what is bound lives on."""
    bound = tmp_path / "bound"
    bound.touch()
    manager.start()
    syscalls.mount(str(manager.view / "proc/meminfo"), str(bound), flags=syscalls.MS_BIND)
    try:
        with _read_all_the_time(bound) as seen:
            assert eventually(lambda: len(seen) > 3)
            assert manager.service is not None
            manager.service.terminate()
            assert manager.service.wait(30) == 0
            assert not is_mounted(manager.view)
            manager.start()
            count = len(seen)
            assert eventually(lambda: len(seen) > count + 3)
        assert set(seen) == {"."}
        assert (manager.view / "proc/uptime").read_bytes()
    finally:
        syscalls.umount(str(bound), syscalls.MNT_DETACH)


def test_after_an_umount_it_begins_anew(manager: Manager) -> None:
    """When nothing of the mount is left the next service makes another, with the same state."""
    manager.start()
    syscalls.umount(str(manager.view), syscalls.MNT_DETACH)
    assert manager.service is not None
    assert manager.service.wait(30) == 0
    assert "device" in [name for name, _ in manager.kept]
    manager.start()
    assert (manager.view / "proc/uptime").read_bytes()
    assert sorted(name for name, _ in manager.kept) == ["device", "ledger", "memory"]


def test_a_lost_record_is_asked_for_again(manager: Manager) -> None:
    """With the device alone, and no memory, the kernel is asked for what has no answer (6.9)."""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 9):
        pytest.skip("this kernel does not send requests again")
    first = manager.start()
    pids = [first, *descendants(first)]
    os.kill(pids[1], signal.SIGSTOP)
    os.kill(pids[2], signal.SIGSTOP)
    command = [sys.executable, "-c", f"print(open({str(manager.view / 'proc/meminfo')!r}).read())"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        _kill(*pids)
        manager.service.wait()  # type: ignore[union-attr]
        for pair in [pair for pair in manager.kept if pair[0] == "memory"]:
            os.close(pair[1])
            manager.kept.remove(pair)
        manager.start()
        assert reader.communicate(timeout=60)[0].startswith("MemTotal:")
    assert (manager.view / "proc/uptime").read_bytes()
