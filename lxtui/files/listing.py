"""A directory of an instance, as it is shown.

Role: frozen values, and their columns as text. Boundary: pure; names and users are the container's
and are made printable here. Threading: values.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lxtui import format as text
from lxtui.files.paths import Kind, kind_of
from lxtui.model import FileEntry

_LAST_SECOND = 253_402_300_799
"""The last that datetime has: 9999-12-31."""


@dataclass(frozen=True, slots=True)
class FileStart:
    """The beginning of a file."""

    path: bytes
    data: bytes
    size: int
    """Of all of it, as it says."""

    @property
    def is_text(self) -> bool:
        """Whether it looks like something to read."""
        return b"\0" not in self.data

    def rows(self, most: int) -> list[str]:
        """Its lines, printable; of what is no text its bytes, sixteen in a line."""
        if self.is_text:
            shown = self.data.decode(errors="replace").replace("\r\n", "\n").split("\n")
            return [text.plain(one.replace("\t", "    ")) for one in shown[:most]]
        return [
            f"{at:08x}  {self.data[at : at + 16].hex(' '):<47}  {_ascii(self.data[at : at + 16])}"
            for at in range(0, min(len(self.data), 16 * most), 16)
        ]


def _ascii(data: bytes) -> str:
    return "".join(chr(one) if 32 <= one < 127 else "." for one in data)  # noqa: PLR2004 what ASCII prints


@dataclass(frozen=True, slots=True)
class Line:
    """One name."""

    entry: FileEntry
    target: bytes = b""
    """Of a link."""

    @property
    def kind(self) -> Kind:
        """What it stands for."""
        return kind_of(self.entry.mode)

    @property
    def mode(self) -> str:
        """``drwxr-xr-x``."""
        return stat.filemode(self.entry.mode)

    @property
    def modified(self) -> datetime | None:
        """When it was last written, as it says."""
        seconds = self.entry.modified
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= _LAST_SECOND else None

    @property
    def name(self) -> str:
        """Printable."""
        return text.path(self.entry.name)

    @property
    def size(self) -> str:
        """Bytes; nothing for what has none."""
        return text.size(self.entry.size) if self.kind is Kind.FILE else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A directory, or one file."""

    path: bytes
    lines: tuple[Line, ...]
    cut: bool
    """There is more than what is shown."""
    users: Mapping[int, str]
    """Of the instance's own /etc/passwd."""
    is_folder: bool = True

    def owner(self, line: Line) -> str:
        """By name where the instance has one, and the group's number where it is another."""
        uid, gid = line.entry.uid, line.entry.gid
        name = text.plain(self.users.get(uid, str(uid)))
        return name if uid == gid else f"{name}:{gid}"
