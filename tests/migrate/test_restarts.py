"""A daemon that is away for a moment while the copy proves itself: the move waits and goes on.

The demo fleet gives the state; real daemons are in the second half.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import (
    HostUnreachableError,
    InterruptedByUserError,
    LxtuiError,
    OperationError,
    OperationLostError,
)
from lxtui.migrate import MARK, ends
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.prepare import prepare
from lxtui.model import Progress, Ref, StateAction
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.migrate.broken import never_two
from tests.migrate.test_mover import SOURCE, Stage, Trapped

SILENT = HostUnreachableError("b: no answer")


@pytest.fixture
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons of the demo need no minute to come back."""
    for name in ("PATIENCE", "LINGER"):
        monkeypatch.setattr(ends, name, 0.5)
    monkeypatch.setattr(ends, "_PAUSE", 0.01)


pytestmark = pytest.mark.usefixtures("_little_patience")


@pytest.mark.parametrize("trap", ["b:instance", "b:start"])
@pytest.mark.parametrize("error", [SILENT, OperationLostError("b: lost track")])
def test_a_daemon_that_comes_back_lets_the_move_go_on(trap: str, error: LxtuiError) -> None:
    """A target that is silent once in verify or start does not end the move, which says so."""
    stage = Stage()
    stage.traps[trap] = error
    stage.move(MoveOptions(check="true"))
    assert stage.where() == {"b": "Running"}
    assert any(f"{error}; it is asked again" in one.text for one in stage.progress)


@pytest.mark.parametrize("error", [SILENT, OperationLostError("b: lost track")])
def test_a_start_whose_answer_is_lost_is_not_made_twice(error: LxtuiError) -> None:
    """When the target was started although nobody heard of it, it is not started again."""
    stage = Stage()

    def lose_the_answer(call: str, _ref: Ref | None) -> None:
        before = len(stage.calls)
        stage.calls.append(call)
        if call == "b:waited" and stage.calls[before - 1] == "b:start":
            raise error

    plan = prepare(stage.a, stage.b, SOURCE)
    target = Trapped(stage.fleet, "b", lose_the_answer)
    stage.run(plan, stage.a, target, stage.progress.append)
    assert stage.where() == {"b": "Running"}
    assert stage.calls.count("b:start") == 1


def test_the_source_is_looked_at_before_each_start() -> None:
    """A source that somebody starts while the target is silent keeps the target from starting."""
    stage = Stage()
    stage.traps["b:start"] = SILENT
    plan = prepare(stage.a, stage.b, SOURCE)

    def start_the_source(progress: Progress) -> None:
        if "asked again" in progress.text:
            backend = stage.fleet.backend("a")
            backend.wait(backend.change_state(SOURCE, StateAction.START))

    with pytest.raises(LxtuiError, match="a:web1 was started by somebody else meanwhile"):
        stage.run(plan, stage.a, stage.b, start_the_source)
    assert stage.where() == {"a": "Running"}
    assert stage.calls.count("b:start") == 1


def test_a_daemon_that_stays_away_ends_the_move() -> None:
    """After the time that a restart takes everything is put back, as for any other failure."""
    stage = Stage()

    def silent(call: str, _ref: Ref | None) -> None:
        if call == "a:instance" and any("compared" in one.text for one in stage.progress):
            if any("rolling back" in one.text for one in stage.progress):
                return
            raise HostUnreachableError("a: no answer")

    plan = prepare(stage.a, stage.b, SOURCE)
    source = Trapped(stage.fleet, "a", silent)
    with pytest.raises(LxtuiError, match="a: no answer; a:web1 runs where it was"):
        stage.run(plan, source, stage.b, stage.progress.append)
    assert stage.where() == {"a": "Running"}


def test_a_request_to_stop_ends_the_waiting() -> None:
    """Nobody has to wait for a silent daemon: Ctrl-C rolls back at the next look."""
    stage = Stage()
    stage.traps["b:instance"] = SILENT
    plan = prepare(stage.a, stage.b, SOURCE)

    def stop(progress: Progress) -> None:
        if "asked again" in progress.text:
            stage.stop.set()

    with pytest.raises(InterruptedByUserError, match="runs where it was"):
        stage.run(plan, stage.a, stage.b, stop)
    assert stage.where() == {"a": "Running"}


@pytest.mark.parametrize(
    ("which", "moment"), [("incus1", "are compared"), ("lxd1", "is started"), ("incus1", "inside")]
)
def test_a_killed_daemon_does_not_end_a_move_that_is_nearly_done(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    moment: str,
) -> None:
    """SIGKILL for a daemon in verify, start or check: it comes back, and the container moves."""
    monkeypatch.setattr(ends, "PATIENCE", 60.0)
    monkeypatch.setattr(ends, "LINGER", 5.0)
    name = make_instance(lab.host("lxd1"))
    restarts: list[Thread] = []

    def kill(progress: Progress) -> None:
        if moment in progress.text and not restarts:
            lab.host(which).stop(signal.SIGKILL)
            restarts.append(Thread(target=_up, args=(lab.host(which),)))
            restarts[0].start()

    command = Move(Ref("lxd1", "default", name), "incus1", MoveOptions(check="true"))
    try:
        with never_two(name):
            perform(command, backends, kill, Flag(), tmp_path)
    finally:
        for thread in restarts:
            thread.join()
        for host in lab.hosts:
            host.wait_ready()
    assert restarts, f"{moment!r} never came"
    assert lab.host("incus1").status(name) == "Running"
    assert lab.host("lxd1").status(name) is None


def _up(host: Host) -> None:
    host.start()


def test_a_source_too_busy_to_be_changed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while the mark of a copy that was given up cannot be taken off; not for ever."""
    stage = Stage()
    refusals = 3

    class Busy(Trapped):
        def set_config(
            self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = ""
        ) -> None:
            nonlocal refusals
            if refusals and MARK in changes and changes[MARK] is None:
                refusals -= 1
                raise OperationError('a: Instance is busy running a "migrate" operation')
            super().set_config(ref, changes, unless=unless)

    source = Busy(stage.fleet, "a", lambda *_: None)
    source.set_config(SOURCE, {MARK: "token"})
    ends.release(source, SOURCE, "token", None)
    assert (refusals, MARK in source.instance(SOURCE).config) == (0, False)
    source.set_config(SOURCE, {MARK: "token"})
    refusals = 10**9
    monkeypatch.setattr(ends, "_BUSY_SECONDS", 0.05)
    with pytest.raises(OperationError, match="busy"):
        ends.release(source, SOURCE, "token", None)
