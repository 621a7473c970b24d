"""What a move with running state does besides copying.

Role: sees to it that an instance whose state was brought to another host runs there and lies still
here, and for how long it was away. Boundary: two backends; knows no plan. Threading: blocks its
caller.

Source of the hand-over: Incus 6.0.4. The source's CRIU holds the processes still and waits for what
becomes of them: it ends them when the target says that they run there, and else lets them go on.
The target may say so although they do not: it then says nothing else than that the copy has ended
well. So it is looked at, and not believed.
"""

from __future__ import annotations

import time
from contextlib import suppress

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError, NotFoundError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.ends import hands_over, settled
from lxtui.migrate.journal import Journal
from lxtui.migrate.plan import StepKind
from lxtui.migrate.rollback import STARTED_ANEW
from lxtui.model import Ref

_SECONDS = 15.0
"""How long both may take to be what the daemons have said."""
_PAUSE = 0.2
_CALM = 10
"""Looks in a row that must find both so."""


class Absence:
    """When the source began to stand still, as far as its daemon shows it."""

    def __init__(self, backend: Backend, project: str) -> None:
        self._backend = backend
        self._project = project
        self._before = time.monotonic()
        self._seen = False

    @property
    def begun(self) -> bool:
        """Whether it stands still: nothing is to come between until it runs, here or there."""
        return self._seen

    @property
    def since(self) -> float | None:
        """On the monotonic clock, the last look at which it did not yet; None: it was not seen."""
        return self._before if self._seen else None

    def look(self) -> None:
        """Look whether it stands still by now; may be called often."""
        if self._seen:
            return
        now = time.monotonic()
        with suppress(LxtuiError):  # only the measure suffers
            self._seen = hands_over(self._backend, self._project)
        if not self._seen:
            self._before = now


def arrived(source: Backend, target: Backend, here: Ref, there: Ref, token: str) -> bool:
    """Whether what an earlier lxtui has begun went well: it runs there and has ended here.

    OperationError when it runs nowhere: then its running state is lost, and only a start helps.
    """
    if not settled(source, here).stopped:
        return False
    try:
        copy = target.instance(there)
    except NotFoundError:
        copy = None
    if copy is None or copy.config.get(MARK) != token or not copy.running:
        raise OperationError(f"{here} has ended, and {there} does not run")
    return True


def settle(source: Backend, target: Backend, here: Ref, there: Ref) -> None:
    """Return when it runs there and lies still here; OperationError when that does not come.

    For a second or two after CRIU has ended it the source's daemon says now this and now that of
    it, and at times only "Invalid PID" (Incus 6.0.4): what counts is what it keeps on saying.
    """
    until = time.monotonic() + _SECONDS
    well = lost = 0
    while well < _CALM:
        runs, still = settled(target, there).running, False
        with suppress(OperationError):
            still = source.instance(here).stopped
        well = well + 1 if runs and still else 0
        lost = lost + 1 if still and not runs else 0
        late = not well and time.monotonic() > until
        if lost >= _CALM or (late and not runs):
            raise OperationError(
                f"{there} does not run, although {there.host} has said that it has brought its "
                f"running state back"
            )
        if late:
            raise OperationError(f"{there} runs, and {here} has not ended")
        time.sleep(_PAUSE)


def state_lost(journal: Journal) -> str:
    """That the way back has cost the running state; empty when it has not."""
    lost = STARTED_ANEW in journal.record.notes
    return "; its running state is lost, it was started anew" if lost else ""


def near_live_instead(journal: Journal) -> str:
    """What to do after a move with running state that was taken back; empty after any other."""
    if StepKind.LIVE.value not in journal.record.begun:
        return ""
    header = journal.record.header
    here, there = header.source, header.destination.host
    return (
        f"{state_lost(journal)}; to move it without: 'lxtui move {here} {there} --mode near-live'"
    )
