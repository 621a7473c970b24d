"""What is answered to each request of the kernel's.

Role: bytes in, bytes out, ``OSError`` for a refusal; the tree decides who sees what.
Boundary: knows the protocol and the tree; nothing is read from or written to the device here.
Threading: any number of threads.
"""

import errno
import os
import stat
from collections.abc import Callable
from functools import partial

from lxfs.drivers.native import protocol
from lxfs.drivers.native.changing import Changes
from lxfs.drivers.native.handles import Handles
from lxfs.drivers.native.memory import MINOR, SINCE, Memory
from lxfs.drivers.native.nodes import Nodes
from lxfs.handle import Attributes
from lxfs.model import NSEC_PER_SEC
from lxfs.tree import Tree

Answer = Callable[[memoryview, int, int, int, int, int], bytes | memoryview]
"""Takes the request, its length, node, pid, uid and unique."""

# A name that one caller sees means the same to all who see it; whether one does is asked again in
# every operation. Sizes are each caller's own, and one inode serves them all.
_ENTRY_SECONDS = 3600
_OPEN_FLAGS = protocol.FOPEN_DIRECT_IO | protocol.FOPEN_NOFLUSH
_BLOCK = 4096
_NAME_MAX = 255
_BACKGROUND, _CONGESTION = 12, 9
_NONE = b""
_LOW = (1 << 32) - 1


class Answers:
    """The requests that are answered, by opcode."""

    def __init__(self, tree: Tree, memory: Memory) -> None:
        self._tree = tree
        self._memory = memory
        self._since = divmod(memory.words[SINCE], NSEC_PER_SEC)
        self.nodes = Nodes(tree)
        self.handles = Handles(memory, tree, self.nodes)
        changes = Changes(tree, memory, self)
        self.by_opcode: dict[int, Answer] = {
            protocol.LOOKUP: self._lookup,
            protocol.GETATTR: self._getattr,
            protocol.READLINK: self._readlink,
            protocol.OPEN: self._open,
            protocol.READ: self._read,
            protocol.STATFS: self._statfs,
            protocol.RELEASE: self._release,
            protocol.INIT: self._init,
            protocol.OPENDIR: self._opendir,
            protocol.READDIR: self._readdir,
            **dict.fromkeys((protocol.RELEASEDIR, protocol.DESTROY), lambda *_: _NONE),
            protocol.ACCESS: self._access,
            protocol.SETATTR: changes.setattr,
            protocol.MKDIR: changes.mkdir,
            protocol.RMDIR: changes.rmdir,
            protocol.WRITE: changes.write,
            protocol.FORGET: self._forget,
            protocol.BATCH_FORGET: self._batch_forget,
            **{
                opcode: partial(self._refuse, number) for opcode, number in protocol.REFUSED.items()
            },
        }

    def undo_open(self, reply: memoryview) -> None:
        """Take back an open whose reply nobody wanted."""
        self.handles.released(protocol.OPEN_OUT.unpack_from(reply)[0])

    def _init(self, request: memoryview, length: int, *_: int) -> bytes:
        at = protocol.IN.size
        major, minor, ahead, flags = protocol.INIT_IN.unpack_from(request, at)
        if major != protocol.MAJOR:
            raise OSError(errno.EPROTO, f"the kernel speaks FUSE {major}.{minor}")
        at += protocol.INIT_IN.size
        if flags & protocol.INIT_EXT and length >= at + protocol.INIT_FLAGS2.size:
            flags |= protocol.INIT_FLAGS2.unpack_from(request, at)[0] << 32
        wanted = protocol.PARALLEL_DIROPS | protocol.MAX_PAGES | protocol.INIT_EXT
        agreed = flags & (wanted | protocol.HAS_RESEND)
        minor = min(minor, protocol.MINOR)
        self._memory.words[MINOR] = minor
        return protocol.INIT_OUT.pack(
            *(protocol.MAJOR, minor, ahead, agreed & _LOW, _BACKGROUND, _CONGESTION),
            *(_BLOCK, 1, protocol.MAX_READ // _BLOCK, 0, agreed >> 32, 0, 0),
        )

    def _fields(self, node: int, found: Attributes) -> tuple[int, ...]:
        """Return the fields of struct fuse_attr; all times are that of the mount."""
        seconds, nanoseconds = self._since
        times = (*[seconds] * 3, *[nanoseconds] * 3)
        # 32 bits: programs of 32-bit containers have no room for more in what stat(2) tells them.
        inode = (node ^ node >> 32) & _LOW
        blocks = -(-found.size // 512)
        rest = (found.mode, found.links, found.uid, found.gid, 0, _BLOCK, 0)
        return (inode, found.size, blocks, *times, *rest)

    def _lookup(
        self, request: memoryview, length: int, node: int, pid: int, uid: int, _unique: int
    ) -> bytes:
        path = self.nodes.child(node, protocol.name_of(request, length), pid)
        return self.entry(path, self._tree.attributes(path, pid, uid))

    def entry(self, path: str, found: Attributes) -> bytes:
        """Return a path's entry, which the kernel is to keep if it means the same to everybody."""
        seconds = 0 if self._tree.is_each_callers(path) else _ENTRY_SECONDS
        child = self.nodes.told(path)
        return protocol.ENTRY_OUT.pack(child, 0, seconds, 0, 0, 0, *self._fields(child, found))

    def attributes(self, node: int, found: Attributes) -> bytes:
        """Return the reply that tells a node's attributes, which are not to be kept."""
        return protocol.ATTR_OUT.pack(0, 0, 0, *self._fields(node, found))

    def _getattr(
        self, _request: memoryview, _length: int, node: int, pid: int, uid: int, _unique: int
    ) -> bytes:
        return self.attributes(node, self._tree.attributes(self.nodes.path(node, pid), pid, uid))

    def _readlink(self, _request: memoryview, _length: int, node: int, pid: int, *_: int) -> bytes:
        return os.fsencode(self._tree.readlink(self.nodes.path(node, pid), pid))

    def _access(
        self, request: memoryview, _length: int, node: int, pid: int, uid: int, _unique: int
    ) -> bytes:
        """Say whether the caller sees a path, and may do with it what it asks for."""
        mask = protocol.ACCESS_IN.unpack_from(request, protocol.IN.size)[0]
        self._tree.access(self.nodes.path(node, pid), mask, pid, uid)
        return _NONE

    def _opendir(self, _request: memoryview, _length: int, node: int, pid: int, *_: int) -> bytes:
        """Let a caller into a directory that it sees: the kernel may know the name from another."""
        self._tree.find(self.nodes.path(node, pid), pid)
        return protocol.OPEN_OUT.pack(0, 0, 0)

    def _readdir(self, request: memoryview, _length: int, node: int, pid: int, *_: int) -> bytes:
        """Return names with their types, which readers of d_type count CPUs by."""
        fields = protocol.READ_IN.unpack_from(request, protocol.IN.size)
        _handle, offset, size = fields[:3]
        path = self.nodes.path(node, pid)
        own = {".": stat.S_IFDIR, "..": stat.S_IFDIR}
        names = list({**own, **self._tree.listing(path, pid)}.items())
        text = b""
        for position, (name, mode) in enumerate(names[offset:], offset + 1):
            child = self.nodes.id(self.nodes.child(node, name, pid))
            entry = protocol.dirent((child ^ child >> 32) & _LOW, position, name, mode)
            if len(text) + len(entry) > size:
                break
            text += entry
        return text

    def _open(
        self, request: memoryview, _length: int, node: int, pid: int, uid: int, unique: int
    ) -> bytes:
        flags = protocol.OPEN_IN.unpack_from(request, protocol.IN.size)[0]
        number = self.handles.opened(self.nodes.path(node, pid), node, flags, pid, uid, unique)
        return protocol.OPEN_OUT.pack(number, _OPEN_FLAGS, 0)

    def _read(self, request: memoryview, *_: int) -> bytes:
        """Return bytes of the handle's text, to plain readers only.

        sendfile(2), splice(2) and mmap(2) do not honour direct_io: they fill the page cache,
        which all containers share, so that one would be given what another has just read. Only
        read(2) says who owns the descriptor; the others are told EINVAL, on which programs that
        use them (busybox cat, Python's shutil) go on with read(2).
        """
        number, offset, size, flags, _owner, _flags, _pad = protocol.READ_IN.unpack_from(
            request, protocol.IN.size
        )
        if not flags & protocol.READ_LOCKOWNER:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self.handles.read(number, size, offset)

    def _release(self, request: memoryview, *_: int) -> bytes:
        self.handles.released(protocol.RELEASE_IN.unpack_from(request, protocol.IN.size)[0])
        return _NONE

    def _statfs(self, _request: memoryview, _length: int, node: int, pid: int, *_: int) -> bytes:
        path = self.nodes.path(node, pid)
        if self._tree.is_each_callers(path):
            self._tree.find(path, pid)
        return protocol.STATFS_OUT.pack(0, 0, 0, 0, 0, _BLOCK, _NAME_MAX, 0)

    def _forget(self, request: memoryview, _length: int, node: int, *_: int) -> bytes:
        self.nodes.forget(node, protocol.FORGET_IN.unpack_from(request, protocol.IN.size)[0])
        return _NONE

    def _batch_forget(self, request: memoryview, length: int, *_: int) -> bytes:
        at = protocol.IN.size
        count, _ = protocol.BATCH_FORGET_IN.unpack_from(request, at)
        at += protocol.BATCH_FORGET_IN.size
        size = protocol.FORGET_ONE.size
        for start in range(at, min(at + count * size, length - size + 1), size):
            self.nodes.forget(*protocol.FORGET_ONE.unpack_from(request, start))
        return _NONE

    def _refuse(
        self, number: int, _request: memoryview, _length: int, node: int, pid: int, *_: int
    ) -> bytes:
        raise self._tree.refused(self.nodes.path(node, pid), pid, number)
