"""Moves between the members of a real cluster of two Incus daemons, made when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import Move
from lxtui.errors import LxtuiError
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.model import Ref
from lxtui.perform import perform
from lxtui.resources.catalog import BY_ID as TABLES
from lxtui.resources.deeds import DEEDS_BY_ID
from lxtui.resources.entry import Entry
from lxtui.resources.reading import entry_from
from tests.lab.lab import Lab, down, up
from tests.lab.plan import CLUSTER

pytestmark = pytest.mark.skipif(
    "LXTUI_CLUSTER" not in os.environ, reason="LXTUI_CLUSTER=1 makes a cluster of its own"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Lab]:
    """A lab of its own: two Incus daemons, one cluster."""
    try:
        yield up("testc", hosts=CLUSTER)
    finally:
        down("testc")


@pytest.fixture
def backends(cluster: Lab) -> Iterator[dict[str, Backend]]:
    """A backend for each member, by which all of the cluster can be reached."""
    known = remotes.load(cluster.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()


def test_another_member_keeps_name_and_addresses(
    cluster: Lab, backends: dict[str, Backend], tmp_path: Path
) -> None:
    """There and back, cold and near-live: the same MAC, files and state; a failure leaves it."""
    host, backend = cluster.host("incus1"), backends["incus1"]
    ref = Ref("incus1", "default", "app1")
    host.exec("app1", ["sh", "-c", "printf content >/root/file"])
    before = backend.instance(ref)
    here, there = before.location, ({*CLUSTER} - {before.location}).pop()

    def move(options: MoveOptions) -> None:
        perform(Move(ref, "incus1", options), backends, lambda _: None, Flag(), tmp_path)

    def seen(member: str) -> None:
        now = backend.instance(ref)
        assert (now.location, now.status) == (member, "Running")
        mac = "volatile.eth0.hwaddr"
        assert now.config[mac] == before.config[mac]
        assert [one.name for one in now.snapshots] == ["release-1"]
        assert not [key for key in now.config if key.startswith("user.lxtui.")]
        assert host.exec("app1", ["cat", "/root/file"]).stdout == "content"
        assert sorted(host.instances()) == ["app1", "job1"]

    with pytest.raises(LxtuiError, match=r"has no member 'none'; its members: incus1, incus2"):
        move(MoveOptions(member="none"))
    with pytest.raises(LxtuiError, match=r"status 1.*runs where it was, nothing is left of its"):
        move(MoveOptions(member=there, check="false"))
    seen(here)
    move(MoveOptions(member=there))
    seen(there)
    move(MoveOptions(member=here, mode=Mode.NEAR_LIVE))
    seen(here)


def test_a_member_is_evacuated_and_restored(backends: dict[str, Backend], tmp_path: Path) -> None:
    """Its state says so each time; the deeds of the table of members do it."""
    backend = backends["incus1"]
    backend.connect()

    def member() -> Entry:
        found = backend.read(("cluster", "members", "incus2")).value
        made = entry_from(TABLES["members"], "incus1", found, "default")
        assert made is not None
        return made

    for name, state in (("member-evacuate", "Evacuated"), ("member-restore", "Online")):
        call = DEEDS_BY_ID[name].build(member(), "")
        perform(call, backends, lambda _: None, Flag(), tmp_path)
        assert member().document["status"] == state
