"""A simulated daemon as the routes of demo_rest see it.

Role: the few things a route may do, each said in the daemon's terms. Boundary: see demo_asked.py,
whose protocol this is. Threading: made for one request, with the fleet's lock held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxtui import api
from lxtui.backend.demo_daemon import DemoDaemon
from lxtui.model import Instance, Operation, Ref


class Seat:
    """One daemon, for one request."""

    def __init__(self, daemon: DemoDaemon) -> None:
        self._daemon = daemon
        self.name = daemon.name
        self.now = daemon.shared.clock()
        self.profiles = daemon.profiles
        self.pools = daemon.pools
        self.documents = daemon.documents
        self.kind = daemon.host.kind
        self.networks = daemon.networks

    def operations(self) -> tuple[tuple[str, Operation], ...]:
        """What it works at, each with its project."""
        tasks = [one for one in self._daemon.tasks.values() if not one.settled]
        return tuple((one.project, self._daemon.seen(one)) for one in tasks)

    def cancel(self, operation: str) -> None:
        """Give an operation up."""
        self._daemon.cancel(operation)

    def tell(self, action: str, path: api.Path, project: str) -> None:
        """Tell the listeners."""
        self._daemon.happened_at(action, path, project)

    def at(self, address: str) -> Mapping[api.Path, dict[str, Any]]:
        """What another daemon of the fleet keeps."""
        others = self._daemon.shared.daemons.values()
        found = (one for one in others if address in one.host.addresses and one.alive)
        return next((one.documents for one in found), {})

    def instance(self, ref: Ref) -> Instance:
        """One of its instances."""
        return self._daemon.find(ref)

    def instances(self) -> tuple[Instance, ...]:
        """All of them, measured now."""
        return tuple(map(self._daemon.measured, self._daemon.instances.values()))

    def load(self, ref: Ref) -> float:
        """The share of one CPU that it uses."""
        return self._daemon.load.get(ref, 0.0)

    def put(self, instance: Instance) -> None:
        """Keep it as it is now."""
        self._daemon.put(instance)

    def rename(self, ref: Ref, name: str) -> Operation:
        """Give one of its instances another name."""
        return self._daemon.rename(ref, name)

    def begin(
        self, description: str, ref: Ref, seconds: float, effect: Callable[[], None]
    ) -> Operation:
        """An operation that takes a while."""
        return self._daemon.begin(description, ref, seconds, effect)
