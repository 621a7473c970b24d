"""The requests that change something, in a tree of which only cgroups can be changed.

Role: bytes in, bytes out, as in answers.py; what may be changed is the tree's to say.

A server may be killed when it has done what it was asked for and not yet said so. Its successor
does it again; what a first time has done is then no reason for it to fail. Writing the same to a
control file again does no harm, nor does a second chown.
Boundary: knows the protocol and the tree, and marks in the slot what was begun.
Threading: any number of threads.
"""

import errno
import os
import stat
import threading
from typing import Protocol

from lxfs.cgroupfs.changes import Change
from lxfs.drivers.native import protocol
from lxfs.drivers.native.handles import Handles
from lxfs.drivers.native.memory import SLOTS, Memory
from lxfs.drivers.native.nodes import Nodes
from lxfs.handle import Attributes
from lxfs.tree import Tree

MAX_WRITING = SLOTS // 2
"""Writes at a time. One lasts for as long as the kernel reclaims memory for it, and of the workers
some have to be left for those who read."""
_NONE = b""


class Telling(Protocol):
    """What tells the kernel of paths: the nodes, the open files, and replies about them."""

    nodes: Nodes
    handles: Handles

    def entry(self, path: str, found: Attributes) -> bytes:
        """Return a path's entry."""

    def attributes(self, node: int, found: Attributes) -> bytes:
        """Return a node's attributes."""


class Changes:
    """MKDIR, RMDIR, SETATTR and WRITE."""

    def __init__(self, tree: Tree, memory: Memory, answers: Telling) -> None:
        self._answers = answers
        self._tree = tree
        self._memory = memory
        self._writing = threading.BoundedSemaphore(MAX_WRITING)

    def _again(self, unique: int) -> bool:
        """Return whether a request may have been carried out before; from now on it may have."""
        slot = next((one for one in self._memory.slots() if one.unique[0] == unique), None)
        if slot is None:
            return True
        begun = slot.begun == unique
        slot.begun = unique
        return begun or bool(unique & protocol.RESENT)

    def mkdir(
        self, request: memoryview, length: int, node: int, pid: int, uid: int, unique: int
    ) -> bytes:
        """Make a cgroup."""
        at = protocol.IN.size
        mode, _umask = protocol.MKDIR_IN.unpack_from(request, at)
        name = protocol.name_of(request, length, at + protocol.MKDIR_IN.size)
        path = self._answers.nodes.child(node, name, pid)
        found = self._tree.make(path, mode, pid, uid, again=self._again(unique))
        return self._answers.entry(path, found)

    def rmdir(
        self, request: memoryview, length: int, node: int, pid: int, uid: int, unique: int
    ) -> bytes:
        """Remove a cgroup."""
        path = self._answers.nodes.child(node, protocol.name_of(request, length), pid)
        self._tree.remove(path, pid, uid, again=self._again(unique))
        return _NONE

    def setattr(
        self, request: memoryview, _length: int, node: int, pid: int, uid: int, _unique: int
    ) -> bytes:
        """Change owner and mode. Times and sizes of control files mean nothing (kernfs)."""
        fields = protocol.SETATTR_IN.unpack_from(request, protocol.IN.size)
        which, mode, owner, group = fields[0], fields[11], fields[13], fields[14]
        wanted = Change(
            mode=stat.S_IMODE(mode) if which & protocol.SET_MODE else None,
            uid=owner if which & protocol.SET_UID else None,
            gid=group if which & protocol.SET_GID else None,
        )
        found = self._tree.change(self._answers.nodes.path(node, pid), wanted, pid, uid)
        return self._answers.attributes(node, found)

    def write(self, request: memoryview, _length: int, _node: int, pid: int, *_: int) -> bytes:
        """Write to a control file: of an open file, whatever became of its node.

        Raises EAGAIN when so many are written to that others would have to wait.
        """
        at = protocol.IN.size
        number, _offset, size = protocol.WRITE_IN.unpack_from(request, at)[:3]
        at += protocol.WRITE_IN.size
        if not self._writing.acquire(blocking=False):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        try:
            written = self._answers.handles.write(number, bytes(request[at : at + size]), pid)
        finally:
            self._writing.release()
        return protocol.WRITE_OUT.pack(written, 0)
