"""The way back: everything a move may have done is undone, by what its journal says was begun.

Role: used by a move that fails and by ``lxtui undo`` after a crash; each step looks at how things
are before it changes them, so that it may be taken twice.
Boundary: two backends and a journal; shows nothing. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError
from lxtui.migrate.ends import (
    bring_back,
    end_operation,
    insist,
    quiesce,
    release,
    remove_marked,
    stop_marked,
)
from lxtui.migrate.journal import Journal
from lxtui.migrate.plan import StepKind
from lxtui.migrate.profiles import remove_profiles

Say = Callable[[str], None]
COPYING = frozenset({StepKind.COPY, StepKind.REFRESH, StepKind.FINAL})
SOURCE_OPERATION, TARGET_OPERATION = "source operation", "target operation"
"""Notes in the journal: the daemons' own operations of the copy that was begun last."""


def take_back(journal: Journal, source: Backend, target: Backend, say: Say) -> tuple[str, ...]:
    """Undo in reverse order; returns what could not be undone, empty when all is as it was.

    The source is started again as soon as the target cannot run, before the partial copy is
    removed: the instance is missed, the copy is not. When the target cannot be stopped the source
    stays stopped: two that run are worse than one that waits for a person.
    """
    header = journal.record.header
    begun = {StepKind(one) for one in journal.record.begun}
    here, there, token = header.source, header.destination, header.token
    left: list[str] = []

    def undo(what: str, action: Callable[[], None]) -> bool:
        say(f"rolling back: {what}")
        try:
            insist(action)
        except Exception as trouble:  # noqa: BLE001 the rest must be undone all the same
            left.append(f"could not {what} ({trouble})")
            return False
        return True

    if begun & COPYING:
        undo(f"end the copy to {there}", lambda: end_copy(journal, source, target))
    if StepKind.START in begun and not undo(
        f"stop {there}", lambda: stop_marked(target, there, token)
    ):
        return (*left, f"{here} stays stopped, as {there} may run")
    if StepKind.STOP in begun:
        asked = StepKind.STOP.value not in journal.record.done
        undo(f"start {here}", lambda: bring_back(source, here, asked_to_stop=asked))
    if begun & COPYING:
        undo(f"delete {there}", lambda: remove_marked(target, there, token))
    if StepKind.PROFILES in begun:
        undo("remove the copied profiles", lambda: remove_profiles(journal, target))
    if StepKind.CLAIM in begun:
        undo(f"take the mark off {here}", lambda: release(source, here, token, header.autostart))
    if not left:
        with suppress(LxtuiError):  # it is all undone: a full disk must not make it a failure
            journal.finish("undone")
    return tuple(left)


def end_copy(journal: Journal, source: Backend, target: Backend) -> None:
    """See to it that nothing is copied any more, whoever began it under this journal."""
    notes, header = journal.record.notes, journal.record.header
    if number := notes.get(TARGET_OPERATION):
        end_operation(target, number)
    if number := notes.get(SOURCE_OPERATION):
        end_operation(source, number)
    quiesce(target, header.destination, header.token)
