"""What a finished move did.

Role: the mover's answer, for the report and for the next estimate. Boundary: pure. Threading:
values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lxtui.migrate.journal import Record
from lxtui.migrate.options import Transport
from lxtui.migrate.plan import StepKind
from lxtui.model import Ref


@dataclass(frozen=True, slots=True)
class Measured:
    """One whole copy, without refreshes."""

    transport: Transport
    size: int
    """Bytes, as the daemons counted them: once a second, so those of the last are missing."""
    seconds: float


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What a finished move did."""

    source: Ref
    destination: Ref
    running: bool
    seconds: float
    downtime_seconds: float | None
    """From the stop of the source to the start of the target; None if it did not run, or when the
    move was resumed by another process."""
    copied: int | None
    """Bytes, as the daemons counted them, over all passes; None when they gave no count."""
    passes: int = 0
    """Refreshes made while the source ran."""
    measured: Measured | None = None
    """How fast the copy went; None when it was made by another process, or held back."""


_AFTER_START = (StepKind.CHECK, StepKind.DELETE, StepKind.KEEP, StepKind.FINISH)


def resumed(done: MoveReport, before: Record, after: Record) -> MoveReport:
    """The report of a move that was taken up, with how long the instance was away in all.

    *before* and *after* are its journal around that. From the first stop to the step after the
    start, by the clock of this machine; not known where lxtui died between these two, as the copy
    may have been started at any time since.
    """
    stopped = before.since.get(StepKind.STOP)
    if stopped is None or not done.running:
        return done
    earlier = min((before.since[one] for one in _AFTER_START if one in before.since), default=None)
    if earlier is None and StepKind.START in before.begun:
        return replace(done, downtime_seconds=None)
    later = min((after.since[one] for one in _AFTER_START if one in after.since), default=None)
    ended = earlier or later
    away = (ended - stopped).total_seconds() if ended is not None else None
    return replace(done, downtime_seconds=away)
