"""The backups that ``--verify=export`` has made on both ends, and has removed again.

Role: makes, compares and removes them; their name is in the journal before they are. Boundary: two
backends and a journal. Threading: blocks its caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lxtui.backend.base import Backend
from lxtui.errors import NotFoundError, OperationError
from lxtui.migrate.exports import differences
from lxtui.migrate.journal import Journal
from lxtui.model import Operation, Ref

BACKUP = "backup"
"""Note in the journal: the name of the backups on both ends."""
_SECONDS = 150.0
"""How long a backup that is still being written may keep itself from being removed."""
_PAUSE = 0.5


def compare_backups(
    journal: Journal,
    source: Backend,
    target: Backend,
    check: Callable[[], None],
    say: Callable[[str], None],
) -> tuple[str, ...]:
    """What differs; nothing is left of the backups, whatever comes of it."""
    header = journal.record.header
    name = f"lxtui-{header.token}"
    ends = ((source, header.source), (target, header.copy))
    journal.note(BACKUP, name)
    for backend, ref in ends:
        drop(backend, ref, name)  # what a lost lxtui left
    try:
        begun = [(backend, ref, _begin(backend, ref, name)) for backend, ref in ends]
        for backend, ref, operation in begun:
            say(f"{ref} is written into a backup on {ref.host}")
            _wait(backend, ref, operation, check)
        with (
            source.export(header.source, name) as here,
            target.export(header.copy, name) as there,
        ):
            return differences(here, there, check, say)
    finally:
        for backend, ref in ends:
            drop(backend, ref, name)


def _begin(backend: Backend, ref: Ref, name: str) -> Operation:
    try:
        return backend.create_backup(ref, name)
    except OperationError as error:
        raise _explained(ref, error) from error


def _wait(backend: Backend, ref: Ref, operation: Operation, check: Callable[[], None]) -> None:
    try:
        backend.wait(operation, lambda _: check())
    except OperationError as error:
        raise _explained(ref, error) from error


def _explained(ref: Ref, error: OperationError) -> OperationError:
    return type(error)(
        f"no backup of {ref} could be made ({error}): it needs as much room on {ref.host} as the "
        f"instance with all its snapshots, beside the pool; make room there or give the daemon a "
        f"storage.backups_volume, or choose --verify=checksum"
    )


def noted(
    journal: Journal, source: Backend, target: Backend
) -> tuple[tuple[Backend, Ref, str], ...]:
    """The backups that may be there, by the journal."""
    header, name = journal.record.header, journal.record.notes.get(BACKUP, "")
    ends = ((source, header.source, name), (target, header.copy, name))
    return ends if name else ()


def drop(backend: Backend, ref: Ref, name: str) -> None:
    """Remove the backup *name* of *ref*, if there is one; wait while it is still being written."""
    until = time.monotonic() + _SECONDS
    while True:
        try:
            if name not in backend.instance(ref).backups:
                return
            backend.wait(backend.delete_backup(ref, name))
        except NotFoundError:
            return
        except OperationError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
