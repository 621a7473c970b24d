"""SFTP's version 3 in bytes.

Role: numbers, strings, names and attributes ↔ the wire. Boundary: pure; what a server sends is
checked for its lengths, and names stay bytes. Threading: functions.

Source of the format: draft-ietf-secsh-filexfer-02.
"""

from __future__ import annotations

import struct

from lxtui.errors import OperationError
from lxtui.model import FileEntry

NUMBER = struct.Struct(">I")
LONG = struct.Struct(">Q")
_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 1, 2, 4, 8, 0x80000000


def string(data: bytes) -> bytes:
    """With its length before it."""
    return NUMBER.pack(len(data)) + data


def number(body: bytes, at: int) -> int:
    """The number at *at*; OperationError when there is none."""
    try:
        found: int = NUMBER.unpack_from(body, at)[0]
    except struct.error as error:
        raise OperationError("the file server's answer is cut short") from error
    return found


def take_string(body: bytes, at: int) -> tuple[bytes, int]:
    """The string at *at*, and where it ends."""
    length = number(body, at)
    begin = at + NUMBER.size
    if begin + length > len(body):
        raise OperationError("the file server's answer is cut short")
    return body[begin : begin + length], begin + length


def names(body: bytes, *, with_attributes: bool = True) -> list[FileEntry]:
    """The entries of a NAME answer; a link's target comes as a name without attributes."""
    at = NUMBER.size
    found = []
    for _ in range(number(body, 0)):
        name, at = take_string(body, at)
        _, at = take_string(body, at)
        entry, at = attributes(name, body, at)
        found.append(entry if with_attributes else FileEntry(name))
    return found


def attributes(name: bytes, body: bytes, at: int = 0) -> tuple[FileEntry, int]:
    """What is said of *name* at *at*, and where that ends."""
    flags, at = number(body, at), at + 4
    size = uid = gid = mode = modified = 0
    if flags & _HAS_SIZE:
        size, at = number(body, at) << 32 | number(body, at + 4), at + 8
    if flags & _HAS_OWNER:
        uid, gid, at = number(body, at), number(body, at + 4), at + 8
    if flags & _HAS_MODE:
        mode, at = number(body, at), at + 4
    if flags & _HAS_TIMES:
        modified, at = number(body, at + 4), at + 8
    if flags & _HAS_MORE:
        count, at = number(body, at), at + 4
        for _ in range(2 * count):
            _, at = take_string(body, at)
    return FileEntry(name, mode, uid, gid, size, modified), at


def times(seconds: int) -> bytes:
    """Attributes that set both times."""
    return NUMBER.pack(_HAS_TIMES) + NUMBER.pack(seconds) * 2


def owner(uid: int, gid: int) -> bytes:
    """Attributes that set the owner."""
    return NUMBER.pack(_HAS_OWNER) + NUMBER.pack(uid) + NUMBER.pack(gid)


def permissions(mode: int) -> bytes:
    """Attributes that set the permissions."""
    return NUMBER.pack(_HAS_MODE) + NUMBER.pack(mode)


def extensions(body: bytes) -> frozenset[bytes]:
    """The names of what a server can beside the version, out of its first packet."""
    found, at = set(), 1 + NUMBER.size
    while at < len(body):
        name, at = take_string(body, at)
        _, at = take_string(body, at)
        found.add(name)
    return frozenset(found)
