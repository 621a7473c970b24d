"""Where a line of a served file comes from: said once, by the view that makes the line.

Role: the words behind ``lxfs explain`` and behind the tables of docs/lxfs.md.
Boundary: pure; names kernel files and reads none.
Threading: immutable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["value", "keys", "smallest", "quota", "nearest", "headroom", "listed", "zero"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is taken from one kernel file, and from whose.

    ``file`` is of the container's cgroup, or the host's when it begins with ``/`` (``INIT`` in it
    is the container's init). By ``kind``:

    - ``value``: all of it; ``keys``: its lines of these ``names``;
    - ``smallest``: the smallest over the cgroup and its ancestors, in bytes or ``$MAX $PERIOD``;
    - ``quota``: the same of it divided by the file in ``names``;
    - ``nearest``: that of the first cgroup, upwards, that says anything;
    - ``headroom``: what each limited ancestor has left; the files of its use are in ``names``;
    - ``listed``: the number of its lines, descendants' included;
    - ``zero``: nothing, for the reason in ``names``.
    """

    file: str
    kind: Kind = "value"
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as the tables of the documentation say it."""
        names = ", ".join(self.names)
        match self.kind:
            case "keys":
                return f"{self.file}: {names}"
            case "smallest":
                return f"smallest {self.file}"
            case "quota":
                return f"smallest {self.file} ÷ {names}"
            case "nearest":
                return f"nearest {self.file}"
            case "headroom":
                return f"{self.file}, {names} of each limited ancestor"
            case "listed":
                return f"number of {self.file}"
            case "zero":
                return f"0: {names}"
        return self.file


@dataclass(frozen=True, slots=True)
class Origin:
    """What some lines of a file are made of, on cgroup v1, on cgroup v2 and of the host's files.

    ``lines`` are names (see ``name_of``), ``*`` in them stands for anything; ``*`` alone for every
    line that has no other origin. Other lines named in the ``formula`` are part of it.
    """

    lines: tuple[str, ...]
    formula: str
    v1: tuple[Reading, ...] = ()
    v2: tuple[Reading, ...] = ()
    host: tuple[Reading, ...] = ()


def value(file: str) -> Reading:
    """Return a reading of all of a file."""
    return Reading(file)


def keys(file: str, *names: str) -> Reading:
    """Return a reading of some lines of a file."""
    return Reading(file, "keys", names)


def smallest(file: str) -> Reading:
    """Return a reading of a limit."""
    return Reading(file, "smallest")


def name_of(line: str) -> str:
    """Return what a line is called: what stands before its colon, or its first word."""
    before, colon, _ = line.partition(":")
    return before.strip() if colon else "".join(line.split()[:1])


def origin_of(line: str, origins: Iterable[Origin]) -> Origin | None:
    """Return the origin of a line: the one that names it, else that of every other line."""
    name = name_of(line)
    rest = None
    for origin in origins:
        if origin.lines == ("*",):
            rest = origin
        elif any(fnmatchcase(name, pattern) for pattern in origin.lines):
            return origin
    return rest


VISIBLE_V1 = (
    Reading("cpuset.effective_cpus", "nearest"),
    Reading("cpu.cfs_quota_us", "quota", ("cpu.cfs_period_us",)),
)
VISIBLE_V2 = (Reading("cpuset.cpus.effective", "nearest"), smallest("cpu.max"))
ONLINE = value("/sys/devices/system/cpu/online")
"""What decides which CPUs a container sees, see ``CpuLimit.seen``."""

THREADS_V1 = (Reading("tasks", "listed"),)
THREADS_V2 = (Reading("cgroup.threads", "listed"),)
START = keys("/proc/INIT/stat", "starttime")
