"""A copy that is brought up to date: made by an earlier copy of ours, refreshed by a later one.

Role: what a refresh does before the data. Boundary: one backend and a journal. Threading: blocks
its caller.
"""

from __future__ import annotations

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.errors import OperationError
from lxtui.migrate import COPIED_AT, MARK
from lxtui.migrate.contents import UNSETTLED, Window
from lxtui.migrate.journal import Journal, Record
from lxtui.migrate.plan import MovePlan
from lxtui.migrate.replica_checks import foreign

EARLIER = "copied before"
"""Note in the journal: when the copy that is refreshed was made, by the source's clock."""


def claim_replica(journal: Journal, target: Backend, plan: MovePlan) -> None:
    """Mark the copy as being refreshed, and give it the source's configuration."""
    copy = target.instance(plan.destination)
    if trouble := foreign(copy, str(plan.source)):
        raise OperationError(trouble)
    if not copy.stopped:
        raise OperationError(f"{copy.ref} is {copy.status.lower()}: stop it first")
    ours = copy.config.get(MARK) == plan.token
    if not ours:
        journal.note(EARLIER, copy.config.get(COPIED_AT, ""))
    stale = [
        key
        for key in copy.config
        if key not in plan.spec.config and not key.startswith("volatile.")
    ]
    kept = {key: one for key, one in plan.spec.config.items() if not key.startswith("volatile.")}
    target.set_config(
        plan.destination, {**dict.fromkeys(stale), **kept}, unless="" if ours else MARK
    )


def since(record: Record) -> Window:
    """What the refresh has to look into: all that may have changed since the copy was made."""
    at = text.timestamp(record.notes.get(EARLIER, ""))
    return Window(at.timestamp() - UNSETTLED if at else 0.0)
