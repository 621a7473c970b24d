"""What must outlive the process: records of a few hundred bytes in a file.

Role: each record has a slot in the file, overwritten in place whenever it changes. A process that
is killed, at any instruction, leaves a file from which its successor reads each record as it was
last written.

Why nothing goes back: whoever shows a counter writes its record first. A slot holds two copies,
written in turn, each with a sequence number and a checksum, and the highest number with a right
checksum counts. A kill in the middle of a write spoils the copy being written, whose numbers
nobody has been shown; the other copy is the record written before it, and whatever was shown is
in that one or in an earlier one.

What it does not promise: a power failure (the file belongs to one boot, as the counters do, and
another boot's is emptied), and more containers than slots (the record of one that is gone is then
dropped, or else the one not written for longest).

Boundary: knows bytes and keys, not what they mean. A failing write is logged once and forgotten:
a full disk must not stop a mount. The file is one process's at a time (flock); whoever holds the
descriptor, from its parent say, may go on with it.
Threading: any number of threads; one lock, held over the write of a record.
"""

import errno
import fcntl
import hashlib
import logging
import os
import stat
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from lxfs.errors import UserError

_log = logging.getLogger(__name__)

_MAGIC = b"lxfs ledger\n"
_VERSION = 1
# magic, version, slots, bytes of a copy, boot id, checksum of what is before it
_HEADER = struct.Struct("<12sIII36sI")
_FIRST = 4096
"""Where the slots begin: the header has a page of its own."""
# checksum of what follows it, kind, bytes of the payload, sequence number, key
_COPY = struct.Struct("<IIIQ16s")
_SLOTS = 2048
"""Of two records for each container: a thousand containers. Unused ones take no room (sparse)."""
_SMALLEST = 1024
_WAIT_SECONDS = 5.0


@dataclass(slots=True)
class _Slot:
    number: int
    sequence: int
    copy: int
    """Which of the two copies is the valid one."""


class Entry:
    """One record of the ledger."""

    def __init__(self, ledger: "Ledger", kind: int, digest: bytes) -> None:
        self._ledger = ledger
        self._kind = kind
        self._digest = digest

    def write(self, payload: bytes) -> None:
        """Put the record on file. When this returns it survives a kill, or it was logged why not.

        Of two threads' writes the later one counts; who has an order to keep has a lock.
        """
        self._ledger.put(self._kind, self._digest, payload)

    def give_up(self) -> None:
        """Let the record be the first to give way: what it is of is gone. It can be read till then.

        So whoever makes containers and ends them takes no room from those that live.
        """
        self._ledger.give_up(self._kind, self._digest)

    def read(self) -> bytes | None:
        """Return the record as it was last written, by us or by a predecessor."""
        return self._ledger.payload(self._kind, self._digest)


class Ledger:
    """The file, through a descriptor that was opened by ``open_file`` and is the caller's.

    ``boot`` is the boot's id, ``cpus`` for how many CPUs a record must have room.
    """

    def __init__(self, descriptor: int, boot: str, cpus: int) -> None:
        self._descriptor = descriptor
        self._boot = boot.encode()[:36].ljust(36)
        self._size = -(-max(_SMALLEST, 512 + 64 * cpus) // 64) * 64
        self._lock = threading.Lock()
        self._slots: dict[tuple[int, bytes], _Slot] = {}
        self._free = deque(range(_SLOTS))
        # Given up, the longest ago first.
        self._spare: dict[tuple[int, bytes], None] = {}
        self._sequence = 0
        self._complained = False
        self._begun = False
        self._read_all()

    def _read_all(self) -> None:
        # Whatever goes wrong in here costs the past and not the mount.
        try:
            header = os.pread(self._descriptor, _HEADER.size, 0)
            if not self._is_ours(header):
                self._begin()
                return
            self._begun = True
            for number in range(_SLOTS):
                self._read_slot(number)
        except OSError as error:
            self._complain(error)
        taken = {slot.number for slot in self._slots.values()}
        self._free = deque(number for number in range(_SLOTS) if number not in taken)

    def _is_ours(self, header: bytes) -> bool:
        if not header:
            return False
        if len(header) == _HEADER.size:
            magic, version, slots, size, boot, checksum = _HEADER.unpack(header)
            whole = magic == _MAGIC and checksum == zlib.crc32(header[:-4])
            if whole and boot != self._boot:
                return False  # of another boot: its counters began elsewhere
            if whole and (version, slots, size) == (_VERSION, _SLOTS, self._size):
                return True
        _log.warning("the state file is damaged or of another version: counters begin anew")
        return False

    def _begin(self) -> None:
        os.ftruncate(self._descriptor, 0)
        fields = (_MAGIC, _VERSION, _SLOTS, self._size, self._boot)
        text = _HEADER.pack(*fields, 0)[:-4]
        _write(self._descriptor, text + zlib.crc32(text).to_bytes(4, "little"), 0)
        self._begun = True

    def _offset(self, number: int, copy: int) -> int:
        return _FIRST + (2 * number + copy) * self._size

    def _read_copy(self, number: int, copy: int) -> tuple[int, int, bytes, bytes] | None:
        """Return sequence number, kind, key and payload of a copy that is whole."""
        offset = self._offset(number, copy)
        head = os.pread(self._descriptor, _COPY.size, offset)
        if len(head) < _COPY.size:
            return None
        checksum, kind, length, sequence, digest = _COPY.unpack(head)
        if not sequence or length > self._size - _COPY.size:
            return None
        payload = os.pread(self._descriptor, length, offset + _COPY.size)
        if zlib.crc32(payload, zlib.crc32(head[4:])) != checksum:
            return None
        return sequence, kind, digest, payload

    def _read_slot(self, number: int) -> None:
        whole = [
            (found[0], copy, found[1], found[2])
            for copy in (0, 1)
            if (found := self._read_copy(number, copy)) is not None
        ]
        if not whole:
            return
        sequence, copy, kind, digest = max(whole)
        self._sequence = max(self._sequence, sequence)
        there = self._slots.get((kind, digest))
        if there is None or there.sequence < sequence:
            self._slots[kind, digest] = _Slot(number, sequence, copy)

    def entry(self, kind: int, key: Hashable) -> Entry:
        """Return the record of a key, which is told apart by its ``repr``."""
        return Entry(self, kind, hashlib.blake2b(repr(key).encode(), digest_size=16).digest())

    def found(self, kind: int) -> list[bytes]:
        """Return the payloads of a kind, least lately written first."""
        with self._lock:
            slots = sorted(
                (slot.sequence, digest)
                for (there, digest), slot in self._slots.items()
                if there == kind
            )
        payloads = (self.payload(kind, digest) for _, digest in slots)
        return [payload for payload in payloads if payload is not None]

    def payload(self, kind: int, digest: bytes) -> bytes | None:
        """Return one record; ``None`` when there is none, or no whole one any more."""
        with self._lock:
            slot = self._slots.get((kind, digest))
        if slot is None:
            return None
        try:
            found = self._read_copy(slot.number, slot.copy)
        except OSError as error:
            self._complain(error)
            return None
        return found[3] if found is not None and found[1:3] == (kind, digest) else None

    def give_up(self, kind: int, digest: bytes) -> None:
        """Take this record's slot first when there is none left; writing it takes that back."""
        with self._lock:
            if (kind, digest) in self._slots:
                self._spare[kind, digest] = None

    def put(self, kind: int, digest: bytes, payload: bytes) -> None:
        """Write one record into the copy that is not the valid one."""
        if len(payload) > self._size - _COPY.size:
            self._complain(OSError(errno.EFBIG, f"{len(payload)} bytes are too long for it"))
            return
        with self._lock:
            self._spare.pop((kind, digest), None)
            slot = self._slots.get((kind, digest))
            if slot is None:
                slot = self._slots[kind, digest] = self._new_slot()
            copy, sequence = 1 - slot.copy, self._sequence + 1
            tail = _COPY.pack(0, kind, len(payload), sequence, digest)[4:] + payload
            text = zlib.crc32(tail).to_bytes(4, "little") + tail
            try:
                if not self._begun:  # the disk was full: without a header no record counts
                    self._begin()
                _write(self._descriptor, text, self._offset(slot.number, copy))
            except OSError as error:
                self._complain(error)  # the valid copy stays the valid one
                return
            slot.copy = copy
            slot.sequence = self._sequence = sequence

    def _new_slot(self) -> _Slot:
        if self._free:
            return _Slot(self._free.popleft(), 0, 1)
        if self._spare:
            oldest = next(iter(self._spare))
            del self._spare[oldest]
        else:
            oldest = min(self._slots, key=lambda key: self._slots[key].sequence)
        slot = self._slots.pop(oldest)
        # The new record is later than both copies of the old one: it counts as soon as it is whole.
        return _Slot(slot.number, slot.sequence, slot.copy)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("the state file fails (%s): a restart may forget counters", error.strerror)


def _write(descriptor: int, text: bytes, offset: int) -> None:
    if os.pwrite(descriptor, text, offset) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_file(path: str) -> int:
    """Return a descriptor of a state file, made if it is missing, that nobody else has.

    Raises ``UserError`` for a file that is not ours to overwrite: a link, another user's, one that
    another lxfs uses, one that holds something else.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise UserError(f"the state file {path} cannot be opened: {why}") from error
    try:
        _check(descriptor, path)
    except OSError as error:
        os.close(descriptor)
        raise UserError(f"the state file {path} cannot be used: {error.strerror}") from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(descriptor: int, path: str) -> None:
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise UserError(f"the state file {path} is not a file")
    if about.st_uid != os.geteuid():
        raise UserError(f"the state file {path} belongs to user {about.st_uid}, who could write it")
    _lock(descriptor, path)
    # Not what a slip of the pen has named: /etc/passwd is longer than nothing and begins otherwise.
    # The header of a file of ours may be cut off or zeros, after a crash or on a full disk.
    begins = os.pread(descriptor, len(_MAGIC), 0)
    if not _MAGIC.startswith(begins) and any(begins):
        raise UserError(f"{path} is not a state file of lxfs: remove it or name another")
    os.fchmod(descriptor, 0o600)


def _lock(descriptor: int, path: str) -> None:
    """Wait a while: a server that was told to end may not have ended yet."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise UserError(f"the state file {path} is another lxfs's: name another") from None
            time.sleep(0.02)
        else:
            return
