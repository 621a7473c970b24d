"""Who sees which cgroup at which path.

Role: a path below ``cgroup/`` and a caller in, what is there for that caller out: a bare directory
that only leads to its own cgroup, a cgroup, a control file of one. All else does not exist.
Boundary: answers with descriptors of what was found to be the caller's (see groups.py), and only
while it is; knows no FUSE.
Threading: any number of threads; a ``Found`` belongs to one request.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from lxfs.cgroupfs.files import ControlFile, Lists, Table
from lxfs.cgroupfs.groups import Here, Machine
from lxfs.cgroupfs.layout import DIRECTORIES, TOP, UNIFIED, Branch, Seat, parts
from lxfs.cgroupfs.rights import Rights
from lxfs.cgroupfs.spaces import Spaces
from lxfs.identity import Address
from lxfs.model import Container, GoneError, SourceError
from lxfs.world import World

MAX_DEPTH = 32
"""Names below one of the directories: a container may nest its cgroups as it pleases."""
_MAX_PATH = 4000
_MAX_NAMES = 4096
"""Cgroups that one directory lists."""

# Whose owner stands for that of files which the kernel has in the other shape only. Nobody hands
# these over with a cgroup: that is done with its directory and its lists.
_STANDS_FOR: Mapping[tuple[str, int], str] = {
    ("", 1): "notify_on_release",
    ("", 2): "cgroup.max.depth",
    ("memory", 1): "memory.limit_in_bytes",
    ("memory", 2): "memory.max",
    ("cpu", 1): "cpu.shares",
    ("cpu", 2): "cpu.max",
    ("cpuacct", 1): "cpuacct.usage",
    ("cpuacct", 2): "cpu.stat",
    ("cpuset", 1): "cpuset.cpus",
    ("cpuset", 2): "cpuset.cpus",
    ("io", 1): "blkio.throttle.read_bps_device",
    ("io", 2): "io.max",
    ("pids", 1): "pids.max",
    ("pids", 2): "pids.max",
    ("freezer", 1): "freezer.state",
    ("freezer", 2): "cgroup.freeze",
}

_T = TypeVar("_T")


def no_such(path: str) -> FileNotFoundError:
    """Return what somebody is told of what is not there, or not there for him."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a thread, its container (``None``: the host), and where its cgroup names begin."""

    pid: int
    container: Container | None
    roots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a path for a caller.

    ``leads`` is the one name in a bare directory, and then there is nothing else. ``names`` lead
    from the caller's own cgroup to that of ``here``; ``control`` is a file of it.
    """

    path: str
    caller: Caller
    branch: Branch
    seat: Seat
    leads: str | None
    names: tuple[str, ...]
    here: Here | None
    control: ControlFile | None
    address: Address | None

    def opened(self) -> int:
        """Return in how many hierarchies its cgroup was looked for so far."""
        return 0 if self.here is None else self.here.opened

    def group(self) -> Here:
        """Return the cgroup. Raises EACCES for a directory that only leads to one."""
        if self.here is None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.path)
        return self.here

    @property
    def is_own(self) -> bool:
        """Whether it is a container's own cgroup, whose limits are others' to set."""
        return self.caller.container is not None and not self.names

    def used(self) -> list[str]:
        """Return the hierarchies of the branch that this cgroup is in, each once."""
        here = self.group()
        known: set[tuple[int, int]] = set()
        used = []
        for hierarchy in self.branch.used:
            if hierarchy in self.seat.shared or (directory := here.directory(hierarchy)) is None:
                continue
            status = os.fstat(directory)
            if (status.st_dev, status.st_ino) not in known:
                known.add((status.st_dev, status.st_ino))
                used.append(hierarchy)
        return used


class Looking:
    """Paths to what is there, for each caller."""

    def __init__(self, world: World, table: Table) -> None:
        self.world = world
        self.table = table
        self._spaces = Spaces(world.host)
        self.has_v2_on_top = not world.hierarchies.v1
        """Whether ``cgroup/`` itself is v2's as well: on hosts where callers know of no other."""

    def caller(self, pid: int) -> Caller:
        """Return a caller. Raises ESRCH for one that cannot be placed."""
        try:
            container = self.world.identity.container(pid)
            return Caller(pid, container, self._spaces.roots(pid, container))
        except SourceError as error:
            raise ProcessLookupError(errno.ESRCH, f"caller {pid}: {error.strerror}") from error

    def forget(self) -> None:
        """Look anew for what is remembered of callers."""
        self._spaces.forget()

    def rights(self, pid: int, uid: int | None) -> Rights:
        """Return what a thread may do. Raises ESRCH when it is gone."""
        host = self.world.host
        try:
            is_host = host.user_namespace(pid) == host.user_namespace("self")
            texts = [host.read(f"proc/{pid}/{name}") for name in ("status", "uid_map", "gid_map")]
            return Rights.of(0 if uid is None else uid, *texts, is_host=is_host)
        except (SourceError, ValueError) as error:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error

    def ask(
        self, path: str, caller: Caller, question: Callable[[Found], _T], *, whole: bool = False
    ) -> _T:
        """Return what a question about a path comes to; all that it reads is the caller's.

        With ``whole`` they are the caller's in all hierarchies before the question is asked, for
        those that change something. Raises ENOENT for what is not there and for what the caller
        does not see, ESRCH when the caller's container is gone.
        """
        with self._looking(path, caller, whole=whole) as found:
            opened = found.opened()
            try:
                answer = question(found)
            except ValueError as error:
                raise OSError(errno.EIO, str(error), path) from error
            if found.opened() != opened and caller.container is not None:
                self._confirm(caller.container, found.address)
            return answer

    @contextmanager
    def _looking(self, path: str, caller: Caller, *, whole: bool) -> Iterator[Found]:
        names = parts(path)[1:]
        if self.has_v2_on_top and (not names or names[0] not in DIRECTORIES):
            names = (UNIFIED, *names)
        if not f"{path}/".startswith(f"{TOP}/") or not names or names[0] not in DIRECTORIES:
            raise no_such(path)
        if len(names) > MAX_DEPTH or len(path) > _MAX_PATH or not {".", ".."}.isdisjoint(names):
            raise no_such(path)
        address = self._address(caller.container)
        with Machine(self.world.hierarchies, self.world.host) as machine:
            own = None if address is None else address.paths
            seat = Seat.of(machine.mounted, own, caller.roots)
            found = self._found(path, caller, machine, seat, address, names)
            # What was opened was the container's own if that is still where it was looked for.
            for hierarchy in _needed(found, whole=whole):
                found.group().directory(hierarchy)
            if caller.container is not None:
                self._confirm(caller.container, address)
            if found.leads is None and found.group().inode is None:
                raise no_such(path)
            yield found

    def _address(self, container: Container | None) -> Address | None:
        if container is None:
            return None
        identity = self.world.identity
        try:
            home = self.world.homes.get(container)
            if home is not None and identity.is_at(container, home.address):
                return home.address
            return self.world.locate(container).address
        except SourceError as error:
            raise ProcessLookupError(errno.ESRCH, "the container is gone") from error

    def _confirm(self, container: Container, address: Address | None) -> None:
        if address is None or not self.world.identity.is_at(container, address):
            raise GoneError(errno.ESRCH, "the container is gone, or was moved")

    def _found(
        self,
        path: str,
        caller: Caller,
        machine: Machine,
        seat: Seat,
        address: Address | None,
        names: Sequence[str],
    ) -> Found:
        branch = Branch.of(names[0], machine.mounted, seat)
        if branch is None:
            raise no_such(path)
        rest = tuple(names[1:])
        above = branch.above
        if len(rest) < len(above):
            if rest != above[: len(rest)]:
                raise no_such(path)
            return Found(path, caller, branch, seat, above[len(rest)], (), None, None, address)
        if rest[: len(above)] != above:
            raise no_such(path)
        below = rest[len(above) :]
        files = self.table.get(branch.name, {})
        control = files.get(below[-1]) if below else None
        inner = below if control is None else below[:-1]
        if any(name in files for name in inner) or (inner and branch.shared):
            raise no_such(path)
        here = Here.below(machine, branch, seat.tops, seat.shared, inner)
        return Found(path, caller, branch, seat, None, inner, here, control, address)

    def exists(self, found: Found, control: ControlFile) -> bool:
        """Return whether a cgroup has a control file."""
        here = found.group()
        if not (control.in_top if here.is_top else control.below_top):
            return False
        if isinstance(control.view, Lists):
            return True
        try:
            return control.view(here) is not None
        except (SourceError, ValueError) as error:
            if isinstance(error, SourceError) and error.errno == errno.ENODEV:
                raise
            return True  # it is there, and says so when it is read

    def names(self, found: Found) -> dict[str, int]:
        """Return what is in a directory, sorted, with the type bits of modes."""
        listed = {}
        if found.leads is None:
            files = self.table.get(found.branch.name, {})
            listed = {
                name: stat.S_IFREG for name, control in files.items() if self.exists(found, control)
            }
        listed |= dict.fromkeys(self.below(found), stat.S_IFDIR)
        return dict(sorted(listed.items()))

    def below(self, found: Found) -> list[str]:
        """Return the names of the cgroups in one, sorted, or the one in a bare directory."""
        if found.leads is not None:
            return [found.leads]
        here = found.group()
        directory = here.directory(here.primary)
        if found.branch.shared or directory is None:
            return []
        files = self.table.get(found.branch.name, {})
        with os.scandir(directory) as entries:
            below = [
                entry.name
                for entry in entries
                if entry.name not in files and entry.is_dir(follow_symlinks=False)
            ]
        return sorted(below)[:_MAX_NAMES]

    def attributes(self, found: Found) -> os.stat_result:
        """Return owner and permissions of what was found, as those of the kernel's own."""
        if found.here is None:
            return _made(stat.S_IFDIR | 0o555, 0, 0)
        directory = found.here.directory(found.here.primary)
        if directory is None:
            raise no_such(found.path)
        if found.control is None:
            return os.fstat(directory)
        return self.attributes_of(found, found.control)

    def attributes_of(self, found: Found, control: ControlFile) -> os.stat_result:
        """Return those of a control file, and who stands for its owner where the kernel has none.

        A file that cannot be written through us, or not here, has no bits for it.
        """
        is_given = control.takes is not None and not found.group().is_counted_above(
            control.controller
        )
        mask = 0o7777 if is_given else 0o7555
        if (there := self.kernels(found, control)) is not None:
            directory, name, is_itself = there
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode) if is_itself else control.mode
            return _made(stat.S_IFREG | mode & mask, status.st_uid, status.st_gid)
        return _made(stat.S_IFREG | control.mode & mask, 0, 0)

    def kernels(self, found: Found, control: ControlFile) -> tuple[int, str, bool] | None:
        """Return the kernel's file that decides who owns a control file: where, and its name.

        And whether it is that file itself.
        """
        here = found.group()
        directory, names = here.of(control.controller), [control.name]
        if isinstance(control.view, Lists):
            directory = here.directory(here.primary)
            threads = control.view is Lists.THREADS
            names = ["cgroup.threads", "tasks"] if threads else ["cgroup.procs"]
        if directory is None:
            return None
        version = here.version(control.controller)
        stand_in = _STANDS_FOR.get((control.controller, version or 0))
        for name in [*names, *([stand_in] if stand_in else [])]:
            with suppress(OSError):
                os.stat(name, dir_fd=directory, follow_symlinks=False)
                return directory, name, name in names
        return None


def _needed(found: Found, *, whole: bool) -> Sequence[str]:
    """Return the hierarchies in which to look for what was found: for a file those it is read from.

    What asks for others as well has the container looked at once more (see ``ask``).
    """
    if found.here is None:
        return ()
    if whole:
        return found.branch.used
    control = found.control
    counts = None if control is None else found.here.hierarchy(control.controller)
    return (found.branch.primary, *((counts,) if counts is not None else ()))


def _made(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))
