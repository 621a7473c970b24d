"""Images.

Role: the description of the table. Boundary: data and pure functions. Threading: values.
Source: doc/rest-api.yaml of LXD and of Incus (Image).
"""

from __future__ import annotations

from lxtui.columns import Shape, Value
from lxtui.resources.entry import (
    HOST,
    PROJECT,
    USED,
    Json,
    column,
    count,
    items,
    mapping,
    moment,
    said,
    text,
    told,
    when,
    yes,
)
from lxtui.resources.table import Source, Table

FINGERPRINT = 12
"""Digits of a fingerprint that are shown, as the command lines do."""


def aliases(document: Json) -> tuple[str, ...]:
    """An image's aliases."""
    found = (text(mapping(one).get("name")) for one in items(document.get("aliases")))
    return tuple(one for one in found if one)


def _alias(document: Json) -> Value:
    return ", ".join(aliases(document)) or str(document.get("fingerprint", ""))[:FINGERPRINT]


def _image_words(document: Json) -> tuple[str, ...]:
    properties = mapping(document.get("properties"))
    return tuple(str(one) for one in (*properties.values(), *aliases(document)))


def _described(document: Json) -> Value:
    properties = mapping(document.get("properties"))
    parts = (text(properties.get(key)) for key in ("os", "release", "variant"))
    return text(properties.get("description")) or " ".join(filter(None, parts)) or None


def _origin(document: Json) -> Value:
    source = mapping(document.get("update_source"))
    where = text(source.get("server"))
    return f"{where} {source.get('alias', '')}".strip() if where else None


def _expires(document: Json) -> Value:
    found = moment(document.get("expires_at"))
    return f"{found:%Y-%m-%d}" if found is not None else None


IMAGES = Table(
    id="images",
    noun="image",
    help="Images, with their aliases, sizes and ages",
    fields=(
        told("name", "ALIAS", "Its aliases, or its fingerprint", _alias, 40, 0, ("alias",), 12),
        HOST,
        PROJECT,
        told(
            "fingerprint",
            "FINGERPRINT",
            "The first digits of its fingerprint",
            lambda one: str(one.get("fingerprint", ""))[:FINGERPRINT],
            12,
            6,
            ("fp",),
            12,
        ),
        told("description", "DESCRIPTION", "What it holds", _described, 44, 5, ("os",), 10),
        told("type", "TYPE", "Container or VM", said("type"), 15, 9, (), 9),
        told("architecture", "ARCH", "Its architecture", said("architecture"), 8, 10, ("arch",), 4),
        column(
            "size",
            "SIZE",
            "As it was downloaded",
            Shape.BYTES,
            lambda one: count(one.get("size")),
            9,
            2,
        ),
        column(
            "uploaded",
            "AGE",
            "Since it came to this host",
            Shape.TIME,
            when("uploaded_at"),
            4,
            4,
            ("age",),
        ),
        column("created", "MADE", "Since it was made", Shape.TIME, when("created_at"), 4, 13),
        column(
            "last-used",
            "USED",
            "Since an instance was made of it",
            Shape.TIME,
            when("last_used_at"),
            4,
            7,
            ("used",),
        ),
        told("expires", "EXPIRES", "When it may be removed", _expires, 10, 16),
        USED,
        told("public", "PUBLIC", "Whether anybody may have it", yes("public"), 6, 14),
        told("auto-update", "UPDATES", "Whether it follows its source", yes("auto_update"), 7, 11),
        told(
            "cached", "CACHED", "Whether it came by itself, for an instance", yes("cached"), 6, 15
        ),
        told("source", "SOURCE", "Where it follows", _origin, 40, 17, (), 10),
    ),
    default=(
        *("name", "host", "project", "fingerprint", "description", "type", "architecture"),
        *("size", "uploaded", "last-used", "used-by", "auto-update"),
    ),
    name=lambda one: str(one.get("fingerprint", "")),
    source=Source(
        ("images",), everywhere="images_all_projects", feature="features.images", by_project=True
    ),
    path=lambda one: ("images", one.ref.name),
    families=frozenset({"image"}),
    empty="no host has an image",
    words=_image_words,
)
