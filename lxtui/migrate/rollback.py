"""The way back: everything a move may have done is undone, by what its journal says was begun.

Role: used by a move that fails and by ``lxtui undo`` after a crash; each step looks at how things
are before it changes them, so that it may be taken twice.
Boundary: two backends and a journal; shows nothing. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lxtui.backend.base import Backend
from lxtui.errors import HostUnreachableError, LxtuiError, NotFoundError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.backups import drop, noted
from lxtui.migrate.ends import (
    QUIET_SECONDS,
    bring_back,
    end_hand_over,
    end_offers,
    end_operation,
    insist,
    quiesce,
    release,
    settled,
    stop_marked,
)
from lxtui.migrate.exchange import find, give_back, stop_copy
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.leftovers import remove_copy
from lxtui.migrate.plan import StepKind
from lxtui.migrate.profiles import remove_profiles
from lxtui.model import Ref

Say = Callable[[str], None]
_SOON = 3.0
"""Seconds for which the source's own operation is waited for before the source is started."""
COPYING = frozenset({StepKind.COPY, StepKind.REFRESH, StepKind.FINAL, StepKind.LIVE})
"""Steps whose copy is ours to remove."""
AT_WORK = COPYING | {StepKind.UPDATE}
"""Steps in which the daemons copy."""
SOURCE_OPERATION, TARGET_OPERATION = "source operation", "target operation"
"""Notes in the journal: the daemons' own operations of the copy that was begun last."""
UNHEARD = "unheard"
"""Stands for an operation that was asked for; whoever asked may have died before the answer."""

STARTED_ANEW = "started anew"
"""Note in the journal: the source had ended with its running state, and was started again."""

BEING_UNDONE = "being undone"
"""Note in the journal: steps that it calls done may have been undone; there is no way on."""

NAMES_BACK = "names given back"
"""Note in the journal: an exchange of names was taken back; the mark may have gone since."""


def take_back(journal: Journal, source: Backend, target: Backend, say: Say) -> tuple[str, ...]:
    """Undo in reverse order; returns what could not be undone, empty when all is as it was.

    The source is started again as soon as the target cannot run, before the partial copy is
    removed: the instance is missed, the copy is not. When the target cannot be stopped the source
    stays stopped: two that run are worse than one that waits for a person. A host that has not
    answered for long enough once is not waited for again. Where the source cannot start beside its
    copy, on one server, it is started when that is gone.
    """
    header = journal.record.header
    begun = {StepKind(one) for one in journal.record.begun}
    here, there, token = header.source, header.copy, header.token
    left: list[str] = []
    silent: set[str] = set()
    waits = False
    _note(journal, BEING_UNDONE)  # where it cannot be written, a resumed move looks at the target

    def undo(
        what: str, backend: Backend, action: Callable[[], None], *, aloud: bool = True
    ) -> bool:
        if aloud:
            say(f"rolling back: {what}")
        host = backend.remote.name
        try:
            insist(action, patient=host not in silent)
        except Exception as trouble:  # noqa: BLE001 the rest must be undone all the same
            if isinstance(trouble, HostUnreachableError):
                silent.add(host)
            left.append(f"could not {what} ({trouble})")
            return False
        return True

    def still() -> bool:
        undo(f"end the copy from {here}", source, lambda: _end_offer(journal, source))
        # A target waits for its peer, and we for neither when that peer is out of reach.
        seconds = _SOON if here.host in silent else QUIET_SECONDS
        return undo(f"end the copy to {there}", target, lambda: _end_sink(journal, target, seconds))

    if StepKind.YIELD in begun and (stays := _exchange_back(journal, source, target, undo)):
        return (*left, *stays)
    if begun & COPYING and _is_gone(source, here):
        undo(f"end the copy to {there}", target, lambda: end_copy(journal, source, target))
        return (*left, *_leave(journal, target))
    live = StepKind.LIVE in begun
    if (live and not still()) or (
        (live or StepKind.START in begun)
        and not undo(f"stop {there}", target, lambda: stop_marked(target, there, token))
    ):
        state = "is left as it is" if live else "stays stopped"
        return (*left, f"{here} {state}, as {there} may run")
    if ending := begun & {StepKind.STOP, StepKind.LIVE}:
        asked = not ending <= {StepKind(one) for one in journal.record.done}
        start = partial(_start_again, journal, source, asked_to_stop=asked)
        waits = not undo(f"start {here}", source, start)
    # A daemon may delete what it still copies into, and would write on where it was.
    if begun & COPYING and still():
        undo(f"delete {there}", target, lambda: remove_copy(journal, target, there))
    if StepKind.REPLICA in begun and still():
        undo(
            f"take the mark off {there}",
            target,
            lambda: release(target, there, token, header.autostart),
        )
    if waits:
        del left[0]
        undo(f"start {here}", source, start)
    for backend, ref, backup in noted(journal, source, target):
        undo(f"delete the backup of {ref}", backend, partial(drop, backend, ref, backup))
    if StepKind.PROFILES in begun:
        undo("remove the copied profiles", target, lambda: remove_profiles(journal, target))
    if StepKind.CLAIM in begun:
        undo(
            f"take the mark off {here}",
            source,
            lambda: release(source, here, token, header.autostart),
            aloud=StepKind.CLAIM in journal.record.done,  # or it may be another's, which stays
        )
    if not left:
        with suppress(LxtuiError):  # it is all undone: a full disk must not make it a failure
            journal.finish("undone")
    return tuple(left)


def _start_again(journal: Journal, source: Backend, *, asked_to_stop: bool) -> None:
    here = journal.record.header.source
    # What still reads it need not keep it from starting.
    with suppress(LxtuiError):
        _end_offer(journal, source, _SOON)
    if StepKind.LIVE.value in journal.record.begun and settled(source, here).stopped:
        _note(journal, STARTED_ANEW)
    try:
        bring_back(source, here, asked_to_stop=asked_to_stop)
    except OperationError:
        _end_offer(journal, source)
        bring_back(source, here, asked_to_stop=asked_to_stop)


def _note(journal: Journal, name: str) -> None:
    with suppress(LxtuiError):
        journal.note(name, "yes")


def _exchange_back(
    journal: Journal,
    source: Backend,
    target: Backend,
    undo: Callable[[str, Backend, Callable[[], None]], bool],
) -> tuple[str, ...]:
    """Take an exchange of names back; where that cannot be, how things stay."""
    header = journal.record.header
    here, exists = header.source, [True]
    if NAMES_BACK in journal.record.notes:
        return ()

    def names() -> None:
        exists.append(give_back(journal, source))
        _note(journal, NAMES_BACK)

    if not undo(f"stop the copy of {here}", source, lambda: stop_copy(source, header)):
        return (f"{here} stays stopped, as its copy may run",)
    if not undo(f"give {here} its name back", source, names):
        return (f"{here} stays stopped, perhaps as {header.parked.name}",)
    return () if exists[-1] else _leave(journal, target)


def as_it_was(header: Header) -> str:
    """How things are after a way back that has left nothing undone."""
    if header.options.refresh:
        return f"is as it was; {header.destination} may be half refreshed: refresh it again"
    state = "runs" if header.was_running else "is"
    if header.exchange:
        return f"{state} where it was, nothing is left of its copy"
    return f"{state} where it was, nothing is left on {header.destination.host}"


def _is_gone(backend: Backend, ref: Ref) -> bool:
    """Whether its host says that there is no such instance; an error says nothing of the kind."""
    try:
        backend.instance(ref)
    except NotFoundError:
        return True
    except LxtuiError:
        return False
    return False


def _leave(journal: Journal, target: Backend) -> tuple[str, ...]:
    """Leave the copy of a source that is gone: it may be all that there is of the instance."""
    header = journal.record.header
    here, there = header.source, header.copy
    if header.exchange:
        with suppress(LxtuiError):
            there = find(target, header)[1] or there
    try:
        if target.instance(there).config.get(MARK) == header.token:
            insist(lambda: release(target, there, header.token, header.autostart))
        complete = StepKind.VERIFY.value in journal.record.done
        state = "complete" if complete else "perhaps not complete"
        said = f"its copy {there}, which is {state}, is left as it is"
    except NotFoundError:
        said = f"there is no copy on {there.host}"
    except LxtuiError as error:
        return (f"{here} was deleted or renamed by somebody else, and {error}",)
    with suppress(LxtuiError):
        journal.finish("failed")
    return (f"{here} was deleted or renamed by somebody else; {said}",)


def end_copy(journal: Journal, source: Backend, target: Backend) -> None:
    """See to it that nothing is copied any more, whoever began it under this journal."""
    _end_offer(journal, source)  # first: a target cannot be made to let go before its peer has
    _end_sink(journal, target, QUIET_SECONDS)


def _end_offer(journal: Journal, source: Backend, seconds: float = QUIET_SECONDS) -> None:
    """End what copies from the source: the operation noted, or the one whose name is not known."""
    number = journal.record.notes.get(SOURCE_OPERATION, "")
    if number == UNHEARD:
        end_offers(source, journal.record.header.source, seconds)
    elif number:
        end_operation(source, number, seconds)
    if StepKind.LIVE.value in journal.record.begun:
        end_hand_over(source, journal.record.header.source, seconds)


def _end_sink(journal: Journal, target: Backend, seconds: float) -> None:
    """End what makes the copy, if it can be ended, and wait until it is over."""
    header = journal.record.header
    if number := journal.record.notes.get(TARGET_OPERATION):
        end_operation(target, number, seconds)
    quiesce(target, header.copy, header.token, seconds)
