"""Which directories ``cgroup/`` has, and which of the machine's hierarchies each is made of.

Role: the names of the hybrid layout, and where one caller's cgroups are below each of them.
Boundary: pure; paths and names in, paths and names out.
Threading: immutable.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lxfs.cgroupfs.files import Version
from lxfs.sources.cgroups import Hierarchies

TOP = "/cgroup"
UNIFIED = "unified"
V2 = ""
"""The v2 tree's name among hierarchies, as in /proc/PID/cgroup."""

_SYSTEMD = "name=systemd"
_V1_NAMES = {"io": "blkio"}
_NEED_NO_CONTROLLER = frozenset({V2, "cpuacct", "freezer", _SYSTEMD})
"""What each v2 cgroup has, whatever is handed down to it."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory below ``cgroup/``: its shape, and the controllers that its files are about.

    The first of them decides which cgroups there are.
    """

    shape: Version
    needs: tuple[str, ...]


DIRECTORIES: Mapping[str, Directory] = MappingProxyType(
    {
        "blkio": Directory(1, ("io",)),
        "cpu": Directory(1, ("cpu",)),
        "cpu,cpuacct": Directory(1, ("cpu", "cpuacct")),
        "cpuacct": Directory(1, ("cpuacct",)),
        "cpuset": Directory(1, ("cpuset",)),
        "devices": Directory(1, ("devices",)),
        "freezer": Directory(1, ("freezer",)),
        "hugetlb": Directory(1, ("hugetlb",)),
        "memory": Directory(1, ("memory",)),
        "pids": Directory(1, ("pids",)),
        "systemd": Directory(1, (_SYSTEMD,)),
        UNIFIED: Directory(
            2,
            (V2, "memory", "cpu", "cpuacct", "cpuset", "io", "pids", "hugetlb", "freezer"),
        ),
    }
)


def hierarchy_of(controller: str, mounted: Hierarchies, paths: Collection[str]) -> str | None:
    """Return which hierarchy has a controller, if any: its name in /proc/PID/cgroup.

    ``paths`` are the hierarchies that the process in question is in.
    """
    name = _V1_NAMES.get(controller, controller)
    if name != V2 and name in mounted.v1 and name in paths:
        return name
    if mounted.v2 is None or V2 not in paths:
        return None
    has = controller in _NEED_NO_CONTROLLER or controller in mounted.v2_controllers
    return V2 if has else None


def is_within(path: str, top: str) -> bool:
    """Return whether an absolute path is another one, or below it."""
    return path == top or path.startswith(f"{top.rstrip('/')}/")


def parts(path: str) -> tuple[str, ...]:
    """Return the names in a path."""
    return tuple(part for part in path.split("/") if part)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a caller's cgroups are in each hierarchy, and how it reaches them.

    ``tops`` are the uppermost cgroups that it sees whole, as the host calls them; ``above`` are
    the names that lead to them from the root of its cgroup namespace. In the hierarchies of
    ``shared`` it has no cgroup of its own: of what is below their root nothing is the caller's.
    """

    tops: Mapping[str, str]
    above: Mapping[str, tuple[str, ...]]
    shared: frozenset[str]

    @classmethod
    def of(
        cls, mounted: Hierarchies, own: Mapping[str, str] | None, roots: Mapping[str, str]
    ) -> "Seat":
        """Return the seat of a caller whose cgroups are ``own``; ``None`` is one of the host's.

        ``roots`` are those of its cgroup namespace, where they are known. Someone whose namespace
        begins below its container's cgroup sees what is below that; where neither is within the
        other, the kernel's names for its cgroups lead nowhere, and they are found at the top.
        """
        tops: dict[str, str] = {}
        above: dict[str, tuple[str, ...]] = {}
        shared = set()
        for name in (*mounted.v1, V2):
            place = mounted.v1.get(name) if name else mounted.v2
            if place is None:
                continue
            whole = place.root
            mine = whole if own is None else own.get(name)
            if mine is None:
                continue
            root = roots.get(name, whole)
            if is_within(root, mine):
                tops[name], above[name] = root, ()
            else:
                tops[name] = mine
                above[name] = parts(mine[len(root) :]) if is_within(mine, root) else ()
            if own is not None and tops[name] == whole:
                shared.add(name)
        return cls(tops, above, frozenset(shared))


@dataclass(frozen=True, slots=True)
class Branch:
    """One directory below ``cgroup/`` for one caller.

    ``primary`` is the hierarchy that decides which cgroups there are, ``used`` all that have a
    part in it, that one first; ``above`` are the names that lead to the caller's own cgroup.
    ``shared``: none of the cgroups below is the caller's.
    """

    name: str
    shape: Version
    needs: tuple[str, ...]
    primary: str
    used: tuple[str, ...]
    above: tuple[str, ...]
    shared: bool

    @classmethod
    def of(cls, name: str, mounted: Hierarchies, seat: Seat) -> "Branch | None":
        """Return the branch of a directory, ``None`` where the caller is in no hierarchy."""
        directory = DIRECTORIES[name]
        has = {need: hierarchy_of(need, mounted, seat.tops) for need in directory.needs}
        own = has[directory.needs[0]]
        primary = own
        if primary is None or (primary in seat.shared and directory.shape == 2):  # noqa: PLR2004
            # A v2 tree that nobody was given a part of, or none: where memory is limited.
            apart = [
                found
                for need in ("memory", "cpu", V2)
                if (found := hierarchy_of(need, mounted, seat.tops)) is not None
            ]
            rest = [*apart, *seat.tops]
            if not rest:
                return None
            primary = next((found for found in rest if found not in seat.shared), rest[0])
        # The path that the caller reads of the hierarchy that the directory is named after.
        line = own if own is not None else primary
        used = dict.fromkeys([primary, *(found for found in has.values() if found is not None)])
        return cls(
            name,
            directory.shape,
            directory.needs,
            primary,
            tuple(used),
            seat.above[line],
            primary in seat.shared,
        )
