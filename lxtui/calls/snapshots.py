"""Requests about snapshots of instances.

Role: taken with an expiry or running state, renamed, given another expiry. Boundary: pure.
Threading: values.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime

from lxtui.api import Request
from lxtui.calls.base import Call
from lxtui.expiry import NEVER, iso
from lxtui.model import CLI, Kind, Ref
from lxtui.names import snapshot_name_trouble


@dataclass(frozen=True, slots=True)
class TakeSnapshot(Call):
    """Take a snapshot with all that one can say of it."""

    ref: Ref
    name: str
    expires_at: datetime | None = None
    """None: as the instance's ``snapshots.expiry`` says."""
    stateful: bool = False
    """With the running state."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        how = " with its running state" if self.stateful else ""
        return f"snapshot {self.ref.plain}/{self.name}{self.ref.where}{how}"

    @property
    def trouble(self) -> str:
        """A bad name does harm; see names.py."""
        return snapshot_name_trouble(self.name)

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line, which knows no expiry: that by its query."""
        words = f" {self.name}{' --stateful' if self.stateful else ''}"
        verb = "lxc snapshot" if kind is Kind.LXD else "incus snapshot create"
        line = self.ref.command(verb, words)
        if self.expires_at is not None:
            later = SetExpiry(self.ref, self.name, self.expires_at).equivalent(kind)
            line = f"{line} && {later}"
        return line

    @property
    def request(self) -> Request:
        """What is sent."""
        body = {"name": self.name, "stateful": self.stateful}
        if self.expires_at is not None:
            body["expires_at"] = iso(self.expires_at)
        path = ("instances", self.ref.name, "snapshots")
        return Request("post", path, {"project": self.ref.project}, body)


@dataclass(frozen=True, slots=True)
class RenameSnapshot(Call):
    """Give a snapshot another name."""

    ref: Ref
    old: str
    name: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"rename {self.ref.plain}/{self.old}{self.ref.where} to {self.name}"

    @property
    def trouble(self) -> str:
        """A bad name does harm; see names.py."""
        return snapshot_name_trouble(self.name)

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        if kind is Kind.LXD:
            return self.ref.command("lxc rename", f"/{self.old} {self.ref.name}/{self.name}")
        return self.ref.command("incus snapshot rename", f" {self.old} {self.name}")

    @property
    def request(self) -> Request:
        """What is sent."""
        path = ("instances", self.ref.name, "snapshots", self.old)
        return Request("post", path, {"project": self.ref.project}, {"name": self.name})


@dataclass(frozen=True, slots=True)
class SetExpiry(Call):
    """Say when a snapshot expires; NEVER: that it does not."""

    ref: Ref
    name: str
    expires_at: datetime

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        when = "never" if self.expires_at == NEVER else iso(self.expires_at)
        return f"let {self.ref.plain}/{self.name}{self.ref.where} expire {when}"

    def equivalent(self, kind: Kind) -> str:
        """By the query of the command line: it has no verb for it."""
        project = "" if self.ref.project == "default" else f"?project={self.ref.project}"
        host = self.ref.host.partition("@")[0]
        path = f"{host}:/1.0/instances/{self.ref.name}/snapshots/{self.name}{project}"
        data = json.dumps({"expires_at": iso(self.expires_at)})
        return f"{CLI[kind]} query -X PUT --wait -d {shlex.quote(data)} {shlex.quote(path)}"

    @property
    def request(self) -> Request:
        """What is sent."""
        path = ("instances", self.ref.name, "snapshots", self.name)
        body = {"expires_at": iso(self.expires_at)}
        return Request("put", path, {"project": self.ref.project}, body)
