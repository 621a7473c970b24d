"""How fast data may pass.

Role: bytes that have passed → how long to wait before the next. Boundary: reads a clock, nothing
else. Threading: shared by the threads of one relay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Throttle:
    """At most so many bytes a second, over all who share it."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        """*per_second* 0: as fast as it goes."""
        self._per_second = per_second
        self._clock = clock
        self._free_at = clock()
        self._lock = Lock()

    def spend(self, count: int) -> float:
        """Seconds to wait after *count* bytes have passed; unused time is not saved up."""
        if not self._per_second:
            return 0.0
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self._per_second
            return self._free_at - now
