"""The hosts themselves.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (Server).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from lxtui import format as words
from lxtui.columns import Shape, Value
from lxtui.model import FleetSnapshot, Host, Instance, Ref
from lxtui.resources.entry import (
    Entry,
    Json,
    column,
    count,
    moment,
    names,
    said,
    text,
    told,
    yes,
)
from lxtui.resources.links import Link
from lxtui.resources.table import Table


def _place(document: Json) -> Value:
    found = text(document.get("address"))
    return words.address(found) if found else None


HOSTS = Table(
    id="hosts",
    noun="remote",
    help="The hosts themselves",
    fields=(
        names(),
        told(
            "state", "STATE", "online, offline, untrusted…", said("status"), 11, 1, ("status",), 7
        ),
        told("kind", "KIND", "lxd or incus", said("kind"), 5, 2),
        told("version", "VERSION", "Of the daemon", said("version"), 9, 3, (), 5),
        told("address", "ADDRESS", "Where it is", _place, 36, 5, (), 10),
        told("project", "PROJECT", "The remote's own", said("project"), 16, 12, (), 7),
        column(
            "running",
            "RUNNING",
            "How many of its instances run",
            Shape.COUNT,
            lambda one: count(one.get("running")),
            7,
            6,
        ),
        column(
            "instances",
            "INSTANCES",
            "How many it has",
            Shape.COUNT,
            lambda one: count(one.get("instances")),
            9,
            4,
        ),
        column(
            "cpus", "CPUS", "Its processors", Shape.COUNT, lambda one: count(one.get("cpus")), 4, 8
        ),
        column(
            "memory",
            "MEMORY",
            "Its memory",
            Shape.BYTES,
            lambda one: count(one.get("memory")),
            8,
            7,
            ("mem",),
        ),
        told("cluster", "CLUSTER", "Whether it is part of one", yes("clustered"), 7, 10),
        told(
            "read-only",
            "ONLY READ",
            "Whether nothing on it may be changed",
            yes("read_only"),
            9,
            11,
        ),
        column(
            "seen",
            "SEEN",
            "Since it was listed",
            Shape.TIME,
            lambda one: moment(one.get("seen_at")),
            4,
            9,
            ("age",),
        ),
        told("error", "ERROR", "Why it does not answer", said("error"), 60, 13, (), 10),
    ),
    default=(
        *("name", "state", "kind", "version", "address", "running", "instances", "cpus", "memory"),
        *("cluster", "read-only", "seen", "error"),
    ),
    name=lambda one: str(one.get("name", "")),
    source=None,
    path=lambda _: (),
    families=frozenset(),
    empty="no host: 'lxtui hosts add NAME ADDRESS' adds one",
)


def host_entries(fleet: FleetSnapshot) -> tuple[Entry, ...]:
    """The hosts as lines of their table."""
    by_host: dict[str, list[Instance]] = {host.name: [] for host in fleet.hosts}
    for one in fleet.instances:
        by_host.setdefault(one.ref.host, []).append(one)
    return tuple(_host_entry(host, by_host[host.name]) for host in fleet.hosts)


def _host_entry(host: Host, instances: Iterable[Instance]) -> Entry:
    mine = list(instances)
    document: Mapping[str, object] = {
        "name": host.name,
        "kind": host.kind.value,
        "status": host.status.value,
        "version": host.version,
        "address": host.address,
        "server_name": host.server_name,
        "project": host.project,
        "instances": len(mine) if host.seen_at is not None else None,
        "running": sum(one.running for one in mine) if host.seen_at is not None else None,
        "cpus": host.cpus,
        "memory": host.memory_total,
        "clustered": host.clustered,
        "read_only": host.read_only,
        "seen_at": _iso(host.seen_at),
        "error": host.error,
        "architectures": list(host.architectures),
        "addresses": list(host.addresses),
    }
    users = tuple(sorted(Link("instances", one.ref) for one in mine))
    return Entry("hosts", Ref(host.name, "default", host.name), document, users=users)


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when is not None else None
