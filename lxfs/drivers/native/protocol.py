"""The kernel's side of FUSE as structs and numbers.

Role: include/uapi/linux/fuse.h, of which only what the tree is asked and answers.
Boundary: pure; the byte order is the machine's own.
Threading: values only.
"""

import errno
import struct
from collections.abc import Mapping
from types import MappingProxyType

MAJOR, MINOR = 7, 41
"""The version that is spoken; an older kernel names its own minor and is answered in that."""
ROOT = 1

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, MKDIR, RMDIR, WRITE = 1, 2, 3, 4, 5, 9, 11, 16
OPEN, READ, STATFS, RELEASE, FLUSH = 14, 15, 17, 18, 25
INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS = 26, 27, 28, 29, 34
INTERRUPT, DESTROY, BATCH_FORGET = 36, 38, 42
WITHOUT_REPLY = frozenset((FORGET, BATCH_FORGET))
REFUSED: Mapping[int, int] = MappingProxyType(
    {
        # SYMLINK, MKNOD, UNLINK, RENAME, LINK, RENAME2; CREATE
        **dict.fromkeys((6, 8, 10, 12, 13, 45), errno.EPERM),
        35: errno.EACCES,
        # SETXATTR, REMOVEXATTR, FALLOCATE, COPY_FILE_RANGE, TMPFILE
        **dict.fromkeys((21, 24, 43, 47, 51), errno.EOPNOTSUPP),
    }
)
"""Changes that nothing of the tree can undergo, with what kernfs has for them where it is written
to (fs/namei.c); all else is read-only."""

# length, opcode, unique, node, uid, gid, pid, length of extensions, padding
IN = struct.Struct("=IIQQIIIHH")
# length, negative errno, unique
OUT = struct.Struct("=IiQ")
UNIQUE_AT = 8
"""Where in a request its ``unique`` is."""

INIT_IN = struct.Struct("=IIII")  # major, minor, read-ahead, flags
INIT_FLAGS2 = struct.Struct("=I")
# major, minor, read-ahead, flags, background, congestion, max_write, time granularity, max_pages,
# alignment, flags2, stack depth, time limit; reserved
INIT_OUT = struct.Struct("=IIIIHHIIHHIIH22x")
OPEN_IN = struct.Struct("=II")  # flags, flags of FUSE's own
OPEN_OUT = struct.Struct("=QIi")  # handle, flags of FUSE's own, backing file
READ_IN = struct.Struct("=QQIIQII")  # handle, offset, size, flags, lock owner, open flags, padding
WRITE_IN = struct.Struct("=QQIIQII")  # handle, offset, size, flags, lock owner, open flags, padding
WRITE_OUT = struct.Struct("=II")  # size, padding
MKDIR_IN = struct.Struct("=II")  # mode, umask
# which, padding, handle, size, lock owner, times (seconds), times (nanoseconds), mode, unused, uid,
# gid, unused
SETATTR_IN = struct.Struct("=IIQQQQQQIIIIIIII")
FORGET_IN = struct.Struct("=Q")  # look-ups
BATCH_FORGET_IN = struct.Struct("=II")  # how many, padding
FORGET_ONE = struct.Struct("=QQ")  # node, look-ups
RELEASE_IN = struct.Struct("=Q")  # handle, of what follows nothing matters here
ACCESS_IN = struct.Struct("=II")  # mask, padding
# inode, size, blocks, times (seconds), times (nanoseconds), mode, links, uid, gid, rdev, block
# size, flags
_ATTRIBUTES = "QQQQQQIIIIIIIIII"
# seconds, nanoseconds, padding; attributes
ATTR_OUT = struct.Struct(f"=QII{_ATTRIBUTES}")
# node, generation, seconds of the entry, of the attributes, nanoseconds of both; attributes
ENTRY_OUT = struct.Struct(f"=QQQQII{_ATTRIBUTES}")
DIRENT = struct.Struct("=QQII")  # inode, offset of the next, length of the name, type
# blocks, free, available, files, free files, block size, length of names, fragment; reserved
STATFS_OUT = struct.Struct("=QQQQQIII28x")

FOPEN_DIRECT_IO, FOPEN_NOFLUSH = 1 << 0, 1 << 5
SET_MODE, SET_UID, SET_GID = 1 << 0, 1 << 1, 1 << 2
RESENT = 1 << 63
"""Of a request's ``unique``: it is sent again and may have been answered by somebody before."""
READ_LOCKOWNER = 1 << 1
"""A read whose flags say who owns the descriptor: read(2) and its like, and nothing else."""

# Of INIT.
PARALLEL_DIROPS, MAX_PAGES, INIT_EXT = 1 << 18, 1 << 22, 1 << 30
HAS_RESEND = 1 << 39

MIN_REQUEST = 8192
"""The least that a read of the device has to have room for (FUSE_MIN_READ_BUFFER)."""
MAX_READ = 1 << 17
"""The most that one READ asks for, said at the mount and in INIT."""

RESEND = OUT.pack(OUT.size, 7, 0)
"""The notice FUSE_NOTIFY_RESEND (Linux 6.9): ask again for all that has no answer yet."""


def name_of(request: memoryview, length: int, start: int = IN.size) -> str:
    """Return the name that a request is about: of a LOOKUP, or where it starts in another."""
    return bytes(request[start:length]).rstrip(b"\0").decode("utf-8", "surrogateescape")


def dirent(inode: int, offset: int, name: str, mode: int) -> bytes:
    """Return one entry of a READDIR, padded to eight bytes."""
    text = name.encode("utf-8", "surrogateescape")
    entry = DIRENT.pack(inode, offset, len(text), mode >> 12) + text
    return entry + bytes(-len(entry) % 8)
