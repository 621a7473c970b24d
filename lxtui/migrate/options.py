"""How a move is to be made, as one frozen value.

Role: what the dialog and the command line ask for, the plan follows and the journal keeps.
Boundary: pure; imports nothing of ours but errors. Threading: values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

KEEP_DAYS = 7
"""For how long a source is kept where nobody says for how long."""


class Mode(StrEnum):
    """How long the instance is away."""

    COLD = "cold"
    """Stop, copy, start: away for the whole copy."""
    NEAR_LIVE = "near-live"
    """Copy while it runs, refresh until little is left, stop, refresh once more, start."""
    LIVE = "live"
    """With its running state, where the hosts can; near-live, and the reason, where they cannot."""


class Transport(StrEnum):
    """Which way the data go."""

    AUTO = "auto"
    PULL = "pull"
    """The target connects to the source."""
    PUSH = "push"
    """The source connects to the target."""
    RELAY = "relay"
    """Both connect to nobody: the data go through this machine."""


class Verify(StrEnum):
    """What is compared before the source may go."""

    CONFIG = "config"
    """Configuration, and the files nearest to the root as ``files`` does, for a moment."""
    FILES = "files"
    """Every file too, without its content: type, permissions, owner, size, where a link points."""
    CHECKSUM = "checksum"
    """The content of every file too, read from both sides through their daemons."""
    EXPORT = "export"
    """That and extended attributes, of the instance and of its snapshots, out of backups."""


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """What was asked for. Empty and None mean "as the source has it"."""

    mode: Mode = Mode.COLD
    transport: Transport = Transport.AUTO
    limit: int = 0
    """MiB a second that may pass through this machine; 0: as fast as it goes."""
    verify: Verify = Verify.CONFIG
    force: bool = False
    """Stop by force what does not stop by itself."""
    copy: bool = False
    """Leave the source as it is, and its copy stopped."""
    refresh: bool = False
    """Bring an earlier copy up to date instead of making one; with ``copy`` only."""
    keep_source: bool = False
    """Keep the source, stopped and renamed, instead of deleting it."""
    keep_days: int = KEEP_DAYS
    """For how many days at least; 0: until somebody deletes it."""
    instance_only: bool = False
    """Leave the snapshots behind."""
    copy_profiles: bool = False
    """Make the profiles that the target lacks as the source has them."""
    name: str = ""
    project: str = ""
    pool: str = ""
    """Of the root disk at the target."""
    member: str = ""
    """Of the cluster at the target; empty: the cluster chooses."""
    check: str = ""
    """A shell command that must succeed inside the started target."""
    config: tuple[str, ...] = ()
    """``key=value``: configuration that it gets at the target; without a value the key goes."""
    profiles: tuple[str, ...] | None = None
    """Its profiles at the target."""

    @property
    def gradual(self) -> bool:
        """Whether a running instance is copied while it runs."""
        return self.mode in {Mode.NEAR_LIVE, Mode.LIVE} and not self.copy

    @property
    def changes(self) -> Mapping[str, str | None]:
        """The configuration asked for; None removes the key."""
        pairs = (one.partition("=") for one in self.config)
        return {key: value or None for key, _, value in pairs}

    def as_json(self) -> dict[str, Any]:
        """The options as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> MoveOptions:
        """The options of ``as_json``; ValueError for what this version does not know."""
        known = {field.name for field in fields(cls)}
        if unknown := document.keys() - known:
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        kinds: Mapping[str, Callable[[Any], Any]] = {
            "mode": Mode,
            "transport": Transport,
            "verify": Verify,
            "config": tuple,
            "profiles": lambda names: None if names is None else tuple(names),
        }
        values: dict[str, Any] = {
            name: kinds[name](value) if name in kinds else value for name, value in document.items()
        }
        return cls(**values)
