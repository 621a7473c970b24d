"""Ids of processes and threads, as a container numbers them and as the host does.

Role: the lists of a cgroup in the caller's own numbers, and what it writes back to the host's.
Boundary: asks the pid namespace itself (``man 2 ioctl_nsfs``, Linux 6.11), or where the kernel does
not know the question /proc, which says each thread's ids but not in which namespaces they are.
Threading: an object belongs to one request.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from typing import Self

from lxfs.model import Container, SourceError
from lxfs.sources.host import Host

_NS_GET_PARENT = 0xB702
_NS_GET_PID_FROM_PIDNS, _NS_GET_PID_IN_PIDNS = 0x8004B706, 0x8004B708
_UNKNOWN = (errno.ENOTTY, errno.EINVAL)


class Numbers:
    """One container's numbers; ``None`` is the host, which has them already."""

    def __init__(self, host: Host, container: Container | None) -> None:
        self._host = host
        self._container = container
        self._namespaces: dict[tuple[int, int], bool] = {}

    def inward(self, ids: Sequence[int]) -> list[int]:
        """Return the container's numbers of those threads of the host that it can see.

        Raises ``SourceError`` when the container is gone.
        """
        if self._container is None:
            return list(ids)
        found = []
        with self._namespace(self._container) as namespace:
            for thread in ids:
                try:
                    found.append(fcntl.ioctl(namespace.fileno(), _NS_GET_PID_IN_PIDNS, thread))
                except OSError as error:
                    if error.errno in _UNKNOWN:
                        return self._inward(ids, self._container)
        return found

    def _namespace(self, container: Container) -> "_Open":
        return _Open(self._host.path(f"proc/{container.init}/ns/pid"), container.namespace)

    def _inward(self, ids: Sequence[int], container: Container) -> list[int]:
        depth = self._depth(container)
        found = [self._number(thread, depth, container) for thread in ids]
        return [number for number in found if number is not None]

    def _depth(self, container: Container) -> int:
        return len(self._host.task_status(container.init).nspid)

    def _number(self, thread: int, depth: int, container: Container) -> int | None:
        try:
            numbers = self._host.task_status(thread).nspid
            deeper = len(numbers) - depth
            if deeper < 0 or not self._is_in(thread, deeper, container.namespace):
                return None
        except SourceError:
            return None  # ended since it was listed
        return numbers[depth - 1]

    def _is_in(self, thread: int, deeper: int, namespace: int) -> bool:
        """Return whether the namespace so many levels above a thread's own is this one."""
        own = self._host.pid_namespace(thread)
        if not deeper:
            return own == namespace
        if (own, deeper) not in self._namespaces:
            self._namespaces[own, deeper] = self._ancestor(thread, deeper) == namespace
        return self._namespaces[own, deeper]

    def _ancestor(self, thread: int, levels: int) -> int:
        path = self._host.path(f"proc/{thread}/ns/pid")
        try:
            current = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                for _ in range(levels):
                    above = fcntl.ioctl(current, _NS_GET_PARENT)
                    os.close(current)
                    current = above
                return os.fstat(current).st_ino
            finally:
                os.close(current)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error

    def outward(self, number: int) -> int:
        """Return the host's number of a thread of the container. Raises ESRCH."""
        if self._container is None:
            return number
        with self._namespace(self._container) as namespace:
            try:
                return fcntl.ioctl(namespace.fileno(), _NS_GET_PID_FROM_PIDNS, number)
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error
        depth = self._depth(self._container)
        for thread in self._threads(self._container, depth):
            if self._number(thread, depth, self._container) == number:
                return thread
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _threads(self, container: Container, depth: int) -> Iterator[int]:
        """Return the processes of the host, and then the threads of those the container sees."""
        processes = [int(name) for name in self._host.names("proc") if name.isdecimal()]
        yield from processes
        for process in processes:
            if self._number(process, depth, container) is not None:
                try:
                    yield from map(int, self._host.names(f"proc/{process}/task"))
                except SourceError:
                    continue


class _Open:
    """A pid namespace held open, which is the container's or the container is gone."""

    def __init__(self, path: str, inode: int) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(errno.ESRCH, "the container is gone", path) from error
        if os.fstat(self._descriptor).st_ino != inode:
            os.close(self._descriptor)
            raise SourceError(errno.ESRCH, "the container is gone", path)

    def fileno(self) -> int:
        return self._descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
