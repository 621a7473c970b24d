"""Moves within one server, and with another configuration or running state asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lxtui.errors import LxtuiError, OperationError
from lxtui.migrate import AUTOSTART
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.migrate.plan import plan_move
from lxtui.migrate.preflight import check
from lxtui.model import Kind, Ref
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
