"""A program on a pseudo terminal, read as a terminal would read it.

Role: starts lxtui there, presses keys, waits for what is written; memory and CPU time from /proc.
Boundary: a pseudo terminal and a child process. Threading: none.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

_ESCAPES = re.compile(
    rb"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|[=>78])"
)
_CHUNK = 65_536
_LONGEST = 64
"""Bytes that an escape sequence has at most."""
_PATIENCE = 60.0


@dataclass
class Terminal:
    """lxtui on a pseudo terminal."""

    arguments: list[str]
    columns: int
    rows: int
    home: str
    environment: dict[str, str] = field(default_factory=dict)
    """Beside what this process has."""
    began: float = 0.0
    pid: int = 0
    descriptor: int = -1
    text: bytearray = field(default_factory=bytearray)
    """What was written since the last ``forget``, without escape sequences."""
    _raw: bytes = b""

    def start(self) -> None:
        """Begin; the clock of the first paint runs from here."""
        self.began = time.monotonic()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
            environment |= {"HOME": self.home, "XDG_STATE_HOME": self.home, "LANG": "C.UTF-8"}
            environment |= {"XDG_CONFIG_HOME": self.home, "TMPDIR": self.home, **self.environment}
            command = [sys.executable, "-m", "lxtui.start", *self.arguments]
            os.execve(sys.executable, command, environment)  # noqa: S606
        size = struct.pack("HHHH", self.rows, self.columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def forget(self) -> None:
        """Wait no longer for what was written before."""
        self.text.clear()

    def wait(self, pattern: bytes, seconds: float = _PATIENCE) -> float:
        """Read until *pattern* has been written; the moment of it. TimeoutError when it is not."""
        wanted, deadline = re.compile(pattern), time.monotonic() + seconds
        while not wanted.search(self.text):
            if not self.read(deadline - time.monotonic()):
                raise TimeoutError(f"{pattern!r} did not come: {bytes(self.text[-300:])!r}")
        return time.monotonic()

    def read(self, seconds: float) -> bool:
        """Take what comes within that time; whether anything did."""
        ready, _, _ = select.select([self.descriptor], [], [], max(seconds, 0))
        if not ready:
            return False
        self._raw += os.read(self.descriptor, _CHUNK)
        plain = _ESCAPES.sub(b"", self._raw)
        whole, escape, rest = plain.rpartition(b"\x1b")  # one that is cut off waits for its end
        cut = len(rest) < _LONGEST if escape else False
        self.text += whole if cut else plain
        self._raw = escape + rest if cut else b""
        return True

    def idle(self, seconds: float) -> None:
        """Read on for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def press(self, key: bytes) -> float:
        """Send a key; the moment of it."""
        self.forget()
        moment = time.monotonic()
        os.write(self.descriptor, key)
        return moment

    def memory(self) -> int:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) * 1024  # type: ignore[index]

    def processor(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)
