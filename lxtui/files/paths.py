"""Paths inside an instance, and names that come out of it.

Role: what a person writes → a path; a name of a container's → why it cannot be one here; a mode in
words. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

import os
import stat
from enum import StrEnum

from lxtui.errors import UsageError

_LONGEST_NAME = 255
"""Bytes of one name, NAME_MAX of linux/limits.h."""
_ALL_BITS, _PERMISSIONS = 0o7777, 0o777
"""The daemons' file servers leave the other bits out (tried: LXD 5.0.2, Incus 6.0.4)."""
_LAST_ID = 2**32 - 2
KERNELS = frozenset({b"/proc", b"/sys"})
"""What the kernel makes up while it is read; left out of a tree unless it is named itself."""


class Kind(StrEnum):
    """What a name stands for."""

    FILE = "file"
    FOLDER = "directory"
    LINK = "link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    SOCKET = "socket"
    OTHER = "unknown"


_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.LINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
ORDINARY = frozenset({Kind.FILE, Kind.FOLDER, Kind.LINK})


def kind_of(mode: int) -> Kind:
    """By the type in *mode*, as stat(2) has it."""
    return _KINDS.get(stat.S_IFMT(mode), Kind.OTHER)


def split(written: str) -> tuple[str, bytes]:
    """``HOST:NAME/PATH`` as what names the instance, and the path; UsageError for a bad one."""
    instance, slash, path = written.partition("/")
    if not instance or instance.endswith(":") or instance.count(":") > 1:
        raise UsageError(f"{written!r}: write it as HOST:NAME/PATH")
    if "\0" in path:
        raise UsageError(f"{written!r}: a path has no zero byte")
    return instance, normal(os.fsencode(slash + path))


def normal(path: bytes) -> bytes:
    """An absolute path without empty parts and dots; a slash at the end stays.

    ``..`` goes up as it is written, links aside, as in a browser.
    """
    done: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del done[-1:]
        elif part not in {b"", b"."}:
            done.append(part)
    plain = b"/" + b"/".join(done)
    return plain + b"/" if done and path.endswith(b"/") else plain


def number(written: str, what: str) -> int:
    """The number of a user or group; UsageError when it is none."""
    if not written.isdecimal() or int(written) > _LAST_ID:
        raise UsageError(f"{what} {written!r}: write its number inside")
    return int(written)


def permissions(written: str, what: str) -> int:
    """``0644``; UsageError for what is no octal number, and for what the servers cannot set."""
    try:
        mode = int(written, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= _ALL_BITS:
        raise UsageError(f"{what} {written!r}: write it as 0644")
    if mode > _PERMISSIONS:
        raise UsageError(
            f"{what} {written}: the hosts' file servers set no setuid, setgid or sticky bit: "
            f"push it, then 'lxtui shell HOST:NAME -- chmod {written} PATH'"
        )
    return mode


def joined(folder: bytes, name: bytes) -> bytes:
    """The path of *name* in *folder*."""
    return folder.rstrip(b"/") + b"/" + name


def above(path: bytes) -> bytes:
    """The folder that *path* is in; that of ``/`` is ``/``."""
    return path.rstrip(b"/").rpartition(b"/")[0] or b"/"


def last(path: bytes) -> bytes:
    """The name at the end; empty for ``/``."""
    return path.rstrip(b"/").rpartition(b"/")[2]


def name_trouble(name: bytes) -> str:
    """Why nothing here may be called *name*; empty when it may."""
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name:
        return "that is no name of a file"
    if len(name) > _LONGEST_NAME:
        return f"its name is longer than {_LONGEST_NAME} bytes"
    return ""
