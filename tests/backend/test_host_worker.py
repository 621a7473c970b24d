"""What an event says to have changed is asked for, and no more than that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.errors import OperationError
from lxtui.fleet import Fleet
from lxtui.host_worker import instances_of, merged
from lxtui.model import Event, Instance, Kind, Operation, Ref

ONE, TWO, THREE = (Ref("a", "default", name) for name in ("one", "two", "three"))


def _lifecycle(action: str, source: str, project: str = "default") -> Event:
    return Event("a", "lifecycle", action, source, project)


def _operation(status: str) -> Event:
    return Event("a", "operation", operation=Operation("1", "a", status=status))


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (_lifecycle("instance-started", "/1.0/instances/one"), {ONE}),
        (_lifecycle("instance-started", "/1.0/instances/one?project=default"), {ONE}),
        (_lifecycle("instance-snapshot-created", "/1.0/instances/one/snapshots/s"), {ONE}),
        (_lifecycle("container-updated", "/1.0/containers/one"), {ONE}),
        (_lifecycle("instance-started", "/1.0/instances/one", "p"), {ONE._replace(project="p")}),
        (_lifecycle("instance-renamed", "/1.0/instances/two"), None),
        (_lifecycle("profile-updated", "/1.0/profiles/default"), None),
        (_lifecycle("project-renamed", "/1.0/projects/p"), None),
        (_lifecycle("config-updated", "/1.0"), None),
        (_lifecycle("odd", "no path"), None),
        (_lifecycle("image-created", "/1.0/images/0123"), set()),
        (_lifecycle("storage-volume-created", "/1.0/storage-pools/p/volumes/custom/v"), set()),
        (_operation("Success"), set()),
        (_operation("Failure"), None),
    ],
)
def test_what_an_event_is_about(event: Event, named: set[Ref] | None) -> None:
    """Its source names one instance; whatever may touch others too is about everything."""
    assert instances_of(event) == named


def test_what_was_found_takes_its_place() -> None:
    """Changed ones keep their places and their rates, new ones come last, those gone are gone."""
    known = [Instance(ref, "Running", cpu_percent=7.0) for ref in (ONE, TWO)]
    changed, fresh = Instance(TWO, "Stopped"), Instance(THREE, "Running")
    assert merged(known, {ONE: None, TWO: changed, THREE: fresh}) == (
        replace(changed, cpu_percent=7.0),
        fresh,
    )
    assert merged(known, {}) == tuple(known)


class Counting(DemoBackend):
    """Notes what it is asked."""

    def __init__(self, fleet: DemoFleet, name: str) -> None:
        super().__init__(fleet, name)
        self.lists = 0
        self.singles: list[Ref] = []
        self.odd = False

    def instances(self) -> tuple[Instance, ...]:
        """Count it."""
        self.lists += 1
        return super().instances()

    def instance(self, ref: Ref) -> Instance:
        """Note it."""
        self.singles.append(ref)
        if self.odd:
            raise OperationError("a: it is in no state to be looked at")
        return super().instance(ref)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def followed() -> Iterator[tuple[Fleet, Counting]]:
    """A host of two instances whose worker has listed it and listens."""
    demo = DemoFleet(tempo=0.0)
    demo.add_host("a", Kind.LXD, "5.0.2")
    for ref in (ONE, TWO):
        demo.add_instance(Instance(ref, "Stopped", created_at=demo.clock()))
    backend = Counting(demo, "a")
    fleet = Fleet([backend], poll_seconds=3600)
    fleet.start(lambda: None)
    # The first look, and the second that makes the first rates.
    _wait(lambda: backend.lists == 2)
    yield fleet, backend
    fleet.close()


def _role(fleet: Fleet, ref: Ref) -> str:
    instance = fleet.snapshot.instance(ref)
    return "" if instance is None else instance.config.get("user.role", "")


def test_one_change_costs_one_question(followed: tuple[Fleet, Counting]) -> None:
    """An instance that somebody changes is asked for alone, one that is deleted goes."""
    fleet, backend = followed
    backend.set_config(ONE, {"user.role": "web"})
    _wait(lambda: _role(fleet, ONE) == "web")
    backend.wait(backend.delete_instance(TWO))
    _wait(lambda: fleet.snapshot.instance(TWO) is None)
    assert backend.lists == 2
    assert set(backend.singles) == {ONE, TWO}


def test_an_instance_that_cannot_be_asked_for_is_listed(followed: tuple[Fleet, Counting]) -> None:
    """A daemon that refuses to say one thing alone is asked for the list; it stays online."""
    fleet, backend = followed
    backend.odd = True
    backend.set_config(ONE, {"user.role": "db"})
    _wait(lambda: _role(fleet, ONE) == "db")
    assert backend.lists == 3
    assert fleet.snapshot.hosts[0].online


def test_many_changes_are_one_list(followed: tuple[Fleet, Counting]) -> None:
    """A burst about more instances than are worth a question each is answered by a list."""
    fleet, backend = followed
    refs = [Ref("a", "default", f"i{number}") for number in range(12)]
    for ref in refs:
        backend._fleet.add_instance(Instance(ref, "Stopped", created_at=backend._fleet.clock()))
    for ref in refs:
        backend.set_config(ref, {"user.role": "x"})
    _wait(lambda: all(_role(fleet, ref) == "x" for ref in refs))
    assert len(backend.singles) < len(refs)
