"""What goes on: cluster members, warnings, operations.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (ClusterMember, Warning, Operation).
"""

from __future__ import annotations

from lxtui import format as words
from lxtui.columns import Field, Shape, Value
from lxtui.resources.entry import (
    HOST,
    MEMBER,
    PROJECT,
    Entry,
    Json,
    column,
    count,
    description,
    items,
    mapping,
    names,
    said,
    text,
    told,
    when,
    yes,
)
from lxtui.resources.table import More, Source, Table

UUID = 8
"""Digits of an operation's or a warning's id that are shown, as git does with its own."""
_SEVERITIES = {"low": 1, "moderate": 2, "high": 3}


def _texts(key: str) -> Field[Entry]:
    def get(document: Json) -> Value:
        return tuple(str(one) for one in items(document.get(key))) or None

    return column(
        key, key.upper(), f"Its {key}", Shape.NAMES, get, 30, 4, (key.removesuffix("s"),), 8
    )


def _address(document: Json) -> Value:
    found = text(document.get("url"))
    return words.address(found) if found else None


def _short(document: Json) -> Value:
    return str(document.get("uuid") or document.get("id") or "")[:UUID]


def _urgency(one: Entry) -> tuple[bool, int]:
    """New ones first, and of those the severest."""
    severity = text(one.document.get("severity")) or ""
    return one.document.get("status") != "new", -_SEVERITIES.get(severity, 0)


def _entity(document: Json) -> Value:
    found = text(document.get("entity_url"))
    return found.removeprefix("/1.0/") if found else None


def _progress(document: Json) -> Value:
    metadata = mapping(document.get("metadata"))
    texts = (text(value) for key, value in metadata.items() if str(key).endswith("_progress"))
    percent = text(mapping(metadata.get("progress")).get("percent"))
    return next(filter(None, texts), None) or (f"{percent}%" if percent else None)


def _resources(document: Json) -> Value:
    urls = [one for group in mapping(document.get("resources")).values() for one in items(group)]
    return ", ".join(str(url).removeprefix("/1.0/") for url in urls) or None


def without_secrets(document: Json) -> Json:
    """An operation without what opens its websockets: of its metadata the progress alone stays."""
    metadata = mapping(document.get("metadata"))
    shown = {
        key: value
        for key, value in metadata.items()
        if key == "progress" or str(key).endswith("_progress")
    }
    return {**document, "metadata": shown}


MEMBERS = Table(
    id="members",
    noun="cluster member",
    help="The members of clusters",
    fields=(
        names(),
        HOST,
        told(
            "state", "STATE", "Online, Offline, Evacuated…", said("status"), 11, 2, ("status",), 7
        ),
        Field(
            "instances",
            "INSTANCES",
            "How many instances are on it",
            Shape.COUNT,
            lambda one, _: len(one.users),
            9,
            3,
        ),
        told("message", "MESSAGE", "What is wrong with it", said("message"), 40, 5, (), 10),
        _texts("roles"),
        told("architecture", "ARCH", "Its architecture", said("architecture"), 8, 7, ("arch",), 4),
        told("domain", "DOMAIN", "Its failure domain", said("failure_domain"), 12, 8, (), 6),
        _texts("groups"),
        told("address", "ADDRESS", "Where it is reached", _address, 24, 6, ("url",), 10),
        description(),
    ),
    default=(
        "name",
        "host",
        "state",
        "instances",
        "message",
        "roles",
        "architecture",
        "domain",
        "address",
        "description",
    ),
    name=lambda one: str(one.get("server_name", "")),
    source=Source(("cluster", "members"), clustered=True),
    path=lambda one: ("cluster", "members", one.ref.name),
    families=frozenset({"cluster"}),
    empty="no host is part of a cluster",
    more=(More("state", lambda one: ("cluster", "members", one.ref.name, "state")),),
)

WARNINGS = Table(
    id="warnings",
    noun="warning",
    help="What the daemons warn of",
    fields=(
        told("name", "ID", "The first digits of its id", _short, 8, 0, ("id", "uuid"), 8),
        HOST,
        told("severity", "SEVERITY", "low, moderate or high", said("severity"), 8, 2, (), 8),
        told(
            "state", "STATE", "new, acknowledged or resolved", said("status"), 12, 3, ("status",), 8
        ),
        told("type", "WARNING", "What of", said("type"), 44, 4, ("warning",), 12),
        told("message", "MESSAGE", "The last words", said("last_message"), 60, 5, (), 12),
        column(
            "count", "COUNT", "How often", Shape.COUNT, lambda one: count(one.get("count")), 5, 7
        ),
        column(
            "last-seen",
            "LAST",
            "Since it was seen",
            Shape.TIME,
            when("last_seen_at"),
            4,
            6,
            ("seen", "last"),
        ),
        column(
            "first-seen",
            "FIRST",
            "Since it was first seen",
            Shape.TIME,
            when("first_seen_at"),
            5,
            11,
            ("age", "first"),
        ),
        told("about", "ABOUT", "What it is about", _entity, 30, 10, ("entity",), 8),
        PROJECT,
        MEMBER,
    ),
    default=(
        "name",
        "host",
        "severity",
        "state",
        "type",
        "message",
        "count",
        "last-seen",
        "about",
        "location",
    ),
    name=lambda one: str(one.get("uuid", "")),
    source=Source(("warnings",), extension="warnings"),
    path=lambda one: ("warnings", one.ref.name),
    families=frozenset({"warning"}),
    order=_urgency,
    empty="no host warns of anything",
)

OPERATIONS = Table(
    id="operations",
    noun="operation",
    help="What the daemons work at",
    fields=(
        told("name", "ID", "The first digits of its id", _short, 8, 0, ("id", "uuid"), 8),
        HOST,
        PROJECT,
        told("description", "DESCRIPTION", "What it does", said("description"), 34, 2, (), 12),
        told("state", "STATE", "Running, Success, Failure…", said("status"), 10, 3, ("status",), 7),
        told("progress", "PROGRESS", "How far it is", _progress, 34, 4, (), 10),
        told("about", "ABOUT", "What it is about", _resources, 30, 5, ("resources",), 10),
        column("created", "AGE", "Since it began", Shape.TIME, when("created_at"), 4, 6, ("age",)),
        told(
            "may-cancel",
            "CANCEL",
            "Whether it can be cancelled",
            yes("may_cancel"),
            6,
            7,
            ("cancel",),
        ),
        told("class", "CLASS", "task, websocket or token", said("class"), 9, 10, (), 5),
        told("error", "ERROR", "Why it failed", said("err"), 40, 8, (), 10),
        MEMBER,
    ),
    default=(
        "name",
        "host",
        "project",
        "description",
        "state",
        "progress",
        "about",
        "created",
        "may-cancel",
        "error",
        "location",
    ),
    name=lambda one: str(one.get("id", "")),
    source=Source(("operations",), everywhere="operations_get_query_all_projects", by_project=True),
    path=lambda one: ("operations", one.ref.name),
    families=frozenset({"operation"}),
    empty="no host works at anything",
)
