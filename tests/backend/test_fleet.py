"""Many hosts as one snapshot: dead ones wait alone, and come back by themselves."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import remotes
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.backend.demo_scale import scaled_fleet
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import ChangeState
from lxtui.fleet import Fleet
from lxtui.host_worker import with_rates
from lxtui.model import Host, HostStatus, Instance, JobState, Kind, Ref, StateAction
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host as LabHost
from tests.lab.lab import Lab

ONE = Ref("a", "default", "one")


@contextmanager
def _running(fleet: Fleet) -> Iterator[None]:
    fleet.start(lambda: None)
    try:
        yield
    finally:
        fleet.close()


def _wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def _status(fleet: Fleet, name: str) -> HostStatus:
    host = fleet.snapshot.host(name)
    assert host is not None
    return host.status


def _demo() -> DemoFleet:
    demo = DemoFleet(tempo=0.0)
    for name in ("a", "b"):
        demo.add_host(name, Kind.LXD, "5.0.2")
    demo.add_instance(Instance(ONE, "Stopped", created_at=demo.clock()))
    return demo


def test_a_host_that_hangs_delays_nobody() -> None:
    """While one host does not answer at all, the others are online and commands on them run."""
    demo, release = _demo(), Flag()

    class Hanging(DemoBackend):
        def connect(self) -> Host:
            release.wait(30)
            return super().connect()

    fleet = Fleet([demo.backend("a"), Hanging(demo, "b")], poll_seconds=3600)
    with _running(fleet):
        _wait(lambda: _status(fleet, "a") is HostStatus.ONLINE)
        fleet.submit(ChangeState(ONE, StateAction.START))
        _wait(lambda: fleet.snapshot.jobs[0].state is JobState.DONE)
        assert _status(fleet, "b") is HostStatus.CONNECTING
        release.set()
        _wait(lambda: _status(fleet, "b") is HostStatus.ONLINE)


def test_a_host_that_dies_is_kept_and_comes_back() -> None:
    """Its instances stay as last seen while it is offline, and it is online again by itself."""
    demo = _demo()
    fleet = Fleet(demo.backends(), poll_seconds=0.1)
    with _running(fleet):
        _wait(lambda: fleet.snapshot.instance(ONE) is not None)
        demo.daemons["a"].alive = False
        _wait(lambda: _status(fleet, "a") is HostStatus.OFFLINE)
        assert fleet.snapshot.instance(ONE) is not None
        assert _status(fleet, "b") is HostStatus.ONLINE
        demo.daemons["a"].alive = True
        _wait(lambda: _status(fleet, "a") is HostStatus.ONLINE)


def test_an_event_is_seen_long_before_the_next_poll() -> None:
    """A change made by somebody else arrives by event."""
    demo = _demo()
    fleet = Fleet(demo.backends(), poll_seconds=3600)
    with _running(fleet):
        _wait(lambda: fleet.snapshot.instance(ONE) is not None)
        time.sleep(0.2)  # until the event stream listens
        demo.backend("a").set_config(ONE, {"user.x": "1"})

        def seen() -> bool:
            instance = fleet.snapshot.instance(ONE)
            return instance is not None and instance.config.get("user.x") == "1"

        _wait(seen)


@pytest.mark.expected_logs("lxtui.host_worker: worker of b")
def test_a_bug_in_a_backend_stays_with_its_host() -> None:
    """An exception that nobody foresaw marks its host offline, with a request to report it."""
    demo = _demo()

    class Broken(DemoBackend):
        def instances(self) -> tuple[Instance, ...]:
            raise ZeroDivisionError

    fleet = Fleet([demo.backend("a"), Broken(demo, "b")], poll_seconds=3600)
    with _running(fleet):
        _wait(lambda: _status(fleet, "b") is HostStatus.OFFLINE)
        host = fleet.snapshot.host("b")
        assert host is not None
        assert "please report it" in host.error
        _wait(lambda: _status(fleet, "a") is HostStatus.ONLINE)


def test_rates_come_from_two_samples() -> None:
    """CPU time between two samples is a share of one CPU; a counter that went back has none."""
    before = Instance(ONE, "Running", cpu_ns=1_000_000_000)
    after = replace(before, cpu_ns=4_000_000_000)
    (one,) = with_rates([before], [after], 2.0)
    assert one.cpu_percent == 150.0
    (restarted,) = with_rates([after], [before], 2.0)
    (unknown,) = with_rates([], [after], 2.0)
    assert (restarted.cpu_percent, unknown.cpu_percent) == (None, None)


def test_a_killed_daemon_is_noticed_and_found_again(
    lab: Lab, lxd1: LabHost, make_instance: MakeInstance
) -> None:
    """Kill -9 of a real daemon: its host is offline, its rows stay, and it comes back online."""
    name = make_instance(lxd1)
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    fleet = Fleet([LxdBackend(remote) for remote in known], poll_seconds=1)
    ref = Ref("lxd1", "default", name)
    with _running(fleet):
        _wait(lambda: fleet.snapshot.instance(ref) is not None)
        lxd1.stop(signal.SIGKILL)
        try:
            _wait(lambda: _status(fleet, "lxd1") is HostStatus.OFFLINE)
            assert fleet.snapshot.instance(ref) is not None
            assert _status(fleet, "incus1") is HostStatus.ONLINE
        finally:
            lxd1.start()
            lxd1.wait_ready()
        _wait(lambda: _status(fleet, "lxd1") is HostStatus.ONLINE, seconds=40)


def test_a_scaled_fleet_is_the_same_each_time_and_lives() -> None:
    """As many hosts and instances as asked for, named alike; events come by themselves."""
    moments = iter(range(1, 1000))
    began = datetime(2026, 11, 21, tzinfo=UTC)
    first = scaled_fleet(3, 20, 10.0, lambda: began + timedelta(seconds=next(moments)))
    second = scaled_fleet(3, 20, clock=lambda: began)
    refs = {ref for daemon in first.daemons.values() for ref in daemon.instances}
    assert len(refs) == 20
    assert refs == {ref for daemon in second.daemons.values() for ref in daemon.instances}
    daemon = first.daemons["host01"]
    for _ in range(50):
        first.backend("host01").instances()
    assert daemon.told > 50
    assert len(daemon.since(0)) == min(daemon.told, 1000)
    assert daemon.since(daemon.told - 2) == list(daemon.events)[-2:]
    assert daemon.since(daemon.told) == []
    assert second.daemons["host01"].told == 0
