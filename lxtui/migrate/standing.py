"""How an unfinished move stands, and what its way back would lose.

Role: journal + what is seen of both ends → words for people, and the question that undo must ask.
Boundary: ``look`` asks both hosts and changes nothing, all else is pure. Threading: functions;
``look`` blocks its caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.errors import HostUnreachableError, LxtuiError, NotFoundError
from lxtui.migrate import INCOMING, MARK
from lxtui.migrate.journal import Record
from lxtui.migrate.looks import LAST_USED
from lxtui.migrate.plan import ENDINGS, StepKind
from lxtui.migrate.rollback import BEING_UNDONE, COPYING
from lxtui.model import Instance, Ref, UnfinishedMove

Sight = Instance | LxtuiError | None
"""An instance as it is; None when it is not there, an error when nobody can tell."""
UNSEEN = HostUnreachableError("its host was not asked")


@dataclass(frozen=True, slots=True)
class Seen:
    """Both ends of an unfinished move."""

    source: Sight = UNSEEN
    copy: Sight = UNSEEN
    """Only what bears the move's own mark: nothing else is touched."""
    fresh: bool = False
    """Whether the hosts were asked for this."""


def ended(record: Record) -> bool:
    """Whether the copy has taken over, and there is no way back."""
    return any(StepKind(one) in ENDINGS for one in record.begun)


def names(record: Record) -> tuple[Ref, Ref]:
    """What source and copy are called, outside of an exchange."""
    header = record.header
    if header.exchange and StepKind.START.value in record.begun:
        return header.parked, header.destination
    return header.source, header.copy


def look(record: Record, source: Backend | None, target: Backend | None) -> Seen:
    """Ask both hosts how the two are now; None stands for a host that is not known any more."""
    here, there = names(record)
    return Seen(_sight(source, here), _ours(_sight(target, there), record), fresh=True)


def known(record: Record, instances: Mapping[Ref, Instance]) -> Seen:
    """The same from what was seen of a fleet: what is not in it may be there all the same."""
    here, there = names(record)
    copy = _ours(instances.get(there, UNSEEN), record)
    return Seen(instances.get(here, UNSEEN), UNSEEN if copy is None else copy)


def _sight(backend: Backend | None, ref: Ref) -> Sight:
    try:
        return UNSEEN if backend is None else backend.instance(ref)
    except NotFoundError:
        return None
    except LxtuiError as error:
        return error


def _ours(seen: Sight, record: Record) -> Sight:
    if not isinstance(seen, Instance):
        return seen
    mine = seen.config.get(MARK) == record.header.token
    # The original has the mark too, and gets its name back.
    return seen if mine and (INCOMING in seen.config or not record.header.exchange) else None


def at_stake(record: Record, seen: Seen, now: datetime) -> str:
    """What an undo would delete although it may hold what is nowhere else; empty: nothing.

    A copy that runs, or has run since its move has started it. What a roll-back has stopped was
    given up then.
    """
    begun = {StepKind(one) for one in record.begun}
    copy = seen.copy
    if ended(record) or not begun & COPYING or copy is None:
        return ""
    if isinstance(copy, LxtuiError):
        if not begun & {StepKind.START, StepKind.LIVE}:
            return ""
        since = record.since.get(StepKind.START, record.since.get(StepKind.LIVE))
        return f"{names(record)[1]} may run{_since(since, now)}"
    if not copy.stopped:
        return f"{copy.ref} {_doing(copy)}{_since(copy.last_used_at, now)}"
    started = StepKind.START in begun or StepKind.LIVE in record.done
    if started and copy.last_used_at and BEING_UNDONE not in record.notes:
        return f"{copy.ref} was started{_at(copy.last_used_at)}, and is stopped again"
    return ""


def refusal(record: Record, stake: str) -> str:
    """What an undo says that would lose something, and was not told to."""
    token = record.header.token
    instead = (
        "copy away what you need of it"
        if BEING_UNDONE in record.notes
        else f"'lxtui resume {token}' finishes the move and keeps it"
    )
    return (
        f"{stake}: whatever it has written since would be lost; {instead}, "
        f"'lxtui undo {token} --yes' puts {record.header.source} back all the same"
    )


def ran_again(record: Record, seen: Seen) -> str:
    """That somebody has started the source since it lay still for the move; empty: nobody has."""
    noted, source = record.notes.get(LAST_USED), seen.source
    if noted is None or ended(record) or not isinstance(source, Instance):
        return ""
    if not source.stopped:
        return f"{source.ref} {_doing(source)} again: somebody has started it since it lay still"
    if source.last_used_at != text.timestamp(noted):
        return f"{source.ref} has run since it lay still: somebody has started it"
    return ""


def why_not_on(record: Record, seen: Seen, now: datetime) -> str:
    """Why a move cannot be resumed as its two ends are now, and what to do; empty: it can."""
    again, stake, header = ran_again(record, seen), at_stake(record, seen, now), record.header
    if not again:
        return ""
    here, there = names(record)
    if not stake:
        return f"{again}; 'lxtui undo {header.token}' leaves it as it is now, without its copy"
    return (
        f"{again}; and {stake}: both may hold what is nowhere else. To keep {there}, delete {here} "
        f"and undo: that leaves the copy to you; to keep {here}: 'lxtui undo {header.token} --yes'"
    )


def advice(record: Record, seen: Seen | None = None, now: datetime | None = None) -> str:
    """One line on how things are and what can be done; *seen* and *now* are given together."""
    header, token = record.header, record.header.token
    if record.busy:
        return "at work now"
    if ended(record):
        return f"{header.destination} has taken over; resume clears up after it"
    stake = at_stake(record, seen or Seen(), now or header.began_at)
    if BEING_UNDONE in record.notes:
        half = f"{header.source} was only half put back, and nothing is at work on it"
        told = f"{half}; {stake}" if stake else half
        return f"{told}; when both hosts answer: 'lxtui undo {token}' (resume is refused)"
    if seen is not None and now is not None and (why := why_not_on(record, seen, now)):
        return why
    if stake:
        return f"{stake}: resume finishes; undo would lose what it has written since"
    if seen is not None and seen.fresh and isinstance(seen.source, Instance):
        is_ = seen.source.status.lower()
        return f"{seen.source.ref} is {is_}; resume finishes, undo puts back"
    if StepKind.STOP.value in record.begun:
        return f"{header.source} may be stopped; resume finishes, undo puts back"
    return f"{header.source} is where it was; resume finishes, undo puts back"


def described(record: Record, instances: Mapping[Ref, Instance], now: datetime) -> UnfinishedMove:
    """What a screen shows of an unfinished move, in a fleet that holds *instances*."""
    header, seen = record.header, known(record, instances)
    return UnfinishedMove(
        token=header.token,
        source=header.source,
        destination=header.destination,
        began_at=header.began_at,
        busy=record.busy,
        ended=ended(record),
        advice=advice(record, seen, now),
        stake=at_stake(record, seen, now),
    )


def _doing(instance: Instance) -> str:
    return "runs" if instance.running else f"is {instance.status.lower()}"


def _at(moment: datetime) -> str:
    return f" at {moment.astimezone():%Y-%m-%d %H:%M %Z}"


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    return f" since {moment.astimezone():%Y-%m-%d %H:%M %Z} ({text.age(moment, now)})"
