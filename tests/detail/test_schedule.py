"""When snapshots are taken and when they go."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.detail.schedule import Moment, expires, preview

NOW = datetime(2026, 11, 21, 12, 30)  # noqa: DTZ001 a server's wall clock, a Saturday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("schedule", "dates"),
    [
        ("0 3 * * *", ["2026-11-22 03:00", "2026-11-23 03:00", "2026-11-24 03:00"]),
        ("30 12 * * *", ["2026-11-22 12:30", "2026-11-23 12:30", "2026-11-24 12:30"]),
        ("*/20 * * * *", ["2026-11-21 12:40", "2026-11-21 13:00", "2026-11-21 13:20"]),
        ("10/25 13 * * *", ["2026-11-21 13:10", "2026-11-21 13:35", "2026-11-22 13:10"]),
        ("0 6 1 * *", ["2026-12-01 06:00", "2027-01-01 06:00", "2027-02-01 06:00"]),
        ("0 6 * * sun", ["2026-11-22 06:00", "2026-11-29 06:00", "2026-12-06 06:00"]),
        ("0 6 ? JAN,jul 1-2", ["2027-01-04 06:00", "2027-01-05 06:00", "2027-01-11 06:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        # Both days restricted: either will do. A star with steps is a restriction too.
        ("0 0 24 * 0", ["2026-11-22 00:00", "2026-11-24 00:00", "2026-11-29 00:00"]),
        ("0 0 */10 * 0", ["2026-11-22 00:00", "2026-11-29 00:00", "2026-12-01 00:00"]),
        ("0 0 30 2 *", []),
    ],
)
def test_cron_expressions(schedule: str, dates: list[str]) -> None:
    """The next dates are those of the daemons' cron, strictly after now."""
    found = preview(schedule, NOW, 3)
    assert [one.begin for one in found.moments] == [_at(date) for date in dates]
    assert not found.trouble


@pytest.mark.parametrize(
    ("alias", "moments"),
    [
        ("@hourly", [("2026-11-21 12:00", HOUR), ("2026-11-21 13:00", HOUR)]),
        ("@daily", [("2026-11-21 00:00", DAY), ("2026-11-22 00:00", DAY)]),
        ("@Midnight", [("2026-11-22 00:00", HOUR), ("2026-11-23 00:00", HOUR)]),
        ("@weekly", [("2026-11-22 00:00", DAY), ("2026-11-29 00:00", DAY)]),
        ("@monthly", [("2026-12-01 00:00", DAY), ("2027-01-01 00:00", DAY)]),
        ("@annually", [("2027-01-01 00:00", DAY), ("2028-01-01 00:00", DAY)]),
        ("@yearly", [("2027-01-01 00:00", DAY), ("2028-01-01 00:00", DAY)]),
    ],
)
def test_aliases_are_spans(alias: str, moments: list[tuple[str, timedelta]]) -> None:
    """Of an alias the server picks the minute: what is known is the span, the present one too."""
    found = preview(alias, NOW, 2)
    assert list(found.moments) == [Moment(_at(begin), span) for begin, span in moments]


def test_start_and_never_have_no_dates() -> None:
    """``@startup`` waits for a start, ``@never`` for nothing, an empty schedule too."""
    assert preview("@startup", NOW).at_start
    assert preview("@startup", NOW).moments == ()
    assert preview("@never", NOW) == preview("", NOW) == preview("  ", NOW)
    assert preview("", NOW).moments == ()


def test_lists_are_split_at_comma_and_blank() -> None:
    """Parts of a list are merged in time; a comma alone belongs to a cron expression."""
    found = preview("@startup, 0 13,14 * * *, @weekly", NOW, 3)
    assert found.at_start
    assert [one.begin for one in found.moments] == [
        _at("2026-11-21 13:00"),
        _at("2026-11-21 14:00"),
        _at("2026-11-22 00:00"),
    ]


@pytest.mark.parametrize(
    "bad",
    ["0 0 * *", "60 * * * *", "* * * * 7", "* * 0 * *", "a * * * *", "1-0 * * * *", "*/0 * * * *",
     "*/x * * * *", ", * * * *", "@sometimes", "* * * foo *"],
)  # fmt: skip
def test_what_is_no_schedule_is_said(bad: str) -> None:
    """The server would skip it: it gives no date, and a reason that names it."""
    found = preview(bad, NOW)
    assert not found.moments
    assert found.trouble


def test_one_bad_part_leaves_the_others() -> None:
    """A list's good parts count, as they do for the server."""
    found = preview("99 * * * *, @daily", NOW, 1)
    assert found.moments == (Moment(_at("2026-11-21 00:00"), DAY),)
    assert found.trouble.startswith("99 * * * *")


@given(st.text(alphabet="0123456789*/,- @sunjadily?", max_size=40))
def test_no_text_breaks_the_preview(text: str) -> None:
    """Whatever is configured gives dates that are in order, or a reason."""
    found = preview(text, NOW, 3)
    ends = [one.begin + one.span for one in found.moments]
    assert all(end > NOW for end in ends)
    assert list(found.moments) == sorted(found.moments, key=lambda one: (one.begin, one.span))


@pytest.mark.parametrize(
    ("expiry", "date"),
    [
        ("30S", "2026-01-31 12:00:30"),
        ("1M 2H 3d 4w", "2026-03-03 14:01"),
        ("1m", "2026-03-03 12:00"),  # 31 February, as Go's calendar runs on
        ("2m", "2026-03-31 12:00"),
        ("12m", "2027-01-31 12:00"),
        ("6y", "2032-01-31 12:00"),
    ],
)
def test_expiry(expiry: str, date: str) -> None:
    """Minutes are M and months m; months that have no such day run over."""
    assert expires(_at("2026-01-31 12:00"), expiry) == _at(date)


def test_no_expiry_is_never() -> None:
    """An empty expiry keeps snapshots for ever."""
    assert expires(NOW, " ") is None


@pytest.mark.parametrize("bad", ["3", "d", "3x", "3d4h", "99999999y", "999999999999d", "-1d"])
def test_what_is_no_expiry_is_an_error(bad: str) -> None:
    """It says so instead of giving a date."""
    with pytest.raises(ValueError, match=r"time span|calendar"):
        expires(NOW, bad)
