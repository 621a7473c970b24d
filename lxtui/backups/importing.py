"""A file of this machine → an instance.

Role: refuses what cannot be before anything is sent, sends the file, waits. Boundary: the backend
protocol and one local file. Threading: blocks its caller; *stop* may be set from any thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag

from lxtui.backend.base import Backend
from lxtui.calls.backups import Import
from lxtui.errors import (
    ConflictError,
    InterruptedByUserError,
    NotFoundError,
    OperationError,
)
from lxtui.files.meter import Meter
from lxtui.files.tree import Done
from lxtui.model import CLI, Kind, Operation, Progress
from lxtui.names import instance_name_trouble

_HEADERS = {Kind.LXD: "X-LXD-", Kind.INCUS: "X-Incus-"}


def import_(
    command: Import, backend: Backend, report: Callable[[Progress], None], stop: Flag
) -> Done:
    """Make the instance; LxtuiError when it is not there then."""
    ref, meter = command.ref, Meter(f"importing {command.ref}", report, stop)
    if trouble := instance_name_trouble(ref.name):
        raise OperationError(f"{ref.name!r}: {trouble}")
    with suppress(NotFoundError):
        backend.instance(ref)
        raise ConflictError(f"{ref} exists already: choose another name; nothing was sent")
    _check_pool(command, backend)
    sender = _Sender(command, meter)
    try:
        head = _HEADERS[backend.remote.kind]
        headers = {
            f"{head}name": ref.name,
            **({f"{head}pool": command.pool} if command.pool else {}),
        }
        operation = backend.upload(("instances",), {"project": ref.project}, sender, headers)
    finally:
        sender.close()

    def told(now: Operation) -> None:
        if stop.is_set():
            backend.cancel(now)
            raise InterruptedByUserError(
                f"{command.title}: all was sent, and {ref.host} may still finish it; "
                f"'{ref.command(f'{CLI[backend.remote.kind]} info')}' says whether it did"
            )
        how = f": {now.progress}" if now.progress else ""
        report(Progress(f"{ref.host} makes {ref.name}{how}", meter.size))

    report(Progress(f"{ref.host} makes {ref.name}", meter.size))
    backend.wait(operation, told)
    return Done(1, 0, meter.size, round(meter.seconds, 3))


def _check_pool(command: Import, backend: Backend) -> None:
    """A pool that is not there is said before gigabytes are sent."""
    if command.pool:
        try:
            backend.read(("storage-pools", command.pool))
        except NotFoundError as error:
            raise NotFoundError(
                f"{command.ref.host} has no storage pool {command.pool!r}"
            ) from error


class _Sender:
    """The file, counted while it is read."""

    def __init__(self, command: Import, meter: Meter) -> None:
        self._path = command.file
        self._meter = meter
        try:
            self._file = os.open(command.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise OperationError(f"{command.file}: {error.strerror}") from error
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._file)
            raise OperationError(f"{command.file} is no file")
        meter.begin(found.st_size)

    def read(self, size: int, /) -> bytes:
        """The next bytes; InterruptedByUserError when it is to stop: the host drops what it has."""
        try:
            data = os.read(self._file, size)
        except OSError as error:
            raise OperationError(f"{self._path}: {error.strerror}") from error
        self._meter.passed(len(data))
        return data

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
