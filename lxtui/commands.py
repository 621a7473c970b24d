"""What can be asked of the fleet, as frozen values.

Role: the keys, the palette, the dialogs and the headless verbs all end in one of these; perform.py
carries them out. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from dataclasses import dataclass

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
class CreateSnapshot:
    """Take a snapshot."""

    ref: Ref
    name: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"snapshot {self.ref}/{self.name}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        verb = "snapshot create" if kind is Kind.INCUS else "snapshot"
        return f"{CLI[kind]} {verb} {self.ref} {self.name}"


@dataclass(frozen=True, slots=True)
class RestoreSnapshot:
    """Put an instance back to one of its snapshots."""

    ref: Ref
    name: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"restore {self.ref}/{self.name}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        verb = "snapshot restore" if kind is Kind.INCUS else "restore"
        return f"{CLI[kind]} {verb} {self.ref} {self.name}"


@dataclass(frozen=True, slots=True)
class DeleteSnapshot:
    """Remove one snapshot."""

    ref: Ref
    name: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"delete {self.ref}/{self.name}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        if kind is Kind.INCUS:
            return f"{CLI[kind]} snapshot delete {self.ref} {self.name}"
        return f"{CLI[kind]} delete {self.ref}/{self.name}"


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
