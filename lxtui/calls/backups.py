"""Commands that export an instance into a file, and import one.

Role: what each says of itself. They are more than one request: lxtui/backups carries them out.
Boundary: pure. Threading: values.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from lxtui import format as text
from lxtui.calls.base import Work
from lxtui.model import CLI, Kind, Ref

COMPRESSIONS = {
    "": ".tar.gz",
    "none": ".tar",
    "gzip": ".tar.gz",
    "bzip2": ".tar.bz2",
    "xz": ".tar.xz",
    "lzma": ".tar.lzma",
    "zstd": ".tar.zst",
}
"""What both daemons know, and what such a file is called; empty: as the host is set, to gzip
unless somebody has changed that."""


@dataclass(frozen=True, slots=True)
class Export(Work):
    """Write an instance into a file of this machine."""

    ref: Ref
    file: Path
    instance_only: bool = False
    """Without its snapshots."""
    optimized: bool = False
    """In the form of the storage driver: only a pool of the same driver takes it."""
    compression: str = ""
    force: bool = False
    """Replace a file that is there."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"export {self.ref} to {text.plain(str(self.file))}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        words = [" " + shlex.quote(str(self.file))]
        if self.instance_only:
            words.append("--instance-only")
        if self.optimized:
            words.append("--optimized-storage")
        if self.compression:
            words.append(f"--compression {shlex.quote(self.compression)}")
        return self.ref.command(f"{CLI[kind]} export", " ".join(words))


@dataclass(frozen=True, slots=True)
class Import(Work):
    """Make an instance of such a file."""

    ref: Ref
    """The instance that is not there yet."""
    file: Path
    pool: str = ""
    """Empty: the pool that it was in."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"import {self.ref} from {text.plain(str(self.file))}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        host = self.ref.host.partition("@")[0]
        pool = f" --storage {shlex.quote(self.pool)}" if self.pool else ""
        project = "" if self.ref.project == "default" else f" --project {self.ref.project}"
        file = shlex.quote(str(self.file))
        return f"{CLI[kind]} import {host}: {file} {self.ref.name}{pool}{project}"
