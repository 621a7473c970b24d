"""Moves between the members of real clusters of two daemons, made when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
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
from tests.lab.lab import Host, Lab, down, up
from tests.lab.plan import CLUSTER, LXD_CLUSTER

pytestmark = pytest.mark.skipif(
    "LXTUI_CLUSTER" not in os.environ, reason="LXTUI_CLUSTER=1 makes a cluster of its own"
)


ALONE = "lxd2"
"""The host beside each cluster."""


@dataclass(frozen=True)
class Cluster:
    """A lab with a cluster, and a container that runs in it."""

    lab: Lab
    members: tuple[str, str]
    container: str
    snapshots: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first member's, by which the cluster is reached."""
        return self.members[0]

    @property
    def host(self) -> Host:
        """The first member."""
        return self.lab.host(self.name)

    @property
    def ref(self) -> Ref:
        """Of the container."""
        return Ref(self.name, "default", self.container)

    def other(self, member: str) -> str:
        """The member beside that one."""
        return ({*self.members} - {member}).pop()


@pytest.fixture(scope="module", params=["incus", "lxd"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A lab of its own: two daemons of a kind as one cluster, and an LXD beside it."""
    incus = request.param == "incus"
    members, name = (CLUSTER, "testc") if incus else (LXD_CLUSTER, "testd")
    try:
        lab = up(name, hosts=(*members, ALONE))
        one = next(one for one in lab.host(members[0]).plan.instances if one.running)
        yield Cluster(lab, members, one.name, one.snapshots)
    finally:
        down(name)


@pytest.fixture
def backends(cluster: Cluster) -> Iterator[dict[str, Backend]]:
    """A backend for each member, by which all of the cluster can be reached."""
    known = remotes.load(cluster.lab.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()


def test_another_member_keeps_name_and_addresses(
    cluster: Cluster, backends: dict[str, Backend], tmp_path: Path
) -> None:
    """There and back, cold and near-live: the same MAC, files and state; a failure leaves it."""
    host, backend, ref = cluster.host, backends[cluster.name], cluster.ref
    host.exec(ref.name, ["sh", "-c", "printf content >/root/file"])
    before, every = backend.instance(ref), sorted(host.instances())
    here, there = before.location, cluster.other(before.location)

    def move(options: MoveOptions) -> None:
        perform(Move(ref, ref.host, options), backends, lambda _: None, Flag(), tmp_path)

    def seen(member: str) -> None:
        now = backend.instance(ref)
        assert (now.location, now.status) == (member, "Running")
        mac = "volatile.eth0.hwaddr"
        assert now.config[mac] == before.config[mac]
        assert sorted(one.name for one in now.snapshots) == sorted(cluster.snapshots)
        assert not [key for key in now.config if key.startswith("user.lxtui.")]
        assert host.exec(ref.name, ["cat", "/root/file"]).stdout == "content"
        assert sorted(host.instances()) == every

    members = ", ".join(cluster.members)
    with pytest.raises(LxtuiError, match=rf"has no member 'none'; its members: {members}"):
        move(MoveOptions(member="none"))
    with pytest.raises(LxtuiError, match=r"status 1.*runs where it was, nothing is left of its"):
        move(MoveOptions(member=there, check="false"))
    seen(here)
    move(MoveOptions(member=there))
    seen(there)
    move(MoveOptions(member=here, mode=Mode.NEAR_LIVE))
    seen(here)


def test_a_move_into_the_cluster_lands_on_the_member(
    cluster: Cluster, backends: dict[str, Backend], tmp_path: Path
) -> None:
    """From a host beside it onto either member while it runs, and back out, with its file."""
    alone, name = cluster.lab.host(ALONE), "cache1"
    alone.exec(name, ["sh", "-c", "printf content >/root/file"])
    outside, inside = Ref(ALONE, "default", name), Ref(cluster.name, "default", name)
    for member in cluster.members:
        options = MoveOptions(member=member, mode=Mode.NEAR_LIVE)
        perform(Move(outside, cluster.name, options), backends, lambda _: None, Flag(), tmp_path)
        now = backends[cluster.name].instance(inside)
        assert (now.location, now.status) == (member, "Running")
        assert cluster.host.exec(name, ["cat", "/root/file"]).stdout == "content"
        assert alone.status(name) is None
        perform(Move(inside, ALONE), backends, lambda _: None, Flag(), tmp_path)
        assert alone.exec(name, ["cat", "/root/file"]).stdout == "content"
        assert cluster.host.status(name) is None


def test_a_member_is_evacuated_and_restored(
    cluster: Cluster, backends: dict[str, Backend], tmp_path: Path
) -> None:
    """Its state says so each time, its instances go and come back; the table's deeds do it."""
    backend, first = backends[cluster.name], cluster.name
    backend.connect()

    def member() -> Entry:
        found = backend.read(("cluster", "members", first)).value
        made = entry_from(TABLES["members"], first, found, "default")
        assert made is not None
        return made

    assert backend.instance(cluster.ref).location == first
    away = cluster.other(first)
    for name, state, place in (
        ("member-evacuate", "Evacuated", away),
        ("member-restore", "Online", first),
    ):
        call = DEEDS_BY_ID[name].build(member(), "")
        perform(call, backends, lambda _: None, Flag(), tmp_path)
        assert member().document["status"] == state
        assert backend.members()[first].status == state
        now = backend.instance(cluster.ref)
        assert (now.location, now.status) == (place, "Running")
