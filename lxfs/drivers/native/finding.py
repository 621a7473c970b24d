"""The sessions of this machine, found by what their processes have open.

Role: from a mount to the session behind it and who plays which part in it; and its descriptors,
for a holder that takes the place of one that died.
Boundary: reads /proc as root. A process in a container can name its memory as it likes: only those
of our own pid namespace and of root are looked at.
Threading: none.
"""

import json
import os
from dataclasses import dataclass

from lxfs import syscalls
from lxfs.drivers.native import locks
from lxfs.drivers.native.memory import (
    DEVICE,
    HOLDER_LOCK,
    LAYOUT,
    LEDGER,
    NAME,
    SERVER_LOCK,
    SPAWNER_LOCK,
    Memory,
)
from lxfs.drivers.native.start import Session
from lxfs.drivers.rules import Rules
from lxfs.errors import UserError

_COMM = b"lxfs"
_LINK = f"/memfd:{NAME} (deleted)"


@dataclass(frozen=True, slots=True)
class Found:
    """A session: its memory, and a process that has its descriptors."""

    pid: int
    memory: Memory

    @property
    def holder(self) -> int | None:
        """The pid of its holder, if it has one."""
        return locks.owner(self.memory.descriptor, HOLDER_LOCK)

    @property
    def spawner(self) -> int | None:
        """The pid of its spawner, if it has one."""
        return locks.owner(self.memory.descriptor, SPAWNER_LOCK)

    @property
    def server(self) -> int | None:
        """The pid of its server, if it has one now."""
        return locks.owner(self.memory.descriptor, SERVER_LOCK)

    @property
    def rules(self) -> Rules:
        """The rules that it was mounted with."""
        return Rules(**json.loads(self.memory.text("rules")))

    def descriptors(self) -> Session:
        """Return descriptors of our own for all that is the session. Raises ``UserError``."""
        words = self.memory.words
        try:
            process = os.pidfd_open(self.pid)
            try:
                device = syscalls.descriptor_of(process, words[DEVICE])
                ledger = syscalls.descriptor_of(process, words[LEDGER])
            finally:
                os.close(process)
        except OSError as error:
            raise UserError(
                f"the descriptors of process {self.pid} cannot be had: {error}"
            ) from error
        return Session(device, self.memory.descriptor, ledger)


def find(device: str) -> Found | None:
    """Return the session of a mount by its device number as in mountinfo, if anybody has it."""
    own = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - a name, not a path
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            found = _session(int(name), own)
        except (OSError, ValueError):
            continue  # gone, or none of ours
        if found is not None and found.memory.text("device") == device:
            return found
    return None


def _session(pid: int, namespace: str) -> Found | None:
    there = f"/proc/{pid}"
    with open(f"{there}/comm", "rb") as file:  # noqa: PTH123 - one of thousands
        if not file.read().startswith(_COMM):
            return None
    if os.stat(there).st_uid != 0 or os.readlink(f"{there}/ns/pid") != namespace:  # noqa: PTH115, PTH116
        return None
    for number in os.listdir(f"{there}/fd"):  # noqa: PTH208
        path = f"{there}/fd/{number}"
        if os.readlink(path) != _LINK:  # noqa: PTH115
            continue
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        memory = Memory(descriptor)
        if memory.layout == LAYOUT:
            return Found(pid, memory)
        os.close(descriptor)
    return None
