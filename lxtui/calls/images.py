"""Making an image of an instance.

Role: publish, of an instance or of a snapshot. Boundary: pure. Threading: values.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from lxtui.api import Request
from lxtui.calls.base import Call
from lxtui.model import CLI, Kind, Ref


@dataclass(frozen=True, slots=True)
class Publish(Call):
    """Make an image; of an instance that is stopped, or of any snapshot."""

    ref: Ref
    snapshot: str = ""
    alias: str = ""
    public: bool = False
    """Whether anybody who reaches the host may have it."""
    compression: str = ""
    """A program (``gzip``, ``zstd``…) or ``none``; empty: what the host is set to."""

    @property
    def source(self) -> str:
        """What is made an image of."""
        return f"{self.ref.name}/{self.snapshot}" if self.snapshot else self.ref.name

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        named = f" as {self.alias}" if self.alias else ""
        how = " for everybody" if self.public else ""
        return f"publish {self.ref._replace(name=self.source)}{named}{how}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        words = [f" {self.ref.host.partition('@')[0]}:"]
        if self.alias:
            words.append(f"--alias {shlex.quote(self.alias)}")
        if self.public:
            words.append("--public")
        if self.compression:
            words.append(f"--compression {shlex.quote(self.compression)}")
        ref = self.ref._replace(name=self.source)
        return ref.command(f"{CLI[kind]} publish", " ".join(words))

    @property
    def request(self) -> Request:
        """What is sent."""
        kind = "snapshot" if self.snapshot else "instance"
        body: dict[str, Any] = {
            "source": {"type": kind, "name": self.source},
            "public": self.public,
        }
        if self.alias:
            body["aliases"] = [{"name": self.alias, "description": ""}]
        if self.compression:
            body["compression_algorithm"] = self.compression
        return Request("post", ("images",), {"project": self.ref.project}, body)
