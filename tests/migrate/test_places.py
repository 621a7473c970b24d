"""Moves within one server, and with another configuration or running state asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lxtui.errors import LxtuiError, OperationError
from lxtui.migrate import AUTOSTART
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.migrate.preflight import check
from lxtui.migrate.prepare import prepare
from lxtui.model import Host, Kind, Ref
from tests.migrate.test_findings import _facts
from tests.migrate.test_mover import SOURCE, TARGET, Stage, Trapped, little_patience

__all__ = ["little_patience"]


def _said(facts: MoveFacts, level: Level) -> str:
    return "\n".join(str(one) for one in check(facts) if one.level is level)


def _on_one_server(**options: Any) -> MoveFacts:
    config = {"volatile.eth0.hwaddr": "00:16:3e:00:00:01", "user.mine": "1"}
    facts = _facts(config=config, **options)
    return replace(facts, target=replace(facts.target, name="a", kind=Kind.INCUS))


def test_beside_itself_it_needs_another_name_or_project() -> None:
    """Within one server only a move to the very same name, project and pool is refused."""
    assert "a:web1 is on a already" in _said(_on_one_server(), Level.BLOCKER)
    same = _said(_on_one_server(pool="default"), Level.BLOCKER)
    assert "a:web1 is in pool default of a already" in same
    assert _said(_on_one_server(name="web2"), Level.BLOCKER) == ""
    assert _said(_on_one_server(project="other"), Level.BLOCKER) == ""


def test_a_mac_address_is_not_doubled_within_a_project() -> None:
    """Where copy and original are in one project for a while the copy gets other MAC addresses."""
    beside = plan_move(_on_one_server(name="web2"), "token")
    apart = plan_move(_on_one_server(project="other"), "token")
    assert "volatile.eth0.hwaddr" not in beside.spec.config
    assert "volatile.eth0.hwaddr" in apart.spec.config
    assert "gets other MAC addresses" in _said(_on_one_server(name="web2"), Level.WARNING)


def test_a_source_that_cannot_start_beside_its_copy_starts_after_it() -> None:
    """When the start of the source fails at first, the roll-back tries again without the copy."""
    stage = Stage()
    stage.traps = {"b:start": OperationError("b: no")}

    def beside(call: str, _ref: Ref | None) -> None:
        if call == "a:start" and TARGET in stage.fleet.daemons["b"].instances:
            raise OperationError("a: the address is used already")

    stage.a = Trapped(stage.fleet, "a", beside)
    with pytest.raises(LxtuiError, match="a:web1 runs where it was, nothing is left on b"):
        stage.move()
    assert stage.where() == {"a": "Running"}


def test_the_target_is_made_as_was_asked_for() -> None:
    """Configuration and profiles asked for are the target's; the rest is the source's."""
    stage = Stage()
    stage.b.create_profile("default", "more", stage.b.placement("default").profiles["default"])
    options = MoveOptions(config=("user.mine=", "user.new=a=b"), profiles=("default", "more"))
    stage.move(options)
    arrived = stage.b.instance(SOURCE._replace(host="b"))
    assert dict(arrived.config) == {"user.new": "a=b"}
    assert arrived.profiles == ("default", "more")
    assert stage.where() == {"b": "Running"}


def test_options_survive_the_journal() -> None:
    """What was asked for is the same after it was written as JSON and read again."""
    options = MoveOptions(config=("a=b", "c="), profiles=(), mode=Mode.LIVE)
    assert MoveOptions.from_json(options.as_json()) == options
    assert MoveOptions.from_json(MoveOptions().as_json()) == MoveOptions()


@pytest.mark.parametrize("key", [AUTOSTART, "user.lxtui.move", "volatile.uuid"])
def test_what_a_move_needs_for_itself_cannot_be_set(key: str) -> None:
    """Keys that a move uses are refused before anything is touched."""
    facts = replace(_facts(), options=MoveOptions(config=(f"{key}=x",)))
    assert f"{key} cannot be set by a move" in _said(facts, Level.BLOCKER)


def test_a_key_that_the_target_refuses_can_be_left_out() -> None:
    """A key that the target does not know is no blocker when it is left behind."""
    facts = _facts(config={"security.devlxd": "true"}, target={"kind": Kind.INCUS})
    assert "security.devlxd" in _said(facts, Level.BLOCKER)
    facts = replace(facts, options=MoveOptions(config=("security.devlxd=",)))
    assert _said(facts, Level.BLOCKER) == ""


def _live(
    kinds: tuple[Kind, Kind] = (Kind.LXD, Kind.LXD),
    versions: tuple[str, str] = ("5.0.2", "5.21.1 LTS"),
    refusal: str | None = None,
    extensions: frozenset[str] = frozenset(),
    config: dict[str, str] | None = None,
) -> MoveFacts:
    here, there = (
        Host(name, kind, f"https://{name}", version=version, api_extensions=extensions)
        for name, kind, version in zip("ab", kinds, versions, strict=True)
    )
    return replace(
        _facts(mode=Mode.LIVE, config=config or {}),
        source=replace(here, addresses=("a:8443",)),
        target=replace(there, architectures=("x86_64",)),
        live_refusal=refusal,
    )


STATEFUL = frozenset({"container_migration_stateful", "container_incremental_copy"})


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (_live(refusal="a: CRIU isn't installed"), "a: CRIU isn't installed; install criu on a"),
        (_live(versions=("5.0.2", "6.6")), "b runs LXD 6.6: 6.6 has removed CRIU"),
        (_live(versions=("6.9", "5.0.2")), "a runs LXD 6.9: 6.6 has removed CRIU"),
        (_live(kinds=(Kind.LXD, Kind.INCUS)), "a runs lxd, b incus"),
        (
            _live(kinds=(Kind.INCUS, Kind.INCUS), versions=("6.0", "7.0"), extensions=STATEFUL),
            "migration.stateful is not set on it; set it: 'incus config set a:web1 migration.state",
        ),
        (_live(refusal=""), "lxtui does not move running state.*'lxc move a:web1 b:web1'"),
    ],
)
def test_a_live_move_is_near_live_and_says_why(facts: MoveFacts, reason: str) -> None:
    """Each condition that is not met is a warning of its own, and near-live is planned."""
    plan = plan_move(facts, "token")
    warnings = _said(facts, Level.WARNING)
    assert re.search(f"near-live is planned instead: {reason}", warnings), warnings
    assert StepKind.REFRESH in [step.kind for step in plan.steps]
    assert not plan.blockers


def test_reasons_are_not_mixed_up() -> None:
    """LXD before 6.6 is not refused for its version, nor Incus with its key for the key."""
    warnings = _said(_live(refusal="", versions=("6.5", "6.5.1")), Level.WARNING)
    assert "removed" not in warnings
    facts = _live(
        kinds=(Kind.INCUS, Kind.INCUS), extensions=STATEFUL, config={"migration.stateful": "true"}
    )
    assert "is not set" not in _said(facts, Level.WARNING)


def test_the_source_is_asked_only_when_that_can_decide() -> None:
    """The daemon's own reason is in the plan; of two kinds, or for a cold move, it is not asked."""
    stage = Stage()
    plan = prepare(stage.a, stage.b, SOURCE, MoveOptions(mode=Mode.LIVE))
    assert any("CRIU isn't installed" in str(one) for one in plan.findings)
    plan = prepare(stage.a, stage.b, SOURCE, MoveOptions(mode=Mode.NEAR_LIVE))
    assert not any("CRIU" in str(one) for one in plan.findings)
