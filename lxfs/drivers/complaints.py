"""What a driver says of requests that fail for a reason of ours.

Role: each thing once a minute, as a container can read a broken file in a loop.
Boundary: knows messages, not requests.
Threading: any number of threads; two of them may say the same thing at once.
"""

import time

_QUIET_SECONDS = 60.0
_MAX_SAID = 1000


class Complaints:
    """Which complaints are due."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def due(self, message: str) -> bool:
        """Return whether a message has not been said for a minute, and count it as said."""
        now = time.monotonic()
        if now - self._said.get(message, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        if len(self._said) > _MAX_SAID:
            self._said.clear()
        self._said[message] = now
        return True
