"""What a name in the served tree can be: a file, a link, a directory.

Role: the values that the table is made of and that the tree answers from.
Boundary: values only; opens nothing and knows no FUSE.
Threading: immutable.
"""

from collections.abc import Callable
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
