"""How much longer a host's operation takes that tells a share only.

Role: shares of a hundred, as they come → seconds that are left. The daemons tell bytes of
migrations, and of images a share of each stage ("Image pack: 51% (35.02MB/s)"). Boundary: reads a
clock. Threading: one thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from lxtui import format as text
from lxtui.model import Operation

_SHARE = re.compile(r"\b(\d{1,3})%")
_SETTLED = 1.0
"""Seconds of a stage before anything is said of its end."""
_WHOLE = 100


class Remaining:
    """Of one operation, from stage to stage."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._first = self._last = _WHOLE

    def said(self, now: Operation) -> str:
        """The daemon's own words, with the time that is left of this stage where it can be told."""
        words = now.progress or now.description
        left = self._left(_share(now))
        return words if left is None else f"{words}, about {text.duration(left)} left"

    def _left(self, share: int | None) -> float | None:
        if share is None:
            return None
        if share < self._last:  # another stage, or the first
            self._began, self._first = self._clock(), share
        self._last = share
        seconds, done = self._clock() - self._began, share - self._first
        if seconds < _SETTLED or done <= 0:
            return None
        return (_WHOLE - share) * seconds / done


def _share(operation: Operation) -> int | None:
    found = _SHARE.search(operation.progress)
    share = int(found[1]) if found else operation.percent
    return share if share is not None and 0 <= share <= _WHOLE else None
