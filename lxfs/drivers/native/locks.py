"""Which process plays which part in a session, as the kernel knows it.

Role: each part has a byte of the shared memory that its process keeps locked (``man 2 fcntl``,
record locks). Such a lock goes with the process, however it ends, and the kernel says who has it:
there is no pid on record that could have become another's.
Boundary: pids and bytes.
Threading: locks are the whole process's; closing any descriptor of the memory would drop them.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct

_FLOCK = struct.Struct("@hhqqi4x")  # type, whence, start, length, pid
DEAD_SECONDS = 1.0
"""How long a killed process may take to be gone; one that waits for a disk may take for ever."""
_MAX_STUCK = 64


def owner(descriptor: int, byte: int) -> int | None:
    """Return the pid of another process that has a byte locked."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return pid if kind != fcntl.F_UNLCK else None


def take(descriptor: int, byte: int) -> bool:
    """Lock a byte for this process, unless another one has it."""
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLK, wanted)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def displace(descriptor: int, byte: int) -> None:
    """Take a part over: end whoever plays it, and lock it for this process.

    A process that was killed and does not go (it waits in the kernel, where nothing of its own
    code will run any more) keeps its byte; the next one is as good. Two that do this at the same
    time may both be ended: their parents begin again.
    """
    for step in range(_MAX_STUCK):
        while not take(descriptor, byte + step):
            pid = owner(descriptor, byte + step)
            if pid is not None and not end(pid):
                break
        else:
            return
    raise OSError(errno.EBUSY, "too many processes before this one do not end")


def end(pid: int, number: int = signal.SIGKILL, seconds: float = DEAD_SECONDS) -> bool:
    """Send a signal to a process, and return whether it was gone soon."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, number)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(process)
