"""Open files, by numbers that a successor can do something with.

Role: for each open file a record in the shared memory: which node, whose container, the length of
the text that was read last, and the text itself while a reader has had only part of it; of a
cgroup's file also its path and who may write to it, as nodes of cgroups mean nothing for long. A
file that is read at once costs one word; one read in pieces is, over any number of servers, one
text.
Boundary: the tree makes and reads handles; this module puts them on record and takes them up.
Threading: any number of threads; a handle's record is written under that handle's lock.
"""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Collection

from lxfs.drivers.native.arena import Arena
from lxfs.drivers.native.memory import HANDLE_WORDS, HANDLES, HIGHEST, Memory
from lxfs.drivers.native.nodes import Nodes
from lxfs.handle import Handle
from lxfs.model import Container, OwnCgroup
from lxfs.tree import Tree

# Words of a record. The first says whether it counts, and is stored last: the lowest bit, above it
# how often the record has been used, which is part of the handle's number.
_STATE, _NODE, _UNIQUE, _NAMESPACE, _INIT, _STARTTIME, _OWN, _END, _TEXT, _CONTROL = range(10)
_INDEX_BITS = 32
_GENERATIONS = (1 << 31) - 1


class Handles:
    """The table of open files, of which the server that is serving is the only owner."""

    def __init__(self, memory: Memory, tree: Tree, nodes: Nodes) -> None:
        self._memory = memory
        self._words = memory.handles
        self._tree = tree
        self._nodes = nodes
        self._arena = Arena(memory)
        self._open: dict[int, Handle] = {}
        self._free: list[int] = []
        self._lock = threading.Lock()
        # Cgroups of containers that have some of their own, with the number of their handles.
        self._owns: dict[tuple[OwnCgroup, ...], list[int]] = {}

    def adopt(self, unanswered: Collection[int]) -> None:
        """Take up what a predecessor has on record, but for the opens that it did not answer.

        Nobody has the numbers of those: they are opened anew. What a predecessor wrote half of is
        not used: a record counts when its first word says so, and no word leads out of its bounds.
        """
        for index in range(min(self._memory.words[HIGHEST], HANDLES)):
            at = index * HANDLE_WORDS
            record = self._words[at : at + HANDLE_WORDS]
            if not record[_STATE] & 1:
                self._free.append(index)
            elif record[_UNIQUE] in unanswered:
                self._words[at] = record[_STATE] & ~1
                self._free.append(index)
            else:
                self._open[record[_STATE] >> 1 << _INDEX_BITS | index] = self._adopted(record)

    def _adopted(self, record: memoryview) -> Handle:
        text = self._arena.claim(record[_TEXT]) if record[_TEXT] else None
        if text is None:
            record[_TEXT] = 0
        container, path, control = None, "", None
        if record[_CONTROL]:
            control = self._arena.claim(record[_CONTROL])
            if control is None:
                record[_CONTROL] = 0
        try:
            if control is None:
                path = self._nodes.path(record[_NODE])
            if record[_INIT]:
                fields = record[_NAMESPACE], record[_INIT], record[_STARTTIME]
                container = Container(*fields, self._claim_own(record[_OWN]))
        except (OSError, ValueError, TypeError):
            path = ""  # of nothing that is there: every read of it says so
        end = record[_END] - 1 if record[_END] else None
        try:
            handle = self._tree.adopted(path, container, end, text, control)
        except (ValueError, TypeError, AttributeError):
            return self._tree.adopted("", container, end, text)
        if handle.control is not None:
            self._nodes.recall(record[_NODE], os.fsencode(handle.path))
        return handle

    def opened(self, path: str, node: int, flags: int, pid: int, uid: int, unique: int) -> int:
        """Return the number of a new handle. Raises as ``Tree.opened``, and ENFILE when full."""
        handle = self._tree.opened(path, flags, pid, uid)
        container = handle.container
        control = 0
        try:
            if handle.control is not None:
                control = self._put(handle.control.record())
            own = self._put_own(container.own) if container is not None and container.own else 0
            index = self._index()
        except OSError:
            self._tree.closed(handle)
            if control:
                self._arena.free(control)
            raise
        at = index * HANDLE_WORDS
        words = self._words
        generation = ((words[at] >> 1) + 1) & _GENERATIONS
        words[at + _NODE] = node
        words[at + _UNIQUE] = unique
        if container is None:
            words[at + _INIT] = 0
        else:
            words[at + _NAMESPACE] = container.namespace
            words[at + _INIT] = container.init
            words[at + _STARTTIME] = container.starttime
        words[at + _OWN] = own
        words[at + _END] = 0
        words[at + _TEXT] = 0
        words[at + _CONTROL] = control
        number = generation << _INDEX_BITS | index
        self._open[number] = handle
        words[at] = generation << 1 | 1
        return number

    def _index(self) -> int:
        """Return the index of a record that is not used. Raises ENFILE."""
        with contextlib.suppress(IndexError):
            return self._free.pop()
        with self._lock:
            index = self._memory.words[HIGHEST]
            if index >= HANDLES:
                raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
            self._memory.words[HIGHEST] = index + 1
        return index

    def read(self, number: int, size: int, offset: int) -> bytes:
        """Return what ``Tree.part`` does, when a successor can go on from there. Raises EBADF."""
        handle = self._open.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with handle.lock:
            before = handle.text
            part = self._tree.part(handle, size, offset)
            if not offset or handle.text is not before:
                self._record(number & 0xFFFFFFFF, handle, offset + len(part))
            return part

    def write(self, number: int, data: bytes, pid: int) -> int:
        """Return what ``Tree.write`` does. Raises EBADF, and as it does."""
        handle = self._open.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        written = self._tree.write(handle, data, pid)
        with handle.lock:
            self._record(number & 0xFFFFFFFF, handle, 0)
        return written

    def _put(self, text: bytes) -> int:
        """Return the word of a text on record. Raises ENFILE when there is no room for it."""
        word = self._arena.put(text)
        if not word:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
        return word

    def _record(self, index: int, handle: Handle, reached: int) -> None:
        """Put on record what the next read needs: the end, and the text if that is not reached."""
        at = index * HANDLE_WORDS
        words, text, end = self._words, handle.text, handle.end or 0
        if old := words[at + _TEXT]:
            # Not two texts at once: a length of one must never lead into another.
            words[at + _TEXT] = 0
            self._arena.free(old)
        words[at + _END] = 0 if handle.end is None else end + 1
        if text is not None and reached < end:
            words[at + _TEXT] = self._arena.put(text)

    def released(self, number: int) -> None:
        """Forget a handle; one that is not known is forgotten already."""
        handle = self._open.pop(number, None)
        if handle is None:
            return
        with handle.lock:  # whoever still reads has its text on record before it is let go
            index = number & 0xFFFFFFFF
            at = index * HANDLE_WORDS
            texts = [self._words[at + _TEXT], self._words[at + _CONTROL]]
            self._words[at] &= ~1
            self._words[at + _TEXT] = self._words[at + _CONTROL] = 0
            for text in filter(None, texts):
                self._arena.free(text)
            if handle.container is not None and handle.container.own:
                self._let_own(handle.container.own)
            self._tree.closed(handle)
            self._free.append(index)

    @property
    def open(self) -> int:
        """How many files are open."""
        return len(self._open)

    def _put_own(self, own: tuple[OwnCgroup, ...]) -> int:
        """Return the word of the text of a container's own cgroups, one for all its handles."""
        with self._lock:
            known = self._owns.get(own)
            if known is None:
                text = json.dumps([[one.hierarchy, one.path, one.inode] for one in own]).encode()
                known = self._owns[own] = [self._put(text), 0]
            known[1] += 1
            return known[0]

    def _let_own(self, own: tuple[OwnCgroup, ...]) -> None:
        with self._lock:
            known = self._owns[own]
            known[1] -= 1
            if not known[1]:
                del self._owns[own]
                self._arena.free(known[0])

    def _claim_own(self, word: int) -> tuple[OwnCgroup, ...]:
        for own, known in self._owns.items():
            if known[0] == word:
                known[1] += 1
                return own
        if not word:
            return ()
        own = tuple(OwnCgroup(*fields) for fields in json.loads(self._arena.claim(word) or b""))
        self._owns[own] = [word, 1]
        return own
