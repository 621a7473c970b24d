"""Making an image of an instance, and having one on another host.

Role: publish, of an instance or of a snapshot; copies of images. Boundary: pure. Threading: values.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from lxtui.api import Request
from lxtui.calls.base import Call
from lxtui.launching.spec import FINGERPRINT, HostImage
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


@dataclass(frozen=True, slots=True)
class CopyImage(Call):
    """Have a host fetch an image from another one, which keeps it."""

    ref: Ref
    """Where it shall be; ``name`` is the fingerprint, which stays the same."""
    image: HostImage
    kind: Kind
    """Of the host that fetches it."""
    aliases: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    """Of a private image."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        named = f" ({self.image.alias})" if self.image.alias else ""
        source = self.image.ref._replace(name=self.image.fingerprint[:FINGERPRINT])
        return f"copy image {source}{named} → {self.ref.host}"

    @property
    def lends(self) -> Ref | None:
        """The private image, for which its host has to give a secret."""
        return None if self.image.public else self.image.ref

    def equivalent(self, kind: Kind) -> str:
        """The same with the command line, if both hosts are remotes of it."""
        words = f" {self.ref.host.partition('@')[0]}:"
        words += "".join(f" --alias {shlex.quote(one)}" for one in self.aliases)
        words += " --public" if self.image.public else ""
        if self.ref.project != "default":
            words += f" --target-project {self.ref.project}"
        source = self.image.ref._replace(name=self.image.fingerprint[:FINGERPRINT])
        return source.command(f"{CLI[kind]} image copy", words)

    @property
    def request(self) -> Request:
        """What is sent to the host that fetches it."""
        body = {
            "source": {
                **self.image.source(self.kind, self.secret),
                "image_type": "virtual-machine" if self.image.vm else "container",
                "project": self.image.project,
            },
            "public": self.image.public,
            "auto_update": False,
            "aliases": [{"name": one, "description": ""} for one in self.aliases],
        }
        return Request("post", ("images",), {"project": self.ref.project}, body)
