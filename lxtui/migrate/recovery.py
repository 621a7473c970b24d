"""Moves that a crash has left in the middle: finished, or taken back.

Role: journal + how both hosts are now → the rest of the move, or the way back.
Boundary: talks to two backends, shows nothing. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.errors import ConflictError, LxtuiError, NotFoundError
from lxtui.migrate import AUTOSTART, MARK
from lxtui.migrate.ending import conclude
from lxtui.migrate.ends import source_fault, start
from lxtui.migrate.exchange import put_back
from lxtui.migrate.journal import Journal, Record, records
from lxtui.migrate.live import state_lost
from lxtui.migrate.looks import LAST_USED
from lxtui.migrate.mover import Mover, Report
from lxtui.migrate.plan import MovePlan, StepKind, plan_move
from lxtui.migrate.prepare import gather
from lxtui.migrate.report import MoveReport
from lxtui.migrate.rollback import BEING_UNDONE, as_it_was, take_back
from lxtui.migrate.standing import at_stake, ended, look, names, refusal, why_not_on
from lxtui.model import Instance, Progress, StateAction


def unfinished(folder: Path) -> tuple[list[Record], list[LxtuiError]]:
    """The moves that somebody has to see to, and the journals that cannot be read."""
    found = list(records(folder))
    open_ = [one for one in found if isinstance(one, Record) and one.unfinished]
    return open_, [one for one in found if isinstance(one, LxtuiError)]


def resume(
    folder: Path, token: str, backends: Mapping[str, Backend], report: Report, stop: Flag
) -> MoveReport:
    """Finish a move; LxtuiError says how things are when that cannot be done."""
    with closing(Journal.open(folder, token)) as journal:
        source, target = _both(journal.record, backends)
        if not journal.record.unfinished:
            raise LxtuiError(f"the move {journal.record.header.token} is {journal.record.outcome}")
        if ended(journal.record):
            return _finish(journal, source, target, report)
        if BEING_UNDONE in journal.record.notes:
            number = journal.record.header.token
            raise LxtuiError(f"the move {number} is being put back: 'lxtui undo {number}' goes on")
        if _between_names(journal.record):
            put_back(journal, source)
        seen = look(journal.record, source, target)
        if why := why_not_on(journal.record, seen, utc_now()):
            raise ConflictError(why)
        plan = _plan_again(journal.record, source, target)
        if plan.blockers:
            raise LxtuiError(
                f"{plan.source} cannot be moved on: {'; also '.join(map(str, plan.blockers))}; "
                f"mend this, or 'lxtui undo {plan.token}'"
            )
        copy, begun = seen.copy, {StepKind.START, StepKind.LIVE} & set(journal.record.done)
        if begun and isinstance(copy, Instance) and copy.stopped:  # by somebody else, since
            start(target, copy.ref, lambda: None)
        lived = bool(at_stake(journal.record, seen, utc_now()))
        return Mover(plan, source, target, report, stop, journal, lived=lived).run()


def undo(
    folder: Path,
    token: str,
    backends: Mapping[str, Backend],
    report: Report,
    *,
    lose: bool = False,
) -> str:
    """Put everything back; a sentence on how things are. LxtuiError says what could not be.

    ConflictError, and nothing is changed, when a copy would go that runs or has run, unless *lose*.
    """
    with closing(Journal.open(folder, token)) as journal:
        header = journal.record.header
        source, target = _both(journal.record, backends)
        if not journal.record.unfinished:
            raise LxtuiError(f"the move {header.token} is {journal.record.outcome}")
        if ended(journal.record):
            raise LxtuiError(
                f"{header.destination} has taken over from {header.parked}, which may be gone: "
                f"'lxtui resume {header.token}' finishes; then move it back if you like"
            )
        record = journal.record
        if not lose and (stake := at_stake(record, look(record, source, target), utc_now())):
            raise ConflictError(refusal(record, stake))
        left = take_back(journal, source, target, lambda line: report(Progress(line)))
        if left:
            hint = ": mend this and undo again" if journal.record.unfinished else ""
            raise LxtuiError(f"{header.source}: {'; '.join(left)}{hint}")
        return f"{header.source} {as_it_was(header)}{state_lost(journal)}"


def _both(record: Record, backends: Mapping[str, Backend]) -> tuple[Backend, Backend]:
    header = record.header
    try:
        return backends[header.source.host], backends[header.destination.host]
    except KeyError as missing:
        raise NotFoundError(
            f"there is no host {missing.args[0]!r} any more: add the remote again under this name"
        ) from None


def _plan_again(record: Record, source: Backend, target: Backend) -> MovePlan:
    """The plan as it was, from the source as it was: our own marks on both ends are no news."""
    header = record.header
    here, _ = names(record)
    facts = gather(source, target, here, header.options)
    facts = replace(facts, instance=replace(facts.instance, ref=header.source))
    if facts.instance.config.get(MARK, header.token) != header.token:
        raise LxtuiError(f"{header.source} is being moved by somebody else since")
    return plan_move(
        replace(
            facts,
            instance=_as_it_was(facts.instance, record),
            arriving=_is_ours(record, target),
            went_live=_went_live(record),
        ),
        header.token,
    )


def _went_live(record: Record) -> bool | None:
    """Which way it goes on: as it was begun, whatever its hosts say by now."""
    if StepKind.LIVE.value in record.begun:
        return True
    return False if StepKind.COPY.value in record.begun else None


def _between_names(record: Record) -> bool:
    """Whether an exchange of names was begun, and not all of it may be done."""
    return StepKind.YIELD.value in record.begun and StepKind.START.value not in record.begun


def _is_ours(record: Record, target: Backend) -> bool:
    try:
        arrived = target.instance(names(record)[1])
    except NotFoundError:
        return False
    return arrived.config.get(MARK) == record.header.token


def _as_it_was(instance: Instance, record: Record) -> Instance:
    header = record.header
    config = {key: value for key, value in instance.config.items() if key != MARK}
    config.pop(AUTOSTART, None)
    if header.autostart is not None:
        config[AUTOSTART] = header.autostart
    return replace(instance, config=config, status="Running" if header.was_running else "Stopped")


def _finish(journal: Journal, source: Backend, target: Backend, report: Report) -> MoveReport:
    """Clear up after a copy that has taken over, if it is there and the source lies still."""
    header = journal.record.header
    arrived = target.instance(header.destination)
    last = StepKind.FINISH.value in journal.record.begun  # which takes the mark off
    if arrived.config.get(MARK) != header.token and not (last and MARK not in arrived.config):
        raise LxtuiError(f"{header.destination} is not the copy that this move has made")
    _check_source(journal.record, source)
    if header.was_running and not header.options.copy and arrived.stopped:
        target.wait(target.change_state(header.destination, StateAction.START))
    conclude(journal, source, target, lambda line: report(Progress(line)))
    return MoveReport(
        header.source,
        header.destination,
        running=header.was_running and not header.options.copy,
        seconds=(utc_now() - header.began_at).total_seconds(),
        downtime_seconds=None,
        copied=None,
    )


def _check_source(record: Record, source: Backend) -> None:
    """Refuse to delete a source that has run since it was copied: it has newer data."""
    header = record.header
    noted = record.notes.get(LAST_USED)
    if noted is None or StepKind.FINISH.value in record.begun:
        return
    try:
        original = source.instance(header.parked)
    except NotFoundError:
        return
    kept = header.exchange and StepKind.KEEP.value in record.begun
    if kept and MARK not in original.config and original.stopped:
        return  # a lost lxtui has ended that step
    fault = source_fault(source, header.parked, text.timestamp(noted), header.token)
    if fault:
        raise LxtuiError(
            f"{fault}, and {header.destination} has taken over too: decide which of the two to "
            f"keep, and stop the other"
        )
