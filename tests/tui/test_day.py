"""Thousands of events, faster than time, leave nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.day import KEPT, Day, grown, lived

_COUNTS = [14_000, 22_000, 30_000, 38_000, 46_000]


def test_events_leave_nothing_behind(tmp_path: Path) -> None:
    """When every ring is full, thirty thousand further events, the commands, keys, pages, instances
    that come and go and hosts that fall silent beside them cost no memory.

    ``make bench-day`` does the same with a whole day.
    """
    day = Day(tmp_path, hosts=4, instances=40, events=400, tempo=5)
    try:
        found = asyncio.run(lived(day, _COUNTS))
    finally:
        day.fleet.jobs.stop_all(10.0)
        day.fleet.close()
    assert found[-1].events >= _COUNTS[-1]
    assert grown(found) < KEPT
