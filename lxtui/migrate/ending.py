"""The end of a move, when the copy has proved itself and has taken over.

Role: deletes or keeps the source, wakes the target's autostart, takes the mark off. There is no
way back from here: what fails is left in the journal, and taken up again by ``lxtui resume``.
Boundary: two backends and a journal; shows nothing. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.errors import LxtuiError, NotFoundError
from lxtui.migrate import (
    AUTOSTART,
    COPIED_AT,
    INCOMING,
    KEPT_STATE,
    KEPT_UNTIL,
    MARK,
    MOVED,
    MOVED_PROJECT,
)
from lxtui.migrate.ends import explain_leftover
from lxtui.migrate.facts import kept_name
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.kept import state_of
from lxtui.migrate.plan import StepKind
from lxtui.migrate.profiles import settle_profiles

BEGAN = "copy begun"
"""Note in the journal: when the first pass of the copy began, by the source's clock."""
Say = Callable[[str], None]


def conclude(journal: Journal, source: Backend, target: Backend, say: Say) -> None:
    """Take the last steps. LxtuiError says what is left; the journal then stays unfinished."""
    header = journal.record.header
    options = header.options
    try:
        if not options.copy:
            step = StepKind.KEEP if options.keep_source else StepKind.DELETE
            if step.value not in journal.record.done:
                say(f"{header.parked} is {'kept' if options.keep_source else 'deleted'}")
                journal.begin(step)
                (_keep if options.keep_source else _delete)(header, source)
                journal.end(step)
        journal.begin(StepKind.FINISH)
        done: dict[str, str | None] = {MARK: None, AUTOSTART: header.autostart}
        if header.exchange:
            done[INCOMING] = None
        if options.copy:
            done[COPIED_AT] = journal.record.notes.get(BEGAN) or None
        target.set_config(header.destination, done)
        settle_profiles(journal, target)
        journal.end(StepKind.FINISH)
        journal.finish("moved")
    except LxtuiError as error:
        runs = " and runs" if header.was_running and not options.copy else ""
        raise LxtuiError(
            f"{header.destination} is complete{runs}, but {error}; "
            f"'lxtui resume {header.token}' tries the rest again"
        ) from error


def _delete(header: Header, source: Backend) -> None:
    try:
        source.wait(source.delete_instance(header.parked))
    except LxtuiError as error:
        if left := explain_leftover(source, header.parked, error):
            raise LxtuiError(left) from error


def _keep(header: Header, source: Backend) -> None:
    """Rename the source; it keeps sleeping, or it would start beside its copy one day."""
    kept, there, days = kept_name(header.source), header.destination, header.options.keep_days
    project = None if there.project == "default" else there.project
    moved = {MOVED: there.plain, MOVED_PROJECT: project}
    if header.exchange:  # it has that name already
        source.set_config(kept, moved)
    else:
        with suppress(NotFoundError):  # a lost lxtui has renamed it already
            source.set_config(header.source, moved)
            source.wait(source.rename_instance(header.source, kept.name))
    now = source.instance(kept)
    if now.config.get(MARK) == header.token:
        until = (utc_now() + timedelta(days=days)).isoformat() if days else None
        source.set_config(kept, {MARK: None, KEPT_UNTIL: until, KEPT_STATE: state_of(now)})
