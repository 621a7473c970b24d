"""What a host is asked for a table, and what its answers become."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lxtui.api import Document, Path
from lxtui.errors import HostUnreachableError, NotTrustedError
from lxtui.model import Host, Instance, Kind, Ref
from lxtui.resources.affairs import MEMBERS, OPERATIONS, WARNINGS
from lxtui.resources.catalog import TABLES
from lxtui.resources.images import IMAGES
from lxtui.resources.links import Link, link_from, links_of
from lxtui.resources.page import sections
from lxtui.resources.profiles import PROFILES
from lxtui.resources.reading import entry_from, read_table
from lxtui.resources.storage import POOLS, VOLUMES, pool_share
from lxtui.resources.users import with_users

HOST = Host("h", Kind.LXD, "unix", clustered=True)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
PROJECTS = [
    {"name": "default", "config": {"features.images": "true", "features.profiles": "true"}},
    {"name": "own", "config": {"features.images": "true", "features.profiles": "false"}},
    {"name": "borrowed", "config": {"features.images": "false", "features.profiles": "true"}},
]


class Daemon:
    """Answers by path and project, and remembers what it was asked."""

    def __init__(self, answers: Mapping[Path, Any], *, restricted: bool = False) -> None:
        self.answers = {("projects",): PROJECTS, **answers}
        self.restricted = restricted
        self.asked: list[tuple[Path, str]] = []

    def read(self, path: Path, parameters: Mapping[str, str]) -> Document:
        """One answer."""
        everywhere = parameters.get("all-projects") == "true"
        where = "*" if everywhere else parameters.get("project", "")
        self.asked.append((path, where))
        if everywhere and self.restricted:
            raise NotTrustedError("h: Forbidden")
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return Document(answer(where) if callable(answer) else answer)


def knowing(*extensions: str) -> Host:
    """A host with these extensions."""
    return Host("h", Kind.INCUS, "unix", api_extensions=frozenset(extensions))


def test_all_projects_are_one_question_where_the_daemon_can() -> None:
    """With the extension images are asked for once; their project is what the document says."""
    image = {"fingerprint": "ab" * 32, "project": "own"}
    daemon = Daemon({("images",): [image]})
    (entry,) = read_table(IMAGES, knowing("images_all_projects"), daemon.read)
    assert daemon.asked == [(("images",), "*")]
    assert entry.ref == Ref("h", "own", "ab" * 32)


def test_each_project_with_its_own_is_asked_where_the_daemon_cannot() -> None:
    """Without it the projects with images of their own are asked; the borrower shows no copies."""
    daemon = Daemon({("images",): lambda where: [{"fingerprint": f"{where}-1"}]})
    entries = read_table(IMAGES, knowing(), daemon.read)
    assert [one.ref for one in entries] == [
        Ref("h", "default", "default-1"),
        Ref("h", "own", "own-1"),
    ]


def test_a_restricted_certificate_asks_for_each_of_its_projects() -> None:
    """Refused over all projects it asks one by one; what is borrowed keeps the project asked."""
    allowed = [PROJECTS[2]]
    daemon = Daemon({("projects",): allowed, ("images",): [{"fingerprint": "f"}]}, restricted=True)
    (entry,) = read_table(IMAGES, knowing("images_all_projects"), daemon.read)
    assert entry.ref == Ref("h", "borrowed", "f")


def test_what_may_not_be_seen_is_said() -> None:
    """A refusal names the table and stays a matter of permission; no answer stays no answer."""
    refusing = Daemon({("warnings",): NotTrustedError("h: Forbidden")})
    with pytest.raises(NotTrustedError, match="may not see warnings"):
        read_table(WARNINGS, knowing("warnings"), refusing.read)
    dead = Daemon({("warnings",): HostUnreachableError("h: no answer")})
    with pytest.raises(HostUnreachableError):
        read_table(WARNINGS, knowing("warnings"), dead.read)


def test_a_host_without_the_extension_or_cluster_is_not_asked() -> None:
    """No request is made for what a host cannot have, and the reason names it."""
    daemon = Daemon({})
    alone = knowing("projects")
    assert read_table(WARNINGS, alone, daemon.read) == ()
    assert read_table(MEMBERS, alone, daemon.read) == ()
    assert daemon.asked == []
    assert "extension warnings" in WARNINGS.missing(alone)
    assert "cluster" in MEMBERS.missing(alone)


def test_pools_know_how_full_they_are() -> None:
    """Used against size is a percentage; a pool whose space is refused is listed without."""
    space = {"space": {"used": 30, "total": 40}, "inodes": {"used": 1, "total": 4}}
    answers: dict[Path, Any] = {("storage-pools",): [{"name": "p"}, {"name": "q"}]}
    daemon = Daemon(
        {
            **answers,
            ("storage-pools", "p", "resources"): space,
            ("storage-pools", "q", "resources"): NotTrustedError("h: Forbidden"),
        }
    )
    full, unknown = read_table(POOLS, HOST, daemon.read)
    assert pool_share(full) == 75
    assert pool_share(unknown) is None


def test_snapshots_of_volumes_are_counted_not_listed() -> None:
    """``db/s1`` is no line of its own but one of db's snapshots, within its project."""
    custom = {"type": "custom", "project": "default", "location": "none"}
    found = [{**custom, "name": name} for name in ("db", "db/s1", "db/s2", "web")]
    found.append({**custom, "name": "db", "project": "own"})
    daemon = Daemon({("storage-pools",): [{"name": "p"}], ("storage-pools", "p", "volumes"): found})
    entries = read_table(VOLUMES, knowing("storage_volumes_all_projects"), daemon.read)
    counts = {one.ref: one.document["snapshots"] for one in entries}
    assert counts == {
        Ref("h", "default", "p/custom/db"): 2,
        Ref("h", "default", "p/custom/web"): 0,
        Ref("h", "own", "p/custom/db"): 0,
    }


def test_operations_keep_no_secrets() -> None:
    """The websocket secrets of a migration or a console are gone; the progress stays."""
    secret = "ee5adc"
    document = {
        "id": "123",
        "metadata": {"control": secret, "fds": {"0": secret}, "fs_progress": "web: 1.0GB"},
        "resources": {"instances": ["/1.0/instances/web?project=own"]},
    }
    entry = entry_from(OPERATIONS, "h", document)
    assert entry is not None
    assert secret not in str(entry.document)
    progress = OPERATIONS.find("progress")
    assert progress is not None
    assert progress.value(entry, None) == "web: 1.0GB"
    assert entry.ref.project == "own"
    assert entry.users == (Link("instances", Ref("h", "own", "web")),)


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("/1.0/instances/web?project=own", Link("instances", Ref("h", "own", "web"))),
        ("/1.0/instances/web/snapshots/s0", Link("instances", Ref("h", "default", "web"))),
        ("/1.0/containers/web", Link("instances", Ref("h", "default", "web"))),
        ("/1.0/profiles/a%20b", Link("profiles", Ref("h", "default", "a b"))),
        (
            "/1.0/storage-pools/p/volumes/custom/v?project=own",
            Link("volumes", Ref("h", "own", "p/custom/v")),
        ),
        ("/1.0/storage-pools/p", Link("pools", Ref("h", "default", "p"))),
        ("/1.0/network-acls/x", Link("", Ref("h", "default", "/1.0/network-acls/x"))),
        ("", Link("", Ref("h", "default", ""))),
    ],
)
def test_addresses_lead_somewhere(address: str, link: Link) -> None:
    """Every address of used_by becomes a link; one of an unknown kind leads nowhere."""
    assert link_from("h", address) == link


def test_an_instance_leads_to_what_it_is_made_of() -> None:
    """Its profiles, image, network, pool, custom volume and project; a host path is no volume."""
    instance = Instance(
        Ref("h", "own", "web"),
        "Running",
        profiles=("default", "web"),
        expanded_config={"volatile.base_image": "f" * 64},
        expanded_devices={
            "root": {"type": "disk", "path": "/", "pool": "p"},
            "data": {"type": "disk", "path": "/data", "pool": "p", "source": "v"},
            "host": {"type": "disk", "path": "/srv", "source": "/srv"},
            "eth0": {"type": "nic", "network": "br0"},
        },
    )
    found = [(one.table, one.ref.name) for one in links_of(instance)]
    assert found == [
        ("profiles", "default"),
        ("profiles", "web"),
        ("images", "f" * 64),
        ("pools", "p"),
        ("volumes", "p/custom/v"),
        ("networks", "br0"),
        ("projects", "own"),
    ]


def test_images_know_what_was_made_of_them() -> None:
    """The instances of the same host with that base image use it, and no others."""
    image = entry_from(IMAGES, "h", {"fingerprint": "f"})
    assert image is not None
    config = {"volatile.base_image": "f"}
    mine, other = (
        Instance(Ref(host, "default", "web"), "Running", expanded_config=config)
        for host in ("h", "elsewhere")
    )
    (found,) = with_users(IMAGES, [image], [mine, other])
    assert found.users == (Link("instances", mine.ref),)


@pytest.mark.parametrize("table", [one for one in TABLES if one.source], ids=lambda one: one.id)
@pytest.mark.parametrize(
    "value",
    [None, [], {}, "text", 7, -1, True, [None], {"a": 1}, "\x1b[2J", ["\x1b]0;x\x07"]],
    ids=repr,
)
def test_odd_documents_are_not_known(table: Any, value: Any) -> None:
    """Whatever a daemon writes at any key, the line and its page can be shown, without escapes."""
    keys = ("config", "aliases", "properties", "size", "status", "used_by", "created_at", "devices")
    more = ("metadata", "resources", "entity_url", "location", "project", "severity", "type")
    every = ("roles", "groups", "url", "update_source", "last_seen_at", "progress", "snapshots")
    named = ("name", "fingerprint", "uuid", "id", "server_name")
    document = dict.fromkeys((*keys, *more, *every), value) | dict.fromkeys(named, "x\x1b[1m")
    entry = entry_from(table, "h", {**document, "pool": "p"})
    assert entry is not None
    for _, body in sections(table, entry, [("more", value)], NOW):
        for row in body:
            assert "\x1b" not in str("".join(row))


def test_profiles_without_a_name_are_left_out() -> None:
    """A document that names nothing is no line."""
    daemon = Daemon({("profiles",): [{"config": {}}, {"name": "web"}, None, 3]})
    entries = read_table(PROFILES, knowing("profiles_all_projects"), daemon.read)
    assert [one.ref.name for one in entries] == ["web"]
