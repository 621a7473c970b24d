"""How far a transfer is.

Role: bytes and files that have passed → a line with rate and time left, a few times a second; the
place where a wish to stop is noticed. Boundary: reads a clock. Threading: one thread; the flag may
be set from any.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Event as Flag

from lxtui import format as text
from lxtui.errors import InterruptedByUserError
from lxtui.model import Progress

_BETWEEN = 0.2
"""Seconds between two reports."""
_WINDOW = 5.0
"""Seconds over which the rate is taken."""
_SETTLED = 1.0
"""Seconds before there is one."""


class Meter:
    """Counts, and tells."""

    def __init__(
        self,
        verb: str,
        report: Callable[[Progress], None],
        stop: Flag,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verb = verb
        self._report = report
        self._stop = stop
        self._clock = clock
        self.began = clock()
        self._told = float("-inf")
        self._total: int | None = None
        self._of = 0
        self.size = 0
        self.files = 0
        self._past: deque[tuple[float, int]] = deque()

    def begin(self, size: int | None, files: int = 0) -> None:
        """The work is known: so many bytes (None: not known) in so many files."""
        self._total, self._of = size, files
        self._past.clear()
        self._past.append((self._clock(), self.size))
        self._tell()

    def said(self, line: str) -> None:
        """Another word on what is done; InterruptedByUserError when it is to stop."""
        self.check()
        if self._due():
            self._report(Progress(line, 0))

    def passing(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Each piece, counted."""
        for piece in pieces:
            self.passed(len(piece))
            yield piece

    def passed(self, count: int) -> None:
        """So many bytes have; InterruptedByUserError when it is to stop."""
        self.check()
        self.size += count
        if self._due():
            self._tell()

    def finished(self) -> None:
        """One file more is whole."""
        self.files += 1
        self.passed(0)

    def check(self) -> None:
        """InterruptedByUserError when it is to stop."""
        if self._stop.is_set():
            raise InterruptedByUserError(f"{self._verb}: stopped on request")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self.began

    @property
    def rate(self) -> int | None:
        """Bytes a second of late; None before there is one."""
        if not self._past:
            return None
        now = self._clock()
        begin, size = self._past[0]
        return round((self.size - size) / (now - begin)) if now - begin >= _SETTLED else None

    def _due(self) -> bool:
        now = self._clock()
        if now - self._told < _BETWEEN:
            return False
        self._told = now
        self._past.append((now, self.size))
        while now - self._past[0][0] > _WINDOW:
            self._past.popleft()
        return True

    def _tell(self) -> None:
        rate, total = self.rate, self._total
        parts = [f"{self.files} of {self._of} files"] if self._of > 1 else []
        parts.append(text.size(self.size) + (f" of {text.size(total)}" if total else ""))
        if rate is not None:
            parts.append(text.rate(rate))
        # It may be more than was seen before: a log grows while it is read.
        if rate and total and total > self.size:
            parts.append(f"{text.duration((total - self.size) / rate)} left")
        percent = min(100 * self.size // total, 100) if total else None
        line = f"{self._verb}: {', '.join(parts)}"
        self._report(Progress(line, self.size, rate, percent))
