"""What one pass of a copy is, and when it counts as stalled.

Role: what transfer and relay have in common. Boundary: copies nothing. Threading: a Watch belongs
to the thread that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lxtui.backend.base import Backend
from lxtui.errors import OperationError
from lxtui.model import InstanceSpec, Operation, Ref

STALLED = 180.0
"""Seconds in which not a byte moves, after which a pass has failed: a daemon whose peer is gone
without a word waits for it much longer, and some for ever."""

OnCopy = Callable[[Operation], None]
"""Told about the target's operation; may raise InterruptedByUserError to end the copy."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What is copied, from where to where, and who is told of it."""

    source: Backend
    target: Backend
    ref: Ref
    spec: InstanceSpec
    on_copy: OnCopy
    on_end: OnCopy
    """Told about the source's operation, once the target's is over; may raise likewise."""
    on_ask: Callable[[], None]
    """Told before the source is asked for an operation, whose answer may never be heard."""
    on_begin: Callable[[Operation, bool], None]
    """Told of each operation that a daemon begins, and whether it is the target's."""
    on_detour: Callable[[str], None]
    """Told, by a sentence, that another way is tried."""


class Watch:
    """Looks at an operation each time that its waiter does; OperationError when it stalls."""

    def __init__(self, on_copy: OnCopy, moved: Callable[[], int] = lambda: 0) -> None:
        self._on_copy = on_copy
        self._moved = moved
        """Bytes that this machine has seen go by itself."""
        self._last: object = None
        self._since = time.monotonic()

    def __call__(self, operation: Operation) -> None:
        """Tell of the operation, unless nothing has moved for too long."""
        seen = (operation.progress, operation.processed, operation.status, self._moved())
        now = time.monotonic()
        if seen != self._last:
            self._last, self._since = seen, now
        elif now - self._since > STALLED:
            raise OperationError(
                f"{operation.host}: the copy stands still: nothing has moved for {STALLED:.0f} s"
            )
        self._on_copy(operation)
