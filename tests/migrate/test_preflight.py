"""What could make a move fail is found from facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lxtui.migrate import MARK
from lxtui.migrate.compared import differences
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import MoveOptions, Transport
from lxtui.migrate.plan import Route, StepKind, plan_move, portable
from lxtui.migrate.preflight import check
from lxtui.model import (
    Host,
    Instance,
    Kind,
    Network,
    Placement,
    Pool,
    Profile,
    Ref,
    Snapshot,
)

_ROOT = {"type": "disk", "path": "/", "pool": "default"}
_NIC = {"type": "nic", "network": "lxdbr0"}


def _facts() -> MoveFacts:
    return MoveFacts(
        instance=Instance(
            ref=Ref("a", "default", "web1"),
            status="Running",
            architecture="x86_64",
            profiles=("default",),
            config={"limits.memory": "256MiB", "volatile.eth0.hwaddr": "00:16:3e:00:00:01"},
            snapshots=(Snapshot("daily"),),
        ),
        source=Host("a", Kind.LXD, "https://a:8443", addresses=("a:8443",)),
        target=Host("b", Kind.INCUS, "https://b:8443", architectures=("x86_64",)),
        placement=Placement(
            profiles={"default": Profile({"root": _ROOT, "eth0": _NIC})},
            pools={"default": Pool("dir")},
            networks={"lxdbr0": Network()},
            instance_names=frozenset({"other"}),
        ),
    )


def _with_instance(**changes: object) -> MoveFacts:
    facts = _facts()
    return replace(facts, instance=replace(facts.instance, **changes))  # type: ignore[arg-type]


def _with_placement(**changes: object) -> MoveFacts:
    facts = _facts()
    return replace(facts, placement=replace(facts.placement, **changes))  # type: ignore[arg-type]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """Facts that fit find all well, and a plan in which the source is deleted near the end."""
    plan = plan_move(_facts(), "token")
    assert {one.level for one in plan.findings} == {Level.OK}
    assert [step.kind.value for step in plan.steps] == [
        "claim",
        "stop",
        "copy",
        "verify",
        "start",
        "delete",
        "finish",
    ]


def test_a_stopped_instance_is_neither_stopped_nor_started() -> None:
    """The plan of a stopped instance claims, copies, verifies and deletes."""
    plan = plan_move(_with_instance(status="Stopped"), "token")
    assert [step.kind for step in plan.steps] == [
        StepKind.CLAIM,
        StepKind.COPY,
        StepKind.VERIFY,
        StepKind.DELETE,
        StepKind.FINISH,
    ]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (_with_instance(type="virtual-machine"), "is a virtual machine"),
        (_with_instance(status="Frozen"), "is frozen"),
        (_with_instance(ephemeral=True), "stopping it would delete it"),
        (_with_instance(architecture="aarch64"), "cannot run aarch64"),
        (_with_instance(profiles=("default", "big")), "has no profile 'big'"),
        (_with_placement(instance_names=frozenset({"web1"})), "has an instance named web1"),
        (replace(_facts(), options=MoveOptions(name="bad_name")), "takes no name 'bad_name'"),
        (replace(_facts(), options=MoveOptions(name="12")), r"\(incus\) takes no name '12'"),
        (
            _with_placement(pools={"fast": Pool("zfs")}),
            r"no storage pool 'default'.*pools it has: fast",
        ),
        (_with_placement(networks={"incusbr0": Network()}), "has no network 'lxdbr0'"),
        (_with_placement(profiles={"default": Profile()}), "neither the profiles nor the instance"),
        (replace(_facts(), target=replace(_facts().target, name="a")), "is on a already"),
    ],
)
def test_each_obstacle_is_a_blocker_with_its_name(facts: MoveFacts, words: str) -> None:
    """Each thing that would make the move fail is one blocker that says what and where."""
    import re

    blockers = [one for one in check(facts) if one.level is Level.BLOCKER]
    assert len(blockers) == 1
    assert re.search(words, str(blockers[0]))
    assert blockers[0].remedy


def test_hosts_that_reach_each_other_copy_among_themselves() -> None:
    """Without a reason against it the target pulls."""
    assert plan_move(_facts(), "token").route == Route()


def test_a_source_off_the_network_pushes() -> None:
    """A source that does not listen connects to the target itself, and the step says so."""
    facts = _facts()
    facts = replace(
        facts,
        source=replace(facts.source, addresses=()),
        target=replace(facts.target, addresses=("10.0.0.2:8443",)),
    )
    plan = plan_move(facts, "token")
    assert plan.route.transport is Transport.PUSH
    assert {one.level for one in plan.findings} == {Level.OK}
    assert "because a does not listen" in plan.steps[2].text


def test_two_hosts_off_the_network_are_relayed() -> None:
    """When neither listens the data go through this machine, and the step says so."""
    facts = _facts()
    facts = replace(
        facts,
        source=replace(facts.source, addresses=()),
        target=replace(facts.target, addresses=()),
    )
    plan = plan_move(facts, "token")
    assert plan.route.transport is Transport.RELAY
    assert "through this machine, because neither a nor b listens" in plan.steps[2].text


@pytest.mark.parametrize(
    ("extensions", "relayed"), [((), True), (("instance_generation_id",), False)]
)
def test_snapshots_with_a_key_that_the_target_refuses_are_relayed(
    extensions: tuple[str, ...], relayed: bool
) -> None:
    """The key is dropped on the way where the target lacks its API extension, and only there."""
    snapshot = Snapshot("s1", config={"volatile.uuid.generation": "x"})
    facts = _with_instance(snapshots=(snapshot,))
    facts = replace(facts, target=replace(facts.target, api_extensions=frozenset(extensions)))
    way = plan_move(facts, "token").route
    assert (way.transport is Transport.RELAY) is relayed
    assert way.dropped == (frozenset({"volatile.uuid.generation"}) if relayed else frozenset())


@pytest.mark.parametrize("asked", [Transport.PULL, Transport.PUSH])
def test_a_transport_that_was_asked_for_is_not_replaced(asked: Transport) -> None:
    """Where only a relay can carry the snapshots another transport is a blocker, not a relay."""
    snapshot = Snapshot("s1", config={"volatile.uuid.generation": "x"})
    facts = _with_instance(snapshots=(snapshot,))
    facts = replace(facts, options=replace(facts.options, transport=asked))
    (found,) = plan_move(facts, "token").blockers
    assert "only a relay takes it out" in found.text
    facts = replace(facts, options=replace(facts.options, instance_only=True))
    assert plan_move(facts, "token").blockers == ()


def test_all_obstacles_are_found_at_once() -> None:
    """Findings do not hide each other."""
    facts = _with_instance(profiles=("big",), architecture="aarch64")
    assert len([one for one in check(facts) if one.level is Level.BLOCKER]) == 3


def test_what_belongs_to_the_host_is_a_warning() -> None:
    """Directories and devices of the host do not forbid the move, but are said."""
    devices = {
        "data": {"type": "disk", "path": "/data", "source": "/srv/data"},
        "tty": {"type": "unix-char", "source": "/dev/ttyS0"},
    }
    findings = [one for one in check(_with_instance(devices=devices)) if one.level is not Level.OK]
    assert {one.level for one in findings} == {Level.WARNING}
    assert len(findings) == 2


def test_identity_goes_along_and_the_rest_of_volatile_stays() -> None:
    """MAC addresses and cloud-init's memory are the instance's own; an old mark is not."""
    kept = portable(
        {
            "limits.cpu": "2",
            MARK: "old",
            "volatile.eth0.hwaddr": "m",
            "volatile.cloud-init.instance-id": "i",
            "volatile.eth0.host_name": "veth1",
            "volatile.last_state.power": "RUNNING",
            "volatile.idmap.next": "[]",
            "volatile.uuid.generation": "g",
        }
    )
    assert kept == {
        "limits.cpu": "2",
        "volatile.eth0.hwaddr": "m",
        "volatile.cloud-init.instance-id": "i",
    }


def _arrived() -> Instance:
    return Instance(
        ref=Ref("b", "default", "web1"),
        status="Stopped",
        architecture="x86_64",
        profiles=("default",),
        config={
            "limits.memory": "256MiB",
            MARK: "token",
            "boot.autostart": "false",
            "volatile.anything": "new",
        },
        devices={"root": _ROOT},
        expanded_devices={"root": _ROOT, "eth0": _NIC},
        snapshots=(Snapshot("daily"),),
    )


def test_an_exact_copy_has_no_differences() -> None:
    """Volatile keys and a root disk written into the instance are no difference."""
    assert differences(plan_move(_facts(), "token"), _arrived()) == ()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"snapshots": ()}, "snapshots"),
        (
            {"config": {"limits.memory": "1GiB", MARK: "token", "boot.autostart": "false"}},
            "configuration",
        ),
        (
            {"config": {"limits.memory": "256MiB", MARK: "another", "boot.autostart": "false"}},
            "configuration",
        ),
        ({"profiles": ()}, "profiles"),
        ({"expanded_devices": {"root": _ROOT}}, "devices"),
        ({"type": "virtual-machine"}, "type"),
        ({"ephemeral": True}, "ephemeral"),
    ],
)
def test_each_difference_is_named(changes: dict[str, object], what: str) -> None:
    """Whatever is not as planned is said by name."""
    arrived = replace(_arrived(), **changes)  # type: ignore[arg-type]
    (difference,) = differences(plan_move(_facts(), "token"), arrived)
    assert difference.startswith(what)
