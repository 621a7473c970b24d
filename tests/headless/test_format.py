"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui import format as text


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (256 * 2**20, "256 MiB"),
        (1536 * 2**20, "1.5 GiB"),
        (2**70, "1024 EiB"),
    ],
)
def test_sizes(count: int | None, shown: str) -> None:
    """Bytes are shown in the largest binary unit that leaves at least one."""
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("limit", "total", "count"),
    [
        ("256MiB", None, 256 * 2**20),
        ("1GB", None, 10**9),
        ("512", None, 512),
        ("50%", 2**30, 2**29),
        ("50%", None, None),
        ("", 1, None),
        ("lots", 1, None),
        ("1XB", 1, None),
    ],
)
def test_limits(limit: str, total: int | None, count: int | None) -> None:
    """Limits are read as the daemons read them; what cannot be read is no limit."""
    assert text.limit_bytes(limit, total) == count


@pytest.mark.parametrize(
    ("written", "year"),
    [
        ("2026-11-21T01:02:03.123456789Z", 2026),
        ("2026-11-21T01:02:03+01:00", 2026),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("soon", None),
    ],
)
def test_timestamps(written: str, year: int | None) -> None:
    """Go's nine digits are read, its zero time and nonsense are not known."""
    moment = text.timestamp(written)
    assert (moment.year if moment is not None else None) == year


def test_ages_and_durations() -> None:
    """An age has one unit, a duration the two largest, short ones a tenth."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert text.age(now - timedelta(days=3, hours=5), now) == "3d"
    assert text.age(now + timedelta(days=1), now) == "0s"
    assert text.age(None, now) == "-"
    assert [text.duration(seconds) for seconds in (0.44, 65, 3600, 90061)] == [
        "0.4s",
        "1m 5s",
        "1h",
        "1d 1h",
    ]


@given(st.text())
def test_plain_text_is_printable(anything: str) -> None:
    """Whatever a container writes, no control character is left, and no character is lost."""
    shown = text.plain(anything)
    assert shown.isprintable()
    assert len(shown) == len(anything)


def test_until() -> None:
    """What is to come is counted like an age; what is over is due, and no date is never."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert text.until(now + timedelta(days=6, hours=23, minutes=5), now) == "in 6d 23h"
    assert text.until(now, now) == "now due"
    assert text.until(None, now) == "never"
