"""The first message of a migration's control channel, changed before the target hears it.

Role: takes configuration keys out of the snapshots in a MigrationHeader, or has rsync offered in
place of what the pools can do between themselves, and leaves every other byte as it is.
Boundary: pure. Threading: functions.

The message is in protobuf's wire format (protobuf.dev, "Encoding"). Of the daemons' MigrationHeader
only this is relied on: field 1 is the kind of transfer that the source would like, 0 being rsync;
field 5 is a snapshot, its field 2 a configuration entry, whose field 1 is the key. Both LXD and
Incus have kept these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_TRANSFER, _RSYNC = 1, 0
_SNAPSHOT, _CONFIG, _KEY = 5, 2, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


class _Field(NamedTuple):
    number: int
    content: bytes | None
    """Of a field with a length; None for numbers."""
    raw: bytes
    """Tag, length and content as they stand in the message."""


def without_snapshot_keys(header: bytes, keys: frozenset[str]) -> bytes:
    """*header* without *keys* in its snapshots' configuration; ValueError when it is no message."""
    names = {key.encode() for key in keys}
    return b"".join(
        _with_content(field.number, _without(field.content, names))
        if field.number == _SNAPSHOT and field.content is not None
        else field.raw
        for field in _fields(header)
    )


def by_rsync(header: bytes) -> bytes:
    """*header* with rsync as the transfer that is offered; ValueError when it is no message."""
    return b"".join(
        _encoded(_TRANSFER << 3 | _VARINT) + _encoded(_RSYNC)
        if field.number == _TRANSFER and field.content is None
        else field.raw
        for field in _fields(header)
    )


def _without(snapshot: bytes, names: set[bytes]) -> bytes:
    return b"".join(
        field.raw
        for field in _fields(snapshot)
        if not (field.number == _CONFIG and field.content is not None)
        or _key(field.content) not in names
    )


def _key(entry: bytes) -> bytes | None:
    return next((field.content for field in _fields(entry) if field.number == _KEY), None)


def _with_content(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _fields(message: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        content: bytes | None = None
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 2:
                length, at = _varint(message, at)
                content = message[at : at + length]
                at += length
            case kind if kind in _FIXED:
                at += _FIXED[kind]
            case kind:
                raise ValueError(f"unknown wire type {kind}")
        if at > len(message):
            raise ValueError("the message is cut short")
        yield _Field(tag >> 3, content, message[begin:at])


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at *at*, seven bits a byte, the lowest first; and where it ends."""
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:  # noqa: PLR2004 no field is longer than 64 bits
            raise ValueError("the message is cut short")
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 the highest bit says that there is more
            return number, at


def _encoded(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:  # noqa: PLR2004 seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
