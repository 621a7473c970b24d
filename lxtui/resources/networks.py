"""Networks.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (Network).
"""

from __future__ import annotations

from lxtui.resources.entry import (
    HOST,
    PROJECT,
    USED,
    configured,
    description,
    names,
    said,
    told,
    yes,
)
from lxtui.resources.table import More, Source, Table

NETWORKS = Table(
    id="networks",
    noun="network",
    help="Networks and the hosts' own interfaces",
    fields=(
        names(),
        HOST,
        PROJECT,
        told("type", "TYPE", "bridge, ovn, physical, loopback…", said("type"), 10, 2, (), 6),
        told("managed", "MANAGED", "Whether the daemon looks after it", yes("managed"), 7, 4),
        told("ipv4", "IPV4", "Its subnet", configured("ipv4.address"), 18, 5, ("ip",), 12),
        told("ipv6", "IPV6", "Its subnet", configured("ipv6.address"), 30, 7, ("ip6",), 12),
        told("state", "STATE", "Created, Pending, Errored", said("status"), 9, 6, ("status",), 7),
        USED,
        description(),
    ),
    default=(
        "name",
        "host",
        "project",
        "type",
        "managed",
        "ipv4",
        "ipv6",
        "state",
        "used-by",
        "description",
    ),
    name=lambda one: str(one.get("name", "")),
    source=Source(
        ("networks",),
        everywhere="networks_all_projects",
        feature="features.networks",
        by_project=True,
    ),
    path=lambda one: ("networks", one.ref.name),
    families=frozenset({"network", "instance"}),
    empty="no host has a network that we may see",
    more=(
        More("state", lambda one: ("networks", one.ref.name, "state")),
        More(
            "leases",
            lambda one: ("networks", one.ref.name, "leases"),
            lambda one: one.document.get("managed") is True,
        ),
    ),
)
