"""An instance → a file of this machine.

Role: has the daemon write a backup, fetches it, has the daemon remove it again, whatever comes of
it. Boundary: the backend protocol on one side, files/here.py on the other. Threading: blocks its
caller; *stop* may be set from any thread.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event as Flag

from lxtui.api import Request
from lxtui.backend.base import Backend, Download
from lxtui.calls.backups import Export
from lxtui.clock import utc_now
from lxtui.errors import InterruptedByUserError, LxtuiError, OperationError
from lxtui.expiry import iso
from lxtui.files.here import Here
from lxtui.files.meter import Meter
from lxtui.files.tree import Done
from lxtui.migrate.backups import drop
from lxtui.model import Operation, Progress

_LIFE = timedelta(days=1)
"""After which the daemon itself removes a backup that nobody has removed."""
_PIECE = 256 * 1024


def export(
    command: Export, backend: Backend, report: Callable[[Progress], None], stop: Flag
) -> Done:
    """Write the file; LxtuiError when there is none then."""
    meter = Meter(f"exporting {command.ref}", report, stop)
    name = os.fsencode(command.file.name)
    with Here(command.file.parent, replace=command.force) as here:
        here.need(name)
        backup = f"lxtui-{secrets.token_hex(6)}"
        try:
            _make(command, backend, backup, report, meter)
            _fetch(command, backend, backup, here, meter)
        except BaseException as error:
            report(Progress(f"removing the backup from {command.ref.host}", 0))
            try:
                drop(backend, command.ref, backup)
            except LxtuiError as trouble:
                if not isinstance(error, LxtuiError):
                    raise
                raise type(error)(f"{error}; {_left(command, backup, trouble)}") from error
            raise
        report(Progress(f"removing the backup from {command.ref.host}", meter.size))
        try:
            drop(backend, command.ref, backup)
        except LxtuiError as trouble:
            raise OperationError(
                f"{command.file} is whole; {_left(command, backup, trouble)}"
            ) from trouble
    return Done(1, 0, meter.size, round(meter.seconds, 3))


def _left(command: Export, backup: str, trouble: LxtuiError) -> str:
    return (
        f"the backup {backup} on {command.ref.host} could not be removed ({trouble}): the host "
        f"removes it itself in a day"
    )


def _make(
    command: Export,
    backend: Backend,
    backup: str,
    report: Callable[[Progress], None],
    meter: Meter,
) -> None:
    """Have the daemon write the backup."""
    ref = command.ref
    body = {
        "name": backup,
        "instance_only": command.instance_only,
        "optimized_storage": command.optimized,
        "compression_algorithm": command.compression,
        "expires_at": iso(utc_now() + _LIFE),
    }
    path = ("instances", ref.name, "backups")

    def told(now: Operation) -> None:
        try:
            meter.check()
        except InterruptedByUserError:
            backend.cancel(now)  # which not every daemon can do with a backup
            raise
        how = f": {now.progress}" if now.progress else ""
        report(Progress(f"{ref.host} writes a backup of {ref.name}{how}", now.processed))

    report(Progress(f"{ref.host} writes a backup of {ref.name}"))
    try:
        operation = backend.request(Request("post", path, {"project": ref.project}, body))
        backend.wait(operation, told)
    except OperationError as error:
        raise OperationError(
            f"no backup of {ref} could be made ({error}): the host needs room for it beside the "
            f"instance; a storage.backups_volume gives it some elsewhere"
        ) from error


def _fetch(command: Export, backend: Backend, backup: str, here: Here, meter: Meter) -> None:
    """Write what the daemon has written."""
    ref = command.ref
    path = ("instances", ref.name, "backups", backup, "export")
    with backend.download(path, {"project": ref.project}) as answer:
        if answer.size is not None:
            here.room(answer.size)
        meter.begin(answer.size)
        name = os.fsencode(command.file.name)
        here.write((name,), meter.passing(_whole(ref.host, answer)), durable=True)


def _whole(host: str, answer: Download) -> Iterator[bytes]:
    """All of it, or an error."""
    got = 0
    while piece := answer.read(_PIECE):
        got += len(piece)
        yield piece
    if answer.size is not None and got != answer.size:
        raise OperationError(f"{host}: sent {got} of {answer.size} bytes of the backup")
