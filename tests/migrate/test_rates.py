"""Rates that were measured, and a relay that is held back."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.demo import DemoFleet
from lxtui.commands import Move
from lxtui.migrate import rates
from lxtui.migrate.estimate import estimate
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import MoveOptions, Transport
from lxtui.migrate.plan import plan_move
from lxtui.migrate.prepare import prepare
from lxtui.migrate.report import Measured
from lxtui.migrate.throttle import Throttle
from lxtui.model import Instance, Kind, Ref, Snapshot
from lxtui.perform import perform
from tests.migrate.test_findings import _facts

MIB = 2**20
PULL = Transport.PULL


def test_the_median_of_the_latest_counts(tmp_path: Path) -> None:
    """One slow copy among others changes little, and old ones are forgotten."""
    for size in [1, *[100] * 9, 900]:
        rates.record(tmp_path, "a", "b", Measured(PULL, size * 16 * MIB, 16.0))
    assert rates.typical(tmp_path, "a", "b", PULL) == 100 * MIB
    for other in (("b", "a", PULL), ("a", "c", PULL), ("a", "b", Transport.RELAY)):
        assert rates.typical(tmp_path, *other) is None


def test_little_is_not_measured(tmp_path: Path) -> None:
    """A copy of a few bytes says nothing about the link, and leaves no file."""
    rates.record(tmp_path, "a", "b", Measured(PULL, MIB, 1.0))
    rates.record(tmp_path, "a", "b", Measured(PULL, 100 * MIB, 0.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"a b pull": 7}', b'{"a b pull": ["x", -1, true]}', b"\xff", b"7"],
)
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    """Whatever is in the file, an estimate is made and the next rate is remembered."""
    (tmp_path / "rates.json").write_bytes(content)
    assert rates.typical(tmp_path, "a", "b", PULL) is None
    rates.record(tmp_path, "a", "b", Measured(PULL, 32 * MIB, 1.0))
    assert rates.typical(tmp_path, "a", "b", PULL) == 32 * MIB


def test_the_file_is_small_private_and_left_alone_in_pieces(tmp_path: Path) -> None:
    """Of many pairs the latest are kept; nobody else reads the file; nothing lies beside it."""
    for number in range(300):
        rates.record(tmp_path, f"h{number}", "b", Measured(PULL, 32 * MIB, 1.0))
    assert rates.typical(tmp_path, "h299", "b", PULL) == 32 * MIB
    assert rates.typical(tmp_path, "h50", "b", PULL) is None
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_size < 64 * 1024


def test_what_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """Without a folder there is no rate, and no error."""
    rates.record(tmp_path / "none", "a", "b", Measured(PULL, 32 * MIB, 1.0))
    assert rates.typical(tmp_path / "none", "a", "b", PULL) is None


def test_the_next_plan_rests_on_the_last_move(tmp_path: Path) -> None:
    """After a move the estimate of the next one between the two hosts is a measured one."""
    fleet = DemoFleet(tempo=0.05)
    for name in ("a", "b"):
        fleet.add_host(name, Kind.LXD, "5.0.2")
    for name in ("one", "two"):
        ref = Ref("a", "default", name)
        fleet.add_instance(
            Instance(ref, "Stopped", profiles=("default",), architecture="x86_64", disk=400 * MIB)
        )
    a, b = fleet.backend("a"), fleet.backend("b")
    backends = {"a": a, "b": b}
    before = prepare(a, b, Ref("a", "default", "one"), moves=tmp_path).estimate
    assert before.assumed
    perform(Move(Ref("a", "default", "one"), "b"), backends, lambda _: None, Flag(), tmp_path)
    after = prepare(a, b, Ref("a", "default", "two"), moves=tmp_path).estimate
    assert not after.assumed
    assert after.rate > before.rate


@pytest.mark.parametrize(("snapshots", "told"), [((), True), ((Snapshot("s"),), False)])
def test_what_is_left_is_told_where_it_is_known(
    tmp_path: Path, snapshots: tuple[Snapshot, ...], told: bool
) -> None:
    """A copy whose size is known says how long it still takes; with snapshots that is unknown."""
    fleet = DemoFleet(tempo=0.05)
    for name in ("a", "b"):
        fleet.add_host(name, Kind.LXD, "5.0.2")
    ref = Ref("a", "default", "one")
    fleet.add_instance(
        Instance(
            ref,
            "Stopped",
            profiles=("default",),
            architecture="x86_64",
            disk=400 * MIB,
            snapshots=snapshots,
        )
    )
    lines: list[str] = []
    backends = {name: fleet.backend(name) for name in ("a", "b")}
    perform(Move(ref, "b"), backends, lambda now: lines.append(now.text), Flag(), tmp_path)
    assert any(" left" in line and "copying" in line for line in lines) is told


def _limited(transport: Transport = Transport.AUTO) -> MoveFacts:
    return replace(_facts(), options=MoveOptions(limit=5, transport=transport))


def test_a_limit_needs_a_relay() -> None:
    """Where the hosts copy among themselves a limit is refused, and what to do is said."""
    blockers = [one for one in plan_move(_limited(), "t").findings if one.level is Level.BLOCKER]
    assert [one.remedy for one in blockers] == ["add --transport relay"]
    plan = plan_move(_limited(transport=Transport.RELAY), "t")
    assert not plan.blockers
    assert plan.route.limit == 5 * MIB
    assert any("at most 5 MiB/s" in step.text for step in plan.steps)


def test_an_estimate_knows_the_limit() -> None:
    """A copy that is held back takes longer, however fast the link was."""
    facts = replace(_limited(transport=Transport.RELAY), rate=100 * MIB)
    assert estimate(facts).rate == 5 * MIB


def test_a_throttle_lets_the_rate_pass() -> None:
    """Over any time no more than the rate passes, shared by all; a pause earns no burst."""
    now = 0.0
    throttle = Throttle(1000, lambda: now)
    assert throttle.spend(500) == pytest.approx(0.5)
    assert throttle.spend(500) == pytest.approx(1.0)
    now = 100.0
    assert throttle.spend(1000) == pytest.approx(1.0)
    assert Throttle(0).spend(10**9) == 0.0
