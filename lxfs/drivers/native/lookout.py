"""Looking out for the next request, for a moment, before going to sleep.

Role: who has been answered an open asks for a read at once. Where the caller runs on another CPU
than the server, putting one to sleep and waking it up for each of these requests takes longer than
answering them, for the server's CPU as for the caller. Whether it pays is seen from whether the
next request came: where it did not, ever more occasions are left out.
Boundary: polls a descriptor, reads nothing from it.
Threading: one object for each worker.
"""

import os
import select
import time
from collections.abc import Callable

from lxfs.drivers.native.protocol import RELEASE, RELEASEDIR, WITHOUT_REPLY

_SECONDS = 50e-6
"""How long at most. A caller that sleeps on another CPU is woken within some 30 microseconds."""
_MOST_LEFT_OUT = 64

LAST_ONES = frozenset({RELEASE, RELEASEDIR, *WITHOUT_REPLY})
"""Requests after which nobody is known to be about to send another."""


class Lookout:
    """When to look out, and doing so."""

    def __init__(self, device: int, clock: Callable[[], float] = time.monotonic) -> None:
        poll = select.poll()
        poll.register(device, select.POLLIN)
        self._poll = poll.poll
        self._clock = clock
        self._left_out = 0
        self._leave = 0
        # With one CPU nobody can ask for anything while we look.
        self._alone = len(os.sched_getaffinity(0)) == 1

    def look(self, answered: int) -> bool:
        """Return after a request with this opcode when there is another, or is not to be expected.

        ``True``: reading will not wait, unless the request is taken back.
        """
        if self._alone or answered in LAST_ONES:
            return False
        if self._leave:
            self._leave -= 1
            return False
        poll, clock = self._poll, self._clock
        end = clock() + _SECONDS
        while not poll(0):
            if clock() > end:
                self._left_out = min(_MOST_LEFT_OUT, 2 * self._left_out + 1)
                self._leave = self._left_out
                return False
        self._left_out = 0
        return True
