"""How what was done is taken back, if it can be.

Role: a command with what was there before it → the commands that put that back, or why that cannot
be; looked at anew when it is asked for, so that what somebody else has done since is never
overwritten. Boundary: gets a reader of documents; sends nothing. Threading: ``taken_back`` blocks
its caller, as the reader does; the rest are values and pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxtui.api import Document, Path
from lxtui.calls.documents import PutDocument
from lxtui.calls.images import Publish
from lxtui.calls.instances import Rename
from lxtui.calls.launch import Launch
from lxtui.calls.resources import (
    AddAlias,
    DeleteEntry,
    EvacuateMember,
    RemoveAlias,
    RestoreMember,
)
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.commands import (
    ChangeState,
    Command,
    CreateSnapshot,
    DeleteInstance,
    DeleteSnapshot,
    Many,
    Move,
    RestoreSnapshot,
    ResumeMove,
    Single,
    UndoMove,
)
from lxtui.editing.documents import changes, merged, shown
from lxtui.errors import ConflictError, LxtuiError, NotFoundError
from lxtui.expiry import NEVER
from lxtui.format import timestamp
from lxtui.model import Kind, Ref, StateAction

Read = Callable[[str, Path, Mapping[str, str]], Document]
"""What a path of a host's API answers; raises LxtuiError."""
STAYS = "stays: "
"""Before the reason why something cannot be taken back."""
_OPPOSITE = {
    StateAction.START: StateAction.STOP,
    StateAction.STOP: StateAction.START,
    StateAction.FREEZE: StateAction.UNFREEZE,
    StateAction.UNFREEZE: StateAction.FREEZE,
}
_LEAVES = {
    StateAction.START: "Running",
    StateAction.STOP: "Stopped",
    StateAction.FREEZE: "Frozen",
    StateAction.UNFREEZE: "Running",
}
_NOT_BACK = {
    StateAction.START: "What it has done since stays done.",
    StateAction.STOP: "Its processes begin anew.",
}
"""What does not come back with the state."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A command that was carried out, and what it would be forgotten by."""

    command: Command
    before: Mapping[str, Any] | None = None
    """What it is about, as its host had it before; None where nobody looked."""
    after: Mapping[str, Any] | None = None
    """The same afterwards."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job that has ended, with whatever it has carried out."""

    number: int
    title: str
    traces: tuple[Trace, ...]
    ended_at: datetime

    @property
    def reason(self) -> str:
        """Why nothing of it can be taken back; empty where some of it may be."""
        reasons = dict.fromkeys(map(irreversible, self.traces))
        return "" if "" in reasons else ", ".join(reasons) or "it has changed nothing"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done to take a job back."""

    command: Single | Many | None
    """None where there is nothing to do."""
    lines: tuple[str, ...]
    """For people: what is done, how one would type it, who is left out and why."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What would take a command back."""

    command: Single
    lines: tuple[str, ...] = ()
    """What to know of it beside the command."""


def looks_before(command: Command) -> tuple[Path, Mapping[str, str]] | None:
    """What has to be read before it is carried out, to know the way back."""
    match command:
        case ChangeState() | Rename():
            return _instance(command.ref)
        case RenameSnapshot():
            return _snapshot(command.ref, command.old)
        case SetExpiry():
            return _snapshot(command.ref, command.name)
    return None


def looks_after(command: Command) -> tuple[Path, Mapping[str, str]] | None:
    """What has to be read afterwards, to know it again."""
    match command:
        case CreateSnapshot() | TakeSnapshot():
            return _snapshot(command.ref, command.name)
    return None


def irreversible(trace: Trace) -> str:
    """Why nothing takes it back, whatever has happened since; empty where something may."""
    match trace.command:
        case DeleteInstance() | DeleteSnapshot() | DeleteEntry():
            return "what is deleted is gone"
        case RestoreSnapshot():
            return "what came after the snapshot is gone"
        case ChangeState(_, StateAction.RESTART):
            return "what ran before the restart has ended"
        case Move(options=options) if options.copy:
            return "what it has made would have to be deleted: do that by its own key"
        case Move() | ResumeMove():
            return "a move is taken back by a move to where it came from"
        case UndoMove():
            return "it has taken something back itself"
        case Launch() | Publish():
            return "what it has made would have to be deleted: do that by its own key"
        case CreateSnapshot() | TakeSnapshot() if trace.after is None:
            return "the snapshot could not be looked at when it was taken"
        case ChangeState() | Rename() | RenameSnapshot() | SetExpiry() if trace.before is None:
            return "what was there before could not be looked at"
        case ChangeState() if _of(trace.before).get("ephemeral") is True:
            return "an ephemeral instance is deleted when it stops"
        case (
            ChangeState()
            | CreateSnapshot()
            | TakeSnapshot()
            | Rename()
            | RenameSnapshot()
            | SetExpiry()
            | PutDocument()
            | AddAlias()
            | RemoveAlias()
            | EvacuateMember()
            | RestoreMember()
        ):
            return ""
    return "it has no opposite"


def taken_back(trace: Trace, read: Read) -> Undo:
    """The way back, as things are now.

    ConflictError when what it has left is no longer so; other LxtuiErrors when the host does not
    say, or when there is no way.
    """
    command = trace.command
    if reason := irreversible(trace):
        raise LxtuiError(f"{command.title}: {reason}")
    match command:
        case ChangeState():
            return _state(command, trace, read)
        case Rename():
            return _rename(command, trace, read)
        case CreateSnapshot() | TakeSnapshot():
            _same_snapshot(command.ref, command.name, trace.after, read)
            return Undo(DeleteSnapshot(command.ref, command.name))
        case RenameSnapshot():
            _same_snapshot(command.ref, command.name, trace.before, read)
            return Undo(RenameSnapshot(command.ref, command.name, command.old))
        case SetExpiry():
            return _expiry(command, trace, read)
        case PutDocument():
            return _document(command, read)
        case AddAlias():
            return Undo(
                RemoveAlias(
                    command.ref, command.table, command.path, command.location, command.alias
                )
            )
        case RemoveAlias():
            add = AddAlias(
                command.ref, command.table, command.path, command.location, command.alias
            )
            return Undo(add, ("A description that the alias had does not come back.",))
        case EvacuateMember() | RestoreMember():
            return _member(command, read)
    raise LxtuiError(f"{command.title}: it has no opposite")


def plan(done: Done, read: Read, kind_of: Callable[[str], Kind]) -> Plan:
    """The way back of all that a job has done, in the opposite order; waits for the hosts."""
    found: list[Undo] = []
    left: list[str] = []
    for trace in reversed(done.traces):
        try:
            found.append(taken_back(trace, read))
        except LxtuiError as error:
            left.append(f"{STAYS}{error}")
    lines: list[str] = []
    for one in found:
        lines += [one.command.title, *(f"  {line}" for line in one.lines)]
        lines.append(f"  as: {one.command.equivalent(kind_of(one.command.ref.host))}")
    if not found:
        return Plan(None, tuple(left))
    commands = tuple(one.command for one in found)
    many = Many(commands, f"take back: {done.title}")
    return Plan(commands[0] if len(commands) == 1 else many, (*lines, *left))


def _state(command: ChangeState, trace: Trace, read: Read) -> Undo:
    now = _read(read, command.ref.host, _instance(command.ref))
    left = _LEAVES[command.action]
    if now.get("status") != left:
        raise _changed(f"{command.ref} is {_said(now, 'status')} now", f"{left} when it was done")
    said = [_NOT_BACK.get(command.action, "")]
    if command.action is StateAction.STOP and _of(trace.before).get("status") == "Frozen":
        said.append("It was frozen, and will run.")
    opposite = ChangeState(command.ref, _OPPOSITE[command.action])
    return Undo(opposite, tuple(filter(None, said)))


def _rename(command: Rename, trace: Trace, read: Read) -> Undo:
    renamed = command.ref._replace(name=command.name)
    now = _read(read, renamed.host, _instance(renamed))
    if now.get("created_at") != _of(trace.before).get("created_at"):
        raise _changed(f"{renamed} is another instance now", "renamed")
    if now.get("status") != "Stopped":
        raise LxtuiError(f"{renamed} is not stopped: stop it before it gets its name back")
    try:
        read(command.ref.host, *_instance(command.ref))
    except NotFoundError:
        return Undo(Rename(renamed, command.ref.name))
    raise _changed(f"there is another {command.ref} now", "free")


def _same_snapshot(
    ref: Ref, name: str, known: Mapping[str, Any] | None, read: Read
) -> Mapping[str, Any]:
    """The snapshot as it is now, if it is the one that is *known*."""
    now = _read(read, ref.host, _snapshot(ref, name))
    if now.get("created_at") != _of(known).get("created_at"):
        raise _changed(f"{ref.plain}/{name} is another snapshot now", "taken")
    return now


def _expiry(command: SetExpiry, trace: Trace, read: Read) -> Undo:
    now = _same_snapshot(command.ref, command.name, trace.before, read)
    if _moment(now).replace(microsecond=0) != command.expires_at.replace(microsecond=0):
        raise _changed(f"{command.ref.plain}/{command.name} expires at another time now", "set")
    return Undo(SetExpiry(command.ref, command.name, _moment(_of(trace.before))))


def _document(command: PutDocument, read: Read) -> Undo:
    """What was changed, put back key by key; what others have changed beside it stays theirs."""
    what = command.what
    document = read(what.ref.host, what.path, what.parameters)
    before, now = shown(what, command.before.value), shown(what, document.value)
    back, both = merged(command.after, before, now)
    if both:
        raise _changed(f"{', '.join(both)} of {what.title} has been changed since", "written")
    if not changes(now, back):
        raise ConflictError(f"{what.title} is as it was before already")
    others = changes(command.after, now)
    said = (f"Changed by others since, and left alone: {', '.join(others)}.",) if others else ()
    return Undo(PutDocument(what, document, back), said)


def _member(command: EvacuateMember | RestoreMember, read: Read) -> Undo:
    now = _read(read, command.ref.host, (command.path, {}))
    evacuated = isinstance(command, EvacuateMember)
    left = "Evacuated" if evacuated else "Online"
    if now.get("status") != left:
        raise _changed(f"member {command.ref} is {_said(now, 'status')} now", left)
    opposite = RestoreMember if evacuated else EvacuateMember
    return Undo(opposite(command.ref, command.table, command.path, command.location))


def _instance(ref: Ref) -> tuple[Path, Mapping[str, str]]:
    return ("instances", ref.name), {"project": ref.project}


def _snapshot(ref: Ref, name: str) -> tuple[Path, Mapping[str, str]]:
    return ("instances", ref.name, "snapshots", name), {"project": ref.project}


def _read(read: Read, host: str, where: tuple[Path, Mapping[str, str]]) -> Mapping[str, Any]:
    return _of(read(host, *where).value)


def _of(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _said(document: Mapping[str, Any], key: str) -> str:
    return str(document.get(key) or "in an unknown state")


def _moment(document: Mapping[str, Any]) -> datetime:
    return timestamp(str(document.get("expires_at", ""))) or NEVER


def _changed(now: str, then: str) -> ConflictError:
    return ConflictError(f"{now}, and was {then}: it is not touched")
