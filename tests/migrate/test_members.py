"""The member of a cluster that was asked for: what is planned, and what is refused before."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.migrate.preflight import check
from lxtui.model import Kind, Member, Pool
from tests.migrate.test_findings import _facts

MEMBERS = {
    "m1": Member("Online", "x86_64"),
    "m2": Member("Online", "x86_64"),
    "off": Member("Offline", "x86_64"),
    "arm": Member("Online", "aarch64"),
}
POOLS = {"default": Pool("dir", 10**12, None, frozenset(MEMBERS)), "one": Pool("dir", 10**12)}
POOLS["few"] = Pool("dir", 10**12, None, frozenset({"m1"}))


def _cluster(*, same: bool = True, clustered: bool = True, **options: Any) -> MoveFacts:
    facts = _facts(
        instance={"location": "m1"},
        placement={"members": MEMBERS if clustered else {}, "pools": POOLS},
        target={"kind": Kind.INCUS, "clustered": clustered},
        **options,
    )
    target = replace(facts.target, name="a") if same else facts.target
    return replace(facts, source=replace(facts.source, kind=Kind.INCUS), target=target)


def _blockers(facts: MoveFacts) -> str:
    return "\n".join(str(one) for one in check(facts) if one.level is Level.BLOCKER)


def test_another_member_is_an_exchange_of_names() -> None:
    """Within its cluster it keeps its name; the copy is made on that member, in the same pool."""
    facts = _cluster(member="m2")
    plan = plan_move(facts, "token")
    assert not plan.blockers
    assert plan.spec.member == "m2"
    assert {StepKind.YIELD, StepKind.ASSUME} <= {step.kind for step in plan.steps}
    assert plan.commands[1] == "incus move a:web1 --target m2"


def test_another_pool_stays_on_its_member() -> None:
    """The cluster would choose a member, and nobody has asked for another one."""
    assert plan_move(_cluster(pool="few"), "token").spec.member == "m1"


def test_a_move_to_a_cluster_goes_to_the_member() -> None:
    """From elsewhere it is an ordinary move, made on the member that was asked for."""
    plan = plan_move(_cluster(same=False, member="m2"), "token")
    assert not plan.blockers
    assert plan.spec.member == "m2"
    assert StepKind.YIELD not in {step.kind for step in plan.steps}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (_cluster(member="m1"), "is on member m1 of a already; choose .*--member"),
        (_cluster(member="none"), "a has no member 'none'; its members: arm, m1, m2, off"),
        (_cluster(member="off"), "member off of a is offline"),
        (_cluster(member="arm"), "member arm of a cannot run x86_64"),
        (_cluster(member="m2", pool="few"), "member m2 of a does not have storage pool few"),
        (_cluster(member="m2", clustered=False), "a is no cluster: it has no members"),
        (_cluster(same=False, member="m2", copy=True, refresh=True), "leave --member out"),
    ],
)
def test_a_member_that_cannot_be_is_refused(facts: MoveFacts, said: str) -> None:
    """Each reason is found before anything is touched, and says what can be chosen."""
    assert re.search(said, _blockers(facts)), _blockers(facts)
