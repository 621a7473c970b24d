"""What can be asked of the fleet, as frozen values.

Role: the keys, the palette, the dialogs and the headless verbs all end in one of these; perform.py
carries them out. Boundary: pure. Threading: values.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from lxtui.calls.backups import Export
from lxtui.calls.base import Call, Work
from lxtui.migrate.options import MoveOptions, Transport
from lxtui.migrate.placement import Fate, Row
from lxtui.model import CLI, Kind, Ref, StateAction

if TYPE_CHECKING:
    from lxtui.migrate.plan import MovePlan

_WORDS = {
    (Kind.LXD, StateAction.FREEZE): "pause",
    (Kind.LXD, StateAction.UNFREEZE): "start",
    (Kind.INCUS, StateAction.FREEZE): "pause",
    (Kind.INCUS, StateAction.UNFREEZE): "resume",
}
"""What the command lines call it, where that is not the API's word."""
STOP_SECONDS = 30
"""How long a graceful stop may take; the daemons' default of boot.host_shutdown_timeout."""


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Start, stop, restart, freeze or unfreeze an instance."""

    ref: Ref
    action: StateAction
    force: bool = False

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.action}{' by force' if self.force else ''} {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        word = _WORDS.get((kind, self.action), self.action)
        return self.ref.command(f"{CLI[kind]} {word}", " --force" if self.force else "")


@dataclass(frozen=True, slots=True)
class _OfSnapshot:
    """A command on one snapshot of an instance."""

    ref: Ref
    name: str
    verb: ClassVar[str]
    words: ClassVar[Mapping[Kind, tuple[str, str]]]
    """The host's own command: what stands before the instance, and between it and the name."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.verb} {self.ref.plain}/{self.name}{self.ref.where}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        before, between = self.words[kind]
        return self.ref.command(before, between + self.name)


class CreateSnapshot(_OfSnapshot):
    """Take a snapshot."""

    verb = "snapshot"
    words = {
        Kind.LXD: ("lxc snapshot", " "),
        Kind.INCUS: ("incus snapshot create", " "),
    }


@dataclass(frozen=True, slots=True)
class RestoreSnapshot(_OfSnapshot):
    """Put an instance back to one of its snapshots; see ``restoring``."""

    stateful: bool = False
    """With the running state that the snapshot has: the hosts leave it unless they are asked."""

    verb = "restore"
    words = {
        Kind.LXD: ("lxc restore", " "),
        Kind.INCUS: ("incus snapshot restore", " "),
    }

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        before, between = self.words[kind]
        how = " --stateful" if self.stateful else ""
        return self.ref.command(before, f"{between}{self.name}{how}")


class DeleteSnapshot(_OfSnapshot):
    """Remove one snapshot."""

    verb = "delete"
    words = {
        Kind.LXD: ("lxc delete", "/"),
        Kind.INCUS: ("incus snapshot delete", " "),
    }


@dataclass(frozen=True, slots=True)
class DeleteInstance:
    """Remove a stopped instance with its snapshots."""

    ref: Ref

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"delete {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.ref.command(f"{CLI[kind]} delete")


@dataclass(frozen=True, slots=True)
class Move:
    """Move an instance to another host, or copy it there."""

    ref: Ref
    target: str
    options: MoveOptions = field(default_factory=MoveOptions)

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        verb = "copy" if self.options.copy else "move"
        return f"{verb} {self.ref} → {self.target}"

    def equivalent(self, kind: Kind) -> str:
        """The nearest that the host's own command line has; it moves to its own kind only."""
        target, options = self.target.partition("@")[0], self.options
        words = [f" {target}:{options.name or self.ref.name}"]
        if options.instance_only:
            words.append("--instance-only")
        if options.pool:
            words.append(f"--storage {options.pool}")
        if options.project:
            words.append(f"--target-project {options.project}")
        if options.transport is not Transport.AUTO:
            words.append(f"--mode {options.transport}")
        verb = "copy" if options.copy else "move"
        return self.ref.command(f"{CLI[kind]} {verb}", " ".join(words))

    @property
    def own(self) -> str:
        """The same with lxtui, the only one that moves from one kind to the other."""
        options, plain = self.options, MoveOptions()
        name = f":{options.name}" if options.name else ""
        words = ["lxtui", "move", self.ref.plain, f"{self.target}{name}"]
        words += ["--project", self.ref.project] if self.ref.project != "default" else []
        for word, wished, usual in (
            ("--mode", options.mode, plain.mode),
            ("--transport", options.transport, plain.transport),
            ("--limit", options.limit, plain.limit),
            ("--verify", options.verify, plain.verify),
            ("--check", options.check, plain.check),
            ("--target-project", options.project, plain.project),
            ("--pool", options.pool, plain.pool),
            ("--member", options.member, plain.member),
            ("--keep-days", options.keep_days, plain.keep_days),
        ):
            words += [word, str(wished)] if wished != usual else []
        for wished, word in (
            (options.copy and not options.refresh, "--copy"),
            (options.refresh, "--refresh"),
            (options.keep_source, "--keep-source"),
            (options.force, "--force"),
            (options.instance_only, "--instance-only"),
            (options.copy_profiles, "--copy-profiles"),
            (options.profiles == (), "--no-profiles"),
        ):
            words += [word] if wished else []
        words += [word for one in options.config for word in ("--config", one)]
        words += [word for one in options.profiles or () for word in ("--profile", one)]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class MoveMany:
    """Move several instances, each where a survey has placed it."""

    rows: tuple[Row, ...]
    options: MoveOptions = field(default_factory=MoveOptions)
    parallel: int = 1
    keep_going: bool = False
    """Move whatever can be moved, whatever does not fit or fails."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        planned = [row for row in self.rows if row.target]
        targets = ", ".join(sorted({row.target for row in planned}))
        return f"move {len(planned)} instances → {targets}"

    @property
    def moves(self) -> tuple[Move, ...]:
        """One for each that has a place."""
        return tuple(
            Move(row.source, row.target, self.options)
            for row in self.rows
            if row.fate is Fate.PLANNED
        )


@dataclass(frozen=True, slots=True)
class ResumeMove:
    """Finish a move that a crash has left in the middle."""

    ref: Ref
    token: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"resume the move of {self.ref}"

    def equivalent(self, _kind: Kind) -> str:
        """The same without a screen; the hosts' own command lines have nothing like it."""
        return f"lxtui resume {self.token}"


@dataclass(frozen=True, slots=True)
class UndoMove:
    """Take back a move that a crash has left in the middle."""

    ref: Ref
    token: str
    lose: bool = False
    """Whether a copy may go that runs, or has run, with what it has written since."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"undo the move of {self.ref}"

    def equivalent(self, _kind: Kind) -> str:
        """The same without a screen; the hosts' own command lines have nothing like it."""
        return f"lxtui undo {self.token}{' --yes' if self.lose else ''}"


Single = ChangeState | CreateSnapshot | RestoreSnapshot | DeleteSnapshot | DeleteInstance | Call
"""What is one operation of one daemon, and can be done to many."""


Each = Single | Move | Export
"""What can be done to many, one after the other on each host."""


@dataclass(frozen=True, slots=True)
class Many:
    """The same for several instances, whatever becomes of each."""

    commands: tuple[Each, ...]
    title: str


Command = (
    ChangeState
    | CreateSnapshot
    | RestoreSnapshot
    | DeleteSnapshot
    | DeleteInstance
    | Call
    | Move
    | ResumeMove
    | UndoMove
    | Work
)


def typed(command: Command, kind_of: Callable[[str], Kind]) -> str:
    """What one would type instead: lxtui itself, where no lxc and no incus can do it.

    *kind_of* is told the name of a host.
    """
    kind = kind_of(command.ref.host)
    if isinstance(command, Move) and kind_of(command.target) is not kind:
        return command.own
    return command.equivalent(kind)


def typed_each(
    command: Command | Many | MoveMany, kind_of: Callable[[str], Kind]
) -> tuple[str, ...]:
    """The same for each of many, those that are not begun left out."""
    match command:
        case Many():
            return tuple(typed(one, kind_of) for one in command.commands)
        case MoveMany():
            return tuple(typed(one, kind_of) for one in command.moves)
        case _:
            return (typed(command, kind_of),)


def typed_plan(plan: MovePlan) -> tuple[str, ...]:
    """The same for a move that is planned, with what the hosts have answered."""
    return plan.commands or (Move(plan.source, plan.destination.host, plan.options).own,)
