"""Two backups of one instance, compared: every file of it and of its snapshots.

Role: what SFTP does not show: extended attributes and snapshots. Both tars are read as they come,
a file at a time, and kept nowhere. Boundary: bytes in, sentences out; what a container chose
(names, contents, attributes) is only ever compared. Threading: blocks its caller; while it
compares, one thread for each end.

The daemons walk folders by name in the order of bytes, so that two tars of equal trees have one
order: index.yaml, then each snapshot, then the instance (seen with LXD 5.0.2 and Incus 6.0.4).
Formats: capabilities(7) and linux/capability.h, linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import IO, Any, cast

from lxtui import format as text
from lxtui.backend.base import Stream
from lxtui.errors import OperationError

_XATTR = "SCHILY.xattr."
_INSTANCE = "container"
_BLOCK = 1024 * 1024
_SHOWN = 5
_PERMISSIONS = 0o7777
_HEAD = 4
"""Bytes before the entries of an ACL (its version), and before a capability's sets."""
_CAPABILITY_SETS = 16
_HOSTS_OWN = frozenset({"security.selinux"})
"""Attributes by which the host labels its disk."""

Key = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a backup."""

    key: Key
    """Its path below the section, in the order in which the daemons walk."""
    section: str
    """``container`` or ``snapshots/NAME``."""
    type: bytes
    mode: int
    owner: tuple[int, int]
    """Inside the instance: the daemons map it."""
    size: int
    link: str
    device: tuple[int, int]
    digest: bytes
    attributes: Mapping[str, bytes]

    @property
    def path(self) -> str:
        """For people, with its snapshot where it is of one."""
        inside = text.path(b"/" + b"/".join(self.key[1:]))
        _, _, snapshot = self.section.partition("/")
        return f"{inside} of snapshot {text.plain(snapshot)}" if snapshot else inside


def items(stream: Stream, check: Callable[[], None]) -> Iterator[Item]:
    """The files of a backup; OperationError when it is none."""
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", stream),
            mode="r|",
            bufsize=_BLOCK,
            encoding="utf-8",
            errors="surrogateescape",
        ) as archive:
            while (member := archive.next()) is not None:
                cast("Any", archive).members.clear()  # it would remember them all
                check()
                item = _item(archive, member, check)
                if item is not None:
                    yield item
    except (tarfile.TarError, EOFError) as error:
        raise OperationError(f"the backup is no tar, or breaks off ({error})") from error


def _item(
    archive: tarfile.TarFile, member: tarfile.TarInfo, check: Callable[[], None]
) -> Item | None:
    parts = member.name.split("/")
    cut = 3 if parts[1:2] == ["snapshots"] else 2
    section, inside = "/".join(parts[1:cut]), parts[cut:]
    # The rest is the daemon's own account of the instance, which verify compares otherwise.
    if not inside or inside[0] != "rootfs":
        return None
    digest = hashlib.sha256()
    if member.isreg() and (content := archive.extractfile(member)) is not None:
        while block := content.read(_BLOCK):
            check()
            digest.update(block)
    return Item(
        key=tuple(_bytes(part) for part in inside),
        section=section,
        type=member.type,
        mode=member.mode & _PERMISSIONS,
        owner=(member.uid, member.gid),
        size=member.size,
        link=member.linkname,
        device=(member.devmajor, member.devminor) if member.isdev() else (0, 0),
        digest=digest.digest(),
        attributes={
            key.removeprefix(_XATTR): plain_attribute(key.removeprefix(_XATTR), _bytes(value))
            for key, value in member.pax_headers.items()
            if key.startswith(_XATTR) and key.removeprefix(_XATTR) not in _HOSTS_OWN
        },
    )


def plain_attribute(name: str, value: bytes) -> bytes:
    """What of an attribute is the instance's own: not where its users are on the host.

    A capability's revision says whether it holds the host's number of the instance's root; the ids
    in an ACL are the host's, too.
    """
    if name == "security.capability" and len(value) >= _HEAD + _CAPABILITY_SETS:
        effective = value[:1]
        return effective + value[_HEAD : _HEAD + _CAPABILITY_SETS]
    if name.startswith("system.posix_acl_") and len(value) % 8 == _HEAD:
        return b"".join(value[at : at + 4] for at in range(_HEAD, len(value), 8))
    return value


def differences(
    source: Stream, target: Stream, check: Callable[[], None], say: Callable[[str], None]
) -> tuple[str, ...]:
    """What differs between two backups, by path and at most a few; empty when all is equal."""
    found: list[str] = []
    last = ""
    ends = (_by_section(source, check), _by_section(target, check))
    with ThreadPoolExecutor(2) as pool:
        while len(found) < _SHOWN:
            here, there = (next(end, None) for end in ends)
            if here is None or there is None:
                if here is not there:
                    raise OperationError("one of the backups has more in it than the other")
                if last != _INSTANCE:  # it comes last; tarfile takes a cut-off tar for a short one
                    raise OperationError("the backups break off before the instance")
                break
            if here[0] != there[0]:
                names = text.plain(f"{here[0]!r} and {there[0]!r}")
                raise OperationError(f"the backups are not in one order: {names}")
            last = here[0]
            say(f"comparing backups: {text.plain(last)}")
            found += _merge(here[1], there[1], pool, _SHOWN - len(found))
    return tuple(found)


def _by_section(stream: Stream, check: Callable[[], None]) -> Iterator[tuple[str, Iterator[Item]]]:
    yield from groupby(items(stream, check), key=lambda one: one.section)


def _merge(
    here: Iterator[Item], there: Iterator[Item], pool: ThreadPoolExecutor, most: int
) -> list[str]:
    """Both in the order of their keys, one step at a time."""
    found: list[str] = []
    one, other = next(here, None), next(there, None)
    while (one or other) and len(found) < most:
        if one is not None and (other is None or one.key < other.key):
            found.append(f"{one.path} is only on the source")
            one = _after(one, here)
        elif other is not None and (one is None or other.key < one.key):
            found.append(f"{other.path} is only on the target")
            other = _after(other, there)
        elif one is not None and other is not None:
            if what := difference(one, other):
                found.append(f"{one.path} {what}")
            steps = pool.submit(_after, one, here), pool.submit(_after, other, there)
            one, other = (step.result() for step in steps)
    return found


def _after(last: Item, rest: Iterator[Item]) -> Item | None:
    item = next(rest, None)
    if item is not None and item.key <= last.key:
        raise OperationError(f"the backup is not in order at {item.path}")
    return item


_DIFFERENCES = {
    "type": "is of another type",
    "mode": "has other permissions",
    "owner": "has another owner",
    "size": "has another size",
    "link": "points elsewhere",
    "device": "is another device",
    "digest": "has another content",
}
"""By field of an ``Item``; the first that differs is said."""


def difference(one: Item, other: Item) -> str:
    """How two files of one path differ; empty when they do not."""
    for field, said in _DIFFERENCES.items():
        if getattr(one, field) != getattr(other, field):
            return said
    names = sorted(
        name
        for name in one.attributes.keys() | other.attributes.keys()
        if one.attributes.get(name) != other.attributes.get(name)
    )
    return f"has another {text.plain(', '.join(names))}" if names else ""


def _bytes(written: str) -> bytes:
    return written.encode("utf-8", "surrogateescape")
