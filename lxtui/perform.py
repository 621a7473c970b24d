"""Carries commands out: the same code for a key press and for a headless verb.

Role: command + backends → outcome. Boundary: knows the backend protocol and the mover, no screen
and no argument parsing. Threading: blocks its caller, which is a worker thread in the TUI.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

from lxtui import api
from lxtui import format as text
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.calls.base import Call, Work
from lxtui.calls.images import CopyImage
from lxtui.calls.launch import Launch
from lxtui.carrying import carry
from lxtui.commands import (
    STOP_SECONDS,
    ChangeState,
    Command,
    CreateSnapshot,
    DeleteInstance,
    DeleteSnapshot,
    Move,
    RestoreSnapshot,
    ResumeMove,
    UndoMove,
    typed,
)
from lxtui.errors import (
    ConflictError,
    InterruptedByUserError,
    LxtuiError,
    NotFoundError,
    OperationError,
    OperationLostError,
    ReadOnlyError,
)
from lxtui.files.tree import Done
from lxtui.launching.carrying import copy_image, launch
from lxtui.migrate import MARK, rates
from lxtui.migrate.journal import Journal, default_folder
from lxtui.migrate.mover import Mover
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.recovery import resume, undo
from lxtui.migrate.report import MoveReport, resumed
from lxtui.model import CLI, Instance, Kind, Operation, Progress, StateAction
from lxtui.names import snapshot_name_trouble
from lxtui.remaining import Remaining
from lxtui.undoing import Trace, looks_after, looks_before

Report = Callable[[Progress], None]
Remember = Callable[[Trace], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command that succeeded."""

    text: str
    move: MoveReport | None = None
    transfer: Done | None = None
    """Of files."""


def perform(
    command: Command,
    backends: Mapping[str, Backend],
    report: Report,
    stop: Flag,
    moves: Path | None = None,
    audit: Audit = SILENT,
    remember: Remember | None = None,
) -> Outcome:
    """Carry *command* out and wait for its end; LxtuiError when it fails.

    *moves* is the folder of the moves' journals; the user's own when it is None. *remember* is told
    what is needed to take it back, once it is done.
    """
    ref = command.ref
    if isinstance(command, Work) and not command.changes:
        return _perform(command, backends, report, stop, moves)
    with audit.of(ref, command.title, typed(command, kind_of(backends))):
        before = _look(backends, ref.host, looks_before(command)) if remember else None
        outcome = _perform(command, backends, report, stop, moves)
    if remember is not None:
        remember(Trace(command, before, _look(backends, ref.host, looks_after(command))))
    return outcome


def kind_of(backends: Mapping[str, Backend]) -> Callable[[str], Kind]:
    """What a host is, by its name; one that is not known fails soon enough for that."""
    return lambda host: backends[host].remote.kind if host in backends else Kind.LXD


def _look(
    backends: Mapping[str, Backend], host: str, where: tuple[api.Path, Mapping[str, str]] | None
) -> Mapping[str, Any] | None:
    """What is there, for the way back; where it cannot be known there will be none."""
    if where is None or host not in backends:
        return None
    try:
        found = backends[host].read(*where).value
    except LxtuiError:
        return None
    return found if isinstance(found, Mapping) else None


def _perform(
    command: Command,
    backends: Mapping[str, Backend],
    report: Report,
    stop: Flag,
    moves: Path | None,
) -> Outcome:
    folder = moves or default_folder(os.environ, Path.home())
    for host in _changed(command, folder):
        if host in backends and backends[host].remote.read_only:
            raise ReadOnlyError(host)
    match command:
        case Move():
            return _move(command, backends, report, stop, folder)
        case ResumeMove():
            before = Journal.peek(folder, command.token)
            moved = resume(folder, command.token, backends, report, stop)
            return _moved(resumed(moved, before, Journal.peek(folder, before.header.token)))
        case UndoMove():
            return Outcome(undo(folder, command.token, backends, report, lose=command.lose))
    backend = _backend(backends, command.ref.host)
    if isinstance(command, Work):
        said, done = carry(command, backend, report, stop)
        return Outcome(said, transfer=done)

    def wait(backend: Backend, operation: Operation) -> None:
        remaining = Remaining()

        def on_progress(now: Operation) -> None:
            if stop.is_set():
                backend.cancel(now)
                raise InterruptedByUserError(
                    f"{command.title}: no longer waited for; the host may still finish it"
                )
            said = remaining.said(now)
            report(Progress(said, now.processed, now.rate, now.percent, passing=True))

        report(Progress(operation.description, passing=True))
        try:
            backend.wait(operation, on_progress)
        except OperationLostError as error:
            raise OperationLostError(f"{error}: look at {command.ref} before you go on") from error

    if isinstance(command, Launch):
        return Outcome(launch(command, backends, wait))
    if isinstance(command, CopyImage):
        return Outcome(copy_image(command, backends, wait))
    try:
        wait(backend, _begin(command, backend))
    except OperationLostError:
        raise
    except OperationError as error:
        if isinstance(command, RestoreSnapshot) and command.stateful:
            files = command.ref.command("lxtui restore", f" {command.name} --stateless")
            raise OperationError(f"{error}; '{files}' leaves out the running state") from error
        raise
    return Outcome(f"{command.title}: done")


def _changed(command: Command, folder: Path) -> tuple[str, ...]:
    """The hosts on which a command changes something; a copy marks its source, an image is lent."""
    match command:
        case Move(ref, target):
            return (ref.host, target)
        case ResumeMove() | UndoMove():
            header = Journal.peek(folder, command.token).header
            return (header.source.host, header.destination.host)
        case Work() if not command.changes:
            return ()
        case Launch() | CopyImage() if command.lends is not None:
            return (command.ref.host, command.lends.host)
        case _:
            return (command.ref.host,)


def _begin(command: Command, backend: Backend) -> Operation:
    match command:
        case ChangeState(ref, action, force):
            now = backend.instance(ref)  # its absence is said better here than by the daemon
            if action is StateAction.START and MARK in now.config:
                raise ConflictError(
                    f"{ref} is held by an unfinished move, whose other copy may run: "
                    f"'lxtui moves' shows how to finish or undo it; if no lxtui knows of it: "
                    f"'{ref.command(f'{CLI[backend.remote.kind]} config unset', f' {MARK}')}'"
                )
            return backend.change_state(ref, action, force=force, timeout=STOP_SECONDS)
        case CreateSnapshot(ref, name):
            if trouble := snapshot_name_trouble(name):
                raise OperationError(f"{name!r}: {trouble}")
            if any(one.name == name for one in backend.instance(ref).snapshots):
                raise ConflictError(f"{ref} has a snapshot {name!r} already: choose another name")
            return backend.create_snapshot(ref, name)
        case RestoreSnapshot(ref, name, stateful):
            _need_snapshot(backend.instance(ref), name)
            return backend.restore_snapshot(ref, name, stateful=stateful)
        case DeleteSnapshot(ref, name):
            _need_snapshot(backend.instance(ref), name)
            return backend.delete_snapshot(ref, name)
        case DeleteInstance(ref):
            if not backend.instance(ref).stopped:
                raise OperationError(f"{ref} is not stopped: stop it before you delete it")
            return backend.delete_instance(ref)
        case Call():
            if command.trouble:
                raise OperationError(f"{command.title}: {command.trouble}")
            return backend.request(command.request)
        case _:
            raise AssertionError("a move is no single operation")


def _need_snapshot(instance: Instance, name: str) -> None:
    names = [one.name for one in instance.snapshots]
    if name not in names:
        raise NotFoundError(
            f"{instance.ref} has no snapshot {name!r} (it has: {', '.join(names) or 'none'})"
        )


def _move(
    command: Move, backends: Mapping[str, Backend], report: Report, stop: Flag, folder: Path
) -> Outcome:
    source = _backend(backends, command.ref.host)
    target = _backend(backends, command.target)
    report(Progress("checking both hosts"))
    plan = prepare(source, target, command.ref, command.options, folder)
    with closing(begin(plan, folder)) as journal:
        done = Mover(plan, source, target, report, stop, journal).run()
    if done.measured is not None:
        rates.record(folder, source.remote.name, target.remote.name, done.measured)
    return _moved(done, command.options)


def _moved(done: MoveReport, options: MoveOptions | None = None) -> Outcome:
    if options is not None and options.copy:
        return Outcome(f"{done.destination} is a copy of {done.source}", done)
    how = (
        f"; it was away for {text.duration(done.downtime_seconds)}" if done.downtime_seconds else ""
    )
    if done.source == done.destination:
        return Outcome(f"{done.source} is now{_place(options)}{how}", done)
    return Outcome(f"{done.source} is now {done.destination}{how}", done)


def _place(options: MoveOptions | None) -> str:
    """Where something is that has kept its host and its name."""
    if options is None:  # resumed
        return " where it was to go"
    member = f" on member {options.member}" if options.member else ""
    return member + (f" in pool {options.pool}" if options.pool else "")


def _backend(backends: Mapping[str, Backend], host: str) -> Backend:
    try:
        return backends[host]
    except KeyError:
        known = ", ".join(backends) or "none"
        raise NotFoundError(f"no host is named {host!r} (known: {known})") from None
