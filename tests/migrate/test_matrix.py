"""Moves between real daemons, broken at every step: nothing is lost, doubled or left behind.

``make matrix`` runs all cells (run_matrix.py); a plain run a part that has each fault, route and
mode.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.lab.tools import run, which
from tests.migrate.broken import never_two, run_cell
from tests.migrate.conftest import RESULTS
from tests.migrate.matrix import ROUTES, WITHIN, chosen
from tests.migrate.run_matrix import OUTCOME
from tests.migrate.scene import OTHER_POOL, Cell

WORDS = os.environ.get("LXTUI_MATRIX", "")
PART = (
    ("lxtui-killed", "copy+", 0, "cold", "undo"),
    ("lxtui-killed", "start", 1, "cold", "resume"),
    ("lxtui-killed", "final+", 2, "near-live", "resume"),
    ("source-killed", "copy+", 1, "cold", "undo"),
    ("target-killed", "final+", 0, "near-live", "resume"),
    ("link-cut-3s", "refresh+", 1, "near-live", "resume"),
    ("link-cut", "copy+", 0, "cold", "undo"),
    ("link-slow", "claim", 2, "cold", "resume"),
    ("pool-full", "copy+", 1, "cold", "undo"),
    ("name-taken", "copy", 0, "cold", "undo"),
    ("profile-gone", "copy", 1, "cold", "undo"),
    ("untrusted", "verify", 0, "cold", "undo"),
    ("source-started", "verify", 2, "cold", "undo"),
    ("source-deleted", "start", 1, "cold", "undo"),
    ("source-changed", "verify", 0, "near-live", "undo"),
    ("lxtui-killed", "assume", 3, OTHER_POOL, "resume"),
    ("source-killed", "start", 4, OTHER_POOL, "undo"),
)


def _chosen() -> list[Cell]:
    if WORDS:
        return chosen(WORDS, os.environ.get("LXTUI_MATRIX_PART", "0/1"))
    return [
        Cell(fault, moment, *(*ROUTES, *WITHIN)[route], mode, recovery)
        for fault, moment, route, mode, recovery in PART
    ]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("cell", _chosen(), ids=str)
def test_a_broken_move_loses_nothing(
    lab: Lab,
    cell: Cell,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """After resume or undo: on one host, equal, running, nothing left, never two at once."""
    results = request.config.stash.setdefault(RESULTS, {})
    if "slow" in cell.fault and not _can_shape(lab):
        results[cell] = "skipped"
        pytest.skip("tc(8) cannot make a link slow here")
    if cell.fault == "pool-full" and lab.plan.driver == "dir" and not which("mkfs.ext4"):
        results[cell] = "skipped"
        pytest.skip("mkfs.ext4 is not installed")
    results[cell] = "FAILED"
    results[cell] = run_cell(lab, cell, tmp_path)
    record_property(OUTCOME, results[cell])


def test_two_copies_that_run_at_once_are_seen(
    lxd1: Host, lxd2: Host, make_instance: MakeInstance
) -> None:
    """What watches every cell does see two copies of one name, and is quiet about one."""
    name = make_instance(lxd1)
    with never_two(name):
        lxd2.create(name, {})
        time.sleep(0.5)

    def start_the_other() -> None:
        with never_two(name):
            lxd2.set_state(name, "start")
            time.sleep(0.5)

    with pytest.raises(AssertionError, match="two ran at once"):
        start_the_other()


def _can_shape(lab: Lab) -> bool:
    if not which("tc"):
        return False
    link = lab.hosts[0].plan.veth
    shape = ["tbf", "rate", "40mbit", "burst", "64kb", "latency", "400ms"]
    done = run(["tc", "qdisc", "add", "dev", link, "root", *shape], check=False)
    run(["tc", "qdisc", "del", "dev", link, "root"], check=False)
    return done.returncode == 0
