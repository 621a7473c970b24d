"""What every backend promises: the same tests on the demo fleet, on LXD and on Incus."""

from __future__ import annotations

import os
from threading import Event as Flag
from threading import Thread

import pytest

from lxtui.api import Request
from lxtui.errors import ConflictError, LxtuiError, NotFoundError, OperationError
from lxtui.model import Event, HostStatus, InstanceSpec, Ref, StateAction
from tests.backend.conftest import Side


def test_connect_describes_the_host(side: Side) -> None:
    """Connecting gives the remote's name and kind, and an online host with a version."""
    host = side.backend.connect()
    assert (host.name, host.kind) == (side.backend.remote.name, side.backend.remote.kind)
    assert host.status is HostStatus.ONLINE
    assert host.version
    assert host.memory_total


def test_instances_hold_what_was_made(side: Side) -> None:
    """An instance that was made is listed with its state, and found by its reference."""
    ref = side.make(True)
    side.backend.connect()
    listed = {one.ref: one for one in side.backend.instances()}
    assert listed[ref].running
    assert listed[ref].cpu_ns is not None
    assert side.backend.instance(ref).ref == ref


def test_unknown_instance_is_not_found(side: Side) -> None:
    """Asking for an instance that is not there raises NotFoundError and names the host."""
    side.backend.connect()
    with pytest.raises(NotFoundError, match=side.backend.remote.name):
        side.backend.instance(Ref(side.backend.remote.name, "default", "no-such-thing"))


def test_a_host_that_is_no_cluster_has_no_members(side: Side) -> None:
    """Which is no error; what clusters say is tried in tests/migrate/test_lab_cluster.py."""
    assert not side.backend.connect().clustered
    assert side.backend.members() == {}


def test_state_changes_take_effect(side: Side) -> None:
    """Start, restart and stop each leave the instance in the state that they name."""
    ref = side.make(False)
    backend = side.backend
    for action, running in (
        (StateAction.START, True),
        (StateAction.RESTART, True),
        (StateAction.STOP, False),
    ):
        backend.wait(backend.change_state(ref, action, force=action is StateAction.STOP))
        assert backend.instance(ref).running is running
        if running:
            side.settle(ref)
    assert backend.instance(ref).stopped


def test_starting_twice_is_refused(side: Side) -> None:
    """Starting what runs raises an error, at once or when the operation ends."""
    ref = side.make(True)
    with pytest.raises(OperationError, match="already running"):
        side.backend.wait(side.backend.change_state(ref, StateAction.START))


def test_snapshots_come_and_go(side: Side) -> None:
    """A snapshot is listed with its instance until it is deleted; restoring it succeeds."""
    ref = side.make(False)
    backend = side.backend
    backend.wait(backend.create_snapshot(ref, "first"))
    assert [one.name for one in backend.instance(ref).snapshots] == ["first"]
    backend.wait(backend.restore_snapshot(ref, "first"))
    backend.wait(backend.delete_snapshot(ref, "first"))
    assert backend.instance(ref).snapshots == ()


def test_snapshot_names_are_unique(side: Side) -> None:
    """A second snapshot of the same name is refused."""
    ref = side.make(False)
    side.backend.wait(side.backend.create_snapshot(ref, "first"))
    with pytest.raises((ConflictError, OperationError)):
        side.backend.wait(side.backend.create_snapshot(ref, "first"))


def test_running_instances_are_not_deleted(side: Side) -> None:
    """Deleting what runs is refused, and the instance goes on."""
    ref = side.make(True)
    with pytest.raises(LxtuiError):
        side.backend.wait(side.backend.delete_instance(ref))
    assert side.backend.instance(ref).running


def test_deleted_instances_are_gone(side: Side) -> None:
    """Deleting a stopped instance removes it."""
    ref = side.make(False)
    side.backend.wait(side.backend.delete_instance(ref))
    with pytest.raises(NotFoundError):
        side.backend.instance(ref)


def test_configuration_keys_are_set_and_removed(side: Side) -> None:
    """set_config changes the named keys and leaves the others."""
    ref = side.make(False)
    before = dict(side.backend.instance(ref).config)
    side.backend.set_config(ref, {"user.test": "yes"})
    assert side.backend.instance(ref).config["user.test"] == "yes"
    side.backend.set_config(ref, {"user.test": None})
    assert dict(side.backend.instance(ref).config) == before


def test_devices_are_put_in_place_of_others(side: Side) -> None:
    """Reconfigure sets keys and replaces the instance's own devices, both at once."""
    ref = side.make(False)
    before = side.backend.instance(ref)
    device = {"type": "none"}
    side.backend.reconfigure(ref, {"user.test": "yes"}, {**before.devices, "odd": device})
    now = side.backend.instance(ref)
    assert now.config["user.test"] == "yes"
    assert now.devices == {**before.devices, "odd": device}
    side.backend.reconfigure(ref, {"user.test": None}, before.devices)
    assert side.backend.instance(ref).devices == before.devices
    assert side.backend.instance(ref).config == before.config


def test_a_key_that_is_set_can_keep_a_writer_away(side: Side) -> None:
    """set_config with *unless* changes nothing where that key is set."""
    ref = side.make(False)
    side.backend.set_config(ref, {"user.test": "first"}, unless="user.test")
    with pytest.raises(ConflictError):
        side.backend.set_config(ref, {"user.test": "second"}, unless="user.test")
    assert side.backend.instance(ref).config["user.test"] == "first"


def test_backups_come_and_go(side: Side) -> None:
    """A backup is listed with its instance, is a tar that ends, and is gone when it is deleted."""
    ref = side.make(False)
    backend = side.backend
    backend.wait(backend.create_backup(ref, "first"))
    assert backend.instance(ref).backups == ("first",)
    with backend.export(ref, "first") as stream:
        data = b""
        while piece := stream.read(1 << 20):
            data += piece
    assert data[257:262] == b"ustar"
    assert data.endswith(bytes(1024))
    backend.wait(backend.delete_backup(ref, "first"))
    assert backend.instance(ref).backups == ()
    with pytest.raises(NotFoundError), backend.export(ref, "first"):
        pass


def test_placement_knows_names_and_root_disk(side: Side) -> None:
    """A placement holds the instances' names and a default profile whose pool exists."""
    ref = side.make(False)
    place = side.backend.placement("default")
    assert ref.name in place.instance_names
    assert place.profiles["default"].devices["root"]["pool"] in place.pools


def test_an_offer_can_be_withdrawn(side: Side) -> None:
    """An offer names the source's addresses and secrets, and can be withdrawn."""
    ref = side.make(False)
    side.backend.connect()
    spec = InstanceSpec(ref, "container", "x86_64", False, "", (), {}, {})
    offer = side.backend.offer(ref, spec)
    assert offer.addresses
    assert {"control", "fs"} <= offer.secrets.keys()
    assert offer.url(offer.addresses[0]).startswith("https://")
    side.backend.cancel(offer.operation)
    side.backend.cancel(offer.operation)  # a second time is no error
    assert side.backend.instance(ref).stopped


@pytest.mark.skipif(not os.environ.get("LXTUI_LONG"), reason="LXTUI_LONG=1: a minute each")
def test_what_is_withdrawn_at_once_ends_no_daemon(side: Side) -> None:
    """LXD 5.0.2 died of about one in fifty."""
    ref = side.make(False)
    side.backend.connect()
    spec = InstanceSpec(ref, "container", "x86_64", False, "", (), {}, {})
    for _ in range(250):
        side.backend.cancel(side.backend.offer(ref, spec).operation)
    assert side.backend.instance(ref).stopped


def test_operations_are_those_of_the_project(side: Side) -> None:
    """An operation is listed with all, and with those of its own project, not with another's."""
    ref = side.make(False)
    side.backend.connect()
    spec = InstanceSpec(ref, "container", "x86_64", False, "", (), {}, {})
    offer = side.backend.offer(ref, spec)
    try:
        here, elsewhere, anywhere = (
            [one.id for one in side.backend.operations(project)]
            for project in ("default", "another", "")
        )
    finally:
        side.backend.cancel(offer.operation)
    assert offer.operation.id in here
    assert offer.operation.id in anywhere
    assert offer.operation.id not in elsewhere


def test_events_tell_of_changes(side: Side) -> None:
    """A change made while somebody listens arrives as an event, and the flag ends the listening."""
    ref = side.make(False)
    side.backend.connect()
    heard: list[Event] = []
    seen, stop = Flag(), Flag()

    def note(event: Event) -> None:
        heard.append(event)
        if event.type == "lifecycle" and ref.name in event.source:
            seen.set()

    listener = Thread(target=side.backend.listen, args=(note, stop))
    listener.start()
    for _ in range(40):  # the stream may not be open yet at the first change
        side.backend.set_config(ref, {"user.test": "now"})
        if seen.wait(0.25):
            break
    stop.set()
    listener.join(5)
    assert seen.is_set()
    assert not listener.is_alive()


def test_what_was_changed_meanwhile_is_not_written_over(side: Side) -> None:
    """A request with the ETag of what was read is carried out, a second one with it refused."""
    ref = side.make(False)
    path, project = ("instances", ref.name), {"project": ref.project}
    found = side.backend.read(path, project)
    assert found.value["name"] == ref.name
    assert found.etag
    written = {**found.value, "config": {**found.value["config"], "user.a": "1"}}
    first = Request("put", path, project, written, found.etag)
    side.backend.wait(side.backend.request(first))
    assert side.backend.instance(ref).config["user.a"] == "1"
    with pytest.raises(ConflictError, match="somebody else"):
        side.backend.request(first)


def test_unknown_documents_are_not_found(side: Side) -> None:
    """A path with nothing behind it is an error, and no part of it is taken for another path."""
    with pytest.raises(NotFoundError):
        side.backend.read(("instances", "no-such-thing"), {"project": "default"})
    for name in ("a/state", "a?b", "ä b", ".."):
        with pytest.raises((NotFoundError, OperationError)):
            side.backend.read(("instances", name), {"project": "default"})
