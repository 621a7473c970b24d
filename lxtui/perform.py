"""Carries commands out: the same code for a key press and for a headless verb.

Role: command + backends → outcome. Boundary: knows the backend protocol and the mover, no screen
and no argument parsing. Threading: blocks its caller, which is a worker thread in the TUI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.commands import (
    STOP_SECONDS,
    ChangeState,
    Command,
    CreateSnapshot,
    DeleteInstance,
    DeleteSnapshot,
    Move,
    RestoreSnapshot,
)
from lxtui.errors import ConflictError, InterruptedByUserError, NotFoundError, OperationError
from lxtui.migrate.mover import Mover, MoveReport, prepare
from lxtui.model import Instance, Operation, Progress
from lxtui.names import snapshot_name_trouble

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command that succeeded."""

    text: str
    move: MoveReport | None = None


def perform(
    command: Command, backends: Mapping[str, Backend], report: Report, stop: Flag
) -> Outcome:
    """Carry *command* out and wait for its end; LxtuiError when it fails."""
    backend = _backend(backends, command.ref.host)
    if isinstance(command, Move):
        return _move(command, backends, report, stop)
    operation = _begin(command, backend)

    def on_progress(now: Operation) -> None:
        if stop.is_set():
            backend.cancel(now)
            raise InterruptedByUserError(
                f"{command.title}: no longer waited for; the host may still finish it"
            )
        report(Progress(now.progress or now.description, now.processed, now.rate, now.percent))

    report(Progress(operation.description))
    backend.wait(operation, on_progress)
    return Outcome(f"{command.title}: done")


def _begin(command: Command, backend: Backend) -> Operation:
    match command:
        case ChangeState(ref, action, force):
            backend.instance(ref)  # its absence is said better here than by the daemon
            return backend.change_state(ref, action, force=force, timeout=STOP_SECONDS)
        case CreateSnapshot(ref, name):
            if trouble := snapshot_name_trouble(name):
                raise OperationError(f"{name!r}: {trouble}")
            if any(one.name == name for one in backend.instance(ref).snapshots):
                raise ConflictError(f"{ref} has a snapshot {name!r} already: choose another name")
            return backend.create_snapshot(ref, name)
        case RestoreSnapshot(ref, name):
            _need_snapshot(backend.instance(ref), name)
            return backend.restore_snapshot(ref, name)
        case DeleteSnapshot(ref, name):
            _need_snapshot(backend.instance(ref), name)
            return backend.delete_snapshot(ref, name)
        case DeleteInstance(ref):
            if not backend.instance(ref).stopped:
                raise OperationError(f"{ref} is not stopped: stop it before you delete it")
            return backend.delete_instance(ref)
        case Move():
            raise AssertionError("a move is no single operation")


def _need_snapshot(instance: Instance, name: str) -> None:
    names = [one.name for one in instance.snapshots]
    if name not in names:
        raise NotFoundError(
            f"{instance.ref} has no snapshot {name!r} (it has: {', '.join(names) or 'none'})"
        )


def _move(command: Move, backends: Mapping[str, Backend], report: Report, stop: Flag) -> Outcome:
    source = _backend(backends, command.ref.host)
    target = _backend(backends, command.target)
    report(Progress("checking both hosts"))
    plan = prepare(source, target, command.ref)
    done = Mover(plan, source, target, report, stop, force=command.force).run()
    how = (
        f"; it was away for {text.duration(done.downtime_seconds)}" if done.downtime_seconds else ""
    )
    return Outcome(f"{done.source} is now {done.destination}{how}", done)


def _backend(backends: Mapping[str, Backend], host: str) -> Backend:
    try:
        return backends[host]
    except KeyError:
        known = ", ".join(backends) or "none"
        raise NotFoundError(f"no host is named {host!r} (known: {known})") from None
