"""The tables of what is not an instance: the same on the demo fleet, on LXD and on Incus."""

from __future__ import annotations

from threading import Event as Flag

import pytest

from lxtui.api import Request
from lxtui.backend.demo import DemoBackend
from lxtui.backend.demo_things import furnish
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import shown
from lxtui.errors import ConflictError, LxtuiError, NotFoundError, OperationError
from lxtui.model import Profile
from lxtui.perform import perform
from lxtui.resources.affairs import MEMBERS, OPERATIONS, WARNINGS
from lxtui.resources.catalog import TABLES, named
from lxtui.resources.deeds import DEEDS_BY_ID, editable
from lxtui.resources.entry import Entry
from lxtui.resources.images import IMAGES, aliases
from lxtui.resources.links import Link, links_of
from lxtui.resources.networks import NETWORKS
from lxtui.resources.profiles import PROFILES, PROJECTS
from lxtui.resources.reading import more, read_table
from lxtui.resources.storage import POOLS, VOLUMES, pool_share
from lxtui.resources.table import Table
from lxtui.resources.users import with_users
from tests.backend.conftest import Side


@pytest.fixture(autouse=True)
def _furnished(side: Side) -> None:
    if isinstance(side.backend, DemoBackend):
        furnish(side.backend._fleet)


def read(side: Side, table: Table) -> list[Entry]:
    """The table as it is now."""
    return list(read_table(table, side.backend.connect(), side.backend.read))


def found(side: Side, table: Table, name: str) -> Entry:
    """One entry by its name."""
    return next(one for one in read(side, table) if one.ref.name == name)


def do(side: Side, deed: str, entry: Entry, answer: str = "") -> None:
    """Carry a deed out, as the screen and the verbs do, if it is not refused before."""
    chosen = DEEDS_BY_ID[deed]
    assert chosen.why_not(entry, side.backend.connect()) == ""
    name = side.backend.remote.name
    perform(chosen.build(entry, answer), {name: side.backend}, lambda _: None, Flag())


def test_every_table_is_read(side: Side) -> None:
    """Each has at least what every host has; all names and projects are there."""
    side.make(False)
    for table in TABLES:
        entries = read(side, table)
        if table not in {MEMBERS, OPERATIONS} and table.source is not None:
            assert entries, table.id
        assert all(one.ref.name and one.ref.project for one in entries)


def test_an_instance_and_its_things_lead_to_each_other(side: Side) -> None:
    """What an instance is made of is in the tables, and says that the instance uses it."""
    ref = side.make(False)
    instance = side.backend.instance(ref)
    back = Link("instances", ref)
    links = [one for one in links_of(instance) if one.table in {"profiles", "networks", "pools"}]
    assert {one.table for one in links} == {"profiles", "networks", "pools"}
    for link in links:
        entry = found(side, named(link.table), link.ref.name)
        assert back in entry.users, link
    volumes = {one.ref.name: one for one in read(side, VOLUMES)}
    assert back in volumes[f"default/container/{ref.name}"].users


def test_pools_have_a_size_and_details(side: Side) -> None:
    """How full a pool is, is known; its page has its space."""
    pool = found(side, POOLS, "default")
    share = pool_share(pool)
    assert share is not None
    assert 0 < share < 100
    ((title, value),) = more(POOLS, pool, side.backend.read)
    assert title == "resources"
    assert value["space"]["total"] > 0


def test_a_profile_comes_and_goes(side: Side) -> None:
    """One that was made is there; it is deleted; the default one is refused before it is asked."""
    profile = Profile(config={"limits.cpu": "1"}, description="for a test")
    side.backend.create_profile("default", "tables-test", profile)
    entry = found(side, PROFILES, "tables-test")
    assert entry.users == ()
    assert entry.document["description"] == "for a test"
    do(side, "entry-delete", entry)
    assert "tables-test" not in {one.ref.name for one in read(side, PROFILES)}
    default = found(side, PROFILES, "default")
    assert DEEDS_BY_ID["entry-delete"].why_not(default, side.backend.connect())


def test_what_is_in_use_is_refused_by_the_daemon_too(side: Side) -> None:
    """What we refuse to delete because it is in use, the daemon refuses."""
    side.make(False)
    default = found(side, PROFILES, "default")
    name = side.backend.remote.name
    call = DEEDS_BY_ID["entry-delete"].build(default, "")
    with pytest.raises(LxtuiError):
        perform(call, {name: side.backend}, lambda _: None, Flag())
    assert found(side, PROFILES, "default")


def test_a_volume_comes_and_goes(side: Side) -> None:
    """A custom volume that was made is in the table with its size, and can be deleted."""
    body = {"name": "tables-test", "type": "custom", "config": {}, "description": "for a test"}
    path = ("storage-pools", "default", "volumes", "custom")
    side.backend.wait(side.backend.request(Request("post", path, {"project": "default"}, body)))
    entry = found(side, VOLUMES, "default/custom/tables-test")
    assert entry.users == ()
    assert entry.document["snapshots"] == 0
    do(side, "entry-delete", entry)
    with pytest.raises(NotFoundError):
        side.backend.read((*path, "tables-test"), {"project": "default"})


def test_aliases_come_and_go(side: Side) -> None:
    """An alias is added to an image and removed; the same one twice is refused."""
    image = read(side, IMAGES)[0]
    before = aliases(image.document)
    do(side, "alias-add", image, "tables/test")
    now = found(side, IMAGES, image.ref.name)
    assert set(aliases(now.document)) == {*before, "tables/test"}
    with pytest.raises(LxtuiError):
        do(side, "alias-add", image, "tables/test")
    do(side, "alias-remove", now, "tables/test")
    assert aliases(found(side, IMAGES, image.ref.name).document) == before


def test_images_know_their_instances(side: Side) -> None:
    """An instance that was made from an image is among its users."""
    ref = side.make(False)
    base = side.backend.instance(ref).expanded_config.get("volatile.base_image")
    if base is None:
        pytest.skip("this instance was made without an image")
    instances = side.backend.instances()
    image = next(
        one for one in with_users(IMAGES, read(side, IMAGES), instances) if one.ref.name == base
    )
    assert Link("instances", ref) in image.users


def test_a_warning_is_acknowledged_and_deleted(side: Side) -> None:
    """It stays with another state, then it is gone."""
    warning = next(one for one in read(side, WARNINGS) if one.document["status"] == "new")
    do(side, "warning-acknowledge", warning)
    now = found(side, WARNINGS, warning.ref.name)
    assert now.document["status"] == "acknowledged"
    assert DEEDS_BY_ID["warning-acknowledge"].why_not(now, side.backend.connect())
    do(side, "entry-delete", now)
    assert warning.ref.name not in {one.ref.name for one in read(side, WARNINGS)}


def test_unknown_operations_are_not_cancelled(side: Side) -> None:
    """Cancelling one that is not there is an error."""
    path = ("operations", "00000000-0000-4000-8000-000000000000")
    with pytest.raises(NotFoundError):
        side.backend.wait(side.backend.request(Request("delete", path)))


def test_running_operations_are_listed_without_secrets(side: Side) -> None:
    """A shell that waits for us is a line that leads to its instance, without what opens it."""
    if isinstance(side.backend, DemoBackend):
        pytest.skip("the demo fleet has no shells")
    ref = side.make(True)
    body = {"command": ["sleep", "20"], "wait-for-websocket": True, "interactive": False}
    path = ("instances", ref.name, "exec")
    begun = side.backend.request(Request("post", path, {"project": "default"}, body))
    assert begun.metadata["fds"]
    entry = found(side, OPERATIONS, begun.id)
    assert entry.users == (Link("instances", ref),)
    assert entry.document["metadata"] == {}


def test_networks_say_who_looks_after_them(side: Side) -> None:
    """A managed network has a subnet; the host's own cannot be deleted from here."""
    networks = read(side, NETWORKS)
    managed = [one for one in networks if one.document.get("managed") is True]
    own = [one for one in networks if one.document.get("managed") is not True]
    assert managed
    assert own
    host = side.backend.connect()
    assert "host's own" in DEEDS_BY_ID["entry-delete"].why_not(own[0], host)


def test_projects_are_shown_apart(side: Side) -> None:
    """A profile of a project of its own is a line of its own, and so is the project."""
    if isinstance(side.backend, DemoBackend):
        project = "staging"  # it has one
    else:
        project = "tables-test"
        config = {"features.profiles": "true", "features.images": "false"}
        body = {"name": project, "description": "", "config": config}
        side.backend.request(Request("post", ("projects",), {}, body))
    try:
        assert project in {one.ref.name for one in read(side, PROJECTS)}
        defaults = [one.ref.project for one in read(side, PROFILES) if one.ref.name == "default"]
        assert sorted(defaults) == sorted(["default", project])
        prints = [one.ref for one in read(side, IMAGES)]
        assert len(prints) == len(set(prints))
        assert {one.project for one in prints} == {"default"}
    finally:
        if not isinstance(side.backend, DemoBackend):
            do(side, "entry-delete", found(side, PROJECTS, project))


def test_what_is_not_there_is_an_error(side: Side) -> None:
    """Refreshing an image without a source is refused, here or there."""
    image = read(side, IMAGES)[0]
    bare = Entry(image.table, image.ref, {**image.document, "update_source": {}})
    assert DEEDS_BY_ID["image-refresh"].why_not(bare, side.backend.connect())
    if not isinstance(side.backend, DemoBackend):
        call = DEEDS_BY_ID["image-refresh"].build(image, "")
        with pytest.raises((OperationError, NotFoundError)):
            side.backend.wait(side.backend.request(call.request))


def test_a_network_is_edited_and_overwrites_nobody(side: Side) -> None:
    """A key is added with the ETag of what was read; with the ETag of before it is refused."""
    network = next(one for one in read(side, NETWORKS) if one.document.get("managed") is True)
    what = editable(network)
    assert what is not None
    before = side.backend.read(what.path, what.parameters)
    text = shown(what, before.value)
    after = {**text, "config": {**text["config"], "user.tables": "yes"}}
    call = PutDocument(what, before, after)
    assert "network set" in call.equivalent(side.backend.connect().kind)
    side.backend.wait(side.backend.request(call.request))
    now = found(side, NETWORKS, network.ref.name)
    assert now.document["config"]["user.tables"] == "yes"
    with pytest.raises(ConflictError):
        side.backend.wait(side.backend.request(PutDocument(what, before, text).request))
    again = side.backend.read(what.path, what.parameters)
    side.backend.wait(side.backend.request(PutDocument(what, again, text).request))
    assert "user.tables" not in found(side, NETWORKS, network.ref.name).document["config"]


def test_pools_and_projects_are_edited(side: Side) -> None:
    """A key of theirs is set and taken away again."""
    if isinstance(side.backend, DemoBackend):
        pytest.skip("the demo's pools and projects are fixed")
    for table in (POOLS, PROJECTS):
        what = editable(found(side, table, "default"))
        assert what is not None
        for value in ("yes", None):
            before = side.backend.read(what.path, what.parameters)
            text = shown(what, before.value)
            config = {key: one for key, one in text["config"].items() if key != "user.tables"}
            config |= {"user.tables": value} if value else {}
            call = PutDocument(what, before, {**text, "config": config})
            side.backend.wait(side.backend.request(call.request))
            now = found(side, table, "default")
            assert now.document["config"].get("user.tables") == value
