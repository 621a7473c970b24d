"""The REST API's JSON as model values."""

from __future__ import annotations

import pytest

from lxtui.backend import wire
from lxtui.model import HostStatus, Kind, Member, Ref, Remote

_ENTRY = {
    "name": "web1",
    "project": "shop",
    "status": "Running",
    "type": "container",
    "architecture": "x86_64",
    "created_at": "2026-11-20T10:11:12.123456789Z",
    "profiles": ["default"],
    "config": {"limits.memory": "256MiB"},
    "expanded_config": {"limits.memory": "256MiB"},
    "devices": {},
    "expanded_devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
    "snapshots": [
        {"name": "web1/daily", "created_at": "0001-01-01T00:00:00Z", "config": {"a": "b"}}
    ],
    "state": {
        "cpu": {"usage": 5_000_000_000},
        "memory": {"usage": 1000, "swap_usage": 20},
        "disk": {"root": {"usage": 4096}},
        "processes": 3,
        "network": {
            "lo": {"addresses": [{"family": "inet", "address": "127.0.0.1", "scope": "local"}]},
            "eth0": {
                "addresses": [
                    {"family": "inet", "address": "10.0.0.2", "scope": "global"},
                    {"family": "inet6", "address": "fe80::1", "scope": "link"},
                    {"family": "inet6", "address": "fd00::2", "scope": "global"},
                ]
            },
        },
    },
}


def test_an_instance_is_read_whole() -> None:
    """Every member of the model comes from the entry; link-local addresses are left out."""
    instance = wire.instance_from("h", _ENTRY, 2**30)
    assert instance.ref == Ref("h", "shop", "web1")
    assert instance.running
    assert instance.created_at is not None
    assert instance.created_at.microsecond == 123456
    assert (instance.ipv4, instance.ipv6) == (("10.0.0.2",), ("fd00::2",))
    assert (instance.cpu_ns, instance.memory, instance.processes) == (5_000_000_000, 1000, 3)
    assert (instance.memory_limit, instance.swap) == (256 * 2**20, 20)
    assert instance.disk == 4096
    (snapshot,) = instance.snapshots
    assert (snapshot.name, snapshot.created_at, dict(snapshot.config)) == (
        "daily",
        None,
        {"a": "b"},
    )


@pytest.mark.parametrize(
    "state", [None, [], {"cpu": None, "network": None, "disk": {"root": None}}]
)
def test_a_missing_or_odd_state_is_not_known(state: object) -> None:
    """A state of another shape gives an instance without numbers, never an exception."""
    instance = wire.instance_from("h", {**_ENTRY, "state": state}, None)
    assert (instance.cpu_ns, instance.memory, instance.ipv4, instance.disk) == (
        None,
        None,
        (),
        None,
    )


def test_unknown_usage_is_none() -> None:
    """The daemons' -1 means that they do not know."""
    entry = {**_ENTRY, "state": {"cpu": {"usage": -1}, "processes": -1}}
    instance = wire.instance_from("h", entry, None)
    assert (instance.cpu_ns, instance.processes) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web1: 2.81GB (87.43MB/s)", (2_810_000_000, 87_430_000)),
        ("rootfs: 512B", (512, None)),
        ("nothing to see", (None, None)),
    ],
)
def test_progress_text_gives_numbers(text: str, expected: tuple[int | None, int | None]) -> None:
    """The daemons' progress text is read as bytes and bytes a second."""
    assert wire.progress_numbers(text) == expected


def test_a_copy_is_not_taken_for_the_image_before_it() -> None:
    """While files are copied, the numbers of the image that was unpacked first do not count."""
    unpacking = {
        "create_instance_from_image_unpack_progress": "Unpacking image: 100% (283.07MB/s)",
        "progress": {"percent": "100", "speed": "283068946"},
    }
    first = wire.operation_from("h", {"id": "1", "metadata": unpacking})
    assert (first.processed, first.rate, first.percent) == (None, 283068946, 100)
    copying = {**unpacking, "fs_progress": "web2: 192.31MB (48.05MB/s)"}
    then = wire.operation_from("h", {"id": "1", "metadata": copying})
    assert (then.processed, then.rate, then.percent) == (192_310_000, 48_050_000, None)


def test_only_known_secrets_are_kept() -> None:
    """A migration's secrets are the websockets' alone, whatever else the metadata hold."""
    operation = wire.operation_from(
        "h", {"id": "1", "metadata": {"control": "a", "fs": "b", "entity_url": "/1.0/x"}}
    )
    assert wire.migration_secrets(operation) == {"control": "a", "fs": "b"}
    assert "entity_url" not in repr(operation)


def test_a_server_without_resources_is_a_host() -> None:
    """A restricted certificate sees no resources; the host is online all the same."""
    server = {"environment": {"server_version": "6.1"}, "api_extensions": ["a"]}
    host = wire.host_from(Remote("h", Kind.INCUS, "https://h:8443"), server, {})
    assert (host.status, host.version, host.memory_total) == (HostStatus.ONLINE, "6.1", None)


def test_members_of_odd_shapes_are_left_out() -> None:
    """What has no name is no member; what is missing or odd of one is not known."""
    found = wire.members_from(
        [
            {"server_name": "m1", "status": "Online", "roles": ["database"], "message": "well"},
            {"server_name": "m2", "roles": 7},
            {"status": "Online"},
            "m3",
        ]
    )
    assert found == {"m1": Member("Online", "", "well", ("database",)), "m2": Member("")}
    assert wire.members_from({"server_name": "m1"}) == {}
