"""What a rendering may ask: the world of one mount, and one moment of one container in it.

Role: which number comes from where; the views get theirs from a ``Snapshot``.
Boundary: knows the sources, the state and the callers, but no path that is served and no FUSE.
Threading: a ``World`` is shared by all threads, a ``Snapshot`` belongs to one rendering.
"""

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import lru_cache

from lxfs import parse
from lxfs.cputime import CpuClocks, Look
from lxfs.identity import Address, Identity
from lxfs.ledger import Ledger
from lxfs.model import (
    BlockIo,
    Container,
    CpuCounters,
    Cpus,
    GoneError,
    HugePages,
    LoadAverage,
    MemoryStat,
    MemoryUse,
    NodeMemory,
    Nodes,
    OwnCgroup,
    SourceError,
    SwapUse,
    TaskCount,
)
from lxfs.once import once
from lxfs.parse import Device
from lxfs.sources.cgroups import Cgroup, Hierarchies
from lxfs.sources.host import Host
from lxfs.state import Kept, LoadAverages

_MAX_TASKS = 512
"""Threads looked at in one count; of more, an even sample is taken and scaled."""
_FEW_TASKS = 8
"""Threads of which the files are held open from one count to the next."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a container was found, and the cgroups there."""

    address: Address
    cgroup: Cgroup


class Snapshot:
    """What one rendering may ask about one container; each number is read at most once.

    Where it is looked for, at the ``home`` of the last time if there is one, the container's
    figures are only if ``confirm`` says so afterwards.
    """

    def __init__(self, world: "World", container: Container, home: Home | None = None) -> None:
        self._world = world
        self.container = container
        if home is not None:
            self.__dict__["_home"] = home
        self._is_sure = False
        self._texts: dict[str, bytes] = {}

    def confirm(self) -> None:
        """Raise ``SourceError`` (ESRCH) unless all that was read so far was the container's.

        A cgroup loses its files before its directory goes: a limit that was not there while it was
        being removed was no "no limit". One that has processes is not being removed.
        """
        if self._is_sure:
            return
        self._is_sure = self._world.identity.is_at(self.container, self._home.address)
        if not self._is_sure:
            raise GoneError(errno.ESRCH, "the container is gone, or was moved")

    def host(self, relative: str) -> bytes:
        """Return a file of the host, of one record: meminfo, stat, any in sysfs."""
        text = self._texts.get(relative)
        if text is None:
            text = self._texts[relative] = self._world.host.record(relative)
        return text

    def host_records(self, relative: str) -> bytes:
        """Return a file of the host, of many records: cpuinfo, diskstats."""
        return self._world.host.records(relative)

    def host_fixed(self, relative: str) -> bytes:
        """Return a file of the host of which no figure is shown but the time of boot."""
        return self._world.host.fixed(relative)

    @property
    def cgroup(self) -> Cgroup:
        """The container's cgroup, in whichever hierarchies count it."""
        self._is_sure = False
        return self._home.cgroup

    @once
    def _home(self) -> Home:
        return self._world.locate(self.container)

    @once
    def memory(self) -> MemoryUse:
        """Use and limits of memory."""
        if self.cgroup.counts_memory():
            return self.cgroup.memory(swap=self._has_swap)
        return uncounted_memory(self.host("proc/meminfo"))

    @once
    def swap(self) -> SwapUse | None:
        """Use and limits of swap alone; ``None`` where there is none."""
        if not self._has_swap:
            return None
        if self.cgroup.counts_memory():
            return self.cgroup.swap()
        return uncounted_memory(self.host("proc/meminfo")).swap

    @once
    def _has_swap(self) -> bool:
        return parse.has_swap(self.host("proc/meminfo"))

    @once
    def memory_events(self) -> Mapping[bytes, int]:
        """What has happened to its memory, by the names of /proc/vmstat."""
        return self.cgroup.memory_events()

    def huge_pages(self, size: int | None) -> HugePages | None:
        """Return use and limit of huge pages of a size, ``None`` without a size."""
        return None if size is None else self.cgroup.huge_pages(size)

    @once
    def block_io(self) -> Mapping[Device, BlockIo]:
        """Its block I/O by device."""
        return self.cgroup.block_io()

    def pressure(self, resource: str) -> bytes:
        """Return the text of its own pressure file."""
        return self.cgroup.pressure(resource)

    @once
    def page_sizes(self) -> tuple[int, int | None]:
        """Bytes of a page, and of a transparent huge page where there are any."""
        return self._world.host.page_sizes()

    @once
    def _online(self) -> tuple[int, ...]:
        return self._world.host.online_cpus()

    @once
    def cpus(self) -> Cpus:
        """The CPUs the container sees."""
        limit = self.cgroup.cpu_limit(self._online)
        return limit.seen(by_quota=self._world.cpus_by_quota)

    @once
    def nodes(self) -> Nodes:
        """The NUMA nodes the container sees."""
        nodes = self._world.host.nodes()
        seen = set(self.cpus.visible)
        return Nodes(
            cpus=tuple(node.number for node in nodes if not seen.isdisjoint(node.cpus)),
            memory=self.cgroup.memory_nodes(
                tuple(node.number for node in nodes if node.has_memory)
            ),
        )

    @once
    def node_memory(self) -> NodeMemory:
        """Use and sizes of memory by NUMA node."""
        return NodeMemory(
            sizes={node: self._world.host.node_size(node) for node in self.nodes.memory},
            use=self.cgroup.memory_use_by_node(),
        )

    @once
    def _now(self) -> int:
        return self._world.host.monotonic()

    @once
    def age(self) -> int:
        """Nanoseconds since the container's init started."""
        return self._world.host.age(self.container.starttime, self._now)

    @once
    def counters(self) -> CpuCounters:
        """The container's CPU counters as of now."""
        place = self.cgroup.cpu_place()
        look = Look(
            now=self._now,
            age=self.age,
            source=place.file(""),
            cgroup=place.inode,
            used=self.cgroup.cpu_time(),
            spread=self.cgroup.cpu_spread(),
            cpus=self.cpus,
            online=len(self._online),
        )
        self.confirm()  # before it is remembered
        return self._world.clocks.advance(self.container.key, look)

    @once
    def tasks(self) -> TaskCount:
        """The container's threads now."""
        self._is_sure = False
        return self._world.tasks(self.container, self._home)

    @once
    def forks(self) -> int:
        """The highest pid that was seen in the container so far."""
        return self._world.clocks.forks(self.container.key, self.tasks.last_pid)

    @once
    def load(self) -> LoadAverage:
        """The container's load averages."""
        world, container = self._world, self.container
        return world.loads.get(
            container.key, lambda: world.tasks(container), _name(container), self.tasks
        )


@dataclass(frozen=True, slots=True)
class World:
    """Everything a rendering draws on, made once per mount."""

    host: Host
    hierarchies: Hierarchies
    identity: Identity
    clocks: CpuClocks
    loads: LoadAverages
    counts: Kept
    homes: dict[Container, Home]
    depths: dict[Container, int]
    cpus_by_quota: bool = True

    @classmethod
    def of(
        cls,
        host: Host,
        *,
        cpus_by_quota: bool = True,
        by_cgroup: bool = False,
        ledger: Ledger | None = None,
    ) -> "World":
        """Return the world of a host. Raises ``SourceError`` without cgroups or /proc.

        ``by_cgroup`` tells the containers of one pid namespace apart, see ``Identity``. With a
        ledger the counters and load averages go on from what is on file.
        """
        hierarchies = Hierarchies.find(host)
        clocks, loads, counts = CpuClocks(ledger), LoadAverages(ledger=ledger), Kept()
        homes: dict[Container, Home] = {}
        depths: dict[Container, int] = {}

        def forget(container: Container) -> None:
            homes.pop(container, None)
            depths.pop(container, None)
            for kept in (clocks, loads, counts):
                kept.forget(container.key)

        world = cls(
            host=host,
            hierarchies=hierarchies,
            identity=Identity(host, hierarchies if by_cgroup else None, forget),
            clocks=clocks,
            loads=loads,
            counts=counts,
            homes=homes,
            depths=depths,
            cpus_by_quota=cpus_by_quota,
        )
        world._resume()
        return world

    def _resume(self) -> None:
        for name in self.loads.on_file():
            container = _named(name)
            if container is not None and self.identity.alive(container):
                self._resume_load(container, name)

    def _resume_load(self, container: Container, name: bytes) -> None:
        self.loads.resume(container.key, lambda: self.tasks(container), name)

    def show(self, container: Container, view: Callable[[Snapshot], bytes]) -> bytes:
        """Return what a view makes of a container, now.

        Raises ``SourceError`` and ``ValueError`` as views and sources do, ESRCH for a container
        that is gone.
        """
        home = self.homes.get(container)
        if home is not None:
            now = Snapshot(self, container, home)
            try:
                text = view(now)
                now.confirm()
            except (SourceError, ValueError):
                pass  # perhaps it is not there any more: look where it is
            else:
                return text
        now = Snapshot(self, container)
        text = view(now)
        now.confirm()
        return text

    def locate(self, container: Container) -> Home:
        """Return where a container is now. Raises ``SourceError``, ESRCH when it is gone."""
        address = self.identity.locate(container)
        home = Home(address, self.hierarchies.cgroup(address.paths))
        if address.file is not None:
            self.homes[container] = home
        return home

    def tasks(self, container: Container, home: Home | None = None) -> TaskCount:
        """Return the container's threads by state. Raises ``SourceError`` when it is gone."""
        return self.counts.get(
            container.key, lambda: self._count_tasks(container, home or self.locate(container))
        )

    def _count_tasks(self, container: Container, home: Home) -> TaskCount:
        """Count them.

        Threads in its cgroup that live in an outer pid namespace (a manager's helper; or all of
        the host's, for a namespace that has no cgroup of its own) are not the container's.
        """
        host = self.host
        depth = self.depths.get(container)
        if depth is None:
            depth = self.depths[container] = len(host.task_status(container.init).nspid)
        # One of several in its pid namespace: where it is with them it lists theirs, too.
        own = {cgroup.hierarchy: cgroup.path for cgroup in container.own}
        threads = (self.hierarchies.cgroup(own) if own else home.cgroup).threads()
        stride = -(-len(threads) // _MAX_TASKS) or 1
        few = len(threads) <= _FEW_TASKS
        states: list[str] = []
        last_pid = 1
        for thread in threads[::stride]:
            try:
                if thread == container.init:  # of whom less need be read
                    states.append(host.process(thread).state)
                    continue
                status = host.task_status(thread, keep=few)
            except SourceError:
                continue  # ended since it was listed
            if len(status.nspid) >= depth:
                states.append(status.state)
                last_pid = max(last_pid, status.nspid[depth - 1])
        return TaskCount(
            running=states.count("R") * stride,
            blocked=states.count("D") * stride,
            total=len(states) * stride,
            last_pid=last_pid,
        )

    def reap(self) -> None:
        """Forget the containers that are gone, and the files that nobody reads."""
        self.host.files.sweep()
        self.identity.reap()
        for container in list(self.homes):  # one may have been found again while it was reaped
            if not self.identity.alive(container):
                self.homes.pop(container, None)


def uncounted_memory(meminfo: bytes) -> MemoryUse:
    """Return what stands for a container's use where no hierarchy has the memory controller.

    Nothing can be limited there, and nothing is counted: the machine's memory is everybody's, and
    what it has left is what the container can have. No more is told of the neighbours.
    """
    figures = parse.meminfo(meminfo)
    total, swap = figures.get(b"MemTotal", 0), figures.get(b"SwapTotal", 0)
    left = figures.get(b"MemAvailable", figures.get(b"MemFree", 0))
    return MemoryUse(
        usage=max(0, total - left),
        limit=None,
        ancestor_headroom=None,
        swap=SwapUse(usage=max(0, swap - figures.get(b"SwapFree", 0)), limit=None),
        stat=MemoryStat(*[0] * 11),
    )


@lru_cache(maxsize=1024)  # asked for with every read of a loadavg
def _name(container: Container) -> bytes:
    """Return a container as bytes for the ledger, whose own keys do not lead back to it."""
    return json.dumps(astuple(container)).encode()


def _named(name: bytes) -> Container | None:
    """Return the container of such bytes, or ``None`` for what another version has written."""
    try:
        namespace, init, starttime, own = json.loads(name)
        return Container(namespace, init, starttime, tuple(OwnCgroup(*fields) for fields in own))
    except (ValueError, TypeError):
        return None
