"""What can be asked of things that are not instances.

Role: each is one request about one entry of a table. Boundary: pure. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (images, profiles, networks, storage, projects,
warnings, operations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxtui.api import Path, Request
from lxtui.calls.base import Call
from lxtui.model import CLI, Kind, Ref

_FINGERPRINT = 12
_SUBCOMMANDS = {
    "images": "image",
    "profiles": "profile",
    "networks": "network",
    "pools": "storage",
    "volumes": "storage volume",
    "projects": "project",
    "warnings": "warning",
    "operations": "operation",
    "members": "cluster",
}
"""What stands after ``lxc`` and ``incus`` for the entries of a table."""
_IN_PROJECTS = frozenset({"images", "profiles", "networks", "volumes"})


@dataclass(frozen=True, slots=True)
class OnEntry(Call):
    """A request about one entry."""

    ref: Ref
    table: str
    path: Path
    location: str = ""
    """The cluster member that has it, where several have one of that name."""

    @property
    def short(self) -> str:
        """What it is called in a line."""
        name = self.ref.name
        return name[:_FINGERPRINT] if self.table == "images" else name

    @property
    def parameters(self) -> Mapping[str, str]:
        """What goes along with the request."""
        given = {"project": self.ref.project} if self.table in _IN_PROJECTS else {}
        return {**given, "target": self.location} if self.location else given

    def what(self, verb: str) -> str:
        """A line for the operations pane."""
        noun = self.table.removesuffix("s")
        return f"{verb} {noun} {self.ref._replace(name=self.short)}"

    def command(self, kind: Kind, verb: str, after: str = "") -> str:
        """The host's own command line."""
        ref = self.ref._replace(name=self.short)
        if self.table == "volumes":
            pool, kind_of, name = self.ref.name.split("/", 2)
            ref, after = self.ref._replace(name=pool), f" {kind_of}/{name}{after}"
            after += f" --target {self.location}" if self.location else ""
        if self.table not in _IN_PROJECTS:
            ref = ref._replace(project="default")
        return ref.command(f"{CLI[kind]} {_SUBCOMMANDS[self.table]} {verb}", after)


@dataclass(frozen=True, slots=True)
class DeleteEntry(OnEntry):
    """Remove it; the daemon refuses what is in use."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("delete")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "delete")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("delete", self.path, self.parameters)


@dataclass(frozen=True, slots=True)
class CancelOperation(OnEntry):
    """Have the daemon give an operation up."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("cancel")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "delete")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("delete", self.path)


@dataclass(frozen=True, slots=True)
class RefreshImage(OnEntry):
    """Have the daemon ask the image's source for a newer one."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("refresh")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "refresh")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("post", (*self.path, "refresh"), self.parameters)


@dataclass(frozen=True, slots=True)
class AddAlias(OnEntry):
    """Give an image one more alias."""

    alias: str = ""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.what('add an alias to')}: {self.alias}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        ref = self.ref._replace(name=self.alias)
        return ref.command(f"{CLI[kind]} image alias create", f" {self.short}")

    @property
    def request(self) -> Request:
        """What is sent."""
        body = {"name": self.alias, "target": self.ref.name, "description": ""}
        return Request("post", ("images", "aliases"), self.parameters, body)


@dataclass(frozen=True, slots=True)
class RemoveAlias(OnEntry):
    """Take an alias from an image."""

    alias: str = ""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"{self.what('remove an alias of')}: {self.alias}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.ref._replace(name=self.alias).command(f"{CLI[kind]} image alias delete")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("delete", ("images", "aliases", self.alias), self.parameters)


@dataclass(frozen=True, slots=True)
class AcknowledgeWarning(OnEntry):
    """Say that a warning was read."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("acknowledge")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "acknowledge")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("put", self.path, body={"status": "acknowledged"})


@dataclass(frozen=True, slots=True)
class EvacuateMember(OnEntry):
    """Move or stop what runs on a member of a cluster, and place nothing there any more."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("evacuate")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "evacuate")

    @property
    def request(self) -> Request:
        """What is sent; how each instance goes is its ``cluster.evacuate``."""
        return Request("post", (*self.path, "state"), {}, {"action": "evacuate"})


@dataclass(frozen=True, slots=True)
class RestoreMember(OnEntry):
    """Take an evacuated member into use again, and bring back what was moved away."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return self.what("restore")

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.command(kind, "restore")

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("post", (*self.path, "state"), {}, {"action": "restore"})
