"""The three backends that the contract suite runs against.

Role: one fixture, three sides: the demo fleet, LXD, Incus. Boundary: makes an instance of its own
for each test. Threading: pytest's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.demo import DEVICES, DemoFleet
from lxtui.backend.lxd import LxdBackend
from lxtui.model import Instance, Kind, Ref
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab


@dataclass(frozen=True)
class Side:
    """A backend, and how to make an instance on it."""

    backend: Backend
    make: Callable[[bool], Ref]
    """Makes an instance; the argument says whether it runs."""
    settle: Callable[[Ref], object] = lambda _: None
    """Waits until what was started heeds a request to shut down: an init does from when it has set
    its handlers, and loses what came before."""


def _demo() -> Side:
    fleet = DemoFleet(tempo=0.0)
    fleet.add_host("here", Kind.LXD, "5.0.2")

    def make(running: bool) -> Ref:
        ref = Ref("here", "default", "one")
        status = "Running" if running else "Stopped"
        devices = DEVICES[Kind.LXD]
        born = fleet.clock()
        fleet.add_instance(
            Instance(ref, status, created_at=born, profiles=("default",), expanded_devices=devices)
        )
        return ref

    return Side(fleet.backend("here"), make)


@pytest.fixture(params=["demo", "lxd", "incus"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Each backend in turn."""
    if request.param == "demo":
        yield _demo()
        return
    host_name = {"lxd": "lxd1", "incus": "incus1"}[request.param]
    lab: Lab = request.getfixturevalue("lab")
    host = request.getfixturevalue(host_name)
    make_instance: MakeInstance = request.getfixturevalue("make_instance")
    known = remotes.load(lab.environment, Path("/nonexistent"))
    backend = LxdBackend(known.named(host_name))

    def make(running: bool) -> Ref:
        name = make_instance(host, {"limits.memory": "64MiB"}, start=running)
        return Ref(host_name, "default", name)

    yield Side(backend, make, lambda ref: host.wait_settled(ref.name))
    backend.close()
