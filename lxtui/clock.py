"""What time it is, as something that tests and pictures can hold still.

Role: the clock's type and the real one. Boundary: imports nothing of ours. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)
