"""What a server leaves to its successor: one mapping that all processes of a session share.

Role: where everything is. A page of facts about the session; slots, of a worker each, with the
request in hand and its reply; the table of open files; pages for the texts of files that are being
read in pieces.

Why nothing is lost: the kernel copies a request straight into the slot, so that there is no moment
at which it was received and is not on record. The reply is made in the slot too, and counts from
the store of one word on (``answered``). A request on record without a reply is answered anew by
the successor; one with a reply gets that very reply again, which the kernel refuses (ENOENT) when
it had it already. What a request changes is changed before its reply counts, and in such a way
that changing it again does no harm.

Words are stored by a memoryview of 64-bit words, which stores each at once, never half of one.

Boundary: bytes and words; what they mean is known in serving.py, handles.py and server.py.
Threading: a slot belongs to one thread; the rest has owners that say so.
"""

import mmap
import os
from collections.abc import Iterator

from lxfs import syscalls
from lxfs.drivers.native.protocol import MAX_READ, MIN_REQUEST, OUT, UNIQUE_AT

NAME = "lxfs-session"
"""The name of the memory in /proc/PID/fd, by which a session is found."""
MAGIC = int.from_bytes(b"lxfssess", "little")
LAYOUT = 1
"""The version of all that is below. Who meets another leaves it alone."""

PAGE = 4096
SLOTS = 32
_WORD = 8
_CONTROL = 48
_REPLY = -(-(_CONTROL + OUT.size + MAX_READ) // PAGE) * PAGE
_SLOT = _REPLY + MIN_REQUEST
_FIRST_SLOT = PAGE
HANDLES = 1 << 18
"""Files that may be open at once, by all."""
HANDLE_WORDS = 10
_FIRST_HANDLE = _FIRST_SLOT + SLOTS * _SLOT
ARENA_PAGES = 1 << 14
_FIRST_TEXT = -(-(_FIRST_HANDLE + HANDLES * HANDLE_WORDS * _WORD) // PAGE) * PAGE
SIZE = _FIRST_TEXT + ARENA_PAGES * PAGE
"""Sparse: what was never used takes no room."""

# Words of the first page.
_MAGIC_AT, _LAYOUT_AT = 0, 1
SINCE, MINOR, HIGHEST, SERVERS, UPGRADES, DEVICE, LEDGER, LOST, BEAT = range(2, 11)
"""When the session began (nanoseconds since 1970); the minor version agreed on in INIT, 0 before
it; how far the table of handles was ever used; how many servers there have been; how many upgrades
were tried; the numbers that all processes of the session have the device and the ledger by; whether
the record of requests in hand was lost; what the server counts up for as long as it runs."""
_TEXTS = {
    "version": (256, 64),
    "device": (320, 64),
    "rules": (384, 128),
    "failure": (1024, 1024),
    "pidfile": (2048, 2048),
}
"""The version that serves; the device number of the mount, as in mountinfo; the rules; why the last
upgrade came to nothing, if it did; where the holder's pid is written."""

# Bytes of the mapping that stand for processes: who has one locked (fcntl) is that process.
HOLDER_LOCK, SPAWNER_LOCK, SERVER_LOCK = SIZE, SIZE + 1, SIZE + 2


def create() -> int:
    """Return a descriptor of memory for a new session."""
    descriptor = os.memfd_create(NAME, os.MFD_CLOEXEC)
    os.ftruncate(descriptor, SIZE)
    return descriptor


class Slot:
    """One worker's request and reply.

    ``request`` and ``reply`` are for bytes; the properties are for the words around them.
    """

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        start = _FIRST_SLOT + number * _SLOT
        self.number = number
        self._start = start
        self._memory = memory
        view = memoryview(memory)
        self.request = view[start + _REPLY : start + _SLOT]
        self.reply = view[start + _CONTROL : start + _REPLY]
        self.control = view[start : start + _CONTROL].cast("Q")
        self.unique = self.request[UNIQUE_AT : UNIQUE_AT + _WORD].cast("Q")
        """One word: that of the request in hand; 0 when there is none."""

    @property
    def answered(self) -> int:
        """The ``unique`` of the request that the reply is to."""
        return self.control[0]

    @answered.setter
    def answered(self, unique: int) -> None:
        self.control[0] = unique

    @property
    def strikes(self) -> int:
        """How much speaks for it that servers have died over this request, see spawner.py."""
        return self.control[1]

    @strikes.setter
    def strikes(self, count: int) -> None:
        self.control[1] = count

    @property
    def begun(self) -> int:
        """The ``unique`` of the last change that was begun to be made."""
        return self.control[2]

    @begun.setter
    def begun(self, unique: int) -> None:
        self.control[2] = unique

    def put_path(self, unique: int, path: bytes) -> None:
        """Keep the path of a request's node where its reply will be: a successor needs it first."""
        self.control[4] = len(path)
        self.reply[: len(path)] = path
        self.control[3] = unique

    @property
    def path(self) -> bytes | None:
        """That path of the request in hand, or what a reply that was begun has left of it."""
        if self.control[3] != self.unique[0] or self.control[4] > len(self.reply):
            return None
        return bytes(self.reply[: self.control[4]])

    def make_present(self) -> None:
        """Touch and lock the pages that the kernel copies to and from.

        A thread that is being killed cannot fault a page in: the copy of a request would fail,
        and with it the request (EIO). A page that is present is found without a fault.
        """
        pages = (self._start, self._start + _REPLY, self._start + _REPLY + PAGE)
        for page in pages:
            self._memory[page + PAGE - 1] = self._memory[page + PAGE - 1]
            syscalls.try_lock_memory(self._memory, page, PAGE)


class Memory:
    """A session's shared memory, mapped by one of its processes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, SIZE)
        self._view = memoryview(self._map)
        self.words = self._view[:PAGE].cast("Q")
        self.handles = self._view[_FIRST_HANDLE:_FIRST_TEXT].cast("Q")
        self.arena = self._view[_FIRST_TEXT:]

    @property
    def layout(self) -> int:
        """The version of what is in it; 0 for a new one, -1 for what is not ours."""
        magic = self.words[_MAGIC_AT]
        if magic == 0:
            return 0
        return self.words[_LAYOUT_AT] if magic == MAGIC else -1

    def begin(self, since: int) -> None:
        """Make it that of a new session."""
        self.words[SINCE] = since
        self.words[_LAYOUT_AT] = LAYOUT
        self.words[_MAGIC_AT] = MAGIC

    def slot(self, number: int) -> Slot:
        """Return a worker's slot."""
        return Slot(self._map, number)

    def slots(self) -> Iterator[Slot]:
        """Return all slots."""
        return map(self.slot, range(SLOTS))

    def text(self, name: str) -> str:
        """Return one of the texts about the session."""
        start, size = _TEXTS[name]
        return bytes(self._view[start : start + size]).rstrip(b"\0").decode("utf-8", "replace")

    def put_text(self, name: str, value: str) -> None:
        """Replace one of those texts, cut to the room there is."""
        start, size = _TEXTS[name]
        self._view[start : start + size] = value.encode()[: size - 1].ljust(size, b"\0")

    def discard(self, page: int, count: int) -> None:
        """Give the memory of pages of the arena back."""
        self._map.madvise(mmap.MADV_REMOVE, _FIRST_TEXT + page * PAGE, count * PAGE)
