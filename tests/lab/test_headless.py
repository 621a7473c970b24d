"""Completion and the doctor on real daemons; what of them needs none is in headless/."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.backend.lxd import LxdBackend
from lxtui.completing import candidates
from lxtui.doctor import hosts
from lxtui.findings import Level
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


def test_instances_of_a_real_host(lab: Lab, lxd1: Host, make_instance: MakeInstance) -> None:
    """The names on the host that the word names."""
    name = make_instance(lxd1)
    word = f"lxd1:{name[:-1]}"
    assert f"lxd1:{name}" in candidates("instances", word, lab.environment, Path("/nonexistent"))


@pytest.mark.parametrize("name", ["lxd1", "incus1"])
def test_real_hosts_are_well(name: str, lab: Lab) -> None:
    """LXD and Incus have every feature, a right clock, and open their event stream."""
    known = remotes.load(lab.environment, Path("/nonexistent"))
    with closing(LxdBackend(known.named(name))) as backend:
        (found,) = hosts.hosts({name: backend}, lambda: datetime.now(UTC))
    assert found.level is Level.OK
    assert "has the pinned certificate" in found.text


def test_a_real_hosts_clock_is_read(lab: Lab) -> None:
    """What the daemon says of the time is compared with ours, whichever of both is wrong."""
    known = remotes.load(lab.environment, Path("/nonexistent"))
    with closing(LxdBackend(known.named("lxd1"))) as backend:
        early = hosts.hosts({"lxd1": backend}, lambda: datetime.now(UTC) - timedelta(hours=2))
        assert any("its clock is at least 1h 59m ahead of ours" in one.text for one in early)
