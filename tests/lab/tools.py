"""Commands, locks and signals that the rest of the lab uses.

Role: small helpers around the operating system. Boundary: knows nothing of LXD.
Threading: `run` from any thread; `no_interrupts` acts in the main thread only.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from .errors import LabError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run ARGV to its end and capture its text; raise LabError with its complaint if it fails."""
    done = subprocess.run(
        argv,
        input=stdin or b"",
        capture_output=True,
        check=False,
        timeout=timeout,
        env=None if env is None else dict(env),
    )
    text = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and text.returncode:
        said = (text.stderr or text.stdout).strip()
        raise LabError(f"{' '.join(argv)}: exit status {text.returncode}: {said}")
    return text


def which(program: str, *more: str) -> str | None:
    """Find PROGRAM in root's usual PATH, or at one of the absolute paths MORE."""
    found = shutil.which(program, path=SYSTEM_PATH)
    return found or next((path for path in more if os.access(path, os.X_OK)), None)


def wait_until(test: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Poll TEST until it is true (True) or SECONDS have passed (False)."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


class Lock:
    """A lock between processes that needs no file and dies with its holder.

    It is an abstract unix socket, so a killed holder leaves nothing to clean up.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket: socket.socket | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0lxtui-lab:{self.name}")
        except OSError:
            holder.close()
            return False
        self._socket = holder
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._socket:
            self._socket.close()
            self._socket = None


@contextmanager
def locked(name: str, seconds: float = 120) -> Iterator[None]:
    """Hold the lock NAME; raise LabError when another process keeps it for SECONDS."""
    lock = Lock(name)
    if not wait_until(lock.try_acquire, seconds):
        raise LabError(f"another process holds the lab's lock {name!r} for over {seconds:.0f} s")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def no_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C and friends, here and in children: a removal must run to its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
