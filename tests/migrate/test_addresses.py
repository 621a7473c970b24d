"""Static addresses that somebody else at the target has: found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from lxtui.backend import wire
from lxtui.backend.base import Backend
from lxtui.errors import OperationError
from lxtui.migrate.facts import Level
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.preflight import check
from lxtui.migrate.prepare import prepare
from lxtui.model import Network, Profile, Ref, StateAction, StaticAddress
from tests.lab.errors import ApiError
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.migrate.test_findings import DEFAULT, NIC, _facts

FIXED = {"eth0": {**NIC, "ipv4.address": "10.1.0.5"}}
OTHER = StaticAddress("p2", "db1", "br0", "10.1.0.5")


def _said(level: Level, *taken: StaticAddress, **more: Any) -> str:
    devices = more.pop("devices", FIXED)
    facts = _facts(devices=devices, placement={"addresses": taken}, **more)
    return " ".join(str(one) for one in check(facts) if one.level is level)


def test_an_address_that_is_taken_forbids_the_move_of_what_runs() -> None:
    """Daemons refuse the start, so it is a blocker that names the owner and the remedy."""
    said = _said(Level.BLOCKER, OTHER)
    assert "10.1.0.5 of device 'eth0' is that of b:db1 (project p2) too: b would not start" in said
    assert "unset its ipv4.address" in said


@pytest.mark.parametrize(
    "more", [{"instance": {"status": "Stopped"}}, {"copy": True}], ids=["stopped", "copy"]
)
def test_what_is_not_started_may_go_with_a_warning(more: dict[str, Any]) -> None:
    """A stopped instance can be made all the same; that neither starts is said."""
    assert not _said(Level.BLOCKER, OTHER, **more)
    assert "b starts neither of the two" in _said(Level.WARNING, OTHER, **more)


@pytest.mark.parametrize(
    "taken",
    [
        StaticAddress("default", "db1", "br0", "10.1.0.6"),
        StaticAddress("default", "db1", "br1", "10.1.0.5"),
        StaticAddress("default", "web1", "br0", "10.1.0.5"),
    ],
    ids=["another address", "another network", "the copy itself"],
)
def test_what_is_free_is_not_mentioned(taken: StaticAddress) -> None:
    """Another address, another network, and the copy that a lost lxtui has made are no trouble."""
    assert not _said(Level.BLOCKER, taken)
    assert not _said(Level.WARNING, taken)


def test_an_address_by_profile_counts() -> None:
    """Two that have one profile with an address cannot both run."""
    profile = Profile({**DEFAULT.devices, "eth0": {**NIC, "ipv6.address": "fd42::0:5"}})
    facts = _facts(
        placement={
            "profiles": {"default": profile},
            "addresses": (StaticAddress("default", "db1", "br0", "fd42::5"),),
        }
    )
    blockers = [str(one) for one in check(facts) if one.level is Level.BLOCKER]
    assert len(blockers) == 1
    assert "fd42::0:5 of device 'eth0' is that of b:db1 too" in blockers[0]


def test_the_networks_own_address_is_refused() -> None:
    """Daemons do not even make an instance with the address of its network."""
    devices = {"eth0": {**NIC, "ipv4.address": "10.1.0.1"}}
    assert "is that of network br0 of b itself" in _said(Level.BLOCKER, devices=devices)


def test_addresses_are_those_of_the_same_networks() -> None:
    """Projects with networks of their own do not get into each other's way."""
    nic = {"type": "nic", "parent": "br0", "nictype": "bridged", "ipv4.address": "10.1.0.5"}
    instances = [
        {"name": name, "project": project, "expanded_devices": {"eth0": nic, "root": {}}}
        for name, project in (("one", "default"), ("two", "shares"), ("three", "own"))
    ]
    projects = [
        {"name": "default", "config": {"features.networks": "true"}},
        {"name": "shares", "config": {"features.networks": "false"}},
        {"name": "own", "config": {"features.networks": "true"}},
    ]

    def found(project: str) -> list[str]:
        seen = wire.static_addresses(instances, projects, project)
        assert {(one.network, one.address) for one in seen} == {("br0", "10.1.0.5")}
        return [one.instance for one in seen]

    assert found("default") == found("shares") == ["one", "two"]
    assert found("own") == ["three"]


@pytest.fixture(params=["lxd2", "incus1"])
def taken(request: pytest.FixtureRequest, lab: Lab) -> Iterator[tuple[Host, str]]:
    """A host with an address in its network that an instance of another project has."""
    host = lab.host(request.param)
    config = {"features.images": "false", "features.profiles": "false"}
    host.api.call("POST", "/1.0/projects", {"name": "beside", "config": config})
    subnet = host.api.get("/1.0/networks/labbr0")["config"]["ipv4.address"]
    address = f"{subnet.rpartition('.')[0]}.77"
    try:
        _make(host, "holder", address, "beside")
        yield host, address
    finally:
        with suppress(ApiError):
            host.api.call("DELETE", "/1.0/instances/holder?project=beside")
        host.api.call("DELETE", "/1.0/projects/beside")


def test_daemons_start_no_second_one_with_an_address(
    taken: tuple[Host, str], backends: dict[str, Backend]
) -> None:
    """What the plan says in advance: the daemon makes the instance and refuses its start."""
    host, address = taken
    backend, ref = backends[host.name], Ref(host.name, "default", "second")
    _make(host, ref.name, address, ref.project)
    try:
        with pytest.raises(OperationError, match="already defined on another NIC"):
            backend.wait(backend.change_state(ref, StateAction.START))
    finally:
        backend.wait(backend.delete_instance(ref))


def test_a_plan_sees_an_address_in_another_project(
    taken: tuple[Host, str], lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """The address of an instance that a project beside has is found from the daemon's facts."""
    host, address = taken
    name = make_instance(lab.host("lxd1"))
    plan = prepare(
        backends["lxd1"], backends[host.name], Ref("lxd1", "default", name), MoveOptions()
    )
    assert not plan.blockers
    held = [one for one in _addresses(backends[host.name]) if one.address == address]
    assert held == [StaticAddress("beside", "holder", "labbr0", address)]


def _addresses(backend: Backend) -> tuple[StaticAddress, ...]:
    placement = backend.placement("default")
    assert isinstance(placement.networks["labbr0"], Network)
    return placement.addresses


def _make(host: Host, name: str, address: str, project: str) -> None:
    nic = {"type": "nic", "name": "eth0", "network": "labbr0", "ipv4.address": address}
    body = {"name": name, "source": {"type": "image", "alias": "tiny"}, "devices": {"eth0": nic}}
    host.api.call("POST", f"/1.0/instances?project={project}", body)
