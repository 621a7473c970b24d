"""Bridge, namespaces and veth pairs of a lab, through ip(8).

Role: makes them, cuts and mends a host's link, removes them. Boundary: touches only what the plan
names. Threading: called from one thread.
"""

import ipaddress
import json
from collections.abc import Iterable

from .errors import LabError
from .plan import BLOCKS, EVERY, HostPlan, LabPlan, make_plan
from .tools import run


def used_networks() -> list[ipaddress.IPv4Network]:
    """Every IPv4 address and route of the root namespace, the default route left out."""
    texts = [
        f"{address['local']}/{address['prefixlen']}"
        for link in json.loads(run(["ip", "-json", "-4", "addr"]).stdout)
        for address in link.get("addr_info", ())
    ]
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout)
    texts += [route["dst"] for route in routes if route["dst"] != "default"]
    return [ipaddress.IPv4Network(text, strict=False) for text in texts]


def free_block(used: Iterable[ipaddress.IPv4Network]) -> int:
    """Return the first range of addresses that meets nothing in USED."""
    taken = [network for network in used if network.prefixlen > 0]
    for block in range(BLOCKS):
        ours = ipaddress.IPv4Network(make_plan("any", block).network)
        if not any(ours.overlaps(network) for network in taken):
            return block
    raise LabError("no free range of addresses in 10.213.0.0/16")


def make_bridge(plan: LabPlan) -> None:
    """Make the lab's bridge in the root namespace; its address reserves the lab's range."""
    run(["ip", "link", "add", plan.bridge, "type", "bridge"])
    run(["ip", "addr", "add", plan.gateway, "dev", plan.bridge])
    run(["ip", "link", "set", plan.bridge, "up"])


def connect(plan: LabPlan, host: HostPlan) -> None:
    """Make the namespace of HOST and join it to the bridge."""
    run(["ip", "netns", "add", host.netns])
    peer = ["peer", "name", "eth0", "netns", host.netns]
    run(["ip", "link", "add", host.veth, "type", "veth", *peer])
    run(["ip", "link", "set", host.veth, "master", plan.bridge, "up"])
    inside = ["ip", "-n", host.netns]
    run([*inside, "link", "set", "lo", "up"])
    run([*inside, "addr", "add", f"{host.address}/24", "dev", "eth0"])
    run([*inside, "link", "set", "eth0", "up"])


def set_link(host: HostPlan, *, up: bool) -> None:
    """Cut (or mend) the link of HOST, as if its cable were pulled."""
    run(["ip", "link", "set", host.veth, "up" if up else "down"])


def links() -> set[str]:
    """The interfaces of the root namespace."""
    return {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]).stdout)}


def namespaces() -> set[str]:
    """The named network namespaces."""
    out = run(["ip", "-json", "netns"]).stdout.strip()
    return {entry["name"] for entry in json.loads(out)} if out else set()


def remove(name: str) -> None:
    """Remove every interface and namespace of the lab NAME that exists."""
    whole = make_plan(name, hosts=tuple(EVERY))
    present = namespaces()
    for host in whole.hosts:
        if host.netns in present:
            run(["ip", "netns", "del", host.netns])
    # A namespace that something still holds would keep its end: remove ours by name.
    present = links()
    for link in (*(host.veth for host in whole.hosts), whole.bridge):
        if link in present:
            run(["ip", "link", "del", link], check=False)
