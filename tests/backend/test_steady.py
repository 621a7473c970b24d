"""Hosts that die, hang, stop in the middle or come and go, beside one that is well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.backend.lxd import LxdBackend
from lxtui.fleet import Fleet
from lxtui.model import Event, Host, HostStatus, Instance, Kind, Operation, Ref
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab
from tests.lab.troubles import TROUBLES

WELL = Ref("well", "default", "one")
ILL = Ref("ill", "default", "two")


@contextmanager
def _running(backends: Sequence[Backend], poll_seconds: float = 3600) -> Iterator[Fleet]:
    fleet = Fleet(backends, poll_seconds=poll_seconds)
    fleet.start(lambda: None)
    try:
        yield fleet
    finally:
        fleet.close()


def _wait(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - began


def _host(fleet: Fleet, name: str) -> Host:
    host = fleet.snapshot.host(name)
    assert host is not None
    return host


def _follows(fleet: Fleet, ref: Ref, change: Callable[[str], None]) -> float:
    """Seconds until a change made there is in the snapshot."""
    mark = str(time.monotonic())
    change(mark)

    def seen() -> bool:
        one = fleet.snapshot.instance(ref)
        return one is not None and one.config.get("user.mark") == mark

    return _wait(seen)


def _mark(backend: Backend, mark: str) -> None:
    backend.set_config(WELL, {"user.mark": mark})


def _demo() -> DemoFleet:
    demo = DemoFleet(tempo=0.0)
    for ref in (WELL, ILL):
        demo.add_host(ref.host, Kind.LXD, "5.0.2")
        demo.add_instance(Instance(ref, "Stopped", created_at=demo.clock()))
    return demo


class Hanging(DemoBackend):
    """Answers until it hangs: then each call waits for minutes, or until the test ends."""

    def __init__(self, fleet: DemoFleet, name: str, method: str) -> None:
        super().__init__(fleet, name)
        self.hangs, self.release = Flag(), Flag()
        self._method = method
        self.asked = False

    def _hang(self, method: str) -> None:
        if self.hangs.is_set() and method == self._method:
            self.asked = True
            self.release.wait(300)

    def connect(self) -> Host:
        """As the demo."""
        self._hang("connect")
        return super().connect()

    def instances(self) -> tuple[Instance, ...]:
        """As the demo."""
        self._hang("instances")
        return super().instances()

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """As the demo."""
        self._hang("operations")
        return super().operations(project)

    def listen(self, on_event: Callable[[Event], None], stop: Flag) -> None:
        """As the demo."""
        self._hang("listen")
        super().listen(on_event, stop)


@pytest.mark.parametrize("method", ["connect", "instances", "operations", "listen"])
def test_a_call_that_hangs_for_minutes(method: str) -> None:
    """Whichever call hangs, before or after the first look: changes elsewhere go on being seen,
    what was seen of the host stays, and closing does not wait for it.
    """
    for late in (False, True):
        demo = _demo()
        ill = Hanging(demo, "ill", method)
        if not late:
            ill.hangs.set()
        try:
            with _running([demo.backend("well"), ill], 0.05) as fleet:
                _wait(lambda: fleet.snapshot.instance(WELL) is not None)
                if late:
                    _wait(lambda: fleet.snapshot.instance(ILL) is not None)
                    ill.hangs.set()
                for _ in range(5):
                    _follows(fleet, WELL, partial(_mark, demo.backend("well")))
                if late:
                    assert fleet.snapshot.instance(ILL) is not None
                began = time.monotonic()
            assert time.monotonic() - began < 30
        finally:
            ill.release.set()


def test_closing_waits_for_no_dead_host() -> None:
    """However many hosts hang in the middle of a request, the program ends within seconds."""
    demo, ill = DemoFleet(tempo=0.0), []
    for number in range(12):
        demo.add_host(f"h{number}", Kind.LXD, "5.0.2")
        ill.append(Hanging(demo, f"h{number}", "instances"))
        ill[-1].hangs.set()
    try:
        with _running(ill) as fleet:
            _wait(lambda: all(one.asked for one in ill))
            assert not any(host.online for host in fleet.snapshot.hosts)
            began = time.monotonic()
        assert time.monotonic() - began < 10
    finally:
        for one in ill:
            one.release.set()


def test_a_host_that_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is there and gone in quick turns: its rows and the moment at which it was seen
    stay, the other host's changes are seen as ever, and it is online when it has come to rest.
    """
    monkeypatch.setattr("lxtui.host_worker._BACKOFF", (0.05, 0.1))
    demo = _demo()
    well, over = demo.backend("well"), Flag()

    def flap() -> None:
        while not over.wait(0.1):
            demo.daemons["ill"].alive = not demo.daemons["ill"].alive

    with _running([well, demo.backend("ill")], 0.05) as fleet:
        _wait(lambda: fleet.snapshot.instance(ILL) is not None)
        thread = Thread(target=flap)
        thread.start()
        seen: set[HostStatus] = set()
        try:
            until = time.monotonic() + 3
            while time.monotonic() < until or len(seen) < 2:
                assert time.monotonic() < until + 20
                _follows(fleet, WELL, partial(_mark, well))
                seen.add(_host(fleet, "ill").status)
                assert fleet.snapshot.instance(ILL) is not None
                assert _host(fleet, "ill").seen_at is not None
        finally:
            over.set()
            thread.join()
        demo.daemons["ill"].alive = True
        _wait(lambda: _host(fleet, "ill").status is HostStatus.ONLINE)


def test_an_old_failure_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that fails now and then in a long day is found again as soon as after the first time:
    only failures one after the other make the intervals grow.
    """
    monkeypatch.setattr("lxtui.host_worker._BACKOFF", (0.05, 0.05, 3600.0))
    monkeypatch.setattr("lxtui.host_worker._SETTLED", 0.3)
    demo = _demo()
    with _running([demo.backend("ill")], 0.05) as fleet:
        for _ in range(4):
            _wait(lambda: _host(fleet, "ill").online)
            time.sleep(0.5)
            demo.daemons["ill"].alive = False
            _wait(lambda: _host(fleet, "ill").status is HostStatus.OFFLINE)
            demo.daemons["ill"].alive = True


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_daemon_in_trouble_delays_no_other(
    trouble: str, lab: Lab, make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one daemon is frozen, dead or cut off, changes on another are seen by its events as
    before; the rows of the one in trouble stay, with the moment at which they were true; it is
    found out and comes back by itself.
    """
    monkeypatch.setattr("lxtui.backend.rest.TIMEOUT", (2.0, 4.0))  # half a minute is the real one
    ill, well = lab.host("lxd2"), lab.host("incus1")
    refs = {
        one.name: Ref(one.name, "default", make_instance(one, start=False)) for one in (ill, well)
    }
    known = remotes.load(lab.environment, Path("/nonexistent"))
    asking = [LxdBackend(known.named(one.name)) for one in (ill, well)]
    other = LxdBackend(known.named(well.name))  # somebody else, who changes something there

    def change(mark: str) -> None:
        other.set_config(refs[well.name], {"user.mark": mark})

    with _running(asking, 2.0) as fleet:
        _wait(lambda: all(fleet.snapshot.instance(ref) is not None for ref in refs.values()))
        # The poll alone would do within 2 s: what is faster than that was an event.
        usual = sorted(_follows(fleet, refs[well.name], change) for _ in range(5))
        with TROUBLES[trouble](ill):
            took = sorted(_follows(fleet, refs[well.name], change) for _ in range(5))
            _wait(lambda: _host(fleet, ill.name).status is HostStatus.OFFLINE, 30)
            took += [_follows(fleet, refs[well.name], change) for _ in range(3)]
            assert fleet.snapshot.instance(refs[ill.name]) is not None
            assert _host(fleet, ill.name).seen_at is not None
            assert "no answer" in _host(fleet, ill.name).error
            print(
                f"{trouble}: usual {usual[2]:.2f} s, meanwhile {took[2]:.2f} to {max(took):.2f} s"
            )
        _wait(lambda: _host(fleet, ill.name).status is HostStatus.ONLINE, 60)
    other.close()
