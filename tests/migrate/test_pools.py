"""What the drivers of the two pools mean for a move, from facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import Mode, MoveOptions, Transport
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.model import Host, Instance, Kind, Placement, Pool, Profile, Ref

ROOT = {"type": "disk", "path": "/", "pool": "default"}
SAID = "both pools are of the driver btrfs"


def _facts(here: str = "btrfs", there: str = "btrfs", **options: Any) -> MoveFacts:
    profiles = {"default": Profile({"root": ROOT})}
    return MoveFacts(
        instance=Instance(
            Ref("a", "default", "web1"),
            status="Running",
            architecture="x86_64",
            profiles=("default",),
            expanded_devices={"root": ROOT},
        ),
        source=Host("a", Kind.LXD, "https://a:8443", addresses=("a:8443",)),
        target=Host("b", Kind.LXD, "https://b:8443", architectures=("x86_64",)),
        placement=Placement(profiles, {"default": Pool(there)}),
        options=MoveOptions(**{"mode": Mode.NEAR_LIVE, **options}),
        origin=Placement(profiles, {"default": Pool(here)} if here else {}),
    )


@pytest.mark.parametrize(
    ("here", "there", "again"),
    [
        ("btrfs", "btrfs", True),
        ("btrfs", "dir", False),
        ("dir", "btrfs", False),
        ("zfs", "zfs", False),
        ("", "btrfs", False),
    ],
)
def test_between_pools_of_btrfs_further_passes_are_ours(here: str, there: str, again: bool) -> None:
    """Only there do the daemons send everything again; the plan says what happens instead."""
    plan = plan_move(_facts(here, there), "token")
    assert plan.route.transport is Transport.PULL
    assert plan.route.refresh_by_rsync is again
    assert any(SAID in one.text for one in plan.findings) is again
    texts = {step.kind: step.text for step in plan.steps}
    for kind in (StepKind.REFRESH, StepKind.FINAL):
        assert ("through this machine" in texts[kind]) is again
    assert "through this machine" not in texts[StepKind.COPY]


def test_a_transport_that_was_asked_for_is_kept() -> None:
    """With --transport pull all passes are pulled, and a warning says what that costs."""
    plan = plan_move(_facts(transport=Transport.PULL), "token")
    assert not plan.route.refresh_by_rsync
    (found,) = [one for one in plan.findings if SAID in one.text]
    assert found.level is Level.WARNING
    assert "leave --transport out" in found.remedy


def test_a_relay_that_was_asked_for_compares_files_too() -> None:
    """With --transport relay every pass is ours already, and there is nothing to say."""
    plan = plan_move(_facts(transport=Transport.RELAY), "token")
    assert plan.route.refresh_by_rsync
    assert not any(SAID in one.text for one in plan.findings)


def test_a_cold_move_has_no_further_passes_to_speak_of() -> None:
    """Nothing is said where one pass is all there is."""
    plan = plan_move(_facts(mode=Mode.COLD), "token")
    assert not any(SAID in one.text for one in plan.findings)
