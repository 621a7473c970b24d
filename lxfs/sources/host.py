"""The host's own files: /proc, /sys and the pid namespaces in them.

Role: every read of the kernel that is not a cgroup file goes through one ``Host``.
Boundary: paths are joined to an injectable root, so tests aim it at a directory of recorded
files. Every failure is a ``SourceError`` with the path in it.
Threading: use one ``Host`` from as many threads as you like; what it keeps is in ``files``.
"""

import copy
import errno
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from lxfs import parse
from lxfs.model import NSEC_PER_TICK, HostNode, SourceError
from lxfs.sources.files import Files, Moment, Pin, read_bytes, shaped

# _IOR(0xb7, 7, int) of include/uapi/linux/nsfs.h: the init of a pid namespace, without a fork.
_NS_GET_TGID_FROM_PIDNS = 0x8004B707

_CLOCKS_APART = 1_000_000
"""Nanoseconds by which two clocks differ from last time before one of them must have been set."""

_T = TypeVar("_T")


def read_as(path: str, shape: Callable[[bytes], _T]) -> _T:
    """Return what ``shape`` makes of a file. Raises ``SourceError`` (EIO when malformed)."""
    return shaped(path, read_bytes(path), shape)


class Host:
    """The machine lxfs runs on, seen under ``root``.

    ``files`` keeps descriptors on the kernel's own filesystems only, not below another root.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self.files = Files(keep=not self._root)
        self._fixed: dict[str, tuple[int, bytes]] = {}

    def at_one_moment(self) -> "Host":
        """Return the same host, of which each kept file is read once and for all."""
        host = copy.copy(self)
        host.files = Moment()
        host._fixed = {}
        return host

    def path(self, relative: str) -> str:
        """Return where ``relative`` (``proc/meminfo``) lies under the root."""
        return f"{self._root}/{relative}"

    def read(self, relative: str) -> bytes:
        """Return the bytes of a file such as ``proc/meminfo``."""
        return read_bytes(self.path(relative))

    def record(self, relative: str) -> bytes:
        """Return the bytes of a file of one record: the same object as long as they are the same.

        Such are meminfo, stat and what is in sysfs.
        """
        return self.files.read(self.path(relative))

    def records(self, relative: str) -> bytes:
        """Return the same of a file of many records: cpuinfo, diskstats."""
        return self.files.text(self.path(relative))

    def fixed(self, relative: str) -> bytes:
        """Return a file for what is the same in it until the next boot.

        The names of its lines, and the time of boot, which is another when the clock was set: the
        file is then read again. Never for any other figure in it, which would be an old one.
        """
        if self._root:
            return self.read(relative)
        # How long ago the clock says that we have booted, less how long ago it was.
        boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        last = self._fixed.get(relative)
        if last is None or abs(boot - last[0]) > _CLOCKS_APART:
            last = self._fixed[relative] = boot, self.records(relative)
        return last[1]

    def mode(self, relative: str) -> int | None:
        """Return type and permissions of what is at a path, links not followed; or ``None``."""
        path = self.path(relative)
        try:
            return os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def names(self, relative: str) -> list[str]:
        """Return the names in a directory, in the kernel's order."""
        path = self.path(relative)
        try:
            return os.listdir(path)  # noqa: PTH208 - names are what is wanted
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def link(self, relative: str) -> str:
        """Return what a symbolic link says."""
        path = self.path(relative)
        try:
            return os.readlink(path)  # noqa: PTH115 - as written, not as a path
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def monotonic(self) -> int:
        """Return nanoseconds since boot, suspend included: the clock of process start times."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def online_cpus(self) -> tuple[int, ...]:
        """Return the CPUs that are online, ascending."""
        path = self.path("sys/devices/system/cpu/online")
        return self.files.value(path, parse.cpulist)

    def nodes(self) -> tuple[HostNode, ...]:
        """Return the NUMA nodes that are online, ascending; none on a kernel without NUMA."""
        directory = "sys/devices/system/node"
        if self.mode(f"{directory}/online") is None:
            return ()

        def numbers(name: str) -> tuple[int, ...]:
            return self.files.value(self.path(f"{directory}/{name}"), parse.cpulist)

        with_memory = numbers("has_memory")
        return tuple(
            HostNode(number, numbers(f"node{number}/cpulist"), number in with_memory)
            for number in numbers("online")
        )

    def page_sizes(self) -> tuple[int, int | None]:
        """Return the bytes of a page, and of a transparent huge page (``None`` without THP)."""
        path = self.path("sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
        try:
            huge = self.files.value(path, parse.integer)
        except SourceError as error:
            if error.errno != errno.ENOENT:
                raise
            huge = None
        return os.sysconf("SC_PAGE_SIZE"), huge

    def node_size(self, number: int) -> int:
        """Return the memory of a NUMA node, in bytes."""
        path = self.path(f"sys/devices/system/node/node{number}/meminfo")
        return self.files.value(path, parse.node_size)

    def mounts(self) -> list[parse.Mount]:
        """Return the mounts this process sees."""
        return read_as(self.path("proc/self/mountinfo"), parse.mountinfo)

    def pid_namespace(self, pid: int | str) -> int:
        """Return the inode of the pid namespace of a process (or of ``self``)."""
        path = self.path(f"proc/{pid}/ns/pid")
        try:
            # Not stat: it brings the namespace's inode to life, which takes twice as long.
            link = os.readlink(path)  # noqa: PTH115 - on the way of every open
            return int(link.removeprefix("pid:[").removesuffix("]"))
        except ValueError:
            raise SourceError(errno.EIO, f"expected pid:[INODE], found {link!r}", path) from None
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def user_namespace(self, pid: int | str) -> str | None:
        """Return the name of a process's user namespace, ``None`` on a kernel that has none."""
        try:
            return self.link(f"proc/{pid}/ns/user")
        except SourceError as error:
            if error.errno != errno.ENOENT or self.mode(f"proc/{pid}") is None:
                raise
            return None

    def pin(self, relative: str) -> Pin | None:
        """Return a file opened for good, as ``Files.pin`` has it."""
        return self.files.pin(self.path(relative))

    def process(self, pid: int, *, keep: bool = True) -> parse.Process:
        """Return when a process started, and whether it is ending.

        ``keep`` holds the file open for the next time: for processes that are asked about often.
        """
        path = self.path(f"proc/{pid}/stat")
        return self.files.value(path, parse.process) if keep else read_as(path, parse.process)

    def starttime(self, pid: int) -> int:
        """Return when a process started, in ticks since boot."""
        return self.process(pid).starttime

    def age(self, starttime: int, now: int) -> int:
        """Return how long before ``now`` a start time was, in nanoseconds, never negative.

        A tick is coarser than the clock: a process of this very tick starts "now".
        """
        return max(0, now - starttime * NSEC_PER_TICK)

    def boot_id(self) -> str:
        """Return the id of this boot (``man 4 random``), which every boot has another of."""
        return self.read("proc/sys/kernel/random/boot_id").decode("ascii", "replace").strip()

    def possible_cpus(self) -> int:
        """Return how many CPUs there can be before the next boot."""
        return len(read_as(self.path("sys/devices/system/cpu/possible"), parse.cpulist))

    def cgroup_paths(self, pid: int, *, keep: bool = True) -> Mapping[str, str]:
        """Return the cgroups of a process by controller; ``""`` is the v2 tree."""
        path = self.path(f"proc/{pid}/cgroup")
        shape = parse.cgroup_paths
        return self.files.value(path, shape) if keep else read_as(path, shape)

    def task_status(self, tid: int, *, keep: bool = False) -> parse.TaskStatus:
        """Return the state of a thread and its ids in the nested pid namespaces."""
        path, shape = self.path(f"proc/{tid}/status"), parse.task_status
        return self.files.value(path, shape) if keep else read_as(path, shape)

    def namespace_init(self, pid: int, namespace: int) -> int:
        """Return the host's pid of the init of ``namespace``, in which ``pid`` lives.

        Asks the kernel by ioctl (``man 2 ioctl_ns``; the request is newer than that page), which
        takes no fork; where the kernel does not know the request, looks through /proc for the
        process that is number 1 in that namespace. Raises ``SourceError`` (ESRCH) for a namespace
        whose init is gone or not visible.
        """
        path = self.path(f"proc/{pid}/ns/pid")
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error
        try:
            return fcntl.ioctl(descriptor, _NS_GET_TGID_FROM_PIDNS, 1)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise SourceError(error.errno, error.strerror, path) from error
        finally:
            os.close(descriptor)
        return self._search_init(namespace, path)

    def _search_init(self, namespace: int, path: str) -> int:
        for entry in Path(self.path("proc")).iterdir():
            name = entry.name
            if not name.isdigit():
                continue
            try:
                if self.pid_namespace(name) != namespace:
                    continue
                if self.task_status(int(name)).nspid[-1] == 1:
                    return int(name)
            except SourceError:
                continue  # gone between the listing and the read
        raise SourceError(errno.ESRCH, "the pid namespace has no init", path)
