"""When a snapshot expires, as people say it.

Role: ``7d``, ``never``, a date → a moment. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lxtui.errors import UsageError

NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time, by which the API says so."""
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 31_557_600}
_LONGEST = timedelta(days=36_500)


def expiry(written: str, now: datetime) -> datetime:
    """The moment that is meant; NEVER for ``never``. UsageError for what is none, or is over."""
    said = written.strip().lower()
    if said == "never":
        return NEVER
    if said[-1:] in _UNITS and said[:-1].isdecimal():
        try:
            span = timedelta(seconds=int(said[:-1]) * _UNITS[said[-1]])
        except OverflowError:
            span = _LONGEST * 2
        if not timedelta() < span < _LONGEST:
            raise UsageError(f"{written!r}: say something between a minute and a hundred years")
        return now + span
    try:
        moment = datetime.fromisoformat(written.strip())
    except ValueError:
        raise UsageError(
            f"{written!r}: say 12h, 7d, 4w, 1y, never, or a date such as 2027-01-31"
        ) from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.astimezone().astimezone(UTC)
    if moment <= now:
        raise UsageError(f"{written!r} is over")
    return moment


def iso(moment: datetime) -> str:
    """As the API takes it."""
    return f"{moment.year:04}{moment.astimezone(UTC):-%m-%dT%H:%M:%SZ}"
