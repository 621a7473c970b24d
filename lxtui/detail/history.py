"""Samples in a row as what is drawn: amounts as they were, counters as rates.

Role: a rolling history of bounded length. A rate is of the time between two samples that belong
together: not across a restart, a counter that went back, or a while in which nobody looked; there
the graph has a hole. Boundary: pure; who samples has the clock. Threading: values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lxtui.detail.samples import Counts, Sample

Rates = Mapping[str, float]
MOST = 300
"""Points that are kept."""
_LATE = 2.5
"""Of the interval: a sample that comes later than that follows a hole."""
_SHORTEST = 0.2
"""Seconds: two samples nearer than this make a rate of noise."""


def _none() -> Rates:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Point:
    """One column of the graphs; None and absent: not known."""

    cpu: float | None = None
    """Percent of one CPU."""
    memory: int | None = None
    swap: int | None = None
    disk: int | None = None
    received: Rates = field(default_factory=_none)
    """Bytes a second, by interface."""
    sent: Rates = field(default_factory=_none)
    processes: int | None = None


HOLE = Point()


@dataclass(frozen=True, slots=True)
class History:
    """The points of one instance, the latest last."""

    interval: float
    """Seconds between two samples when nothing is in the way."""
    points: tuple[Point, ...] = ()
    last: Sample | None = None

    def after(self, sample: Sample) -> History:
        """The history with one sample more."""
        before = self.last
        holes: tuple[Point, ...] = ()
        if before is not None and sample.at - before.at > _LATE * self.interval:
            missed = min(int((sample.at - before.at) / self.interval) - 1, MOST)
            holes, before = (HOLE,) * missed, None
        point = point_of(before, sample)
        return replace(self, points=(*self.points, *holes, point)[-MOST:], last=sample)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """All that any point knows a rate of."""
        return tuple(sorted({name for one in self.points for name in (*one.received, *one.sent)}))


def point_of(before: Sample | None, now: Sample) -> Point:
    """Amounts of *now*, and the rates since *before* where both are of one life of the instance."""
    amounts = Point(
        memory=now.memory,
        swap=now.swap,
        disk=sum(now.disk.values()) if now.disk else None,
        processes=now.processes,
    )
    if before is None or before.init != now.init:
        return amounts
    seconds = now.at - before.at
    if seconds < _SHORTEST:
        return amounts
    used = _grown(before.cpu_ns, now.cpu_ns)
    return replace(
        amounts,
        cpu=None if used is None else used / (seconds * 1e9) * 100,
        received=_rates(before.received, now.received, seconds),
        sent=_rates(before.sent, now.sent, seconds),
    )


def together(points: Iterable[Point]) -> Point:
    """The sum of what several instances use; what one does not know counts for nothing."""
    every = tuple(points)

    def total(name: str) -> int | None:
        known = [value for one in every if (value := getattr(one, name)) is not None]
        return sum(known) if known else None

    cpus = [one.cpu for one in every if one.cpu is not None]
    received = [rate for one in every for rate in one.received.values()]
    sent = [rate for one in every for rate in one.sent.values()]
    return Point(
        cpu=sum(cpus) if cpus else None,
        memory=total("memory"),
        swap=total("swap"),
        disk=total("disk"),
        received={"": sum(received)} if received else {},
        sent={"": sum(sent)} if sent else {},
        processes=total("processes"),
    )


def cpu_limit(config: Mapping[str, str], said: float | None = None) -> float | None:
    """How many CPUs an instance may use at most; None without a limit.

    *said* is what the daemon itself says, which wins. ``limits.cpu`` is a number of CPUs or a list
    of them, ``limits.cpu.allowance`` is hard where it is a time (``25ms/100ms``); a percentage is a
    share for when the CPUs are short, and no limit. Source: doc/instances.md, CPU limits.
    """
    if said is not None:
        return said
    limits = [one for one in (_listed(config.get("limits.cpu", "")), _hard(config)) if one]
    return min(limits) if limits else None


def _listed(text: str) -> float | None:
    text = text.strip()
    if text.isdecimal():
        return float(text) or None
    count = 0
    for part in filter(None, text.split(",")):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal()) or int(last) < int(first):
            return None
        count += int(last) - int(first) + 1
    return float(count) or None


def _hard(config: Mapping[str, str]) -> float | None:
    quota, slash, period = config.get("limits.cpu.allowance", "").partition("/")
    parts = [one.strip().removesuffix("ms") for one in (quota, period)]
    if not slash or not all(one.isdecimal() for one in parts) or not int(parts[1]):
        return None
    return int(parts[0]) / int(parts[1]) or None


def _grown(before: int | None, now: int | None) -> int | None:
    if before is None or now is None or now < before:
        return None
    return now - before


def _rates(before: Counts, now: Counts, seconds: float) -> Rates:
    grown = {name: _grown(before.get(name), count) for name, count in now.items()}
    return MappingProxyType(
        {name: more / seconds for name, more in grown.items() if more is not None}
    )
