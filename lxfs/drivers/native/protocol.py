"""The kernel's side of FUSE as structs and numbers.

Role: include/uapi/linux/fuse.h, of which only what a read-only tree is asked and answers.
Boundary: pure; the byte order is the machine's own.
Threading: values only.
"""

import struct

MAJOR, MINOR = 7, 41
"""The version that is spoken; an older kernel names its own minor and is answered in that."""
ROOT = 1

LOOKUP, FORGET, GETATTR, READLINK = 1, 2, 3, 5
OPEN, READ, STATFS, RELEASE, FLUSH = 14, 15, 17, 18, 25
INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS = 26, 27, 28, 29, 34
INTERRUPT, DESTROY, BATCH_FORGET = 36, 38, 42
WITHOUT_REPLY = frozenset((FORGET, BATCH_FORGET))
CHANGES = frozenset((4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45, 47, 51))
"""SETATTR, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, WRITE, SETXATTR, REMOVEXATTR,
CREATE, FALLOCATE, RENAME2, COPY_FILE_RANGE, TMPFILE: of a mount that is read-only."""

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


def name_of(request: memoryview, length: int) -> str:
    """Return the name that a LOOKUP is about."""
    return bytes(request[IN.size : length]).rstrip(b"\0").decode("utf-8", "surrogateescape")


def dirent(inode: int, offset: int, name: str, mode: int) -> bytes:
    """Return one entry of a READDIR, padded to eight bytes."""
    text = name.encode("utf-8", "surrogateescape")
    entry = DIRENT.pack(inode, offset, len(text), mode >> 12) + text
    return entry + bytes(-len(entry) % 8)
