"""Requests about one instance.

Role: rename. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxtui.api import Request
from lxtui.calls.base import Call
from lxtui.model import CLI, Kind, Ref


@dataclass(frozen=True, slots=True)
class Rename(Call):
    """Give a stopped instance another name."""

    ref: Ref
    name: str

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"rename {self.ref} to {self.name}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.ref.command(f"{CLI[kind]} rename", f" {self.name}")

    @property
    def request(self) -> Request:
        """What is sent."""
        body = {"name": self.name}
        return Request("post", ("instances", self.ref.name), {"project": self.ref.project}, body)
