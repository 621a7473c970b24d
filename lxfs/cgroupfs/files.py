"""What a control file of a cgroup is: a row of a table, whichever kernel is below.

Role: the seam between the shapes (what a file says, and what a write to it means) and the tree
(who sees which cgroup, and may write there).
Boundary: pure; a ``Group`` is asked for the text of kernel files, and nothing else is read. Knows
no paths of a mount, no pids of a container and no FUSE.
Threading: immutable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from lxfs.origin import Origin

Version = Literal[1, 2]
"""Of a shape, and of a hierarchy that counts."""


class Group(Protocol):
    """One cgroup, in all hierarchies at once, and the machine that it is on, at one moment.

    What is asked for is read at most once. Every method may raise ``SourceError``.
    """

    def version(self, controller: str) -> Version | None:
        """Return which version has a controller here, ``None`` when this cgroup lacks it.

        Controllers are named as in v2 (io, and not blkio); cpuacct, freezer and devices are v1's
        alone, but the time and the freezing of a v2 cgroup need no controller.
        """

    def text(self, controller: str, name: str) -> bytes | None:
        """Return the kernel's text of a control file here, ``None`` where there is no such file."""

    def up(self) -> "Group | None":
        """Return the cgroup above, which may be above all that the caller sees; ``None`` at a top.

        For what the kernel itself tells of ancestors, as hierarchical_memory_limit does.
        """

    def populated(self) -> bool:
        """Return whether there is any process in this cgroup or below it."""

    def host(self, path: str) -> bytes:
        """Return a file of the host, as ``proc/meminfo`` or ``sys/devices/system/cpu/online``."""


class Lists(Enum):
    """Files of ids, which the tree makes: only it knows the caller's own numbers."""

    PROCESSES = "processes"
    THREADS = "threads"


@dataclass(frozen=True, slots=True)
class Write:
    """One write to a kernel's file that a write to a served file comes to.

    ``controller`` as in ``Group.version``; ``name`` is the file in the kernel's own shape.
    """

    controller: str
    name: str
    text: bytes


View = Callable[[Group], bytes | None]
"""Makes the text of a file; ``None`` when this cgroup has no such file."""

Meaning = Callable[[Group, bytes], Sequence[Write]]
"""Makes kernel writes of what was written, in their order; raises ``OSError`` with the errno that
the kernel gives for such text in a file of this shape."""


@dataclass(frozen=True, slots=True)
class ControlFile:
    """One control file in one shape.

    ``controller`` as in ``Group.version``, ``""`` for the core's files. ``mode``
    is the kernel's own. ``takes`` is ``None`` for a file that no write of ours is passed on from.
    ``in_top`` and ``below_top`` say whether the top of a hierarchy and other cgroups have it.
    """

    name: str
    shape: Version
    controller: str
    view: View | Lists
    mode: int = 0o444
    takes: Meaning | Lists | None = None
    in_top: bool = True
    below_top: bool = True
    origins: tuple[Origin, ...] = field(default=(), compare=False)


Table = Mapping[str, Mapping[str, ControlFile]]
"""Files of a cgroup, by directory below ``cgroup/``: ``memory``, ``cpu,cpuacct``, ``unified``."""
