"""The limits that ``lxfs run`` is asked for, and the cgroups that enforce them.

Role: command-line text to ``Limits``; ``Limits`` to directories in the mounted hierarchies, and
back to nothing.
Boundary: the only module that writes to cgroups; it touches none that it did not make, except
that on cgroup v2 it may hand a controller down: from the root, or io from the cgroup it works in.
Threading: none.
"""

import contextlib
import errno
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lxfs import parse
from lxfs.errors import UsageError, UserError
from lxfs.model import SourceError
from lxfs.sources.cgroups import CONTROLLERS, Hierarchies
from lxfs.sources.host import Host
from lxfs.sources.place import Place

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SMALLEST_MEMORY = 4 << 20
_PERIOD = 100_000
_SMALLEST_CPUS = Fraction(1, 100)
_ASIDE = "-aside"
_NAME = re.compile(rf"lxfs-run-(\d+)-(\d+)-(\d+)(?:{_ASIDE})?")
_REMOVE_SECONDS = 5.0


def size(text: str) -> int:
    """Return a size in bytes: ``256M``, ``1.5G``, ``512k``, or plain bytes; units are of 1024.

    Raises ``ValueError`` that says so.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size: write 256M, 1.5G, 512k or a number of bytes")
    return int(Fraction(match[1]) * _UNITS[match[2].lower()])


def memory_size(text: str) -> int:
    """Return a memory limit in bytes. Raises ``ValueError`` below what an init needs to start."""
    value = size(text)
    if value < _SMALLEST_MEMORY:
        raise ValueError(f"{text!r} is too little to start a command in: give at least 4M")
    return value


def cpu_count(text: str) -> Fraction:
    """Return a number of CPUs such as 1 or 1.5. Raises ``ValueError``."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a number of CPUs: write 1, 0.5 or 1.5") from None
    if value < _SMALLEST_CPUS:
        raise ValueError(f"{text!r} CPUs is less than the kernel can enforce: give at least 0.01")
    return value


def cpu_set(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list such as 0-2,5. Raises ``ValueError``."""
    try:
        cpus = parse.cpulist(text.encode())
    except ValueError:
        cpus = ()
    if not cpus:
        raise ValueError(f"{text!r} is not a list of CPUs: write 0, 0-2 or 0,3")
    return cpus


def task_count(text: str) -> int:
    """Return a limit of processes. Raises ``ValueError`` below the two that a run is made of."""
    if not text.isdigit() or int(text) < 2:  # noqa: PLR2004 - the init and the command
        raise ValueError(f"{text!r} is not a limit of processes: give 2 or more (init is one)")
    return int(text)


@dataclass(frozen=True, slots=True)
class Limits:
    """What was asked for: bytes, CPUs, CPU numbers, processes; ``None`` is no limit."""

    memory: int | None = None
    swap: int | None = None
    cpus: Fraction | None = None
    cpuset: tuple[int, ...] | None = None
    pids: int | None = None

    def __post_init__(self) -> None:
        if self.swap is not None and self.memory is None:
            raise UsageError("--swap needs --memory: the kernel limits the two together")

    @property
    def counted(self) -> set[str]:
        """The controllers to have on: memory is wanted for its counters, asked for or not."""
        return {*self.needed(), "memory"}

    def needed(self) -> dict[str, str]:
        """Return the controllers that must be there, each with the option that asks for it."""
        asked = {
            "memory": ("--memory", self.memory),
            "cpu": ("--cpus", self.cpus),
            "cpuset": ("--cpuset", self.cpuset),
            "pids": ("--pids", self.pids),
        }
        return {name: option for name, (option, value) in asked.items() if value is not None}


class Cell:
    """The cgroups of one run: made, entered by its init, removed."""

    def __init__(self) -> None:
        self._directories: list[str] = []
        self._room: _Room | None = None

    @classmethod
    def make(
        cls, limits: Limits, host: Host, hierarchies: Hierarchies, delegated: Place | None = None
    ) -> "Cell":
        """Make the cgroups under this process's own, with the limits set.

        ``delegated`` is our own cgroup where it is ours to divide: the user's, with us alone in
        it. Sweeps first what runs that were killed have left there. Raises ``UserError`` with
        nothing left behind.
        """
        pid = os.getpid()
        paths = host.cgroup_paths(pid)
        own = {name: hierarchies.place(name, paths) for name in CONTROLLERS}
        for controller, option in limits.needed().items():
            if own[controller] is None:
                raise UserError(
                    f"{option} needs the {controller} controller, which no cgroup hierarchy here"
                    " has: mount one, or enable it on the kernel's command line"
                )
        _check_cpuset(limits, own["cpuset"], host)
        namespace = host.pid_namespace("self")
        name = f"lxfs-run-{namespace}-{pid}-{host.starttime(pid)}"
        made: dict[str, tuple[Place, int]] = {}
        cell = cls()
        try:
            if delegated is not None:
                cell._room = _Room(delegated, f"{name}{_ASIDE}", limits.counted)
            for controller, found in _parents(own, limits, hierarchies.unified(paths)).items():
                parent, version = found
                cell._sweep(parent, host, namespace)
                place = Place(parent.point, parent.root, f"{parent.path}/{name}")
                cell._mkdir(place)
                made[controller] = place, version
            _set(limits, made)
        except BaseException:
            cell.remove()
            raise
        return cell

    def _mkdir(self, place: Place) -> None:
        directory = f"{place.point}{place.path}"
        if directory in self._directories:
            return  # cpu and cpuacct mounted as one
        try:
            Path(directory).mkdir()
        except OSError as error:
            raise UserError(f"making the cgroup {directory} failed: {error.strerror}") from error
        self._directories.append(directory)

    def _sweep(self, parent: Place, host: Host, namespace: int) -> None:
        for entry in Path(f"{parent.point}{parent.path}").iterdir():
            match = _NAME.fullmatch(entry.name)
            # Pids of another namespace are not ours to judge.
            if match is None or int(match[1]) != namespace:
                continue
            with contextlib.suppress(SourceError):
                if host.starttime(int(match[2])) == int(match[3]):
                    continue
            _remove(str(entry), time.monotonic())

    def enter(self) -> None:
        """Move the calling process in."""
        for directory in self._directories:
            _write(f"{directory}/cgroup.procs", "0")

    def remove(self) -> None:
        """Remove the cgroups, waiting a while for the last processes in them to be gone."""
        until = time.monotonic() + _REMOVE_SECONDS
        for directory in self._directories:
            _remove(directory, until)
        if self._room is not None:
            self._room.leave()


class _Room:
    """This process moved out of the way in its own cgroup, which can then hand controllers down."""

    def __init__(self, place: Place, aside: str, controllers: Collection[str]) -> None:
        """Move into a child of that name. Raises ``UserError`` with nothing left behind."""
        self._place = place
        self._aside = f"{place.point}{place.path}/{aside}"
        try:
            Path(self._aside).mkdir()
            _write(f"{self._aside}/cgroup.procs", "0")
            self._hand_down("+", controllers)
        except OSError as error:
            self.leave()
            raise UserError(f"dividing the cgroup {place.path or '/'} failed: {error}") from error

    def leave(self) -> None:
        """Go back, if nothing but us is in the cgroup: else systemd removes all with its scope."""
        control = self._place.file("cgroup.subtree_control")
        with contextlib.suppress(OSError):
            self._hand_down("-", _text(control).split())
            _write(self._place.file("cgroup.procs"), "0")
            Path(self._aside).rmdir()

    def _hand_down(self, sign: str, controllers: Collection[str]) -> None:
        words = " ".join(f"{sign}{name}" for name in sorted(controllers))
        _write(self._place.file("cgroup.subtree_control"), words)


def _check_cpuset(limits: Limits, own: tuple[Place, int] | None, host: Host) -> None:
    if limits.cpuset is None or own is None:
        return
    place, version = own
    name = "cpuset.effective_cpus" if version == 1 else "cpuset.cpus.effective"
    for level in place.ancestry:
        if usable := level.read_if_any(name, parse.cpulist):
            break
    else:
        usable = host.online_cpus()
    if missing := [cpu for cpu in limits.cpuset if cpu not in usable]:
        raise UsageError(
            f"--cpuset names CPUs that cannot be used here: {parse.format_cpulist(missing)};"
            f" usable are {parse.format_cpulist(usable)}"
        )


def _parents(
    own: Mapping[str, tuple[Place, int] | None], limits: Limits, unified: Place | None
) -> dict[str, tuple[Place, int]]:
    """Return, by controller, the cgroup to make the new one in; ``""`` is the v2 tree itself."""
    parents = {name: found for name, found in own.items() if found is not None}
    wanted = {name for name, (_, version) in parents.items() if version == 2}  # noqa: PLR2004
    if not wanted:
        # Pressure is kept in the v2 tree, with or without controllers.
        if unified is not None and os.access(f"{unified.point}{unified.path}", os.W_OK):
            parents[""] = unified, 2
        return parents
    place = next(place for place, version in parents.values() if version == 2)  # noqa: PLR2004
    # cpuacct is in every v2 cgroup.
    needed = limits.counted & wanted
    parent = _v2_parent(place, needed)
    if "io" in wanted:
        _count_io(parent)
    return {name: (parent, 2) if name in wanted else found for name, found in parents.items()}


def _v2_parent(own: Place, needed: set[str]) -> Place:
    """Return the nearest cgroup v2 ancestor in which children get the needed controllers.

    A cgroup with processes cannot hand controllers down (the no-internal-process rule); the root
    can, and there it is done when nothing nearer does.
    """

    def names(text: bytes) -> set[str]:
        return set(text.decode().split())

    levels = own.ancestry
    for level in levels:
        if needed <= level.read("cgroup.subtree_control", names):
            return level
    for level in levels:
        available = level.read("cgroup.controllers", names)
        empty = not level.read("cgroup.procs", bytes).strip()
        if needed <= available and (empty or level.is_top):
            control = level.file("cgroup.subtree_control")
            _write(control, " ".join(f"+{name}" for name in sorted(needed)))
            return level
    raise UserError(
        f"no cgroup above {own.path or '/'} can hand down {', '.join(sorted(needed))}: run lxfs"
        " outside of this container, or delegate the controllers to it"
    )


def _count_io(parent: Place) -> None:
    """Have the children's block I/O counted, for diskstats, which is empty where it cannot be."""
    with contextlib.suppress(OSError):
        if b"io" not in parent.read("cgroup.subtree_control", bytes).split():
            _write(parent.file("cgroup.subtree_control"), "+io")


def _set(limits: Limits, made: Mapping[str, tuple[Place, int]]) -> None:
    for place, version, name, value in _settings(limits, made):
        try:
            _write(place.file(name), value)
        except OSError as error:
            why = error.strerror
            if error.errno == errno.EINVAL:
                why = "the kernel refuses the value; a cgroup above may allow less"
            elif error.errno == errno.ENOENT:
                why = f"this kernel has no such file in cgroup v{version}"
            raise UserError(f"setting {name} to {value} failed: {why}") from error


def _settings(
    limits: Limits, made: Mapping[str, tuple[Place, int]]
) -> Iterator[tuple[Place, int, str, str]]:
    """Yield what to write where, in an order that the kernel accepts."""
    if "cpuset" in made:
        place, version = made["cpuset"]
        cpus = limits.cpuset
        if version == 1:
            # A new v1 cpuset is empty and takes no process until it has CPUs and memory nodes.
            parent = place.file("..")
            usable = _text(f"{parent}/cpuset.effective_cpus")
            yield place, version, "cpuset.mems", _text(f"{parent}/cpuset.effective_mems")
            yield place, version, "cpuset.cpus", parse.format_cpulist(cpus) if cpus else usable
        elif cpus:
            yield place, version, "cpuset.cpus", parse.format_cpulist(cpus)
    if limits.memory is not None:
        place, version = made["memory"]
        if version == 1:
            yield place, version, "memory.limit_in_bytes", str(limits.memory)
            if limits.swap is not None:
                both = str(limits.memory + limits.swap)
                yield place, version, "memory.memsw.limit_in_bytes", both
        else:
            yield place, version, "memory.max", str(limits.memory)
            if limits.swap is not None:
                yield place, version, "memory.swap.max", str(limits.swap)
    if limits.cpus is not None:
        place, version = made["cpu"]
        quota = int(limits.cpus * _PERIOD)
        if version == 1:
            yield place, version, "cpu.cfs_period_us", str(_PERIOD)
            yield place, version, "cpu.cfs_quota_us", str(quota)
        else:
            yield place, version, "cpu.max", f"{quota} {_PERIOD}"
    if limits.pids is not None:
        place, version = made["pids"]
        yield place, version, "pids.max", str(limits.pids)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="ascii").strip()


def _write(path: str, text: str) -> None:
    """Write a cgroup file in one write(2), without creating anything."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)


def _remove(directory: str, until: float) -> None:
    """Remove a cgroup and what the command made in it; processes still dying are waited for."""
    below = [path for path, _, _ in os.walk(directory, topdown=False)]
    for path in below or [directory]:
        while True:
            try:
                Path(path).rmdir()
            except OSError as error:
                if error.errno == errno.EBUSY and time.monotonic() < until:
                    time.sleep(0.01)
                    continue
            break
