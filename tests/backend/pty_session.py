"""A program on a terminal of its own, for tests that press keys.

Role: forks it on a pseudo-terminal, types, waits for what it shows. Boundary: knows nothing of the
packages under test. Threading: one caller.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

import pytest

SECONDS = 60.0
"""For what a loaded machine does in two."""


class OnTerminal:
    """A program on a terminal of 24 lines."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], width: int = 100
    ) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
            os.execvpe(words[0], list(words), dict(environment))  # noqa: S606 no shell is wanted
        self.shown = ""

    def resize(self, width: int, height: int) -> None:
        """As a window manager would."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def expect(self, pattern: str, seconds: float = SECONDS) -> str:
        """What came up to a pattern, which is taken away."""
        until = time.monotonic() + seconds
        while (found := re.search(pattern, self.shown)) is None:
            if not self._read(until):
                pytest.fail(f"no {pattern!r} in {self.shown!r}")
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    @property
    def is_raw(self) -> bool:
        """Whether keys come one by one, Ctrl-C among them."""
        return not termios.tcgetattr(self._master)[3] & (termios.ICANON | termios.ISIG)

    def ended(self, seconds: float = SECONDS) -> int:
        """Its exit status, minus the signal that killed it."""
        until = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                pytest.fail(f"it runs on: {self.shown!r}")
            self._read(time.monotonic() + 0.1)

    def close(self) -> None:
        """Hang up."""
        os.close(self._master)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _read(self, until: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        try:
            self.shown += os.read(self._master, 65536).decode(errors="replace")
        except OSError:
            return False
        return True
