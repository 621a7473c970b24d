"""Profiles, and the projects that may have their own.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (Profile, Project).
"""

from __future__ import annotations

from lxtui.columns import Field, Shape, Value
from lxtui.resources.entry import (
    HOST,
    PROJECT,
    USED,
    Entry,
    Json,
    column,
    configured,
    description,
    mapping,
    names,
    told,
)
from lxtui.resources.table import More, Source, Table


def _devices(document: Json) -> Value:
    return tuple(sorted(map(str, mapping(document.get("devices"))))) or None


def _feature(key: str, label: str, rank: int) -> Field[Entry]:
    def get(document: Json) -> Value:
        return (
            "own" if mapping(document.get("config")).get(f"features.{key}") == "true" else "shared"
        )

    return told(
        key.rpartition(".")[2],
        label,
        f"Whether it has {label.lower()} of its own",
        get,
        8,
        rank,
        (),
        6,
    )


PROFILES = Table(
    id="profiles",
    noun="profile",
    help="Profiles, with what uses them",
    fields=(
        names(),
        HOST,
        PROJECT,
        USED,
        column("devices", "DEVICES", "Its devices", Shape.NAMES, _devices, 30, 4, (), 8),
        column(
            "keys",
            "KEYS",
            "How many keys it sets",
            Shape.COUNT,
            lambda one: len(mapping(one.get("config"))),
            4,
            5,
        ),
        told("cpus", "CPUS", "limits.cpu", configured("limits.cpu"), 8, 7, ("cpu",), 4),
        told("memory", "MEMORY", "limits.memory", configured("limits.memory"), 8, 6, ("mem",), 6),
        description(),
    ),
    default=(
        "name",
        "host",
        "project",
        "used-by",
        "devices",
        "keys",
        "cpus",
        "memory",
        "description",
    ),
    name=lambda one: str(one.get("name", "")),
    source=Source(
        ("profiles",),
        everywhere="profiles_all_projects",
        feature="features.profiles",
        by_project=True,
    ),
    path=lambda one: ("profiles", one.ref.name),
    families=frozenset({"profile", "instance"}),
    empty="no host has a profile that we may see",
)

PROJECTS = Table(
    id="projects",
    noun="project",
    help="Projects, with their limits",
    fields=(
        names(),
        HOST,
        USED,
        told(
            "limits.instances",
            "INSTANCES",
            "limits.instances",
            configured("limits.instances"),
            9,
            3,
            ("instances",),
        ),
        told("limits.cpu", "CPUS", "limits.cpu", configured("limits.cpu"), 6, 4, ("cpus",)),
        told(
            "limits.memory",
            "MEMORY",
            "limits.memory",
            configured("limits.memory"),
            8,
            5,
            ("memory",),
        ),
        told("limits.disk", "DISK", "limits.disk", configured("limits.disk"), 8, 6, ("disk",)),
        told(
            "restricted",
            "RESTRICTED",
            "Whether what could harm the host is refused",
            lambda one: "yes" if mapping(one.get("config")).get("restricted") == "true" else None,
            10,
            7,
        ),
        _feature("images", "IMAGES", 8),
        _feature("profiles", "PROFILES", 9),
        _feature("networks", "NETWORKS", 10),
        _feature("storage.volumes", "VOLUMES", 11),
        description(),
    ),
    default=(
        *(
            "name",
            "host",
            "used-by",
            "limits.instances",
            "limits.cpu",
            "limits.memory",
            "limits.disk",
        ),
        *("restricted", "images", "profiles", "networks", "volumes", "description"),
    ),
    name=lambda one: str(one.get("name", "")),
    source=Source(("projects",)),
    path=lambda one: ("projects", one.ref.name),
    families=frozenset({"project", "instance", "image", "profile"}),
    empty="no host has a project that we may see",
    more=(More("usage and limits", lambda one: ("projects", one.ref.name, "state")),),
)
