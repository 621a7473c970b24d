"""What a transfer takes along, and what it leaves out.

Role: frozen values between those who look and those who copy. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxtui.errors import OperationError
from lxtui.files.paths import Kind
from lxtui.model import FileEntry

MOST_FILES = 200_000
"""Names that one transfer takes along unless it is told otherwise: each is remembered."""
DEEPEST = 128
"""Folders in each other; each is held open while it is written."""
Route = tuple[bytes, ...]
"""Names below the target's folder, the first is what the whole is called there."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file, folder or link that is taken along."""

    route: Route
    source: bytes
    """Where it is: inside the instance for a pull, here for a push."""
    kind: Kind
    entry: FileEntry
    target: bytes = b""
    """Of a link."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left out, or could not be had."""

    path: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything, a folder before what is in it and its content together."""

    items: tuple[Item, ...]
    skipped: tuple[Left, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files, as they were seen."""
        return sum(one.entry.size for one in self.items if one.kind is Kind.FILE)

    @property
    def files(self) -> int:
        """How many files and links there are."""
        return sum(one.kind is not Kind.FOLDER for one in self.items)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a transfer."""

    files: int
    folders: int
    size: int
    """Bytes."""
    seconds: float
    skipped: tuple[Left, ...] = ()
    """By rule: links, devices."""
    failed: tuple[Left, ...] = ()
    """Could not be had: gone meanwhile, refused."""


class IncompleteError(OperationError):
    """Some could not be had; the others are there."""

    def __init__(self, why: str, done: Done) -> None:
        super().__init__(why)
        self.done = done
