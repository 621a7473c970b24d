"""Whose numbers a caller sees: its pid namespace, that namespace's init, the init's cgroup.

Role: a caller's pid in, a ``Container`` (or ``None``: the host's own namespace) out, and where
that container's cgroups are. Asked to, tells the containers of one pid namespace apart by cgroup.
Boundary: asks the ``Host`` and the hierarchies; knows neither views nor FUSE. A caller that
cannot be placed is an error, never the host.
Threading: one lock around the caches; the kernel is asked outside it.
"""

import errno
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lxfs import parse
from lxfs.model import Container, OwnCgroup, SourceError
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.files import Pin, shaped
from lxfs.sources.host import Host
from lxfs.sources.place import Place

# systemd as init keeps itself in a leaf of the container's cgroup; the limits and the use that
# matter are those of the cgroup around it.
_INIT_LEAF = "/init.scope"

_MAX_SCOPES = 64
"""Containers told apart in one pid namespace: it may make cgroups as it pleases."""

_MAX_NEW = 256
"""Containers found between two looks at which are gone: one may make and end them in a loop."""


def scope(init: str, caller: str) -> str:
    """Return the cgroup whose figures a caller is shown, in one hierarchy.

    ``init`` is the cgroup of the init of the caller's pid namespace, without a final /init.scope.
    A caller in it or below it belongs to it: the units of a container's systemd are no containers.
    A caller elsewhere belongs to the child, on the way to it, of the deepest cgroup that has both
    below it: the neighbour of the pause container in a Kubernetes pod that shares its processes.
    A caller above it (somebody who has entered the namespace) is shown the init's: what is above
    is not the container's, and may be the host.
    """
    if caller == init or caller.startswith(f"{init.rstrip('/')}/"):
        return init
    inits, callers = init.split("/"), caller.rstrip("/").split("/")
    for depth, name in enumerate(callers):
        if depth == len(inits) or name != inits[depth]:
            return "/".join(callers[: depth + 1])
    return init


@dataclass(frozen=True, slots=True)
class Address:
    """Where a container's cgroups are in each hierarchy: ``text`` is what its init's file said.

    ``file`` is that process's for good; without it, the container has to be located for each
    rendering. ``proves_life``: of a process that is ending the kernel says ``/`` for each hierarchy
    of v1 (kernel/cgroup/cgroup.c, proc_cgroup_show). As long as another path is there, it is not.
    """

    paths: Mapping[str, str]
    text: bytes
    proves_life: bool
    file: Pin | None


class Identity:
    """Callers to containers, with a cache that a recycled number cannot deceive.

    A cached container is believed only while its init's pid still has the start time that it was
    found with: the kernel gives pids and namespace inodes out again, but it does not come round to
    the same pid within the hundredth of a second that a start time is exact to. On a real host its
    namespace is also held open, so that no other can get its inode.

    With ``hierarchies`` callers of one pid namespace are told apart by ``scope``. ``forget`` is
    called for each container that is given up: because it is gone, or because its namespace has
    had too many.
    """

    def __init__(
        self,
        host: Host,
        hierarchies: Hierarchies | None = None,
        forget: Callable[[Container], None] = lambda _: None,
    ) -> None:
        self._host = host
        self._hierarchies = hierarchies
        self._forget = forget
        self._own = host.pid_namespace("self")
        self._lock = threading.Lock()
        # By namespace, with what keeps its number from being given to another.
        self._known: dict[int, tuple[Container, Pin | None]] = {}
        # By namespace, the latest asked about last.
        self._scoped: dict[int, dict[Container, None]] = {}
        self._new = 0

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
        known = self._known.get(namespace)
        if known is None or (known[1] is None and not self.alive(known[0])):
            known = self._find(pid, namespace)
            with self._lock:
                replaced = self._known.get(namespace)
                self._known[namespace] = known
                self._new += 1
            if replaced is not None and replaced[0] != known[0]:
                self._forget(replaced[0])
        whole = known[0]
        return whole if self._hierarchies is None else self._scope(pid, whole, self._hierarchies)

    def _find(self, pid: int, namespace: int) -> tuple[Container, Pin | None]:
        init = self._host.namespace_init(pid, namespace)
        found = Container(namespace, init, self._host.starttime(init))
        pin = self._host.pin(f"proc/{init}/ns/pid")
        inode = self._host.pid_namespace(init) if pin is None else pin.inode()
        # Between two looks at the start time: all belong to one process, or we say so.
        if inode != namespace or not self.alive(found):
            raise SourceError(errno.ESRCH, f"init {init} of pid namespace {namespace} is gone")
        return found, pin

    def _scope(self, pid: int, whole: Container, hierarchies: Hierarchies) -> Container:
        """Return which container of a pid namespace a caller is in."""
        callers = self._host.cgroup_paths(pid, keep=False)
        # As for an init: who is ending is in the root of every v1 hierarchy, and a pid may have
        # become another's.
        process = self._host.process(pid, keep=False)
        if process.exiting or self._host.pid_namespace(pid) != whole.namespace:
            raise SourceError(errno.ESRCH, f"caller {pid} is gone")
        own = []
        for hierarchy, init in self.cgroup_paths(whole).items():
            path = scope(init, callers.get(hierarchy, init))
            if path != init and (place := hierarchies.within(hierarchy, path)) is not None:
                own.append(OwnCgroup(hierarchy, path, place.inode()))
        if not own:
            return whole
        found = Container(whole.namespace, whole.init, whole.starttime, tuple(own))
        self._remember(found)
        return found

    def _remember(self, container: Container) -> None:
        """File a container under its namespace as the latest, and give up the earliest."""
        with self._lock:
            scoped = self._scoped.setdefault(container.namespace, {})
            scoped.pop(container, None)
            scoped[container] = None
            given_up = list(scoped)[:-_MAX_SCOPES]
            for one in given_up:
                del scoped[one]
        for one in given_up:
            self._forget(one)

    def alive(self, container: Container) -> bool:
        """Return whether the container's init is still the process it was, and not ending.

        Its namespace was looked at when it was found; a process never changes its own. Cgroups of
        its own must still be there too: the init of a shared namespace outlives its neighbours.
        """
        try:
            process = self._host.process(container.init)
            if process.starttime != container.starttime or process.exiting:
                return False
            return all(self._is_there(own) for own in container.own)
        except SourceError:
            return False

    def inhabited(self, container: Container) -> bool:
        """Return whether a container had its cgroups all along, until now.

        The kernel removes no cgroup with processes in it: that of a living init, and those of
        a container that shares its init as long as anybody is in them.
        """
        return self.alive(container) and all(self._is_populated(own) for own in container.own)

    def _is_there(self, own: OwnCgroup) -> bool:
        place = self._place(own)
        return place is not None and place.inode() == own.inode

    def _is_populated(self, own: OwnCgroup) -> bool:
        place = self._place(own)
        try:
            return place is not None and place.populated()
        except SourceError:
            return False

    def _place(self, own: OwnCgroup) -> Place | None:
        if self._hierarchies is None:
            return None
        return self._hierarchies.within(own.hierarchy, own.path)

    @property
    def is_crowded(self) -> bool:
        """Whether so many were found since the last ``reap`` that it should be done again."""
        return self._new >= _MAX_NEW

    def reap(self) -> list[Container]:
        """Forget the containers that are gone, and return them."""
        with self._lock:
            self._new = 0
            known = [container for container, _ in self._known.values()]
            scoped = [container for some in self._scoped.values() for container in some]
        gone = [container for container in (*known, *scoped) if not self.alive(container)]
        with self._lock:
            for container in gone:
                namespace = container.namespace
                if (there := self._known.get(namespace)) is not None and there[0] == container:
                    del self._known[namespace]
                if (some := self._scoped.get(namespace)) is not None:
                    some.pop(container, None)
                    if not some:
                        del self._scoped[namespace]
        for container in gone:
            self._forget(container)
        return gone

    def is_at(self, container: Container, address: Address) -> bool:
        """Return whether a container is where it was located, and so had its cgroups until now."""
        if address.file is None:
            return self.inhabited(container)
        try:
            unmoved = address.file.read() == address.text
        except SourceError:
            return False
        return unmoved and (address.proves_life or self.alive(container))

    def cgroup_paths(self, container: Container) -> Mapping[str, str]:
        """Return the container's cgroup in each hierarchy. Raises as ``locate`` does."""
        return self.locate(container).paths

    def locate(self, container: Container) -> Address:
        """Return the container's cgroup in each hierarchy, read anew: managers move their inits.

        Raises ``SourceError`` (ESRCH) when they may not be the container's: an init that is ending
        is in the root of every v1 hierarchy, which is the host, and the pid of one that is gone
        may be anybody's. So init is looked at after its cgroups, which were read while it lived.
        """
        name = f"proc/{container.init}/cgroup"
        file = None if container.own else self._host.pin(name)
        text = self._host.read(name) if file is None else file.read()
        paths = shaped(self._host.path(name), text, parse.cgroup_paths)
        if not self.alive(container):
            raise SourceError(errno.ESRCH, f"the container of init {container.init} is gone")
        found = {name: path.removesuffix(_INIT_LEAF) or "/" for name, path in paths.items()}
        if container.own:
            # What is remembered of it is bounded by what is remembered here.
            self._remember(container)
            found.update((own.hierarchy, own.path) for own in container.own)
        proves_life = any(name and path != "/" for name, path in paths.items())
        return Address(found, text, proves_life, file)
