"""Moves with running state: when they are planned, and the way back, on a fleet that plays CRIU.

Real daemons and a real CRIU are in test_lab_live.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lxtui.errors import LxtuiError, OperationError
from lxtui.migrate import AUTOSTART, MARK, live
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import Mode, MoveOptions, Transport, Verify
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.migrate.preflight import check
from lxtui.migrate.prepare import prepare
from lxtui.model import Host, InstanceSpec, Kind, MigrationOffer, Operation
from tests.migrate.test_findings import _facts
from tests.migrate.test_mover import SOURCE, TARGET, Stage, Trapped, little_patience

__all__ = ["little_patience"]

FOR_CRIU = {
    "migration.stateful": "true",
    "security.privileged": "true",
    "raw.lxc": "lxc.log.level = info\nlxc.console.path=none",
}
LIVE = MoveOptions(mode=Mode.LIVE)
STATEFUL = frozenset({"container_migration_stateful", "container_incremental_copy"})


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's daemons are settled at once."""
    monkeypatch.setattr(live, "_PAUSE", 0.0)
    monkeypatch.setattr(live, "_SECONDS", 0.3)


def _live(
    kind: Kind = Kind.INCUS,
    versions: tuple[str, str] = ("6.0.4", "6.0.4"),
    config: dict[str, str] | None = None,
    refusal: str | None = "",
    target: dict[str, Any] | None = None,
    **options: Any,
) -> MoveFacts:
    settings = FOR_CRIU if config is None else config
    facts = _facts(mode=Mode.LIVE, config=settings, **options)
    here, there = (
        Host(name, kind, f"https://{name}", version=version, api_extensions=STATEFUL)
        for name, version in zip("ab", versions, strict=True)
    )
    return replace(
        facts,
        source=replace(here, addresses=("a:8443",)),
        target=replace(there, architectures=("x86_64",), **(target or {})),
        live_refusal=refusal,
    )


def _without(key: str) -> dict[str, str]:
    return {name: value for name, value in FOR_CRIU.items() if name != key}


REASONS = [
    pytest.param(
        _live(refusal="a: CRIU isn't installed"), "a: CRIU .*; install criu on a", id="criu"
    ),
    pytest.param(_live(target={"kind": Kind.LXD}), "a runs incus, b lxd", id="kinds"),
    pytest.param(
        _live(Kind.LXD, ("5.0.2", "6.6")), "b runs LXD 6.6: 6.6 has removed CRIU", id="target 6.6"
    ),
    pytest.param(
        _live(Kind.LXD, ("6.9", "5.0.2")), "a runs LXD 6.9: 6.6 has removed CRIU", id="source 6.9"
    ),
    pytest.param(
        _live(Kind.LXD, ("6.5", "5.0.2")), "LXD saves a container with its console", id="lxd"
    ),
    pytest.param(
        _live(config=_without("migration.stateful")),
        "migration.stateful is not set on it; set it: 'incus config set a:web1 migration.stateful",
        id="stateful",
    ),
    pytest.param(
        _live(config=_without("raw.lxc")),
        "it has a console.*'incus config set a:web1 raw.lxc lxc.console.path=none', and restart it",
        id="console",
    ),
    pytest.param(
        _live(config={**FOR_CRIU, "raw.lxc": "# lxc.console.path=none"}),
        "it has a console",
        id="console in a comment",
    ),
    pytest.param(_live(config=_without("security.privileged")), "unprivileged", id="unprivileged"),
    pytest.param(
        _live(config={**FOR_CRIU, "boot.autorestart": "true"}), "boot.autorestart", id="autorestart"
    ),
    pytest.param(_live(name="web2"), "only go to the same project and name", id="name"),
    pytest.param(_live(project="other"), "same project and name", id="project"),
    pytest.param(_live(verify=Verify.FILES), "--verify=files compares two that lie", id="verify"),
]


@pytest.mark.parametrize(("facts", "reason"), REASONS)
def test_each_condition_that_is_not_met_is_said(facts: MoveFacts, reason: str) -> None:
    """One condition that is not met makes the move near-live, and is the only reason given."""
    plan = plan_move(facts, "token")
    said = [str(one) for one in check(facts) if "cannot be moved live" in one.text]
    assert len(said) == 1
    assert re.search(f"near-live is planned instead: .*{reason}", said[0]), said
    kinds = [step.kind for step in plan.steps]
    assert StepKind.REFRESH in kinds
    assert StepKind.LIVE not in kinds
    assert not plan.spec.live


def test_a_live_plan() -> None:
    """Where all is met the copy goes with its running state, and is neither stopped nor started."""
    plan = plan_move(_live(), "token")
    assert [step.kind for step in plan.steps] == [
        StepKind.CLAIM,
        StepKind.LIVE,
        StepKind.VERIFY,
        StepKind.DELETE,
        StepKind.FINISH,
    ]
    assert plan.spec.live
    step = plan.steps[1]
    assert "with its running state" in step.text
    assert step.undo == ("b:web1 is deleted; a:web1 runs on, or is started again if it has ended")
    assert plan.commands == ("incus move a:web1 b:web1",)
    warnings = [one.text for one in plan.findings if one.level is Level.WARNING]
    assert any("may be unable to bring the running state back" in one for one in warnings)
    checked = plan_move(_live(check="true"), "token")
    assert StepKind.CHECK in [one.kind for one in checked.steps]


def test_a_host_that_was_not_asked_makes_no_live_plan() -> None:
    """Without the source's own word there is no live move."""
    assert not plan_move(_live(refusal=None), "token").spec.live


@pytest.mark.parametrize("went", [True, False])
def test_a_move_goes_on_as_it_was_begun(went: bool) -> None:
    """After a crash the journal decides, whatever the hosts would say by now."""
    facts = replace(_live(refusal=None if went else ""), went_live=went)
    assert plan_move(facts, "token").spec.live is went


class Broken(Trapped):
    """A target that breaks while it brings the running state back."""

    how = ""

    def accept(self, spec: InstanceSpec, offer: MigrationOffer, url: str) -> Operation:
        """End the copy otherwise than asked."""
        operation = super().accept(spec, offer, url)
        if spec.live and self.how:
            daemons = self._fleet.daemons
            task = daemons["b"].tasks[operation.id]
            effect = task.effect

            def broken() -> None:
                if self.how == "fails":
                    raise OperationError("snapshot restore failed")
                effect()
                lost = daemons["a" if self.how == "doubles" else "b"].instances
                ref = SOURCE if self.how == "doubles" else TARGET
                status = "Running" if self.how == "doubles" else "Stopped"
                lost[ref] = replace(lost[ref], status=status)

            task.effect = broken
        return operation


def _stage(how: str = "") -> Stage:
    stage = Stage()
    stage.fleet.daemons.clear()
    for name in "ab":
        stage.fleet.add_host(name, Kind.INCUS, "6.0.4")
        stage.fleet.daemons[name].criu = True
    config = {**FOR_CRIU, "user.mine": "kept", AUTOSTART: "true"}
    original = _live().instance
    stage.fleet.add_instance(
        replace(original, config=config, expanded_config=config, devices={}, expanded_devices={})
    )
    stage.b = Broken(stage.fleet, "b", stage._spring)
    stage.b.how = how
    return stage


def _config(stage: Stage) -> dict[str, str]:
    return dict(stage.fleet.daemons["a"].instances[SOURCE].config)


def test_a_live_move_ends_on_the_target_alone() -> None:
    """It runs at the target, without a start, and nothing is left of the source."""
    stage = _stage()
    report = stage.move(LIVE)
    assert stage.where() == {"b": "Running"}
    assert report.running
    assert not {"a:stop", "b:start"} & {*stage.calls}
    config = stage.fleet.daemons["b"].instances[TARGET].config
    assert config == {**FOR_CRIU, "user.mine": "kept", AUTOSTART: "true"}


def test_a_restore_that_is_only_said_to_have_worked_is_taken_back() -> None:
    """A target that does not run is not believed: the source is started, the copy removed."""
    stage = _stage("lies")
    with pytest.raises(LxtuiError) as caught:
        stage.move(LIVE)
    said = str(caught.value)
    assert "b:web1 does not run, although b has said" in said
    assert "its running state is lost, it was started anew" in said
    assert "'lxtui move a:web1 b --mode near-live'" in said
    assert stage.where() == {"a": "Running"}
    assert _config(stage) == {**FOR_CRIU, "user.mine": "kept", AUTOSTART: "true"}


def test_a_restore_that_fails_leaves_the_source_as_it_is() -> None:
    """Where the target says that it cannot, the source was never ended, and is not started."""
    stage = _stage("fails")
    with pytest.raises(LxtuiError, match="snapshot restore failed") as caught:
        stage.move(LIVE)
    assert "started anew" not in str(caught.value)
    assert "a:web1 runs where it was, nothing is left on b" in str(caught.value)
    assert "a:start" not in stage.calls
    assert stage.where() == {"a": "Running"}
    assert MARK not in _config(stage)


def test_two_that_run_are_made_one() -> None:
    """When the source has not ended, the copy is stopped and removed, not the source."""
    stage = _stage("doubles")
    with pytest.raises(LxtuiError, match="b:web1 runs, and a:web1 has not ended"):
        stage.move(LIVE)
    assert stage.where() == {"a": "Running"}


def test_a_target_without_criu_refuses_at_once() -> None:
    """The target can only be asked by beginning: its refusal leaves the source untouched."""
    stage = _stage()
    stage.fleet.daemons["b"].criu = False
    with pytest.raises(LxtuiError, match="CRIU isn't installed on the target server"):
        stage.move(LIVE)
    assert stage.where() == {"a": "Running"}
    assert "a:start" not in stage.calls


@pytest.mark.parametrize("trap", ["b:accept", "b:waited", "a:waited", "a:instance"])
def test_any_failure_leaves_one_that_runs(trap: str) -> None:
    """Whatever call fails, exactly one runs afterwards, and it is the source."""
    stage = _stage()
    stage.traps = {trap: OperationError(f"{trap}: no")}
    with pytest.raises(LxtuiError, match=f"{trap}: no"):
        stage.move(LIVE)
    assert stage.where() == {"a": "Running"}
    assert MARK not in _config(stage)


def test_the_way_back_waits_until_criu_lets_go() -> None:
    """While the source stands still for a copy that was given up, nothing is done to either end."""
    stage = _stage("fails")
    held = Operation("9", "a", "Live-migrating instance")
    looks: list[str] = []

    class Holding(Trapped):
        def operations(self, project: str = "") -> tuple[Operation, ...]:
            looks.append(stage.calls[-1])
            more = (held,) if 3 < len(looks) < 10 else ()
            return (*super().operations(project), *more)

    stage.a = Holding(stage.fleet, "a", stage._spring)
    with pytest.raises(LxtuiError, match="snapshot restore failed"):
        stage.move(LIVE)
    assert len(looks) >= 10
    assert "b:delete" not in looks[:10]
    assert stage.where() == {"a": "Running"}


def test_a_daemon_that_cannot_say_for_a_moment_is_asked_again() -> None:
    """What Incus says of an instance that CRIU has just ended is no reason to go back."""
    stage = _stage()
    stage.traps = {"b:instance": OperationError("b: Invalid PID")}
    stage.move(LIVE)
    assert stage.where() == {"b": "Running"}


def test_a_copy_that_may_run_keeps_the_source_as_it_is() -> None:
    """When the target cannot be reached for the way back, the source is not started beside it."""
    stage = _stage("lies")

    class Silent(Broken):
        def cancel(self, operation: Operation) -> None:  # noqa: ARG002 see base
            raise OperationError("b: no answer to that")

    stage.b = Silent(stage.fleet, "b", stage._spring)
    stage.b.how = "lies"
    with pytest.raises(LxtuiError, match="a:web1 is left as it is, as b:web1 may run: mend this"):
        stage.move(LIVE)
    assert "a:start" not in stage.calls


def test_the_route_is_chosen_as_for_any_other() -> None:
    """Through this machine too."""
    assert plan_move(_live(transport=Transport.RELAY), "token").route.transport is Transport.RELAY


def test_the_source_is_asked_whether_it_can() -> None:
    """A host that cannot save running state says so before anything is touched."""
    stage = _stage()
    stage.fleet.daemons["a"].criu = False
    plan = prepare(stage.a, stage.b, SOURCE, LIVE)
    assert not plan.spec.live
    assert any("CRIU isn't installed on the source" in str(one) for one in plan.findings)
