"""An open file, and what stat(2) tells of one: what the tree and its drivers hand to each other.

Role: values, and the state of one open file. Boundary: opens and reads nothing itself.
Threading: a handle is used under its own lock.
"""

import threading
from dataclasses import dataclass

from lxfs.cgroupfs.serving import OpenFile
from lxfs.entries import File
from lxfs.model import Container


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of stat(2): type and permissions, size, links, owner and group."""

    mode: int
    size: int
    links: int
    uid: int = 0
    gid: int = 0


class Handle:
    """An open file: whose it is, and the text that its reads are served from.

    The text is let go at its end, where most readers stop; ``end`` is where that is, or was.
    ``file`` is ``None`` until it is looked up, for a file that was opened in another process.
    ``control`` is set for a control file of a cgroup, which needs no ``file``.
    ``lock`` is held over a read; who holds it finds ``text`` and ``end`` as the last read left
    them.
    """

    __slots__ = ("container", "control", "end", "file", "lock", "owner", "path", "text")

    def __init__(
        self,
        path: str,
        file: File | None,
        container: Container | None,
        control: OpenFile | None = None,
    ) -> None:
        self.path = path
        self.file = file
        self.container = container
        self.control = control
        # Whom it counts for: cgroups are a container's to make, its pid namespace is not.
        self.owner = None if container is None else (container.namespace, container.starttime)
        self.lock = threading.RLock()
        self.text: bytes | None = None
        self.end: int | None = None
