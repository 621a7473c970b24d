"""What can be asked of the fleet, as frozen values.

Role: the keys, the palette, the dialogs and the headless verbs all end in one of these; perform.py
carries them out. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lxtui.model import Kind, Ref, StateAction

CLI = {Kind.LXD: "lxc", Kind.INCUS: "incus"}
STOP_SECONDS = 30
"""How long a graceful stop may take, the daemons' own default for ``lxc stop``'s timeout."""


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Start, stop or restart an instance."""

    ref: Ref
    action: StateAction
    force: bool = False

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.action}{' by force' if self.force else ''} {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return f"{CLI[kind]} {self.action} {self.ref}{' --force' if self.force else ''}"


@dataclass(frozen=True, slots=True)
class _OfSnapshot:
    """A command on one snapshot of an instance."""

    ref: Ref
    name: str
    verb: ClassVar[str]
    words: ClassVar[Mapping[Kind, str]]
    """The host's own command, to be formatted with this command's members."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.verb} {self.ref}/{self.name}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.words[kind].format(ref=self.ref, name=self.name)


class CreateSnapshot(_OfSnapshot):
    """Take a snapshot."""

    verb = "snapshot"
    words = {
        Kind.LXD: "lxc snapshot {ref} {name}",
        Kind.INCUS: "incus snapshot create {ref} {name}",
    }


class RestoreSnapshot(_OfSnapshot):
    """Put an instance back to one of its snapshots."""

    verb = "restore"
    words = {
        Kind.LXD: "lxc restore {ref} {name}",
        Kind.INCUS: "incus snapshot restore {ref} {name}",
    }


class DeleteSnapshot(_OfSnapshot):
    """Remove one snapshot."""

    verb = "delete"
    words = {
        Kind.LXD: "lxc delete {ref}/{name}",
        Kind.INCUS: "incus snapshot delete {ref} {name}",
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
        return f"{CLI[kind]} delete {self.ref}"


@dataclass(frozen=True, slots=True)
class Move:
    """Move an instance to another host; a running one is stopped for the copy."""

    ref: Ref
    target: str
    force: bool = False
    """Stop by force if it does not stop by itself."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"move {self.ref} → {self.target}"

    def equivalent(self, kind: Kind) -> str:
        """The nearest that the host's own command line has; it moves to its own kind only."""
        return f"{CLI[kind]} move {self.ref} {self.target}:{self.ref.name}"


Command = ChangeState | CreateSnapshot | RestoreSnapshot | DeleteSnapshot | DeleteInstance | Move
