"""Kernel text to values, one function per shape of file.

Role: cgroup and proc files come in a handful of shapes; each is understood once, here.
Boundary: bytes in, values out; opens nothing. A file of the wrong shape is a ``ValueError`` that
quotes the offending text; callers who know the path add it.
Threading: pure functions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

# cgroup v1 writes "no limit" as the largest number of whole pages in a signed 64-bit count of
# bytes, which depends on the page size; 64 KiB is the largest page Linux uses.
_V1_UNLIMITED = 2**63 - 2**16

# Far above any kernel's NR_CPUS: a list is not to be made of a range that somebody mistyped.
_MAX_CPU = 1 << 16


def integer(text: bytes) -> int:
    """Return the single integer of a file such as memory.current."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected one integer, found {text[:40]!r}") from None


def integer_or_max(text: bytes) -> int | None:
    """Return the integer of a file such as memory.max; ``max`` is no limit."""
    return None if text.strip() == b"max" else integer(text)


def v1_limit(text: bytes) -> int | None:
    """Return a cgroup v1 byte limit; the page-rounded maximum means no limit."""
    value = integer(text)
    return None if value >= _V1_UNLIMITED else value


@lru_cache(maxsize=256)
def v1_quota(quota: bytes, period: bytes) -> Fraction | None:
    """Return cpu.cfs_quota_us over cpu.cfs_period_us in CPUs; a quota below 0 is no limit."""
    microseconds = integer(quota)
    return None if microseconds < 0 else _ratio(microseconds, integer(period))


@lru_cache(maxsize=256)
def cpu_max(text: bytes) -> Fraction | None:
    """Return cgroup v2's cpu.max (``$MAX $PERIOD``) in CPUs."""
    match text.split():
        case [b"max", _]:
            return None
        case [quota, period]:
            return _ratio(integer(quota), integer(period))
        case _:
            raise ValueError(f"expected a quota and a period, found {text[:40]!r}")


def _ratio(quota: int, period: int) -> Fraction:
    if period <= 0 or quota < 0:
        raise ValueError(f"a quota of {quota} us in a period of {period} us means nothing")
    return Fraction(quota, period)


def flat_keyed(text: bytes) -> Mapping[bytes, int]:
    """Return the ``KEY VALUE`` lines of a file such as memory.stat or cpu.stat."""
    try:
        fields = text.split()
        return dict(zip(fields[::2], map(int, fields[1::2]), strict=True))
    except ValueError:
        raise ValueError(f"expected lines of a key and an integer, found {text[:40]!r}") from None


Device = tuple[int, int]
"""The major and minor number of a block device."""


def io_stat(text: bytes) -> Mapping[Device, Mapping[bytes, int]]:
    """Return cgroup v2's io.stat: by device, the counts of bytes and requests.

    Other keys (cost.*, those of latency controllers) are left out: not all are integers. A device
    that has counted nothing may stand alone; some kernels then forget the newline, so that the
    next device follows on its line.
    """
    devices: dict[Device, dict[bytes, int]] = {}
    values: dict[bytes, int] | None = None
    for field in text.split():
        key, equals, value = field.partition(b"=")
        if not equals:
            values = devices.setdefault(_device(field), {})
        elif values is None:
            raise ValueError(f"expected a device, found {field[:40]!r}")
        elif key in _IO_COUNTS:
            values[key] = integer(value)
    return devices


_IO_COUNTS = frozenset((b"rbytes", b"wbytes", b"rios", b"wios", b"dbytes", b"dios"))


def blkio(text: bytes) -> Mapping[Device, Mapping[bytes, int]]:
    """Return a file of cgroup v1's blkio (``MAJ:MIN Operation COUNT``) by device and operation.

    Without the last line, the total of all devices.
    """
    devices: dict[Device, dict[bytes, int]] = {}
    for line in text.splitlines():
        match line.split():
            case [device, operation, value]:
                devices.setdefault(_device(device), {})[operation] = integer(value)
            case [b"Total", _]:
                continue
            case _:
                raise ValueError(f"expected a device, an operation, a count, found {line[:40]!r}")
    return devices


def _device(text: bytes) -> Device:
    major, _, minor = text.partition(b":")
    if not (major.isdigit() and minor.isdigit()):
        raise ValueError(f"expected a device's MAJOR:MINOR, found {text[:40]!r}")
    return int(major), int(minor)


def columns(text: bytes, names: bytes) -> list[tuple[int, ...]]:
    """Return the columns of a table of integers such as cpuacct.usage_all, whose first line is
    ``names``.
    """
    header, _, body = text.partition(b"\n")
    width = len(header.split())
    try:
        fields = list(map(int, body.split()))
    except ValueError:
        fields = []
    if header != names or not fields or len(fields) % width:
        raise ValueError(f"expected columns of {names.decode()}, found {text[:40]!r}")
    return [tuple(fields[column::width]) for column in range(width)]


@lru_cache(maxsize=256)
def cpulist(text: bytes) -> tuple[int, ...]:
    """Return the CPU numbers of a list such as ``0-3,8``, ascending; an empty list is empty."""
    cpus: set[int] = set()
    stripped = text.strip()
    if not stripped:
        return ()
    for part in stripped.split(b","):
        first, dash, last = part.partition(b"-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            raise ValueError(f"expected a list of CPUs, found {text[:40]!r}") from None
        if low < 0 or high < low or high > _MAX_CPU:
            raise ValueError(f"expected a list of CPUs, found {text[:40]!r}")
        cpus.update(range(low, high + 1))
    return tuple(sorted(cpus))


def format_cpulist(cpus: Iterable[int]) -> str:
    """Return CPU numbers as the kernel prints them: ``0-3,8``."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


_MASK = re.compile(rb"[0-9a-f]{1,8}(,[0-9a-f]{8})*")


@lru_cache(maxsize=256)
def cpumask(text: bytes) -> frozenset[int]:
    """Return the numbers in a mask such as ``3`` or ``ff,00000000`` (hexadecimal, by 32 bits)."""
    stripped = text.strip()
    if not _MASK.fullmatch(stripped):
        raise ValueError(f"expected a mask, found {text[:40]!r}")
    bits = int(stripped.replace(b",", b""), 16)
    return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)


def format_cpumask(cpus: Iterable[int], like: bytes) -> str:
    """Return a mask of these numbers as wide as the mask ``like``.

    The kernel (``%*pb``) prints as many digits as its number of possible CPUs takes.
    """
    digits = len(like.strip().replace(b",", b""))
    text = f"{sum(1 << cpu for cpu in set(cpus)):0{digits}x}"
    first = len(text) % 8 or 8
    return ",".join([text[:first], *(text[at : at + 8] for at in range(first, len(text), 8))])


def numbers(text: bytes) -> frozenset[int]:
    """Return the numbers of a list with spaces, such as cpufreq's ``affected_cpus``."""
    return frozenset(integer(field) for field in text.split())


def numa_stat(text: bytes) -> Mapping[str, Mapping[int, int]]:
    """Return memory.numa_stat as kind to node to number: bytes in cgroup v2, pages in v1.

    v1 puts the sum behind the name (``anon=5 N0=3 N1=2``), v2 does not (``anon N0=3 N1=2``).
    """
    kinds = {}
    for line in text.splitlines():
        name, *fields = line.split()
        nodes = {}
        for field in fields:
            node, equals, value = field.partition(b"=")
            if not equals or not node.startswith(b"N"):
                raise ValueError(f"expected a kind and its nodes, found {line[:40]!r}")
            nodes[integer(node[1:])] = integer(value)
        kinds[name.partition(b"=")[0].decode()] = nodes
    return kinds


def node_size(text: bytes) -> int:
    """Return the memory of a node, of its meminfo, in bytes."""
    for line in text.splitlines():
        match line.split():
            case [b"Node", _, b"MemTotal:", value, b"kB"]:
                return integer(value) * 1024
    raise ValueError(f"expected a node's MemTotal, found {text[:40]!r}")


def meminfo(text: bytes) -> Mapping[bytes, int]:
    """Return /proc/meminfo in bytes by name; the HugePages_* counts stay counts."""
    values: dict[bytes, int] = {}
    for line in text.splitlines():
        match line.split():
            case [name, value, b"kB"] if name.endswith(b":"):
                values[name[:-1]] = integer(value) * 1024
            case [name, value] if name.endswith(b":"):
                values[name[:-1]] = integer(value)
            case _:
                raise ValueError(f"expected a name, a number and kB, found {line[:40]!r}")
    return values


_NO_SWAP = re.compile(rb" +0 kB\n")


def has_swap(meminfo: bytes) -> bool:
    """Return whether /proc/meminfo tells of any swap, without a look at its other lines."""
    at = meminfo.find(b"\nSwapTotal:")
    return at >= 0 and _NO_SWAP.match(meminfo, at + len(b"\nSwapTotal:")) is None


@dataclass(frozen=True, slots=True)
class Process:
    """Of /proc/PID/stat: its state's letter, its start in ticks since boot, whether it is ending.

    A process that is ending is still there (until its parent has waited for it), but on cgroup v1
    it is in the root of every hierarchy.
    """

    starttime: int
    exiting: bool
    state: str


# include/linux/sched.h; fixed by what reads it from /proc/PID/stat.
_PF_EXITING = 0x4


def process(text: bytes) -> Process:
    """Return fields 3 (state), 9 (flags) and 22 (start) of /proc/PID/stat.

    The name in field 2 may hold spaces and parentheses; fields are counted from its last one.
    """
    _, parenthesis, rest = text.rpartition(b")")
    fields = rest.split(None, 20)
    if not parenthesis or len(fields) < 20:  # noqa: PLR2004 - field 22 is the 20th after field 2
        raise ValueError(f"expected a process's stat line, found {text[:40]!r}")
    exiting = bool(integer(fields[6]) & _PF_EXITING)
    return Process(integer(fields[19]), exiting, fields[0].decode())


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Of /proc/TID/status: the state's letter and the thread's id in each pid namespace."""

    state: str
    nspid: tuple[int, ...]


def task_status(text: bytes) -> TaskStatus:
    """Return what load averages and the search for an init need of /proc/TID/status."""
    # Of a thread's name, which it may choose, the kernel escapes no line end but \n.
    state, nspid = _STATE.search(text), _NSPID.search(text)
    if state is None or nspid is None:
        raise ValueError(f"expected State and NSpid lines, found {text[:40]!r}")
    return TaskStatus(state[1].decode(), tuple(map(int, nspid[1].split())))


_STATE = re.compile(rb"(?:\A|\n)State:\s+(\w)")
_NSPID = re.compile(rb"(?:\A|\n)NSpid:((?:[ \t]+\d+)+)")


@lru_cache(maxsize=256)
def cgroup_paths(text: bytes) -> Mapping[str, str]:
    """Return /proc/PID/cgroup as controller to path; the v2 path is filed under ``""``.

    A named v1 hierarchy keeps its ``name=systemd`` form.
    """
    paths: dict[str, str] = {}
    # Whoever makes a cgroup names it; \n alone is refused, and str.splitlines knows ten line ends.
    for line in text.decode(errors="surrogateescape").removesuffix("\n").split("\n"):
        try:
            _, controllers, path = line.split(":", 2)
        except ValueError:
            raise ValueError(f"expected id:controllers:path, found {line[:40]!r}") from None
        for controller in controllers.split(","):
            paths[controller] = path
    return MappingProxyType(paths)


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (``man 5 proc``).

    ``device`` names the superblock (``major:minor``), ``peers`` the group of mounts that share
    what is mounted below them (``None``: it is not shared).
    """

    root: str
    point: str
    fstype: str
    source: str
    super_options: tuple[str, ...]
    id: int = 0
    parent: int = 0
    device: str = "0:0"
    peers: int | None = None


_SHARED = "shared:"


def mountinfo(text: bytes) -> list[Mount]:
    """Return the mounts of /proc/PID/mountinfo in the order they were made."""
    mounts = []
    # A directory may be called anything: of line ends the kernel escapes \n alone.
    for line in text.decode(errors="surrogateescape").removesuffix("\n").split("\n"):
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if not dash or len(left) < 6 or len(right) < 3:  # noqa: PLR2004 - man 5 proc
            raise ValueError(f"expected a mountinfo line, found {line[:60]!r}")
        mounts.append(
            Mount(
                root=_unescape(left[3]),
                point=_unescape(left[4]),
                fstype=right[0],
                source=_unescape(right[1]),
                super_options=tuple(right[2].split(",")),
                id=int(left[0]),
                parent=int(left[1]),
                device=left[2],
                peers=next(
                    (int(tag[len(_SHARED) :]) for tag in left[6:] if tag.startswith(_SHARED)), None
                ),
            )
        )
    return mounts


_ESCAPE = re.compile(r"\\([0-7]{3})")


def _unescape(field: str) -> str:
    """Undo the octal escapes, of space, tab, newline, backslash and (in a source) #."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
