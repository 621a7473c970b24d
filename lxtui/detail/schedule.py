"""When an instance's snapshots are taken and when they go.

Role: ``snapshots.schedule`` and ``snapshots.expiry`` → the next dates. Boundary: pure; all times
are the server's wall clock, whose time zone the API does not tell. Threading: functions.

Source: doc/instances.md of LXD and Incus (the aliases, commas, expiry's units); cron expressions
are those of the library that both daemons use, robfig/cron v3: five fields, ``*`` ``?`` ``,`` ``-``
``/``, names of months and days, Sunday is 0 and never 7, and a day matches by either of its two
fields when both are restricted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, date, datetime, time, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_LOOK_AHEAD = 366 * 9
"""Days: a 29 February is at most eight years away."""
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_ALIASES: dict[str, tuple[str, timedelta]] = {
    "@hourly": ("0 * * * *", _HOUR),
    "@daily": ("0 0 * * *", _DAY),
    "@midnight": ("0 0 * * *", _HOUR),
    "@weekly": ("0 0 * * 0", _DAY),
    "@monthly": ("0 0 1 * *", _DAY),
    "@annually": ("0 0 1 1 *", _DAY),
    "@yearly": ("0 0 1 1 *", _DAY),
}
"""When the time begins within which the daemon takes it, and how long that is: it spreads the
minutes and hours of aliases by the instance's number, which the API does not tell."""
_EXPIRY = re.compile(r"(\d+)([sSMHdwmy])")


@dataclass(frozen=True, slots=True)
class Moment:
    """One date of a schedule: exact, or some time within *span* from then on."""

    begin: datetime
    span: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a ``snapshots.schedule`` means."""

    moments: tuple[Moment, ...] = ()
    at_start: bool = False
    """Whether each start of the instance takes one."""
    trouble: str = ""
    """What of it cannot be understood; the daemons skip that part."""


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool = field(default=False)
    """Whether one of the two day fields is a star: then both must match."""

    def has(self, day: date) -> bool:
        """Whether it fires on that day."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day and by_weekday if self.any_day else by_day or by_weekday


def preview(schedule: str, now: datetime, count: int = 5) -> Schedule:
    """The next *count* dates after *now*, a naive time of the server's clock."""
    found: set[Moment] = set()
    at_start, trouble = False, []
    # The daemons split at comma and space: a comma alone belongs to a cron expression.
    for part in filter(None, (one.strip() for one in schedule.split(", "))):
        word = part.lower()
        if word == "@startup":
            at_start = True
        elif word in _ALIASES:
            expression, span = _ALIASES[word]
            cron = _parsed(expression)
            begun = _next(cron, now - span, count)
            found |= {Moment(one, span) for one in begun if one + span > now}
        elif word != "@never":
            try:
                found |= {Moment(one) for one in _next(_parsed(part), now, count)}
            except ValueError as error:
                trouble.append(f"{part}: {error}")
    moments = sorted(found, key=lambda one: (one.begin, one.span))[:count]
    return Schedule(tuple(moments), at_start, "; ".join(trouble))


def expires(taken: datetime, expiry: str) -> datetime | None:
    """When a snapshot taken then goes by ``snapshots.expiry`` (``1M 2H 3d 4w 5m 6y``); None: never.

    Raises ValueError for what is no expiry. ``M`` is minutes, ``m`` is months; a day that its month
    does not have runs into the next one, as Go's calendar does it.
    """
    if not expiry.strip():
        return None
    years = months = 0
    rest = timedelta()
    try:
        for part in expiry.split():
            match = _EXPIRY.fullmatch(part)
            if match is None:
                raise ValueError(f"{part!r} is no time span: write 30M, 2H, 3d, 4w, 5m or 6y")
            number, unit = int(match[1]), match[2]
            years += number if unit == "y" else 0
            months += number if unit == "m" else 0
            rest += {
                "s": timedelta(seconds=number),
                "S": timedelta(seconds=number),
                "M": timedelta(minutes=number),
                "H": timedelta(hours=number),
                "d": timedelta(days=number),
                "w": timedelta(weeks=number),
            }.get(unit, timedelta())
        month = taken.month - 1 + months
        first = _first_of(taken, taken.year + years + month // 12, month % 12 + 1)
        return first + timedelta(days=taken.day - 1) + rest
    except OverflowError:
        raise ValueError(f"{expiry!r} is longer than the calendar") from None


def _first_of(moment: datetime, year: int, month: int) -> datetime:
    if year > MAXYEAR:
        raise OverflowError
    return moment.replace(year=year, month=month, day=1)


def _next(cron: _Cron, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    for moment in _moments(cron, after):
        found.append(moment)
        if len(found) == count:
            break
    return found


def _moments(cron: _Cron, after: datetime) -> Iterator[datetime]:
    for ahead in range(_LOOK_AHEAD):
        day = after.date() + timedelta(days=ahead)
        if cron.has(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    moment = datetime.combine(day, time(hour, minute))
                    if moment > after:
                        yield moment


def _parsed(expression: str) -> _Cron:
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        raise ValueError("must be minute, hour, day of the month, month, day of the week")
    values, stars = zip(
        *(_field(text, *field) for text, field in zip(parts, _FIELDS, strict=True)), strict=True
    )
    minutes, hours, days, months, weekdays = values
    return _Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        weekdays,
        any_day=stars[2] or stars[4],
    )


def _field(
    text: str, what: str, least: int, most: int, names: Sequence[str]
) -> tuple[frozenset[int], bool]:
    """The numbers of one field, and whether it is a star (a star with steps is none)."""
    found: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        spread, slash, said = part.partition("/")
        step = int(said) if said.isdecimal() else 1
        first, dash, last = spread.partition("-")
        if spread in {"*", "?"}:
            low, high = least, most
            star = star or step == 1
        else:
            low = _number(first, names, least)
            high = _number(last, names, least) if dash else most if slash else low
        if (slash and not said.isdecimal()) or step < 1 or not least <= low <= high <= most:
            raise ValueError(f"{part!r} is not a {what} ({least} to {most})")
        found.update(range(low, high + 1, step))
    if not found:
        raise ValueError(f"{text!r} is not a {what} ({least} to {most})")
    return frozenset(found), star


def _number(text: str, names: Sequence[str], least: int) -> int:
    """A number or a name; what is neither is out of every range."""
    if text.lower() in names:
        return names.index(text.lower()) + least
    return int(text) if text.isdecimal() else -1
