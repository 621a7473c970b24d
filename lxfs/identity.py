"""Whose numbers a caller sees: its pid namespace, that namespace's init, the init's cgroup.

Role: a caller's pid in, a ``Container`` (or ``None``: the host's own namespace) out, and where
that container's cgroups are.
Boundary: asks the ``Host``; knows neither views nor FUSE. A caller that cannot be placed is an
error, never the host.
Threading: one lock around the cache; the kernel is asked outside it.
"""

import errno
import threading
from collections.abc import Mapping

from lxfs.model import Container, SourceError
from lxfs.sources.host import Host

# systemd as init keeps itself in a leaf of the container's cgroup; the limits and the use that
# matter are those of the cgroup around it.
_INIT_LEAF = "/init.scope"


class Identity:
    """Callers to containers, with a cache that a recycled number cannot deceive.

    A cached container is believed only while its init's pid still has the start time that it was
    found with: the kernel gives pids and namespace inodes out again, but it does not come round to
    the same pid within the hundredth of a second that a start time is exact to.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._own = host.pid_namespace("self")
        self._lock = threading.Lock()
        self._known: dict[int, Container] = {}

    def container(self, pid: int) -> Container | None:
        """Return the container of a caller, or ``None`` for one in the host's own pid namespace.

        Raises ``SourceError`` (ESRCH) when the caller cannot be placed: FUSE says pid 0 of one
        that is in no namespace below ours.
        """
        if pid <= 0:
            raise SourceError(errno.ESRCH, "the caller is outside our pid namespace")
        namespace = self._host.pid_namespace(pid)
        if namespace == self._own:
            return None
        with self._lock:
            known = self._known.get(namespace)
        if known is not None and self.alive(known):
            return known
        found = self._find(pid, namespace)
        with self._lock:
            self._known[namespace] = found
        return found

    def _find(self, pid: int, namespace: int) -> Container:
        init = self._host.namespace_init(pid, namespace)
        found = Container(namespace, init, self._host.starttime(init))
        # Between two looks at the start time: all three belong to one process, or we say so.
        if self._host.pid_namespace(init) != namespace or not self.alive(found):
            raise SourceError(errno.ESRCH, f"init {init} of pid namespace {namespace} is gone")
        return found

    def alive(self, container: Container) -> bool:
        """Return whether the container's init is still the process it was, and not ending.

        Its namespace was looked at when it was found; a process never changes its own.
        """
        try:
            process = self._host.process(container.init)
        except SourceError:
            return False
        return process.starttime == container.starttime and not process.exiting

    def reap(self) -> list[Container]:
        """Forget the containers whose init is gone, and return them."""
        with self._lock:
            known = list(self._known.values())
        gone = [container for container in known if not self.alive(container)]
        with self._lock:
            for container in gone:
                if self._known.get(container.namespace) == container:
                    del self._known[container.namespace]
        return gone

    def cgroup_paths(self, container: Container) -> Mapping[str, str]:
        """Return the container's cgroup in each hierarchy, read anew: managers move their inits.

        Raises ``SourceError`` (ESRCH) when they may not be the container's: an init that is ending
        is in the root of every v1 hierarchy, which is the host, and the pid of one that is gone
        may be anybody's. So init is looked at after its cgroups, which were read while it lived.
        """
        paths = self._host.cgroup_paths(container.init)
        if not self.alive(container):
            raise SourceError(errno.ESRCH, f"init {container.init} of the container is gone")
        return {name: path.removesuffix(_INIT_LEAF) or "/" for name, path in paths.items()}
