"""The plan of a lab, without any system."""

import ipaddress
from itertools import combinations

import pytest

from .net import free_block
from .plan import BASE, BLOCKS, INSTANCES, check_name, make_plan

IFNAMSIZ = 16
SUN_PATH = 108


def test_names_fit() -> None:
    """The longest lab name still gives interfaces and sockets that the kernel accepts."""
    plan = make_plan("abcdefg")
    for name in (plan.bridge, *(host.veth for host in plan.hosts)):
        assert len(name) < IFNAMSIZ
    for host in plan.hosts:
        assert len(str(host.socket)) < SUN_PATH


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "abcdefgh", "a-b", "../etc", "a b"])
def test_bad_names_are_refused(name: str) -> None:
    """A name that would not fit into paths and interfaces is refused."""
    with pytest.raises(ValueError, match="lab name"):
        check_name(name)


def test_hosts_of_a_lab_share_nothing() -> None:
    """Within a lab every name, address and range is used once."""
    plan = make_plan("one")
    for values in (
        [host.address for host in plan.hosts],
        [host.netns for host in plan.hosts],
        [host.veth for host in plan.hosts],
        [host.directory for host in plan.hosts],
        [instance.name for host in plan.hosts for instance in host.instances],
    ):
        assert len(set(values)) == len(values)
    ranges = [plan.gateway, *(host.containers for host in plan.hosts)]
    networks = [ipaddress.IPv4Interface(text).network for text in ranges]
    assert not any(a.overlaps(b) for a, b in combinations(networks, 2))
    whole = ipaddress.IPv4Network(plan.network)
    assert all(network.subnet_of(whole) for network in networks)
    assert all(ipaddress.IPv4Address(host.address) in networks[0] for host in plan.hosts)


def test_two_labs_share_nothing() -> None:
    """Two labs differ in every name, and in their addresses when their blocks differ."""
    one, two = make_plan("one", 0), make_plan("two", 1)
    assert one.root != two.root
    assert one.root.parent == two.root.parent == BASE
    assert {one.bridge, *(h.veth for h in one.hosts)}.isdisjoint(h.veth for h in two.hosts)
    assert {h.netns for h in one.hosts}.isdisjoint(h.netns for h in two.hosts)
    assert not ipaddress.IPv4Network(one.network).overlaps(ipaddress.IPv4Network(two.network))


def test_part_of_a_lab_keeps_its_addresses() -> None:
    """A lab without some hosts gives the others the same names and addresses."""
    whole, part = make_plan("one"), make_plan("one", hosts=("incus1",))
    assert part.hosts == (whole.hosts[2],)


@pytest.mark.parametrize(("block", "hosts"), [(-1, ()), (BLOCKS, ()), (0, ("lxd9",))])
def test_what_cannot_be_planned_is_refused(block: int, hosts: tuple[str, ...]) -> None:
    """A block out of range and an unknown host are errors, not surprises."""
    with pytest.raises(ValueError, match=r"block|unknown hosts"):
        make_plan("one", block, hosts)


def test_addresses_in_use_are_avoided() -> None:
    """The lab takes the first range that meets no address or route of the machine."""
    used = [ipaddress.IPv4Network(text) for text in ("10.213.0.0/22", "10.213.6.128/25")]
    assert free_block([]) == 0
    assert free_block(used) == 2
    assert free_block([ipaddress.IPv4Network("0.0.0.0/0")]) == 0


def test_the_fleet_has_what_a_screen_must_show() -> None:
    """Over all hosts there are running and stopped containers, limits and snapshots."""
    planned = [instance for some in INSTANCES.values() for instance in some]
    assert {instance.running for instance in planned} == {True, False}
    assert any(len(instance.snapshots) > 1 for instance in planned)
    assert all(dict(instance.config)["limits.memory"] for instance in planned)
