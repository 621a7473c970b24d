"""/sys/devices/system/node of a container: its NUMA nodes, their CPUs, its memory among them.

Role: the visible CPUs and the container's /proc/meminfo, by node. Over all nodes each line adds up
to that of meminfo, to the kB; with one node they are the same.
Boundary: pure. Formats: drivers/base/node.c and Documentation/ABI/stable/sysfs-devices-node.
Threading: none.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from lxfs import parse
from lxfs.model import NodeMemory
from lxfs.origin import ONLINE, VISIBLE_V1, VISIBLE_V2, Origin, Reading, value

LINKS = frozenset({"node#/cpu#", "node#/subsystem"})
"""The served links by shape."""

# The kinds of memory.numa_stat that a line follows; the second choice is for cgroup v1, which tells
# anonymous memory and files apart and no more.
_KINDS: Mapping[bytes, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        b"Active": (("active_anon", "active_file"),),
        b"Inactive": (("inactive_anon", "inactive_file"),),
        b"Active(anon)": (("active_anon",), ("anon",)),
        b"Inactive(anon)": (("inactive_anon",), ("anon",)),
        b"Active(file)": (("active_file",), ("file",)),
        b"Inactive(file)": (("inactive_file",), ("file",)),
        b"Unevictable": (("unevictable",),),
        b"SwapCached": (("swapcached",), ("anon",)),
        b"Dirty": (("file_dirty",), ("file",)),
        b"Writeback": (("file_writeback",), ("file",)),
        b"FilePages": (("file",),),
        b"Mapped": (("file_mapped",), ("file",)),
        b"AnonPages": (("anon",),),
        b"Shmem": (("shmem",), ("file",)),
        b"KernelStack": (("kernel_stack",),),
        b"PageTables": (("pagetables",),),
        b"SecPageTables": (("sec_pagetables",),),
        b"KReclaimable": (("slab_reclaimable",),),
        b"SReclaimable": (("slab_reclaimable",),),
        b"SUnreclaim": (("slab_unreclaimable",),),
        b"Slab": (("slab_reclaimable", "slab_unreclaimable"),),
        b"AnonHugePages": (("anon_thp",), ("anon",)),
        b"ShmemHugePages": (("shmem_thp",), ("file",)),
        b"FileHugePages": (("file_thp",), ("file",)),
    }
)
_ALL = (
    *("anon", "file", "kernel_stack", "pagetables", "sec_pagetables"),
    *("slab_reclaimable", "slab_unreclaimable"),
)


def listed(nodes: Iterable[int]) -> bytes:
    """Return nodes as a list."""
    return f"{parse.format_cpulist(nodes)}\n".encode()


def seen_list(host: bytes, nodes: Iterable[int]) -> bytes:
    """Return those of the host's list that are among ``nodes``. Raises ``ValueError``."""
    return listed(set(parse.cpulist(host)).intersection(nodes))


def distance(host: bytes, online: Sequence[int], visible: Iterable[int]) -> bytes:
    """Return a node's distances to the visible nodes; the host's are to those ``online``.

    Raises ``ValueError`` when they are not as many.
    """
    columns = host.split()
    seen = set(visible)
    pairs = zip(online, columns, strict=True)
    return b" ".join(column for node, column in pairs if node in seen) + b"\n"


def numastat(host: bytes) -> bytes:
    """Return the host's counters as zeros: which node an allocation hit is not counted per cgroup.

    Raises ``ValueError`` for a file of another shape.
    """
    return b"".join(b"%b 0\n" % name for name in parse.flat_keyed(host))


def meminfo(host: bytes, whole: bytes, memory: NodeMemory) -> bytes:
    """Return one node's part of a container's memory.

    ``host`` is the host's file of that node, ``whole`` the container's /proc/meminfo. MemTotal is
    shared among the container's nodes by their sizes on the host. What is used is where
    memory.numa_stat says that it is, as far as the node's total reaches; what it does not say lies
    as all the memory does that it knows of. In kB, MemUsed <= MemTotal. Raises ``ValueError`` for
    files of another shape.
    """
    counts = parse.meminfo(whole)
    figures = {name: value // 1024 for name, value in counts.items()}
    totals = share(figures[b"MemTotal"], memory.sizes)
    used = share(figures[b"MemTotal"] - figures[b"MemFree"], _weights(b"", memory), totals)
    cached = (b"Cached", b"SwapCached", b"Buffers")
    figures[b"FilePages"] = sum(figures.get(name, 0) for name in cached)
    lines = []
    for line in host.splitlines():
        label, node, name, rest = _fields(line)
        if name == b"MemTotal":
            value = totals.get(node, 0)
        elif name == b"MemUsed":
            value = used.get(node, 0)
        elif name == b"MemFree":
            value = totals.get(node, 0) - used.get(node, 0)
        elif rest.endswith(b" kB"):
            parts = share(figures.get(name, 0), _weights(name, memory), totals)
            value = parts.get(node, 0)
        else:
            value = share(counts.get(name, 0), memory.sizes).get(node, 0)  # huge pages
        lines.append(label + _as_wide(value, rest))
    return b"\n".join(lines) + b"\n"


def _fields(line: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Return a line's label with its colon, its node, its name, and the rest."""
    label, colon, rest = line.partition(b":")
    match label.split():
        case [b"Node", number, name] if colon and number.isdigit():
            return label + colon, int(number), name, rest
        case _:
            raise ValueError(f"expected a node, a name and a number, found {line[:40]!r}")


def _as_wide(value: int, like: bytes) -> bytes:
    """Return a number where the kernel would print it: a fixed margin, then at least 8 digits.

    Counts of huge pages have at least 5.
    """
    number, _, unit = like.strip().partition(b" ")
    least = 8 if unit else 5
    digits = len(number)
    margin = len(like.rstrip()) - len(unit) - bool(unit) - max(digits, least)
    return b" " * margin + b"%*d" % (least, value) + (b" " + unit if unit else b"")


def _weights(name: bytes, memory: NodeMemory) -> Mapping[int, int]:
    """Return how a line is divided among the nodes; of nothing known, by their sizes."""
    for kinds in (*_KINDS.get(name, ()), tuple(kind for kind in _ALL if kind in memory.use)):
        if kinds and all(kind in memory.use for kind in kinds):
            weights = {
                node: sum(memory.use[kind].get(node, 0) for kind in kinds) for node in memory.sizes
            }
            if any(weights.values()):
                return weights
    return memory.sizes


def share(
    amount: int, weights: Mapping[int, int], most: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Return ``amount`` in parts of these weights, which add up to it exactly.

    No part is above what its node has in ``most``, where all of them together can hold it.
    """
    parts = {}
    total, before = sum(weights.values()), 0
    for node, weight in weights.items():
        parts[node] = amount * (before + weight) // total - amount * before // total if total else 0
        before += weight
    if most is None or amount > sum(most.values()):
        return parts
    kept = {node: min(part, most[node]) for node, part in parts.items()}
    if (over := amount - sum(kept.values())) == 0:
        return kept
    rest = share(over, {node: most[node] - part for node, part in kept.items()})
    return {node: part + rest[node] for node, part in kept.items()}


_MEMS_V1 = (Reading("cpuset.effective_mems", "nearest"),)
_MEMS_V2 = (Reading("cpuset.mems.effective", "nearest"),)
_USE_V1, _USE_V2 = (*_MEMS_V1, value("memory.numa_stat")), (*_MEMS_V2, value("memory.numa_stat"))


def _all(formula: str, *, cpus: bool = False, memory: bool = False) -> tuple[Origin, ...]:
    """Return the origin of every line of a file that names what a container sees."""
    return (
        Origin(
            ("*",),
            formula,
            v1=VISIBLE_V1 * cpus + _MEMS_V1 * memory,
            v2=VISIBLE_V2 * cpus + _MEMS_V2 * memory,
            host=(ONLINE,) * cpus,
        ),
    )


_NODES = _all(
    "the visible nodes: those of the visible CPUs, and those that memory may be on",
    cpus=True,
    memory=True,
)
_SAME = _all("the host's")
ORIGINS: Mapping[str, tuple[Origin, ...]] = MappingProxyType(
    {
        "online": _NODES,
        "possible": _NODES,
        "has_cpu": _all("the nodes of the visible CPUs", cpus=True),
        "has_memory": _all("the nodes that memory may be on", memory=True),
        "has_normal_memory": _all("those of the host's that memory may be on", memory=True),
        "has_high_memory": _all("those of the host's that memory may be on", memory=True),
        "has_generic_initiator": _all("the visible of the host's", cpus=True, memory=True),
        "uevent": _SAME,
        "node#/cpulist": _all("the visible of the node's CPUs", cpus=True),
        "node#/cpumap": _all("the visible of the node's CPUs, as wide as the host's", cpus=True),
        "node#/distance": _all("the host's, to the visible nodes", cpus=True, memory=True),
        "node#/meminfo": (
            Origin(
                ("Node * MemTotal", "Node * HugePages_*"),
                "its part of that line of /proc/meminfo, by the sizes of the nodes on the host",
                v1=_MEMS_V1,
                v2=_MEMS_V2,
            ),
            Origin(
                ("Node * MemUsed", "Node * MemFree"),
                "its part of what is used of /proc/meminfo's MemTotal, by what is on the node, at"
                " most its MemTotal; and the rest of that",
                v1=_USE_V1,
                v2=_USE_V2,
            ),
            Origin(
                ("*",),
                "its part of that line of /proc/meminfo, by what is on the node",
                v1=_USE_V1,
                v2=_USE_V2,
            ),
        ),
        "node#/numastat": _all("0: which node an allocation hit is not counted per cgroup"),
        "node#/uevent": _SAME,
    }
)
"""Where each file comes from, by shape."""
