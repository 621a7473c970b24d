"""A mount of our own: the device, mount(2), and serving it from this very process.

Role: what the processes of a session have in common, and a session that is one process and ends
with it, for who asks for no more (``lxfs run``).
Boundary: the only module that opens the device or mounts.
Threading: ``serve`` waits in the main thread; workers answer in others.
"""

import logging
import os
import signal
import stat
import time
from collections.abc import Callable

from lxfs import syscalls
from lxfs.drivers.native.answers import Answers
from lxfs.drivers.native.memory import LOST, MINOR, Memory, create
from lxfs.drivers.native.protocol import MAX_READ, RESEND
from lxfs.drivers.native.serving import Workers
from lxfs.errors import UserError
from lxfs.tree import Tree

_log = logging.getLogger(__name__)

DEVICE = "/dev/fuse"
_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def attach(device: int, directory: str, *, writable: bool = False) -> None:
    """Mount the session of a descriptor on a directory; it may be mounted elsewhere already.

    Without default_permissions: with it, and attributes that may not be kept, each open would ask
    for those of the file and of every directory above it. The mount is read-only unless cgroups
    may be written to, and the tree itself refuses writers, and readers that a file's mode leaves
    out.
    """
    options = {
        "fd": str(device),
        "rootmode": f"{stat.S_IFDIR:o}",
        "user_id": str(os.geteuid()),
        "group_id": str(os.getegid()),
        "max_read": str(MAX_READ),
    }
    data = ",".join([f"{name}={value}" for name, value in options.items()] + ["allow_other"])
    flags = _FLAGS if writable else _FLAGS | syscalls.MS_RDONLY
    syscalls.mount("lxfs", directory, "fuse.lxfs", flags, data)


def open_mounted(directory: str, *, writable: bool = False) -> int:
    """Return the device of a new session that is mounted on a directory. Raises ``UserError``."""
    try:
        device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        attach(device, directory, writable=writable)
    except OSError as error:
        raise UserError(f"mounting on {directory} failed: {error.strerror}") from error
    return device


def answer(
    device: int,
    memory: Memory,
    tree: Tree,
    ready: Callable[[], None],
    end: Callable[[OSError], None],
) -> Workers:
    """Begin to answer for a session, where a predecessor left off if there was one."""
    workers = Workers(device, memory, Answers(tree, memory), ready, end)
    begun = bool(memory.words[MINOR])
    workers.start()
    if memory.words[LOST]:
        memory.words[LOST] = 0
        _ask_again(device)
    if begun:
        ready()
    return workers


def _ask_again(device: int) -> None:
    """Have the kernel send again what has no answer yet, of which nobody has a record."""
    try:
        os.write(device, RESEND)
    except OSError as error:  # EINVAL before Linux 6.9
        _log.warning("requests in hand were lost, their callers wait for ever: %s", error.strerror)


def serve(tree: Tree, mountpoint: str, ready: Callable[[], None]) -> None:
    """Mount the tree on a directory and serve it until it is unmounted or a signal ends it.

    ``ready`` is called when the kernel has accepted the mount; requests are answered from then
    on. SIGTERM, SIGINT and SIGHUP unmount. Raises ``UserError`` when the mount fails.
    """
    memory = Memory(create())
    memory.begin(time.time_ns())
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the threads, which inherit it
    device = open_mounted(mountpoint)
    try:
        answer(device, memory, tree, ready, lambda _: os.kill(os.getpid(), signal.SIGUSR1))
        if signal.sigwait(signals) == signal.SIGUSR1:
            _log.info("the mount on %s ended", mountpoint)
        else:
            syscalls.umount(mountpoint, syscalls.MNT_DETACH)
    finally:
        os.close(device)
        tree.close()
