"""The mover's way back, with a fleet that fails where it is told to.

The demo fleet gives the state; real daemons are in test_lab_moves.py.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.base import Backend, OnProgress
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.errors import (
    HostUnreachableError,
    InterruptedByUserError,
    LxtuiError,
    OperationError,
)
from lxtui.migrate import MARK, ends
from lxtui.migrate.compared import differences
from lxtui.migrate.mover import Mover, Report
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.plan import MovePlan
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.report import MoveReport
from lxtui.model import (
    Host,
    Instance,
    InstanceSpec,
    Kind,
    MigrationOffer,
    Operation,
    Progress,
    Ref,
    Snapshot,
    StateAction,
)

SOURCE = Ref("a", "default", "web1")
TARGET = SOURCE._replace(host="b")
STEPS = ("a:stop", "b:accept", "b:start", "b:instance")
Trap = Callable[[str, Ref | None], None]


class Trapped(DemoBackend):
    """A demo backend that asks a trap before each call that changes something."""

    def __init__(self, fleet: DemoFleet, name: str, trap: Trap) -> None:
        super().__init__(fleet, name)
        self._trap = trap
        self._label = name

    def change_state(
        self, ref: Ref, action: StateAction, *, force: bool = False, timeout: int = 30
    ) -> Operation:
        """Trap, then do."""
        self._trap(f"{self._label}:{action}", ref)
        return super().change_state(ref, action, force=force, timeout=timeout)

    def accept(self, spec: InstanceSpec, offer: MigrationOffer, url: str) -> Operation:
        """Trap, then do."""
        self._trap(f"{self._label}:accept", spec.ref)
        return super().accept(spec, offer, url)

    def delete_instance(self, ref: Ref) -> Operation:
        """Trap, then do."""
        self._trap(f"{self._label}:delete", ref)
        return super().delete_instance(ref)

    def instance(self, ref: Ref) -> Instance:
        """Trap, then do."""
        self._trap(f"{self._label}:instance", ref)
        return super().instance(ref)

    def connect(self) -> Host:
        """Trap, then do."""
        self._trap(f"{self._label}:connect", None)
        return super().connect()

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Trap, then do."""
        super().wait(operation, on_progress)
        self._trap(f"{self._label}:waited", None)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons of the demo need no minute to come back."""
    monkeypatch.setattr(ends, "PATIENCE", 0.3)
    monkeypatch.setattr(ends, "LINGER", 0.3)


class Stage:
    """Two demo hosts, one instance, a log of calls, and traps that fire once."""

    def __init__(self, *, running: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lxtui-moves-"))
        weakref.finalize(self, shutil.rmtree, self.folder)
        self.fleet = DemoFleet(tempo=0.0)
        self.fleet.add_host("a", Kind.LXD, "5.0.2")
        self.fleet.add_host("b", Kind.LXD, "5.0.2")
        self.fleet.add_instance(
            Instance(
                SOURCE,
                "Running" if running else "Stopped",
                architecture="x86_64",
                created_at=self.fleet.clock(),
                profiles=("default",),
                config={"user.mine": "kept"},
                snapshots=(Snapshot("daily"),),
            )
        )
        self.traps: dict[str, LxtuiError | BaseException] = {}
        self.calls: list[str] = []
        self.a = Trapped(self.fleet, "a", self._spring)
        self.b = Trapped(self.fleet, "b", self._spring)
        self.stop = Flag()
        self.progress: list[Progress] = []

    def _spring(self, call: str, _ref: Ref | None) -> None:
        self.calls.append(call)
        trap = self.traps.pop(call, None)
        if trap is not None:
            raise trap

    def move(self, options: MoveOptions | None = None) -> MoveReport:
        """Plan without traps, then move with them."""
        traps, self.traps = self.traps, {}
        plan = prepare(self.a, self.b, SOURCE, options)
        self.traps = traps
        return self.run(plan, self.a, self.b, self.progress.append)

    def run(
        self,
        plan: MovePlan,
        source: Backend,
        target: Backend,
        report: Report,
        stop: Flag | None = None,
    ) -> MoveReport:
        """Make a move with a journal of its own."""
        with closing(begin(plan, self.folder)) as journal:
            return Mover(plan, source, target, report, stop or self.stop, journal).run()

    def where(self) -> dict[str, str]:
        """Each host's state of the instance."""
        found = {}
        for name, daemon in self.fleet.daemons.items():
            for ref, instance in daemon.instances.items():
                if ref.name == SOURCE.name:
                    found[name] = instance.status
        return found


@pytest.mark.parametrize("running", [True, False])
def test_a_move_ends_on_the_target_alone(running: bool) -> None:
    """After a move the instance is on the target only, in its old state and without our mark."""
    stage = Stage(running=running)
    report = stage.move()
    assert stage.where() == {"b": "Running" if running else "Stopped"}
    assert report.destination == TARGET
    assert (report.downtime_seconds is not None) is running
    assert dict(stage.b.instance(TARGET).config) == {"user.mine": "kept"}


def test_the_source_is_deleted_last() -> None:
    """The deletion of the source comes after the target's start and the look at its state."""
    stage = Stage()
    stage.move()
    calls = stage.calls
    started, deleted = calls.index("b:start"), calls.index("a:delete")
    assert started < deleted
    # In between the target is seen to run, and then the source to lie still, unchanged.
    assert [call for call in calls[started:deleted] if call.endswith(":instance")] == [
        "b:instance",
        "b:instance",
        "a:instance",
        "a:instance",
    ]


@pytest.mark.parametrize(
    ("trap", "error"),
    [
        *((trap, OperationError("it broke")) for trap in STEPS),
        *((trap, KeyboardInterrupt()) for trap in STEPS),
        *((trap, HostUnreachableError("gone")) for trap in ("a:stop", "b:accept")),
    ],
)
def test_any_failure_before_the_end_is_taken_back(trap: str, error: BaseException) -> None:
    """Whatever fails before the source is deleted, the source runs and the target is empty."""
    stage = Stage()
    stage.traps[trap] = error
    with pytest.raises(LxtuiError, match="a:web1 runs where it was, nothing is left on b"):
        stage.move()
    assert stage.where() == {"a": "Running"}


def test_a_refused_copy_is_taken_back() -> None:
    """When the name was taken after the plan was made, the other's instance is not touched."""
    stage = Stage()
    plan = prepare(stage.a, stage.b, SOURCE)
    stage.fleet.add_instance(Instance(TARGET, "Running", created_at=stage.fleet.clock()))
    with pytest.raises(LxtuiError, match="already exists"):
        stage.run(plan, stage.a, stage.b, stage.progress.append)
    assert stage.where() == {"a": "Running", "b": "Running"}
    assert MARK not in stage.b.instance(TARGET).config


def test_two_never_run() -> None:
    """When the started target cannot be removed, the source stays stopped and both are named."""
    stage = Stage()
    stage.fleet.tempo = 0.0

    def fail_after_start(call: str, _ref: Ref | None) -> None:
        stage.calls.append(call)
        if "b:start" in stage.calls and call in {"b:instance", "b:stop"}:
            raise HostUnreachableError("b: no answer")

    plan = prepare(stage.a, stage.b, SOURCE)
    target = Trapped(stage.fleet, "b", fail_after_start)
    source = Trapped(stage.fleet, "a", fail_after_start)
    with pytest.raises(LxtuiError, match=r"a:web1 stays stopped, as b:web1 may run"):
        stage.run(plan, source, target, stage.progress.append)
    assert stage.where() == {"a": "Stopped", "b": "Running"}


def test_a_source_that_cannot_be_deleted_is_said() -> None:
    """After the target is verified nothing is taken back: the error says what is left where."""
    stage = Stage()
    stage.traps["a:delete"] = HostUnreachableError("a: no answer")
    with pytest.raises(LxtuiError, match=r"b:web1 is complete and runs, but the stopped a:web1"):
        stage.move()
    assert stage.where() == {"a": "Stopped", "b": "Running"}


def test_a_second_mover_is_kept_away() -> None:
    """Two moves of one instance: the second touches nothing, the first ends well."""
    stage = Stage()
    first = prepare(stage.a, stage.b, SOURCE)
    second = prepare(stage.a, stage.b, SOURCE)
    messages: list[str] = []

    def move_again(progress: Progress) -> None:
        if "pulls" in progress.text and not messages:
            with pytest.raises(LxtuiError) as caught:
                stage.run(second, stage.a, stage.b, lambda _: None, Flag())
            messages.append(str(caught.value))

    stage.run(first, stage.a, stage.b, move_again)
    assert "which it was not when the move was planned" in messages[0]
    assert "nothing was changed" in messages[0]
    assert stage.where() == {"b": "Running"}


def test_a_marked_source_is_refused() -> None:
    """A mark set between plan and start keeps the mover away, and stays; so it is planned too."""
    stage = Stage(running=False)
    plan = prepare(stage.a, stage.b, SOURCE)
    stage.a.set_config(SOURCE, {MARK: "another"})
    with pytest.raises(LxtuiError, match="somebody else is at it"):
        stage.run(plan, stage.a, stage.b, stage.progress.append)
    assert stage.where() == {"a": "Stopped"}
    assert stage.a.instance(SOURCE).config[MARK] == "another"
    with pytest.raises(LxtuiError, match="is being moved already"):
        stage.move()


def test_a_source_that_somebody_starts_is_not_deleted() -> None:
    """A source started during the copy stays, and the copy goes: the source has newer data."""
    stage = Stage(running=False)

    def start_it(progress: Progress) -> None:
        if progress.text.startswith("copying") and stage.where().get("a") == "Stopped":
            backend = stage.fleet.backend("a")
            backend.wait(backend.change_state(SOURCE, StateAction.START))

    plan = prepare(stage.a, stage.b, SOURCE)
    with pytest.raises(LxtuiError, match="was started by somebody else meanwhile"):
        stage.run(plan, stage.a, stage.b, start_it)
    assert stage.where() == {"a": "Running"}
    assert MARK not in stage.a.instance(SOURCE).config


def test_a_claim_whose_answer_is_lost_is_taken_back() -> None:
    """A mark that was set although the answer never came does not stay on the source."""
    stage = Stage()

    class Lossy(DemoBackend):
        def set_config(
            self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = ""
        ) -> None:
            super().set_config(ref, changes, unless=unless)
            if changes.get(MARK):
                raise HostUnreachableError("a: no answer")

    plan = prepare(stage.a, stage.b, SOURCE)
    source = Lossy(stage.fleet, "a")
    with pytest.raises(LxtuiError, match="a: no answer; nothing was changed"):
        stage.run(plan, source, stage.b, stage.progress.append)
    assert stage.where() == {"a": "Running"}
    assert dict(stage.a.instance(SOURCE).config) == {"user.mine": "kept"}


def test_autostart_sleeps_while_the_move_runs() -> None:
    """The source cannot start by itself beside its copy; the copy has the original setting."""
    stage = Stage()
    stage.a.set_config(SOURCE, {"boot.autostart": "true"})
    seen: list[str | None] = []

    def look(progress: Progress) -> None:
        if "compared" in progress.text:
            seen.append(stage.fleet.backend("a").instance(SOURCE).config.get("boot.autostart"))

    plan = prepare(stage.a, stage.b, SOURCE)
    stage.run(plan, stage.a, stage.b, look)
    assert seen == ["false"]
    assert stage.b.instance(TARGET).config["boot.autostart"] == "true"


def test_a_roll_back_gives_the_configuration_back() -> None:
    """After a roll-back the source has every key that it had, and none more."""
    stage = Stage()
    stage.a.set_config(SOURCE, {"boot.autostart": "true"})
    before = dict(stage.a.instance(SOURCE).config)
    stage.traps["b:accept"] = OperationError("it broke")
    with pytest.raises(LxtuiError, match="runs where it was"):
        stage.move()
    assert dict(stage.a.instance(SOURCE).config) == before


def test_a_host_that_comes_back_is_waited_for() -> None:
    """A roll-back asks a silent host again: a daemon's restart takes a moment."""
    stage = Stage()
    stage.traps["b:accept"] = OperationError("it broke")
    stage.traps["a:start"] = HostUnreachableError("a: no answer")
    with pytest.raises(LxtuiError, match="a:web1 runs where it was"):
        stage.move()
    assert stage.where() == {"a": "Running"}


def test_a_late_stop_is_noticed() -> None:
    """A source that stops after the time was over is started again."""
    stage = Stage()
    stage.a.set_config(SOURCE, {"user.demo.stubborn": "true"})
    backend = stage.fleet.backend("a")

    def stop_late(progress: Progress) -> None:
        if progress.text.startswith("rolling back: start"):
            backend.wait(backend.change_state(SOURCE, StateAction.STOP, force=True))

    plan = prepare(stage.a, stage.b, SOURCE)
    with pytest.raises(LxtuiError, match="did not stop within"):
        stage.run(plan, stage.a, stage.b, stop_late)
    assert stage.where() == {"a": "Running"}


def test_differences_do_not_show_values() -> None:
    """What differs is named without its value, which may be a secret."""
    stage = Stage()
    plan = prepare(stage.a, stage.b, SOURCE)
    config = {"environment.PASSWORD": "hunter2", MARK: plan.token}
    changed = replace(stage.a.instance(SOURCE), ref=TARGET, config=config)
    text = "; ".join(differences(plan, changed))
    assert "environment.PASSWORD" in text
    assert "hunter2" not in text + repr(changed) + repr(plan)


def test_a_stop_request_rolls_back() -> None:
    """A request to stop is obeyed at the next safe point, and everything is put back."""
    stage = Stage()
    stage.fleet.tempo = 0.2
    plan = prepare(stage.a, stage.b, SOURCE)

    def stop_while_copying(progress: Progress) -> None:
        if progress.text.startswith("copying"):
            stage.stop.set()

    with pytest.raises(InterruptedByUserError, match="stopped on request"):
        stage.run(plan, stage.a, stage.b, stop_while_copying)
    assert stage.where() == {"a": "Running"}


def test_blockers_are_refused_before_anything_is_touched() -> None:
    """A plan with a blocker is not run: no call that changes anything is made."""
    stage = Stage()
    stage.fleet.add_instance(Instance(TARGET, "Stopped"))
    with pytest.raises(LxtuiError, match="has an instance named web1 already"):
        stage.move()
    assert not {"a:stop", "b:accept", "a:delete"} & set(stage.calls)
    assert stage.where() == {"a": "Running", "b": "Stopped"}


def test_an_instance_that_does_not_stop_stays() -> None:
    """A source that ignores the shutdown goes on running, and the error names force."""
    stage = Stage()
    stage.a.set_config(SOURCE, {"user.demo.stubborn": "true"})
    with pytest.raises(LxtuiError, match="move it with force"):
        stage.move()
    assert stage.where() == {"a": "Running"}
