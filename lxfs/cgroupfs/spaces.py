"""The roots of cgroup namespaces, as this process calls them.

Role: what a caller reads in its /proc/self/cgroup is relative to its cgroup namespace; what we read
there is not. The difference is the namespace's root, in each hierarchy.
Boundary: asks the kernel from inside of the namespace, by a thread that enters it and ends there.
Threading: any number of threads at once; what is known is behind a lock.
"""

import os
import threading
from collections.abc import Mapping

from lxfs import parse, syscalls
from lxfs.model import Container, SourceError
from lxfs.sources.files import Pin, read_bytes, shaped
from lxfs.sources.host import Host

_MAX_KNOWN = 512
_TRIES = 3


def root(seen: str, inside: str) -> str | None:
    """Return the root of a namespace from one process's path as seen here and inside of it.

    ``None`` for a process that is not below it, of which the kernel says no more than ``/..``.
    """
    if inside == "/":
        return seen
    if inside.startswith("/..") or not seen.endswith(inside):
        return None
    return seen[: -len(inside)] or "/"


class Spaces:
    """Roots by cgroup namespace, each found once and kept until ``forget``.

    A namespace that is kept is held open, so that no other can get its number.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._own = self._namespace("self")
        self._lock = threading.Lock()
        self._known: dict[int, tuple[Mapping[str, str], Pin]] = {}

    def roots(self, pid: int, container: Container | None) -> Mapping[str, str]:
        """Return the root of a caller's cgroup namespace, by hierarchy; none where it is ours.

        Raises ``SourceError`` when the caller is gone.
        """
        namespace = self._namespace(pid)
        if namespace == self._own or namespace is None:
            return {}
        known = self._known.get(namespace)
        if known is not None:
            return known[0]
        pin = self._host.pin(f"proc/{pid}/ns/cgroup")
        found = self._find(pid, namespace, container)
        if pin is not None and pin.inode() == namespace:
            with self._lock:
                while len(self._known) >= _MAX_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[namespace] = found, pin
        return found

    def forget(self) -> None:
        """Look anew the next time: a namespace that is held open keeps its cgroups in memory."""
        with self._lock:
            self._known.clear()

    def _namespace(self, pid: int | str) -> int | None:
        path = self._host.path(f"proc/{pid}/ns/cgroup")
        try:
            link = os.readlink(path)  # noqa: PTH115 - on the way of every look-up
        except FileNotFoundError as error:
            if os.path.exists(self._host.path(f"proc/{pid}")):  # noqa: PTH110
                return None  # a kernel without cgroup namespaces
            raise SourceError(error.errno, error.strerror, path) from error
        except OSError as error:
            raise SourceError(error.errno, error.strerror, path) from error
        return int(link.removeprefix("cgroup:[").removesuffix("]"))

    def _find(self, pid: int, namespace: int, container: Container | None) -> Mapping[str, str]:
        roots: dict[str, str] = {}
        asked = [pid] if container is None else [pid, container.init]
        for process in asked:
            if self._namespace(process) != namespace:
                continue
            for name, found in self._compare(process, pid).items():
                roots.setdefault(name, found)
        return roots

    def _compare(self, process: int, member: int) -> dict[str, str]:
        """Return what one process's paths tell of the namespace of a member."""
        for _ in range(_TRIES):
            seen = self._host.cgroup_paths(process, keep=False)
            inside = self._inside(process, member)
            if self._host.cgroup_paths(process, keep=False) == seen:
                pairs = {name: root(path, inside.get(name, "/..")) for name, path in seen.items()}
                return {name: found for name, found in pairs.items() if found is not None}
        return {}

    def _inside(self, process: int, member: int) -> Mapping[str, str]:
        """Return a process's cgroups as they are called in the namespace of a member.

        By a thread of its own, which does not come back: it would be in the wrong namespace.
        """
        path = self._host.path(f"proc/{process}/cgroup")
        said: list[bytes | OSError] = []

        def look() -> None:
            try:
                descriptor = os.open(
                    self._host.path(f"proc/{member}/ns/cgroup"), os.O_RDONLY | os.O_CLOEXEC
                )
                try:
                    syscalls.setns(descriptor, syscalls.CLONE_NEWCGROUP)
                finally:
                    os.close(descriptor)
                said.append(read_bytes(path))
            except OSError as error:
                said.append(error)

        thread = threading.Thread(target=look, name="lxfs-cgroupns")
        thread.start()
        thread.join()
        if isinstance(said[0], OSError):
            raise SourceError(said[0].errno, said[0].strerror, path) from said[0]
        return shaped(path, said[0], parse.cgroup_paths)
