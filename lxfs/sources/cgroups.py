"""Which cgroup hierarchies this machine has, and one container's place in them.

Role: turns /proc/self/mountinfo and /proc/PID/cgroup into a ``Cgroup``: the one interface
through which views learn of limits and use, whichever version counts them. Each controller is
looked up for itself, so v1, v2 and the hybrid of both are one case.
Boundary: finds directories; what the files in them mean is known by cgroup1 and cgroup2.
Threading: immutable after construction.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from lxfs.model import (
    BlockIo,
    CpuLimit,
    CpuSpread,
    CpuTime,
    HugePages,
    MemoryUse,
    SourceError,
    SwapUse,
    UncountedError,
)
from lxfs.parse import Device
from lxfs.sources import cgroup1, cgroup2
from lxfs.sources.files import PLAIN, Derived, read_bytes
from lxfs.sources.host import Host
from lxfs.sources.place import Place

CONTROLLERS = ("memory", "cpu", "cpuacct", "cpuset", "pids", "io", "hugetlb")
"""Those whose files are read, by their names in cgroup v2; cpuacct is in v1 alone."""

_V1_NAMES = {"io": "blkio"}
"""Controllers that v1 calls by another name."""

# A thread list is the same in every hierarchy a container has a cgroup of its own in.
_THREAD_LISTS = ("pids", "freezer", "cpuacct", "cpu", "memory", "devices", "name=systemd")


class Cgroup(Protocol):
    """What a container's cgroups say. Every method reads anew and may raise ``SourceError``."""

    def counts_memory(self) -> bool:
        """Return whether any hierarchy has the memory controller."""

    def memory(self, *, swap: bool = True) -> MemoryUse:
        """Return use and limits of memory and, if wanted, of swap, in bytes."""

    def swap(self) -> SwapUse | None:
        """Return use and limits of swap alone."""

    def memory_events(self) -> Mapping[bytes, int]:
        """Return what has happened to its memory, as counts by the names of /proc/vmstat."""

    def huge_pages(self, size: int) -> HugePages:
        """Return use and limit of huge pages of ``size`` bytes each."""

    def block_io(self) -> Mapping[Device, BlockIo]:
        """Return the block I/O so far, by the devices that there was any on."""

    def pressure(self, resource: str) -> bytes:
        """Return the text of its own pressure file. Raises ``UncountedError`` without one."""

    def cpu_time(self) -> CpuTime:
        """Return the CPU time used so far, in nanoseconds."""

    def cpu_spread(self) -> CpuSpread | None:
        """Return on which CPUs; ``None`` where the kernel does not say (cgroup v2)."""

    def cpu_place(self) -> Place:
        """Return the cgroup that these two are of."""

    def cpu_limit(self, online: tuple[int, ...]) -> CpuLimit:
        """Return the allowed CPUs among those online, and the quota."""

    def memory_nodes(self, online: tuple[int, ...]) -> tuple[int, ...]:
        """Return the NUMA nodes of ``online`` that its memory may be on."""

    def memory_use_by_node(self) -> Mapping[str, Mapping[int, int]]:
        """Return use by kind and NUMA node, in bytes; nothing where that is not counted."""

    def threads(self) -> Sequence[int]:
        """Return the host's ids of all threads, descendants' included."""


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """The mounted hierarchies: a directory for each v1 controller, and the v2 tree.

    ``v1`` is by controller name (``name=systemd`` too); ``v2_controllers`` are those the v2 tree
    has: in a hybrid set-up, none or few.
    """

    v1: Mapping[str, Place] = field(default_factory=dict)
    v2: Place | None = None
    v2_controllers: frozenset[str] = frozenset()

    @classmethod
    def find(cls, host: Host) -> "Hierarchies":
        """Return the hierarchies mounted on ``host``. Raises ``SourceError`` when there are none.

        A hierarchy mounted more than once (in a container's tree, say) is taken where most of it
        is visible: at the mount with the shortest root, the earliest among equals. One that another
        mount hides is passed over.
        """
        v1: dict[str, Place] = {}
        v2: Place | None = None
        mounts = host.mounts()
        for mount in sorted(mounts, key=lambda mount: len(mount.root)):
            point = host.path(mount.point.lstrip("/"))
            if mount.fstype not in ("cgroup", "cgroup2") or not Path(point).is_dir():
                continue
            place = Place(point, mount.root, "", host.files, _is_namespaced(point))
            if mount.fstype == "cgroup":
                for option in mount.super_options:
                    v1.setdefault(option, place)
            elif v2 is None:
                v2 = place
        if v2 is None and not v1:
            raise SourceError(
                errno.ENOENT,
                "no cgroup hierarchy is mounted",
                host.path("proc/self/mountinfo"),
            )
        controllers = read_bytes(v2.file("cgroup.controllers")).split() if v2 else []
        return cls(v1, v2, frozenset(name.decode(errors="replace") for name in controllers))

    def place(self, controller: str, paths: Mapping[str, str]) -> tuple[Place, int] | None:
        """Return where a process with these cgroup ``paths`` is for a controller, and the version.

        ``None`` means that no hierarchy has the controller. Raises ``SourceError`` when the
        cgroup lies outside what is mounted.
        """
        name = _V1_NAMES.get(controller, controller)
        if name in self.v1 and name in paths:
            return self.v1[name].below(paths[name]), 1
        # v2 has no cpuacct: the time is in cpu.stat of every cgroup, controller or not.
        has = controller == "cpuacct" or controller in self.v2_controllers
        if has and (place := self.unified(paths)) is not None:
            return place, 2
        return None

    def unified(self, paths: Mapping[str, str]) -> Place | None:
        """Return where such a process is in the v2 tree, which may have no controller at all."""
        return self.v2.below(paths[""]) if self.v2 is not None and "" in paths else None

    def within(self, hierarchy: str, path: str) -> Place | None:
        """Return the cgroup at a path of one hierarchy (``""``: v2), if that is mounted."""
        top = self.v1.get(hierarchy) if hierarchy else self.v2
        return None if top is None else top.below(path)

    def cgroup(self, paths: Mapping[str, str]) -> "ContainerCgroup":
        """Return the cgroup of a process with these paths (see ``Host.cgroup_paths``)."""
        return ContainerCgroup(self, paths)

    def thread_place(self, paths: Mapping[str, str]) -> tuple[Place, int] | None:
        """Return the deepest place of these paths, and the version: it lists fewest strangers."""
        best: tuple[Place, int] | None = None
        for name in _THREAD_LISTS:
            if name in self.v1 and name in paths:
                place = self.v1[name].below(paths[name])
                if best is None or place.depth > best[0].depth:
                    best = place, 1
        unified = self.unified(paths)
        # Of places as deep the unified one: v1 sorts its list for each reader, this is not made.
        if unified is not None and (best is None or unified.depth >= best[0].depth):
            best = unified, 2
        return best


def _is_namespaced(top: str) -> bool:
    """Return whether the top of a mount has what no root cgroup has: lxfs is in a container.

    v2 has cgroup.events everywhere else; v1 has notify_on_release everywhere, release_agent in the
    root alone.
    """
    names = ("cgroup.events", "notify_on_release", "release_agent")
    events, notify, agent = (Path(top, name).exists() for name in names)
    return events or (notify and not agent)


class ContainerCgroup:
    """A container's cgroups, one place per controller, behind the ``Cgroup`` protocol."""

    def __init__(self, hierarchies: Hierarchies, paths: Mapping[str, str]) -> None:
        self._hierarchies = hierarchies
        self._paths = paths
        self._places: dict[str, tuple[Place, int] | None] = {}
        self._threads: tuple[Place, int] | None = None
        tops = [*hierarchies.v1.values(), hierarchies.v2]
        files = next((top.files for top in tops if top is not None), PLAIN)
        self._memory = Derived(files, lambda: self._read_memory(with_swap=False))
        self._memory_and_swap = Derived(files, lambda: self._read_memory(with_swap=True))
        self._cpu_files = Derived(files, self._read_cpu)
        self._block_io = Derived(files, self._read_block_io)
        # What the last limit was made of, and that limit: it seldom changes.
        self._limit: tuple[tuple[object, ...], CpuLimit] | None = None

    def _place(self, controller: str) -> tuple[Place, int] | None:
        try:
            return self._places[controller]
        except KeyError:
            found = self._hierarchies.place(controller, self._paths)
            self._places[controller] = found
            return found

    def _need(self, controller: str) -> tuple[Place, int]:
        found = self._place(controller)
        if found is None:
            raise SourceError(errno.ENODEV, f"no cgroup hierarchy has the {controller} controller")
        return found

    def counts_memory(self) -> bool:
        """Return whether any hierarchy has the memory controller."""
        return self._place("memory") is not None

    def memory(self, *, swap: bool = True) -> MemoryUse:
        """Return use and limits of memory and, if wanted, of swap, in bytes."""
        return self._memory_and_swap.get() if swap else self._memory.get()

    def _read_memory(self, *, with_swap: bool) -> MemoryUse:
        place, version = self._need("memory")
        if version == 1:
            return cgroup1.memory(place, with_swap=with_swap)
        return cgroup2.memory(place, with_swap=with_swap)

    def swap(self) -> SwapUse | None:
        """Return use and limits of swap alone."""
        place, version = self._need("memory")
        return cgroup1.swap(place) if version == 1 else cgroup2.swap(place)

    def memory_events(self) -> Mapping[bytes, int]:
        """Return what has happened to its memory, as counts by the names of /proc/vmstat."""
        if (found := self._place("memory")) is None:
            return {}
        place, version = found
        return cgroup1.memory_events(place) if version == 1 else cgroup2.memory_events(place)

    def huge_pages(self, size: int) -> HugePages:
        """Return use and limit of huge pages of ``size`` bytes each."""
        if (found := self._place("hugetlb")) is None:
            return HugePages()
        place, version = found
        name = size_name(size)
        return cgroup1.huge_pages(place, name) if version == 1 else cgroup2.huge_pages(place, name)

    def block_io(self) -> Mapping[Device, BlockIo]:
        """Return the block I/O so far, by the devices that there was any on."""
        return self._block_io.get()

    def _read_block_io(self) -> Mapping[Device, BlockIo]:
        if (found := self._place("io")) is None:
            return {}
        place, version = found
        return cgroup1.block_io(place) if version == 1 else cgroup2.block_io(place)

    def pressure(self, resource: str) -> bytes:
        """Return the text of its own pressure file. Raises ``UncountedError`` without one."""
        if (place := self._hierarchies.unified(self._paths)) is None:
            raise UncountedError(errno.EOPNOTSUPP, "no cgroup v2 tree, which keeps pressure")
        return cgroup2.pressure(place, resource)

    def cpu_time(self) -> CpuTime:
        """Return the CPU time used so far, in nanoseconds."""
        place, version = self._need("cpuacct")
        return cgroup1.cpu_time(place) if version == 1 else cgroup2.cpu_time(place)

    def cpu_spread(self) -> CpuSpread | None:
        """Return on which CPUs; ``None`` where the kernel does not say (cgroup v2)."""
        place, version = self._need("cpuacct")
        return cgroup1.cpu_spread(place) if version == 1 else None

    def cpu_place(self) -> Place:
        """Return the cgroup that these two are of."""
        return self._need("cpuacct")[0]

    def cpu_limit(self, online: tuple[int, ...]) -> CpuLimit:
        """Return the allowed CPUs among those online, and the quota.

        A controller that no hierarchy has limits nothing.
        """
        quota, allowed = self._cpu_files.get()
        made_of = (allowed, online, quota)
        if (last := self._limit) is not None and last[0] == made_of:
            return last[1]
        usable = set(online)
        # A cpuset whose CPUs all went offline falls back to its ancestors' in the kernel too.
        limit = CpuLimit(tuple(cpu for cpu in allowed if cpu in usable) or online, quota)
        self._limit = made_of, limit
        return limit

    def _read_cpu(self) -> tuple[Fraction | None, tuple[int, ...]]:
        quota = None
        if (found := self._place("cpu")) is not None:
            place, version = found
            quota = cgroup1.cpu_quota(place) if version == 1 else cgroup2.cpu_quota(place)
        allowed: tuple[int, ...] = ()
        if (found := self._place("cpuset")) is not None:
            place, version = found
            allowed = cgroup1.cpuset(place) if version == 1 else cgroup2.cpuset(place)
        return quota, allowed

    def memory_nodes(self, online: tuple[int, ...]) -> tuple[int, ...]:
        """Return the NUMA nodes of ``online`` that its memory may be on, at least one."""
        allowed: tuple[int, ...] = ()
        if (found := self._place("cpuset")) is not None:
            place, version = found
            allowed = cgroup1.memory_nodes(place) if version == 1 else cgroup2.memory_nodes(place)
        return tuple(node for node in online if node in allowed) or online

    def memory_use_by_node(self) -> Mapping[str, Mapping[int, int]]:
        """Return use by kind and NUMA node, in bytes; nothing where that is not counted."""
        if (found := self._place("memory")) is None:
            return {}
        place, version = found
        if version == 1:
            return cgroup1.memory_use_by_node(place)
        return cgroup2.memory_use_by_node(place)

    def threads(self) -> Sequence[int]:
        """Return the host's ids of all threads, descendants' included."""
        if self._threads is None:
            self._threads = self._hierarchies.thread_place(self._paths)
        if self._threads is None:
            raise SourceError(errno.ENODEV, "no cgroup hierarchy lists the threads")
        place, version = self._threads
        return place.tree_of_integers("tasks" if version == 1 else "cgroup.threads")


def size_name(size: int) -> str:
    """Return a size of huge pages as the hugetlb controller's files name it: 2MB, 1GB, 64KB."""
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M")):
        if size >= unit:
            return f"{size // unit}{letter}B"
    return f"{size >> 10}KB"
