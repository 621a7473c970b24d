"""What a name in the served tree can be: a file, a link, a directory.

Role: the values that the table is made of and that the tree answers from.
Boundary: values and what follows from them; opens nothing and knows no FUSE.
Threading: immutable.
"""

import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass

from lxfs.origin import Origin
from lxfs.world import Snapshot


@dataclass(frozen=True, slots=True)
class File:
    """One served file: where it is, what it shows in a container, its mode.

    ``remembers`` marks a view that draws on state: it is rendered for readers, never for stat(2).
    ``size`` is what stat(2) states where that is not the length of the caller's text.
    The path is also the host's own file, which callers in the host's pid namespace are shown.
    ``origins`` say where its lines come from.
    """

    path: str
    view: Callable[[Snapshot], bytes]
    mode: int = 0o444
    remembers: bool = False
    size: int | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link and what it says."""

    target: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory; ``links`` of 1 means that nobody has looked how many others are in it."""

    links: int = 1


def listings(files: Collection[str], mirrors: Collection[str]) -> dict[str, dict[str, int]]:
    """Return what is in the directories above files and mirrors: names, with their types."""
    listings: dict[str, dict[str, int]] = {"/": {}}
    for path in sorted([*files, *mirrors]):
        above, name = "", ""
        for part in path[1:].split("/"):
            names = listings.setdefault(above or "/", {})
            above, name = f"{above}/{part}", part
            names[name] = stat.S_IFDIR
        if path in files:
            names[name] = stat.S_IFREG
    return {path: dict(sorted(names.items())) for path, names in listings.items()}


def may_read(file: File, uid: int | None) -> bool:
    """Return whether a user of the host may read a file, which is root's as in procfs.

    Root of another user namespace is another user. Capabilities are not known to us.
    """
    return uid == 0 or bool(file.mode & 0o004)
