"""Storage pools and volumes.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (StoragePool, StorageVolume).
"""

from __future__ import annotations

from lxtui.columns import Field, Shape, Value
from lxtui.model import Host
from lxtui.resources.entry import (
    HOST,
    MEMBER,
    PROJECT,
    USED,
    Entry,
    column,
    configured,
    configured_size,
    count,
    description,
    mapping,
    names,
    said,
    told,
    when,
)
from lxtui.resources.table import More, Source, Table


def _space(key: str) -> Field[Entry]:
    told = {"used": "Bytes in use", "total": "Its size"}[key]

    def get(one: Entry, _: Host | None) -> Value:
        return count(mapping(one.beside.get("space")).get(key))

    label = {"used": "SPACE", "total": "SIZE"}[key]
    name = {"used": "space", "total": "size"}[key]
    return Field(name, label, told, Shape.BYTES, get, 9, 4 if key == "used" else 3)


def pool_share(one: Entry, _: Host | None = None) -> float | None:
    """Percent of a pool's size that is in use."""
    space = mapping(one.beside.get("space"))
    used, total = count(space.get("used")), count(space.get("total"))
    return used / total * 100 if used is not None and total else None


def _inode_share(one: Entry, _: Host | None) -> Value:
    inodes = mapping(one.beside.get("inodes"))
    used, total = count(inodes.get("used")), count(inodes.get("total"))
    return used / total * 100 if used is not None and total else None


def volume_path(one: Entry) -> tuple[str, ...]:
    """Where a volume is; its name is ``pool/type/name``."""
    pool, kind, name = one.ref.name.split("/", 2)
    return "storage-pools", pool, "volumes", kind, name


def _part(at: int) -> Field[Entry]:
    name, label, told, rank = (
        ("pool", "POOL", "Its storage pool", 2),
        ("type", "TYPE", "custom, container, virtual-machine, image", 4),
    )[at]
    return Field(
        name,
        label,
        told,
        Shape.TEXT,
        lambda one, _: one.ref.name.split("/", 2)[at],
        16,
        rank,
        (),
        6,
    )


POOLS = Table(
    id="pools",
    noun="storage",
    help="Storage pools, with how full they are",
    fields=(
        names(),
        HOST,
        told("driver", "DRIVER", "dir, zfs, btrfs, lvm, ceph…", said("driver"), 8, 5, (), 5),
        Field("used%", "USED", "Of its size", Shape.PERCENT, pool_share, 5, 2, ("use%", "full")),
        _space("used"),
        _space("total"),
        Field("inodes%", "INODES", "Of its inodes", Shape.PERCENT, _inode_share, 6, 9),
        told("state", "STATE", "Created, Pending, Errored", said("status"), 9, 6, ("status",), 7),
        USED,
        told(
            "source", "SOURCE", "The device, dataset or folder", configured("source"), 40, 8, (), 12
        ),
        description(),
    ),
    default=(
        "name",
        "host",
        "driver",
        "used%",
        "space",
        "size",
        "inodes%",
        "state",
        "used-by",
        "source",
        "description",
    ),
    name=lambda one: str(one.get("name", "")),
    source=Source(("storage-pools",)),
    path=lambda one: ("storage-pools", one.ref.name),
    families=frozenset({"storage-pool", "storage-volume", "instance"}),
    empty="no host has a storage pool",
    more=(More("resources", lambda one: ("storage-pools", one.ref.name, "resources")),),
)

VOLUMES = Table(
    id="volumes",
    noun="volume",
    help="Storage volumes, with what uses them",
    fields=(
        told("name", "NAME", "Its name", said("name"), 40, 0, (), 12),
        HOST,
        PROJECT,
        _part(0),
        _part(1),
        told("content", "CONTENT", "filesystem, block or iso", said("content_type"), 10, 7, (), 5),
        column("size", "SIZE", "Its limit", Shape.BYTES, configured_size("size"), 9, 5),
        column(
            "snapshots",
            "SNAPS",
            "How many snapshots it has",
            Shape.COUNT,
            lambda one: count(one.get("snapshots")),
            5,
            9,
            ("snaps",),
        ),
        column(
            "created", "AGE", "Since it was made", Shape.TIME, when("created_at"), 4, 8, ("age",)
        ),
        USED,
        MEMBER,
        description(),
    ),
    default=(
        "name",
        "host",
        "project",
        "pool",
        "type",
        "content",
        "size",
        "snapshots",
        "created",
        "used-by",
        "location",
        "description",
    ),
    name=lambda one: (
        f"{one['pool']}/{one.get('type', '')}/{one['name']}" if one.get("name") else ""
    ),
    source=Source(
        ("volumes",), everywhere="storage_volumes_all_projects", by_project=True, by_pool=True
    ),
    path=volume_path,
    families=frozenset({"storage-volume", "instance"}),
    empty="no host has a volume that we may see",
    more=(More("state", lambda one: (*volume_path(one), "state")),),
)
