"""Keeps the screen's thread from standing still for others.

Role: decides when the interpreter looks for reference cycles, and how soon a thread that waits for
the interpreter gets it. A look at every object takes 0.15 s with ten thousand instances, in which
no key is answered; the interpreter would do it about once a second, because each answer of a host
is thousands of new objects. Young objects are looked at as before, in less than a frame; all of
them only when no key has been pressed for a while. Boundary: ``gc`` and ``sys`` alone. Threading:
the screen's.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from time import monotonic

_YOUNG, _MIDDLE, _NEVER = 2_000, 5, 1_000_000
"""New objects after which the young ones are looked at; how often that until those that have lived
through it are, too; and how often that until all are."""
_SWITCH = 0.001
"""Seconds that a worker may keep the interpreter while the screen waits: a frame needs it several
times."""
QUIET = 2.0
"""Seconds without a key after which nobody waits for the next frame."""
OFTEN = 30.0
"""Seconds between two looks at everything, at least."""
LATEST = 120.0
"""Seconds after which it is done although keys are pressed: memory has to stay bounded."""


class Pauses:
    """When to look at all objects."""

    def __init__(
        self,
        clock: Callable[[], float] = monotonic,
        collect: Callable[[], object] = gc.collect,
    ) -> None:
        self._clock = clock
        self._collect = collect
        self._touched = self._collected = clock()

    def begin(self) -> Callable[[], None]:
        """From now on only ``look`` looks at all objects; returns what puts that back."""
        threshold, interval = gc.get_threshold(), sys.getswitchinterval()
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        sys.setswitchinterval(_SWITCH)

        def end() -> None:
            gc.set_threshold(*threshold)
            sys.setswitchinterval(interval)

        return end

    def touched(self) -> None:
        """A key was pressed, or the mouse was."""
        self._touched = self._clock()

    def look(self) -> bool:
        """Look at all objects if it is due and disturbs nobody; whether it was done."""
        now = self._clock()
        since = now - self._collected
        quiet = now - self._touched >= QUIET
        if since < OFTEN or not (quiet or since >= LATEST):
            return False
        self._collect()
        self._collected = self._clock()
        return True
